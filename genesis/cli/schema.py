"""`genesis schema`: JSON Schemas of the YAML, with the project's own names, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError, did_you_mean

if TYPE_CHECKING:
    from genesis.spec.project import Project

FOLDER = ".genesis/schema"
FILES = ("documents", "project")


@click.command("schema")
@click.argument("kind", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Write into DIR; without KIND it is {FOLDER} by default.",
)
@click.pass_obj
def command(session: Session, kind: str | None, out: Path | None) -> None:
    """Write JSON Schemas of the YAML, for editors: `documents.json` and `project.json`.

    With KIND (data_source, formatters, input, workflow, audit, templates; documents for any of them;
    project for genesis.yaml) that schema alone, on stdout.

    \b
    genesis schema
    genesis schema input > input.schema.json
    """
    problems = Problems()
    if kind is not None:
        _check_kind(kind)
    project = session.read(problems)
    if problems.errors:
        click.echo("the project has problems, `genesis check` tells them", err=True)
    if kind is not None and out is None:
        click.echo(_text(kind, project), nl=False)
        return
    folder = out if out is not None else session.root / FOLDER
    for file in write_schemas(project, folder, FILES if kind is None else (kind,)):
        click.echo(f"wrote {file}", err=True)


def write_schemas(
    project: Project, folder: Path, kinds: tuple[str, ...] = FILES
) -> tuple[Path, ...]:
    """Write the schemas of some kinds into a folder, each into a file of the kind's name."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{kind}.json" for kind in kinds)
    for file, kind in zip(files, kinds, strict=True):
        file.write_text(_text(kind, project), encoding="utf-8")
    return files


def _text(kind: str, project: Project) -> str:
    from genesis.schema.documents import schema_of

    return json.dumps(schema_of(kind, project), indent=1, ensure_ascii=False) + "\n"


def _check_kind(kind: str) -> None:
    from genesis.schema.documents import KINDS

    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or "it is one of " + ", ".join(f"`{k}`" for k in KINDS)
        raise UsageError(Problem("wrong-usage", f"`{kind}` is no kind of document", hint=hint))
