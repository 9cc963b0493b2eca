"""A spreadsheet as `spreadsheets.get` shows it, no more of it than was asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from genesis.testing.sheets import metadata
from genesis.testing.sheets.a1 import Area, Box
from genesis.testing.sheets.answers import Json
from genesis.testing.sheets.cells import SHOWN, described
from genesis.testing.sheets.grid import (
    Book,
    Calculator,
    Cell,
    Dimension,
    Line,
    Marked,
    Metadata,
    Tab,
)
from genesis.testing.sheets.masks import Mask, below, chosen
from genesis.testing.sheets.metadata import grid_range

Region = tuple[Tab, Area]
_SIZES = {"ROWS": 21, "COLUMNS": 100}


def spreadsheet(
    book: Book, url: str, user: str, *, regions: Sequence[Region] | None, grid: bool, mask: Mask
) -> Json:
    """The whole answer. With a mask, the mask alone says whether there is grid data.

    `regions` are the ranges that were asked for; only their tabs and what lies in them are shown.
    """
    tabs = (
        book.tabs if regions is None else [t for t in book.tabs if any(t is r for r, _ in regions)]
    )
    wanted = below(mask, "sheets", "data")
    if not mask and not grid:
        wanted = None
    result: Json = {
        "spreadsheetId": book.id,
        "properties": {
            "title": book.title,
            "locale": book.locale_name,
            "autoRecalc": "ON_CHANGE",
            "timeZone": book.time_zone,
            **book.about,
        },
        "sheets": [_sheet(book, tab, user) for tab in tabs],
        "spreadsheetUrl": url,
    }
    # A range whose cells were all deleted is not shown by Google either, though its name is taken.
    shown = {tab.id for tab in tabs}
    if names := [mark for mark in book.names.values() if mark.area and mark.tab in shown]:
        result["namedRanges"] = [named_range(mark) for mark in names]
    if pieces := [piece for piece in book.metadata.values() if piece.tab is None]:
        result["developerMetadata"] = [metadata.described(book, piece) for piece in pieces]
    answer = chosen(mask, result)
    if wanted is not None:
        for tab, sheet in zip(tabs, answer["sheets"], strict=True):
            areas = [area for owner, area in regions or [(tab, Area())] if owner is tab]
            sheet["data"] = _data(book, tab, areas, wanted)
    return answer


def _data(book: Book, tab: Tab, areas: list[Area], wanted: Mask) -> list[Json]:
    calculator = Calculator(tab)
    lines = _by_line([piece for piece in book.metadata.values() if piece.tab == tab.id])
    return [_grid_data(book, tab, tab.inside(area), calculator, lines, wanted) for area in areas]


def sheet_properties(book: Book, tab: Tab) -> Json:
    """A tab's properties."""
    grid: Json = {"rowCount": len(tab.rows), "columnCount": len(tab.columns)}
    for name, count in (("frozenRowCount", "ROWS"), ("frozenColumnCount", "COLUMNS")):
        if tab.frozen[count]:
            grid[name] = tab.frozen[count]
    about = dict(tab.about)
    if about.pop("hideGridlines", False):
        grid["hideGridlines"] = True
    return {
        "sheetId": tab.id,
        "title": tab.title,
        "index": book.tabs.index(tab),
        "sheetType": "GRID",
        "gridProperties": grid,
        **({"hidden": True} if tab.hidden else {}),
        **about,
    }


def _sheet(book: Book, tab: Tab, user: str) -> Json:
    result: Json = {"properties": sheet_properties(book, tab)}
    pieces = [piece for piece in book.metadata.values() if piece.tab == tab.id]
    if whole := [metadata.described(book, piece) for piece in pieces if piece.dimension is None]:
        result["developerMetadata"] = whole
    protections = [mark for mark in book.protections.values() if mark.tab == tab.id and mark.area]
    if protections:
        result["protectedRanges"] = [protected_range(mark, user) for mark in protections]
    if tab.rules:
        result["conditionalFormats"] = [
            rule.about | {"ranges": [grid_range(tab.id, area) for area in rule.areas]}
            for rule in tab.rules
        ]
    return result


_Lines = dict[tuple[Dimension | None, int | None], list[Metadata]]


def _by_line(pieces: list[Metadata]) -> _Lines:
    lines: _Lines = defaultdict(list)
    for piece in pieces:
        lines[piece.dimension, piece.line].append(piece)
    return lines


def _grid_data(
    book: Book, tab: Tab, area: Box, calculator: Calculator, lines: _Lines, wanted: Mask
) -> Json:
    result: Json = {}
    if area.top:
        result["startRow"] = area.top
    if area.left:
        result["startColumn"] = area.left
    for name, dimension, start, end in _edges(area):
        if below(wanted, name) is not None:
            shown = tab.lines(dimension)[start:end]
            result[name] = [_line(book, line, dimension, lines) for line in shown]
    result = chosen(wanted, result)
    if (cells := below(wanted, "rowData", "values")) is not None:
        result["rowData"] = _row_data(book, tab, area, calculator, cells)
    return result


def _edges(area: Box) -> tuple[tuple[str, Dimension, int, int], ...]:
    return (
        ("rowMetadata", "ROWS", area.top, area.bottom),
        ("columnMetadata", "COLUMNS", area.left, area.right),
    )


def _row_data(book: Book, tab: Tab, area: Box, calculator: Calculator, mask: Mask) -> list[Json]:
    names = SHOWN if not mask or "*" in mask else frozenset(mask)
    deep = any(mask.values())

    def shown(cell: Cell) -> Json:
        whole = described(book, calculator, cell, names)
        return chosen(mask, whole) if deep else whole

    rows: list[Json] = []
    last = 0
    across = [line.id for line in tab.columns[area.left : area.right]]
    for row in range(area.top, area.bottom):
        cells = tab.row_cells(row)
        end = max((at for at, id in enumerate(across, 1) if id in cells), default=0)
        values = [shown(cells[id]) if id in cells else {} for id in across[:end]]
        rows.append({"values": values} if values else {})
        if values:
            last = len(rows)
    return rows[:last]


def _line(book: Book, line: Line, dimension: Dimension, lines: _Lines) -> Json:
    result: Json = {"pixelSize": line.size or _SIZES[dimension]}
    if line.hidden:
        result["hiddenByUser"] = True
    if pieces := lines.get((dimension, line.id)):
        result["developerMetadata"] = [metadata.described(book, piece) for piece in pieces]
    return result


def named_range(mark: Marked) -> Json:
    """A named range as answers hold it."""
    return {"namedRangeId": mark.id, "name": mark.about["name"], "range": _range(mark)}


def _range(mark: Marked) -> Json:
    return grid_range(mark.tab, mark.area or Area())


def protected_range(mark: Marked, user: str) -> Json:
    """A protected range as answers hold it."""
    editors = mark.about.get("editors", {}).get("users", [])
    can_edit = bool(mark.about.get("warningOnly")) or not editors or user in editors
    about: Json = {"protectedRangeId": int(mark.id), "range": _range(mark)}
    return about | mark.about | {"requestingUserCanEdit": can_edit}
