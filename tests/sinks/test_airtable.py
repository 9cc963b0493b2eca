"""Trackers in Airtable: values, people's edits, options and links, budgets, refusals, limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import run_command
from genesis.clock import SystemClock
from genesis.compile.statement import Column
from genesis.errors import DefinitionError, SinkBusy, SinkError
from genesis.spec.types import BOOLEAN, DATE, INTEGER, STRING, Type
from genesis.testing.airtable import Airtable, Base, Limits
from genesis.testing.airtable.server import Call, Token
from tests.sinks.airtable_home import COLUMNS, Home
from tests.sinks.entry_points import installed

ARRAY = Type("array", item=STRING)


@pytest.fixture
def airtable() -> Iterator[Airtable]:
    with Airtable() as emulator:
        yield emulator


@pytest.fixture
def home(airtable: Airtable, tmp_path: Path) -> Home:
    return Home(airtable, tmp_path)


def film(number: int, title: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"id": number, "title": title or f"Film {number}", "budget": Decimal("7.50")}
    return {**row, "late": False, **more}


def films(count: int) -> list[dict[str, Any]]:
    return [film(number) for number in range(count)]


def test_hidden_fields_of_two_records_go_round(home: Home) -> None:
    """Each record is still what it shows, and people's notes stay on it."""
    home.refresh(films(3))
    table = home.table
    table.add_field("Note")
    for record in table.records:
        table.edit(record, Note=f"about {table.row(record)['Title']}")
    for fields in (("_genesis_key", "_genesis"), ("_genesis_key",), ("_genesis",)):
        one, other = table.find(Title="Film 0"), table.find(Title="Film 1")
        rows = table.row(one), table.row(other)
        table.write(one, {name: rows[1][name] for name in fields})
        table.write(other, {name: rows[0][name] for name in fields})
        home.refresh(films(3))
        expected = [(f"Film {n}", f"about Film {n}") for n in range(3)]
        assert home.shown("Title", "Note") == expected, fields
        assert home.refresh(films(3)).writes == 0


# ---- values


def test_values_come_back_as_they_were_written(home: Home) -> None:
    """Each in a field of its type; nothing is written again."""
    types = {
        "id": INTEGER,
        "text": STRING,
        "long": Type("decimal", 20, 2),
        "short": Type("decimal", 15, 2),
        "float": Type("float"),
        "day": DATE,
        "at": Type("timestamptz"),
        "local": Type("timestamp"),
        "yes": BOOLEAN,
        "tags": ARRAY,
        "json": Type("json"),
    }
    home.columns = tuple(
        Column(name, name.capitalize(), type_, key=name == "id") for name, type_ in types.items()
    )
    full = {
        "id": 10**15 - 1,
        "text": "=1+1\r\n \U0001f3ac",
        "long": Decimal("123456789012345678.90"),
        "short": Decimal("0.10"),
        "float": 1 / 3,
        "day": date(2026, 3, 1),
        "at": datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC),
        "local": datetime(1969, 7, 20, 20, 17),  # noqa: DTZ001  # the wall clock is the point
        "yes": True,
        "tags": ["a", "b"],
        "json": '{"a": 1}',
    }
    rows = [full, {"id": 0, "text": "", "yes": False, "tags": []}]
    home.refresh(rows)
    first, second = home.table.rows
    assert {k: v for k, v in first.items() if not k.startswith("_")} == {
        "Id": 10**15 - 1,
        "Text": "=1+1\n \U0001f3ac",
        "Long": "123456789012345678.90",
        "Short": 0.1,
        "Float": 0.33333333,
        "Day": "2026-03-01",
        "At": "2026-03-01T09:30:00.123Z",
        "Local": "1969-07-20T20:17:00.000Z",
        "Yes": True,
        "Tags": '["a", "b"]',
        "Json": '{"a": 1}',
    }
    assert {k: v for k, v in second.items() if not k.startswith("_")} == {"Id": 0, "Tags": "[]"}
    assert home.refresh(rows).writes == 0


def test_values_that_no_field_holds(home: Home) -> None:
    """Refuse their row, or are shown as empty."""
    home.columns = (COLUMNS[0], Column("x", "X", Type("float")))
    receipt = home.refresh(
        [{"id": 10**15, "x": 1.0}, {"id": 1, "x": math.nan}, {"id": 2, "x": 2.0}]
    )
    assert receipt.is_partial
    assert [(r.key, r.column, r.refused) for r in receipt.rejects] == [
        ("1000000000000000", "id", "row"),
        ("1", "x", "value"),
    ]
    assert home.shown("Id", "X") == [(1, None), (2, 2)]


# ---- people


def test_people_s_fields_and_records_stay(home: Home) -> None:
    """Through updates, new rows and deletes."""
    home.refresh(films(3))
    home.table.add_field("Note")
    for number in range(3):
        home.table.edit(home.table.find(Id=number), Note=f"about {number}")
    mine = home.table.add(Title="mine", Note="of my own")
    home.refresh([film(0, "New"), film(2), film(9)])
    assert home.shown("Id", "Title", "Note") == [
        (0, "New", "about 0"),
        (2, "Film 2", "about 2"),
        (9, "Film 9", None),
    ]
    assert home.table.row(mine) == {"Title": "mine", "Note": "of my own"}


def test_a_renamed_field_is_followed(home: Home) -> None:
    """And its name stays, until the label changes where nobody renamed it."""
    home.refresh(films(2))
    home.table.rename_field("Title", "Working title")
    receipt = home.refresh([film(0, "New"), film(1)])
    assert receipt.notes == ("header `Title` was renamed to `Working title` and stays so",)
    assert home.shown("Working title") == [("Film 1",), ("New",)]
    home.columns = (*COLUMNS[:2], replace(COLUMNS[2], label="Cost"), COLUMNS[3])
    home.refresh([film(0, "New"), film(1)])
    assert [f.name for f in home.table.fields][:4] == ["Id", "Working title", "Cost", "Late"]
    assert home.refresh([film(0, "New"), film(1)]).writes == 0


def test_a_renamed_table_is_followed(home: Home) -> None:
    """The table that people look at is the one that should be fresh."""
    home.refresh(films(1))
    table = home.table
    table.name = "Our films"
    home.refresh([film(0, "New")])
    assert [row["Title"] for row in table.rows] == ["New"]
    assert home.base.tables == [table]


def test_an_edit_of_a_managed_cell_is_told_and_undone(home: Home) -> None:
    """With what was written and what was found."""
    home.refresh(films(2))
    home.table.edit(home.table.find(Id=1), Title="mine")
    receipt = home.refresh(films(2))
    assert [(e.key, e.column, e.written, e.found) for e in receipt.human_edits] == [
        ("1", "title", "Film 1", "mine")
    ]
    assert home.shown("Title") == [("Film 0",), ("Film 1",)]


def test_an_edit_can_stay_or_stop_the_refresh(home: Home) -> None:
    """It stays until the report has something new to say."""
    home.refresh(films(2))
    home.table.edit(home.table.find(Id=1), Title="mine", Budget=1)
    assert home.refresh(films(2), on_human_edit="keep").writes == 0
    assert home.shown("Title") == [("Film 0",), ("mine",)]
    with pytest.raises(SinkError, match="held-change"):
        home.refresh(films(2), on_human_edit="fail")
    home.refresh([film(0), film(1, "New")], on_human_edit="keep")
    assert home.shown("Title", "Budget") == [("Film 0", 7.5), ("New", 1)]


def test_a_copied_record_is_its_owner_s(home: Home) -> None:
    """The original stays managed, with its notes; the copy is told, and left alone from then on."""
    home.refresh(films(2))
    copy = home.table.duplicate(home.table.find(Id=1))
    home.table.edit(copy, Title="another")
    receipt = home.refresh(films(2))
    assert receipt.notes == ("copies of rows `1` are their owner's now; one of each stays managed",)
    assert home.table.row(copy) == {"Id": 1, "Title": "another", "Budget": 7.5}
    assert home.refresh(films(2)).writes == 0


def test_a_new_record_is_not_merged_with_one_that_was_given_its_key(home: Home) -> None:
    """A key that a person typed over is written again before anything is inserted, and told."""
    home.refresh(films(2))
    home.table.add_field("Note")
    home.table.write(home.table.find(Id=1), {"_genesis_key": "2", "Note": "about 1"})
    receipt = home.refresh(films(3))
    assert "the hidden key of rows `1` was typed over" in receipt.notes[0]
    assert home.shown("_genesis_key", "Id", "Note") == [
        ("0", 0, None),
        ("1", 1, "about 1"),
        ("2", 2, None),
    ]


def test_a_field_that_was_deleted_is_no_edit_of_records_that_had_left(home: Home) -> None:
    """One that comes back is filled, although what was written before is not there any more."""
    home.refresh([film(0, late=True), film(1, late=True)], mode="upsert")
    home.refresh([film(0, late=True)], mode="upsert")
    home.table.remove_field("Late")
    home.refresh([film(0, late=True)], mode="upsert")
    back = [film(0, late=True), film(1, late=True)]
    receipt = home.refresh(back, mode="upsert", on_human_edit="keep")
    assert receipt.human_edits == ()
    assert home.shown("Id", "Late") == [(0, True), (1, True)]


def test_a_new_record_is_not_deleted_with_one_that_was_given_its_key(home: Home) -> None:
    """In the refresh that deletes the one and makes the other; another column is gone besides."""
    home.refresh(films(2))
    home.table.write(home.table.find(Id=1), {"_genesis_key": "2"})
    home.table.remove_field("Late")
    home.refresh([film(0), film(2)])
    assert home.shown("_genesis_key", "Id") == [("0", 0), ("2", 2)]
    assert home.refresh([film(0), film(2)]).writes == 0


def test_who_types_over_a_key_moves_nothing(home: Home) -> None:
    """The stamp beside it has it too."""
    home.refresh(films(3))
    home.table.add_field("Note")
    record = home.table.find(Id=1)
    home.table.write(record, {"_genesis_key": "2", "Note": "about 1"})
    home.refresh([film(0), film(1, "New"), film(2)])
    assert home.table.row(record)["_genesis_key"] == "1"
    assert home.shown("Id", "Title", "Note")[1] == (1, "New", "about 1")
    assert len(home.table.rows) == 3


def test_a_field_that_people_made_is_not_taken(home: Home) -> None:
    """Its name is theirs; an empty one is gladly used."""
    home.refresh(films(2))
    home.table.add_field("Notes", "multilineText")
    home.table.edit(home.table.find(Id=1), Notes="mine")
    home.columns = (*COLUMNS, Column("notes", "Notes", STRING))
    rows = [{**film(0), "notes": "a"}, {**film(1), "notes": "b"}]
    with pytest.raises(SinkError, match=r"field `Notes`(.|\n)*rename the field"):
        home.refresh(rows)
    home.table.edit(home.table.find(Id=1), Notes="")
    home.refresh(rows)
    assert home.shown("Notes") == [("a",), ("b",)]
    assert home.refresh(rows).writes == 0


def test_a_column_that_left_leaves_its_field(home: Home) -> None:
    """To people, and says so."""
    home.refresh(films(1))
    home.columns = COLUMNS[:3]
    receipt = home.refresh(films(1))
    assert receipt.notes == ("field `Late` is no longer kept: delete it or keep it",)
    home.table.remove_field("Late")
    assert home.refresh(films(1)).notes == ()


# ---- options and links


def test_options_are_made_with_their_field(home: Home) -> None:
    """Later ones refuse their row, unless they are to be made."""
    home.columns = (COLUMNS[0], Column("status", "Status", STRING), Column("tags", "Tags", ARRAY))
    home.place = {"selects": ["status", "tags"]}
    rows = [{"id": 1, "status": "PREP", "tags": ["a", "b"]}, {"id": 2, "status": "POST"}]
    home.refresh(rows)
    assert home.table.field("Status").choices == ["PREP", "POST"]
    assert home.shown("Status", "Tags") == [("POST", None), ("PREP", ["a", "b"])]
    assert home.refresh(rows).writes == 0
    rows = [{"id": 1, "status": "WRAP", "tags": ["c"]}, {"id": 2, "status": "PREP"}]
    receipt = home.refresh(rows)
    assert [(r.key, r.column) for r in receipt.rejects] == [("1", "status")]
    assert "has no option `WRAP`" in receipt.rejects[0].reason
    assert home.shown("Status") == [("PREP",), ("PREP",)]
    home.place["new_options"] = True
    assert not home.refresh(rows).is_partial
    assert home.shown("Status", "Tags") == [("PREP", None), ("WRAP", ["c"])]


def test_links_go_by_name(home: Home) -> None:
    """To records that are there, once; the others refuse their row."""
    people = home.base.add_table("People", "Name")
    for name in ("Ada", "Bob", "Eve", "Eve"):
        people.add(Name=name)
    home.columns = (COLUMNS[0], Column("crew", "Crew", ARRAY))
    home.place = {"links": {"crew": "People"}}
    crews = [["Ada", "Bob"], ["Zoe"], ["Eve"], None]
    rows = [{"id": at, "crew": crew} for at, crew in enumerate(crews)]
    receipt = home.refresh(rows)
    assert [(r.key, r.reason) for r in receipt.rejects] == [
        ("1", "table `People` has no record called `Zoe`"),
        ("2", "table `People` has 2 records called `Eve`"),
    ]
    ada, bob = people.find(Name="Ada"), people.find(Name="Bob")
    assert home.shown("Id", "Crew") == [(0, [ada.id, bob.id]), (3, None)]
    assert home.refresh(rows).writes == 0


# ---- one bad row


def test_one_bad_row_of_ten(home: Home) -> None:
    """Is found in eight requests, told in Airtable's words, and stops nobody else."""
    home.refresh(films(10))

    def choose(call: Call) -> None:
        if call.method == "PATCH":
            home.airtable.before = None
            home.table.retype_field("Title", "singleSelect")
            for number in range(9):
                home.table.field("Title").add_choice(f"New {number}")

    changes = home.changes([film(n, f"New {n}") for n in range(10)])
    home.airtable.before = choose
    receipt = home.sink().apply(home.tracker, changes)
    assert receipt.is_partial
    (reject,) = receipt.rejects
    assert (reject.key, reject.refused) == ("9", "row")
    assert reject.reason == 'Insufficient permissions to create new select option "New 9"'
    assert (receipt.updated, receipt.writes) == (9, 8)
    assert max(row["Title"] for row in home.table.rows) == "New 8"


def test_a_record_that_a_person_deletes_meanwhile(home: Home) -> None:
    """Is told, and made anew by the next refresh."""
    home.refresh(films(3))
    changes = home.changes([film(0, "a"), film(1, "b")])
    home.table.remove(home.table.find(Id=1))
    home.table.remove(home.table.find(Id=2))
    receipt = home.sink().apply(home.tracker, changes)
    assert [r.key for r in receipt.rejects] == ["1"]
    assert (receipt.updated, receipt.deleted) == (1, 1)
    home.refresh([film(0, "a"), film(1, "b")])
    assert home.shown("Title") == [("a",), ("b",)]


# ---- calls


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_as_few_calls_as_there_can_be(home: Home, count: int) -> None:
    """One for the schema, one for a page of a hundred, one for ten records of each kind."""
    home.refresh(films(count))
    assert home.refresh(films(count)).writes == 0
    changed = [film(n, "New") for n in range(10, count)] + [film(n) for n in range(1000, 1015)]
    receipt = home.refresh(changed)
    left, new = max(count - 10, 0), 15
    pages = max(math.ceil(count / 100), 1)
    assert receipt.reads == 1 + pages
    assert receipt.writes == sum(math.ceil(n / 10) for n in (left, new, count - left))


def test_unchanged_data_is_read_by_field_and_not_written(home: Home) -> None:
    """People's fields are not even asked for."""
    home.refresh(films(3))
    home.table.add_field("Note")
    del home.airtable.calls[:]
    receipt = home.refresh(films(3))
    schema, records = home.airtable.calls
    assert (receipt.reads, receipt.writes, receipt.bytes) == (2, 0, 0)
    assert set(records.query["fields[]"]) == {f.id for f in home.table.fields} - {
        home.table.field("Note").id
    }
    assert schema.path == "/v0/meta/bases/app1/tables"


def test_the_receipt_foretells_the_month(home: Home) -> None:
    """From the calls of all processes, this one's included."""
    home.access = {"monthly_calls": 1000}
    home.refresh(films(3))
    calls = home.refresh(films(3)).to_json()["calls"]
    made = len(home.airtable.calls)
    assert calls == {
        "read": 2,
        "write": 0,
        "month": {"made": made, "forecast": round(made * 8.5), "allowed": 1000},
    }


def test_budgets_are_kept_before_the_first_write(home: Home) -> None:
    """The tracker's, the month's and the plan's: too-many-calls, tracker-too-large."""
    home.refresh(films(3))
    before = home.table.rows
    home.place = {"max_calls": 3}
    with pytest.raises(SinkError, match=r"needs 4 calls, 3 may be made \[too-many-calls\]"):
        home.refresh(films(20))
    home.place, home.access = {}, {"monthly_calls": 10}
    with pytest.raises(SinkError, match="the plan has 10"):
        home.refresh(films(50))
    home.access = {"max_records": 10}
    with pytest.raises(SinkError, match="would have 20 records"):
        home.refresh(films(20))
    assert home.table.rows == before


def test_a_lock_out_is_waited_for(home: Home) -> None:
    """By all who share the base, for half a minute; no call is lost and none is made twice."""
    other = Home(home.airtable, home.folder, base_id="app2")
    home.refresh(films(25))
    start = home.airtable.clock.now()
    home.airtable.faults = {len(home.airtable.calls) + 3: "429"}
    receipt = home.refresh([film(n, "New") for n in range(25)])
    assert timedelta(seconds=30) <= home.airtable.clock.now() - start < timedelta(seconds=33)
    assert (receipt.updated, receipt.writes) == (25, 4)
    start = home.airtable.clock.now()
    home.rates.freeze("airtable:app1", timedelta(seconds=30))
    other.refresh(films(1))
    assert home.airtable.clock.now() - start < timedelta(seconds=3)


def test_a_deadline_is_kept(home: Home) -> None:
    """What landed stays, and the next refresh goes on from there."""
    home.refresh(films(25))
    home.airtable.faults = {len(home.airtable.calls) + n: "429" for n in range(4, 99)}
    start = home.airtable.clock.now()
    with pytest.raises(SinkBusy, match="service-busy"):
        home.refresh([film(n, "New") for n in range(25)], timeout=timedelta(minutes=2))
    assert home.airtable.clock.now() - start <= timedelta(minutes=2)
    assert sum(row["Title"] == "New" for row in home.table.rows) == 10
    home.airtable.faults = {}
    receipt = home.refresh([film(n, "New") for n in range(25)])
    assert (receipt.updated, receipt.writes) == (15, 2)


def test_a_service_that_is_gone(home: Home) -> None:
    """Is asked eight times in some two minutes."""
    home.access = {"endpoint": "http://127.0.0.1:1"}
    start = home.airtable.clock.now()
    said = (
        r"Airtable at `http://127.0.0.1:1` gave no answer: the connection failed(.|\n)*`endpoint`"
    )
    with pytest.raises(SinkBusy, match=said):
        home.refresh(films(1))
    assert timedelta(minutes=1) < home.airtable.clock.now() - start < timedelta(minutes=3)


# ---- refusals


def test_refusals_say_the_way_out(home: Home) -> None:
    """One message each, and no second try: access-refused."""
    home.airtable.tokens = {
        "stranger": Token(["app2"]),
        "reader": Token(["app1"], ["data.records:read", "schema.bases:read"]),
    }
    for token, said in (
        ("expired", r"does not know the token(.|\n)*developer hub"),
        ("stranger", r"base `app1`(.|\n)*share the base with the token"),
        (
            "reader",
            r"may not make(.|\n)*`schema.bases:write`(.|\n)*`Id` \(number\), `Title` \(multi",
        ),
    ):
        home.access = {"token": token}
        before = len(home.airtable.calls)
        with pytest.raises(SinkError, match=said) as caught:
            home.refresh(films(1))
        assert caught.value.problems[0].code == "access-refused"
        assert caught.value.exit_code == 4
        assert len(home.airtable.calls) - before == (1 + token.count("reader"))


def test_without_a_token_nothing_is_called(home: Home) -> None:
    """Nor is Airtable itself, by mistake."""
    home.access = {"endpoint": None}
    with pytest.raises(DefinitionError, match=r"access-refused(.|\n)*AIRTABLE_TOKEN"):
        home.refresh(films(1))


def test_a_table_made_by_hand_needs_no_rights(home: Home) -> None:
    """Its fields are found by their names, in this refresh and the next."""
    scopes = ["data.records:read", "data.records:write", "schema.bases:read"]
    home.airtable.tokens = {"writer": Token(["app1"], scopes)}
    home.access = {"token": "writer"}
    table = home.base.add_table("Films", "Title")
    table.add_field("Id", "number", precision=0)
    table.add_field("Budget", "currency", precision=2, symbol="$")
    table.add_field("Late", "checkbox", icon="check", color="red")
    table.add_field("_genesis_key")
    table.add_field("_genesis", "multilineText")
    for _ in range(3):
        table.add()
    home.refresh(films(2))
    assert home.shown("Id", "Title", "Budget") == [(0, "Film 0", 7.5), (1, "Film 1", 7.5)]
    home.refresh([film(1, "New")])
    assert home.shown("Title") == [("New",)]
    assert len(table.rows) == 4


def test_a_full_base(home: Home) -> None:
    """Deletes make room; what does not fit is told once."""
    home.base.max_records = 20
    home.refresh(films(20))
    home.refresh([film(n) for n in range(10, 30)])
    assert [i for (i,) in home.shown("Id")] == list(range(10, 30))
    with pytest.raises(SinkError, match=r"is full(.|\n)*tracker-too-large(.|\n)*larger plan"):
        home.refresh([film(n) for n in range(10, 40)])
    assert len(home.table.rows) == 20


def test_a_month_that_is_spent(home: Home) -> None:
    """Is not waited for."""
    home.refresh(films(1))
    home.airtable.limits = Limits(calls_a_month=0)
    before = len(home.airtable.calls)
    with pytest.raises(SinkError, match="used up its API calls"):
        home.refresh(films(2))
    assert len(home.airtable.calls) == before + 1


def test_a_list_that_loses_its_place_begins_anew(home: Home) -> None:
    """Half of one would delete the other half's rows."""
    home.refresh(films(150))
    home.airtable.faults = {len(home.airtable.calls) + 3: "lost-place"}
    receipt = home.refresh(films(150))
    assert (receipt.reads, receipt.writes, receipt.inserted) == (5, 0, 0)


def test_touch_says_when_it_was_checked(home: Home) -> None:
    """On the table, in one call a run."""
    home.refresh(films(1))
    assert home.table.description == "Films\nKept by genesis"
    assert home.refresh(films(1), touch=True).writes == 1
    assert home.table.description.endswith("Last change: now")


# ---- the command


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with one tracker, in an emulator that goes by the machine's clock."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    folder = tmp_path / "project"
    for name in ("definitions", "inputs", "workflows"):
        (folder / name).mkdir(parents=True)
    (folder / "definitions" / "movie.yaml").write_text(
        "data_source: movie\nsql: \"SELECT 1 AS id, 'Dune' AS title\"\nprimary_key: id\n"
        "fields: {id: integer, title: string}\n"
    )
    (folder / "inputs" / "movies.yaml").write_text(
        "input: movies\nsource: movie\nfields: [id, title]\n"
    )
    (folder / "workflows" / "movies.yaml").write_text(
        "workflow: movies\njobs: [{refresh: movies, to: {airtable: {base: app1, table: Movies}}}]\n"
    )
    with Airtable(clock=SystemClock()) as airtable:
        airtable.base("app1")
        (folder / "genesis.yaml").write_text(
            f"project: p\nsinks: {{airtable: {{endpoint: '{airtable.url}'}}}}\n"
        )
        BASES[folder] = airtable.base("app1")
        yield folder


BASES: dict[Path, Base] = {}


def test_a_run_of_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From YAML to records, with the receipt; a second run writes nothing."""
    for inserted in (1, 0):
        assert run_command(["-C", str(project), "run", "movies", "--format", "json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)["jobs"]
        assert job["tracker"] == "airtable app1, Movies"
        assert job["receipt"]["inserted"] == inserted
        assert bool(job["receipt"]["calls"]["write"]) == bool(inserted)
    movies = BASES[project].table("Movies")
    assert [(row["Id"], row["Title"]) for row in movies.rows] == [(1, "Dune")]
    assert movies.description.startswith("Movies\nKept by genesis")


def test_a_refused_record_is_told_and_fails_the_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Partial, with exit code 4 and the reason."""
    movies = BASES[project].add_table("Movies", "Note")
    movies.add_field("Title", "singleSelect", choices=[{"name": "Alien"}])
    assert run_command(["-C", str(project), "run", "movies"]) == 4
    said = capsys.readouterr().out
    assert said.startswith("! movies.refresh_movies")
    assert "field `Title` has no option `Dune`" in said
