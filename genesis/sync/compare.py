"""Rows wanted, rows present -> what a refresh will do. Pure, and therefore the dry run.

Rows are matched by key. A cell that differs from the report is updated; where it also differs from
what genesis wrote last, a person changed it, and the policy says whose value stays. The surprise:
people sort a range and miss the hidden key beside it. Rows whose cells are exactly those that
genesis wrote for another key are that row: the key follows the cells, and the notes stay right. So
does a key that somebody typed over, where the row shows whose it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from genesis.sync.annotations import (
    annotation_notes,
    annotation_relabels,
    new_annotations,
    restores,
)
from genesis.sync.changes import (
    Cell,
    Changes,
    HumanEdit,
    Insert,
    Move,
    Policy,
    Present,
    PresentColumn,
    PresentRow,
    Relabel,
    Update,
    Wanted,
    WantedRow,
)
from genesis.sync.encode import REMOVED
from genesis.sync.keys import a_few
from genesis.sync.stamps import fingerprint, likeness, same, select, split, stamp_of

if TYPE_CHECKING:
    from genesis.compile.statement import Column

T = TypeVar("T")


def compare(*, wanted: Wanted, present: Present, policy: Policy) -> Changes:
    """What a refresh will do to a tracker; nothing where wanted and present agree."""
    goals = {row.key: row for row in wanted.rows}
    columns = _Columns(wanted.columns, present)
    known = _follow_stamped(columns.align(present.rows), goals, wanted)
    known = _without_strangers(_follow_shown(known, goals, wanted))
    rows = _follow_sorted(known, goals)
    lost = _lost(rows, goals, wanted)
    gone = _gone(rows, goals, wanted, policy, staying=lost)
    deletes = gone if policy.on_delete in ("delete", "archive") else ()
    updates, human_edits = _compare_cells(rows, goals, wanted, policy)
    leaving = frozenset(deletes)
    inserts, moves = _place(rows, wanted.rows, leaving, policy)
    return Changes(
        tracker=wanted.tracker,
        present=present,
        policy=policy,
        columns=wanted.columns,
        wanted_rows=len(wanted.rows) + len(wanted.refused),
        added=columns.added,
        dropped=columns.dropped,
        relabels=(*columns.relabels, *annotation_relabels(wanted, present)),
        inserts=inserts,
        updates=(*updates, *_marks(gone, rows, wanted.mark, policy)),
        deletes=deletes,
        moves=moves,
        followed=_followed(present, known, rows),
        releases=(
            *(row.position for row in present.copies),
            *(row.position for row in rows if row.key in lost),
        ),
        new_annotations=new_annotations(wanted, present),
        restores=tuple(
            restores(
                wanted,
                present,
                staying=(row.key for row in rows if row.key not in leaving),
                inserted=(insert.key for insert in inserts),
            )
        ),
        rejects=wanted.rejects,
        human_edits=human_edits,
        notes=(*_notes(present, columns, known, rows, lost), *annotation_notes(wanted, present)),
    )


def recognise(recorded: Sequence[tuple[str, str]], columns: Sequence[Column]) -> list[str]:
    """What columns that a tracker has, each by name and label, are called in the report now.

    A column that keeps its label is the same column, although its field got another name.
    """
    known = {name for name, _ in recorded}
    names = {column.name for column in columns}
    by_label = {column.label: column.name for column in columns if column.name not in known}
    return [name if name in names else by_label.get(label, name) for name, label in recorded]


def _gone(
    rows: Sequence[PresentRow],
    goals: Mapping[str, WantedRow],
    wanted: Wanted,
    policy: Policy,
    *,
    staying: Container[str],
) -> tuple[str, ...]:
    """Keys of rows that the report no longer has; a row that was merely refused is still in it."""
    if policy.mode in ("upsert", "append"):
        return ()
    return tuple(key for key in _absent(rows, goals, wanted) if key not in staying)


def _lost(
    rows: Sequence[PresentRow], goals: Mapping[str, WantedRow], wanted: Wanted
) -> tuple[str, ...]:
    """Keys of rows of which nobody can say whose they are: they stay, with what stands beside them."""
    here = {row.key for row in rows}
    doubtful = {row.key for row in rows if row.stamped is not None and row.stamped not in here}
    return tuple(key for key in _absent(rows, goals, wanted) if key in doubtful)


def _absent(
    rows: Iterable[PresentRow], goals: Mapping[str, WantedRow], wanted: Wanted
) -> Iterator[str]:
    refused = wanted.refused
    return (row.key for row in rows if row.key not in goals and row.key not in refused)


def _compare_cells(
    rows: Sequence[PresentRow], goals: Mapping[str, WantedRow], wanted: Wanted, policy: Policy
) -> tuple[tuple[Update, ...], tuple[HumanEdit, ...]]:
    updates: list[Update] = []
    edits: list[HumanEdit] = []
    for row in rows if policy.mode != "append" else ():
        goal = goals.get(row.key)
        if goal is None or row.cells == goal.cells:
            continue
        prints = split(row.stamp, len(row.cells))
        for at, (found, cell) in enumerate(zip(row.cells, goal.cells, strict=True)):
            if same(found, cell):
                continue
            name = wanted.columns[at].name
            if prints and fingerprint(found) != prints[at]:
                source_unchanged = fingerprint(cell) == prints[at]
                edits.append(HumanEdit(row.key, name, cell if source_unchanged else None, found))
                if policy.on_human_edit == "keep" and source_unchanged:
                    continue
            updates.append(Update(row.key, name, found, cell))
    return tuple(updates), tuple(edits)


def _marks(
    gone: Iterable[str], rows: Sequence[PresentRow], mark: Cell, policy: Policy
) -> Iterator[Update]:
    """Under `mark`, the last column of rows that left the report says so."""
    if policy.on_delete == "mark":
        found = {row.key: row.cells[-1] for row in rows}
        for key in gone:
            if not same(found[key], mark):
                yield Update(key, REMOVED.name, found[key], mark)


# ---- order


def _place(
    rows: Sequence[PresentRow], wanted: Sequence[WantedRow], deletes: frozenset[str], policy: Policy
) -> tuple[tuple[Insert, ...], tuple[Move, ...]]:
    """New rows at the bottom and no move, or all in the report's order with the fewest moves."""
    present = [row.key for row in rows if row.key not in deletes]
    here = set(present)
    in_order = policy.order == "query" and policy.mode != "append"
    staying = _longest_ordered(present, wanted) if in_order else here
    previous = None if in_order or not present else present[-1]
    inserts: list[Insert] = []
    moves: list[Move] = []
    for row in wanted:
        if row.key not in here:
            inserts.append(Insert(row.key, row.cells, previous))
        elif row.key not in staying:
            moves.append(Move(row.key, previous))
        if in_order or row.key not in here:
            previous = row.key
    return tuple(inserts), tuple(moves)


def _longest_ordered(present: Sequence[str], wanted: Sequence[WantedRow]) -> set[str]:
    """The most rows that are in the wanted order already: a longest increasing subsequence."""
    ranks = {row.key: rank for rank, row in enumerate(wanted)}
    ends: list[int] = []  # the lowest rank that ends an ordered run of each length
    end_keys: list[str] = []
    before: dict[str, str | None] = {}
    for key in present:
        if key not in ranks:
            continue
        at = bisect_left(ends, ranks[key])
        before[key] = end_keys[at - 1] if at else None
        ends[at : at + 1] = [ranks[key]]
        end_keys[at : at + 1] = [key]
    ordered: set[str] = set()
    last = end_keys[-1] if end_keys else None
    while last is not None:
        ordered.add(last)
        last = before[last]
    return ordered


# ---- columns


@dataclass(frozen=True, slots=True)
class _Columns:
    """The wanted columns beside the present ones."""

    wanted: tuple[Column, ...]
    present: Present

    @property
    def added(self) -> tuple[Column, ...]:
        found = {column.name for column in self.present.columns}
        return tuple(column for column in self.wanted if column.name not in found)

    @property
    def dropped(self) -> tuple[PresentColumn, ...]:
        names = {column.name for column in self.wanted}
        return tuple(column for column in self.present.columns if column.name not in names)

    @property
    def relabels(self) -> tuple[Relabel, ...]:
        """Headers that were emptied, or whose definition changed, unless a person wrote another."""
        labels = {column.name: column.label for column in self.wanted}
        return tuple(
            Relabel(column.name, column.header, labels[column.name])
            for column in self.present.columns
            if column.header in ("", column.label)
            and column.header != labels.get(column.name, column.header)
        )

    @property
    def renamed(self) -> tuple[PresentColumn, ...]:
        """Columns whose header a person wrote."""
        return tuple(
            column for column in self.present.columns if column.header not in ("", column.label)
        )

    def align(self, rows: Sequence[PresentRow]) -> list[PresentRow]:
        """The rows with their cells and stamps in the order of the wanted columns."""
        found = {column.name: at for at, column in enumerate(self.present.columns)}
        sources = [found.get(column.name) for column in self.wanted]
        if sources == list(range(len(self.present.columns))):
            return list(rows)
        return [
            replace(
                row,
                cells=tuple(None if at is None else row.cells[at] for at in sources),
                stamp=select(row.stamp, sources, len(found)),
            )
            for row in rows
        ]


# ---- rows whose hidden key a person typed over


def _follow_stamped(
    rows: list[PresentRow], goals: Mapping[str, WantedRow], wanted: Wanted
) -> list[PresentRow]:
    """The rows, those of wrong keys with the key in their stamp, if they are as it says.

    If not, somebody may have put in or dragged a row while the stamp was written. A key that is in the
    report is wrong only where the row itself shows that it is another's.
    """
    if all(row.stamped in (None, row.key) for row in rows):
        return rows
    here = {row.key for row in rows}
    shown = any(column.key for column in wanted.columns)
    odd = (row for row in rows if row.stamped and (shown or row.key not in goals))
    sure = (row for row in odd if row.stamped != row.key and row.stamp == stamp_of(row.cells))
    unique = list(_by_unique((str(row.stamped), row) for row in sure).values())
    taken = here - {row.key for row in unique} if shown else here
    keys = {row.position: str(row.stamped) for row in _untaken(unique, taken)}
    return [replace(row, key=keys.get(row.position, row.key)) for row in rows]


def _untaken(rows: list[PresentRow], taken: Set[str]) -> list[PresentRow]:
    """Those rows whose stamped key no other row keeps: rows may have swapped their keys."""
    free = [row for row in rows if row.stamped not in taken]
    if len(free) == len(rows):
        return rows
    staying = {row.key for row in rows if row.stamped in taken}
    return _untaken(free, taken | staying)


def _without_strangers(rows: list[PresentRow]) -> list[PresentRow]:
    """The rows; stamps that were written for another tell nothing of what was written last."""
    return [replace(row, stamp=None) if _is_stranger(row, row.key) else row for row in rows]


def _is_stranger(row: PresentRow, key: str) -> bool:
    """Whether a row's stamp was written for another key."""
    return row.stamped not in (None, key)


def _follow_shown(
    rows: list[PresentRow], goals: Mapping[str, WantedRow], wanted: Wanted
) -> list[PresentRow]:
    """The rows, those of unknown or another's keys with the key whose cells they show, as genesis wrote them.

    A report that does not show its key tells nothing of whose row it is.
    """
    places = [at for at, column in enumerate(wanted.columns) if column.key]
    here = {row.key for row in rows}
    unknown = [
        row for row in rows if places and (row.key not in goals or _is_stranger(row, row.key))
    ]
    missing = (goal for goal in goals.values() if unknown and goal.key not in here)
    by_cells = _by_unique((_prints(goal.cells, places), goal.key) for goal in missing)
    shown = _by_unique((_untouched(row, places), row) for row in unknown)
    keys = {row.position: by_cells[prints] for prints, row in shown.items() if prints in by_cells}
    if not keys:
        return rows
    return [replace(row, key=keys.get(row.position, row.key)) for row in rows]


def _prints(cells: Sequence[Cell], places: Iterable[int]) -> str:
    return "".join(fingerprint(cells[at]) for at in places)


def _untouched(row: PresentRow, places: Sequence[int]) -> str:
    """The fingerprints of a row's key cells, or nothing where a person changed one of them."""
    shown = _prints(row.cells, places)
    prints = split(row.stamp, len(row.cells))
    return shown if prints and shown == "".join(prints[at] for at in places) else ""


# ---- rows that a person sorted without their key


def _follow_sorted(rows: list[PresentRow], goals: Mapping[str, WantedRow]) -> list[PresentRow]:
    """The rows, each with the key that its cells were written for.

    They were written for another row's key, or for one that was deleted since and is in the report.
    """
    found = {row.position: stamp_of(row.cells) for row in rows if _is_doubtful(row, goals)}
    strays = [row for row in rows if found.get(row.position, row.stamp) != row.stamp]
    if not strays:
        return rows
    stamps = {row.key: str(row.stamp) for row in strays}
    here = {row.key for row in rows}
    missing = {key: stamp_of(goal.cells) for key, goal in goals.items() if key not in here}
    writers = _by_unique((stamp, key) for key, stamp in [*stamps.items(), *missing.items()])
    holders = _by_unique((found[row.position], row.position) for row in strays)
    keys = {at: writers[content] for content, at in holders.items() if content in writers}
    if not keys:
        return rows
    free = {key: stamps[key] for key in stamps if key not in set(keys.values())}
    rest = [row for row in strays if row.position not in keys]
    for row in sorted(rest, key=lambda row: row.key not in free):
        keys[row.position] = key = _most_alike(row.key, found[row.position], free)
        del free[key]
    stamps |= missing
    return [
        replace(row, key=keys[row.position], stamp=stamps[keys[row.position]])
        if row.position in keys
        else row
        for row in rows
    ]


def _is_doubtful(row: PresentRow, goals: Mapping[str, WantedRow]) -> bool:
    """Whether a row may be another: it has a stamp, and not the cells that its key should have."""
    goal = goals.get(row.key)
    stamped = row.stamp is not None and split(row.stamp, len(row.cells)) is not None
    return stamped and (goal is None or row.cells != goal.cells)


def _by_unique(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """First -> second, for firsts that occur once."""
    seen: dict[str, list[T]] = {}
    for first, second in pairs:
        seen.setdefault(first, []).append(second)
    return {first: seconds[0] for first, seconds in seen.items() if len(seconds) == 1}


def _most_alike(key: str, content: str, free: Mapping[str, str]) -> str:
    """For a row that was sorted and edited: its own key if it is free, else that of the likest row."""
    if key in free:
        return key
    return max(free, key=lambda other: likeness(content, free[other]))


def _followed(
    present: Present, known: Sequence[PresentRow], rows: Sequence[PresentRow]
) -> tuple[PresentRow, ...]:
    """The present rows, cells as they stand there, with the keys that follow their cells."""
    stamps = {row.key: old.stamp for old, row in zip(present.rows, known, strict=True)}
    return tuple(
        replace(old, key=new.key, stamp=None if _is_stranger(old, new.key) else stamps.get(new.key))
        for old, new in zip(present.rows, rows, strict=True)
        if old.key != new.key or old.position in present.retyped or _is_stranger(old, new.key)
    )


# ---- what people should hear


def _notes(
    present: Present,
    columns: _Columns,
    known: Sequence[PresentRow],
    rows: Sequence[PresentRow],
    lost: Sequence[str],
) -> Iterator[str]:
    for gone in columns.dropped:
        yield f"column `{gone.header}` left the report, and the tracker with all that is in it"
    for column in columns.renamed:
        yield f"header `{column.label}` was renamed to `{column.header}` and stays so"
    copied = sorted({row.key for row in present.copies})
    if copied:
        yield f"copies of rows {a_few(copied)} are their owner's now; one of each stays managed"
    typed = [
        new.key
        for old, new in zip(present.rows, known, strict=True)
        if old.key != new.key or old.position in present.retyped
    ]
    if typed:
        yield f"the hidden key of rows {a_few(typed)} was typed over or deleted, and is written again"
    moved = [new.key for old, new in zip(known, rows, strict=True) if old.key != new.key]
    if moved:
        yield f"rows {a_few(moved)} were sorted without their hidden key, which follows them"
    if lost:
        yield (
            f"whose rows {a_few(lost)} are, nobody can say: their hidden cells were typed over; they"
            " are people's rows now, with all that stands there"
        )
    yield from present.notes
