"""A tracker in the emulated Airtable, refreshed through the real client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from genesis.compile.statement import Column
from genesis.interfaces import Limit
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.airtable import AirtableSink
from genesis.spec.project import AirtableAccess
from genesis.spec.types import BOOLEAN, INTEGER, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Cell, Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards
from genesis.testing.airtable import Airtable, Base, Table
from tests.sinks.arrow_types import arrow_type

COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    Column("title", "Title", STRING),
    Column("budget", "Budget", Type("decimal", 12, 2)),
    Column("late", "Late", BOOLEAN),
)
Row = dict[str, Any]


class Killed(BaseException):
    """A process that ends here."""


@dataclass
class Rates(Buckets):
    """Buckets; the process that asks for turn number `dies_at` dies instead."""

    def __init__(self, state: State, airtable: Airtable) -> None:
        super().__init__(state, airtable.clock)
        self.dies_at: int | None = None
        self.turns = 0

    def wait(self, bucket: str, limit: Limit, *, until: datetime) -> float:
        self.turns += 1
        if self.turns == self.dies_at:
            raise Killed
        return super().wait(bucket, limit, until=until)


@dataclass
class Home:
    """A base with one tracker, `Films`."""

    airtable: Airtable
    folder: Path
    columns: tuple[Column, ...] = COLUMNS
    place: dict[str, Any] = field(default_factory=dict)
    access: dict[str, Any] = field(default_factory=dict)
    base_id: str = "app1"

    def __post_init__(self) -> None:
        self.airtable.base(self.base_id)
        self.rates = Rates(State("sqlite:///state.db", self.folder), self.airtable)

    @property
    def base(self) -> Base:
        return self.airtable.base(self.base_id)

    @property
    def table(self) -> Table:
        return self.base.table("Films")

    @property
    def tracker(self) -> Tracker:
        place = Place(airtable={"base": self.base_id, "table": "Films", **self.place})
        return Tracker(
            "w.films", place, self.columns, note="Films\nKept by genesis\nLast change: now"
        )

    def sink(self) -> AirtableSink:
        access = AirtableAccess(**{"endpoint": self.airtable.url, **self.access})
        return AirtableSink(self.folder, access, self.rates)

    def changes(
        self,
        rows: Sequence[Row],
        sink: AirtableSink | None = None,
        remembered: Mapping[str, Mapping[str, Cell]] | None = None,
        **options: Any,
    ) -> Changes:
        tracker = replace(self.tracker, **options)
        named = {c.name: [row.get(c.name) for row in rows] for c in self.columns}
        table = pa.table(
            {c.name: pa.array(named[c.name], arrow_type(c.type)) for c in self.columns}
        )
        present = (sink or self.sink()).read(tracker)
        wanted = replace(encode(table, tracker), remembered=remembered or {})
        return compare(wanted=wanted, present=present, policy=tracker.policy)

    def refresh(self, rows: Sequence[Row], **options: Any) -> Receipt:
        sink = self.sink()
        changes = self.changes(rows, sink, **options)
        check_guards(changes, Guards(max_deletes=10**6, allow_empty=True))
        return sink.apply(replace(self.tracker, **options), changes)

    def shown(self, *names: str) -> list[tuple[Any, ...]]:
        """Some fields of the records that genesis keeps."""
        kept = [row for row in self.table.rows if "_genesis_key" in row]
        return sorted(tuple(row.get(name) for name in names) for row in kept)


HOUR = timedelta(hours=1)
