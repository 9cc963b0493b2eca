"""People who work in a spreadsheet: they type, sort, colour, move and delete, through the same model.

Places are as people say them: `Orders!C2`, rows from 1, columns by their letter. What a person
cannot do (type against a strict drop-down, edit a cell that is protected from them) raises
`ApiError`, as every refusal of the emulator does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from genesis.testing.sheets.a1 import Area, column_index
from genesis.testing.sheets.answers import Json, bad
from genesis.testing.sheets.cells import as_typed, visible
from genesis.testing.sheets.discovery import api
from genesis.testing.sheets.grid import Book, Calculator, Cell, Tab
from genesis.testing.sheets.requests import Batch, apply_all, sort_rows

if TYPE_CHECKING:
    from genesis.testing.sheets.service import Service


class Person:
    """Somebody at the keyboard of one spreadsheet."""

    def __init__(self, service: Service, book: str, address: str) -> None:
        self._service, self._book, self._address = service, book, address

    def sees(self, place: str) -> str:
        """What is in a cell, as it is shown."""
        book = self._service.book(self._book)
        tab, area = book.find(place)
        cell = tab.at(area.top, area.left)
        return visible(book, cell, Calculator(tab).effective(cell.value))

    def sees_rows(self, tab: str) -> list[list[str]]:
        """All that a tab shows, row by row, hidden rows and columns left out."""
        book = self._service.book(self._book)
        found = _tab(book, tab)
        calculator = Calculator(found)
        columns = [at for at, line in enumerate(found.columns) if not line.hidden]
        rows = []
        for row, line in enumerate(found.rows):
            if not line.hidden:
                cells = [found.at(row, column) for column in columns]
                texts = [visible(book, c, calculator.effective(c.value)) for c in cells]
                rows.append(_trimmed(texts))
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def reads_note(self, place: str) -> str:
        """The note of a cell."""
        tab, area = self._service.book(self._book).find(place)
        return tab.at(area.top, area.left).note or ""

    def types(self, place: str, text: str) -> None:
        """Type into a cell: numbers, dates and formulas are recognised."""

        def edit(book: Book, cell: Cell, tab: Tab) -> Cell:
            changed = as_typed(book, tab, cell, text)
            _check_choice(cell, text)
            return changed

        self._edit(place, edit)

    def clears(self, place: str) -> None:
        """Empty cells; notes and colours stay."""
        self._edit(place, lambda _, cell, __: replace(cell, value=None))

    def notes(self, place: str, text: str) -> None:
        """Put a note on cells; an empty text takes it away."""
        self._edit(place, lambda _, cell, __: replace(cell, note=text or None))

    def colours(self, place: str, red: float, green: float, blue: float) -> None:
        """Fill cells with a colour, its parts from 0 to 1."""
        fill = {"backgroundColor": {"red": red, "green": green, "blue": blue}}
        self._edit(place, lambda _, cell, __: replace(cell, format=(cell.format or {}) | fill))

    def inserts_rows(self, tab: str, before: int, count: int = 1) -> None:
        """Insert empty rows before a row."""
        self._lines(tab, "insertDimension", "ROWS", before - 1, count)

    def deletes_rows(self, tab: str, first: int, count: int = 1) -> None:
        """Delete rows."""
        self._lines(tab, "deleteDimension", "ROWS", first - 1, count)

    def moves_rows(self, tab: str, first: int, count: int, before: int) -> None:
        """Drag rows to before another row, counted as they stand now."""
        self._moves(tab, "ROWS", first - 1, count, before - 1)

    def copies_row(self, tab: str, row: int, before: int) -> None:
        """Insert a copy of a row, with all that is on it, before another."""
        self.inserts_rows(tab, before)
        at = row if row < before else row + 1
        source, destination = (
            {"sheetId": self._tab_id(tab), "startRowIndex": line - 1, "endRowIndex": line}
            for line in (at, before)
        )
        self._request({"copyPaste": {"source": source, "destination": destination}})

    def hides_rows(self, tab: str, first: int, count: int = 1) -> None:
        """Hide rows."""
        self._hides(tab, "ROWS", first - 1, count, hidden=True)

    def shows_rows(self, tab: str, first: int, count: int = 1) -> None:
        """Show hidden rows."""
        self._hides(tab, "ROWS", first - 1, count, hidden=False)

    def inserts_columns(self, tab: str, before: str, count: int = 1) -> None:
        """Insert empty columns before a column."""
        self._lines(tab, "insertDimension", "COLUMNS", column_index(before), count)

    def deletes_columns(self, tab: str, first: str, count: int = 1) -> None:
        """Delete columns."""
        self._lines(tab, "deleteDimension", "COLUMNS", column_index(first), count)

    def moves_columns(self, tab: str, first: str, count: int, before: str) -> None:
        """Drag columns to before another column, named as they stand now."""
        self._moves(tab, "COLUMNS", column_index(first), count, column_index(before))

    def hides_columns(self, tab: str, first: str, count: int = 1) -> None:
        """Hide columns."""
        self._hides(tab, "COLUMNS", column_index(first), count, hidden=True)

    def shows_columns(self, tab: str, first: str, count: int = 1) -> None:
        """Show hidden columns."""
        self._hides(tab, "COLUMNS", column_index(first), count, hidden=False)

    def sorts(self, place: str, by: str, *, down: bool = False) -> None:
        """Sort a range by a column; `Orders!A2:F` sorts all but the header."""
        with self._service.change(self._book) as book:
            tab, area = book.find(place)
            self._batch(book).check_editable(tab, area)
            sort_rows(tab, tab.inside(area), [(column_index(by), down)])

    def renames_tab(self, tab: str, title: str) -> None:
        """Give a tab another name."""
        properties = {"sheetId": self._tab_id(tab), "title": title}
        self._request({"updateSheetProperties": {"properties": properties, "fields": "title"}})

    def adds_tab(self, title: str) -> None:
        """Add a tab at the end."""
        self._request({"addSheet": {"properties": {"title": title}}})

    def deletes_tab(self, tab: str) -> None:
        """Delete a tab."""
        self._request({"deleteSheet": {"sheetId": self._tab_id(tab)}})

    def protects(self, place: str) -> None:
        """Keep everybody else from editing a range."""
        tab, area = self._service.book(self._book).find(place)
        protected = {"range": _grid_range(tab, area), "editors": {"users": [self._address]}}
        self._request({"addProtectedRange": {"protectedRange": protected}})

    def _batch(self, book: Book) -> Batch:
        return Batch(book, api("sheets.v4"), self._address)

    def _edit(self, place: str, edit: Callable[[Book, Cell, Tab], Cell]) -> None:
        with self._service.change(self._book) as book:
            tab, area = book.find(place)
            self._batch(book).check_editable(tab, area)
            for row, column in tab.positions(area):
                tab.put(row, column, edit(book, tab.at(row, column), tab))

    def _request(self, request: Json) -> None:
        with self._service.change(self._book) as book:
            apply_all(self._batch(book), [request])

    def _tab_id(self, title: str) -> int:
        return _tab(self._service.book(self._book), title).id

    def _range(self, tab: str, dimension: str, start: int, count: int) -> Json:
        return {
            "sheetId": self._tab_id(tab),
            "dimension": dimension,
            "startIndex": start,
            "endIndex": start + count,
        }

    def _lines(self, tab: str, request: str, dimension: str, start: int, count: int) -> None:
        self._request({request: {"range": self._range(tab, dimension, start, count)}})

    def _moves(self, tab: str, dimension: str, start: int, count: int, before: int) -> None:
        source = self._range(tab, dimension, start, count)
        self._request({"moveDimension": {"source": source, "destinationIndex": before}})

    def _hides(self, tab: str, dimension: str, start: int, count: int, *, hidden: bool) -> None:
        request = {
            "range": self._range(tab, dimension, start, count),
            "properties": {"hiddenByUser": hidden},
            "fields": "hiddenByUser",
        }
        self._request({"updateDimensionProperties": request})


def _tab(book: Book, title: str) -> Tab:
    tab = book.titled(title)
    if tab is None:
        raise bad(f"There is no tab `{title}`.")
    return tab


def _trimmed(texts: list[str]) -> list[str]:
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _check_choice(cell: Cell, text: str) -> None:
    rule = cell.validation or {}
    condition = rule.get("condition", {})
    if not rule.get("strict") or condition.get("type") != "ONE_OF_LIST" or not text:
        return
    choices = [value.get("userEnteredValue") for value in condition.get("values", [])]
    if text not in choices:
        raise bad(f"The cell accepts only {', '.join(map(str, choices))}.")


def _grid_range(tab: Tab, area: Area) -> Json:
    from genesis.testing.sheets.metadata import grid_range

    return grid_range(tab.id, area)
