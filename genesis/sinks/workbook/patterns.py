"""How a workbook shows a column's values: number formats in Excel's own language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genesis.compile.statement import Column

_BY_TYPE = {
    "date": "yyyy-mm-dd",
    "time": "hh:mm:ss",
    "timestamp": "yyyy-mm-dd hh:mm:ss",
    "timestamptz": "yyyy-mm-dd hh:mm:ss",
    "integer": "0",
}
_MOST_PLACES = 6  # more are measurements, which read better as they come

# A letter of the language's date patterns, how often it stands, and Excel's word for it.
_DATE_WORDS = {
    "y": {1: "yyyy", 2: "yy", 4: "yyyy"},
    "M": {1: "m", 2: "mm", 3: "mmm", 4: "mmmm"},
    "d": {1: "d", 2: "dd"},
    "E": {1: "ddd", 2: "ddd", 3: "ddd", 4: "dddd"},
    "H": {1: "h", 2: "hh"},
    "h": {1: "h", 2: "hh"},
    "m": {1: "m", 2: "mm"},
    "s": {1: "s", 2: "ss"},
    "S": {1: "0", 2: "00", 3: "000"},
    "a": {1: "AM/PM"},
}
_DATE_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


def excel_pattern(column: Column) -> str | None:
    """The number format of a column, or `None` where values are shown as they come."""
    if column.pattern is None:
        return _default(column)
    return _date(column.pattern) if column.type.is_time else _number(column.pattern)


def _default(column: Column) -> str | None:
    if column.type.name == "decimal" and column.type.scale <= _MOST_PLACES:
        return f"0.{'0' * column.type.scale}".removesuffix(".")
    return _BY_TYPE.get(column.type.name)


def _date(pattern: str) -> str:
    return "".join(map(_date_piece, _DATE_PIECE.finditer(pattern)))


def _date_piece(piece: re.Match[str]) -> str:
    text = piece.group()
    if text.startswith("'"):
        return _quoted(piece[1].replace("''", "'") or "'")
    if not text[0].isalpha():
        return text if text.isascii() else _quoted(text)
    words = _DATE_WORDS.get(text[0])
    return words.get(len(text), words[max(words)]) if words else _quoted(text)


def _number(pattern: str) -> str:
    """The same, with signs that Excel might not know as text: it reads `€` only in quotes."""
    return re.sub(r"\"[^\"]*\"|[^\x00-\x7f]+", lambda found: _as_text(found.group()), pattern)


def _as_text(text: str) -> str:
    return text if text.startswith('"') else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "") + '"'
