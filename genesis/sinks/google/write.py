"""Requests to Google: who wrote last, what stands there afterwards, and large first loads.

Every batch takes the fence of the last one down and puts up its own, and happens wholly or not at
all: of two writers one wins, and a lost answer is told by whose fence stands. The surprise: a first
load that is too large for one call is written into a hidden tab, and shown at once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genesis.errors import Problem, SinkBusy
from genesis.sinks.google.cells import Json, Raw
from genesis.sinks.google.plan import Layout, Step
from genesis.sinks.google.present import (
    FENCE,
    KEY_HEADER,
    OUTLINE,
    STAGING,
    SheetsPresent,
    key_of_stamp,
    size_of,
)
from genesis.sinks.google.refusals import Refusal
from genesis.sinks.google.service import Connection
from genesis.sync.changes import Tracker

# What is read back: as much as comes along without weight.
_CHECKED_RANGES, _CHECKED_CELLS = 200, 20_000


@dataclass
class Writer:
    """Writes to one tab, one batch after another."""

    connection: Connection
    tracker: Tracker
    present: SheetsPresent
    layout: Layout
    run: str
    differing: int = 0
    shifted: list[str] = field(default_factory=list)
    missing: Sequence[str] = ()
    _fences: list[str] = field(default_factory=list)
    _name: str = ""
    _count: int = 0

    def __post_init__(self) -> None:
        self._fences = self.present.fence.split()

    @property
    def fence(self) -> str:
        """The fence that stands."""
        return " ".join(self._fences)

    def send(
        self, requests: Step, *, opening: int = 0, expected: frozenset[str] = frozenset()
    ) -> None:
        """Make a batch of requests. Raises `tracker-changed` where another writer was first.

        The first `opening` of them make the tab; `expected` are keys that should be there then.
        """
        self._count += 1
        self._name = f"{FENCE}{self.layout.sheet}_{self.run}_{self._count}"
        new = f"{FENCE}{self.layout.sheet}_{self._generation + 1}"
        place = opening if self.present.sheet is None else 0
        fenced = [*requests[:place], *self._fence_requests(new), *requests[place:]]
        self._write(fenced, expected)
        self._fences = [new]

    @property
    def _generation(self) -> int:
        numbers = [fence.rpartition("_")[2] for fence in self._fences]
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _fence_requests(self, new: str) -> Iterator[Json]:
        for old in self._fences:
            yield {"deleteNamedRange": {"namedRangeId": old}}
        # All of the tab: there is always some of it, whatever people delete.
        named = {"namedRangeId": new, "name": self._name, "range": {"sheetId": self.layout.sheet}}
        yield {"addNamedRange": {"namedRange": named}}

    def _write(self, requests: Step, expected: frozenset[str]) -> None:
        checked = _checked(requests, self.layout)
        ranges = [one.a1(self.layout.title) for one in checked]
        beside = [one for one in checked if one.has(self.layout.stamp, without=self.layout.key)]
        keys_from = min((one.row for one in beside), default=0)
        keys_to = max((one.row + len(one.rows) for one in beside), default=0)
        if 0 < keys_to - keys_from <= _CHECKED_CELLS:
            ranges.append(_column(self.layout.title, self.layout.key, keys_from, keys_to))
        else:
            beside = []
        if expected:
            ranges.append(_column(self.layout.title, self.layout.key))
        body: Json = {"requests": requests}
        fields = "spreadsheetId"
        if ranges:
            body |= {
                "includeSpreadsheetInResponse": True,
                "responseIncludeGridData": True,
                "responseRanges": ranges,
            }
            fields = "updatedSpreadsheet.sheets.data(startRow,startColumn,rowData.values.userEnteredValue)"
        try:
            reply = self.connection.write(body, has_landed=self._has_landed, fields=fields)
        except Refusal as refusal:
            if refusal.status == 400 and self._was_overtaken():
                raise _changed(self.tracker) from refusal
            raise
        if ranges and reply is not None:
            found = _read_back(reply)
            self.differing += _differing(checked, found)
            keys_there = found.get((keys_from, self.layout.key), ())
            self.shifted += _shifted(beside, keys_there, keys_from, self.layout.stamp)
            keys = _texts(found.get((0, self.layout.key), ()))
            if KEY_HEADER in keys:  # or people moved the column, too
                self.missing = sorted(expected - keys)

    def _state(self) -> Json:
        return self.connection.get(fields=OUTLINE)

    def _has_landed(self) -> bool:
        names = self._state().get("namedRanges") or ()
        return any(name.get("name") == self._name for name in names)

    def _was_overtaken(self) -> bool:
        """Whether the tab is not what it was when it was read: by its fence, its name, its size."""
        state = self._state()
        start = f"{FENCE}{self.layout.sheet}_"
        ids = {name["namedRangeId"] for name in state.get("namedRanges") or ()}
        tabs = {one["properties"].get("sheetId", 0): one for one in state["sheets"]}
        if {name for name in ids if name.startswith(start)} != set(self._fences):
            return True
        if self.present.sheet is None:
            titles = (tab["properties"]["title"].casefold() for tab in tabs.values())
            return self.layout.title.casefold() in titles
        tab = tabs.get(self.present.sheet)
        is_same = tab is not None and tab["properties"]["title"] == self.layout.title
        is_first = self._count == 1
        return not is_same or (is_first and tab is not None and size_of(tab) != self.present.size)

    # ---- a first load in many calls

    def stage(
        self, rows: Iterator[dict[int, Raw]], *, payload: int, new_id: int, height: int
    ) -> None:
        """Write rows into a hidden tab."""
        title = f"{STAGING} {self.run}"
        grid = {"rowCount": max(height, 1), "columnCount": self.layout.width}
        properties = {"sheetId": new_id, "title": title, "hidden": True, "gridProperties": grid}
        requests: Step = [{"deleteSheet": {"sheetId": sheet}} for sheet in self.present.leftovers]
        requests.append({"addSheet": {"properties": properties}})

        def is_there() -> bool:
            sheets = self._state()["sheets"]
            return any(sheet["properties"]["title"] == title for sheet in sheets)

        self.connection.write({"requests": requests}, has_landed=is_there, fields="spreadsheetId")
        first = 1
        for chunk in _chunks(rows, self.layout.width, payload):
            self.connection.put_values(f"'{title}'!A{first}", chunk)
            first += len(chunk)


def show_staged(layout: Layout, staging: int, height: int) -> Step:
    """The staged rows, put where they belong; the hidden tab goes."""

    def area(sheet: int, start: int) -> Json:
        return {
            "sheetId": sheet,
            "startRowIndex": start,
            "endRowIndex": start + height,
            "startColumnIndex": 0,
            "endColumnIndex": layout.width,
        }

    source, destination = area(staging, 0), area(layout.sheet, layout.header_row + 1)
    paste = {"source": source, "destination": destination, "pasteType": "PASTE_VALUES"}
    return [{"copyPaste": paste}, {"deleteSheet": {"sheetId": staging}}]


def _chunks(rows: Iterator[dict[int, Raw]], width: int, payload: int) -> Iterator[list[list[Raw]]]:
    chunk: list[list[Raw]] = []
    size = 0
    for row in rows:
        values = [row.get(at) for at in range(width)]
        length = len(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if chunk and size + length > payload:
            yield chunk
            chunk, size = [], 0
        chunk.append(values)
        size += length
    if chunk:
        yield chunk


def _changed(tracker: Tracker) -> SinkBusy:
    message = f"tracker `{tracker.name}` changed while it was being refreshed; it is as it was"
    hint = "the next refresh starts from what is there now"
    return SinkBusy(Problem("tracker-changed", message, hint=hint))


# ---- what stands there afterwards


@dataclass(frozen=True, slots=True)
class _Block:
    """Cells that a batch wrote."""

    row: int
    column: int
    rows: Sequence[Sequence[Json]]

    @property
    def width(self) -> int:
        return max(map(len, self.rows))

    def a1(self, title: str) -> str:
        end = f"{_letters(self.column + self.width - 1)}{self.row + len(self.rows)}"
        return f"{_quoted(title)}!{_letters(self.column)}{self.row + 1}:{end}"

    def has(self, column: int, *, without: int) -> bool:
        """Whether it has the one column, and not the other."""
        columns = range(self.column, self.column + self.width)
        return column in columns and without not in columns


def _column(title: str, column: int, start: int | None = None, end: int = 0) -> str:
    letters = _letters(column)
    first, last = ("", "") if start is None else (start + 1, end)
    return f"{_quoted(title)}!{letters}{first}:{letters}{last}"


def _quoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


def _letters(column: int) -> str:
    text, number = "", column + 1
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(65 + letter) + text
    return text


def _checked(requests: Step, layout: Layout) -> list[_Block]:
    """The cells to read back; none where they are too many."""
    blocks = []
    for request in requests:
        update = request.get("updateCells")
        if update and update["fields"] == "userEnteredValue":
            start = update["start"]
            if start["sheetId"] == layout.sheet:
                rows = [row["values"] for row in update["rows"]]
                blocks.append(_Block(start["rowIndex"], start["columnIndex"], rows))
    cells = sum(block.width * len(block.rows) for block in blocks)
    return blocks if len(blocks) <= _CHECKED_RANGES and cells <= _CHECKED_CELLS else []


_Rows = Sequence[Json]


def _read_back(reply: Json) -> dict[tuple[int, int], _Rows]:
    """The rows of each range, by its first cell."""
    return {
        (data.get("startRow", 0), data.get("startColumn", 0)): data.get("rowData") or ()
        for sheet in reply.get("updatedSpreadsheet", {}).get("sheets") or ()
        for data in sheet.get("data") or ()
    }


def _differing(blocks: Sequence[_Block], found: Mapping[tuple[int, int], _Rows]) -> int:
    """How many cells do not hold what was written into them."""
    count = 0
    for block in blocks:
        rows = found.get((block.row, block.column), ())
        for wanted, row in itertools.zip_longest(block.rows, rows):
            cells = (row or {}).get("values") or ()
            for one, other in itertools.zip_longest(wanted or (), cells):
                count += _value(one) != _value(other)
    return count


def _shifted(blocks: Sequence[_Block], keys: _Rows, start: int, stamp: int) -> Iterator[str]:
    """The keys of stamps that got beside another row's key; `keys` were read from row `start` on."""
    for block in blocks:
        for number, row in enumerate(block.rows, block.row - start):
            written = _value(row[stamp - block.column])
            cells = (keys[number] if number < len(keys) else {}).get("values") or [None]
            there = _value(cells[0])
            key = key_of_stamp(written[1]) if written else ""
            if key and (there is None or str(there[1]) != key):
                yield key


def _texts(rows: _Rows) -> set[str]:
    cells = ((row.get("values") or [{}])[0] for row in rows)
    return {cell.get("userEnteredValue", {}).get("stringValue", "") for cell in cells}


def _value(cell: Json | None) -> Any:
    entered = (cell or {}).get("userEnteredValue") or {}
    return next(iter(entered.items()), None)
