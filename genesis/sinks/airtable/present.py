"""What a table of a base holds now: its records, known by the key that stands in each of them.

A record's stamp names the columns that it is of, since no request rewrites all records at once: some
may still bear what an earlier report wrote. The surprise: the key stands in the stamp too, and that
one counts, so that a person who types over the key moves no record to another row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from genesis.errors import Problem, SinkError
from genesis.sinks.airtable.fields import Layout, Linked
from genesis.sync.changes import Present, PresentColumn, PresentRow, Tracker
from genesis.sync.encode import key_of_cells, managed_columns
from genesis.sync.keys import key_columns
from genesis.sync.stamps import fingerprint, stamp_of

_STAMP = re.compile(r"((?:[A-Za-z0-9_-]{8})*) (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AirtablePresent(Present):
    """What a table holds now, and where: records by their rows' positions.

    `stale` are the rows whose stamp tells of a column that the table has lost, and that is made again.
    """

    layout: Layout | None = None
    records: tuple[str, ...] = ()
    keys: tuple[str | None, ...] = field(default=(), repr=False)
    stale: frozenset[int] = frozenset()
    linked: Mapping[str, Linked] = field(default_factory=dict)
    reads: int = 0


def stamp_text(key: str, columns: Iterable[str], stamp: str) -> str:
    """A stamp as a record bears it: each fingerprint after that of its column's name, and the key."""
    prints = (stamp[at : at + 4] for at in range(0, len(stamp), 4))
    pairs = (_name_print(name) + one for name, one in zip(columns, prints, strict=True))
    return f"{''.join(pairs)} {key}"


def present_of(
    records: Sequence[Mapping[str, Any]], layout: Layout, tracker: Tracker
) -> AirtablePresent:
    """What the records say. Raises `tracker-not-ours` for content that nobody adopts."""
    layout = _without_strangers(records, layout, tracker)
    columns = [layout.kept[c.name] for c in managed_columns(tracker) if c.name in layout.kept]
    shown = tuple(
        PresentColumn(one.column, one.label, one.name, at) for at, one in enumerate(columns)
    )
    names = [one.column for one in columns]
    asked = [layout.asked[e.name] for e in tracker.annotations if e.name in layout.asked]
    lost = {fingerprint(c.name) for c in managed_columns(tracker) if c.name not in layout.kept}
    rows = []
    stale = set()
    for position, record in enumerate(records):
        fields = record["fields"]
        cells = tuple(one.cell(fields.get(one.id)) for one in columns)
        key, prints = _identity(fields, layout)
        if layout.key is None and tracker.adopt:
            key = key_of_cells(dict(zip(names, cells, strict=True)), tracker)
        if prints and not lost.isdisjoint(prints):
            stale.add(position)
        if key is not None:
            said = tuple(one.cell(fields.get(one.id)) for one in asked)
            rows.append(PresentRow(key, cells, position, _stamp(prints, names), said))
    kept, copies = _apart(rows, records)
    typed = tuple(r["fields"].get(layout.key) if layout.key else None for r in records)
    return AirtablePresent(
        columns=shown,
        rows=kept,
        copies=copies if layout.key else (),
        annotations=tuple(
            PresentColumn(one.column, one.label, one.name, at) for at, one in enumerate(asked)
        ),
        own_columns=layout.own,
        exists=layout.key is not None or tracker.adopt,
        ours=layout.key is not None,
        notes=tuple(_notes(layout, tracker)),
        layout=layout,
        records=tuple(record["id"] for record in records),
        keys=typed,
        stale=frozenset(stale),
        # Written again before anything is inserted: new records are merged with those that bear their key.
        retyped=frozenset(
            row.position for row in kept if layout.key and typed[row.position] != row.key
        ),
    )


def _notes(layout: Layout, tracker: Tracker) -> Iterator[str]:
    for name in layout.left:
        yield f"field `{name}` is no longer kept: delete it or keep it"
    if tracker.order == "query":
        yield "records of a base have no order of their own: `order: query` is a view's to keep"


def _identity(
    fields: Mapping[str, Any], layout: Layout
) -> tuple[str | None, Mapping[str, str] | None]:
    """A record's key, and what was written last into the columns it had then."""
    key = fields.get(layout.key) if layout.key else None
    match = _STAMP.fullmatch(str(fields.get(layout.stamp))) if layout.stamp else None
    if match is None or not layout.key:
        return key, None
    pairs = [match[1][at : at + 8] for at in range(0, len(match[1]), 8)]
    return match[2], {pair[:4]: pair[4:] for pair in pairs}


def _stamp(prints: Mapping[str, str] | None, names: Iterable[str]) -> str | None:
    if prints is None:
        return None
    return "".join(prints.get(_name_print(name), _EMPTY) for name in names)


# Of every record the same few names.
_name_print = lru_cache(fingerprint)
_EMPTY = fingerprint(None)


def _apart(
    rows: Sequence[PresentRow], records: Sequence[Mapping[str, Any]]
) -> tuple[tuple[PresentRow, ...], tuple[PresentRow, ...]]:
    """One row of each key, and the copies that people made: those that are changed, or younger."""
    by_key: dict[str, list[PresentRow]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)

    def age(row: PresentRow) -> tuple[bool, str]:
        return row.stamp != stamp_of(row.cells), records[row.position].get("createdTime", "")

    first = {
        key: (min(same, key=age) if len(same) > 1 else same[0]).position
        for key, same in by_key.items()
    }
    kept = tuple(row for row in rows if first[row.key] == row.position)
    return kept, tuple(row for row in rows if first[row.key] != row.position)


# ---- whose it is


def _without_strangers(
    records: Sequence[Mapping[str, Any]], layout: Layout, tracker: Tracker
) -> Layout:
    """The layout, once it is sure that nothing in it is a person's. Raises `tracker-not-ours`."""
    has_content = any(record["fields"] for record in records)
    if tracker.adopt:
        _check_adoptable(layout, tracker)
        return layout
    if layout.key is None:
        if has_content:
            raise _not_ours(tracker, f"table `{_table(tracker)}`", "name another table")
        return layout
    written: set[str] = set()
    for record in records:
        written |= (_identity(record["fields"], layout)[1] or {}).keys()
    for name in layout.doubtful:
        kept = layout.kept[name]
        is_empty = all(record["fields"].get(kept.id) is None for record in records)
        if not is_empty and fingerprint(name) not in written:
            raise _not_ours(
                tracker, f"field `{kept.name}`", "rename the field, or label the column"
            )
    return layout


def _check_adoptable(layout: Layout, tracker: Tracker) -> None:
    keys = {column.name for column in key_columns(tracker.columns)}
    if layout.key is None and not keys <= set(layout.kept):
        named = ", ".join(f"`{c.label}`" for c in key_columns(tracker.columns))
        raise SinkError(
            Problem(
                "tracker-not-ours",
                f"table `{_table(tracker)}` cannot be adopted: it has no field for the key {named}",
                hint="rename its fields to the report's labels, or let the report show its key",
            )
        )


def _not_ours(tracker: Tracker, what: str, way: str) -> SinkError:
    message = f"{what} of tracker `{tracker.name}` has content that genesis did not write"
    hint = f"`--adopt` matches records by key and fields by label; or {way}"
    return SinkError(Problem("tracker-not-ours", message, hint=hint))


def _table(tracker: Tracker) -> str:
    return tracker.place.airtable.table if tracker.place.airtable else ""
