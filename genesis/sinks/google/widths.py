"""How wide the columns of a new tab are: said once, when it is made; from then on it is people's.

A width is a guess from the header and the first rows, since only a browser knows how wide text is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING

from genesis.sync.changes import Annotation, Cell, Changes, Tracker

if TYPE_CHECKING:
    from genesis.sinks.google.plan import Layout

_NARROWEST, _WIDEST = 60, 320  # pixels
_STEP = 20  # so that neighbours are often of one width, and one request
_LETTER, _BOLD, _MARGIN, _ARROW = 7, 8, 16, 24
_SAMPLE = 200  # rows
_FILLED_IN = {"string": 26, "date": 10, "timestamp": 19, "timestamptz": 19}


def column_widths(changes: Changes, tracker: Tracker, layout: Layout) -> dict[int, int]:
    """The pixels of each column that people see."""
    rows = [insert.cells for insert in islice(changes.inserts, _SAMPLE)]
    found: dict[int, int] = {}
    for at, column in enumerate(changes.columns):
        letters = max((_letters(row[at]) for row in rows), default=0)
        found[layout.columns[column.name]] = _pixels(column.label, letters)
    for each in tracker.annotations:
        found[layout.annotations[each.name]] = _pixels(each.label, max(_asked(each)))
    return found


def _asked(each: Annotation) -> Iterable[int]:
    """The letters of what people may put in, with room for the arrow of a list."""
    if each.values:
        return (len(str(value)) + _ARROW // _LETTER for value in each.values)
    return (_FILLED_IN.get(each.column.type.name, 0),)


def _letters(cell: Cell) -> int:
    match cell:
        case None:
            return 0
        case str():
            return max(map(len, cell.split("\n")))
        case datetime():
            return 19
        case date() | bool():
            return 10
        case int() | float():
            return len(f"{cell:,.2f}") + 1
        case _:
            return len(str(cell))


def _pixels(label: str, letters: int) -> int:
    pixels = max(len(label) * _BOLD, letters * _LETTER) + _MARGIN
    return min(max(-(-pixels // _STEP) * _STEP, _NARROWEST), _WIDEST)


def of_one_width(widths: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """Columns side by side that are as wide: the first, how many, how wide."""
    start = count = wide = 0
    for column, pixels in sorted(widths.items()):
        if count and (column, pixels) == (start + count, wide):
            count += 1
            continue
        if count:
            yield start, count, wide
        start, count, wide = column, 1, pixels
    if count:
        yield start, count, wide
