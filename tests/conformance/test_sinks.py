"""What every sink promises, asked of each of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import gspread
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gspread.utils import ValueRenderOption
from python_calamine import CalamineWorkbook

from genesis.compile.statement import Column
from genesis.errors import SinkBusy, SinkError
from genesis.interfaces import Sink
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.airtable import AirtableSink
from genesis.sinks.files import CsvSink, DuckDBSink, ParquetSink
from genesis.sinks.google import GoogleSheetsSink
from genesis.sinks.google.client import open_client
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.project import AirtableAccess, GoogleSheetsAccess
from genesis.spec.types import BOOLEAN, DATE, INTEGER, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards
from genesis.testing.airtable import Airtable
from genesis.testing.sheets import HandClock, SheetsEmulator

COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    Column("title", "Title", STRING),
    Column("budget", "Budget", Type("decimal", 18, 2), "$#,##0.00"),
    Column("start", "Start", DATE),
    Column("late", "Late", BOOLEAN),
)
TYPES = {
    "integer": pa.int64(),
    "string": pa.string(),
    "decimal": pa.decimal128(18, 2),
    "date": pa.date32(),
    "boolean": pa.bool_(),
}
Row = dict[str, Any]


def read_xlsx(path: Path) -> list[Row]:
    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_name("Films").to_python()
    named = [dict(zip(header, row, strict=True)) for row in rows]
    return [{k: None if v == "" else v for k, v in row.items() if k != "_genesis"} for row in named]


def read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(lines)]


def read_parquet(path: Path) -> list[Row]:
    return [dict(row) for row in pq.read_table(path).to_pylist()]


def read_duckdb(path: Path) -> list[Row]:
    with duckdb.connect(path, read_only=True) as duck:
        return [dict(row) for row in duck.sql("select * from films").to_arrow_table().to_pylist()]


# The service that a folder's tracker lives in, where it lives in none of its files.
SERVICES: dict[Path, Airtable] = {}
GOOGLES: dict[Path, SheetsEmulator] = {}


@cache
def state_of(folder: Path) -> State:
    return State("sqlite:///state.db", folder)


def airtable_sink(folder: Path) -> AirtableSink:
    airtable = SERVICES[folder]
    rates = Buckets(state_of(folder), airtable.clock)
    return AirtableSink(folder, AirtableAccess(endpoint=airtable.url), rates)


def read_airtable(path: Path) -> list[Row]:
    """What people see, with the empty cells that Airtable does not tell."""
    films = SERVICES[path.parent].base("app1").table("Films")
    empty = {f.name: False if f.name == "Late" else None for f in films.fields}
    rows = [{**empty, **row} for row in films.rows]
    return [{k: v for k, v in row.items() if not k.startswith("_genesis")} for row in rows]


def google_sink(folder: Path) -> GoogleSheetsSink:
    google = GOOGLES[folder]
    rates = Buckets(state_of(folder), HandClock())
    return GoogleSheetsSink(folder, GoogleSheetsAccess(endpoint=google.url), rates)


def films_tab(folder: Path) -> gspread.Worksheet:
    client = open_client(endpoint=GOOGLES[folder].url)
    return client.open("Films 2026").worksheet("Films")


def read_google(path: Path) -> list[Row]:
    """What another program is told."""
    tab = films_tab(path.parent)
    header, *rows = tab.get_values(value_render_option=ValueRenderOption.unformatted) or [[]]
    tab.client.session.close()
    named = [dict(zip(header, row, strict=True)) for row in rows]
    return [
        {name: _told(name, cell) for name, cell in row.items() if name and name[0] != "_"}
        for row in named
        if any(cell != "" for cell in row.values())
    ]


def _told(name: str, cell: Any) -> Any:
    if name == "Start" and cell != "":
        return date(1899, 12, 30) + timedelta(days=cell)
    return None if cell == "" else cell


@dataclass(frozen=True)
class Kind:
    """One kind of sink, and a reader that is not ours. `is_service` is what holds people's fields."""

    sink: Callable[[Path], Sink]
    place: Mapping[str, Any]
    read: Callable[[Path], list[Row]]
    by_label: bool
    is_text: bool = False
    is_service: bool = False


KINDS = {
    "xlsx": Kind(XlsxSink, {"xlsx": {"file": "out/films.xlsx", "tab": "Films"}}, read_xlsx, True),
    "csv": Kind(CsvSink, {"csv": {"file": "out/films.csv"}}, read_csv, True, True),
    "parquet": Kind(ParquetSink, {"parquet": {"file": "out/films.parquet"}}, read_parquet, False),
    "duckdb": Kind(
        DuckDBSink, {"duckdb": {"file": "out/films.duckdb", "table": "films"}}, read_duckdb, False
    ),
    "airtable": Kind(
        airtable_sink,
        {"airtable": {"base": "app1", "table": "Films"}},
        read_airtable,
        by_label=True,
        is_service=True,
    ),
    "google_sheets": Kind(
        google_sink,
        {"google_sheets": {"spreadsheet": "", "tab": "Films"}},
        read_google,
        by_label=True,
    ),
}


@dataclass
class Home:
    """A tracker in one kind of sink."""

    kind: Kind
    folder: Path
    tracker: Tracker

    @property
    def path(self) -> Path:
        (details,) = self.kind.place.values()
        return self.folder / str(details.get("file"))

    @property
    def state(self) -> object:
        """What a refresh that writes would change."""
        if self.kind.is_service:
            return [call for call in SERVICES[self.folder].calls if call.method != "GET"]
        if self.folder in GOOGLES:
            return [call for call in GOOGLES[self.folder].calls if call.is_write]
        return (self.path.read_bytes(), self.path.stat().st_mtime_ns)

    def changes(self, rows: Sequence[Row], **options: Any) -> Changes:
        tracker = replace(self.tracker, **options)
        table = pa.table(
            {
                column.name: pa.array([row[column.name] for row in rows], TYPES[column.type.name])
                for column in tracker.columns
            }
        )
        present = self.kind.sink(self.folder).read(tracker)
        return compare(wanted=encode(table, tracker), present=present, policy=tracker.policy)

    def refresh(self, rows: Sequence[Row], **options: Any) -> Receipt:
        changes = self.changes(rows, **options)
        return self.kind.sink(self.folder).apply(replace(self.tracker, **options), changes)

    def shown(self, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of all rows, as text, since CSV has nothing else."""
        labels = {column.name: column.label for column in self.tracker.columns}
        keys = [labels[name] if self.kind.by_label else name for name in names]
        return [tuple(_text(row[key]) for key in keys) for row in self.kind.read(self.path)]


def _text(value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


@pytest.fixture(params=sorted(KINDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    kind = KINDS[request.param]
    home = Home(kind, tmp_path, Tracker("w.j", Place(**kind.place), COLUMNS, note="a note"))
    if request.param == "google_sheets":
        with SheetsEmulator() as GOOGLES[tmp_path]:
            id_ = GOOGLES[tmp_path].new_spreadsheet("Films 2026")
            kept = Place(google_sheets={"spreadsheet": id_, "tab": "Films"})
            home.tracker = replace(home.tracker, place=kept)
            yield home
        return
    if not kind.is_service:
        yield home
        return
    with Airtable() as SERVICES[tmp_path]:
        SERVICES[tmp_path].base("app1")
        yield home


def film(number: int, **values: Any) -> Row:
    row = {
        "id": number,
        "title": f"Film {number}",
        "budget": Decimal("7.50"),
        "start": date(2026, 3, 1),
    }
    return {**row, "late": False, **values}


FIRST = [film(3), film(1, title=None, budget=None), film(2, title="=1+1")]


def test_a_new_tracker_holds_the_report(place: Home) -> None:
    """In its order, with its values."""
    receipt = place.refresh(FIRST)
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (3, 0, 0)
    assert receipt.writes == (2 if place.kind.is_service else 1)
    assert receipt.bytes > 0
    guarded = "'=1+1" if place.kind.is_text else "=1+1"
    assert place.shown("id", "title", "start", "late") == [
        ("3", "Film 3", "2026-03-01", "false"),
        ("1", None, "2026-03-01", "false"),
        ("2", guarded, "2026-03-01", "false"),
    ]
    assert [Decimal(b) for (b,) in place.shown("budget") if b] == [Decimal("7.5"), Decimal("7.5")]


def test_unchanged_data_writes_nothing(place: Home) -> None:
    """Neither bytes nor times change."""
    place.refresh(FIRST)
    before = place.state
    changes = place.changes(FIRST)
    receipt = place.refresh(FIRST)
    assert changes.is_empty
    assert changes.summary() == "unchanged"
    assert (receipt.writes, receipt.bytes) == (0, 0)
    assert place.state == before


def test_counts_are_those_of_the_rows(place: Home) -> None:
    """One comes, one changes, one goes."""
    place.refresh(FIRST)
    receipt = place.refresh([film(3, late=True), film(2, title="=1+1"), film(9)])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (1, 1, 1)
    assert place.shown("id", "late") == [("3", "true"), ("2", "false"), ("9", "false")]
    assert place.refresh([film(3, late=True), film(2, title="=1+1"), film(9)]).writes == 0


def test_the_report_s_order(place: Home) -> None:
    """An export is always in it, a tracker where it is asked for; a base has none, and says so."""
    place.refresh(FIRST)
    receipt = place.refresh([FIRST[2], FIRST[0], FIRST[1]], order="query")
    if place.kind.is_service:
        assert (receipt.moved, receipt.writes) == (0, 0)
        assert "no order of their own" in receipt.notes[0]
        return
    assert receipt.moved == 1
    assert place.shown("id") == [("2",), ("3",), ("1",)]


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_modes_that_never_delete(place: Home, mode: str) -> None:
    """And adding again adds nothing."""
    place.refresh(FIRST)
    for writes in (True, False):
        receipt = place.refresh([film(3, title="New"), film(4)], mode=mode)
        assert bool(receipt.writes) == writes
    titles = dict(place.shown("id", "title"))
    assert titles["3"] == ("New" if mode == "upsert" else "Film 3")
    assert set(titles) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("order", ["stable", "query"])
@pytest.mark.parametrize("on_delete", ["delete", "archive", "mark", "keep"])
@pytest.mark.parametrize("mode", ["mirror", "upsert", "append", "replace"])
def test_every_mode_with_every_way_to_delete(
    place: Home, mode: str, on_delete: str, order: str
) -> None:
    """Rows 1 and 2 leave, 3 changes, 4 comes; once done, nothing is left to do."""
    if on_delete == "archive" and place.tracker.is_export:
        pytest.skip("an export has no archive, which `check` and `run` tell")
    options = {"mode": mode, "on_delete": on_delete, "order": order}
    place.refresh(FIRST, **options)
    after = [film(3, title="New"), film(4)]
    place.refresh(after, **options)
    stay = mode in ("upsert", "append") or on_delete in ("mark", "keep")
    left_over = {"2"} if mode == "replace" else {"1", "2"}  # what is replaced goes by its number
    shown = dict(place.shown("id", "title"))
    assert set(shown) == {"3", "4"} | (left_over if stay else set())
    assert shown["3"] == ("Film 3" if mode == "append" else "New")
    assert place.refresh(after, **options).writes == 0


def test_replaced_rows_need_no_keys(place: Home) -> None:
    """They go by their number."""
    place.refresh([film(1), film(1), film(2)], mode="replace")
    assert place.refresh([film(1), film(1), film(2)], mode="replace").writes == 0
    receipt = place.refresh([film(1), film(2)], mode="replace")
    assert (receipt.updated, receipt.deleted) == (1, 1)
    assert place.shown("id") == [("1",), ("2",)]


def test_rows_that_left_can_be_marked(place: Home) -> None:
    """In a column of genesis's own."""
    place.refresh(FIRST, on_delete="mark")
    place.refresh(FIRST[1:], on_delete="mark")
    assert {key for (key,) in place.shown("id")} == {"1", "2", "3"}
    name = "Removed" if place.kind.by_label else "_removed"
    removed = [_text(row[name]) for row in place.kind.read(place.path)]
    assert sorted(map(str, removed)) == ["None", "None", "true"]


def test_a_refused_report_changes_nothing(place: Home) -> None:
    """An empty one is refused by the guards."""
    place.refresh(FIRST)
    before = place.state
    with pytest.raises(SinkError, match="empty-result"):
        check_guards(place.changes([]), Guards())
    assert place.state == before


def test_an_empty_report_makes_an_empty_tracker(place: Home) -> None:
    """Its columns are there, and the next one fills it."""
    place.refresh([])
    assert place.kind.read(place.path) == []
    assert place.refresh([]).writes == 0
    place.refresh(FIRST)
    assert len(place.shown("id")) == 3
    place.refresh([])
    assert place.kind.read(place.path) == []


def test_columns_come_and_go(place: Home) -> None:
    """With the report; fields of a base stay, since nothing deletes them, and new ones come last."""
    place.refresh(FIRST)
    columns = (COLUMNS[0], Column("days", "Days", INTEGER), *COLUMNS[3:])
    place.tracker = replace(place.tracker, columns=columns)
    rows = [{**row, "days": 10 * row["id"]} for row in FIRST]
    place.refresh(rows)
    assert place.shown("id", "days") == [("3", "30"), ("1", "10"), ("2", "20")]
    labels = [c.label if place.kind.by_label else c.name for c in columns]
    left = [label for label in place.kind.read(place.path)[0] if label not in labels]
    assert [label for label in place.kind.read(place.path)[0] if label in labels] == (
        ["Id", "Start", "Late", "Days"] if place.kind.is_service else labels
    )
    assert left == (["Title", "Budget"] if place.kind.is_service else [])
    assert place.refresh(rows).writes == 0


def test_a_column_of_another_type_is_written_anew(place: Home) -> None:
    """Also where its values look the same; a field of a base is a person's to change."""
    place.refresh([film(1, title="17")])
    columns = (COLUMNS[0], replace(COLUMNS[1], type=INTEGER), *COLUMNS[2:])
    place.tracker = replace(place.tracker, columns=columns)
    if place.kind.is_service:
        with pytest.raises(
            SinkError, match=r"field `Title`(.|\n)*make it a field of type `number`"
        ):
            place.refresh([film(1, title=17)])
        SERVICES[place.folder].base("app1").table("Films").remove_field("Title")
    place.refresh([film(1, title=17)])
    assert place.shown("title") == [("17",)]
    if not place.kind.is_text:
        row = place.kind.read(place.path)[0]
        assert not isinstance(row["Title" if place.kind.by_label else "title"], str)
    assert place.refresh([film(1, title=17)]).writes == 0


def test_hidden_keys_tell_rows_apart(place: Home) -> None:
    """Two films of one name."""
    columns = (COLUMNS[1], Column("_key_id", "Key id", INTEGER, key=True, hidden=True))
    place.tracker = replace(place.tracker, columns=columns)
    rows = [{"title": "Dune", "_key_id": 1984}, {"title": "Dune", "_key_id": 2021}]
    place.refresh(rows)
    receipt = place.refresh(rows[1:])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (0, 0, 1)
    assert place.shown("title") == [("Dune",)]


def test_the_null_group_of_a_summary(place: Home) -> None:
    """Is a row like any other."""
    columns = (Column("title", "Title", STRING, key=True), Column("id", "Id", INTEGER))
    place.tracker = replace(place.tracker, columns=columns, is_summary=True)
    rows = [{"title": "A", "id": 1}, {"title": None, "id": 2}]
    place.refresh(rows)
    assert place.refresh(rows).writes == 0
    receipt = place.refresh([rows[0], {"title": None, "id": 3}])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (0, 1, 0)


def test_totals_are_one_row(place: Home) -> None:
    """A summary without groups has no key, and needs none."""
    place.tracker = replace(
        place.tracker, columns=(Column("id", "Films", INTEGER),), is_summary=True
    )
    place.refresh([{"id": 3}])
    assert place.refresh([{"id": 4}]).updated == 1
    assert place.refresh([{"id": 4}]).writes == 0


def test_what_others_wrote_is_refused_until_adopted(place: Home) -> None:
    """A place that has content and no mark of ours."""
    place.path.parent.mkdir(exist_ok=True)
    _write_something(place)
    before = place.state
    with pytest.raises(SinkError, match=r"tracker-not-ours(.|\n)*--adopt"):
        place.refresh(FIRST)
    assert place.state == before
    place.refresh(FIRST, adopt=True)
    assert set(place.shown("id")) == {("1",), ("2",), ("3",)}
    assert place.refresh(FIRST).writes == 0


def _write_something(place: Home) -> None:
    match place.tracker.place.sink:
        case "xlsx":
            book = openpyxl.Workbook()
            book.active.title = "Films"
            book.active.append(["Id", "Note"])
            book.active.append([1, "mine"])
            book.save(place.path)
        case "csv":
            place.path.write_text("a,b\n1,2\n")
        case "airtable":
            films = SERVICES[place.folder].base("app1").add_table("Films", "Note")
            films.add_field("Id", "number", precision=0)
            films.add(Id=1, Note="mine")
        case "google_sheets":
            google = GOOGLES[place.folder]
            person = google.person(str(place.tracker.place.google_sheets.spreadsheet))  # type: ignore[union-attr]
            person.adds_tab("Films")
            for cell, text in {"A1": "Id", "B1": "Note", "A2": "1", "B2": "mine"}.items():
                person.types(f"Films!{cell}", text)
        case "parquet":
            pq.write_table(pa.table({"a": [1]}), place.path)
        case _:
            with duckdb.connect(place.path) as duck:
                duck.execute("create table films as select 1 as a")


def test_a_place_that_changed_in_between(place: Home) -> None:
    """Is left to its writer; the next refresh starts from there. A base has no way to tell."""
    place.refresh(FIRST)
    late = place.changes([film(3)])
    place.refresh([*FIRST, film(4)])
    if place.kind.is_service:
        place.kind.sink(place.folder).apply(place.tracker, late)
        place.refresh([film(3)])
        assert place.shown("id") == [("3",)]
        return
    with pytest.raises(SinkBusy, match="tracker-changed"):
        place.kind.sink(place.folder).apply(place.tracker, late)
    assert len(place.shown("id")) == 4


def test_a_place_that_cannot_be_read(place: Home) -> None:
    """Is left as it is."""
    if place.kind.is_service:
        SERVICES[place.folder].bases.clear()
        with pytest.raises(SinkError, match=r"access-refused(.|\n)*share the base"):
            place.refresh(FIRST)
        return
    if place.folder in GOOGLES:
        lost = Place(google_sheets={"spreadsheet": "none", "tab": "Films"})
        place.tracker = replace(place.tracker, place=lost)
        with pytest.raises(SinkError, match="access-refused"):
            place.refresh(FIRST)
        return
    place.path.parent.mkdir()
    place.path.write_bytes(b"\xff\xfe\x00 neither text nor anything else" * 99)
    before = place.path.read_bytes()
    with pytest.raises(SinkError, match="tracker-unreadable"):
        place.refresh(FIRST)
    assert place.path.read_bytes() == before
