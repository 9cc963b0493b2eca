"""How the rows of a report change: the rows of one moment by the old SQL, and by the new.

Rows are told apart by key where both sides have the same one and it is unique; otherwise a row that is
not just as it was is one that left and one that came. The surprise: rows of a sample are chosen by their
key, or by all of their cells, so that the same ones are in both sides' samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple

from genesis.compile.statement import Column, Statement

MASK = "***"
_HIDDEN = "_key_"
WIDEST = 60  # characters of a cell

Row = tuple[object, ...]


class Cell(NamedTuple):
    """A cell of a sample, as text; `was` where it is not as it was."""

    label: str
    value: str
    was: str | None = None


@dataclass(frozen=True)
class Sample:
    """One row that comes, goes, or has other cells."""

    kind: Literal["comes", "goes", "changes"]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RowChange:
    """How many rows there are, and how they differ; `share` is the part of them that was looked at.

    `key` are the labels by which rows are told apart, none where rows are compared whole. `columns` are the
    columns in which cells differ, each with how many; of a column that comes or goes all do, unsaid.
    """

    before: int
    after: int
    added: int
    removed: int
    changed: int
    key: tuple[str, ...] = ()
    columns: tuple[tuple[str, int], ...] = ()
    samples: tuple[Sample, ...] = ()
    share: float = 1.0

    @property
    def is_sampled(self) -> bool:
        return self.share < 1


class Rows(NamedTuple):
    """The rows of one side, in its order, and how many there are in all."""

    columns: tuple[Column, ...]
    rows: Sequence[Row]
    total: int


def compare_rows(
    before: Rows, after: Rows, *, names: Mapping[str, str], samples: int, share: float = 1.0
) -> RowChange:
    """How rows differ; `names` has the old name of each column that is called otherwise now."""
    both = _Both(before, after, _common(before.columns, after.columns, names))
    added, removed, changed = both.by_key() if both.has_key else both.whole()
    pairs = [(both.new_labels[at], _count(changed, at)) for at in range(len(both.new_labels))]
    return RowChange(
        before=before.total,
        after=after.total,
        added=len(added),
        removed=len(removed),
        changed=len(changed),
        key=tuple(after.columns[at].label.removeprefix(_HIDDEN) for at in both.new_key)
        if both.has_key
        else (),
        columns=tuple((label, n) for label, n in pairs if n),
        samples=(
            *islice((both.sample("goes", row, None) for row in removed), samples),
            *islice((both.sample("comes", None, row) for row in added), samples),
            *islice((both.sample("changes", old, new) for old, new in changed), samples),
        ),
        share=share,
    )


def _common(
    old: tuple[Column, ...], new: tuple[Column, ...], names: Mapping[str, str]
) -> list[tuple[int, int]]:
    """Where the columns that both have stand on either side."""
    places = {column.name: at for at, column in enumerate(old)}
    keys = {_bare(column): at for at, column in enumerate(old) if column.key}
    found = []
    for at, column in enumerate(new):
        place = places.get(names.get(column.name, column.name))
        if place is None and column.key:  # one side shows it, the other does not
            place = keys.get(_bare(column))
        if place is not None:
            found.append((place, at))
    return found


def _bare(column: Column) -> str:
    return column.name.removeprefix(_HIDDEN)


def _count(changed: Iterable[tuple[Row, Row]], at: int) -> int:
    return sum(not _same(old[at], new[at]) for old, new in changed)


class _Both:
    """Both sides, with their rows cut to the columns that both have, in the order of the new ones."""

    def __init__(self, before: Rows, after: Rows, common: list[tuple[int, int]]) -> None:
        self._before, self._after, self._common = before, after, common
        self.new_labels = [after.columns[at].label for _, at in common]
        self._masked = [
            bool(before.columns[old].sensitivity or after.columns[new].sensitivity)
            for old, new in common
        ]
        self._keys = [
            place
            for place, (old, new) in enumerate(common)
            if before.columns[old].key and after.columns[new].key
        ]
        self.new_key = [common[place][1] for place in self._keys]
        self._old_rows = [tuple(row[at] for at, _ in common) for row in before.rows]
        self._new_rows = [tuple(row[at] for _, at in common) for row in after.rows]

    @property
    def has_key(self) -> bool:
        """Whether both sides have the same key, and no two rows with one."""
        sizes = {len(self._keys), *(_keys(side.columns) for side in (self._before, self._after))}
        if len(sizes) > 1 or not self._keys:
            return False
        return all(
            len({self._key(row) for row in rows}) == len(rows)
            for rows in (self._old_rows, self._new_rows)
        )

    def _key(self, row: Row) -> Hashable:
        return tuple(_hashable(row[at]) for at in self._keys)

    def by_key(self) -> tuple[list[Row], list[Row], list[tuple[Row, Row]]]:
        """The rows that come, that go, and those whose cells change."""
        old = {self._key(row): row for row in self._old_rows}
        new = {self._key(row): row for row in self._new_rows}
        added = [row for key, row in new.items() if key not in old]
        removed = [row for key, row in old.items() if key not in new]
        both = ((old[key], row) for key, row in new.items() if key in old)
        return added, removed, [pair for pair in both if not all(map(_same, *pair))]

    def whole(self) -> tuple[list[Row], list[Row], list[tuple[Row, Row]]]:
        """The rows that come and go, where they have no key: as many as there are more of."""
        old, new = (
            Counter(tuple(map(_hashable, row)) for row in rows)
            for rows in (self._old_rows, self._new_rows)
        )
        added, removed = list(_more(self._new_rows, old)), list(_more(self._old_rows, new))
        return added, removed, []

    def sample(
        self, kind: Literal["comes", "goes", "changes"], old: Row | None, new: Row | None
    ) -> Sample:
        """A row as people may see it: nothing sensitive, and of one that changes the key and what changes."""
        cells = []
        row = new if new is not None else old or ()
        keys_first = sorted(range(len(self.new_labels)), key=lambda at: at not in self._keys)
        for at in keys_first:
            label, was = self.new_labels[at], None
            if old is not None and new is not None:
                if not _same(old[at], new[at]):
                    was = self._text(old[at], at)
                elif at not in self._keys:
                    continue
            cells.append(Cell(label.removeprefix(_HIDDEN), self._text(row[at], at), was))
        return Sample(kind, tuple(cells))

    def _text(self, value: object, at: int) -> str:
        if self._masked[at]:
            return MASK
        text = "" if value is None else " ".join(str(value).split())
        return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _keys(columns: Iterable[Column]) -> int:
    return sum(column.key for column in columns)


def _more(rows: Iterable[Row], known: Counter[Row]) -> Iterator[Row]:
    """The rows that are there more often than they are known."""
    left = Counter(known)
    for row in rows:
        key = tuple(map(_hashable, row))
        if left[key] > 0:
            left[key] -= 1
        else:
            yield row


def _hashable(value: object) -> Hashable:
    if value != value:  # NaN: for a person it is the same each time
        return "NaN"
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    return value if isinstance(value, Hashable) else repr(value)


def _same(one: object, other: object) -> bool:
    return _hashable(one) == _hashable(other)


def told_apart_by(
    before: tuple[Column, ...], after: tuple[Column, ...], names: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of either side by whose values the same rows are in both sides' samples."""
    common = [(before[one], after[other]) for one, other in _common(before, after, names)]
    keys = [pair for pair in common if pair[0].key and pair[1].key]
    if len(keys) != _keys(before) or len(keys) != _keys(after):
        keys = []
    pairs = [pair for pair in keys or common if _is_text_alike(*pair)]
    return tuple(one.name for one, _ in pairs), tuple(other.name for _, other in pairs)


def _is_text_alike(one: Column, other: Column) -> bool:
    """Whether equal values have equal texts on an engine."""
    return one.type == other.type and one.type.name not in ("array", "json", "float")


# --- asking the engine --------------------------------------------------------------------------


def counting(statement: Statement) -> Statement:
    """How many rows a statement has."""
    return _over(statement, "SELECT count(*) AS n FROM (\n{}\n) AS report")


def first_rows(statement: Statement, rows: int) -> Statement:
    """Some of its rows, and no more."""
    return _over(statement, "SELECT * FROM (\n{}\n) AS report", f" LIMIT {rows}")


def sampled(statement: Statement, names: Sequence[str], share: float, dialect: str) -> Statement:
    """The rows whose cells of some columns fall into a share of all values: the same ones in any report."""
    quoted = ('"' + name.replace('"', '""') + '"' for name in names)
    texts = (f"coalesce(CAST({name} AS VARCHAR), '')" for name in quoted)
    text = " || '|' || ".join(texts) or "''"
    digest = f"md5({text})" if dialect == "duckdb" else f"lower(to_hex(md5(to_utf8({text}))))"
    bound = f"{min(int(share * _PARTS), _PARTS - 1):06x}"
    condition = f" WHERE substr({digest}, 1, 6) < '{bound}'"
    return _over(statement, "SELECT * FROM (\n{}\n) AS report", condition)


_PARTS = 16**6


def _over(statement: Statement, query: str, then: str = "") -> Statement:
    """A query over what a statement gives. Its text is put in whole: it may be of any dialect."""
    unstaged = statement.unstaged
    return replace(
        statement,
        sql=query.replace("{}", statement.sql, 1) + then,
        unstaged=query.replace("{}", unstaged, 1) + then if unstaged is not None else None,
    )
