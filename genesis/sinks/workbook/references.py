"""Where the rows and columns of a tab went, and references that follow them.

A reference to a cell follows the cell; a range follows its cells and, where it covers all rows of
the tracker, takes in the new ones: a sum, a filter or a drop-down over the tracker stays over the
tracker. The surprise: rules (formats, drop-downs) are written for the first cell of their range and
read relative to every other, so their relative rows keep their distance instead of following.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from openpyxl.formula.tokenizer import Token, Tokenizer, TokenizerError
from openpyxl.utils import column_index_from_string, get_column_letter

ROWS = 1_048_576
COLUMNS = 16_384

Run = tuple[int, int]


@dataclass(frozen=True)
class Axis:
    """Where the lines of a tab go: its rows, or its columns.

    Lines before `first` stay. Of those from `first` to `last`, `order` holds the old numbers in
    their new order, `None` for a new line; lines after them shift along. `block` is the stretch of
    the tracker's own lines, before and after.
    """

    limit: int
    first: int
    last: int
    order: Sequence[int | None]
    block: tuple[Run, Run] | None = None
    _spans: dict[tuple[int, int, bool], Run | None] = field(default_factory=dict, repr=False)

    @property
    def stays(self) -> bool:
        return list(self.order) == list(range(self.first, self.last + 1))

    @cached_property
    def _new(self) -> dict[int, int]:
        return {old: self.first + at for at, old in enumerate(self.order) if old is not None}

    @property
    def _shift(self) -> int:
        return len(self.order) - (self.last - self.first + 1)

    def of(self, line: int) -> int | None:
        """The new number of a line, or `None` where it is gone."""
        if line < self.first:
            return line
        if line > self.last:
            return min(line + self._shift, self.limit)
        return self._new.get(line)

    def near(self, line: int) -> int:
        """The new number of a line, or of the next one that is still there."""
        later = (new for old in range(line, max(line, self.last) + 2) if (new := self.of(old)))
        return next(later, self.first)

    def span(self, start: int, end: int, *, grows: bool = False) -> Run | None:
        """The stretch that holds what was from `start` to `end`."""
        if (start, end, grows) not in self._spans:
            runs = self.runs(start, end, grows=grows)
            self._spans[start, end, grows] = (runs[0][0], runs[-1][1]) if runs else None
        return self._spans[start, end, grows]

    def runs(self, start: int, end: int, *, grows: bool = False) -> list[Run]:
        """The stretches that hold just what was from `start` to `end`.

        What covers all lines of the block covers the new ones too; where the block is one line,
        only what `grows` does.
        """
        if end >= self.limit:
            return [(self.near(start), self.limit)]
        inside = range(max(start, self.first), min(end, self.last) + 1)
        lines = [new for old in inside if (new := self._new.get(old))]
        if start < self.first:
            lines += [start, min(end, self.first - 1)]
        if end > self.last:
            lines += [max(start, self.last + 1) + self._shift, end + self._shift]
        together = start < self.first or end > self.last or lines == sorted(lines)
        if self.block and self.covers(start, end) and (grows or start < end):
            header = (self.first - 1, self.first - 1)
            if (start, end) == header:
                lines = []
            if not lines or self.block[1] != header:
                lines += self.block[1]
            together = True
        if together:
            return [(min(lines), min(max(lines), self.limit))] if lines else []
        return _runs(lines)

    def covers(self, start: int, end: int) -> bool:
        """Whether a stretch holds all lines of the block."""
        return self.block is not None and start <= self.block[0][0] and self.block[0][1] <= end


def _runs(lines: Sequence[int]) -> list[Run]:
    runs: list[Run] = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1] = (runs[-1][0], line)
        else:
            runs.append((line, line))
    return runs


_CELL = r"(\$?)([A-Za-z]{1,3})(\$?)([1-9]\d{0,6})"
_AREA = re.compile(rf"{_CELL}(?::{_CELL})?")
_WHOLE_ROWS = re.compile(r"(\$?)([1-9]\d{0,6}):(\$?)([1-9]\d{0,6})")
_WHOLE_COLUMNS = re.compile(r"(\$?)([A-Za-z]{1,3}):(\$?)([A-Za-z]{1,3})")
_GONE = "#REF!"
_NO_ROW = 0  # of a reference that never grows


@dataclass(frozen=True)
class References:
    """The rows and columns of one tab, and what refers to them."""

    tab: str
    rows: Axis
    columns: Axis

    @property
    def stay(self) -> bool:
        return self.rows.stays and self.columns.stays

    def area(self, text: str) -> str | None:
        """The reference that holds what `A1:B5` held, or `None` where it is gone."""
        moved = self._moved(text, distance=None, row=_NO_ROW)
        return None if moved == _GONE else moved

    def areas(self, text: str, *, grow: bool = False) -> list[str]:
        """The references that hold just what `A1:B5 D1` held: more of them where rows parted."""
        return [piece for area in text.split() for piece in self._pieces(area, grow=grow)]

    def formula(self, text: str, *, inside: bool, row: int | None = None) -> str:
        """A formula, without its `=`, that refers to what it referred to.

        One `inside` the tab need not name it; one on another tab changes where it does. In a
        tracker of one row, `C2:F2` is the tracker, but in that `row` itself it is the row.
        """
        return self._rewritten(text, inside=inside, distance=None, row=row)

    def rule(self, text: str, *, distance: int) -> str:
        """A rule's formula, whose range now starts `distance` rows further down."""
        return self._rewritten(text, inside=True, distance=distance, row=None)

    def _rewritten(self, text: str, *, inside: bool, distance: int | None, row: int | None) -> str:
        try:
            tokens = Tokenizer(f"={text}").items
        except (TokenizerError, IndexError):
            return text  # what cannot be read stays as its owner wrote it
        return "".join(
            self._token(token.value, inside=inside, distance=distance, row=row)
            if token.type == Token.OPERAND and token.subtype == Token.RANGE
            else token.value
            for token in tokens
        )

    def _token(self, value: str, *, inside: bool, distance: int | None, row: int | None) -> str:
        tab, mark, area = value.rpartition("!")
        if not mark:
            return self._moved(area, distance=distance, row=row) if inside else value
        named = tab.strip("'").replace("''", "'")
        if named.casefold() != self.tab.casefold():
            return value
        return f"{tab}!{self._moved(area, distance=distance, row=row)}"

    def _moved(self, text: str, *, distance: int | None, row: int | None) -> str:
        if match := _AREA.fullmatch(text):
            return self._moved_area(match, distance, row)
        if match := _WHOLE_ROWS.fullmatch(text):
            rows = self.rows.span(int(match[2]), int(match[4]))
            return f"{match[1]}{rows[0]}:{match[3]}{rows[1]}" if rows else _GONE
        if match := _WHOLE_COLUMNS.fullmatch(text):
            columns = self.columns.span(_number(match[2]), _number(match[4]))
            if columns is None:
                return _GONE
            return f"{match[1]}{_letters(columns[0])}:{match[3]}{_letters(columns[1])}"
        return text

    def _moved_area(self, match: re.Match[str], distance: int | None, home: int | None) -> str:
        left, column, top, row, right, last_column, bottom, last_row = match.groups()

        def moved(line: int, absolute: str) -> int | None:
            if distance is None or absolute:
                return self.rows.of(line)
            return line + distance if 1 <= line + distance <= ROWS else None

        if last_row is None:
            new_row, new_column = moved(int(row), top), self.columns.of(_number(column))
            if new_row is None or new_column is None:
                return _GONE
            return f"{left}{_letters(new_column)}{top}{new_row}"
        columns = self.columns.span(_number(column), _number(last_column))
        if distance is None or (top and bottom):
            in_row = home == int(row) >= self.rows.first
            grows = home != _NO_ROW and not in_row
            rows = self.rows.span(int(row), int(last_row), grows=grows)
        else:
            start, end = moved(int(row), top), moved(int(last_row), bottom)
            rows = (start, end) if start and end else None
        if rows is None or columns is None:
            return _GONE
        first, last = _letters(columns[0]), _letters(columns[1])
        return f"{left}{first}{top}{rows[0]}:{right}{last}{bottom}{rows[1]}"

    def _pieces(self, area: str, *, grow: bool) -> list[str]:
        block = bounds(area)
        one_cell = ":" not in area
        if block is None or (one_cell and not (grow and self.rows.covers(block[0], block[0]))):
            moved = self.area(area)
            return [moved] if moved else []
        columns = self.columns.span(block[1], block[3])
        return [
            area_of(top, columns[0], bottom, columns[1])
            for top, bottom in self.rows.runs(block[0], block[2], grows=grow)
            if columns
        ]


def corner(areas: Sequence[str]) -> Run | None:
    """The first row and column of some areas: where a rule's formula is at home."""
    matches = [match for area in areas if (match := _AREA.match(area))]
    if not matches:
        return None
    return min(int(match[4]) for match in matches), min(_number(match[2]) for match in matches)


def bounds(area: str) -> tuple[int, int, int, int] | None:
    """First row and column, last row and column of an area such as `A1:B5`."""
    match = _AREA.fullmatch(area)
    if match is None:
        return None
    row, column = int(match[4]), _number(match[2])
    return row, column, int(match[8] or row), _number(match[6] or match[2])


def area_of(
    row: int, column: int, last_row: int, last_column: int, *, absolute: bool = False
) -> str:
    """The reference to a block of cells."""
    mark = "$" if absolute else ""
    start = f"{mark}{_letters(column)}{mark}{row}"
    return f"{start}:{mark}{_letters(last_column)}{mark}{last_row}"


def _number(letters: str) -> int:
    return column_index_from_string(letters)


def _letters(number: int) -> str:
    return get_column_letter(number)
