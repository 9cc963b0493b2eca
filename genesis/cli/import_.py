"""`genesis import sql`: hand-written reports become data sources and inputs, and are proven to mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session, definitions_option, param_option, parse_parameters
from genesis.errors import EngineError, Problem, Problems, UsageError
from genesis.folders import yaml_files

if TYPE_CHECKING:
    from genesis.interfaces import Engine
    from genesis.run.importing import Imported, Script
    from genesis.spec.project import Project


@click.group("import")
def command() -> None:
    """Take over reports that were kept by hand.

    \b
    genesis import sql reports/open_tasks.sql
    genesis import sql reports/*.sql --out drafts --report board.html
    """


@command.command("sql")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE...",
)
@click.option(
    "--dialect",
    type=click.Choice(["trino", "duckdb"]),
    help="Whose SQL it is; by default the engine's.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the drafts below DIR instead of printing them.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Prove on Parquet and CSV files, each a table by its name.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the migration board as one page of HTML.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@param_option
@definitions_option
@click.pass_obj
def sql(
    session: Session,
    files: tuple[Path, ...],
    dialect: str | None,
    out: Path | None,
    data: Path | None,
    report: Path | None,
    format_: str,
    pairs: tuple[str, ...],
    definitions: tuple[Path, ...],
) -> int:
    """Lift reports of hand-written SQL, and prove that they mean the same.

    Both run on the engine, on the data and on hostile copies of it; a report is `proven` where all rows are equal.
    Exit code 1: not all are.

    \b
    genesis import sql reports/open_tasks.sql
    genesis import sql reports/*.sql --data exports --out drafts --report board.html
    """
    from genesis.console import progress
    from genesis.engines.copies import CopiesEngine
    from genesis.run.board import as_html, as_json, as_text
    from genesis.run.importing import Importer, overlaid

    root = session.shown_root.resolve()
    project, own = _project(session, definitions, is_needed=not data)
    scripts = [_read(file) for file in files]
    with (
        overlaid(root, own) as (overlay, texts),
        _engine(session, project, root, data) as engine,
    ):
        importer = Importer(
            project,
            overlay,
            texts,
            engine,
            CopiesEngine.of_tables,
            dialect or (engine.dialect if engine else project.settings.dialect),
            datetime.now(UTC),
            parse_parameters(pairs),
        )
        with progress() as tell:
            imported = importer.run(scripts, tell)
    if out is not None:
        _write(imported.files, out)
    if report is not None:
        report.write_text(as_html(imported), encoding="utf-8")
    if format_ == "json":
        click.echo(json.dumps(as_json(imported), indent=2, ensure_ascii=False))
    else:
        _tell(imported, printed=out is None)
        click.echo(as_text(imported), err=True)
    return 0 if all(one.status == "proven" for one in imported.outcomes) else 1


def _project(
    session: Session, definitions: tuple[Path, ...], *, is_needed: bool
) -> tuple[Project, list[Path]]:
    """The project and the files of its definitions; where there is none, one without anything, if that will do."""
    from genesis.folders import find_root
    from genesis.load import load_files

    if not (is_needed or definitions or session.folder or find_root(Path.cwd())):
        return load_files(Path.cwd(), [], Problems()), []
    places = definitions or (session.shown_root / "definitions",)
    own = [file for place in places for file in yaml_files(place)]
    return session.load(Problems(), definitions), own


def _read(file: Path) -> Script:
    """A file's SQL; one that has no text stops none of the others."""
    from genesis.run.importing import Script

    try:
        return Script(str(file), file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return Script(str(file), "", unreadable="no UTF-8 text")
    except OSError as error:
        return Script(str(file), "", unreadable=(error.strerror or str(error)).lower())


@contextmanager
def _engine(
    session: Session, project: Project, root: Path, data: Path | None
) -> Iterator[Engine | None]:
    """What reports are proven on; `None`, told on stderr, where there is no such thing."""
    from genesis.engines.copies import CopiesEngine
    from genesis.plugins import find_plugin

    if data is not None:
        with CopiesEngine.of_files(data) as files:
            yield files
        return
    _, target = session.target(project)
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(find_plugin("engines", target.engine.kind)(root, target))
        except EngineError as error:
            click.echo(f"no engine, so nothing is proven: {error.problems[0].message}", err=True)
            engine = None
        yield engine


def _write(files: Mapping[str, str], out: Path) -> None:
    """Write the drafts, unless one of them is there already."""
    there = [name for name in files if (out / name).exists()]
    if there:
        message = f"`{out / there[0]}` exists, and drafts overwrite nothing"
        hint = "`--out` takes a folder that has none of them"
        raise UsageError(Problem("wrong-usage", message, hint=hint))
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")


def _tell(imported: Imported, *, printed: bool) -> None:
    if not printed:
        return
    texts = [f"# {name}\n{text}" for name, text in imported.files.items()]
    click.echo("---\n".join(texts), nl=False)
