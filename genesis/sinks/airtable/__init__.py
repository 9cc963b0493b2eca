"""Trackers that are tables of Airtable bases, kept in step by key, record by record.

People's own fields, records, comments and views are in no request. Refused are tables with content
that genesis did not write, fields of types that do not fit, and refreshes that would call more often
than they may. The surprise: two fields of each table are genesis's own, `_genesis_key` and
`_genesis`, and Airtable's API cannot hide them: that is left to people, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from genesis.errors import Problem, SinkBusy, SinkError
from genesis.secrets import resolve_references
from genesis.sinks.airtable.archive import archive_records
from genesis.sinks.airtable.fields import Linked, find_table, layout_of, tracker_table
from genesis.sinks.airtable.make import ask, describe, make_fields
from genesis.sinks.airtable.present import AirtablePresent, present_of
from genesis.sinks.airtable.service import (
    BATCH,
    PAGE,
    BaseService,
    bucket,
    client,
    in_words,
    is_full,
    lost_place,
    missing_token,
)
from genesis.sinks.airtable.write import Requests, Row, Writer
from genesis.sinks.calls import Calls
from genesis.spec.workflow import AirtablePlace
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.encode import managed_columns

if TYPE_CHECKING:
    from pyairtable import Base
    from pyairtable.models.schema import BaseSchema

    from genesis.interfaces import Rates
    from genesis.spec.project import AirtableAccess

_TIMEOUT = timedelta(hours=1)  # 180,000 records, at five calls a second
_LIST_TRIES = 3


class AirtableSink:
    """Tables of Airtable bases; one sink is one refresh, with one deadline."""

    def __init__(self, root: Path, access: AirtableAccess, rates: Rates) -> None:
        self._root = root
        self._access = access
        self._rates = rates
        self._until: datetime | None = None

    def read(self, tracker: Tracker) -> AirtablePresent:
        """What the table holds now. Raises `SinkError` where genesis should not touch it."""
        with in_words(tracker):
            base, calls = self._open(tracker)
            schema = base.schema()
            linked = _read_links(base, schema, tracker)
            table = tracker_table(schema, _place(tracker).table, tracker.name)
            if table is None:
                return AirtablePresent(exists=False, linked=linked, reads=calls.reads)
            layout = layout_of(table, tracker, linked)
            records = _read_records(base, table.id, layout.ids if layout.key else None)
            present = present_of(records, layout, tracker)
            return replace(present, linked=linked, reads=calls.reads)

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        """Make the changes, as far as they can be made. Raises `SinkError`; the next refresh goes on."""
        present = changes.present
        if not isinstance(present, AirtablePresent):
            raise TypeError("changes to a base start from what its sink read")
        if changes.is_empty and not tracker.touch:
            return self._receipt(tracker, changes, present)
        self._check_calls(tracker, changes, present)
        self._check_records(tracker, changes)
        with in_words(tracker):
            base, calls = self._open(tracker)
            layout = make_fields(base, tracker, changes, present)
            if tracker.touch:
                describe(base, layout.table, tracker.note)
            requests_ = Requests(changes, present, layout, tracker)
            writer = Writer(base.table(layout.table), layout, requests_.rejects)
            if leaving := requests_.deletes() if changes.archived else []:
                _archive(base, layout.table, tracker, {str(row.record) for row in leaving})
            _write(writer, requests_)
        return self._receipt(tracker, changes, present, calls, writer)

    # ---- reaching it

    def _open(self, tracker: Tracker) -> tuple[Base, Calls]:
        place, access = _place(tracker), self._access
        if access.token is None and access.endpoint is None:
            raise missing_token()
        token = resolve_references(access.token or "any", self._root)
        self._until = self._until or self._rates.clock.now() + (tracker.timeout or _TIMEOUT)
        calls = Calls(BaseService(place.base), self._rates, until=self._until)
        return client(token, access.endpoint, calls).base(place.base), calls

    # ---- budgets

    def _check_calls(self, tracker: Tracker, changes: Changes, present: AirtablePresent) -> None:
        """Raise `too-many-calls` before the first write, not in the middle."""
        counts = (changes.updated_rows, len(changes.inserts), len(changes.deletes))
        needed = sum(-(-count // BATCH) for count in counts)
        place, month = _place(tracker), self._rates.month(_bucket(tracker))
        budget, monthly = place.max_calls, self._access.monthly_calls
        if budget is not None and present.reads + needed > budget:
            message = f"tracker `{tracker.name}` needs {present.reads + needed:,} calls, {budget:,} may be made"
            hint = "raise `max_calls`, filter the report, or refresh less often"
            raise SinkError(Problem("too-many-calls", message, hint=hint))
        if monthly is not None and month.calls + needed > monthly:
            message = (
                f"base `{place.base}` was called {month.calls:,} times this month, tracker"
                f" `{tracker.name}` needs {needed:,} more, the plan has {monthly:,}"
            )
            hint = "refresh less often, or raise `sinks: airtable: monthly_calls` with the plan"
            raise SinkError(Problem("too-many-calls", message, hint=hint))

    def _check_records(self, tracker: Tracker, changes: Changes) -> None:
        allowed = self._access.max_records
        if allowed is not None and changes.rows_after > allowed:
            message = (
                f"tracker `{tracker.name}` would have {changes.rows_after:,} records,"
                f" a base of this plan holds {allowed:,}"
            )
            hint = "filter the report, or raise `sinks: airtable: max_records` with the plan"
            raise SinkError(Problem("tracker-too-large", message, hint=hint))

    def _receipt(
        self,
        tracker: Tracker,
        changes: Changes,
        present: AirtablePresent,
        calls: Calls | None = None,
        writer: Writer | None = None,
    ) -> Receipt:
        month = replace(self._rates.month(_bucket(tracker)), allowed=self._access.monthly_calls)
        receipt = replace(changes.receipt(reads=present.reads), month=month)
        if calls is None or writer is None:
            return receipt
        return replace(
            receipt,
            inserted=sum(insert.key in writer.landed for insert in changes.inserts),
            updated=sum(key in writer.landed for key in changes.new_cells),
            deleted=sum(key in writer.landed for key in changes.deletes),
            rejects=(*receipt.rejects, *writer.rejects),
            reads=present.reads + calls.reads,
            writes=calls.writes,
            bytes=calls.sent,
        )


def _place(tracker: Tracker) -> AirtablePlace:
    place = tracker.place.airtable
    if place is None:
        raise TypeError(f"tracker {tracker.name} is not in a base")
    return place


def _bucket(tracker: Tracker) -> str:
    return bucket(_place(tracker).base)


# ---- reading


def _read_records(base: Base, table: str, fields: Sequence[str] | None) -> list[Any]:
    """All records. A list that loses its place is read anew: half of one is worse than none."""
    options: dict[str, Any] = {"page_size": PAGE} | ({"fields": fields} if fields else {})
    for tries_left in range(_LIST_TRIES - 1, -1, -1):
        try:
            return base.table(table).all(**options)
        except requests.HTTPError as error:
            if not tries_left or not lost_place(error):
                raise
    raise AssertionError("a loop that returns or raises")


def _read_links(base: Base, schema: BaseSchema, tracker: Tracker) -> dict[str, Linked]:
    """For each column of links, the records of its table; each table is read once."""
    tables: dict[str, Linked] = {}
    columns = {column.name for column in managed_columns(tracker)}
    wanted = {c: t for c, t in _place(tracker).links.items() if c in columns}
    for name in dict.fromkeys(wanted.values()):
        table = find_table(schema, name)
        if table is None:
            message = (
                f"base `{base.id}` has no table `{name}`, which tracker `{tracker.name}` links to"
            )
            raise SinkError(Problem("tracker-unwritable", message, hint="make it, or mend `links`"))
        first = table.primary_field_id
        records = _read_records(base, table.id, [first])
        names = ((r["id"], str(r["fields"].get(first, ""))) for r in records)
        tables[name] = Linked.of(table.id, name, names)
    return {column: tables[name] for column, name in wanted.items()}


# ---- writing


def _archive(base: Base, table: str, tracker: Tracker, leaving: Collection[str]) -> None:
    """Copy records that leave to the archive, before anything else is done."""
    source = find_table(base.schema(force=True), table)
    if source is None:
        raise SinkBusy(
            Problem(
                "tracker-changed",
                f"table `{_place(tracker).table}` is gone",
                hint="the next refresh makes it",
            )
        )
    records = _read_records(base, table, [one.id for one in source.fields])
    gone = [record for record in records if record["id"] in leaving]
    archive_records(base, source, _place(tracker).table, gone, partial(ask, base))


def _write(writer: Writer, requests_: Requests) -> None:
    """Updates, new records, deletes. Where the base is full, deletes make room and the rest follows."""
    writer.update(requests_.updates())
    inserts, deletes = requests_.inserts(), requests_.deletes()
    try:
        writer.insert(inserts)
    except requests.HTTPError as error:
        if not deletes or not is_full(error):
            raise
        writer.delete(deletes)
        writer.insert(_without(inserts, writer.landed))
        return
    writer.delete(deletes)


def _without(rows: Iterable[Row], landed: set[str]) -> list[Row]:
    return [row for row in rows if row.key not in landed]
