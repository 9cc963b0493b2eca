"""Stamps: what genesis wrote last, four characters a cell, so that a person's edit is noticed.

A stamp stands beside its row in the tracker itself, in the order of the tracker's columns: nothing
has to be remembered elsewhere. The surprise: numbers count to 15 digits, because that is what
every program keeps of them, and an engine that adds up in parallel does not repeat the rest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from genesis.sync.changes import Cell, Changes, Formula

_WIDTH = 4  # one chance in 16 million to miss an edit


@dataclass(frozen=True, slots=True)
class Stamp:
    """The key and the fingerprints that belong to the row at a position."""

    position: int
    key: str
    text: str


def stamps(changes: Changes) -> Iterator[Stamp]:
    """What has to stand beside rows that are present and stay, where it changes."""
    names = [column.name for column in changes.columns]
    place = {column.name: index for index, column in enumerate(changes.present.columns)}
    sources = [place.get(name) for name in names]
    new, deleted = changes.new_cells, set(changes.deletes)
    for old, row in zip(changes.present.rows, changes.rows, strict=True):
        # A cell that stays keeps its fingerprint, also where a person changed it and that stays.
        prints = split(row.stamp, len(place)) or [fingerprint(cell) for cell in row.cells]
        marks = [fingerprint(None) if at is None else prints[at] for at in sources]
        cells = new.get(row.key, {})
        text = "".join(
            fingerprint(cells[name]) if name in cells else mark
            for name, mark in zip(names, marks, strict=True)
        )
        is_same = (row.key, text) == (old.key, old.stamp) and old.stamped in (None, row.key)
        if row.key not in deleted and not is_same:
            yield Stamp(row.position, row.key, text)


def stamp_of(cells: Iterable[Cell]) -> str:
    """The stamp of a row that holds just these cells."""
    return "".join(map(fingerprint, cells))


def split(stamp: str | None, width: int) -> list[str] | None:
    """The fingerprint of each cell, or `None` where the stamp is not one of so wide a row."""
    if not stamp or len(stamp) != _WIDTH * width:
        return None
    return [stamp[at : at + _WIDTH] for at in range(0, len(stamp), _WIDTH)]


def likeness(one: str, other: str) -> int:
    """How many cells two stamps have in common."""
    width = len(one) // _WIDTH
    pairs = zip(split(one, width) or (), split(other, width) or (), strict=False)
    return sum(mine == theirs for mine, theirs in pairs)


def select(stamp: str | None, sources: Sequence[int | None], width: int) -> str | None:
    """The stamp of a row whose cells are taken from these places of another; new ones are empty."""
    prints = split(stamp, width)
    if prints is None:
        return None
    return "".join(fingerprint(None) if at is None else prints[at] for at in sources)


def fingerprint(cell: Cell) -> str:
    """A cell in four characters; cells that hold the same give the same."""
    digest = hashlib.blake2b(_canonical(cell).encode("utf-8", "surrogatepass"), digest_size=3)
    return base64.urlsafe_b64encode(digest.digest()).decode()


def same(one: Cell, other: Cell) -> bool:
    """Whether two cells hold the same."""
    if one == other or one is other:
        return True
    numbers = isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal)
    inexact = isinstance(one, float) or isinstance(other, float)
    return numbers and inexact and _canonical(one) == _canonical(other)


def _canonical(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return f"b{cell}"
        case int():
            return f"n{cell:.15g}" if abs(cell) < 10**15 else f"n{cell}"
        case float():
            return f"n{cell:.15g}"
        case Decimal():
            exact = cell.is_finite() and cell == int(cell)
            return _canonical(int(cell)) if exact else f"n{float(cell):.15g}"
        case str():
            return f"s{cell}"
        case datetime() | date() | time():
            return f"d{cell.isoformat()}"
        case Formula(text):
            return f"f{text}"
        case tuple():
            return f"t{[_canonical(item) for item in cell]}"
