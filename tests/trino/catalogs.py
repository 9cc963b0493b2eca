"""A Trino catalog of a test's own, in memory: `studio.tasks` is its table and nobody else's."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
from trino.dbapi import Connection, connect

from genesis.compile.identifiers import identifier, table_parts

LONGEST_STATEMENT = 900_000  # characters; a server takes a million

Columns = dict[str, list[Any]]
Ask = Callable[[str], Columns]


@contextmanager
def catalog_of(tables: Mapping[str, pa.Table], server: str) -> Iterator[Ask]:
    """What runs SQL over the tables, each under its dotted name; the default schema is `main`."""
    with session_over(tables, server) as trino:
        yield lambda sql: _ask(trino, sql)


@contextmanager
def session_over(tables: Mapping[str, pa.Table], server: str) -> Iterator[Connection]:
    """A session of the server that sees the tables."""
    host, _, port = server.rpartition(":")
    own = f"genesis_{uuid.uuid4().hex}"
    session = connect(host, int(port), user="genesis", catalog=own, schema="main")
    with closing(session) as trino:
        _ask(trino, f"CREATE CATALOG {own} USING memory")
        try:
            for name, rows in tables.items():
                _create(trino, name, rows)
            yield trino
        finally:
            _ask(trino, f"DROP CATALOG {own}")


def _ask(trino: Connection, sql: str) -> Columns:
    """What a statement gives, column by column, so that what differs is told by its name."""
    with closing(trino.cursor()) as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
        return {name: [row[number] for row in rows] for number, name in enumerate(names)}


def _create(trino: Connection, name: str, rows: pa.Table) -> None:
    """Make a table of the rows, as its dotted name says."""
    *schema, table = (_quoted(part) for part in table_parts(name))
    dotted = ".".join((*schema, table))
    if schema:
        _ask(trino, f"CREATE SCHEMA IF NOT EXISTS {'.'.join(schema)}")
    for number, batch in enumerate(_batches(rows)):
        verb = f"INSERT INTO {dotted}" if number else f"CREATE TABLE {dotted} AS"
        _ask(trino, f"{verb} {_select(batch, rows.schema)}")


def _select(batch: str, schema: pa.Schema) -> str:
    """The rows of a JSON text. Trino plans it in a quarter of the time that it takes for `VALUES`."""
    given = [f"column_{number}" for number in range(len(schema))]
    values = [
        f"CAST({_read(column, field.type)} AS {_type(field.type)}) AS {_quoted(field.name)}"
        for column, field in zip(given, schema, strict=True)
    ]
    quoted = batch.replace("'", "''")
    row = f"ROW({', '.join('VARCHAR' for _ in given)})"
    rows = f"UNNEST(CAST(JSON '{quoted}' AS ARRAY({row}))) AS given ({', '.join(given)})"
    return f"SELECT {', '.join(values)} FROM {rows}"


def _read(column: str, type_: pa.DataType) -> str:
    return f"json_parse({column})" if pa.types.is_nested(type_) else column


def _batches(rows: pa.Table) -> Iterator[str]:
    """The rows as JSON texts that are short enough for a statement each; one at least."""
    batch: list[str] = []
    length = 0
    for row in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        line = json.dumps([_text(value) for value in row], ensure_ascii=False)
        if length + len(line) > LONGEST_STATEMENT:
            yield f"[{','.join(batch)}]"
            batch, length = [], 0
        batch.append(line)
        length += len(line) + 1
    yield f"[{','.join(batch)}]"


def _text(value: Any) -> str | None:
    """A value as Trino casts it from text."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        case datetime(tzinfo=None):
            return value.isoformat(sep=" ")
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + " UTC"
        case date() | time():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _type(type_: pa.DataType) -> str:
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP(6) WITH TIME ZONE" if type_.tz else "TIMESTAMP(6)"
    if isinstance(type_, pa.ListType):
        return f"ARRAY({_type(type_.value_type)})"
    if isinstance(type_, pa.StructType):
        return f"ROW({', '.join(f'{_quoted(field.name)} {_type(field.type)}' for field in type_)})"
    return _TYPES[type_]


_TYPES = {
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME(6)",
}


def _quoted(name: str) -> str:
    return identifier(name).sql("trino")
