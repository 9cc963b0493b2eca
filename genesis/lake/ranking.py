"""The events that a compaction keeps, ranked by DuckDB over one snapshot of a change log.

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
from pyiceberg.types import DateType, TimestampType, TimestamptzType
from sqlglot import exp

from genesis.compile.identifiers import Names, identifier
from genesis.compile.latest import is_delete, surviving_events
from genesis.lake.columns import POS
from genesis.lake.duck import in_memory, lock_down
from genesis.lake.read import Pinned
from genesis.lake.rules import Rules

_LOG, _EVENTS, _WINNERS = "log", "_events", "winners"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        cls, pinned: Pinned, rules: Rules, late: datetime, *, memory_limit: str | None
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

    def rows(self, at_once: int) -> Iterator[pa.RecordBatch]:
        """The survivors sorted by key, with the table's columns."""
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
        deletes = self._winning_deletes()
        if deletes is None:
            return 0, None
        at = exp.cast(_column(self._rules.latest.order_by[0]), "timestamptz")
        is_old = exp.LT(
            this=at, expression=exp.cast(exp.Literal.string(str(self._late)), "timestamptz")
        )
        old = deletes.where(is_old)
        (forgotten,) = self._one(exp.select(exp.Count(this=exp.Star())).from_(old.subquery("old")))
        if forgotten:
            gone = exp.In(this=_column(self._locator), query=old.subquery())
            self._execute(exp.Delete(this=exp.to_table(_WINNERS), where=exp.Where(this=gone)))
        epoch = exp.Anonymous(this="EPOCH_US", expressions=[exp.Min(this=at)])
        (oldest,) = self._one(deletes.where(exp.not_(is_old)).select(epoch, append=False))
        return forgotten, oldest

    def _winning_deletes(self) -> exp.Select | None:
        """The locators of the deletes that won; nothing where none is ever old.

        How old an event is can only be told where the first column of the order is a time.
        """
        first = self._pinned.table.schema().find_field(
            self._rules.latest.order_by[0], case_sensitive=False
        )
        deleted = is_delete(self._rules.latest, dialect=self._rules.dialect)
        if deleted is None or not isinstance(first.field_type, _TIMES):
            return None
        return exp.select(_column(self._locator)).from_(_LOG).where(deleted, self._is_winner())

    def _is_winner(self) -> exp.In:
        winners = exp.select(_column(self._locator)).from_(_WINNERS)
        return exp.In(this=_column(self._locator), query=winners.subquery())

    def _one(self, query: exp.Select) -> tuple[Any, ...]:
        return self._duck.execute(query.sql("duckdb")).fetchall()[0]

    def _execute(self, statement: exp.Expr) -> None:
        self._duck.execute(statement.sql("duckdb"))


def microseconds(moment: datetime) -> int:
    """A moment as `Survivors` has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


_TIMES = (TimestamptzType, TimestampType, DateType)


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
