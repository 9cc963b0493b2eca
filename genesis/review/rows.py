"""How the rows of a report differ from those that were expected. PURE.

Rows that belong together are shown together: by the report's key where it is compared, else by what they
have in common. The surprise: floats are equal when they agree in nine digits.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Row = tuple[Any, ...]
_DIGITS = 1e-9


@dataclass(frozen=True)
class RowDifference:
    """A row that is not as it was expected; one that moved is right, and not in its place."""

    kind: Literal["missing", "unexpected", "changed", "moved"]
    expected: Row | None
    found: Row | None


def compare_rows(
    expected: Sequence[Row],
    found: Sequence[Row],
    *,
    key: Sequence[int] = (),
    ordered: bool = False,
) -> tuple[RowDifference, ...]:
    """What differs, in the order that was expected, and what nobody expected; `key` are positions of cells."""
    equal = _pair(expected, found, {}, lambda one, other: all(map(same, one, other)))
    pairs = _pair(expected, found, equal, _belongs(key))
    moved = _moved(equal) if ordered and len(pairs) == len(expected) == len(found) else set()
    told = [_difference(n, row, pairs, found) for n, row in enumerate(expected)]
    told = [
        RowDifference("moved", row, row) if n in moved else each
        for n, (row, each) in enumerate(zip(expected, told, strict=True))
    ]
    others = (row for n, row in enumerate(found) if n not in pairs.values())
    every = [*told, *(RowDifference("unexpected", None, row) for row in others)]
    return tuple(each for each in every if each is not None)


def same(one: Any, other: Any) -> bool:
    """Whether two cells hold the same value."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_DIGITS) or (one != one and other != other)
    return bool(one == other)


def _pair(
    expected: Sequence[Row],
    found: Sequence[Row],
    known: dict[int, int],
    like: Callable[[Row, Row], float],
) -> dict[int, int]:
    """The rows found for those expected, each once: of those that are left, the most alike."""
    pairs = dict(known)
    for n, row in enumerate(expected):
        left = [m for m in range(len(found)) if m not in pairs.values()] if n not in pairs else []
        best = max(left, key=lambda m: like(row, found[m]), default=None)
        if best is not None and like(row, found[best]):
            pairs[n] = best
    return pairs


def _belongs(key: Sequence[int]) -> Callable[[Row, Row], float]:
    """How much two rows have in common: with a key, all or nothing; without, at least half of the cells."""

    def by_key(one: Row, other: Row) -> float:
        return all(same(one[n], other[n]) for n in key)

    def by_cells(one: Row, other: Row) -> float:
        equal = sum(map(same, one, other))
        return equal if 2 * equal >= len(one) else 0

    return by_key if key else by_cells


def _difference(
    number: int, row: Row, pairs: dict[int, int], found: Sequence[Row]
) -> RowDifference | None:
    if number not in pairs:
        return RowDifference("missing", row, None)
    other = found[pairs[number]]
    return None if all(map(same, row, other)) else RowDifference("changed", row, other)


def _moved(pairs: dict[int, int]) -> set[int]:
    """The rows that have to go elsewhere so that all others are in order: as few as can be."""
    order = sorted(pairs)
    ends: list[int] = []  # of the best chain of each length, the place where it ends
    chains: list[tuple[int, ...]] = []
    for n in order:
        length = bisect_left(ends, pairs[n])
        chain = (*(chains[length - 1] if length else ()), n)
        ends[length : length + 1] = [pairs[n]]
        chains[length : length + 1] = [chain]
    return set(order) - set(chains[-1] if chains else ())
