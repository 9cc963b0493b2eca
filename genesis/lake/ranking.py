"""The events that a compaction keeps, ranked and written by DuckDB from one snapshot of a change log.

Memory goes to the keys, not to the events, and what is above DuckDB's limit is spilled. The
surprise: a log whose events no `_pos` tells apart, or whose files DuckDB cannot read by itself, is
copied into DuckDB's own storage first, since only there events stay put to be numbered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import duckdb
import pyarrow as pa
from pyiceberg.manifest import DataFile
from pyiceberg.types import DateType, TimestampType, TimestamptzType
from sqlglot import exp

from genesis.compile.identifiers import Names, identifier
from genesis.compile.latest import instant, is_delete, surviving_events
from genesis.lake.columns import POS
from genesis.lake.duck import in_memory, lock_down
from genesis.lake.read import Pinned
from genesis.lake.rules import Rules
from genesis.lake.write import write_files

_LOG, _EVENTS, _WINNERS = "log", "_events", "winners"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROW_GROUP = 122_880  # events
_ROW_GROUP_BYTES = 64 * 1024 * 1024  # of packed events, which are in memory at once
_VECTOR = 2_048  # events that DuckDB hands over at least


@dataclass(frozen=True, slots=True)
class Survivors:
    """How many events are kept; how many deletes are not, being old; the time of the oldest that is.

    Times are in microseconds since 1970.
    """

    kept: int
    forgotten: int
    oldest_delete: int | None


class Ranking:
    """A snapshot's events in a DuckDB; deletes of before `late` are forgotten."""

    def __init__(
        self, duck: duckdb.DuckDBPyConnection, pinned: Pinned, rules: Rules, late: datetime
    ) -> None:
        self._duck = duck
        self._pinned = pinned
        self._rules = rules
        self._late = late
        self._locator = _locator(pinned, rules)

    @classmethod
    @contextmanager
    def opened(
        cls, pinned: Pinned, rules: Rules, late: datetime, *, memory_limit: str | None = None
    ) -> Iterator[Self]:
        """A ranking with a DuckDB of its own, that may read the snapshot's files and nothing else."""
        with in_memory() as duck:
            duck.execute("SET preserve_insertion_order = false")
            if memory_limit is not None:
                duck.execute("SET memory_limit = $limit", {"limit": memory_limit})
            ranking = cls(duck, pinned, rules, late)
            ranking._make_log()
            lock_down(duck, pinned.files)
            yield ranking

    def rank(self) -> Survivors:
        """Find the survivors. They are a table in DuckDB then, which `rows` reads."""
        survivors = surviving_events(
            exp.to_table(_LOG),
            self._rules.key,
            self._rules.latest,
            locator=self._locator,
            dialect=self._rules.dialect,
        )
        self._execute(_create("TABLE", _WINNERS, survivors))
        forgotten, oldest = self._forget()
        (kept,) = self._one(exp.select(exp.Count(this=exp.Star())).from_(_WINNERS))
        return Survivors(kept, forgotten, oldest)

    def write(self, run: str) -> list[DataFile]:
        """New files of the survivors, sorted by key, with `run` in their names."""
        return write_files(self._pinned.table, self._rows(_rows_at_once(self._pinned)), run)

    def _rows(self, at_once: int) -> Iterator[pa.RecordBatch]:
        columns = [_column(name) for name in self._pinned.columns]
        order = [_column(name) for name in (*self._rules.key, self._locator)]
        rows = exp.select(*columns).from_(_LOG).where(self._is_winner()).order_by(*order)
        return iter(self._duck.sql(rows.sql("duckdb")).to_arrow_reader(at_once))

    def _make_log(self) -> None:
        relation = self._pinned.relation()
        if relation is not None and self._locator == POS.name:
            self._execute(_create("VIEW", _LOG, relation))
            return
        if relation is not None:
            self._execute(_create("VIEW", _EVENTS, relation))
        else:
            self._duck.register(_EVENTS, self._pinned.batches(self._pinned.columns))
        number = exp.Window(this=exp.RowNumber(), over="OVER")
        columns = [_column(name) for name in self._pinned.columns]
        if self._locator != POS.name:
            columns.append(exp.alias_(number, identifier(self._locator)))
        self._execute(_create("TABLE", _LOG, exp.select(*columns).from_(_EVENTS)))

    def _forget(self) -> tuple[int, int | None]:
        """Take old deletes from the winners; how many they were, and the oldest that stays."""
        found = deletes_of(self._pinned, self._rules)
        if found is None:
            return 0, None
        deleted, at = found
        deletes = exp.select(_column(self._locator)).from_(_LOG).where(deleted, self._is_winner())
        is_old = exp.LT(this=at, expression=instant(self._late))
        old = deletes.where(is_old)
        (forgotten,) = self._one(exp.select(exp.Count(this=exp.Star())).from_(old.subquery("old")))
        if forgotten:
            gone = exp.In(this=_column(self._locator), query=old.subquery())
            self._execute(exp.Delete(this=exp.to_table(_WINNERS), where=exp.Where(this=gone)))
        epoch = exp.Anonymous(this="EPOCH_US", expressions=[exp.Min(this=at)])
        (oldest,) = self._one(deletes.where(exp.not_(is_old)).select(epoch, append=False))
        return forgotten, oldest

    def _is_winner(self) -> exp.In:
        winners = exp.select(_column(self._locator)).from_(_WINNERS)
        return exp.In(this=_column(self._locator), query=winners.subquery())

    def _one(self, query: exp.Select) -> tuple[Any, ...]:
        return self._duck.execute(query.sql("duckdb")).fetchall()[0]

    def _execute(self, statement: exp.Expr) -> None:
        self._duck.execute(statement.sql("duckdb"))


def deletes_of(pinned: Pinned, rules: Rules) -> tuple[exp.Expr, exp.Expr] | None:
    """The condition that an event is a delete, and when it was; nothing where none is ever old.

    How old an event is can only be told where the first column of the order is a time.
    """
    first = rules.latest.order_by[0]
    type_ = pinned.table.schema().find_field(first, case_sensitive=False).field_type
    deleted = is_delete(rules.latest, dialect=rules.dialect)
    if deleted is None or not isinstance(type_, _TIMES):
        return None
    return deleted, exp.cast(_column(first), "timestamptz(6)")


def microseconds(moment: datetime) -> int:
    """A moment as `Survivors` has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


_TIMES = (TimestamptzType, TimestampType, DateType)


def _rows_at_once(pinned: Pinned) -> int:
    """A row group's worth; fewer where events are long."""
    files = pinned.data_files
    events = sum(file.record_count for file in files)
    size = sum(file.file_size_in_bytes for file in files)
    limit = int(pinned.table.properties.get("write.parquet.row-group-limit", _ROW_GROUP))
    return max(_VECTOR, min(limit, _ROW_GROUP_BYTES * events // max(size, 1)))


def _locator(pinned: Pinned, rules: Rules) -> str:
    """The column that tells events apart."""
    if rules.has_positions:
        return POS.name
    return Names(frozenset(name.lower() for name in pinned.columns)).take("_row")


def _create(kind: str, name: str, query: exp.Query) -> exp.Create:
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(this=exp.to_table(name), kind=kind, expression=query, properties=temporary)


def _column(name: str) -> exp.Expr:
    return exp.Column(this=identifier(name))
