"""`genesis compile`: the SQL of inputs, on stdout or into files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from genesis.cli.session import (
    Session,
    as_of_option,
    definitions_option,
    inputs_option,
    param_option,
    parse_as_of,
    parse_parameters,
    pick_inputs,
    refuse_views_as_of,
    views_option,
)
from genesis.errors import DefinitionError, Problem, Problems, UsageError


@click.command("compile")
@click.argument("names", nargs=-1, metavar="INPUT...")
@click.option("--all", "everything", is_flag=True, help="Every input of the project.")
@click.option(
    "--dialect",
    type=click.Choice(["duckdb", "trino"]),
    help="The dialect of the SQL; by default the target's.",
)
@click.option(
    "--render",
    type=click.Choice(["native", "text"]),
    default="native",
    show_default=True,
    help="Typed columns, or text as people read it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write DIR/INPUT.sql instead of stdout.",
)
@param_option
@as_of_option
@views_option
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    everything: bool,
    dialect: str | None,
    render: Literal["native", "text"],
    out: Path | None,
    pairs: tuple[str, ...],
    as_of: str | None,
    views: bool,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> None:
    """Print the SQL that an input means; INPUT is a name or a file.

    \b
    genesis compile production_tracker --dialect trino
    genesis compile --all --out build/sql
    """
    if bool(names) == everything:
        raise UsageError(Problem("wrong-usage", "name at least one INPUT, or `--all`"))
    if out is None and not (definitions or inputs):
        answer = _tell(*_compile(session, names, dialect, render, pairs, as_of, views, (), ()))
        if session.kept is not None:
            session.kept.write(answer)
        return
    texts, found = _compile(
        session, names, dialect, render, pairs, as_of, views, definitions, inputs
    )
    if out is None:
        _tell(texts, found)
        return
    try:
        _write_files(texts, out)
    except OSError as error:
        message = f"cannot write to `{out}`: {(error.strerror or str(error)).lower()}"
        raise UsageError(Problem("wrong-usage", message)) from error
    found.raise_errors()


def _compile(
    session: Session,
    names: tuple[str, ...],
    dialect: str | None,
    render: Literal["native", "text"],
    pairs: tuple[str, ...],
    as_of: str | None,
    views: bool,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> tuple[dict[str, str], Problems]:
    """The SQL of each input, of all where none is named, and what keeps others from having any."""
    from genesis.compile.compiler import compile_input
    from genesis.compile.run import Run

    refuse_views_as_of(views, as_of)
    moment = parse_as_of(as_of)
    run = Run(
        parse_parameters(pairs),
        moment=moment,
        as_of=moment is not None,
        render=render,
        views=views,
    )
    problems = Problems()
    loaded_inputs = inputs or tuple(
        Path(name) for name in names if definitions and Path(name).is_file()
    )
    project = session.load_for(names, problems, definitions, loaded_inputs)
    picked = (
        pick_inputs(project, names, session.shown_root, problems) if names else list(project.inputs)
    )
    dialect = dialect or session.target(project)[1].engine.kind
    # What is broken and was not asked for stops nothing; of everything, it was asked for.
    found = Problems(() if names else problems)
    texts: dict[str, str] = {}
    for name in picked:
        try:
            texts[name] = compile_input(project, name, dialect, run).sql
        except DefinitionError as error:
            found.extend(error.problems)
    return texts, found


def _tell(texts: dict[str, str], found: Problems) -> str:
    """Print the SQL; it is the whole answer if nothing else was found."""
    answer = (
        next(iter(texts.values()))
        if len(texts) == 1
        else "\n\n".join(f"-- {name}\n{sql};" for name, sql in texts.items())
    )
    if texts:
        click.echo(answer)
    found.raise_errors()
    return answer


def _write_files(texts: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, sql in texts.items():
        file = folder / f"{name}.sql"
        file.write_text(f"{sql}\n", encoding="utf-8")
        click.echo(file, err=True)
