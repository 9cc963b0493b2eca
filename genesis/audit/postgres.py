"""A table of PostgreSQL as a side of an audit: one transaction that reads, of one moment.

Nothing is written there and no extension is needed. The surprise: rows come some ten thousand at a
time as one text that the server glues together, for a row at a time costs ten times as much, and
keys that are whole numbers as their bytes; of views and the like, which have no blocks to be read by, a cursor fetches them.
"""

from __future__ import annotations

import functools
import io
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlglot
from pyarrow import csv
from sqlglot import exp

from genesis.audit.sides import Questions, Value, refuse_untextual
from genesis.compile.identifiers import table_parts
from genesis.errors import EngineError, Problem, did_you_mean
from genesis.sources.postgres import told_as_problem
from genesis.spec.types import Type

if TYPE_CHECKING:
    import psycopg

_WHOLE = ("int2", "int4", "int8")
_BLOCKS = 2_048  # of 8 kB each, whose rows come as one text
_BLOCKS_OF_NUMBERS = 16_384  # whose keys do: a text of the server's is no longer than 1 GB
_ROWS = 50_000  # that a cursor fetches at once


@dataclass(frozen=True)
class Wanted:
    """What is asked of a table of a source: columns of the key and of values, with their fields' types."""

    source: str
    table: str
    key: tuple[tuple[str, Type], ...]
    columns: tuple[tuple[str, Type], ...] = ()
    where: str | None = None
    changed_at: str | None = None


@dataclass(frozen=True)
class PostgresSide:
    """A table of PostgreSQL, as of the moment when its transaction first read."""

    connection: psycopg.Connection[Any]
    wanted: Wanted
    questions: Questions
    blocks: int | None
    """How many blocks it has; `None` where it has none of its own."""

    def count(self) -> int:
        counted = self._fetched(self.questions.count())
        return int(counted.column(0)[0].as_py())

    def keys(self) -> pa.Table:
        return self._read(self.questions.keys())

    def rows(self) -> pa.Table:
        return self._read(self.questions.rows())

    def sums(self, segments: int) -> pa.Table:
        return self._fetched(self.questions.sums(segments))

    def hashes(self, segments: int, which: Sequence[int]) -> pa.Table:
        return self._read(self.questions.hashes(segments, which))

    def young(self, since: datetime) -> pa.Table:
        asked = self.questions.young(since)
        return _table([], self.questions.keys()) if asked is None else self._fetched(asked)

    def _read(self, query: exp.Select) -> pa.Table:
        if self.blocks is None:
            return self._fetched(query)
        parts = [part for part in self._parts(query) if part.num_rows]
        return pa.concat_tables(parts) if parts else _table([], query)

    def _parts(self, query: exp.Select) -> Iterator[pa.Table]:
        """The rows of a query, some blocks' worth at a time."""
        are_numbers = all(_is_whole(value.unalias()) for value in query.selects)
        blocks = _BLOCKS_OF_NUMBERS if are_numbers else _BLOCKS
        for first in range(0, self.blocks or 0, blocks):
            # What lies behind the last block came later, and is none of this moment.
            last = first + blocks
            within = f"ctid >= CAST('({first},0)' AS TID) AND ctid < CAST('({last},0)' AS TID)"
            part = query.where(sqlglot.parse_one(within, dialect="postgres"))
            numbers = self._numbers(part) if are_numbers else None
            yield self._text(part) if numbers is None else numbers

    def _numbers(self, query: exp.Select) -> pa.Table | None:
        """Rows of whole numbers, from the bytes that they are; `None` where one is NULL."""
        width = len(query.selects)
        found, rows = self._glued(query, _glued_numbers(query), exp.Count(this=exp.Star()))
        numbers = array("q", found or b"")
        if len(numbers) != width * rows:
            return None
        if sys.byteorder == "little":
            numbers.byteswap()
        columns = [numbers if width == 1 else numbers[n::width] for n in range(width)]
        arrays = [pa.Array.from_buffers(pa.int64(), rows, [None, pa.py_buffer(c)]) for c in columns]
        return pa.Table.from_arrays(arrays, names=query.named_selects)

    def _text(self, query: exp.Select) -> pa.Table:
        (text,) = self._glued(query, _glued(query))
        # The last line ends too: pyarrow takes an empty cell at the end of a file for a text.
        return _table([], query) if text is None else _parsed(f"{text}\n".encode(), query)

    def _glued(self, query: exp.Select, *columns: exp.Expr) -> tuple[Any, ...]:
        glued = query.copy()
        glued.set("expressions", list(columns))
        with told_as_problem(self.wanted.source):
            row = self.connection.execute(_written(glued), binary=True).fetchone()
        return row or (None,) * len(columns)

    def _fetched(self, query: exp.Select) -> pa.Table:
        """The rows of a query through a cursor."""
        parts: list[pa.Table] = []
        with (
            told_as_problem(self.wanted.source),
            self.connection.cursor(name="genesis_audit") as cursor,
        ):
            cursor.execute(_written(query))
            while rows := cursor.fetchmany(_ROWS):
                parts.append(_table(rows, query))
        return pa.concat_tables(parts) if parts else _table([], query)


@contextmanager
def opened(connection: psycopg.Connection[Any], wanted: Wanted) -> Iterator[PostgresSide]:
    """A side of an audit, which sees one moment. Raises `EngineError`."""
    import psycopg

    with told_as_problem(wanted.source):
        connection.autocommit = False
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        side = _side(connection, wanted)
    yield side


def _side(connection: psycopg.Connection[Any], wanted: Wanted) -> PostgresSide:
    types = _types(connection, wanted)
    names = map(_name, reversed(table_parts(wanted.table)))
    questions = Questions(
        dialect="postgres",
        start=exp.Table(**dict(zip(("this", "db", "catalog"), names, strict=False))),
        key=tuple(_value(name, type_, types[name]) for name, type_ in wanted.key),
        values=tuple(_value(name, type_, types[name]) for name, type_ in wanted.columns),
        where=_condition(wanted.where),
        changed_at=_column(wanted.changed_at) if wanted.changed_at else None,
    )
    return PostgresSide(connection, wanted, questions, _blocks(connection, wanted.table))


def _types(connection: psycopg.Connection[Any], wanted: Wanted) -> dict[str, str]:
    """The types of the table's columns by name. Raises `EngineError` for what is not there."""
    asked = connection.execute("SELECT to_regclass(%s)::oid", [_quoted(wanted.table)]).fetchone()
    if asked is None or asked[0] is None:
        message = f"the source has no table `{wanted.table}`"
        hint = (
            did_you_mean(wanted.table, _tables(connection)) or "`table:` names it with its schema"
        )
        raise EngineError(Problem("unknown-table", message, hint=hint))
    rows = connection.execute(
        "SELECT attname, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
        " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
        [asked[0]],
    ).fetchall()
    types: dict[str, str] = dict(rows)
    names = [name for name, _ in (*wanted.key, *wanted.columns)]
    for name in [*names, *([wanted.changed_at] if wanted.changed_at else [])]:
        if name not in types:
            message = f"the source's table `{wanted.table}` has no column `{name}`"
            raise EngineError(Problem("unknown-column", message, hint=did_you_mean(name, types)))
    return types


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT schemaname || '.' || tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    return [name for (name,) in rows]


def _blocks(connection: psycopg.Connection[Any], table: str) -> int | None:
    row = connection.execute(
        "SELECT relkind IN ('r', 'm') AND NOT relhassubclass AND NOT relrowsecurity,"
        " pg_relation_size(oid) / current_setting('block_size')::int"
        " FROM pg_class WHERE oid = to_regclass(%s)",
        [_quoted(table)],
    ).fetchone()
    has_blocks = connection.info.server_version >= 140_000 and row is not None and row[0]
    return int(row[1]) if has_blocks and row else None


def _value(name: str, type_: Type, actual: str) -> Value:
    refuse_untextual(name, type_, "postgres")
    if type_.name in ("integer", "decimal") and actual in _WHOLE:
        return Value(exp.cast(_column(name), "bigint"), type_, is_whole=True)
    if (
        type_.name == "float" and actual == "float4"
    ):  # 0.1 is to be 0.1, and not what 24 bits make of it
        return Value(exp.cast(exp.cast(_column(name), "text"), "double"), type_)
    if type_.name == "string" and actual == "bpchar":  # a cast would take the blanks at its end
        known = exp.Not(this=exp.Is(this=_column(name), expression=exp.Null()))
        padded = exp.Anonymous(this="CONCAT", expressions=[_column(name)])
        return Value(exp.Case(ifs=[exp.If(this=known, true=padded)]), type_)
    return Value(_column(name), type_)


def _condition(where: str | None) -> tuple[exp.Expr, ...]:
    return (exp.Paren(this=sqlglot.parse_one(where, dialect="postgres")),) if where else ()


def _glued_numbers(query: exp.Select) -> exp.Expr:
    """All rows as the bytes of their numbers, the highest first."""
    numbers: list[exp.Expr] = [
        exp.Anonymous(this="INT8SEND", expressions=[value.unalias()]) for value in query.selects
    ]
    nothing = exp.cast(exp.Literal.string(""), "bytea", dialect="postgres")
    return exp.Anonymous(
        this="STRING_AGG", expressions=[functools.reduce(_joined, numbers), nothing]
    )


def _glued(query: exp.Select) -> exp.Expr:
    """All rows as one text of comma-separated values, a line each."""
    line: exp.Expr | None = None
    for value in query.selects:
        cell = exp.Coalesce(this=_cell(value.unalias()), expressions=[exp.Literal.string("")])
        line = cell if line is None else _joined(_joined(line, exp.Literal.string(",")), cell)
    line_end = exp.Anonymous(this="CHR", expressions=[exp.Literal.number(10)])
    return exp.Anonymous(this="STRING_AGG", expressions=[line, line_end])


def _cell(value: exp.Expr) -> exp.Expr:
    """A value as a cell; a text stands in quotes, and NULL is nothing at all."""
    if _is_whole(value):
        return exp.cast(value, "text")
    quote = exp.Literal.string('"')
    doubled = [value, quote, exp.Literal.string('""')]
    text = exp.Anonymous(this="REPLACE", expressions=doubled)
    return _joined(_joined(quote.copy(), text), quote.copy())


def _is_whole(value: exp.Expr) -> bool:
    number = value.unnest()
    return isinstance(number, exp.Cast) and number.to.this == exp.DType.BIGINT


def _joined(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    return exp.DPipe(this=first, expression=second, safe=False)


def _parsed(text: bytes, query: exp.Select) -> pa.Table:
    return csv.read_csv(
        io.BytesIO(text),
        read_options=csv.ReadOptions(column_names=query.named_selects, block_size=len(text) + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=_schema(query),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _table(rows: Sequence[tuple[Any, ...]], query: exp.Select) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(query.selects)
    return pa.table([list(column) for column in columns], schema=_schema(query))


def _schema(query: exp.Select) -> pa.Schema:
    """Whole numbers and texts; what a side counts are whole numbers too."""
    return pa.schema(
        (name, pa.int64() if _is_number(value.unalias()) else pa.string())
        for name, value in zip(query.named_selects, query.selects, strict=True)
    )


def _is_number(value: exp.Expr) -> bool:
    return _is_whole(value) or isinstance(value, exp.Count | exp.Abs)


def _written(query: exp.Expr) -> bytes:
    return query.sql("postgres").encode()


def _column(name: str) -> exp.Expr:
    return exp.Column(this=_name(name))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _quoted(table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in table_parts(table))
