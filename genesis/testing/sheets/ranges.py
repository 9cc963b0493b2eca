"""`spreadsheets.values.*`: plain values of ranges, as most clients read and write them.

The surprise is Google's own: `append` guesses where a table ends. Here the guess is the block of
cells with values that hangs together with the range's first cell or with its last one that has a
value; Google's own rule is not published.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from genesis.testing.sheets.a1 import Area, Box, a1
from genesis.testing.sheets.answers import Json, bad
from genesis.testing.sheets.cells import as_typed, raw, rendered
from genesis.testing.sheets.grid import Book, Calculator, Tab
from genesis.testing.sheets.requests import Batch, insert_dimension


@dataclass(frozen=True, slots=True)
class Reading:
    """How values are wanted: Google's render options and the major dimension."""

    how: str = "FORMATTED_VALUE"
    dates: str = "SERIAL_NUMBER"
    major: str = "ROWS"


def reading(given: Json, prefix: str = "") -> Reading:
    """The options that a call names; in answers to writes their names start with `response`."""

    def option(name: str, default: str) -> str:
        value = given.get(prefix + name[:1].upper() + name[1:] if prefix else name)
        return default if value in (None, "DIMENSION_UNSPECIFIED") else str(value)

    return Reading(
        option("valueRenderOption", "FORMATTED_VALUE"),
        option("dateTimeRenderOption", "SERIAL_NUMBER"),
        option("majorDimension", "ROWS") if not prefix else "ROWS",
    )


def read(book: Book, tab: Tab, area: Area, options: Reading) -> Json:
    """A ValueRange, without the empty cells and rows at its ends."""
    box = tab.inside(area)
    values = grid_values(book, tab, box, options)
    if options.major == "COLUMNS":
        width = max(map(len, values), default=0)
        padded = [row + [""] * (width - len(row)) for row in values]
        values = [_trimmed(list(column)) for column in zip(*padded, strict=True)]
    result: Json = {"range": a1(tab.title, box), "majorDimension": options.major}
    return result | ({"values": values} if values else {})


def grid_values(book: Book, tab: Tab, area: Box, options: Reading) -> list[list[Any]]:
    """The values of an area, row by row, trimmed at the right and at the bottom."""
    calculator = Calculator(tab)
    across = [line.id for line in tab.columns[area.left : area.right]]
    rows: list[list[Any]] = []
    last = 0
    for row in range(area.top, area.bottom):
        cells = tab.row_cells(row)
        values = [
            rendered(book, calculator, cells[id], options.how, options.dates) if id in cells else ""
            for id in across
        ]
        rows.append(_trimmed(values))
        if rows[-1]:
            last = len(rows)
    return rows[:last]


def _trimmed(values: list[Any]) -> list[Any]:
    while values and values[-1] == "":
        values.pop()
    return values


def write(batch: Batch, text: str, given: Json, options: Json) -> Json:
    """Set values from a range's first cell on. A null leaves a cell alone, an empty text clears it."""
    tab, area = batch.book.find(text)
    return write_at(batch, tab, area, text, given, options)


def write_at(batch: Batch, tab: Tab, area: Area, text: str, given: Json, options: Json) -> Json:
    """As `write`, the range found already."""
    how = options.get("valueInputOption")
    if how not in ("RAW", "USER_ENTERED"):
        raise bad("'valueInputOption' is required but not specified")
    rows = _rows(given)
    tab.inside(area)
    height, width = len(rows), max(map(len, rows), default=0)
    _check_fits(tab, area, height, width, text)
    written = Box(area.top, area.left, area.top + height, area.left + width)
    batch.check_editable(tab, written)
    count = 0
    for row, values in enumerate(rows, area.top):
        for column, value in enumerate(values, area.left):
            if value is not None:
                count += 1
                _set(batch.book, tab, row, column, value, how)
    return _written(batch.book, tab, written, count, options)


def _rows(given: Json) -> list[list[Any]]:
    rows = given.get("values", [])
    for at, row in enumerate(rows):
        if not isinstance(row, list) or any(isinstance(value, (list, dict)) for value in row):
            raise bad(f"Invalid values[{at}]: a row is a list of numbers, texts and booleans.")
    if given.get("majorDimension") != "COLUMNS":
        return rows  # type: ignore[no-any-return]
    height = max(map(len, rows), default=0)
    return [[c[at] if at < len(c) else None for c in rows] for at in range(height)]


def _check_fits(tab: Tab, area: Area, height: int, width: int, text: str) -> None:
    single = area.bottom == area.top + 1 and area.right == area.left + 1
    limit = tab.size if single else area.within(len(tab.rows), len(tab.columns))
    message = f"Requested writing within range [{text}], but tried writing to "
    if area.top + height > (limit.bottom):
        raise bad(f"{message}row [{(limit.bottom) + 1}]")
    if area.left + width > (limit.right):
        letters = a1("A", Area(0, limit.right)).removeprefix("A!").rstrip("1")
        raise bad(f"{message}column [{letters}]")


def _set(book: Book, tab: Tab, row: int, column: int, value: Any, how: str) -> None:
    cell = tab.at(row, column)
    if how == "USER_ENTERED" and isinstance(value, str):
        tab.put(row, column, as_typed(book, tab, cell, value))
    else:
        tab.put(row, column, cell.holding(raw(book, value)))


def _written(book: Book, tab: Tab, area: Box, count: int, options: Json) -> Json:
    height, width = area.height, area.width
    empty = not (height and width)
    text = a1(tab.title, replace(area, bottom=area.top + 1, right=area.left + 1) if empty else area)
    result: Json = {"spreadsheetId": book.id, "updatedRange": text}
    if count:
        result |= {"updatedRows": height, "updatedColumns": width, "updatedCells": count}
    if options.get("includeValuesInResponse") and not empty:
        result["updatedData"] = read(book, tab, area, reading(options, "response"))
    return result


def clear(batch: Batch, text: str) -> str:
    """Take the values out of a range; notes and formats stay. Returns the range that was cleared."""
    tab, area = batch.book.find(text)
    area = tab.inside(area)
    batch.check_editable(tab, area)
    for row, column in tab.positions(area):
        cell = tab.at(row, column)
        if cell.value is not None:
            tab.put(row, column, replace(cell, value=None))
    return a1(tab.title, area)


def append(batch: Batch, text: str, given: Json, options: Json) -> Json:
    """Write below the table that the range touches, and make room for it."""
    tab, area = batch.book.find(text)
    table = _table(tab, tab.inside(area))
    top, left = (table.bottom, table.left) if table else (area.top, area.left)
    rows = _rows(given)
    width = max(map(len, rows), default=0)
    tab.columns += tab.new_lines(max(0, left + width - len(tab.columns)))
    _make_room(batch, tab, top, len(rows), insert=options.get("insertDataOption") == "INSERT_ROWS")
    batch.book.check_size()
    target = Area(top, left, top + max(len(rows), 1), left + max(width, 1))
    result: Json = {"spreadsheetId": batch.book.id}
    if table:
        result["tableRange"] = a1(tab.title, table)
    return result | {"updates": write_at(batch, tab, target, text, given, options)}


def _make_room(batch: Batch, tab: Tab, top: int, count: int, *, insert: bool) -> None:
    if insert and top < len(tab.rows):
        rows = {"sheetId": tab.id, "dimension": "ROWS", "startIndex": top, "endIndex": top + count}
        insert_dimension(batch, {"range": rows, "inheritFromBefore": top > 0})
    tab.rows += tab.new_lines(max(0, top + count - len(tab.rows)))


def _table(tab: Tab, area: Box) -> Box | None:
    """The block of filled cells round the last filled cell of a range."""
    filled = [place for place in tab.positions(area) if tab.at(*place).value is not None]
    if not filled:
        return None
    top, left = filled[-1]
    block = Box(top, left, top + 1, left + 1)
    while True:
        wider = Box(
            max(block.top - 1, 0), max(block.left - 1, 0), block.bottom + 1, block.right + 1
        ).within(len(tab.rows), len(tab.columns))
        grown = block
        for row, column in tab.positions(wider):
            if tab.at(row, column).value is not None:
                grown = _including(grown, row, column)
        if grown == block:
            return block
        block = grown


def _including(area: Box, row: int, column: int) -> Box:
    return Box(
        min(area.top, row),
        min(area.left, column),
        max(area.bottom, row + 1),
        max(area.right, column + 1),
    )
