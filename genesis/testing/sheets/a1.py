"""Areas of a tab, and A1 notation: text like `'My tab'!A2:C` to an area and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CORNER = r"\$?([A-Za-z]{1,3})?\$?([1-9]\d{0,7})?"
_AREA = re.compile(rf"{_CORNER}(?::{_CORNER})?")
_R1C1 = re.compile(r"[Rr]\d*(\[-?\d+\])?[Cc]\d*(\[-?\d+\])?(:.*)?")
_PLAIN_TITLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_LOOKS_LIKE_A_CELL = re.compile(r"[A-Za-z]{1,3}\d+|[Rr]\d*[Cc]\d*")


@dataclass(frozen=True, slots=True)
class Area:
    """Rows and columns from a corner (0-based) up to an end that is outside; None has no end."""

    top: int = 0
    left: int = 0
    bottom: int | None = None
    right: int | None = None

    def within(self, rows: int, columns: int) -> Box:
        """The part of it that a grid of this size has."""
        bottom = rows if self.bottom is None else min(self.bottom, rows)
        right = columns if self.right is None else min(self.right, columns)
        return Box(self.top, self.left, bottom, right)

    def touches(self, other: Area) -> bool:
        """Whether a cell is in both."""
        return _overlap(self.top, self.bottom, other.top, other.bottom) and _overlap(
            self.left, self.right, other.left, other.right
        )


@dataclass(frozen=True, slots=True)
class Box(Area):
    """An area that ends."""

    bottom: int = 0
    right: int = 0

    @property
    def height(self) -> int:
        """How many rows it has."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """How many columns it has."""
        return self.right - self.left

    def positions(self) -> Iterator[tuple[int, int]]:
        """Its cells, row by row."""
        for row in range(self.top, self.bottom):
            for column in range(self.left, self.right):
                yield row, column


def _overlap(start: int, end: int | None, other: int, other_end: int | None) -> bool:
    return (end is None or other < end) and (other_end is None or start < other_end)


def column_letters(index: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def column_index(letters: str) -> int:
    """0 for A, 25 for Z, 26 for AA."""
    index = 0
    for letter in letters.upper():
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def split_title(text: str) -> tuple[str | None, str]:
    """A tab's title, where the text names one for certain, and the rest."""
    if text.startswith("'"):
        match = re.fullmatch(r"'((?:[^']|'')+)'(?:!(.*))?", text)
        if match:
            return match[1].replace("''", "'"), match[2] or ""
    if "!" in text:
        title, _, rest = text.rpartition("!")
        return title, rest
    return None, text


def parse_area(text: str) -> Area | None:
    """The area that `A1`, `A1:B2`, `A:B`, `2:3` or `A2:B` means, or None for other text."""
    match = _AREA.fullmatch(text)
    if not text or not match:
        return None
    left, top, right, bottom = match.groups()
    if ":" not in text:
        if not (left and top):
            return None
        right, bottom = left, top
    if not ((left or top) and (right or bottom)) or (right and not left) or (bottom and not top):
        return None
    rows = sorted(int(row) for row in (top, bottom) if row)
    columns = sorted(column_index(column) for column in (left, right) if column)
    return Area(
        top=rows[0] - 1 if rows else 0,
        left=columns[0] if columns else 0,
        bottom=rows[1] if len(rows) == 2 else None,
        right=columns[1] + 1 if len(columns) == 2 else None,
    )


def is_r1c1(text: str) -> bool:
    """Whether the text is a range in the other notation, `R1C1`."""
    return bool(_R1C1.fullmatch(text)) and any(letter.isdigit() for letter in text)


def quoted(title: str) -> str:
    """A tab's title as it stands before the `!`: quoted where it is no plain word."""
    if _PLAIN_TITLE.fullmatch(title) and not _LOOKS_LIKE_A_CELL.fullmatch(title):
        return title
    return "'" + title.replace("'", "''") + "'"


def a1(title: str, area: Area) -> str:
    """The text of an area, as Google writes it in answers: `Orders!A2:C`."""
    start = f"{column_letters(area.left)}{area.top + 1}"
    end = "" if area.right is None else column_letters(area.right - 1)
    end += "" if area.bottom is None else str(area.bottom)
    return f"{quoted(title)}!{start}" + (f":{end}" if end not in ("", start) else "")
