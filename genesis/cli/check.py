"""`genesis check`: every problem in the project, none hidden behind the first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.findings import KeptFindings, KeptValues, parts_of, problem_of
from genesis.cli.kept import Kept
from genesis.cli.session import Session, definitions_option, inputs_option
from genesis.console import FORMATS, progress, show_problems, write_problems
from genesis.errors import MAX_MISTAKES, Problem, Problems, UsageError
from genesis.folders import file_name

if TYPE_CHECKING:
    from genesis.compile.known import Found, Known
    from genesis.document import Values
    from genesis.spec.project import Project

FAILED = 2
_EVERYTHING = (".",)  # below the project's root


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="full",
    show_default=True,
    help="How problems are written; all but `full` go to stdout.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended safely, in place.")
@click.option("--data", is_flag=True, help="Prove keys, to-one joins and values on the engine too.")
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    paths: tuple[Path, ...],
    format_: str,
    fix: bool,
    data: bool,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> int:
    """Tell every problem of the project's YAML; PATHs limit what is told to these files.

    \b
    genesis check
    genesis check inputs/open_tasks.yaml --format concise --fix
    genesis check --data definitions/task.yaml
    """
    wanted = _wanted(paths, session)
    if fix:
        _mend(session, definitions, inputs, wanted)
    problems, counts = _check(session, definitions, inputs)
    notes: tuple[str, ...] = ()
    if data:
        whole = session.read(Problems(), definitions, inputs)
        notes = _prove(session, whole, wanted, problems)
    told = tuple(p for p in problems if not paths or (p.at and _is_within(p.at.file, wanted)))
    if format_ == "full":
        show_problems(told, root=session.shown_root)
        for note in (*notes, *_cut_off(told)):
            click.echo(f"note: {note}", err=True)
        read = ", ".join(_counted(number, kind) for kind, number in counts.items())
        found = ", ".join(
            _counted(sum(problem.severity == severity for problem in told), severity)
            for severity in ("error", "warning")
        )
        click.echo(f"checked {read}: {found}", err=True)
        if told:  # once, as rustc does: under every problem it would be noise
            click.echo(f"for more about one: genesis explain {_most_telling(told).code}", err=True)
    else:
        write_problems(told, format_, root=session.shown_root)
    return FAILED if any(problem.severity == "error" for problem in told) else 0


def _cut_off(told: Iterable[Problem]) -> Iterator[str]:
    """A note for each file that may have more mistakes than are told."""
    files = Counter(problem.at.file for problem in told if problem.at)
    for file, number in sorted(files.items()):
        if number >= MAX_MISTAKES:
            yield f"`{file}` may have more mistakes than these {number:,}: mend some, and check again"


def _check(
    session: Session, definitions: Sequence[Path], inputs: Sequence[Path]
) -> tuple[Problems, dict[str, int]]:
    """All problems, and how many definitions of each kind there are; known ones where nothing changed."""
    if definitions or inputs:
        return _check_anew(session, definitions, inputs, {})[:2]
    kept = Kept(session.root, ["check"])
    if answer := _told(kept.read()):
        return answer
    findings, values = KeptFindings(session.root), KeptValues(session.root)
    problems, counts, known = _check_anew(session, (), (), findings.read(), values)
    kept.write(json.dumps((parts_of(problems), counts)))
    findings.write(known.kept())
    values.write()
    return problems, counts


def _told(answer: str | None) -> tuple[Problems, dict[str, int]] | None:
    """The problems and counts of a kept answer; `None` of one that is none, or not of our making."""
    with suppress(ValueError, TypeError, KeyError):
        told, counts = json.loads(answer or "")
        return Problems(map(problem_of, told)), {**counts}
    return None


def _check_anew(
    session: Session,
    definitions: Sequence[Path],
    inputs: Sequence[Path],
    before: Mapping[str, Found],
    values: Values | None = None,
) -> tuple[Problems, dict[str, int], Known]:
    from genesis.compile.check import check_project
    from genesis.compile.known import Known

    problems = Problems()
    project = session.read(problems, definitions, inputs, lenient=True, before=values)
    known = Known(project, before)
    check_project(project, problems, known)
    counts = {
        "data source": len(project.data_sources),
        "input": len(project.inputs),
        "workflow": len(project.workflows),
    }
    return problems, counts, known


def _most_telling(told: Sequence[Problem]) -> Problem:
    """The first error, or the first of the warnings."""
    return next((problem for problem in told if problem.severity == "error"), told[0])


def _mend(
    session: Session, definitions: Sequence[Path], inputs: Sequence[Path], wanted: Sequence[str]
) -> None:
    """Write what can be mended into its files, and tell it."""
    from genesis.compile.check import check_project
    from genesis.mend import Texts, mend

    root = session.shown_root

    def check(texts: Texts) -> Problems:
        problems = Problems()
        project = session.read(problems, definitions, inputs, texts=texts, lenient=True)
        check_project(project, problems)
        return problems

    def read(file: str) -> str:
        return (root / file).read_bytes().decode("utf-8").removeprefix(_BYTE_ORDER_MARK)

    mended = mend(check, read, lambda file: _is_within(file, wanted))
    for file, text in mended.texts.items():
        has_mark = (root / file).read_bytes().startswith(_BYTE_ORDER_MARK.encode())
        (root / file).write_bytes(((_BYTE_ORDER_MARK if has_mark else "") + text).encode())
    for problem in mended.fixed:
        verb, _, rest = (problem.fix.does if problem.fix else "").partition(" ")
        click.echo(f"fixed {problem.at}: {problem.message}: {_DID[verb]} {rest}", err=True)


_DID = {"writes": "wrote", "removes": "removed", "indents": "indented"}
_BYTE_ORDER_MARK = "\ufeff"


def _prove(
    session: Session, project: Project, wanted: tuple[str, ...], problems: Problems
) -> tuple[str, ...]:
    """Hold the data sources in use, or those in the files that are named, against their data."""
    from genesis.compile.check import unused
    from genesis.compile.run import Run
    from genesis.plugins import find_plugin
    from genesis.run.prove import prove
    from genesis.spec.project import SETTINGS

    if SETTINGS in project.broken:
        return ()
    # What is named is proven though nothing uses it.
    idle = [source.name for source in unused(project)] if wanted == _EVERYTHING else []
    sources = [
        source
        for source in project.data_sources.values()
        if _is_within(source.file, wanted) and source.name not in idle
    ]
    _, target = session.target(project)
    engine = find_plugin("engines", target.engine.kind)
    run = Run(moment=datetime.now(UTC), staged=True)
    with engine(session.shown_root.resolve(), target) as opened, progress() as tell:
        opened.watch = tell
        return prove(project, sources, opened, run, problems, tell)


def _wanted(paths: tuple[Path, ...], session: Session) -> tuple[str, ...]:
    """The files and folders that are looked at, by their names in problems."""
    names = []
    for path in paths:
        if not path.exists():
            raise UsageError(Problem("unreadable-file", f"`{path}` does not exist"))
        name = file_name(path, session.shown_root)
        if name.split("/")[0] == "..":
            raise UsageError(Problem("wrong-usage", f"`{path}` is not in the project"))
        names.append(name)
    return tuple(names) or _EVERYTHING


def _is_within(file: str, wanted: Sequence[str]) -> bool:
    return any(name in (".", file) or file.startswith(f"{name}/") for name in wanted)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
