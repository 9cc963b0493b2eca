"""`genesis preview`: the rows of an input; no tracker is touched."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from genesis.console import cell_text, shorten
from genesis.errors import Problem, Problems, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from genesis.compile.statement import Column


@click.command("preview")
@click.argument("name", metavar="INPUT")
@click.option(
    "-n",
    "rows",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many rows; 0 is all.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@param_option
@as_of_option
@views_option
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    name: str,
    rows: int,
    format_: str,
    pairs: tuple[str, ...],
    as_of: str | None,
    views: bool,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> None:
    """Show rows of an input, as its trackers would get them.

    \b
    genesis preview open_tasks
    genesis preview regional_productions --param region=APAC -n 0 --format csv
    """
    from genesis.compile.compiler import compile_input
    from genesis.compile.run import Run
    from genesis.console import progress
    from genesis.plugins import find_plugin
    from genesis.run.views import refuse_other_views

    refuse_views_as_of(views, as_of)
    as_of_moment = parse_as_of(as_of)
    run = Run(
        parse_parameters(pairs),
        moment=as_of_moment or datetime.now(UTC),
        as_of=as_of_moment is not None,
        limit=rows or None,
        staged=True,
        views=views,
    )
    problems = Problems()
    project = session.load_for([name], problems, definitions, inputs)
    root = session.shown_root.resolve()
    picked = pick_inputs(project, [name], root, problems)
    if len(picked) != 1:
        raise UsageError(Problem("wrong-usage", f"`{name}` holds {len(picked)} inputs: name one"))
    _, target = session.target(project)
    statement = compile_input(project, picked[0], target.engine.kind, run)
    engine = find_plugin("engines", target.engine.kind)
    with engine(root, target) as opened, progress() as opened.watch:
        if views:
            refuse_other_views(project, statement, opened, opened.dialect)
        found = opened.query(statement)
    _WRITERS[format_](found, statement.columns)


def _write_table(rows: pa.Table, columns: Sequence[Column]) -> None:
    from genesis.console import table_text

    shown = [(i, column) for i, column in enumerate(columns) if not column.hidden]
    values = [rows.column(i).to_pylist() for i, _ in shown]
    cells = [[shorten(cell_text(value)) for value in row] for row in zip(*values, strict=True)]
    numbers = [column.type.is_number for _, column in shown]
    click.echo(table_text([column.label for _, column in shown], cells, right=numbers))
    click.echo(f"{rows.num_rows} row{'' if rows.num_rows == 1 else 's'}", err=True)


def _write_csv(rows: pa.Table, columns: Sequence[Column]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    values = [rows.column(i).to_pylist() for i in range(len(columns))]
    writer.writerows([[cell_text(value) for value in row] for row in zip(*values, strict=True)])


def _write_json(rows: pa.Table, columns: Sequence[Column]) -> None:
    values = [
        [_json_value(value, column.type.name) for value in rows.column(i).to_pylist()]
        for i, column in enumerate(columns)
    ]
    names = [column.name for column in columns]
    records = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    click.echo(json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False))


def _json_value(value: Any, type_name: str) -> Any:
    """A value as JSON; a decimal of more digits than a float holds is text."""
    match value:
        case Decimal() if type_name == "integer":
            return int(value)
        case Decimal():
            return float(value) if len(value.as_tuple().digits) <= 15 else str(value)
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case datetime() | date() | time():
            return value.isoformat()
        case list():
            return [_json_value(item, type_name) for item in value]
    return value


_WRITERS = {"table": _write_table, "csv": _write_csv, "json": _write_json}
