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
from genesis.sinks.google.cells import Collapse, Json
from genesis.sinks.google.plan import (
    SPARE_COLUMNS,
    dress,
    lay_out,
    lay_out_again,
    memory,
    new_rows,
    note,
    note_of,
    open_tab,
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
from genesis.sinks.google.sharing import check_readers, refuse_anyone
from genesis.sinks.google.write import Writer, show_staged
from genesis.sinks.workbook.package import paused_collector
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.keys import a_few
from genesis.sync.notice import Notice, has_notice, timeless, without_notice

if TYPE_CHECKING:
    from genesis.interfaces import Rates
    from genesis.spec.project import GoogleSheetsAccess

# Google advises 2 MB a call and was seen to refuse more than 100,000 requests in one.
PAYLOAD, REQUESTS = 2_000_000, 50_000
CELLS = 10_000_000

_TIMEOUT = timedelta(minutes=30)
_ENVELOPE = 1_000  # bytes of a body that are no requests of a step's
_KEYS = 20_000  # as many as may come along with an answer


class GoogleSheetsSink:
    """Tabs of Google spreadsheets; one sink is one refresh, with one deadline."""

    payload = PAYLOAD

    def __init__(self, root: Path, access: GoogleSheetsAccess, rates: Rates) -> None:
        self._root = root
        self._access = access
        self._rates = rates
        self._until: datetime | None = None
        self._is_read = self._is_written = False
        self._present: SheetsPresent | None = None

    def read(self, tracker: Tracker) -> SheetsPresent:
        """What the tab holds now. Raises `SinkError` where genesis should not touch it."""
        with self._opened(tracker) as connection, paused_collector():
            self._is_read = True
            present = _read(connection, tracker)
            self._present = replace(present, reads=connection.reads)
            return self._present

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or none that a reader could see. Raises `SinkError`."""
        present = changes.present
        if not isinstance(present, SheetsPresent):
            raise TypeError("changes to a spreadsheet start from what its sink read")
        with self._opened(tracker) as connection, paused_collector():
            heard = check_readers(connection, tracker, self._rates)
            is_told = has_notice(note_of(present, tracker))
            if changes.is_empty and not tracker.touch and not is_told:
                receipt = changes.receipt(reads=present.reads)
            else:
                receipt = self._make(changes, present, tracker, connection)
            return replace(receipt, notes=(*receipt.notes, *heard))

    def tell(self, tracker: Tracker, notice: Notice) -> None:
        """Say in the note why the tab was not refreshed, unless it says so, or was written already."""
        present = self._present if self._is_read else self.read(tracker)
        if present is None or self._is_written or not (present.exists and present.ours):
            return
        was = note_of(present, tracker)
        text = notice.below(was or timeless(tracker.note))
        if text == was:
            return
        layout = lay_out_again(present, tracker)
        with self._opened(tracker) as connection:
            refuse_anyone(connection, tracker, self._rates)
            writer = Writer(connection, tracker, present, layout, run=_new_run())
            writer.send(list(note(text, layout)))

    def _make(
        self, changes: Changes, present: SheetsPresent, tracker: Tracker, connection: Connection
    ) -> Receipt:
        new_id = random.SystemRandom().randrange(2**20, 2**31 - 10)
        layout = lay_out(changes, present, tracker, new_id)
        _check_cells(tracker, changes, present, layout.width)
        writer = Writer(connection, tracker, present, layout, run=_new_run())
        self._is_written = True
        if changes.is_empty:
            text = tracker.note if tracker.touch else without_notice(note_of(present, tracker))
            writer.send(list(note(text, layout)))
        else:
            self._write(writer, changes)
        return _receipt(changes, present, connection, writer)

    def _write(self, writer: Writer, changes: Changes) -> None:
        present, layout, tracker = writer.present, writer.layout, writer.tracker
        payload = self.payload - _ENVELOPE
        opening = list(open_tab(changes, present, tracker, layout))
        steps = plan_changes(changes, present, tracker, layout, payload=payload)
        calls = pack(opening, steps, payload=payload, requests=REQUESTS)
        call, following = next(calls), next(calls, None)
        if following and not present.exists:
            self._write_staged(writer, changes, payload)
            return
        opened = len(opening)
        while following:
            writer.send(call, opening=opened)
            call, following, opened = following, next(calls, None), 0
        writer.send(call, opening=opened, expected=_expected(changes))

    def _write_staged(self, writer: Writer, changes: Changes, payload: int) -> None:
        """A first load that a reader sees at once, although it takes many calls."""
        present, layout, tracker = writer.present, writer.layout, writer.tracker
        height, staging = len(changes.inserts), layout.new_id + 2
        rows = new_rows(changes, present, layout)
        writer.stage(rows, payload=payload, new_id=staging, height=height)
        opening = list(open_tab(changes, replace(present, leftovers=()), tracker, layout))
        requests = [
            *opening,
            *show_staged(layout, staging, height),
            *dress(changes, present, tracker, layout),
            *memory(changes, present, layout),
        ]
        writer.send(requests, opening=len(opening))

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


def _new_run() -> str:
    return uuid.uuid4().hex[:12]


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
    return connection.get_by_filter(body, fields=fields, each=Collapse())


def _lookup(key: str, value: str) -> Json:
    return {"developerMetadataLookup": {"metadataKey": key, "metadataValue": value}}


def _expected(changes: Changes) -> frozenset[str]:
    """The keys to look for afterwards: rows that go may be others, if somebody edits meanwhile."""
    if not changes.deletes or changes.rows_after > _KEYS:
        return frozenset()
    released = set(changes.releases)
    keys = {row.key for row in changes.rows if row.position not in released} - set(changes.deletes)
    return frozenset(keys | {insert.key for insert in changes.inserts})


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
    return replace(receipt, notes=(*receipt.notes, *_meanwhile(writer)))


def _meanwhile(writer: Writer) -> Iterator[str]:
    """What came of edits between the read and the write."""
    if writer.differing:
        word = "cell is" if writer.differing == 1 else "cells are"
        yield f"{writer.differing:,} {word} not as written: someone edited meanwhile; the next refresh mends it"
    if writer.shifted:
        yield (
            f"what was meant for rows {a_few(writer.shifted)} got into others: someone put in or"
            " dragged rows meanwhile; the next refresh mends it, the version history has what"
            " stood there"
        )
    if writer.missing:
        yield (
            f"rows {a_few(writer.missing)} went instead of others: someone edited meanwhile; the next"
            " refresh makes them anew, the version history has what stood beside them"
        )
