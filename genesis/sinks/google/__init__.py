"""Trackers that are tabs of Google spreadsheets: one read, and one write that happens wholly or not.

People's own columns, rows, notes, colours, formats and order stay with their rows, since no request
names them. Refused are tabs with content that genesis did not write, and refreshes that lose to
another writer. The surprise: a tab is known by a tag, so that it may be renamed; the first refresh,
which finds none, looks once more for a tab of that name.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from genesis.errors import Problem, SinkError
from genesis.sinks.google.cells import Json, collapsed
from genesis.sinks.google.plan import (
    SPARE_COLUMNS,
    Plan,
    dress,
    lay_out,
    new_rows,
    note,
    pack,
    plan_changes,
)
from genesis.sinks.google.present import (
    ARCHIVE,
    CONTENT,
    OUTLINE,
    TAB,
    SheetsPresent,
    archive_of,
    no_tab,
    outline,
    place_of,
    read_tab,
    tagged_tab,
)
from genesis.sinks.google.service import Connection, open_spreadsheet
from genesis.sinks.google.sharing import check_readers
from genesis.sinks.google.write import Writer, show_staged
from genesis.sinks.workbook.package import paused_collector
from genesis.sync.changes import Changes, Receipt, Tracker

if TYPE_CHECKING:
    from genesis.interfaces import Rates
    from genesis.spec.project import GoogleSheetsAccess

# Google advises 2 MB a call and was seen to refuse more than 100,000 requests in one.
PAYLOAD, REQUESTS = 2_000_000, 50_000
CELLS = 10_000_000

_TIMEOUT = timedelta(minutes=30)
_ENVELOPE = 1_000  # bytes of a body that are no requests of a step's


class GoogleSheetsSink:
    """Tabs of Google spreadsheets; one sink is one refresh, with one deadline."""

    payload = PAYLOAD

    def __init__(self, root: Path, access: GoogleSheetsAccess, rates: Rates) -> None:
        self._root = root
        self._access = access
        self._rates = rates
        self._until: datetime | None = None

    def read(self, tracker: Tracker) -> SheetsPresent:
        """What the tab holds now. Raises `SinkError` where genesis should not touch it."""
        with self._opened(tracker) as connection, paused_collector():
            present = _read(connection, tracker)
            return replace(present, reads=connection.reads)

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or none that a reader could see. Raises `SinkError`."""
        present = changes.present
        if not isinstance(present, SheetsPresent):
            raise TypeError("changes to a spreadsheet start from what its sink read")
        with self._opened(tracker) as connection, paused_collector():
            heard = check_readers(connection, tracker, self._rates)
            if changes.is_empty and not tracker.touch:
                receipt = changes.receipt(reads=present.reads)
            else:
                receipt = self._make(changes, present, tracker, connection)
            return replace(receipt, notes=(*receipt.notes, *heard))

    def _make(
        self, changes: Changes, present: SheetsPresent, tracker: Tracker, connection: Connection
    ) -> Receipt:
        new_id = random.SystemRandom().randrange(2**20, 2**31 - 10)
        layout = lay_out(changes, present, tracker, new_id)
        _check_cells(tracker, changes, present, layout.width)
        run = uuid.uuid4().hex[:12]
        writer = Writer(connection, tracker, present, layout, run)
        if changes.is_empty:
            writer.send([note(tracker, layout)])
        else:
            payload = self.payload - _ENVELOPE
            plan = plan_changes(changes, present, tracker, new_id=new_id, payload=payload)
            self._write(writer, plan, changes)
        return _receipt(changes, present, connection, writer)

    def _write(self, writer: Writer, plan: Plan, changes: Changes) -> None:
        payload = self.payload - _ENVELOPE
        calls = list(pack(plan.opening, plan.steps, payload=payload, requests=REQUESTS))
        if len(calls) > 1 and not writer.present.exists:
            self._write_staged(writer, plan, changes)
            return
        for number, call in enumerate(calls):
            writer.send(call, opening=0 if number else len(plan.opening))

    def _write_staged(self, writer: Writer, plan: Plan, changes: Changes) -> None:
        """A first load that a reader sees at once, although it takes many calls."""
        present, layout, height = writer.present, plan.layout, len(changes.inserts)
        rows = new_rows(changes, present, layout)
        payload = self.payload - _ENVELOPE
        staging = writer.stage(rows, payload=payload, new_id=layout.sheet + 5, height=height)
        opening = [request for request in plan.opening if "deleteSheet" not in request]
        shown = show_staged(layout, staging, height)
        looks = [*dress(changes, present, writer.tracker, layout), *plan.steps[-1]]
        writer.send([*opening, *shown, *looks], opening=len(opening))

    @contextmanager
    def _opened(self, tracker: Tracker) -> Iterator[Connection]:
        self._until = self._until or self._rates.clock.now() + (tracker.timeout or _TIMEOUT)
        connection = open_spreadsheet(
            self._access,
            place_of(tracker).spreadsheet,
            rates=self._rates,
            until=self._until,
            root=self._root,
            tracker=tracker.name,
        )
        try:
            yield connection
        finally:
            connection.close()


# ---- reading


def _read(connection: Connection, tracker: Tracker) -> SheetsPresent:
    tab = place_of(tracker).tab
    known = [_lookup(key, tab) for key in (TAB, ARCHIVE)]
    answer = _content(connection, known)
    if sheet := tagged_tab(answer, tracker):
        return read_tab(sheet, answer, tracker, archive=archive_of(answer, tracker))
    every = connection.get(fields=OUTLINE)
    named, others = outline(every, tracker)
    if named is None:
        return no_tab(every, tracker)
    area = {"gridRange": {"sheetId": named["properties"].get("sheetId", 0)}}
    answer = _content(connection, [area])
    (sheet,) = answer["sheets"]
    return read_tab(sheet, answer, tracker, **others)


def _content(connection: Connection, filters: list[Json]) -> Json:
    body = {"dataFilters": filters, "includeGridData": True}
    fields = f"{OUTLINE},{CONTENT}"
    return connection.get_by_filter(body, fields=fields, each=collapsed)


def _lookup(key: str, value: str) -> Json:
    return {"developerMetadataLookup": {"metadataKey": key, "metadataValue": value}}


# ---- budgets and receipts


def _check_cells(tracker: Tracker, changes: Changes, present: SheetsPresent, width: int) -> None:
    """Raise `tracker-too-large` before anything is written."""
    there = present.size[0] if present.exists else 2
    width += SPARE_COLUMNS if present.sheet is None else 0
    cells = (there + len(changes.inserts) - len(changes.deletes)) * width
    if cells + present.others > CELLS:
        beside = f" beside {present.others:,} in other tabs" if present.others else ""
        message = f"tracker `{tracker.name}` would have {cells:,} cells{beside}, a spreadsheet holds {CELLS:,}"
        hint = "filter the report, delete rows and columns that nobody uses, or take a spreadsheet of its own"
        raise SinkError(Problem("tracker-too-large", message, hint=hint))


def _receipt(
    changes: Changes, present: SheetsPresent, connection: Connection, writer: Writer
) -> Receipt:
    receipt = changes.receipt(
        reads=present.reads + connection.reads,
        writes=connection.writes,
        size=connection.sent,
        fence=writer.fence,
    )
    if not writer.differing:
        return receipt
    word = "cell is" if writer.differing == 1 else "cells are"
    told = f"{writer.differing:,} {word} not as written: someone edited meanwhile; the next refresh mends it"
    return replace(receipt, notes=(*receipt.notes, told))
