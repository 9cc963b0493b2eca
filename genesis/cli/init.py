"""`genesis init`: a project to start from, a whole studio to try things on, or what CI is to run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click

from genesis.cli.schema import FOLDER, write_schemas
from genesis.cli.templates import PRE_COMMIT, SERVICES, write_templates
from genesis.errors import Problem, Problems, UsageError
from genesis.folders import FOLDERS, PROJECT_FILE
from genesis.load import load_project


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--demo", is_flag=True, help="The studio: 12 data sources, 15 trackers, 200,000 change events."
)
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "jenkins"]),
    help="In a project: what pull requests run, to check it and to say what changes.",
)
@click.option("--pre-commit", is_flag=True, help="In a project: a hook that checks each commit.")
def command(folder: Path, demo: bool, ci: str | None, pre_commit: bool) -> None:
    """Start a project in DIR, by default here; nothing that stands there is overwritten.

    \b
    genesis init trackers
    genesis init --demo studio
    genesis init --ci github --pre-commit
    """
    if ci is not None or pre_commit:
        _add_templates(folder, demo, ci, pre_commit)
        return
    if folder.exists() and not folder.is_dir():
        raise UsageError(Problem("folder-not-empty", f"`{folder}` is a file"))
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        hint = f"name a new folder: `genesis init {'--demo studio' if demo else 'trackers'}`"
        raise UsageError(
            Problem("folder-not-empty", f"`{folder.resolve()}` is not empty", hint=hint)
        )
    where = "" if folder == Path() else f"-C {folder} "
    if demo:
        _write_studio(folder)
        click.echo(f"the studio is in {folder.resolve()}; try it:", err=True)
        click.echo(
            f"  python -m genesis.demo {folder}    # its whole story: ingest, refresh, annotate, refresh",
            err=True,
        )
    else:
        _write_starter(folder)
        click.echo(f"a project is in {folder.resolve()}; try it:", err=True)
        click.echo(f"  genesis {where}ingest product {folder / 'events/product.jsonl'}", err=True)
        click.echo(f"  genesis {where}run products", err=True)
    _help_editors(folder)
    click.echo(f"  genesis {where}check", err=True)
    click.echo(f"  genesis {where}schema    # after a clone, and for names that are new", err=True)


def _add_templates(folder: Path, demo: bool, ci: str | None, pre_commit: bool) -> None:
    """What CI runs, in a project that is there."""
    if demo:
        message = "`--demo` starts a project, `--ci` and `--pre-commit` are for one that is there"
        raise UsageError(Problem("wrong-usage", message, hint="one after the other"))
    if not (folder / PROJECT_FILE).is_file():
        hint = "name the folder that has it, or `genesis init` starts a project"
        message = f"`{folder.resolve()}` has no `{PROJECT_FILE}`"
        raise UsageError(Problem("no-project", message, hint=hint))
    write_templates(folder, {**(SERVICES[ci] if ci else {}), **(PRE_COMMIT if pre_commit else {})})


def _write_studio(folder: Path) -> None:
    from genesis.demo.studio import write_studio

    write_studio(folder, anchor=_today())


def _today() -> date:
    return datetime.now(UTC).date()


def _write_starter(folder: Path) -> None:
    for name, text in _STARTER.items():
        _write_new(folder / name, text)


def _write_new(file: Path, text: str) -> None:
    """Write a file, unless it is there: a folder that is fresh may hold hidden ones."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(text, encoding="utf-8")


# --- editors ----------------------------------------------------------------------------------------


def _help_editors(folder: Path) -> None:
    """Say in every YAML file, and to VS Code, where its schema is; and write the schemas.

    The schemas are below `.genesis/`, which is not committed: they follow from the YAML.
    """
    for file in _yaml_files(folder):
        kind = "project" if file.name == PROJECT_FILE else "documents"
        schema = os.path.relpath(folder / FOLDER / f"{kind}.json", file.parent)
        text = file.read_text(encoding="utf-8")
        modeline = f"# yaml-language-server: $schema={Path(schema).as_posix()}\n"
        file.write_text(modeline + text, encoding="utf-8")
    for name, settings in _VSCODE.items():
        _write_new(folder / ".vscode" / name, json.dumps(settings, indent=2) + "\n")
    write_schemas(load_project(folder, Problems()), folder / FOLDER)


def _yaml_files(folder: Path) -> Iterator[Path]:
    yield folder / PROJECT_FILE
    for kind in FOLDERS:
        yield from sorted((folder / kind).rglob("*.yaml"))


_VSCODE = {
    "settings.json": {
        "yaml.schemas": {
            f"{FOLDER}/documents.json": [
                f"{kind}/**/*.{ending}" for kind in FOLDERS for ending in ("yaml", "yml")
            ],
            f"{FOLDER}/project.json": [PROJECT_FILE],
        }
    },
    "extensions.json": {"recommendations": ["redhat.vscode-yaml"]},
}


_STARTER = {
    "genesis.yaml": """\
project: my_trackers
timezone: UTC
default_target: local
targets:
  local: # embedded: no server, no account
    engine: {duckdb: {}}
    catalog: {sql: {uri: "sqlite:///.genesis/catalog.db", warehouse: .genesis/warehouse}}
state: "sqlite:///.genesis/state.db"
""",
    "definitions/product.yaml": """\
data_source: product
description: One row per product.
table: shop.product_events
primary_key: product_id
latest: true # an append-only log of changes: each key's newest record counts

fields:
  product_id: integer
  name: {type: string, nullable: false}
  price: {type: "decimal(10,2)", format: usd}
  released_on: {type: date, format: us_date}
""",
    "inputs/products.yaml": """\
input: products
title: Products
source: product # the report has one row per product
fields: [product_id, name, price, released_on]
sort: [name]
""",
    "workflows/products.yaml": """\
workflow: products
owner: me@example.com
jobs:
  - refresh: products
    to: {xlsx: {file: trackers/products.xlsx, tab: Products}}
""",
    "events/product.jsonl": """\
{"product_id": 1, "name": "Clapperboard", "price": "24.90", "released_on": "2026-03-01"}
{"product_id": 2, "name": "Director's chair", "price": "89.00", "released_on": "2026-05-17"}
{"product_id": 3, "name": "Gaffer tape", "price": "6.50", "released_on": null}
{"product_id": 3, "_op": "d"}
""",
    ".gitignore": ".genesis/\ntrackers/\n",
}
