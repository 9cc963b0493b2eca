"""The requests of `spreadsheets.batchUpdate`, one function each.

Each changes the copy of a spreadsheet that it is handed; when one of them raises, the caller throws
the copy away, and so a batch happens wholly or not at all. What is not in `REQUESTS` is refused.
Known to differ from Google: an area that a `moveDimension` cuts through follows by the rule of
`grid.carried`; an inserted row takes formats and validations of its neighbour but is never hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from genesis.testing.sheets import metadata
from genesis.testing.sheets.a1 import Area, Box
from genesis.testing.sheets.answers import ApiError, Json, bad, unimplemented
from genesis.testing.sheets.cells import changed, check_cell_mask
from genesis.testing.sheets.discovery import Api
from genesis.testing.sheets.formulas import Error, Formula, Plain
from genesis.testing.sheets.grid import (
    Book,
    Calculator,
    Cell,
    Dimension,
    Line,
    Marked,
    Rule,
    Tab,
    carried,
    deleted,
    inserted,
    too_many_cells,
)
from genesis.testing.sheets.masks import Mask, all_of, camel, parse_mask, put
from genesis.testing.sheets.metadata import area_of, dimension_of, grid_range
from genesis.testing.sheets.render import named_range, protected_range, sheet_properties
from genesis.testing.sheets.values import LOCALES


@dataclass(frozen=True, slots=True)
class Batch:
    """What a request needs beside its own body: the copy to change, Google's schemas, who asks."""

    book: Book
    api: Api
    user: str

    def mask(self, schema: str, given: Json) -> Mask:
        """The field mask of a request. Raises `ApiError` where it is missing or names no field."""
        if not given.get("fields"):
            raise bad(
                "At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)"
            )
        mask = parse_mask(given["fields"])
        if stray := self.api.check_mask(schema, mask):
            raise bad(f"Invalid field: {stray}")
        return mask

    def area(self, given: Json | None) -> tuple[Tab, Area]:
        """The tab and the area of a GridRange."""
        if given is None:
            raise bad("No range specified.")
        area = area_of(given)
        if area.top < 0 or area.left < 0 or _reversed(area):
            raise bad("The range is invalid: its start is after its end.")
        return self.book.tab(given.get("sheetId", 0)), area

    def check_editable(self, tab: Tab, area: Area) -> None:
        """Raises `ApiError` where somebody protected cells from this user; warnings do not count."""
        for protection in self.book.protections.values():
            editors = protection.about.get("editors", {}).get("users", [])
            warns = protection.about.get("warningOnly") or self.user in editors or not editors
            if not warns and protection.tab == tab.id and (protection.area or Area()).touches(area):
                raise bad(
                    "You are trying to edit a protected cell or object. Please contact the "
                    "spreadsheet owner to remove protection if you need to edit."
                )


def _reversed(area: Area) -> bool:
    return (area.bottom is not None and area.bottom < area.top) or (
        area.right is not None and area.right < area.left
    )


Request = Callable[[Batch, Json], Json]


def apply_all(batch: Batch, requests: list[Json]) -> list[Json]:
    """The replies of a batch. Raises `ApiError` naming the first request that is wrong."""
    kinds = [_kind(request, at) for at, request in enumerate(requests)]
    replies = []
    for at, (kind, request) in enumerate(zip(kinds, requests, strict=True)):
        try:
            replies.append(REQUESTS[kind](batch, request[kind]))
            batch.book.check_size()
        except ApiError as error:
            message = f"Invalid requests[{at}].{kind}: {error.message}"
            raise ApiError(error.code, message, *error.details) from error
    return replies


def _kind(request: Json, at: int) -> str:
    if len(request) != 1:
        message = "Must have exactly one kind of request" if request else "No request set"
        raise bad(f"Invalid requests[{at}]: {message}.")
    (kind,) = request
    if kind not in REQUESTS:
        raise unimplemented(f"the request `{kind}` (requests[{at}])")
    return kind


# Tabs


def add_sheet(batch: Batch, given: Json) -> Json:
    """A new tab, at the end or at its index."""
    book, properties = batch.book, given.get("properties") or {}
    if properties.get("sheetType", "GRID") != "GRID":
        raise unimplemented("a tab that is no grid")
    id = properties["sheetId"] if "sheetId" in properties else book.new_id()
    if id < 0:
        raise bad("Sheet id must be non-negative.")
    if any(tab.id == id for tab in book.tabs):
        raise bad(f"Sheet with id {id} already exists.")
    title = properties.get("title") or _free_title(book)
    _check_title(book, title)
    size = properties.get("gridProperties", {})
    rows, columns = size.get("rowCount", 1000), size.get("columnCount", 26)
    if rows < 1 or columns < 1:
        raise bad("A sheet must have at least one row and one column.")
    _check_room(book, rows * columns)
    tab = Tab(id, title, rows, columns)
    index = min(properties.get("index", len(book.tabs)), len(book.tabs))
    book.tabs.insert(index, tab)
    rest = {
        name: value
        for name, value in properties.items()
        if name not in ("sheetId", "title", "index", "sheetType")
    }
    _set_properties(batch, tab, rest, all_of(rest))
    return {"addSheet": {"properties": sheet_properties(book, tab)}}


def _free_title(book: Book) -> str:
    number = len(book.tabs) + 1
    while book.titled(f"Sheet{number}"):
        number += 1
    return f"Sheet{number}"


def _check_title(book: Book, title: str, tab: Tab | None = None) -> None:
    if len(title) > 100:
        raise bad("The sheet name cannot be greater than 100 characters.")
    if not title:
        raise bad("You can't have an empty sheet name.")
    if book.titled(title) not in (None, tab):
        raise bad(f'A sheet with the name "{title}" already exists. Please enter another name.')


def duplicate_sheet(batch: Batch, given: Json) -> Json:
    """A tab like another one, without its metadata and named ranges."""
    book = batch.book
    source = book.tab(given.get("sourceSheetId", 0))
    title = given.get("newSheetName") or f"Copy of {source.title}"
    _check_title(book, title)
    id = given.get("newSheetId") or book.new_id()
    if any(tab.id == id for tab in book.tabs):
        raise bad(f"Sheet with id {id} already exists.")
    tab = source.duplicate(id, title)
    book.tabs.insert(given.get("insertSheetIndex", 0), tab)
    return {"duplicateSheet": {"properties": sheet_properties(book, tab)}}


def delete_sheet(batch: Batch, given: Json) -> Json:
    """A tab goes, with all that was said of it."""
    book, tab = batch.book, batch.book.tab(given.get("sheetId", 0))
    batch.check_editable(tab, Area())
    if all(other.hidden for other in book.tabs if other is not tab):
        raise bad("You can't remove all the visible sheets in a document.")
    book.tabs.remove(tab)
    book.forget(tab, None, None)
    for marks in (book.names, book.protections):
        for mark in [mark for mark in marks.values() if mark.tab == tab.id]:
            del marks[mark.id]
    return {}


def update_sheet_properties(batch: Batch, given: Json) -> Json:
    """Title, place, size, frozen rows and the like."""
    properties = given.get("properties") or {}
    mask = batch.mask("SheetProperties", given)
    tab = batch.book.tab(properties.get("sheetId", 0))
    if "*" in mask:
        mask = {name: {} for name in properties if name not in ("sheetId", "sheetType")}
    _set_properties(batch, tab, properties, mask)
    return {}


def _set_properties(batch: Batch, tab: Tab, properties: Json, mask: Mask) -> None:
    book = batch.book
    for name, deeper in mask.items():
        match name:
            case "title":
                _check_title(book, properties.get("title", ""), tab)
                tab.title = properties["title"]
            case "index":
                _move_tab(book, tab, properties.get("index", 0))
            case "hidden":
                tab.hidden = properties.get("hidden", False)
                if all(other.hidden for other in book.tabs):
                    raise bad("You can't hide all the sheets in a document.")
            case "gridProperties":
                grid = properties.get("gridProperties") or {}
                # A whole `gridProperties` resets what it lacks, rowCount too: a known trap.
                names = deeper or all_of({"rowCount", "columnCount", *grid})
                _set_grid(batch, tab, grid, names)
            case "tabColor" | "tabColorStyle" | "rightToLeft":
                tab.about = put({name: deeper}, tab.about, properties) or {}
            case _:
                raise unimplemented(f"`{name}` of a sheet")


def _move_tab(book: Book, tab: Tab, index: int) -> None:
    here = book.tabs.index(tab)
    if not 0 <= index <= len(book.tabs):
        raise bad(f"The index {index} is outside the list of sheets.")
    if index not in (here, here + 1):
        book.tabs.remove(tab)
        book.tabs.insert(index - 1 if index > here else index, tab)


def _set_grid(batch: Batch, tab: Tab, grid: Json, mask: Mask) -> None:
    for name in mask:
        match name:
            case "rowCount":
                _resize(batch, tab, "ROWS", grid.get(name, 0))
            case "columnCount":
                _resize(batch, tab, "COLUMNS", grid.get(name, 0))
            case "frozenRowCount":
                _freeze(tab, "ROWS", grid.get(name, 0))
            case "frozenColumnCount":
                _freeze(tab, "COLUMNS", grid.get(name, 0))
            case "hideGridlines" | "rowGroupControlAfter" | "columnGroupControlAfter":
                tab.about = tab.about | {name: grid.get(name, False)}
            case _:
                raise unimplemented(f"`gridProperties.{name}`")


def _freeze(tab: Tab, dimension: Dimension, count: int) -> None:
    if not 0 <= count < len(tab.lines(dimension)):
        raise bad(f"You can't freeze all visible {dimension.lower()} on the sheet.")
    tab.frozen[dimension] = count


def _resize(batch: Batch, tab: Tab, dimension: Dimension, count: int) -> None:
    lines = tab.lines(dimension)
    if count < len(lines):
        _delete(batch, tab, dimension, max(count, 0), len(lines))
    else:
        lines += _grow(batch.book, tab, dimension, count - len(lines))


def _grow(
    book: Book, tab: Tab, dimension: Dimension, count: int, like: Line | None = None
) -> list[Line]:
    other = tab.columns if dimension == "ROWS" else tab.rows
    _check_room(book, count * len(other))
    return tab.new_lines(count, like)


def _check_room(book: Book, cells: int) -> None:
    """Before they are made: a million rows too many need not be made first to be refused."""
    if cells > book.limits.cells:
        raise too_many_cells(book.limits)


def update_spreadsheet_properties(batch: Batch, given: Json) -> Json:
    """Title, locale, time zone."""
    properties = given.get("properties") or {}
    set_book_properties(batch.book, properties, batch.mask("SpreadsheetProperties", given))
    return {}


def set_book_properties(book: Book, properties: Json, mask: Mask) -> None:
    """What `updateSpreadsheetProperties` and `spreadsheets.create` may say of a spreadsheet."""
    from zoneinfo import ZoneInfo

    if "*" in mask:
        mask = all_of(properties)
    for name in mask:
        value = properties.get(name)
        match name:
            case "title":
                book.title = value or "Untitled spreadsheet"
            case "locale":
                if value not in LOCALES:
                    raise unimplemented(f"the locale `{value}`")
                book.locale_name = value
            case "timeZone":
                try:
                    book.time_zone = ZoneInfo(value or "").key
                except (ValueError, KeyError, OSError):
                    raise bad(f"Invalid time zone: {value}") from None
            case "autoRecalc":
                book.about = book.about | {name: value}
            case _:
                raise unimplemented(f"`{name}` of a spreadsheet")


# Rows and columns


def append_dimension(batch: Batch, given: Json) -> Json:
    """Rows at the bottom or columns at the right."""
    tab = batch.book.tab(given.get("sheetId", 0))
    length = given.get("length", 0)
    if length < 1:
        raise bad("The length must be greater than 0.")
    dimension = dimension_of(given)
    new = _grow(batch.book, tab, dimension, length)
    tab.lines(dimension).extend(new)
    return {}


def insert_dimension(batch: Batch, given: Json) -> Json:
    """Rows or columns in between; they take the looks of the one before or after them."""
    tab, dimension, start, end = _span(batch, given.get("range"), bounded=True)
    before = given.get("inheritFromBefore", False)
    lines = tab.lines(dimension)
    if start > len(lines):
        raise bad(f"range.startIndex is larger than current grid size ({len(lines)})")
    if before and start == 0:
        raise bad("range.startIndex must be greater than 0 if inheritFromBefore is true.")
    if start == len(lines) and not before:
        raise bad(
            f"range.startIndex must be less than the grid size ({len(lines)}) if "
            "inheritFromBefore is false."
        )
    model = start - 1 if before else start
    new = _grow(batch.book, tab, dimension, end - start, like=lines[model])
    looks = _looks(tab, dimension, model)
    lines[start:start] = new
    for row, column, cell in _spread(dimension, range(start, end), looks):
        tab.put(row, column, cell)
    if start < tab.frozen[dimension]:
        tab.frozen[dimension] += end - start
    batch.book.shift(tab, dimension, inserted(start, end - start))
    return {}


def _looks(tab: Tab, dimension: Dimension, at: int) -> list[tuple[int, Cell]]:
    if dimension == "ROWS":
        cells = [(column, tab.at(at, column)) for column in range(len(tab.columns))]
    else:
        cells = [(row, tab.at(row, at)) for row in range(len(tab.rows))]
    looks = [(other, replace(cell, value=None, note=None)) for other, cell in cells]
    return [(other, cell) for other, cell in looks if not cell.is_empty]


def _spread(
    dimension: Dimension, places: Iterable[int], looks: list[tuple[int, Cell]]
) -> Iterable[tuple[int, int, Cell]]:
    for place in places:
        for other, cell in looks:
            yield (place, other, cell) if dimension == "ROWS" else (other, place, cell)


def delete_dimension(batch: Batch, given: Json) -> Json:
    """Rows or columns go, with their cells and metadata."""
    tab, dimension, start, end = _span(batch, given.get("range"))
    _delete(batch, tab, dimension, start, end)
    return {}


def _delete(batch: Batch, tab: Tab, dimension: Dimension, start: int, end: int) -> None:
    lines, one = tab.lines(dimension), dimension.lower()[:-1]
    if start >= len(lines) or end > len(lines):
        index = max(start, len(lines))
        raise bad(
            f"Cannot delete a {one} that doesn't exist. Tried to delete {one} index {index} but "
            f"there are only {len(lines)} {one}s."
        )
    if end - start == len(lines):
        raise bad(f"You can't delete all the {one}s on the sheet.")
    if start <= tab.frozen[dimension] and end == len(lines):
        raise bad(f"You can't delete all non-frozen {one}s on the sheet.")
    batch.check_editable(tab, _lines_area(dimension, start, end))
    gone = lines[start:end]
    del lines[start:end]
    if dimension == "ROWS":
        for line in gone:
            tab.forget_row(line)
    batch.book.forget(tab, gone, dimension)
    frozen = tab.frozen[dimension]
    tab.frozen[dimension] = frozen - max(0, min(end, frozen) - start)
    batch.book.shift(tab, dimension, deleted(start, end))


def _lines_area(dimension: Dimension, start: int, end: int) -> Area:
    if dimension == "ROWS":
        return Area(top=start, bottom=end)
    return Area(left=start, right=end)


def move_dimension(batch: Batch, given: Json) -> Json:
    """Rows or columns move; the destination is counted before they leave."""
    tab, dimension, start, end = _span(batch, given.get("source"), bounded=True)
    lines, to = tab.lines(dimension), given.get("destinationIndex", 0)
    if end > len(lines) or not 0 <= to <= len(lines):
        raise bad(f"The source or the destination is outside the grid ({len(lines)}).")
    if start < to < end:
        raise bad("The destination is within the source.")
    batch.check_editable(tab, _lines_area(dimension, min(start, to), max(end, to)))
    moved = lines[start:end]
    del lines[start:end]
    landing = to - len(moved) if to > start else to
    lines[landing:landing] = moved
    batch.book.shift(tab, dimension, carried(start, end, to))
    return {}


def update_dimension_properties(batch: Batch, given: Json) -> Json:
    """Hide, show, make wider."""
    mask = batch.mask("DimensionProperties", given)
    tab, dimension, start, end = _span(batch, given.get("range"))
    properties, lines = given.get("properties") or {}, tab.lines(dimension)
    if start >= len(lines):
        raise bad(f"The range is outside the grid ({len(lines)}).")
    for name in properties if "*" in mask else mask:
        if name not in ("hiddenByUser", "pixelSize"):
            raise unimplemented(f"`{name}` of rows and columns")
        for at in range(start, min(end, len(lines))):
            if name == "hiddenByUser":
                lines[at] = replace(lines[at], hidden=properties.get(name, False))
            else:
                lines[at] = replace(lines[at], size=properties.get(name))
    return {}


def _span(
    batch: Batch, given: Json | None, *, bounded: bool = False
) -> tuple[Tab, Dimension, int, int]:
    if given is None:
        raise bad("No range specified.")
    tab, dimension = batch.book.tab(given.get("sheetId", 0)), dimension_of(given)
    start, end = given.get("startIndex", 0), given.get("endIndex")
    if end is None:
        if bounded:
            raise bad("Both the start and the end index must be given.")
        end = len(tab.lines(dimension))
    if start < 0 or end < start or (end == start and bounded):
        raise bad(f"The range from {start} to {end} holds nothing.")
    return tab, dimension, start, end


# Cells


def update_cells(batch: Batch, given: Json) -> Json:
    """Set what the mask names; inside a `range`, what no row covers is cleared."""
    mask = batch.mask("CellData", given)
    rows = [row.get("values", []) for row in given.get("rows", [])]
    if "start" in given:
        start = given["start"]
        tab = batch.book.tab(start.get("sheetId", 0))
        at = Area(start.get("rowIndex", 0), start.get("columnIndex", 0))
        end, covered = tab.size, None
    else:
        tab, at = batch.area(given.get("range"))
        end = covered = tab.inside(at)
    _check_fits(rows, at, end)
    written = Area(at.top, at.left, at.top + len(rows), at.left + max(map(len, rows), default=0))
    batch.check_editable(tab, covered or written)
    for row, values in enumerate(rows, at.top):
        for column, value in enumerate(values, at.left):
            _set_cell(batch, tab, row, column, value, mask)
    if covered:
        reach = [len(values) for values in rows]
        for row, column in tab.positions(covered):
            done = reach[row - at.top] if row - at.top < len(reach) else 0
            if column - at.left >= done:
                _set_cell(batch, tab, row, column, {}, mask)
    return {}


def _check_fits(rows: list[list[Json]], at: Area, end: Box) -> None:
    if rows and at.top + len(rows) > end.bottom:
        over = max(at.top, end.bottom)
        raise bad(
            f"Attempting to write row: {over}, beyond the last requested row of: {end.bottom - 1}"
        )
    width = max(map(len, rows), default=0)
    if width and at.left + width > end.right:
        over = max(at.left, end.right)
        raise bad(
            f"Attempting to write column: {over}, beyond the last requested column of: {end.right - 1}"
        )


def _set_cell(batch: Batch, tab: Tab, row: int, column: int, given: Json, mask: Mask) -> None:
    settable = check_cell_mask(mask, given)
    tab.put(row, column, changed(batch.book, tab, tab.at(row, column), given, settable))


def repeat_cell(batch: Batch, given: Json) -> Json:
    """The same in every cell of an area."""
    mask = batch.mask("CellData", given)
    tab, area = batch.area(given.get("range"))
    batch.check_editable(tab, area)
    cell = given.get("cell") or {}
    if "formulaValue" in cell.get("userEnteredValue", {}):
        raise unimplemented("`repeatCell` of a formula")
    for row, column in tab.positions(area):
        _set_cell(batch, tab, row, column, cell, mask)
    return {}


def set_data_validation(batch: Batch, given: Json) -> Json:
    """What may be entered in an area; without a rule, anything."""
    tab, area = batch.area(given.get("range"))
    batch.check_editable(tab, area)
    for row, column in tab.positions(area):
        tab.put(row, column, replace(tab.at(row, column), validation=given.get("rule")))
    return {}


_PASTES: dict[str, tuple[str, ...]] = {
    "PASTE_NORMAL": ("value", "format", "note", "validation"),
    "PASTE_NO_BORDERS": ("value", "format", "note", "validation"),
    "PASTE_VALUES": ("value",),
    "PASTE_FORMULA": ("value",),
    "PASTE_FORMAT": ("format",),
    "PASTE_DATA_VALIDATION": ("validation",),
}


def copy_paste(batch: Batch, given: Json) -> Json:
    """An area copied onto another, as often as it fits into it."""
    kind = given.get("pasteType", "PASTE_NORMAL")
    if given.get("pasteOrientation", "NORMAL") != "NORMAL" or kind not in _PASTES:
        raise unimplemented(f"`{kind}` of `copyPaste`, or transposing")
    source_tab, source = batch.area(given.get("source"))
    tab, destination = batch.area(given.get("destination"))
    source, destination = source_tab.inside(source), tab.inside(destination)
    if not (source.height and source.width):
        raise bad("The source holds no cell.")
    height = source.height * max(destination.height // source.height, 1)
    width = source.width * max(destination.width // source.width, 1)
    target = Box(
        destination.top, destination.left, destination.top + height, destination.left + width
    )
    if target != target.within(len(tab.rows), len(tab.columns)):
        raise bad("The destination does not fit into the grid.")
    batch.check_editable(tab, target)
    copied = _copied(source_tab, source, kind)
    for row, column in tab.positions(target):
        cell = copied[(row - target.top) % source.height][(column - target.left) % source.width]
        pasted = {name: getattr(cell, name) for name in _PASTES[kind]}
        if kind == "PASTE_NO_BORDERS" and pasted["format"]:
            pasted["format"] = {k: v for k, v in pasted["format"].items() if k != "borders"} or None
        tab.put(row, column, replace(tab.at(row, column), **pasted))
    return {}


def _copied(tab: Tab, area: Box, kind: str) -> list[list[Cell]]:
    calculator = Calculator(tab)
    cells = (_copy(tab.at(*place), calculator, kind) for place in area.positions())
    return [list(islice(cells, area.width)) for _ in range(area.height)]


def _copy(cell: Cell, calculator: Calculator, kind: str) -> Cell:
    if not isinstance(cell.value, Formula):
        return cell
    if kind == "PASTE_VALUES":
        value = calculator.effective(cell.value)
        if isinstance(value, Error):
            raise unimplemented("pasting the value of a formula that fails")
        return replace(cell, value=value)
    if cell.value.names_cells and "value" in _PASTES[kind]:
        raise unimplemented("copying a formula that names cells")
    return cell


def sort_range(batch: Batch, given: Json) -> Json:
    """Cells of an area in another order of rows; hidden rows stay where they are."""
    tab, area = batch.area(given.get("range"))
    specs = given.get("sortSpecs", [])
    if any(set(spec) - {"dimensionIndex", "sortOrder"} for spec in specs):
        raise unimplemented("sorting by anything but values")
    batch.check_editable(tab, area)
    sort_rows(
        tab,
        tab.inside(area),
        [(spec.get("dimensionIndex", 0), spec.get("sortOrder") == "DESCENDING") for spec in specs],
    )
    return {}


def sort_rows(tab: Tab, area: Box, columns: list[tuple[int, bool]]) -> None:
    """Sort an area by columns, each up or down, the most important first; blanks come last."""
    places = [row for row in range(area.top, area.bottom) if not tab.rows[row].hidden]
    across = range(area.left, area.right)
    rows = [[tab.at(row, column) for column in across] for row in places]
    if any(isinstance(c.value, Formula) and c.value.names_cells for cells in rows for c in cells):
        raise unimplemented("sorting formulas that name cells")
    calculator = Calculator(tab)
    for column, down in reversed(columns):
        if not area.left <= column < area.right:
            raise bad(f"The column {column} is outside the range that is sorted.")

        def value(cells: list[Cell], at: int = column - area.left) -> Any:
            return calculator.effective(cells[at].value)

        full = [cells for cells in rows if value(cells) is not None]
        full.sort(key=lambda cells: _rank(value(cells)), reverse=down)
        rows = full + [cells for cells in rows if value(cells) is None]
    for row, cells in zip(places, rows, strict=True):
        for column, cell in zip(across, cells, strict=True):
            tab.put(row, column, cell)


def _rank(value: Plain | Error | None) -> tuple[int, Any]:
    match value:
        case bool():
            return 2, value
        case float():
            return 0, value
        case str():
            return 1, (value.lower(), value)
    return 3, ""


def add_conditional_format_rule(batch: Batch, given: Json) -> Json:
    """Colours that follow values. The rule is kept and moves with its cells; it has no effect here."""
    rule = dict(given.get("rule") or {})
    ranges = rule.pop("ranges", [])
    if not ranges:
        raise bad("No ranges specified.")
    placed = [batch.area(given_range) for given_range in ranges]
    tab = placed[0][0]
    if any(other is not tab for other, _ in placed):
        raise bad("All ranges must be on the same sheet.")
    index = given.get("index", 0)
    if not 0 <= index <= len(tab.rules):
        raise bad(f"There is no index {index} in the list of rules.")
    new = Rule(tuple(area for _, area in placed), rule)
    tab.rules = (*tab.rules[:index], new, *tab.rules[index:])
    return {}


def delete_conditional_format_rule(batch: Batch, given: Json) -> Json:
    """A rule goes."""
    tab, index = batch.book.tab(given.get("sheetId", 0)), given.get("index", 0)
    if not 0 <= index < len(tab.rules):
        raise bad(f"No conditional format on sheet: {tab.id} at index: {index}")
    rule = tab.rules[index]
    tab.rules = (*tab.rules[:index], *tab.rules[index + 1 :])
    ranges = [grid_range(tab.id, area) for area in rule.areas]
    return {"deleteConditionalFormatRule": {"rule": rule.about | {"ranges": ranges}}}


# Names, protections, metadata


def add_named_range(batch: Batch, given: Json) -> Json:
    """A name for an area; neither its id nor its name may be there already."""
    book, named = batch.book, given.get("namedRange") or {}
    id = named.get("namedRangeId") or f"name{book.new_id()}"
    if id in book.names:
        raise bad(
            f"Cannot add named range with ID {id}, a named range with that ID already exists."
        )
    mark = _named(batch, Marked(id, 0, None), named, {"name": {}, "range": {}})
    book.names[id] = mark
    return {"addNamedRange": {"namedRange": named_range(mark)}}


def update_named_range(batch: Batch, given: Json) -> Json:
    """Another name or another area."""
    mask, named = batch.mask("NamedRange", given), given.get("namedRange") or {}
    if "*" in mask:
        mask = {"name": {}, "range": {}}
    mark = _known(batch.book.names, named.get("namedRangeId", ""), "NamedRange")
    batch.book.names[mark.id] = _named(batch, mark, named, mask)
    return {}


def _named(batch: Batch, mark: Marked, given: Json, mask: Mask) -> Marked:
    for field, deeper in mask.items():
        if field == "name":
            name = given.get("name", "")
            _check_name(batch.book, mark, name)
            mark = replace(mark, about={"name": name})
        elif field == "range" and not deeper:
            tab, area = batch.area(given.get("range"))
            tab.inside(area)
            mark = replace(mark, tab=tab.id, area=area)
        elif field != "namedRangeId":
            raise unimplemented(f"a change of `{field}` of a named range")
    return mark


def _check_name(book: Book, mark: Marked, name: str) -> None:
    from genesis.testing.sheets.a1 import is_r1c1, parse_area

    plain = name.replace("_", "a").isalnum() and not name[:1].isdigit()
    if (
        not plain
        or len(name) > 250
        or parse_area(name)
        or is_r1c1(name)
        or name.lower() in ("true", "false")
    ):
        raise bad(f"The name {name!r} is not valid for a named range.")
    for other in book.names.values():
        if other.id != mark.id and other.about["name"].lower() == name.lower():
            raise bad(
                f"Cannot add named range with name {name}, a named range with that name already exists."
            )


def delete_named_range(batch: Batch, given: Json) -> Json:
    """A name goes."""
    del batch.book.names[_known(batch.book.names, given.get("namedRangeId", ""), "NamedRange").id]
    return {}


def _known(marks: dict[str, Marked], id: str, kind: str) -> Marked:
    if id not in marks:
        raise bad(f"No {kind} with id: {id}")
    return marks[id]


_PROTECTED = {"description", "warningOnly", "editors"}


def add_protected_range(batch: Batch, given: Json) -> Json:
    """An area that people are warned off, or kept from."""
    book, protected = batch.book, given.get("protectedRange") or {}
    id = str(protected.get("protectedRangeId") or book.new_id())
    if id in book.protections:
        raise bad(
            f"Cannot add protected range with ID {id}, a protected range with that ID already exists."
        )
    mark = _protected(
        batch,
        Marked(id, 0, None),
        protected,
        all_of({*protected, "range"} - {"protectedRangeId"}),
    )
    book.protections[id] = mark
    return {"addProtectedRange": {"protectedRange": protected_range(mark, batch.user)}}


def update_protected_range(batch: Batch, given: Json) -> Json:
    """Another area, description or way of protecting."""
    mask, protected = batch.mask("ProtectedRange", given), given.get("protectedRange") or {}
    if "*" in mask:
        mask = all_of(_PROTECTED | {"range"})
    id = str(protected.get("protectedRangeId", ""))
    mark = _known(batch.book.protections, id, "ProtectedRange")
    batch.book.protections[id] = _protected(batch, mark, protected, mask)
    return {}


def _protected(batch: Batch, mark: Marked, given: Json, mask: Mask) -> Marked:
    for field, deeper in mask.items():
        if field == "range":
            tab, area = batch.area(given.get("range"))
            mark = replace(mark, tab=tab.id, area=area)
        elif field in _PROTECTED:
            mark = replace(mark, about=put({field: deeper}, mark.about, given) or {})
        elif field != "requestingUserCanEdit":
            raise unimplemented(f"`{field}` of a protected range")
    return mark


def delete_protected_range(batch: Batch, given: Json) -> Json:
    """A protection goes."""
    marks = batch.book.protections
    del marks[_known(marks, str(given.get("protectedRangeId", "")), "ProtectedRange").id]
    return {}


def create_developer_metadata(batch: Batch, given: Json) -> Json:
    """A value of ours for a spreadsheet, tab, row or column."""
    piece = metadata.create(batch.book, given.get("developerMetadata") or {})
    described = metadata.described(batch.book, piece)
    return {"createDeveloperMetadata": {"developerMetadata": described}}


def update_developer_metadata(batch: Batch, given: Json) -> Json:
    """Another key, value or place for all that the filters find."""
    mask = batch.mask("DeveloperMetadata", given)
    new = given.get("developerMetadata") or {}
    pieces = metadata.update(batch.book, given.get("dataFilters", []), new, mask)
    described = [metadata.described(batch.book, piece) for piece in pieces]
    return {"updateDeveloperMetadata": {"developerMetadata": described}}


def delete_developer_metadata(batch: Batch, given: Json) -> Json:
    """All that the filter finds goes."""
    found = [piece for piece, _ in metadata.search(batch.book, [given.get("dataFilter") or {}])]
    described = [metadata.described(batch.book, piece) for piece in found]
    for piece in found:
        del batch.book.metadata[piece.id]
    return {"deleteDeveloperMetadata": {"deletedDeveloperMetadata": described}}


REQUESTS: dict[str, Request] = {
    camel(function.__name__): function
    for function in (
        add_sheet,
        duplicate_sheet,
        delete_sheet,
        update_sheet_properties,
        update_spreadsheet_properties,
        append_dimension,
        insert_dimension,
        delete_dimension,
        move_dimension,
        update_dimension_properties,
        update_cells,
        repeat_cell,
        set_data_validation,
        copy_paste,
        sort_range,
        add_conditional_format_rule,
        delete_conditional_format_rule,
        add_named_range,
        update_named_range,
        delete_named_range,
        add_protected_range,
        update_protected_range,
        delete_protected_range,
        create_developer_metadata,
        update_developer_metadata,
        delete_developer_metadata,
    )
}
