"""The model: a spreadsheet of tabs, whose rows and columns are things that are moved about.

A cell belongs to the identities of its row and its column, never to a position. So a move, an
insert or a delete only reorders a list, and values, notes, formats and metadata go with their row
by construction. Cells are frozen; a `Book` copied for a change shares all that the change leaves
alone, so a refused batch costs nothing and leaves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from genesis.testing.sheets.a1 import Area, Box, a1, is_r1c1, parse_area, split_title
from genesis.testing.sheets.answers import ApiError, Json, bad, unimplemented
from genesis.testing.sheets.formulas import LOOP, REF, Error, Formula, Plain, Reference, evaluate
from genesis.testing.sheets.limits import Limits
from genesis.testing.sheets.values import LOCALES, Locale, Value

Dimension = Literal["ROWS", "COLUMNS"]
Shift = Callable[[int, int | None], tuple[int, int | None] | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A row or a column."""

    id: int
    hidden: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell holds; None is nothing."""

    value: Value = None
    format: Json | None = None
    note: str | None = None
    validation: Json | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it holds no more than a value."""
        return self.format is None and self.note is None and self.validation is None

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return self.value is None and self.is_plain

    def holding(self, value: Value) -> Cell:
        """The same cell with another value; most cells are plain, and `replace` takes its time."""
        return Cell(value) if self.is_plain else replace(self, value=value)


EMPTY = Cell()


@dataclass(frozen=True, slots=True)
class Metadata:
    """A piece of developer metadata, and the spreadsheet, tab, row or column it belongs to."""

    id: int
    key: str
    value: str
    visibility: str
    tab: int | None = None
    dimension: Dimension | None = None
    line: int | None = None

    @property
    def kind(self) -> str:
        """The type of its location, as Google names it."""
        if self.dimension:
            return self.dimension.removesuffix("S")
        return "SPREADSHEET" if self.tab is None else "SHEET"


@dataclass(frozen=True, slots=True)
class Marked:
    """An area of a tab that something is said of, by `id`; the area is None once all of it is deleted."""

    id: str
    tab: int
    area: Area | None
    about: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A conditional format, as it was given, and the areas it holds for."""

    areas: tuple[Area, ...]
    about: Json


class Tab:
    """One tab: rows and columns in their order, and cells by the identities of both."""

    def __init__(self, id: int, title: str, rows: int, columns: int) -> None:
        self.id, self.title = id, title
        self._next = 0
        self.rows = self.new_lines(rows)
        self.columns = self.new_lines(columns)
        self.hidden = False
        self.frozen = {"ROWS": 0, "COLUMNS": 0}
        self.about: Json = {}
        self.rules: tuple[Rule, ...] = ()
        # Cells of deleted columns stay here, out of reach: identities are never used again.
        self._cells: dict[int, dict[int, Cell]] = {}
        self._owned: set[int] = set()

    def copy(self) -> Tab:
        """The same tab, to be changed without changing this one."""
        copy = object.__new__(Tab)
        copy.__dict__.update(self.__dict__)
        copy.rows, copy.columns = list(self.rows), list(self.columns)
        copy.frozen = dict(self.frozen)
        copy._cells, copy._owned = dict(self._cells), set()
        return copy

    def duplicate(self, id: int, title: str) -> Tab:
        """Another tab with the same content."""
        copy = self.copy()
        copy.id, copy.title = id, title
        return copy

    def new_lines(self, count: int, like: Line | None = None) -> list[Line]:
        """Rows or columns that were never there before."""
        first, self._next = self._next, self._next + count
        size = like.size if like else None
        return [Line(id, size=size) for id in range(first, first + count)]

    def lines(self, dimension: Dimension) -> list[Line]:
        """Its rows or its columns, in order."""
        return self.rows if dimension == "ROWS" else self.columns

    def at(self, row: int, column: int) -> Cell:
        """The cell at a position."""
        return self.of(self.rows[row].id, self.columns[column].id)

    def of(self, row: int, column: int) -> Cell:
        """The cell of a row and a column, by their identities."""
        cells = self._cells.get(row)
        return EMPTY if cells is None else cells.get(column, EMPTY)

    def put(self, row: int, column: int, cell: Cell) -> None:
        """Set the cell at a position."""
        row_id, column_id = self.rows[row].id, self.columns[column].id
        if row_id not in self._owned:
            self._cells[row_id] = dict(self._cells.get(row_id, ()))
            self._owned.add(row_id)
        if cell.is_empty:
            self._cells[row_id].pop(column_id, None)
        else:
            self._cells[row_id][column_id] = cell

    def row_cells(self, row: int) -> dict[int, Cell]:
        """The cells of a row that hold something, by their column's identity. Not to be changed."""
        return self._cells.get(self.rows[row].id, {})

    def forget_row(self, line: Line) -> None:
        """Drop the cells of a row that was deleted."""
        self._cells.pop(line.id, None)

    @property
    def size(self) -> Box:
        """The whole grid."""
        return Box(0, 0, len(self.rows), len(self.columns))

    def inside(self, area: Area) -> Box:
        """The part of an area that the grid has. Raises `ApiError` when it starts outside."""
        rows, columns = len(self.rows), len(self.columns)
        if area.top >= rows or area.left >= columns:
            limits = f"Max rows: {rows}, max columns: {columns}"
            raise bad(f"Range ({a1(self.title, area)}) exceeds grid limits. {limits}")
        return area.within(rows, columns)

    def positions(self, area: Area) -> Iterator[tuple[int, int]]:
        """The positions of an area, row by row."""
        return self.inside(area).positions()


class Book:
    """A spreadsheet."""

    def __init__(self, id: str, title: str, *, locale: str, time_zone: str, limits: Limits) -> None:
        self.id, self.title, self.locale_name, self.time_zone = id, title, locale, time_zone
        self.limits = limits
        self.version = 0
        self.about: Json = {}
        self.tabs: list[Tab] = []
        self.names: dict[str, Marked] = {}
        self.protections: dict[str, Marked] = {}
        self.metadata: dict[int, Metadata] = {}
        self._next_id = 1

    def copy(self) -> Book:
        """The same spreadsheet, to be changed without changing this one."""
        copy = object.__new__(Book)
        copy.__dict__.update(self.__dict__)
        copy.tabs = [tab.copy() for tab in self.tabs]
        copy.names, copy.protections = dict(self.names), dict(self.protections)
        copy.metadata = dict(self.metadata)
        copy.version += 1
        return copy

    @property
    def locale(self) -> Locale:
        """How its numbers and dates are written."""
        return LOCALES[self.locale_name]

    def new_id(self) -> int:
        """A number that looks like Google's and is the same in every run of a test."""
        self._next_id += 1
        return self._next_id * 1_299_709 % 2_147_483_647

    def tab(self, id: int) -> Tab:
        """A tab by its id. Raises `ApiError` for one that is not there."""
        for tab in self.tabs:
            if tab.id == id:
                return tab
        raise bad(f"No grid with id: {id}")

    def titled(self, title: str) -> Tab | None:
        """A tab by its title; capitals make no difference."""
        return next((tab for tab in self.tabs if tab.title.lower() == title.lower()), None)

    def find(self, text: str) -> tuple[Tab, Area]:
        """What a range in A1 notation means. Raises `ApiError` for what means nothing here."""
        title, rest = split_title(text)
        if title is None:
            tab, area = self._untitled(rest)
        else:
            tab = self.titled(title)
            area = Area() if not rest else parse_area(rest)
        if tab is None or area is None:
            if is_r1c1(rest):
                raise unimplemented(f"R1C1 notation: `{text}`")
            raise bad(f"Unable to parse range: {text}")
        return tab, area

    def _untitled(self, text: str) -> tuple[Tab | None, Area | None]:
        if area := parse_area(text):
            return self.tabs[0], area
        for name in self.names.values():
            if name.about["name"].lower() == text.lower() and name.area:
                return self.tab(name.tab), name.area
        return self.titled(text), Area()

    def check_size(self) -> None:
        """Raises `ApiError` when there are more cells, columns or tabs than Google allows."""
        limits = self.limits
        if sum(len(tab.rows) * len(tab.columns) for tab in self.tabs) > limits.cells:
            raise too_many_cells(limits)
        if any(len(tab.columns) > limits.columns for tab in self.tabs):
            raise bad(f"A sheet cannot have more than {limits.columns} columns.")
        if len(self.tabs) > limits.tabs:
            raise bad(f"A spreadsheet cannot have more than {limits.tabs} sheets.")

    def shift(self, tab: Tab, dimension: Dimension, moved: Shift) -> None:
        """Let marked areas follow rows or columns that were inserted, deleted or moved."""
        for marks in (self.names, self.protections):
            for id, mark in marks.items():
                if mark.tab == tab.id and mark.area:
                    marks[id] = replace(mark, area=_shifted(mark.area, dimension, moved))
        rules = []
        for rule in tab.rules:
            areas = [_shifted(area, dimension, moved) for area in rule.areas]
            if kept := tuple(area for area in areas if area):
                rules.append(replace(rule, areas=kept))
        tab.rules = tuple(rules)

    def forget(self, tab: Tab, lines: Iterable[Line] | None, dimension: Dimension | None) -> None:
        """Drop the metadata of deleted rows or columns, or of a whole tab."""
        gone = None if lines is None else {line.id for line in lines}
        for piece in list(self.metadata.values()):
            if piece.tab != tab.id:
                continue
            if gone is None or (piece.dimension == dimension and piece.line in gone):
                del self.metadata[piece.id]


class Calculator:
    """The values of a tab's formulas, each worked out once."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self.rows = {line.id: at for at, line in enumerate(tab.rows)}
        self.columns = {line.id: at for at, line in enumerate(tab.columns)}
        self._done: dict[int, Plain | Error | None] = {}
        self._busy: set[int] = set()

    def text(self, formula: Formula) -> str:
        """The formula as it reads now."""
        return formula.text(self.rows, self.columns)

    def effective(self, value: Value) -> Plain | Error | None:
        """A value as it counts: a formula's result, or the value itself."""
        if not isinstance(value, Formula):
            return value
        # By identity: the same formula object has the same cells, so it has the same result.
        known = id(value)
        if known in self._busy:
            return LOOP
        if known not in self._done:
            self._busy.add(known)
            self._done[known] = evaluate(value, self._look, self._span)
            self._busy.discard(known)
        return self._done[known]

    def _look(self, cell: Reference) -> Plain | Error | None:
        if cell.row not in self.rows or cell.column not in self.columns:
            return REF
        return self.effective(self._tab.of(cell.row, cell.column).value)

    def _span(self, start: Reference, end: Reference) -> Iterator[Plain | Error | None]:
        if not all(c.row in self.rows and c.column in self.columns for c in (start, end)):
            yield REF
            return
        rows = sorted((self.rows[start.row], self.rows[end.row]))
        columns = sorted((self.columns[start.column], self.columns[end.column]))
        for row in range(rows[0], rows[1] + 1):
            for column in range(columns[0], columns[1] + 1):
                yield self.effective(self._tab.at(row, column).value)


def inserted(at: int, count: int) -> Shift:
    """Where an area is after `count` rows or columns came in at a position."""

    def moved(start: int, end: int | None) -> tuple[int, int | None]:
        if start == 0 and end is None:
            return start, end
        if start >= at:
            return start + count, end if end is None else end + count
        return start, end + count if end is not None and end > at else end

    return moved


def deleted(first: int, last: int) -> Shift:
    """Where an area is after rows or columns went; None when all of it went."""

    def moved(start: int, end: int | None) -> tuple[int, int | None] | None:
        def place(at: int) -> int:
            return at if at <= first else max(first, at - (last - first))

        if end is not None and start >= first and end <= last:
            return None
        return place(start), end if end is None else place(end)

    return moved


def carried(first: int, last: int, to: int) -> Shift:
    """Where an area is after rows or columns moved to a position that is counted before the move.

    An area wholly within goes along; any other loses what left it and grows by what came between.
    """
    count = last - first
    landing = to - count if to > first else to
    remove, insert = deleted(first, last), inserted(landing, count)

    def moved(start: int, end: int | None) -> tuple[int, int | None] | None:
        if start == 0 and end is None:
            return start, end
        if end is not None and start >= first and end <= last:
            return start - first + landing, end - first + landing
        if start <= min(first, to) and (end is None or max(last, to) <= end):
            return start, end
        left = remove(start, end)
        return insert(*left) if left else None

    return moved


def _shifted(area: Area, dimension: Dimension, moved: Shift) -> Area | None:
    if dimension == "ROWS":
        span = moved(area.top, area.bottom)
        return span and replace(area, top=span[0], bottom=span[1])
    span = moved(area.left, area.right)
    return span and replace(area, left=span[0], right=span[1])


def too_many_cells(limits: Limits) -> ApiError:
    """The refusal of a grid that is too large."""
    return bad(
        "This action would increase the number of cells in the workbook above the limit of "
        f"{limits.cells} cells."
    )


def check_text(text: str, limits: Limits) -> str:
    """Text that fits into a cell. Raises `ApiError` for longer text."""
    if len(text) > limits.cell_characters:
        raise bad(
            f"Your input contains more than the maximum of {limits.cell_characters} characters "
            "in a single cell."
        )
    return text


def check_number(number: float) -> float:
    """A number that a cell can hold. Raises `ApiError` for NaN and infinity."""
    if not math.isfinite(number):
        raise bad(f"A cell cannot hold {number}.")
    return number
