"""`genesis introspect`: drafts of data sources, from tables that are there."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import EngineError, Problem, Problems, UsageError
from genesis.folders import find_root

if TYPE_CHECKING:
    from genesis.introspect.facts import Place
    from genesis.spec.project import Project

_PARQUET = (".parquet", ".pq")
_POSTGRES = ("postgresql://", "postgres://", "${env:", "${file:")


@click.command("introspect")
@click.argument("places", nargs=-1, required=True, metavar="URL|PATH...|SOURCE|SCHEMA")
@click.option(
    "--table",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="Only tables of this name; `*` fits any.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write DIR/NAME.yaml for each; what is there is left alone.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=2),
    default=100_000,
    show_default=True,
    help="How many rows of each table are looked at first.",
)
@click.option(
    "--quick", is_flag=True, help="Count no table whole: a sample is all that is looked at."
)
@click.pass_obj
def command(
    session: Session,
    places: tuple[str, ...],
    patterns: tuple[str, ...],
    out: Path | None,
    sample: int,
    quick: bool,
) -> None:
    """Draft data sources of a DuckDB file, Parquet files, a PostgreSQL or, with `--target`, a schema of its Trino.

    Keys and joins are those that are declared, else those that the data bears out; the evidence stands beside them.

    \b
    genesis introspect warehouse.duckdb --out definitions
    genesis introspect exports/*.parquet
    genesis introspect '${env:STUDIO_DB_URL}' --table 'public.*' --quick
    """
    from genesis.introspect.draft import draft, together
    from genesis.introspect.look import look

    with _open(session, places) as opened:
        tables = [
            table
            for table in opened.tables()
            if _is_wanted(table.called, patterns) and any(c.type for c in table.columns)
        ]
        if not tables:
            raise EngineError(Problem("unknown-table", "there is no table to draft from"))
        texts = draft(tables, look(opened, tables, sample=sample, quick=quick))
    if out is None:
        click.echo(together(texts.values()), nl=False)
        return
    _write(texts, out)


def _is_wanted(called: str, patterns: tuple[str, ...]) -> bool:
    names = (called, called.rpartition(".")[2])
    return not patterns or any(fnmatchcase(name, each) for name in names for each in patterns)


def _open(session: Session, asked: tuple[str, ...]) -> AbstractContextManager[Place]:
    from genesis.introspect import places
    from genesis.redaction import hide
    from genesis.spec.project import SourceSystem

    files = [Path(each) for each in asked]
    others = [file for file in files if not file.is_file() or file.suffix not in _PARQUET]
    if not others:
        return places.parquet_files(files)
    if len(files) > 1:
        message = f"`{others[0]}` is no Parquet file, and only those are looked at together"
        raise UsageError(Problem("wrong-usage", message, hint="ask for each by itself"))
    (place,) = asked
    root = session.folder or find_root(Path.cwd()) or Path.cwd()
    if place.startswith(_POSTGRES):
        if "${" not in place:
            hide(place)
        # An address may stand in clear here: a command line is no file that is shared.
        system = SourceSystem.model_construct(postgres=place)
        return places.postgres("postgres", system, root)
    path = Path(place)
    if path.is_dir():
        return places.parquet_files(_parquet_in(path))
    if path.is_file():
        return places.duckdb_file(path)
    return _of_project(session, place, root)


def _parquet_in(folder: Path) -> list[Path]:
    """Files of Parquet, and folders that hold some: a table each."""
    found = [
        each
        for each in sorted(folder.iterdir())
        if each.suffix in _PARQUET or (each.is_dir() and any(each.rglob("*.parquet")))
    ]
    if not found:
        message = f"there are no Parquet files in `{folder}`"
        raise UsageError(Problem("wrong-usage", message))
    return found


def _of_project(session: Session, place: str, root: Path) -> AbstractContextManager[Place]:
    """A source system of the project by its name, or a schema of the target's Trino."""
    from genesis.introspect import places

    project: Project | None = session.load(Problems()) if find_root(root) else None
    if project is not None and place in project.settings.sources:
        return places.postgres(place, project.settings.sources[place], root)
    target = session.target(project)[1].engine.trino if project is not None else None
    if target is not None:
        return places.trino(target, place, root)
    hint = "a DuckDB or Parquet file, a folder, `postgresql://...`, a source of genesis.yaml, or `--target` of a Trino and a schema"
    raise UsageError(Problem("unreadable-file", f"`{place}` does not exist", hint=hint))


def _write(texts: dict[str, str], folder: Path) -> None:
    """A file for each draft; one that is there is somebody's work."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        file = folder / f"{name}.yaml"
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as new:
                new.write(text)
            click.echo(file, err=True)
        except FileExistsError:
            click.echo(f"{file} is there, and stays as it is", err=True)
