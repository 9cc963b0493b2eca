"""Changes as requests: ten records each, and the one bad record of ten set apart.

Requests follow one another without a transaction: updates, new records, deletes. Each of them may be
done twice: new records are merged by their key, updates and deletes go by record id. A batch that is
refused is halved, then taken apart, until the bad record is alone; only that one is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from genesis.sinks.airtable.fields import Layout, Unresolved
from genesis.sinks.airtable.present import AirtablePresent, stamp_text
from genesis.sinks.airtable.service import BATCH, is_full, is_gone, message_of
from genesis.sync.changes import Cell, Changes, Insert, PresentRow, Reject, Tracker
from genesis.sync.stamps import stamp_of, stamps

if TYPE_CHECKING:
    from pyairtable import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One record to write: its row's key, its id where it has one, its values by field id."""

    key: str
    record: str | None
    values: Mapping[str, Any]
    has_new_options: bool = False


@dataclass
class Writer:
    """Writes rows to one table and keeps account of what landed."""

    table: Table
    layout: Layout
    rejects: list[Reject] = field(default_factory=list)
    landed: set[str] = field(default_factory=set)
    _full: requests.HTTPError | None = None

    def update(self, rows: Iterable[Row]) -> None:
        """Change records by their ids; what is not named stays."""

        def send(batch: Sequence[Row]) -> None:
            records: list[Any] = [{"id": row.record, "fields": row.values} for row in batch]
            self.table.batch_update(records, typecast=_typecast(batch))

        self._send(rows, send)

    def insert(self, rows: Iterable[Row]) -> None:
        """Make records, each once, however often it is tried. Raises where the base is full."""

        def send(batch: Sequence[Row]) -> None:
            records = [{"fields": dict(row.values)} for row in batch]
            keys = [str(self.layout.key)]
            self.table.batch_upsert(records, key_fields=keys, typecast=_typecast(batch))

        self._send(rows, send)

    def delete(self, rows: Iterable[Row]) -> None:
        """Delete records; one that is gone already is deleted."""

        def send(batch: Sequence[Row]) -> None:
            self.table.batch_delete([str(row.record) for row in batch])

        self._send(rows, send, deletes=True)

    def _send(
        self, rows: Iterable[Row], send: Callable[[Sequence[Row]], None], *, deletes: bool = False
    ) -> None:
        # Those with new options go apart, since what they ask Airtable for changes other values too.
        ordered = sorted(rows, key=lambda row: row.has_new_options)
        plain = [row for row in ordered if not row.has_new_options]
        for group in (plain, ordered[len(plain) :]):
            for batch in _chunks(group, BATCH):
                self._try(batch, send, deletes=deletes)

    def _try(
        self, batch: Sequence[Row], send: Callable[[Sequence[Row]], None], *, deletes: bool
    ) -> None:
        try:
            send(batch)
        except requests.HTTPError as error:
            may_be_one = error.response.status_code == 422 or (deletes and is_gone(error))
            if not may_be_one or is_full(error):
                raise
            if len(batch) > 1:
                for part in _chunks(batch, BATCH // 2 if len(batch) > BATCH // 2 else 1):
                    self._try(part, send, deletes=deletes)
                return
            if not (deletes and is_gone(error)):
                self._reject(batch[0], message_of(error))
                return
        self.landed.update(row.key for row in batch)

    def _reject(self, row: Row, message: str) -> None:
        named = re.search(r'[Ff]ield "(.+?)"', message)
        columns = {kept.name: kept.column for kept in self.layout.kept.values()}
        column = columns.get(named[1], "") if named else ""
        self.rejects.append(Reject(row.key, column, message, "row"))


def _typecast(batch: Sequence[Row]) -> bool:
    return any(row.has_new_options for row in batch)


def _chunks(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]


@dataclass
class Requests:
    """The changes, row by row, as Airtable takes them."""

    changes: Changes
    present: AirtablePresent
    layout: Layout
    tracker: Tracker
    rejects: list[Reject] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._said = self.changes.restored

    def updates(self) -> list[Row]:
        """Rows whose cells, key or stamp change; and copies that become their makers'."""
        texts = {stamp.position: stamp.text for stamp in stamps(self.changes)}
        cells, gone = self.changes.new_cells, set(self.changes.deletes)
        followed = {row.position for row in self.changes.followed}
        rows = list(self._releases())
        for old, row in zip(self.present.rows, self.changes.rows, strict=True):
            if row.key in gone:
                # Not merged with a new record of that key before it is deleted.
                rows += self._rekeyed(row) if old.position in followed else ()
                continue
            is_new = old.stamp is None or old.position in followed | self.present.stale
            if row.key in cells or row.key in self._said or is_new:
                text = texts.get(old.position, old.stamp or "")
                rows += self._update(row, cells.get(row.key, {}), text)
        return rows

    def inserts(self) -> list[Row]:
        return [row for insert in self.changes.inserts for row in self._insert(insert)]

    def deletes(self) -> list[Row]:
        positions = {row.key: row.position for row in self.changes.rows}
        records = self.present.records
        return [Row(key, records[positions[key]], {}) for key in self.changes.deletes]

    def _releases(self) -> Iterator[Row]:
        empty = {id_: None for id_ in (self.layout.key, self.layout.stamp) if id_}
        for position in self.changes.releases:
            yield Row("", self.present.records[position], empty)

    def _rekeyed(self, row: PresentRow) -> Iterator[Row]:
        yield Row(row.key, self.present.records[row.position], {str(self.layout.key): row.key})

    def _update(self, row: PresentRow, cells: Mapping[str, Cell], text: str) -> Iterator[Row]:
        names = [column.name for column in self.changes.columns]
        values = {str(self.layout.stamp): stamp_text(row.key, names, text)}
        if self.present.keys[row.position] != row.key:
            values[str(self.layout.key)] = row.key
        yield from self._row(row.key, self.present.records[row.position], cells, values)

    def _insert(self, insert: Insert) -> Iterator[Row]:
        names = [column.name for column in self.changes.columns]
        cells = dict(zip(names, insert.cells, strict=True))
        stamp = stamp_text(insert.key, names, stamp_of(insert.cells))
        values = {str(self.layout.key): insert.key, str(self.layout.stamp): stamp}
        filled = {name: cell for name, cell in cells.items() if cell is not None}
        yield from self._row(insert.key, None, filled, values)

    def _restored(self, key: str) -> Iterator[tuple[str, Any]]:
        """What people had put there; a choice that its field does not offer any more is left out."""
        for name, cell in self._said.get(key, {}).items():
            asked = self.layout.asked[name]
            value = str(cell) if asked.kind == "choice" else cell
            if not asked.is_new_option(value):
                yield asked.id, asked.json(value, new_options=False)

    def _row(
        self, key: str, record: str | None, cells: Mapping[str, Cell], ours: Mapping[str, Any]
    ) -> Iterator[Row]:
        """The row; none where a name has no option or record, which is told at once."""
        place = self.tracker.place.airtable
        may_add = bool(place and place.new_options)
        values = dict(self._restored(key)) | dict(ours)
        has_new = False
        for name, cell in cells.items():
            kept = self.layout.kept[name]
            try:
                values[kept.id] = kept.json(cell, new_options=may_add)
            except Unresolved as reason:
                self.rejects.append(Reject(key, name, str(reason), "row"))
                return
            has_new |= may_add and kept.is_new_option(cell)
        yield Row(key, record, values, has_new)
