"""Tables as text: CSV files with typed headers, and rows as people would write them."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb

from genesis.lake.duck import FAILING_OPTIMIZERS, WRONG_OPTIMIZERS

_SQL_TYPES = {
    "integer": "BIGINT",
    "string": "VARCHAR",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}

Rows = list[list[str | None]]


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, whose answers are right.

    With all its optimizers DuckDB's are not: `genesis.engines.duckdb` says which, and why.
    """
    disabled = ",".join((*WRONG_OPTIMIZERS, *FAILING_OPTIMIZERS))
    return duckdb.connect(config={"threads": 1, "disabled_optimizers": disabled})


def load_tables(duck: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make a table of each CSV file, by the file's name, odd characters of it as `%2E`."""
    duck.execute("SET TimeZone = 'UTC'")
    for file in sorted(folder.glob("*.csv")):
        *schema, table = (quoted(unquote(part)) for part in file.stem.split("."))
        if schema:
            duck.execute(f"CREATE SCHEMA IF NOT EXISTS {schema[0]}")
        header, *rows = rows_of_file(file)
        columns = [_column(cell or "") for cell in header]
        name = ".".join([*schema, table])
        duck.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        if rows:
            marks = ", ".join("?" for _ in header)
            duck.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)


def _column(header: str) -> str:
    name, _, type_ = header.rpartition(":")
    return f"{quoted(name)} {_SQL_TYPES.get(type_, type_)}"


def quoted(name: str) -> str:
    """A name as SQL takes any."""
    return '"' + name.replace('"', '""') + '"'


def rows_of_file(file: Path) -> Rows:
    """The cells of a CSV file, its header first: `None` where a cell is empty, `""` is an empty text."""
    mark = "\0empty"  # Python's csv reads both as an empty text
    text = re.sub(r'(?m)(^|,)""(?=,|$)', rf"\1{mark}", file.read_text("utf-8"))
    cells = csv.reader(text.splitlines(keepends=True))
    return [["" if cell == mark else cell or None for cell in row] for row in cells]


def rows_of(duck: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], Rows]:
    """The column names and the rows of a query, each value as text."""
    table = duck.sql(sql).to_arrow_table()
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return table.column_names, [[as_text(value) for value in row] for row in rows]


def as_text(value: Any) -> str | None:
    """A value as one writes it down."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case datetime(tzinfo=None):
            return value.isoformat(sep=" ")
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "Z"
        case float() if value.is_integer():
            return f"{value:.1f}"
    return str(value)
