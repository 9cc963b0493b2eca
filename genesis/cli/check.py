"""`genesis check`: every problem in the project, none hidden behind the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from genesis.cli.session import Session, definitions_option, inputs_option
from genesis.console import FORMATS, show_problems, write_problems
from genesis.errors import Problem, Problems, UsageError
from genesis.load import file_name

FAILED = 2


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
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    paths: tuple[Path, ...],
    format_: str,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> int:
    """Tell every problem of the project's YAML; PATHs limit what is told to these files.

    \b
    genesis check
    genesis check inputs/open_tasks.yaml --format concise
    """
    from genesis.compile.check import check_project

    problems = Problems()
    project = session.read(problems, definitions, inputs)
    check_project(project, problems)
    told = _within(paths, problems, session)
    if format_ == "full":
        show_problems(told, root=session.shown_root)
        read = {
            "data source": project.data_sources,
            "input": project.inputs,
            "workflow": project.workflows,
        }
        counts = ", ".join(_counted(len(names), kind) for kind, names in read.items())
        found = ", ".join(
            _counted(sum(problem.severity == severity for problem in told), severity)
            for severity in ("error", "warning")
        )
        click.echo(f"checked {counts}: {found}", err=True)
        if told:  # once, as rustc does: under every problem it would be noise
            click.echo(f"for more about one: genesis explain {_most_telling(told).code}", err=True)
    else:
        write_problems(told, format_)
    return FAILED if any(problem.severity == "error" for problem in told) else 0


def _most_telling(told: Sequence[Problem]) -> Problem:
    """The first error, or the first of the warnings."""
    return next((problem for problem in told if problem.severity == "error"), told[0])


def _within(paths: tuple[Path, ...], problems: Problems, session: Session) -> tuple[Problem, ...]:
    if not paths:
        return tuple(problems)
    wanted = []
    for path in paths:
        if not path.exists():
            raise UsageError(Problem("unreadable-file", f"`{path}` does not exist"))
        name = file_name(path, session.shown_root)
        if name.split("/")[0] == "..":
            raise UsageError(Problem("wrong-usage", f"`{path}` is not in the project"))
        wanted.append(name)
    return tuple(
        problem
        for problem in problems
        if problem.at and any(_is_within(problem.at.file, name) for name in wanted)
    )


def _is_within(file: str, folder: str) -> bool:
    return folder in (".", file) or file.startswith(f"{folder}/")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
