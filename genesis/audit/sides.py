"""What an audit asks of each of its two sides, and how it asks an engine's tables.

A side reads its keys, its rows or checksums of them, each from one snapshot. Keys come as `k0`,
`k1`..., the other values as `v0`, `v1`...: whole numbers as they are, all else as the text that
`canonical` writes. The surprise: what is read whole is written as text here, so that only checksums
ask more of an engine than a SELECT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import sqlglot
from sqlglot import exp

from genesis.audit.canonical import has_text, hash_of, one_text, text_of
from genesis.compile.identifiers import column, identifier
from genesis.compile.proofs import Writer
from genesis.compile.statement import Statement
from genesis.errors import DefinitionError, Problem
from genesis.interfaces import Engine
from genesis.lake.duck import in_memory, lock_down
from genesis.spec.data_source import DataSource
from genesis.spec.types import Type

# Segments are told apart by a remainder. Primes, because keys often are multiples of a power of two.
_SEGMENTS = (1, 31, 1_021, 32_749, 1_048_573)
THRESHOLD = 16_384  # rows of a segment that are read rather than summed up further


class Side(Protocol):
    """One side of an audit, as of one moment."""

    def count(self) -> int:
        """How many records it has."""

    def keys(self) -> pa.Table:
        """The keys of all records; of those that are one whole number, some may come several times."""

    def rows(self) -> pa.Table:
        """The keys and values of all records."""

    def sums(self, segments: int) -> pa.Table:
        """The number of records and the sum of their hashes, by segment: `segment`, `records`, `total`."""

    def hashes(self, segments: int, which: Sequence[int]) -> pa.Table:
        """The keys of some segments' records, each with its row's hash as `v0`."""

    def young(self, since: datetime) -> pa.Table:
        """The keys of the records that changed since a moment; none where it does not know."""


def segments_for(records: int) -> int:
    """Into how many segments so many records are cut: factor 32, until they are small enough to be read."""
    return next((n for n in _SEGMENTS if records <= n * THRESHOLD), _SEGMENTS[-1])


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the records of a side: how it is read there, and what it is."""

    sql: exp.Expr
    type: Type
    is_whole: bool = False
    """Whether it comes as a whole number of 64 bits."""


@dataclass(frozen=True)
class Questions:
    """The SQL that a side is asked in, over `start`, in its dialect."""

    dialect: str
    start: exp.Expr
    key: tuple[Value, ...]
    values: tuple[Value, ...]
    where: tuple[exp.Expr, ...] = ()
    changed_at: exp.Expr | None = None

    def count(self) -> exp.Select:
        return self._select([exp.alias_(exp.Count(this=exp.Star()), "records")])

    def keys(self) -> exp.Select:
        return self._select(self.named_keys())

    def rows(self) -> exp.Select:
        values = [exp.alias_(self.text(one), f"v{n}") for n, one in enumerate(self.values)]
        return self._select([*self.named_keys(), *values])

    def sums(self, segments: int) -> exp.Select:
        row_hash = self._row_hash()
        if self.dialect == "trino":  # whose sum of whole numbers is one of 64 bits
            row_hash = exp.cast(row_hash, "decimal(38, 0)", dialect="trino")
        count, total = exp.Count(this=exp.Star()), exp.Sum(this=row_hash)
        # A sum of numbers of 60 bits outgrows 64; as text it gets through every driver.
        total_text = exp.cast(total, exp.DType.VARCHAR if self.dialect != "postgres" else "text")
        columns = [
            exp.alias_(self._segment(segments), "segment"),
            exp.alias_(count, "records"),
            exp.alias_(total_text, "total"),
        ]
        select = self._select(columns)
        select.set("group", exp.Group(expressions=[self._segment(segments)]))
        return select

    def hashes(self, segments: int, which: Sequence[int]) -> exp.Select:
        chosen = [exp.Literal.number(number) for number in which]
        select = self._select([*self.named_keys(), exp.alias_(self._row_hash(), "v0")])
        return select.where(exp.In(this=self._segment(segments), expressions=chosen), copy=False)

    def young(self, since: datetime) -> exp.Select | None:
        if self.changed_at is None:
            return None
        moment = exp.cast(exp.Literal.string(since.isoformat(sep=" ")), "timestamptz")
        is_young = exp.GTE(this=self.changed_at.copy(), expression=moment)
        return self.keys().where(is_young, copy=False)

    def named_keys(self) -> list[exp.Expr]:
        return [
            exp.alias_(one.sql.copy() if one.is_whole else self.text(one), f"k{n}")
            for n, one in enumerate(self.key)
        ]

    def text(self, value: Value) -> exp.Expr:
        if value.is_whole:
            return exp.cast(value.sql.copy(), "text" if self.dialect == "postgres" else "varchar")
        return text_of(value.sql, value.type, self.dialect)

    def _segment(self, segments: int) -> exp.Expr:
        if len(self.key) == 1 and self.key[0].is_whole:
            number = self.key[0].sql.copy()
        else:
            number = hash_of(one_text([self.text(one) for one in self.key]), self.dialect)
        modulus = [number, exp.Literal.number(segments)]
        return exp.Abs(this=exp.Anonymous(this="MOD", expressions=modulus))

    def _row_hash(self) -> exp.Expr:
        texts = [self.text(one) for one in (*self.key, *self.values)]
        return hash_of(one_text(texts), self.dialect)

    def _select(self, columns: Sequence[exp.Expr]) -> exp.Select:
        select = exp.select(*columns).from_(self.start.copy())
        return select.where(*self.where) if self.where else select


@dataclass(frozen=True)
class EngineSide:
    """The records of a data source, as its engine has them."""

    engine: Engine
    writer: Writer
    source: DataSource
    key: tuple[str, ...]
    columns: tuple[str, ...]
    changed_at: str | None = None

    def count(self) -> int:
        counted = self._ask(self._questions(self.columns).count(), self.columns)
        return int(counted.column(0)[0].as_py())

    def keys(self) -> pa.Table:
        if [self.source.fields[name].type.name for name in self.key] != ["integer"]:
            return self._written(())
        return replace(self, writer=self.writer.repeating())._written(())

    def rows(self) -> pa.Table:
        return self._written(self.columns)

    def sums(self, segments: int) -> pa.Table:
        return self._ask(self._questions(self.columns).sums(segments), self.columns)

    def hashes(self, segments: int, which: Sequence[int]) -> pa.Table:
        return self._ask(self._questions(self.columns).hashes(segments, which), self.columns)

    def young(self, since: datetime) -> pa.Table:
        asked = self._questions(()).young(since)
        if asked is None:
            return self.keys().slice(0, 0)
        return self._ask(asked, (str(self.changed_at),))

    def _written(self, columns: Sequence[str]) -> pa.Table:
        """Keys and values as they come from the engine, then as text."""
        names = (*self.key, *columns)
        records = self.engine.query(self.writer.records(self.source, names))
        if not columns and all(map(pa.types.is_int64, records.schema.types)):
            return records.rename_columns([f"k{n}" for n in range(len(names))])
        fresh = self._questions(columns, dialect="duckdb")
        with closing(in_memory()) as duck:
            duck.register("records", records)
            lock_down(duck, [])
            return duck.sql(fresh.rows().sql("duckdb")).to_arrow_table()

    def _ask(self, question: exp.Select, columns: Sequence[str]) -> pa.Table:
        """The answer of the engine to a question about these records."""
        names = tuple(dict.fromkeys((*self.key, *columns)))
        statement = self.writer.records(self.source, names)

        def over(sql: str) -> str:
            records = sqlglot.parse_one(sql, dialect=self.engine.dialect)
            whole = exp.Subquery(this=records, alias=exp.TableAlias(this=identifier("records")))
            asked = question.copy()
            asked.set("from_", exp.From(this=whole))
            return asked.sql(self.engine.dialect)

        unstaged = over(statement.unstaged) if statement.unstaged else None
        return self.engine.query(
            Statement(over(statement.sql), (), statement.scans, statement.setup, unstaged)
        )

    def _questions(self, columns: Sequence[str], dialect: str | None = None) -> Questions:
        written = dialect or self.engine.dialect
        return Questions(
            dialect=written,
            start=exp.to_table("records"),
            key=tuple(self._value(name, written) for name in self.key),
            values=tuple(self._value(name, written) for name in columns),
            changed_at=column(self.changed_at, "records") if self.changed_at else None,
        )

    def _value(self, name: str, dialect: str) -> Value:
        type_ = self.source.fields[name].type
        refuse_untextual(name, type_, dialect)
        return Value(column(name, "records"), type_, is_whole=type_.name == "integer")


def refuse_untextual(name: str, type_: Type, dialect: str) -> None:
    """Refuse a column whose values cannot be compared."""
    if not has_text(type_, dialect):
        message = f"`{name}` is {type_}, which an audit cannot compare on {_NAMES[dialect]}"
        hint = "compare something that is made of it, or leave it out of `columns`"
        if has_text(type_, "duckdb"):
            hint = "`strategy: rows` compares it here"
        raise DefinitionError(Problem("not-supported", message, hint=hint))


_NAMES: Mapping[str, str] = {"duckdb": "DuckDB", "postgres": "PostgreSQL", "trino": "Trino"}
