"""How a source's columns have changed, and which of it a change log takes. PURE.

Taken are new columns, wider types, and whatever happens to a column that nobody reads. A conflict is a
column that somebody reads and that is gone, narrower or of another type, or a changed primary key:
then a person decides. The surprise: a column that was renamed is one that is gone and one that is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from genesis.errors import nearest
from genesis.lake.columns import LogColumn
from genesis.lake.declared import UNKNOWN, Declared, is_wider, language_type

Kind = Literal["added", "widened", "gone", "narrowed", "retyped", "key"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is other than before at the source; types as it declares them.

    Of a changed key, `before` and `now` are its columns.
    """

    kind: Kind
    column: str
    before: str | None = None
    now: str | None = None

    def __str__(self) -> str:
        match self.kind:
            case "added":
                return f"column `{self.column}` ({self.now}) is new"
            case "gone":
                return f"column `{self.column}` is gone"
            case "key":
                return f"the primary key was `{self.before}` and is `{self.now or 'none'}`"
            case _:
                return f"column `{self.column}` was {self.before} and is {self.now}"

    def to_json(self) -> dict[str, str | None]:
        """It as plain data."""
        return {
            "kind": self.kind,
            "column": self.column,
            "before": self.before,
            "now": self.now,
        }


@dataclass(frozen=True, slots=True)
class Evolution:
    """What becomes of a log whose source declares other columns than before.

    `new` are those that no field reads.

    `declared` is what counts as before from now on, `None` where the source declares nothing.
    """

    declared: Declared | None = None
    new: tuple[LogColumn, ...] = ()
    wider: tuple[LogColumn, ...] = ()
    conflicts: tuple[Change, ...] = ()
    changes: tuple[Change, ...] = ()

    def with_(self, other: Evolution) -> Evolution:
        """The two together, of one log that two ways lead into."""
        columns = {**(self.declared.columns if self.declared else {})}
        columns |= other.declared.columns if other.declared else {}
        return Evolution(
            Declared(columns),
            (*self.new, *other.new),
            (*self.wider, *other.wider),
            (*self.conflicts, *other.conflicts),
            (*self.changes, *other.changes),
        )


def evolved(
    before: Declared | None,
    declarations: Iterable[Declared],
    columns: Sequence[LogColumn],
    *,
    consumed: Collection[str],
    opt_in: bool,
    accepted: Collection[Change] = (),
) -> Evolution:
    """What becomes of a log, `columns` being those of its definition, as one declaration follows the other.

    `consumed` are the columns that somebody reads; `accepted` are conflicts that a person has let pass,
    unless it is a key that is gone.
    """
    key = {column.name for column in columns if column.required}
    accepted = [each for each in accepted if each.kind != "gone" or each.column not in key]
    found: dict[Change, None] = {}
    met: dict[Change, None] = {}
    for each in declarations:
        for change in _changes(before, each) if before else ():
            found[change] = None
            if _conflicts(change, columns, consumed) and change not in accepted:
                met[change] = None
        before = each.after(before)
    defined = {column.name for column in columns}
    return Evolution(
        before,
        new=tuple(_column(c) for c in found if opt_in and c.kind in ("added", "retyped") and c.column not in defined),
        wider=tuple(_column(c) for c in found if c.kind == "widened"),
        conflicts=tuple(met),
        changes=tuple(found),
    )  # fmt: skip


def way_out(evolution: Evolution, columns: Sequence[LogColumn]) -> str:
    """What a person may do about conflicts, in one sentence; `columns` are those of the definition."""
    conflicts = evolution.conflicts
    key = {column.name for column in columns if column.required}
    if any(change.kind == "gone" and change.column in key for change in conflicts):
        return "a key is never NULL: give the data source the new `primary_key` and another `table`"
    if any(change.kind == "key" for change in conflicts):
        return "give the data source the new `primary_key` and another `table`, or `--accept` where its own still tells records apart"
    fresh = {change.column: change.now for change in evolution.changes if change.kind == "added"}
    for change in conflicts:
        alike = [name for name, now in fresh.items() if now == change.before]
        if change.kind == "gone" and alike:
            name = nearest(change.column, alike) or alike[0]
            return f"was it renamed to `{name}`? then its field says `column: {name}`; or take the field away, or `--accept` that it stays NULL"
    if all(change.kind == "gone" for change in conflicts):
        return "take its field from the definition, or `--accept` that it stays NULL"
    if all(change.kind == "narrowed" for change in conflicts):
        return "`--accept` that its values are smaller from now on"
    return "`--accept` that what does not fit is rejected; if the field's `type` has been changed, its column starts anew by that"


def _changes(before: Declared, now: Declared) -> Iterator[Change]:
    """What differs between two declarations, columns in order of their names."""
    if before.key is not None and now.key is not None and before.key != now.key:
        keys = (", ".join(sorted(each.key or ())) for each in (before, now))
        yield Change("key", "", *keys)
    for name in sorted({**before.columns, **now.columns}):
        yield from _change(name, before.columns, now.columns)


def _change(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    was, is_ = before.get(name), now.get(name)
    if was == is_ or UNKNOWN in (was, is_):
        return
    if was is None:
        yield Change("added", name, None, is_)
    elif is_ is None:
        yield Change("gone", name, was, None)
    elif is_wider(was, is_):
        yield Change("widened", name, was, is_)
    else:
        yield Change("narrowed" if is_wider(is_, was) else "retyped", name, was, is_)


def _conflicts(change: Change, columns: Sequence[LogColumn], consumed: Collection[str]) -> bool:
    """Whether a person has to decide about a change."""
    match change.kind:
        case "added" | "widened":
            return False
        case "key":
            key = sorted(column.name for column in columns if column.required)
            return ", ".join(key) != change.now
        case "gone":
            return change.column in consumed
        case _:
            return change.column in consumed and not _is_met(change, columns)


def _is_met(change: Change, columns: Sequence[LogColumn]) -> bool:
    """Whether the definition says of a column's type what the source says of it now, and did not before."""
    types = [column.type for column in columns if column.name == change.column]
    before, now = (language_type(each or "") for each in (change.before, change.now))
    return types == [now] and now != before


def _column(change: Change) -> LogColumn:
    return LogColumn(change.column, language_type(change.now or ""))
