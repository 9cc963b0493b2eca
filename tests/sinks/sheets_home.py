"""A tracker in the emulated Google Sheets, refreshed through the real client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from genesis.compile.statement import Column
from genesis.interfaces import Limit
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.google import GoogleSheetsSink
from genesis.spec.project import GoogleSheetsAccess
from genesis.spec.types import BOOLEAN, INTEGER, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards
from genesis.testing.sheets import HandClock, Person, SheetsEmulator
from tests.sinks.arrow_types import arrow_type

COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    Column("title", "Title", STRING),
    Column("budget", "Budget", Type("decimal", 12, 2), "$#,##0.00"),
    Column("late", "Late", BOOLEAN),
)
Row = dict[str, Any]


class Killed(BaseException):
    """A process that ends here."""


class Rates(Buckets):
    """Buckets; the process that asks for turn number `dies_at` dies instead."""

    def __init__(self, state: State, clock: HandClock) -> None:
        super().__init__(state, clock)
        self.dies_at: int | None = None
        self.turns = 0

    def wait(self, bucket: str, limit: Limit, *, until: datetime) -> float:
        self.turns += 1
        if self.turns == self.dies_at:
            raise Killed
        return super().wait(bucket, limit, until=until)


@dataclass
class Home:
    """A spreadsheet with one tracker, in tab `Films`."""

    google: SheetsEmulator
    folder: Path
    columns: tuple[Column, ...] = COLUMNS
    payload: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = self.google.new_spreadsheet("Films 2026")
        state = State("sqlite:///state.db", self.folder)
        self.rates = Rates(state, self.google._service.clock)  # type: ignore[arg-type]

    @property
    def person(self) -> Person:
        return self.google.person(self.id)

    @property
    def book(self) -> Any:
        """The emulator's own model of the spreadsheet."""
        return self.google._service.book(self.id)

    @property
    def tab(self) -> Any:
        return self.book.titled("Films")

    @property
    def tracker(self) -> Tracker:
        place = Place(google_sheets={"spreadsheet": self.id, "tab": "Films"})
        tracker = Tracker("w.films", place, self.columns, note="Films\nKept by genesis")
        return replace(tracker, **self.options)

    def sink(self) -> GoogleSheetsSink:
        sink = GoogleSheetsSink(
            self.folder, GoogleSheetsAccess(endpoint=self.google.url), self.rates
        )
        if self.payload:
            sink.payload = self.payload
        return sink

    def changes(
        self, rows: Sequence[Row], sink: GoogleSheetsSink | None = None, **options: Any
    ) -> Changes:
        tracker = replace(self.tracker, **options)
        named = {c.name: [row.get(c.name) for row in rows] for c in self.columns}
        table = pa.table(
            {c.name: pa.array(named[c.name], arrow_type(c.type)) for c in self.columns}
        )
        present = (sink or self.sink()).read(tracker)
        return compare(wanted=encode(table, tracker), present=present, policy=tracker.policy)

    def refresh(self, rows: Sequence[Row], **options: Any) -> Receipt:
        sink = self.sink()
        changes = self.changes(rows, sink, **options)
        check_guards(changes, Guards(max_deletes=10**6, allow_empty=True))
        return sink.apply(replace(self.tracker, **options), changes)

    def shown(self, *labels: str, tab: str = "Films") -> list[tuple[str, ...]]:
        """What people see in some columns, by their headers."""
        header, *rows = self.person.sees_rows(tab)
        places = [header.index(label) for label in labels]
        return [tuple(row[at] if at < len(row) else "" for at in places) for row in rows]

    def writes(self) -> int:
        return sum(call.is_write for call in self.google.calls)
