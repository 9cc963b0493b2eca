"""Regular expressions that RE2 (DuckDB) and Joni (Trino) read alike, and what is written for each.

A pattern means what RE2 reads. Refused is what one of them lacks or reads otherwise: look-around,
back references, possessive quantifiers, named groups, `\\b`, POSIX classes, flags but `i` and `s`.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"(?P<escape>\\(?:[pP]\{\w+\}|[pP]\w|.))|(?P<group>\(\?(?:[is]*:|[is]*\))?)|(?P<quantifier>(?:[*+?]|\{\d+(?:,\d*)?\})(?P<more>[?+]?))|(?P<other>.)",
    re.DOTALL,
)
_CLASSES = {"s": r"[\t\n\f\r ]", "S": r"[^\t\n\f\r ]"}
_ESCAPES = frozenset("dDwWsStnrf")
_CATEGORIES = frozenset(
    ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "N", "Nd", "Nl", "No", "P", "S", "Z", "Zs"]
)


def pattern_of_trino(pattern: str) -> str | None:
    """The pattern as Trino reads it the way RE2 reads this one, or `None` where there is no such."""
    written: list[str] = []
    in_class = False
    for match in _PIECE.finditer(pattern):
        piece = match.group()
        if in_class:
            part = _in_class(match, written[-1])
            in_class = piece != "]" or written[-1] in ("[", "[^")
        elif piece == "[":
            part, in_class = piece, True
        else:
            part = _outside(match)
        if part is None:
            return None
        if piece == "^" and in_class and written[-1] == "[":
            written[-1] = "[^"
        else:
            written.append(part)
    return None if in_class else "".join(written)


def _outside(match: re.Match[str]) -> str | None:
    piece = match.group()
    if match["escape"]:
        return _escape(piece)
    if match["group"]:
        return piece if len(piece) > 2 else None
    if match["quantifier"]:
        return piece if match["more"] != "+" else None
    return r"\z" if piece == "$" else piece


def _in_class(match: re.Match[str], before: str) -> str | None:
    piece = match.group()
    if match["escape"]:
        if piece == r"\S":
            return None
        return r"\t\n\f\r " if piece == r"\s" else _escape(piece)
    if "[" in piece or (piece == "&" and before == "&"):
        return None
    return piece


def _escape(piece: str) -> str | None:
    letter = piece[1]
    if letter in "pP":
        return piece if piece[2:].strip("{}") in _CATEGORIES else None
    if letter in _CLASSES:
        return _CLASSES[letter]
    return piece if letter in _ESCAPES or not (letter.isalnum() or letter == "_") else None


_REPLACEMENT = re.compile(r"\\[\\$]|\$\d(?!\d)|[^\\$]", re.DOTALL)


def is_replacement(text: str) -> bool:
    """Whether a replacement holds only plain text, `$1`, `\\$` and `\\\\`."""
    return not _REPLACEMENT.sub("", text)


def with_groups_of_re2(text: str) -> str:
    """A replacement with its groups as RE2 writes them."""
    return _REPLACEMENT.sub(_re2, text)


def _re2(match: re.Match[str]) -> str:
    piece = match.group()
    if piece[0] == "$":
        return "\\" + piece[1:]
    return "$" if piece == r"\$" else piece
