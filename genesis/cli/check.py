"""`genesis check`: every problem in the project, none hidden behind the first."""

from __future__ import annotations

from pathlib import Path

import click

from genesis.cli.session import Session, definitions_option, inputs_option
from genesis.console import FORMATS, show_problems, write_problems
from genesis.errors import Problem, Problems, UsageError

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
    project = session.load(problems, definitions, inputs)
    check_project(project, problems)
    told = _within(paths, problems, session)
    if format_ == "full":
        show_problems(told, root=session.shown_root)
        counts = f"{len(project.data_sources)} data sources, {len(project.inputs)} inputs, {len(project.workflows)} workflows"
        click.echo(
            f"checked {counts}: {_count(told, 'error')}, {_count(told, 'warning')}", err=True
        )
    else:
        write_problems(told, format_)
    return FAILED if any(problem.severity == "error" for problem in told) else 0


def _within(paths: tuple[Path, ...], problems: Problems, session: Session) -> tuple[Problem, ...]:
    if not paths:
        return tuple(problems)
    root = (session.folder or session.root).resolve()
    wanted = []
    for path in paths:
        if not path.exists():
            raise UsageError(Problem("unreadable-file", f"`{path}` does not exist"))
        try:
            wanted.append(path.resolve().relative_to(root).as_posix())
        except ValueError:
            raise UsageError(Problem("wrong-usage", f"`{path}` is not in the project")) from None
    return tuple(
        problem
        for problem in problems
        if problem.at
        and any(
            problem.at.file == name or problem.at.file.startswith(f"{name}/") or name == "."
            for name in wanted
        )
    )


def _count(problems: tuple[Problem, ...], severity: str) -> str:
    number = sum(problem.severity == severity for problem in problems)
    return f"{number} {severity}{'' if number == 1 else 's'}"
