"""`genesis diff`: which trackers a change adds, removes or changes, and why, before anybody merges it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError

if TYPE_CHECKING:
    from genesis.review.changed import Diff
    from genesis.revisions import Compared, Revision
    from genesis.spec.project import Project

FAILED, DIFFERENT = 2, 6


@click.command("diff")
@click.argument("revisions", nargs=-1, metavar="[BASE]")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("-v", "--verbose", is_flag=True, help="What each change means, and its SQL.")
@click.option(
    "--dialect",
    type=click.Choice(["duckdb", "trino"]),
    help="The dialect of the SQL; by default the target's.",
)
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERENT} where anything changes.")
@click.pass_obj
def command(
    session: Session,
    revisions: tuple[str, ...],
    format_: str,
    verbose: bool,
    dialect: str | None,
    exit_code: bool,
) -> int:
    """Tell which trackers a change adds, removes or changes, and why.

    The work tree is compared with its merge base with BASE, by default the remote's default branch;
    `A..B`, or two revisions, are compared as they are. Comments, formatting and what no report uses do
    not count.

    \b
    genesis diff
    genesis diff origin/main -v --exit-code
    genesis diff v1.4..v1.5 --format json
    """
    from genesis.console import show_problems
    from genesis.review.diff import diff_projects

    sides = _sides(session, revisions)
    dialect = dialect or session.target(sides.after)[1].engine.kind
    found = diff_projects(sides.before, sides.after, dialect)
    click.echo(_AS[format_](found, sides.compared, verbose), color=True)
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


class _Read:
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
    asked, read = compared(session.root, words), _Read()
    before = _of_revision(session, asked.before, read)
    if asked.after is not None:
        return _Sides(asked, before, _of_revision(session, asked.after, read))
    return _Sides(asked, before, session.load(Problems(), before=read))


def _of_revision(session: Session, revision: Revision, read: _Read) -> Project:
    from genesis.load import load_texts
    from genesis.revisions import files

    found = files(session.root, revision)
    for name, why in sorted(found.left_out.items()):
        click.echo(f"note: `{name}` of `{revision.name}` is {why}, and is not read", err=True)
    return load_texts(found.texts, Problems(), before=read)


def against(compared: Compared) -> str:
    """What is compared, in words."""
    before, after = compared.before, compared.after
    base = f"`{compared.base}` (merge base {before.commit[:8]})" if compared.base else ""
    base = base or f"`{before.name}` ({before.commit[:8]})"
    return f"{base}, as of `{after.name}` ({after.commit[:8]})" if after else base


def _as_text(found: Diff, compared: Compared, verbose: bool) -> str:
    from genesis.console import has_colour
    from genesis.review.change_words import diff_text

    is_painted = has_colour(sys.stdout)
    paint = _painted if is_painted else _plain
    return diff_text(found, against(compared), detailed=verbose, paint=paint)


def _as_json(found: Diff, compared: Compared, verbose: bool) -> str:  # noqa: ARG001  (it is complete anyway)
    from genesis.review.change_facts import diff_facts

    def of(revision: Revision | None) -> dict[str, Any] | None:
        return revision._asdict() if revision is not None else None

    facts = diff_facts(found)
    sides = {"base": compared.base, "before": of(compared.before), "after": of(compared.after)}
    whole = {"schema": facts["schema"], "compared": sides, **facts}
    return json.dumps(whole, indent=2, ensure_ascii=False)


_AS: dict[str, Callable[[Diff, Compared, bool], str]] = {"text": _as_text, "json": _as_json}


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
