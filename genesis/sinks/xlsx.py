"""Trackers that are tabs of Excel workbooks, edited in place by key.

A hidden column `_genesis` beside the managed ones holds each row's stamp and key; which columns are
managed, the workbook's properties say. Everything else on the tab belongs to people and goes along
with its row or column. The surprise: managed columns are found by their header, and where a person
renamed that, by their content, so that they may be renamed, moved and surrounded at will.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

from genesis.errors import Problem, SinkError
from genesis.sinks import aside
from genesis.sinks.workbook.book import Book, KeptColumn, place_in_sheet
from genesis.sinks.workbook.follow import follow
from genesis.sinks.workbook.note import set_note
from genesis.sinks.workbook.package import NotAWorkbook
from genesis.sinks.workbook.patterns import excel_pattern
from genesis.sinks.workbook.references import (
    COLUMNS,
    ROWS,
    Axis,
    References,
    area_of,
    bounds,
)
from genesis.sinks.workbook.tab import Tab, expand_shared
from genesis.sync.changes import (
    Cell,
    Changes,
    Formula,
    Insert,
    Present,
    PresentColumn,
    PresentRow,
    Receipt,
    Tracker,
    arrange,
    result,
)
from genesis.sync.compare import recognise
from genesis.sync.encode import key_of_cells, managed_columns
from genesis.sync.stamps import fingerprint, same, select, split, stamp_of, stamps

if TYPE_CHECKING:
    from genesis.compile.statement import Column
    from genesis.spec.types import Type
    from genesis.spec.workflow import XlsxPlace

MARK = "_genesis"
_KEY_CELL = re.compile(r"([A-Za-z0-9_-]+) (.+)", re.DOTALL)
_TITLE_ROWS = 100  # people put titles above a header, not novels


@dataclass(frozen=True, slots=True)
class XlsxPresent(Present):
    """What a tab holds now, and where its header and its keys are."""

    tab: str = ""
    header_row: int = 1
    key_column: int = 0


class XlsxSink:
    """Tabs of .xlsx workbooks below a project's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, tracker: Tracker) -> XlsxPresent:
        """What the tab holds now. Raises `SinkError` where it is not genesis's to keep."""
        place = _place(tracker)
        path = self._root / place.file
        _refuse_suffix(path)
        data = aside.read_file(path)
        if data is None:
            return XlsxPresent(exists=False, fence=aside.fence_of(None), tab=place.tab)
        with _readable(path):
            return _read(Book(data), tracker, fence=aside.fence_of(data))

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes, all of them or none. Raises `SinkError` and leaves the file as it was."""
        if changes.is_empty and not tracker.touch:
            return changes.receipt(reads=1)
        path = self._root / _place(tracker).file
        present = changes.present
        assert isinstance(present, XlsxPresent)
        data = aside.read_file(path)
        if aside.fence_of(data) != present.fence:
            raise aside.changed(path)
        with _readable(path):
            book = Book.new(present.tab) if data is None else Book(data)
            _write(book, tracker, changes, present)
            new = book.save()
            _verify(new, tracker, changes)
        aside.replace_file(path, new, fence=present.fence)
        return changes.receipt(reads=1, writes=1, size=len(new), fence=aside.fence_of(new))
