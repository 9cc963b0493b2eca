"""People and data change the same tab in turns, at random, and nobody's work is lost.

A script is a seed. In each round the data changes and genesis refreshes; what a reader that shares
nothing with the sink then sees is held against a plain account of who wrote what; then people do to
the tab what people do. The surprise: a row that a person deleted comes back when the report still has
it, and all that was on it is gone, because it went with the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import gspread
import pyarrow as pa

from genesis.compile.statement import Column
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.google import GoogleSheetsSink
from genesis.sinks.google.client import open_client
from genesis.spec.project import GoogleSheetsAccess
from genesis.spec.types import BOOLEAN, DATE, INTEGER, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Annotation, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards
from genesis.sync.said import Values, cells_of, read_back
from genesis.testing.sheets import HandClock, Limits, Person, SheetsEmulator
from genesis.testing.sheets.a1 import column_letters

TAB = "Films"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COLUMNS = (
    Column("id", "Id", STRING, key=True),
    Column("title", "Title", STRING),
    Column("start", "Start", DATE),
    Column("budget", "Budget", Type("decimal", 12, 2)),
    Column("late", "Late", BOOLEAN),
    Column("seen", "Seen", Type("timestamptz")),
)
ANNOTATIONS = (
    Annotation(Column("decision", "Decision", STRING), ("yes", "no")),
    Annotation(Column("seats", "Seats", INTEGER)),
)
KEYS = "abcdefghijkl"
OWN_HEADERS = ("Notes", "Other", "More")
Row = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """An emulator, and what is needed to work with it."""

    google: SheetsEmulator
    client: gspread.Client
    rates: Buckets
    folder: Path

    def refresh(
        self, spreadsheet: str, rows: list[Row], last: dict[str, Values], **options: Any
    ) -> Receipt:
        """One refresh, as a run makes it; `last` is what people said, brought up to date."""
        place = Place(google_sheets={"spreadsheet": spreadsheet, "tab": TAB})
        tracker = Tracker("w.films", place, COLUMNS, ANNOTATIONS, note="Films\nKept", **options)
        access = GoogleSheetsAccess(endpoint=self.google.url)
        sink = GoogleSheetsSink(self.folder, access, self.rates)
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
def desk(folder: Path) -> Iterator[Desk]:
    """An emulator without quotas whose clock stands still."""
    roomy = Limits(**dict.fromkeys(_QUOTAS, 10**9))
    with SheetsEmulator(clock=HandClock(NOON), limits=roomy) as google:
        rates = Buckets(State("sqlite:///state.db", folder), HandClock(NOON))
        client = open_client(endpoint=google.url)
        yield Desk(google, client, rates, folder)
        client.http_client.session.close()
        rates.close()


_QUOTAS = ("reads_per_user", "writes_per_user", "reads_per_project", "writes_per_project")


def table_of(rows: list[Row]) -> pa.Table:
    """The report as an engine gives it."""
    types = {
        "id": pa.string(),
        "title": pa.string(),
        "start": pa.date32(),
        "budget": pa.decimal128(12, 2),
        "late": pa.bool_(),
        "seen": pa.timestamp("us", tz="UTC"),
    }
    return pa.table(
        {name: pa.array([row[name] for row in rows], type_) for name, type_ in types.items()}
    )


@dataclass
class Account:
    """What is known without looking: what the managed cells hold, and what people did to whom."""

    rows: dict[str, Row] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: {c.name: c.label for c in COLUMNS})
    notes: dict[str, str] = field(default_factory=dict)  # in the people's own column
    cell_notes: dict[str, str] = field(default_factory=dict)
    beside: dict[str, Row] = field(default_factory=dict)  # annotations, as they stand there
    said: dict[str, Row] = field(default_factory=dict)  # and as they should have been read last
    archived: list[str] = field(default_factory=list)  # notes on rows that left
    colours: dict[str, float] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    written: dict[str, Row] = field(default_factory=dict)
    edited: dict[str, Row] = field(default_factory=dict)
    retyped: set[str] = field(default_factory=set)  # whose hidden key somebody typed over
    own_rows: list[str] = field(default_factory=list)
    own_columns: list[str] = field(default_factory=list)
    hidden_columns: set[str] = field(default_factory=set)
    lost_late: bool = False
    lost_decisions: bool = False

    def forget(self, key: str) -> None:
        """A row that is deleted takes all that was on it along."""
        for memory in (
            self.notes,
            self.cell_notes,
            self.beside,
            self.colours,
            self.edited,
            self.written,
        ):
            memory.pop(key, None)
        self.hidden.discard(key)


class Seen:
    """A tab as a reader sees it that knows nothing of the sink: by headers, and the ids below."""

    def __init__(self, answer: Any, headers: dict[str, str]) -> None:
        self.zone = ZoneInfo(answer["properties"]["timeZone"])
        tabs = {sheet["properties"]["title"]: sheet for sheet in answer["sheets"]}
        self.archive = str(tabs.get(f"{TAB} archive", {}).get("data"))
        (data,) = tabs[TAB]["data"]
        self.cells: list[list[dict[str, Any]]] = [
            row.get("values", []) for row in data.get("rowData", [])
        ]
        self._headers = headers
        self.row_hidden = [line.get("hiddenByUser", False) for line in data["rowMetadata"]]
        self.column_hidden = [line.get("hiddenByUser", False) for line in data["columnMetadata"]]

    def value(self, row: int, column: int) -> Any:
        """What a cell counts as; nothing where there is nothing."""
        effective = self.cell(row, column).get("effectiveValue", {})
        return next(iter(effective.values()), None)

    def cell(self, row: int, column: int) -> dict[str, Any]:
        line = self.cells[row] if row < len(self.cells) else []
        return line[column] if column < len(line) else {}

    @cached_property
    def header(self) -> int:
        return next(
            row
            for row in range(len(self.cells))
            if self._headers["id"] in (self.value(row, c) for c in range(len(self.cells[row])))
        )

    @cached_property
    def columns(self) -> dict[str, int]:
        line = range(len(self.cells[self.header]))
        found = {self.value(self.header, column): column for column in line}
        return {str(text): column for text, column in found.items() if text is not None}

    @cached_property
    def ids(self) -> dict[str, int]:
        """The rows that genesis keeps, by the id that they show; copies are told by their title."""
        found: dict[str, int] = {}
        for row in range(self.header + 1, len(self.cells)):
            key = self.value(row, self.at("id"))
            if key is not None and not str(self.value(row, self.at("title"))).startswith("copy"):
                assert key not in found, f"row {key} stands there twice"
                found[str(key)] = row
        return found

    @property
    def technical(self) -> list[int]:
        """The columns that genesis keeps for itself: hidden, and no header that people know."""
        known = {*self._headers.values(), *OWN_HEADERS, *(each.label for each in ANNOTATIONS)}
        return [at for text, at in self.columns.items() if text not in known]

    def at(self, name: str) -> int:
        return self.columns[self._headers[name]]


class Script:
    """One tracker through some rounds."""

    def __init__(self, seed: int, desk: Desk) -> None:
        self.chance = Random(seed)
        self.desk = desk
        self.account = Account()
        self.options: dict[str, Any] = {
            "order": self.chance.choice(["stable", "stable", "query"]),
            "on_delete": self.chance.choice(["delete", "delete", "archive", "keep"]),
            "mode": self.chance.choice(["mirror", "mirror", "mirror", "upsert"]),
            "on_human_edit": self.chance.choice(["overwrite", "overwrite", "keep"]),
        }
        self.report: dict[str, Row] = {}
        self.is_made = False
        self.last: dict[str, Values] = {}
        self._open(seed)
        self.told: list[str] = [str(self.options)]

    def _open(self, seed: int) -> None:
        """A place of its own."""
        self.book = self.desk.google.new_spreadsheet(f"Script {seed}")
        self.person: Person = self.desk.google.person(self.book)

    def play(self, rounds: int = 4) -> None:
        """Raise `AssertionError` where anybody's work is lost, or a call too many is made."""
        for number in range(rounds):
            before = list(self.seen.ids) if number else []
            edits = self._change_data()
            receipt = self._refresh()
            told = {(edit.key, edit.column) for edit in receipt.human_edits}
            assert told == edits, (told, edits)
            self._check(before)
            again = self._refresh()
            assert again.writes == 0, "an unchanged report was written again"
            self._people()

    @property
    def seen(self) -> Seen:
        spreadsheet = self.desk.client.open_by_key(self.book)
        answer = spreadsheet.fetch_sheet_metadata({"includeGridData": "true"})
        return Seen(answer, self.account.headers)

    def _refresh(self) -> Receipt:
        rows = list(self.report.values())
        receipt = self.desk.refresh(self.book, rows, self.last, **self.options)
        assert receipt.reads <= (1 if self.is_made else 2), receipt.reads
        self.is_made = True
        assert receipt.writes <= 1, receipt.writes
        return receipt

    # ---- data

    def _change_data(self) -> set[tuple[str, str]]:
        """A new report; the edits of people that the refresh should tell."""
        account, old = self.account, self.report
        self._read_back()
        keys = [key for key in KEYS if self.chance.random() < 0.6] or ["a"]
        self.chance.shuffle(keys)
        self.report = {key: self._row(key, old.get(key)) for key in keys}
        for key in set(account.rows) - set(self.report):
            self._leave(key)
        account.lost_late = account.lost_decisions = False
        account.retyped.clear()
        return {(key, name) for key in self.report for name in self._enter(key)}

    def _read_back(self) -> None:
        """What people said is known from now on; a column that is made again gets it back."""
        account = self.account
        for key in account.rows:
            beside, said = account.beside.setdefault(key, {}), account.said.get(key, {})
            if account.lost_decisions:
                beside.pop("decision", None)
                beside |= {name: what for name, what in said.items() if name == "decision"}
            account.said[key] = dict(beside)

    def _leave(self, key: str) -> None:
        """A row that is not in the report goes, or stays as people left it."""
        account = self.account
        if self.options["mode"] == "mirror" and self.options["on_delete"] != "keep":
            if self.options["on_delete"] == "archive" and key in account.notes:
                account.archived.append(account.notes[key])
            del account.rows[key]
            account.forget(key)
        else:
            lost = {"late": None} if account.lost_late else {}
            account.rows[key] |= account.edited.get(key, {}) | lost

    def _enter(self, key: str) -> list[str]:
        """A row that is in the report is as the report has it; the columns that people had changed.

        What a person typed and the report says too is nobody's news, until the report changes.
        """
        row, edits = self.report[key], self.account.edited.get(key, {})
        if key not in self.account.rows:
            self.account.beside[key] = dict(self.account.said.get(key, {}))
        told = [name for name, typed in edits.items() if typed != row[name]]
        written = self.account.written.get(key, row)
        kept = {
            name: edits[name]
            for name in told
            if self.options["on_human_edit"] == "keep" and row[name] == written[name]
        }
        for name in set(told) - set(kept):
            edits.pop(name)
        self.account.written[key] = row | {n: written[n] for n in edits if n in written}
        self.account.rows[key] = row | kept
        return told

    def _row(self, key: str, old: Row | None) -> Row:
        if old is not None and self.chance.random() < 0.6:
            return old
        start = self.chance.choice([None, date(2026, 1, self.chance.randint(1, 28))])
        return {
            "id": key,
            "title": f"{self.chance.choice(['Film', '=1+', '00'])}{key}{self.chance.randint(0, 9)}",
            "start": start,
            "budget": self.chance.choice([None, Decimal("1000.50"), Decimal("7.00"), Decimal(0)]),
            "late": self.chance.choice([True, False, None]),
            "seen": self.chance.choice([None, NOON - timedelta(minutes=self.chance.randint(0, 9))]),
        }

    # ---- people

    def _people(self) -> None:
        seen = self.seen
        if self.chance.random() < 0.15 and self._sort_visible(seen):
            return
        for _ in range(self.chance.randint(0, 5)):
            deed = self.chance.choice(DEEDS)
            deed(self, self.seen)
        if self.chance.random() < 0.15:  # which of a row and its copy is which, a refresh says
            self._copy_row(self.seen)

    def _say(self, *words: object) -> None:
        self.told.append(" ".join(map(str, words)))

    def _key(self, seen: Seen) -> str | None:
        return self.chance.choice(sorted(seen.ids)) if seen.ids else None

    def _place(self, row: int, column: int) -> str:
        return f"{TAB}!{column_letters(column)}{row + 1}"

    def _rectangle(self, seen: Seen, left: int, right: int) -> str:
        top, bottom = seen.header + 2, len(seen.cells)
        return f"{TAB}!{column_letters(left)}{top}:{column_letters(right)}{bottom}"

    def _sort(self, seen: Seen) -> None:
        by = self.chance.choice(["title", "start", "budget"])
        right = len(seen.column_hidden) - 1
        down = self.chance.random() < 0.5
        self.person.sorts(self._rectangle(seen, 0, right), column_letters(seen.at(by)), down=down)
        self._say("sort by", by)

    def _sort_visible(self, seen: Seen) -> bool:
        """Sort what people see, and miss the hidden key beside it; whether that could be done."""
        known = [column for text, column in seen.columns.items() if column not in seen.technical]
        left, right = min(known), max(known)
        between = any(left <= column <= right for column in seen.technical)
        if between or not seen.ids or self.account.own_rows:
            return False  # whose row is whose could not be told
        by = column_letters(seen.at("title"))
        self.person.sorts(self._rectangle(seen, left, right), by, down=self.chance.random() < 0.5)
        self._say("sort visible")
        return True

    def _note(self, seen: Seen) -> None:
        key = self._key(seen)
        if key and "Notes" in seen.columns:
            text = f"on {key} {self.chance.randint(0, 9)}"
            self.account.notes[key] = text
            self.person.types(self._place(seen.ids[key], seen.columns["Notes"]), text)
            self._say("note", key)

    def _annotate(self, seen: Seen) -> None:
        key = self._key(seen)
        if not key or self.account.lost_decisions:
            return
        name, typed, value = self.chance.choice(
            [("decision", "yes", "yes"), ("decision", "no", "no"), ("seats", "12", 12)]
        )
        self.account.beside.setdefault(key, {})[name] = value
        self.person.types(self._place(seen.ids[key], seen.columns[name.capitalize()]), typed)
        self._say("annotate", key, name, typed)

    def _delete_decisions(self, seen: Seen) -> None:
        if self.account.lost_decisions:
            return
        self.person.deletes_columns(TAB, column_letters(seen.columns["Decision"]))
        self.account.lost_decisions = True
        self._say("delete column decision")

    def _cell_note(self, seen: Seen) -> None:
        if key := self._key(seen):
            self.account.cell_notes[key] = f"about {key}"
            self.person.notes(self._place(seen.ids[key], seen.at("start")), f"about {key}")
            self._say("cell note", key)

    def _colour(self, seen: Seen) -> None:
        if key := self._key(seen):
            red = self.account.colours[key] = self.chance.choice([0.25, 0.5, 0.75])
            self.person.colours(self._place(seen.ids[key], seen.at("title")), red, 0, 0)
            self._say("colour", key)

    def _edit(self, seen: Seen) -> None:
        key = self._key(seen)
        if not key or key in self.account.retyped:
            return
        name, typed, value = self.chance.choice(
            [("budget", "-1", Decimal(-1)), ("title", "typed", "typed"), ("budget", "", None)]
        )
        if self.account.rows[key][name] == value and name not in self.account.edited.get(key, {}):
            return
        edits, written = self.account.edited.setdefault(key, {}), self.account.written.get(key, {})
        edits[name] = value
        if name in written and written[name] == value:  # as genesis wrote it: no edit any more
            del edits[name]
            self.account.rows[key][name] = value
        place = self._place(seen.ids[key], seen.at(name))
        if typed:
            self.person.types(place, typed)
        else:
            self.person.clears(place)
        self._say("edit", key, name, typed)

    def _type_over_key(self, seen: Seen) -> None:
        key = self._key(seen)
        if not key or self.account.edited.get(key) or self.account.retyped:
            return
        self.account.retyped.add(key)
        place = self._place(seen.ids[key], seen.columns["_genesis_key"])
        typed = self.chance.choice(["", "zz", "99", *KEYS])
        if typed:
            self.person.types(place, typed)
        else:
            self.person.clears(place)
        self._say("type over the key of", key, "with", typed)

    def _delete_row(self, seen: Seen) -> None:
        key = self._key(seen)
        if key and len(seen.ids) > 1:
            self.person.deletes_rows(TAB, seen.ids[key] + 1)
            self.account.forget(key)
            self.account.rows.pop(key)
            self._say("delete row", key)

    def _move_row(self, seen: Seen) -> None:
        if key := self._key(seen):
            before = self.chance.randint(seen.header + 1, len(seen.cells))
            self.person.moves_rows(TAB, seen.ids[key] + 1, 1, before + 1)
            self._say("move row", key, "before", before)

    def _hide_row(self, seen: Seen) -> None:
        if key := self._key(seen):
            self.person.hides_rows(TAB, seen.ids[key] + 1)
            self.account.hidden.add(key)
            self._say("hide row", key)

    def _new_row(self, seen: Seen) -> int:
        """Where a row can be inserted: not behind the grid's last."""
        last = min(len(seen.cells), len(seen.row_hidden) - 1)
        return self.chance.randint(min(seen.header + 1, last), last)

    def _own_row(self, seen: Seen) -> None:
        text = f"own row {len(self.account.own_rows)}"
        row = self._new_row(seen)
        self.person.inserts_rows(TAB, row + 1)
        self.person.types(self._place(row, seen.at("title")), text)
        self.account.own_rows.append(text)
        self._say(text, "at", row)

    def _copy_row(self, seen: Seen) -> None:
        keys = [key for key in sorted(seen.ids) if not self.account.edited.get(key)]
        if not keys:
            return
        key = self.chance.choice(keys)
        row = self._new_row(seen)
        self.person.copies_row(TAB, seen.ids[key] + 1, row + 1)
        text = f"copy {len(self.account.own_rows)} of {key}"
        self.person.types(self._place(row, seen.at("title")), text)
        self.account.own_rows.append(text)
        self._say(text, "at", row)

    def _own_column(self, seen: Seen) -> None:
        number = len(self.account.own_columns)
        if number == len(OWN_HEADERS):
            return
        column = self.chance.randint(0, len(seen.column_hidden) - 1)
        if column == seen.columns.get("Decision"):
            return  # the new column would take its drop-down over
        self.person.inserts_columns(TAB, column_letters(column))
        self.person.types(self._place(seen.header, column), OWN_HEADERS[number])
        self.account.own_columns.append(OWN_HEADERS[number])
        self._say("own column", OWN_HEADERS[number], "at", column)

    def _rename_header(self, seen: Seen) -> None:
        name = self.chance.choice(["title", "start", "budget"])
        column = seen.at(name)
        self.account.headers[name] = f"Our {name} {self.chance.randint(0, 9)}"
        self.person.types(self._place(seen.header, column), self.account.headers[name])
        self._say("rename", name)

    def _move_column(self, seen: Seen) -> None:
        width = len(seen.column_hidden)
        column, before = self.chance.randrange(width), self.chance.randrange(width)
        self.person.moves_columns(TAB, column_letters(column), 1, column_letters(before))
        self._say("move column", column, "before", before)

    def _hide_column(self, seen: Seen) -> None:
        text = self.chance.choice(sorted(seen.columns))
        self.person.hides_columns(TAB, column_letters(seen.columns[text]))
        names = {header: name for name, header in self.account.headers.items()}
        if text in names:
            self.account.hidden_columns.add(names[text])
        self._say("hide column", text)

    def _delete_column(self, seen: Seen) -> None:
        if self.account.lost_late:
            return
        self.person.deletes_columns(TAB, column_letters(seen.at("late")))
        self.account.headers["late"] = "Late"
        self.account.hidden_columns.discard("late")
        self.account.lost_late = True
        self._say("delete column late")

    def _title_above(self, seen: Seen) -> None:
        self.person.inserts_rows(TAB, 1)
        self.person.types(self._place(0, seen.at("title")), "Season 7")
        self._say("title above")

    # ---- what stands there

    def _check(self, before: list[str]) -> None:
        seen, account = self.seen, self.account
        assert set(seen.ids) == set(account.rows)
        for key, row in seen.ids.items():
            for name, value in account.rows[key].items():
                found = seen.value(row, seen.at(name))
                assert found == _shown(value, seen.zone), (key, name, found, value)
            self._check_people(seen, key, row)
        titles = [seen.value(r, seen.at("title")) for r in range(seen.header + 1, len(seen.cells))]
        assert all(titles.count(text) == 1 for text in account.own_rows), titles
        assert set(account.own_columns) <= set(seen.columns)
        assert all(seen.column_hidden[seen.at(name)] for name in account.hidden_columns)
        assert all(seen.column_hidden[at] for at in seen.technical)
        assert {key: said for key, said in self.last.items() if said} == {
            key: said for key, said in account.said.items() if said
        }
        assert all(note in seen.archive for note in account.archived)
        self._check_order(seen, before)

    def _check_people(self, seen: Seen, key: str, row: int) -> None:
        account = self.account
        if "Notes" in seen.columns:
            assert seen.value(row, seen.columns["Notes"]) == account.notes.get(key), key
        for each in ANNOTATIONS:
            found = seen.value(row, seen.columns[each.label])
            assert found == account.beside.get(key, {}).get(each.name), (key, each.name, found)
        assert seen.cell(row, seen.at("start")).get("note") == account.cell_notes.get(key), key
        title = seen.cell(row, seen.at("title")).get("userEnteredFormat", {})
        red = title.get("backgroundColor", {}).get("red")
        assert red == account.colours.get(key), (key, red)
        assert seen.row_hidden[row] == (key in account.hidden), key

    def _check_order(self, seen: Seen, before: list[str]) -> None:
        found = list(seen.ids)
        if self.options["order"] == "query":
            inside = [key for key in found if key in self.report]
            assert inside == list(self.report)
        else:
            stayed = [key for key in before if key in found]
            assert found[: len(stayed)] == stayed


def _shown(value: Any, zone: ZoneInfo) -> Any:
    """A value as the API tells it."""
    match value:
        case datetime():
            local = value.astimezone(zone).replace(tzinfo=None)
            return _number((local - _EPOCH) / timedelta(days=1))
        case date():
            return (value - _EPOCH.date()).days
        case Decimal():
            return _number(float(value))
        case _:
            return value


def _number(number: float) -> float | int:
    return int(number) if number.is_integer() else number


_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # a spreadsheet's clock has no zone

DEEDS: list[Callable[[Script, Seen], None]] = [
    Script._sort,
    Script._note,
    Script._note,
    Script._annotate,
    Script._annotate,
    Script._delete_decisions,
    Script._cell_note,
    Script._colour,
    Script._edit,
    Script._edit,
    Script._type_over_key,
    Script._delete_row,
    Script._move_row,
    Script._hide_row,
    Script._own_row,
    Script._own_column,
    Script._own_column,
    Script._rename_header,
    Script._move_column,
    Script._hide_column,
    Script._delete_column,
    Script._title_above,
]
