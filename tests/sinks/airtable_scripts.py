"""People and data change the same table of a base in turns, at random, and nobody's work is lost.

The scripts of `sheets_scripts`, with what people can do to a base in place of what they can do to a tab.
The surprise: Airtable knows no false, so a managed checkbox that is empty is as good as one that is not
ticked, and it keeps no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.airtable import AirtableSink
from genesis.spec.project import AirtableAccess
from genesis.spec.workflow import Place
from genesis.sync.changes import Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards
from genesis.sync.said import Values, cells_of, read_back
from genesis.testing.airtable import Airtable, Base, Table
from genesis.testing.airtable.model import Record
from tests.sinks.sheets_scripts import (
    ANNOTATIONS,
    COLUMNS,
    OWN_HEADERS,
    TAB,
    Row,
    Script,
    table_of,
)

_KEY = "_genesis_key"


@dataclass(frozen=True)
class BaseDesk:
    """An emulator, and what is needed to work with it."""

    airtable: Airtable
    rates: Buckets
    folder: Path

    def refresh(
        self, base: str, rows: list[Row], last: dict[str, Values], **options: Any
    ) -> Receipt:
        """One refresh, as a run makes it; `last` is what people said, brought up to date."""
        place = Place(airtable={"base": base, "table": TAB})
        tracker = Tracker("w.films", place, COLUMNS, ANNOTATIONS, note="Films\nKept", **options)
        access = AirtableAccess(endpoint=self.airtable.url)
        sink = AirtableSink(self.folder, access, self.rates)
        wanted = replace(encode(table_of(rows), tracker), remembered=cells_of(last, tracker))
        changes = compare(wanted=wanted, present=sink.read(tracker), policy=tracker.policy)
        check_guards(changes, Guards(max_deletes=10**6, allow_empty=True))
        said, unread = read_back(changes, tracker, last)
        assert not unread, unread
        for one in said:
            names = [each.name for each in ANNOTATIONS if one.record[each.name] is not None]
            last[one.key] = {name: one.record[name] for name in names}
        return sink.apply(tracker, changes)


@contextmanager
def base_desk(folder: Path) -> Iterator[BaseDesk]:
    """An emulator whose clock moves only where somebody waits."""
    with Airtable() as airtable:
        rates = Buckets(State("sqlite:///state.db", folder), airtable.clock)
        yield BaseDesk(airtable, rates, folder)
        rates.close()


class SeenTable:
    """A table as people see it: by the names of fields, and the ids in one of them."""

    def __init__(self, table: Table | None, headers: dict[str, str]) -> None:
        self._table = table
        self._headers = headers

    @cached_property
    def ids(self) -> dict[str, Record]:
        """The records that genesis keeps, by the id that they show; copies are told by their title."""
        found: dict[str, Record] = {}
        for record in self._table.records if self._table else ():
            row = self.row(record)
            if _KEY in row and not str(row.get(self._headers["title"])).startswith("copy"):
                assert row[self._headers["id"]] not in found, f"record {row} stands there twice"
                found[str(row[self._headers["id"]])] = record
        return found

    def row(self, record: Record) -> dict[str, Any]:
        assert self._table
        return self._table.row(record)


class BaseScript(Script):
    """One tracker in a base through some rounds."""

    desk: BaseDesk  # type: ignore[assignment]

    def _open(self, seed: int) -> None:
        self.book = f"app{seed}"
        self.base: Base = self.desk.airtable.base(self.book)
        self.options["order"] = "stable"

    @property
    def seen(self) -> SeenTable:  # type: ignore[override]
        tables = [table for table in self.base.tables if table.name != f"{TAB} archive"]
        return SeenTable(tables[0] if tables else None, self.account.headers)

    @property
    def table(self) -> Table:
        return next(table for table in self.base.tables if table.name != f"{TAB} archive")

    def _refresh(self) -> Receipt:
        return self.desk.refresh(self.book, list(self.report.values()), self.last, **self.options)

    # ---- people

    def _people(self) -> None:
        for _ in range(self.chance.randint(0, 6)):
            deed = self.chance.choice(BASE_DEEDS)
            deed(self, self.seen)
        if self.chance.random() < 0.15:  # which of a record and its copy is which, a refresh says
            self._copy_record(self.seen)

    def _record(self, seen: SeenTable) -> tuple[str, Record] | tuple[None, None]:
        if not seen.ids:
            return None, None
        key = self.chance.choice(sorted(seen.ids))
        return key, seen.ids[key]

    def _write_note(self, seen: SeenTable) -> None:
        key, record = self._record(seen)
        if key and record and "Notes" in self.account.own_columns:
            self.account.notes[key] = f"on {key} {self.chance.randint(0, 9)}"
            self.table.edit(record, Notes=self.account.notes[key])
            self._say("note", key)

    def _fill_in(self, seen: SeenTable) -> None:
        key, record = self._record(seen)
        if not key or not record or self.account.lost_decisions:
            return
        name, value = self.chance.choice([("decision", "yes"), ("decision", "no"), ("seats", 12)])
        self.account.beside.setdefault(key, {})[name] = value
        self.table.write(record, {name.capitalize(): value})
        self._say("annotate", key, name, value)

    def _remove_decisions(self, _: SeenTable) -> None:
        if not self.account.lost_decisions:
            self.table.remove_field("Decision")
            self.account.lost_decisions = True
            self._say("remove field decision")

    def _type_over(self, seen: SeenTable) -> None:
        key, record = self._record(seen)
        if not key or not record:
            return
        name, value = self.chance.choice(
            [("budget", Decimal(-1)), ("title", "typed"), ("budget", None)]
        )
        if self.account.rows[key][name] == value and name not in self.account.edited.get(key, {}):
            return
        self.account.edited.setdefault(key, {})[name] = value
        typed = float(value) if isinstance(value, Decimal) else value
        self.table.write(record, {self.account.headers[name]: typed})
        self._say("edit", key, name, value)

    def _type_over_key(self, seen: SeenTable) -> None:
        key, record = self._record(seen)
        if key and record:
            self.table.write(record, {_KEY: self.chance.choice(["zz", "a", "b"])})
            self._say("type over the key of", key)

    def _remove_record(self, seen: SeenTable) -> None:
        key, record = self._record(seen)
        if key and record and len(seen.ids) > 1:
            self.table.remove(record)
            self.account.forget(key)
            self.account.rows.pop(key)
            self._say("remove record", key)

    def _add_record(self, _: SeenTable) -> None:
        text = f"own row {len(self.account.own_rows)}"
        self.table.write(self.table.add(), {self.account.headers["title"]: text})
        self.account.own_rows.append(text)
        self._say(text)

    def _copy_record(self, seen: SeenTable) -> None:
        keys = [key for key in sorted(seen.ids) if not self.account.edited.get(key)]
        if keys:
            key = self.chance.choice(keys)
            text = f"copy {len(self.account.own_rows)} of {key}"
            copy = self.table.duplicate(seen.ids[key])
            self.table.write(copy, {self.account.headers["title"]: text})
            self.account.own_rows.append(text)
            self._say(text)

    def _add_field(self, _: SeenTable) -> None:
        number = len(self.account.own_columns)
        if number < len(OWN_HEADERS):
            self.table.add_field(OWN_HEADERS[number])
            self.account.own_columns.append(OWN_HEADERS[number])
            self._say("own field", OWN_HEADERS[number])

    def _rename_field(self, _: SeenTable) -> None:
        name, text = self.chance.choice(["title", "start", "budget"]), self.chance.randint(0, 9)
        new = f"Our {name} {text}"
        if self.account.headers[name] != new:
            self.table.rename_field(self.account.headers[name], new)
            self.account.headers[name] = new
            self._say("rename", name)

    def _remove_late(self, _: SeenTable) -> None:
        if not self.account.lost_late:
            self.table.remove_field(self.account.headers["late"])
            self.account.headers["late"] = "Late"
            self.account.lost_late = True
            self._say("remove field late")

    # ---- what stands there

    def _check(self, before: list[str]) -> None:  # noqa: ARG002  # a base keeps no order
        seen, account = self.seen, self.account
        assert set(seen.ids) == set(account.rows)
        for key, record in seen.ids.items():
            row = seen.row(record)
            for name, value in account.rows[key].items():
                found = row.get(account.headers[name])
                assert found == _shown(value), (key, name, found, value)
            assert row.get("Notes") == account.notes.get(key), key
            for each in ANNOTATIONS:
                said = account.beside.get(key, {}).get(each.name)
                assert row.get(each.label) == said, (key, each.name, row.get(each.label), said)
        titles = [row.get(account.headers["title"]) for row in self.table.rows]
        assert all(titles.count(text) == 1 for text in account.own_rows), titles
        assert set(account.own_columns) <= {field.name for field in self.table.fields}
        assert {key: said for key, said in self.last.items() if said} == {
            key: said for key, said in account.said.items() if said
        }
        assert all(note in self._archived_notes() for note in account.archived)

    def _archived_notes(self) -> list[Any]:
        archives = [table for table in self.base.tables if table.name == f"{TAB} archive"]
        return [row.get("Notes") for table in archives for row in table.rows]


def _shown(value: Any) -> Any:
    """A value as a base tells it."""
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case _:
            return value or None


BASE_DEEDS: list[Callable[[BaseScript, SeenTable], None]] = [
    BaseScript._write_note,
    BaseScript._write_note,
    BaseScript._fill_in,
    BaseScript._fill_in,
    BaseScript._remove_decisions,
    BaseScript._type_over,
    BaseScript._type_over,
    BaseScript._type_over_key,
    BaseScript._remove_record,
    BaseScript._add_record,
    BaseScript._add_field,
    BaseScript._add_field,
    BaseScript._rename_field,
    BaseScript._remove_late,
]
