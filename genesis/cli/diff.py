"""`genesis diff`: which trackers a change adds, removes or changes, and why, before anybody merges it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError

if TYPE_CHECKING:
    from genesis.review.changed import Diff
    from genesis.review.compilers import Repin
    from genesis.review.reviewed import Looked, Review
    from genesis.revisions import Compared, Revision
    from genesis.spec.project import Project

FAILED, DIFFERENT = 2, 6


@click.command("diff")
@click.argument("revisions", nargs=-1, metavar="[BASE]")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "markdown", "html", "json"]),
    default="text",
    show_default=True,
    help="`markdown` is the comment of a pull request, `html` one file with all of it.",
)
@click.option("-v", "--verbose", is_flag=True, help="What each change means, and its SQL.")
@click.option(
    "--dialect",
    type=click.Choice(["duckdb", "trino"]),
    help="The dialect of the SQL; by default the target's.",
)
@click.option(
    "--rows", is_flag=True, help="Run both sides' SQL on the target, and compare the rows by key."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    help="Of a report with more rows a sample of about so many is compared.",
)
@click.option(
    "--whole",
    metavar="URL",
    help="Where the HTML file will be found: a comment that leaves something out says so.",
)
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERENT} where anything changes.")
@click.pass_obj
def command(
    session: Session,
    revisions: tuple[str, ...],
    format_: str,
    verbose: bool,
    dialect: str | None,
    rows: bool,
    limit: int,
    whole: str | None,
    exit_code: bool,
) -> int:
    """Tell which trackers a change adds, removes or changes, and why.

    The work tree is compared with its merge base with BASE, by default the remote's default branch;
    `A..B`, or two revisions, are compared as they are. Comments, formatting and what no report uses do
    not count.

    \b
    genesis diff
    genesis diff origin/main -v --exit-code
    genesis diff --rows --format markdown > comment.md
    genesis diff v1.4..v1.5 --format json
    """
    from genesis.console import show_problems
    from genesis.review.diff import diff_projects
    from genesis.review.reviewed import Review

    sides = _sides(session, revisions)
    engine = session.target(sides.after)[1].engine.kind
    if rows and dialect not in (None, engine):
        message = f"`--rows` runs on the target, whose engine is `{engine}`"
        raise UsageError(Problem("wrong-usage", message, hint="leave out `--dialect`"))
    found = diff_projects(sides.before, sides.after, dialect or engine)
    looked = _look(session, sides, found, limit) if rows else {}
    head = sides.compared.after.name if sides.compared.after else "the work tree"
    base = against(replace(sides.compared, after=None)).replace("`", "")
    repins = _repins(session, sides.compared)
    review = Review(base, head, found, looked, _compiler(), repins)
    click.echo(_AS[format_](review, _Asked(sides.compared, revisions, verbose, whole)), color=True)
    faults = _faults(found, sides.after)
    is_work_tree = sides.compared.after is None
    show_problems(faults, root=session.shown_root if is_work_tree else None)
    if faults:
        return FAILED
    return DIFFERENT if exit_code and found.changes else 0


class _Sides(NamedTuple):
    compared: Compared
    before: Project
    after: Project


class _Asked(NamedTuple):
    """What was asked for, besides the change itself."""

    compared: Compared
    revisions: tuple[str, ...]
    verbose: bool
    whole: str | None


class Read:
    """The values of texts that both sides have: they are parsed once."""

    def __init__(self) -> None:
        self._known: dict[str, list[Any]] = {}

    def of(self, text: str, read: Callable[[str], list[Any]]) -> list[Any]:
        """The values of a text's documents."""
        if text not in self._known:
            self._known[text] = read(text)
        return self._known[text]


def _sides(session: Session, words: tuple[str, ...]) -> _Sides:
    """Both projects. Raises where there is nothing to compare, or the settings are wrong as they are now."""
    from genesis.revisions import compared

    if len(words) > 2:
        hint = "one is the base of the work tree, two are compared with each other"
        raise UsageError(Problem("wrong-usage", "these are more than two revisions", hint=hint))
    asked, read = compared(session.root, words), Read()
    before = _of_revision(session, asked.before, read)
    if asked.after is not None:
        return _Sides(asked, before, _of_revision(session, asked.after, read))
    return _Sides(asked, before, session.load(Problems(), before=read))


def _of_revision(session: Session, revision: Revision, read: Read) -> Project:
    from genesis.load import load_texts
    from genesis.revisions import files

    found = files(session.root, revision)
    for name, why in sorted(found.left_out.items()):
        click.echo(f"note: `{name}` of `{revision.name}` is {why}, and is not read", err=True)
    return load_texts(found.texts, Problems(), before=read)


def _compiler() -> str:
    """What compiles here, in words."""
    from importlib.metadata import PackageNotFoundError, version

    from genesis.review.compilers import PACKAGES

    def told(package: str) -> str:
        try:
            return f"`{package} {version(package)}`"
        except PackageNotFoundError:
            return f"`{package}` from source"

    return " and ".join(map(told, PACKAGES))


def _repins(session: Session, asked: Compared) -> tuple[Repin, ...]:
    from genesis.review.compilers import FILES, repins
    from genesis.revisions import files_above

    before, after = (files_above(session.root, one, FILES) for one in (asked.before, asked.after))
    return repins(before, after)


def _look(session: Session, sides: _Sides, found: Diff, limit: int) -> Mapping[str, Looked]:
    """What the target's engine says of the rows of both sides, now."""
    from genesis.cli.diff_rows import Looking
    from genesis.console import progress
    from genesis.plugins import find_plugin

    _, target = session.target(sides.after)
    engine = find_plugin("engines", target.engine.kind)
    with engine(session.shown_root.resolve(), target) as opened, progress() as opened.watch:
        return Looking(sides.before, sides.after, opened, datetime.now(UTC), limit).look(found)


def against(compared: Compared) -> str:
    """What is compared, in words."""
    before, after = compared.before, compared.after
    base = f"`{compared.base}` (merge base {before.commit[:8]})" if compared.base else ""
    base = base or f"`{before.name}` ({before.commit[:8]})"
    return f"{base}, as of `{after.name}` ({after.commit[:8]})" if after else base


def _as_text(review: Review, asked: _Asked) -> str:
    from genesis.console import has_colour
    from genesis.review.change_words import diff_text

    is_painted = has_colour(sys.stdout)
    paint = _painted if is_painted else _plain
    return diff_text(review, against(asked.compared), detailed=asked.verbose, paint=paint)


def _as_json(review: Review, asked: _Asked) -> str:
    from genesis.review.change_facts import diff_facts

    def of(revision: Revision | None) -> dict[str, Any] | None:
        return revision._asdict() if revision is not None else None

    facts, compared = diff_facts(review), asked.compared
    sides = {"base": compared.base, "before": of(compared.before), "after": of(compared.after)}
    compiler = {
        "compiler": review.compiler.replace("`", ""),
        "repins": [one._asdict() for one in review.repins],
    }
    whole = {"schema": facts["schema"], "compared": sides, **compiler, **facts}
    return json.dumps(whole, indent=2, ensure_ascii=False, default=str)


def _as_markdown(review: Review, asked: _Asked) -> str:
    from genesis.review.comment import comment, link

    command = " ".join(("genesis diff", *asked.revisions, "--format html"))
    return comment(review, link(asked.whole) if asked.whole else f"`{command}`").rstrip("\n")


def _as_html(review: Review, asked: _Asked) -> str:  # noqa: ARG001  (it is complete anyway)
    from genesis.review.page import page

    return page(review).rstrip("\n")


_AS: dict[str, Callable[[Review, _Asked], str]] = {
    "text": _as_text,
    "markdown": _as_markdown,
    "html": _as_html,
    "json": _as_json,
}


def _faults(found: Diff, after: Project) -> tuple[Problem, ...]:
    """What is wrong as things are now: in the files, and in what was compared."""
    told = [one for change in found.changes if change.after for one in change.after.problems]
    return Problems(_unique((*after.faults, *told))).errors


def _unique(problems: Iterable[Problem]) -> Iterable[Problem]:
    return dict.fromkeys(problems)


def _plain(line: str) -> str:
    return line


def _painted(line: str) -> str:
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=colour) if colour else line
