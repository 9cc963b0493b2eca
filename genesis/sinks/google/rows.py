"""Rows to where they belong: which to delete, to move, to insert, in the order that a sheet does it.

First rows go, from the bottom up; then those that stay take their order; then new rows come in, from
the top down. So each number is right at the moment at which it counts. The surprise: a move says
where to by the numbers before the row has left, and all rows of people stand between ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from genesis.sync.changes import Changes, Insert, arrange


@dataclass(frozen=True, slots=True)
class Span:
    """Rows or columns side by side: the first, and how many."""

    start: int
    count: int

    @property
    def end(self) -> int:
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class MoveTo:
    """Rows that move to before row `to`, counted as they stand before."""

    rows: Span
    to: int


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What happens to rows, and where each ends up: by its old place, or as one of the new."""

    deletes: tuple[Span, ...]
    moves: tuple[MoveTo, ...]
    inserts: tuple[tuple[int, tuple[Insert, ...]], ...]
    places: Mapping[int, int]
    last: int
    grown: int

    def place(self, row: int) -> int:
        """Where a row is after all of it."""
        return row + self.grown if row > self.last else self.places.get(row, row)


def plan_rows(changes: Changes, *, first: int) -> RowPlan:
    """The rows below a header, whose first one is `first`, in their order after the changes."""
    keys = {row.position: row.key for row in changes.rows}
    last = max(keys, default=first - 1)
    arranged = arrange(((keys.get(row), row) for row in range(first, last + 1)), changes)
    gone = set(changes.deletes)
    moved = {move.key for move in changes.moves}
    staying = [row for row in range(first, last + 1) if keys.get(row) not in gone]
    movers = {row for row in staying if keys.get(row) in moved}
    wanted = [item for item in arranged if not isinstance(item, Insert)]
    return RowPlan(
        deletes=tuple(reversed(spans(row for row, key in keys.items() if key in gone))),
        moves=tuple(_moves(staying, wanted, movers, first)) if movers else (),
        inserts=tuple(_inserts(arranged, first)),
        places={row: first + at for at, row in enumerate(arranged) if not isinstance(row, Insert)},
        last=last,
        grown=first + len(arranged) - last - 1,
    )


def spans(places: Iterable[int]) -> list[Span]:
    """Places that lie side by side, as one each, in order."""
    found: list[Span] = []
    for place in sorted(places):
        if found and found[-1].end == place:
            found[-1] = Span(found[-1].start, found[-1].count + 1)
        else:
            found.append(Span(place, 1))
    return found


def _inserts(
    arranged: Sequence[int | Insert], first: int
) -> Iterator[tuple[int, tuple[Insert, ...]]]:
    run: list[Insert] = []
    for at, item in enumerate(arranged, first):
        if isinstance(item, Insert):
            run.append(item)
        elif run:
            yield at - len(run), tuple(run)
            run = []
    if run:
        yield first + len(arranged) - len(run), tuple(run)


def _moves(
    current: Sequence[int], wanted: Sequence[int], movers: set[int], first: int
) -> Iterator[MoveTo]:
    """The moves from one order to another.

    The rows that stay make gaps. In each gap, rows that have come stand before those that have yet
    to leave, so two counts tell where a row is: the movers that arrived, and those that wait.
    """
    at = {row: place for place, row in enumerate(current)}
    gap_of: dict[int, int] = {}
    waiting = _Counts(len(current))
    passed = 0
    for place, row in enumerate(current):
        gap_of[row] = passed
        if row in movers:
            waiting.add(place, 1)
        else:
            passed += 1
    first_waiting = _first_places(current, movers, passed)
    arrived = _Counts(passed + 1)
    gap = 0
    runs = list(_runs(wanted, movers, at))
    for run in runs:
        if run[0] not in movers:
            gap += len(run)
            continue
        old = gap_of[run[0]]
        start = old + arrived.up_to(old + 1) + waiting.up_to(at[run[0]])
        to = gap + arrived.up_to(gap + 1) + waiting.up_to(first_waiting[gap])
        if not start <= to <= start + len(run):
            yield MoveTo(Span(first + start, len(run)), first + to)
        for row in run:
            waiting.add(at[row], -1)
        arrived.add(gap, len(run))


def _first_places(current: Sequence[int], movers: set[int], gaps: int) -> list[int]:
    """Where each gap begins, in the order as it was."""
    return [0, *(at + 1 for at, row in enumerate(current) if row not in movers)][: gaps + 1]


def _runs(wanted: Sequence[int], movers: set[int], at: Mapping[int, int]) -> Iterator[list[int]]:
    """Rows that can move as one: they stand side by side, and will."""
    run: list[int] = []
    for row in wanted:
        together = run and row in movers and run[-1] in movers and at[row] == at[run[-1]] + 1
        if run and not together:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


class _Counts:
    """Numbers at places, and the sum of those before a place: a Fenwick tree."""

    def __init__(self, size: int) -> None:
        self._sums = [0] * (size + 1)

    def add(self, place: int, count: int) -> None:
        place += 1
        while place < len(self._sums):
            self._sums[place] += count
            place += place & -place

    def up_to(self, place: int) -> int:
        total = 0
        while place:
            total += self._sums[place]
            place -= place & -place
        return total
