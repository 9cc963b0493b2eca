"""Trackers that are tabs of Excel workbooks, edited in place by key.

A person's columns, notes, colours, formulas and order of rows stay with their rows. Refused are
tabs with content that genesis did not write, workbooks that are open elsewhere, and names that
Excel does not take. The surprise: a new workbook is read back before it replaces the old one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from genesis.errors import Problem, SinkError
from genesis.sinks import aside
from genesis.sinks.workbook.book import Book
from genesis.sinks.workbook.edit import write_changes
from genesis.sinks.workbook.find import XlsxPresent, read_tracker
from genesis.sinks.workbook.package import NotAWorkbook, paused_collector
from genesis.spec.workflow import XlsxPlace
from genesis.sync.changes import Cell, Changes, Formula, Present, Receipt, Tracker, result
from genesis.sync.stamps import same

_TAB = re.compile(r"(?!')[^\[\]:*?/\\]{1,31}(?<!')")


class XlsxSink:
    """Tabs of .xlsx workbooks below a project's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, tracker: Tracker) -> XlsxPresent:
        """What the tab holds now. Raises `SinkError` where genesis should not touch it."""
        place = _place(tracker)
        path = self._root / place.file
        data = aside.read_file(path)
        if data is None:
            return XlsxPresent(exists=False, fence=aside.fence_of(None), tab=place.tab)
        with _readable(path), paused_collector():
            return read_tracker(Book(data), tracker, place=place.tab, fence=aside.fence_of(data))

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes: all of them, or the file stays as it was. Raises `SinkError`."""
        if changes.is_empty and not tracker.touch:
            return changes.receipt(reads=1)
        place, present = _place(tracker), changes.present
        if not isinstance(present, XlsxPresent):
            raise TypeError("changes to a workbook start from what its sink read")
        path = self._root / place.file
        data = aside.read_file(path)
        if aside.fence_of(data) != present.fence:
            raise aside.changed(path)
        with _readable(path), paused_collector():
            book = Book.new(present.tab) if data is None else Book(data)
            write_changes(
                book,
                changes,
                present,
                place=place.tab,
                note=tracker.note,
                annotations=tracker.annotations,
            )
            new = book.save()
            _check_result(new, tracker, changes)
        aside.replace_file(path, new, fence=present.fence)
        return changes.receipt(reads=1, writes=1, size=len(new), fence=aside.fence_of(new))


def _place(tracker: Tracker) -> XlsxPlace:
    place = tracker.place.xlsx
    if place is None:
        raise TypeError(f"tracker {tracker.name} is not in a workbook")
    if not place.file.lower().endswith(".xlsx"):
        raise SinkError(
            Problem(
                "tracker-unwritable",
                f"`{place.file}` of tracker `{tracker.name}` is no .xlsx workbook",
                hint="save it as .xlsx, or use a `csv`, `parquet` or `duckdb` tracker",
            )
        )
    if not _TAB.fullmatch(place.tab):
        raise SinkError(
            Problem(
                "tracker-unwritable",
                f"tab `{place.tab}` of tracker `{tracker.name}` has a name that Excel does not take",
                hint=r"at most 31 characters, none of []:*?/\ and no ' at an end",
            )
        )
    return place


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (NotAWorkbook, ValueError) as error:  # of XML whose numbers are none
        raise SinkError(
            Problem(
                "tracker-unreadable",
                f"`{path.name}` cannot be read as a workbook: {error}; it is as it was",
                hint="open it in Excel, which may mend it, and save it without a password;"
                " or move it away, and the next refresh makes a new one",
            )
        ) from error


def _check_result(data: bytes, tracker: Tracker, changes: Changes) -> None:
    """Whether the new workbook holds what it should: it is read by those who did not write it."""
    found = read_tracker(Book(data), tracker, place=_place(tracker).tab, fence="")
    rows = result(changes)
    same_columns = [c.name for c in found.columns] == [c.name for c in changes.columns]
    same_rows = len(found.rows) == len(rows) and all(
        present.key == row.key and all(map(same, present.cells, row.cells))
        for present, row in zip(found.rows, rows, strict=True)
    )
    if not (same_columns and same_rows and _annotations(found) == _expected(changes)):
        raise SinkError(
            Problem(
                "tracker-unwritable",
                f"the new workbook of tracker `{tracker.name}` does not hold what was written;"
                " the old one is as it was",
                hint="this is a mistake in genesis: please report it with the workbook",
            )
        )


_Annotations = dict[str, dict[str, Cell]]


def _annotations(found: Present) -> _Annotations:
    """What people put beside each row; a formula moves along, and so it is another in each place."""
    names = [column.name for column in found.annotations]
    return {
        row.key: {
            name: Formula("") if isinstance(cell, Formula) else cell
            for name, cell in zip(names, row.annotations, strict=True)
            if cell is not None
        }
        for row in found.rows
    }


def _expected(changes: Changes) -> _Annotations:
    """What people will find beside each row: all that was there, and what is put back."""
    before = _annotations(replace(changes.present, rows=changes.rows))
    restored = changes.restored
    return {row.key: before.get(row.key, {}) | restored.get(row.key, {}) for row in result(changes)}
