"""`genesis init`: a project to start from, or a whole studio to try things on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click

from genesis.errors import Problem, UsageError


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--demo", is_flag=True, help="The studio: 11 data sources, 11 trackers, 200,000 change events."
)
def command(folder: Path, demo: bool) -> None:
    """Start a project in DIR, by default here; nothing that stands there is overwritten.

    \b
    genesis init trackers
    genesis init --demo studio
    """
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
    click.echo(f"  genesis {where}check", err=True)


def _write_studio(folder: Path) -> None:
    from genesis.demo.studio import write_studio

    write_studio(folder, anchor=_today())


def _today() -> date:
    return datetime.now(UTC).date()


def _write_starter(folder: Path) -> None:
    for name, text in _STARTER.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


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
