"""Trackers in Google Sheets: layout, values, people's edits, modes, budgets, large loads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import run_command
from genesis.compile.statement import Column
from genesis.errors import SinkBusy, SinkError
from genesis.spec.types import BOOLEAN, DATE, INTEGER, STRING, Type
from genesis.sync.changes import Annotation
from genesis.sync.said import read_back
from genesis.testing.sheets import HandClock, Limits, SheetsEmulator
from tests.sinks.entry_points import installed
from tests.sinks.sheets_home import COLUMNS, Home

ARRAY = Type("array", item=STRING)


@pytest.fixture
def google() -> Iterator[SheetsEmulator]:
    with SheetsEmulator(clock=HandClock()) as emulator:
        yield emulator


@pytest.fixture
def home(google: SheetsEmulator, tmp_path: Path) -> Home:
    return Home(google, tmp_path)


def film(number: int, title: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"id": number, "title": title or f"Film {number}", "budget": Decimal("7.50")}
    return {**row, "late": False, **more}


def films(*numbers: int) -> list[dict[str, Any]]:
    return [film(number) for number in numbers]


def annotate(home: Home) -> None:
    """A person's own column, with something about each film."""
    home.person.types("Films!G1", "Note")
    for at, (id_,) in enumerate(home.shown("Id"), 2):
        home.person.types(f"Films!G{at}", f"about {id_}")


def notes(home: Home) -> dict[str, str]:
    return dict(home.shown("Id", "Note"))  # type: ignore[arg-type]


# ---- layout


def test_a_new_tab(home: Home) -> None:
    """Header, note, formats; the key and the stamp in columns that are hidden and warn."""
    home.refresh(films(1, 2))
    assert home.person.sees_rows("Films") == [
        ["Id", "Title", "Budget", "Late"],
        ["1", "Film 1", "$7.50", "FALSE"],
        ["2", "Film 2", "$7.50", "FALSE"],
    ]
    assert home.person.reads_note("Films!A1") == "Films\nKept by genesis"
    assert [line.hidden for line in home.tab.columns][:7] == [False] * 4 + [True] * 2 + [False]
    assert [home.tab.at(row, 4).value for row in range(3)] == ["_genesis_key", "1", "2"]
    (warning,) = home.book.protections.values()
    assert (warning.area.left, warning.area.right) == (4, 6)
    assert warning.about["warningOnly"]
    assert home.tab.frozen["ROWS"] == 1
    assert (home.tab.at(1, 1).format or {})["numberFormat"]["type"] == "TEXT"


def test_an_empty_tab_is_used(home: Home) -> None:
    """As it is; nothing is inserted into it."""
    home.person.adds_tab("Films")
    home.person.colours("Films!A1:B1", 1, 0, 0)
    home.refresh(films(1, 2))
    assert len(home.tab.rows) == 1000
    assert "backgroundColor" in (home.tab.at(0, 0).format or {})
    assert home.shown("Id") == [("1",), ("2",)]


def test_as_few_calls_as_there_can_be(home: Home) -> None:
    """One read, and one write where anything changed; the first refresh looks twice."""
    first = home.refresh(films(*range(50)))
    assert (first.reads, first.writes) == (2, 1)
    same = home.refresh(films(*range(50)))
    assert (same.reads, same.writes, same.bytes) == (1, 0, 0)
    new = home.refresh([film(n, "New") for n in range(10, 70)])
    assert (new.reads, new.writes) == (1, 1)
    assert new.bytes > 0


def test_a_touch_is_one_small_write(home: Home) -> None:
    """So that the sheet itself says when it was last looked after."""
    home.refresh(films(1))
    receipt = home.refresh(films(1), touch=True, note="Later")
    assert (receipt.reads, receipt.writes) == (1, 1)
    assert home.person.reads_note("Films!A1") == "Later"
    assert home.refresh(films(1)).writes == 0


def test_a_full_grid_grows(home: Home) -> None:
    """To the right and to the bottom, in the batch that needs it."""
    home.refresh(films(1))
    home.person.deletes_columns("Films", "G", 6)
    home.person.deletes_rows("Films", 3)
    home.columns = (*COLUMNS, Column("days", "Days", INTEGER))
    receipt = home.refresh([film(n, days=n) for n in range(1, 5)])
    assert (receipt.reads, receipt.writes) == (1, 1)
    assert home.shown("Id", "Days") == [(str(n), str(n)) for n in range(1, 5)]


def test_all_rows_may_go(home: Home) -> None:
    """Although Google lets nobody delete all rows below a header."""
    home.refresh(films(1, 2))
    home.person.deletes_rows("Films", 4)
    home.refresh([])
    assert home.refresh([]).writes == 0
    assert home.shown("Id") == []
    home.refresh(films(3))
    assert home.shown("Id") == [("3",)]


# ---- values


def test_values_come_back_as_they_were_written(home: Home) -> None:
    """Typed; nothing is written again. Instants are the spreadsheet's wall clock."""
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
    }
    home.columns = tuple(
        Column(name, name.capitalize(), type_, key=name == "id") for name, type_ in types.items()
    )
    home.book.time_zone = "America/Los_Angeles"
    full = {
        "id": 10**15,
        "text": "=1+1\r\n \U0001f3ac",
        "long": Decimal("123456789012345678.90"),
        "short": Decimal("0.10"),
        "float": 1 / 3,
        "day": date(2026, 3, 1),
        "at": datetime(2026, 11, 1, 9, 30, 0, 123456, tzinfo=UTC),
        "local": datetime(1969, 7, 20, 20, 17),  # noqa: DTZ001  # without zone: UTC
        "yes": True,
        "tags": ["a", "b"],
    }
    rows = [full, {"id": 0, "text": "", "yes": False, "tags": []}]
    home.refresh(rows)
    values = [cell.value for cell in (home.tab.at(1, at) for at in range(10))]
    assert values == [
        "1000000000000000",
        "=1+1\n \U0001f3ac",
        "123456789012345678.9",
        0.1,
        1 / 3,
        46082,
        pytest.approx(46327 + (1.5 * 3600 + 0.123) / 86400),
        pytest.approx(25404 + 13 / 24 + 17 / 1440),
        True,
        '["a", "b"]',
    ]
    assert home.refresh(rows).writes == 0


def test_a_spreadsheet_of_another_locale_and_zone(home: Home) -> None:
    """What is written is typed, whatever people see; what they type is read as they mean it."""
    home.book.locale_name, home.book.time_zone = "de_DE", "Asia/Kolkata"
    types = {"id": INTEGER, "cost": Type("decimal", 12, 2), "day": DATE, "at": Type("timestamptz")}
    home.columns = tuple(Column(n, n.title(), t, key=n == "id") for n, t in types.items())
    asked = (
        Annotation(Column("share", "Share", Type("decimal", 3, 1)), (0.5, 1.5)),
        Annotation(Column("due", "Due", DATE)),
        Annotation(Column("seen", "Seen", Type("timestamptz"))),
    )
    home.options = {"annotations": asked, "timezone": "Asia/Kolkata"}
    rows = [
        {
            "id": 1,
            "cost": Decimal("1234.50"),
            "day": date(2026, 3, 2),
            "at": datetime(2026, 3, 2, 20, tzinfo=UTC),
        }
    ]
    home.refresh(rows)
    values = [home.tab.at(1, at).value for at in range(4)]
    assert values == [1, 1234.5, 46083, pytest.approx(46084 + 1.5 / 24)]
    home.person.types("Films!G2", "1,5")
    home.person.types("Films!H2", "3.2.2026")
    home.person.types("Films!I2", "3.2.2026 08:30:00")
    home.person.types("Films!B2", "1.234,56")
    changes = home.changes(rows, **home.options)
    assert [edit.found for edit in changes.human_edits] == [1234.56]
    (said,), unread = read_back(changes, home.tracker, {})
    assert unread == ()
    assert said.record == {
        "id": 1,
        "share": Decimal("1.5"),
        "due": date(2026, 2, 3),
        "seen": datetime(2026, 2, 3, 3, tzinfo=UTC),
    }
    home.refresh(rows)
    assert home.refresh(rows).writes == 0
    shown = home.person.sees_rows("Films")[1]
    assert shown[1:4] == ["1234,50", "2026-03-02", "2026-03-03 01:30:00"]


def test_columns_are_wide_enough_once(home: Home) -> None:
    """In the batch that makes the tab; a width that a person chose stays."""
    receipt = home.refresh([film(1, "A title of forty letters, no more, no less")])
    assert (receipt.reads, receipt.writes) == (2, 1)
    assert [line.size for line in home.tab.columns][:5] == [60, 320, 80, 100, None]
    home.tab.columns[1] = replace(home.tab.columns[1], size=90)
    home.refresh([film(1, "New"), film(2, "A title of forty letters, no more, no less")])
    assert home.tab.columns[1].size == 90


def test_the_hour_that_the_clock_strikes_twice(home: Home) -> None:
    """Is told apart by what was written, and moves no cell."""
    home.columns = (COLUMNS[0], Column("at", "At", Type("timestamptz")))
    home.book.time_zone = "America/Los_Angeles"
    rows = [{"id": n, "at": datetime(2026, 11, 1, 8 + n, 30, tzinfo=UTC)} for n in range(3)]
    home.refresh(rows)
    assert home.shown("At") == [
        ("2026-11-01 01:30:00",),
        ("2026-11-01 01:30:00",),
        ("2026-11-01 02:30:00",),
    ]
    assert home.refresh(rows).writes == 0
    assert home.refresh([{**row, "at": rows[1]["at"]} for row in rows]).updated == 2


def test_values_that_no_cell_holds(home: Home) -> None:
    """Refuse their row, or are shown as empty."""
    home.columns = (*COLUMNS[:2], Column("x", "X", Type("float")))
    receipt = home.refresh(
        [
            {"id": 1, "title": "x" * 50_001, "x": 1.0},
            {"id": 2, "title": "x" * 50_000, "x": math.nan},
        ]
    )
    assert receipt.is_partial
    assert [(r.key, r.column, r.refused) for r in receipt.rejects] == [
        ("1", "title", "row"),
        ("2", "x", "value"),
    ]
    assert home.shown("Id", "X") == [("2", "")]


# ---- people


def test_people_s_columns_notes_and_colours_stay_with_their_rows(home: Home) -> None:
    """Through updates, new rows, deletes and another order."""
    home.refresh(films(1, 2, 3))
    annotate(home)
    home.person.notes("Films!B3", "a note on film 2")
    home.person.colours("Films!A4:G4", 1, 0, 0)
    home.refresh([film(3), film(9), film(2, "New")], order="query")
    assert notes(home) == {"3": "about 3", "9": "", "2": "about 2"}
    assert home.person.reads_note("Films!B4") == "a note on film 2"
    assert "backgroundColor" in (home.tab.at(1, 0).format or {})
    assert "backgroundColor" not in (home.tab.at(3, 0).format or {})


def test_new_rows_take_no_colours_over(home: Home) -> None:
    """A colour says something about its row; how a column's numbers are shown is for all of them."""
    home.refresh(films(1, 2))
    home.person.colours("Films!A3:G3", 1, 0, 0)
    home.refresh(films(1, 2, 3))
    assert "backgroundColor" in (home.tab.at(2, 0).format or {})
    assert "backgroundColor" not in (home.tab.at(3, 0).format or {})
    assert home.shown("Budget") == [("$7.50",)] * 3


def test_people_s_rows_stay_where_they_are(home: Home) -> None:
    """Between the rows they stood between."""
    home.refresh(films(1, 2, 3))
    home.person.inserts_rows("Films", 3)
    home.person.types("Films!B3", "mine")
    home.refresh([film(3), film(4)])
    assert home.shown("Id", "Title") == [("", "mine"), ("3", "Film 3"), ("4", "Film 4")]
    assert home.refresh([film(3), film(4)]).writes == 0


def test_a_title_above_the_header(home: Home) -> None:
    """The header is where the hidden column names itself."""
    home.refresh(films(1))
    home.person.inserts_rows("Films", 1, 2)
    home.person.types("Films!A1", "Our films")
    home.refresh(films(1, 2))
    assert home.person.sees_rows("Films")[0] == ["Our films"]
    assert [row[0] for row in home.person.sees_rows("Films")[2:]] == ["Id", "1", "2"]


def test_moved_and_renamed_columns_are_followed(home: Home) -> None:
    """And keep their headers."""
    home.refresh(films(1, 2))
    home.person.types("Films!B1", "Working title")
    home.person.moves_columns("Films", "B", 1, "A")
    receipt = home.refresh([film(1, "New"), film(2), film(3)])
    assert receipt.notes == ("header `Title` was renamed to `Working title` and stays so",)
    assert home.person.sees_rows("Films")[0] == ["Working title", "Id", "Budget", "Late"]
    assert home.shown("Id", "Working title") == [("1", "New"), ("2", "Film 2"), ("3", "Film 3")]
    home.columns = (replace(COLUMNS[0], label="No"), *COLUMNS[1:])
    home.refresh([film(1, "New"), film(2), film(3)])
    assert home.person.sees_rows("Films")[0] == ["Working title", "No", "Budget", "Late"]
    assert home.refresh([film(1, "New"), film(2), film(3)]).writes == 0


def test_a_renamed_tab_is_followed(home: Home) -> None:
    """In one read."""
    home.refresh(films(1))
    home.person.renames_tab("Films", "It's ours")
    receipt = home.refresh([film(1, "New")])
    assert (receipt.reads, receipt.writes) == (1, 1)
    assert home.shown("Title", tab="It's ours") == [("New",)]
    assert [tab.title for tab in home.book.tabs] == ["Sheet1", "It's ours"]


def test_columns_of_people_between_ours(home: Home) -> None:
    """Are passed over."""
    home.refresh(films(1))
    home.person.inserts_columns("Films", "C")
    home.person.types("Films!C1", "Mine")
    home.person.types("Films!C2", "about 1")
    home.refresh([film(1, "New", budget=Decimal(8)), film(2)])
    assert home.shown("Id", "Title", "Mine", "Budget") == [
        ("1", "New", "about 1", "$8.00"),
        ("2", "Film 2", "", "$7.50"),
    ]


def test_a_deleted_column_is_made_again(home: Home) -> None:
    """With all its cells."""
    home.refresh(films(1, 2))
    home.person.deletes_columns("Films", "B")
    home.refresh(films(1, 2))
    assert home.person.sees_rows("Films")[:2] == [
        ["Id", "Title", "Budget", "Late"],
        ["1", "Film 1", "$7.50", "FALSE"],
    ]
    assert home.refresh(films(1, 2)).writes == 0


HIDDEN = (replace(COLUMNS[0], name="_key_id", hidden=True), *COLUMNS[1:])


@pytest.fixture(params=[COLUMNS, HIDDEN], ids=["shown", "hidden"])
def either(request: pytest.FixtureRequest, home: Home) -> Home:
    """A tracker that shows its key, and one that does not."""
    home.columns = request.param
    home.refresh(known(home, films(1, 2, 3)))
    home.person.types(f"Films!{after(home, 2)}1", "Note")
    for at in (2, 3, 4):
        home.person.types(f"Films!{after(home, 2)}{at}", f"about Film {at - 1}")
    return home


def known(home: Home, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, home.columns[0].name: row["id"]} for row in rows]


def after(home: Home, columns: int) -> str:
    """The letter of a column right of the report's."""
    return "ABCDEFGH"[sum(not column.hidden for column in home.columns) + columns]


def test_a_lost_key_column_is_made_again(either: Home) -> None:
    """Whose row each is stands in the other hidden column too."""
    either.person.deletes_columns("Films", after(either, 0))
    rows = known(either, [film(2), film(3, "New"), film(4)])
    receipt = either.refresh(rows)
    assert (receipt.inserted, receipt.deleted, receipt.updated) == (1, 1, 1)
    assert "was typed over or deleted, and is written again" in receipt.notes[0]
    told = either.shown("Title", "Note")
    assert told == [("Film 2", "about Film 2"), ("New", "about Film 3"), ("Film 4", "")]
    assert either.refresh(rows).writes == 0
    assert either.person.sees_rows("Films")[0][-1] == "Note"


def test_both_hidden_columns_lost(either: Home) -> None:
    """Refused, with the way that there is: by the key that people see, or another tab."""
    either.person.deletes_columns("Films", after(either, 0), 2)
    shown = either.columns is COLUMNS
    way = r"--adopt` matches rows by their visible key" if shown else "name another `tab`"
    rows = known(either, [film(2), film(9)])
    with pytest.raises(SinkError, match=rf"lost the hidden columns(.|\n)*{way}"):
        either.refresh(rows)
    if shown:
        either.refresh(rows, adopt=True)
        assert either.shown("Id", "Note") == [("2", "about Film 2"), ("9", "")]
        assert either.refresh(rows).writes == 0


@pytest.mark.parametrize("typed", ["99", "3", ""])
def test_a_hidden_key_that_was_changed_goes_back_to_its_row(either: Home, typed: str) -> None:
    """Typed over, with another's key too, or emptied: what stands beside it stays with the record."""
    place = f"Films!{after(either, 0)}3"
    either.person.types(place, typed) if typed else either.person.clears(place)
    rows = known(either, [film(1), film(2, "New"), film(3)])
    receipt = either.refresh(rows)
    assert (receipt.inserted, receipt.deleted, receipt.updated) == (0, 0, 1)
    assert receipt.notes == (
        "the hidden key of rows `2` was typed over or deleted, and is written again",
    )
    told = either.shown("Title", "Note")
    assert told == [(title, f"about Film {n}") for n, title in enumerate(["Film 1", "New", "Film 3"], 1)]  # fmt: skip
    assert either.refresh(rows).writes == 0


def test_a_key_that_was_copied_from_a_row_that_is_gone(home: Home) -> None:
    """The row shows whose it is; the other record gets a new row."""
    home.refresh(films(1, 2, 3))
    annotate(home)
    home.person.types("Films!E3", "3")
    home.person.deletes_rows("Films", 4)
    home.refresh(films(1, 2, 3))
    assert notes(home) == {"1": "about 1", "2": "about 2", "3": ""}
    assert home.refresh(films(1, 2, 3)).writes == 0


def test_a_row_of_which_nobody_can_say_whose_it_is_stays(either: Home) -> None:
    """It becomes its people's, with what stands beside it; the record gets a row of its own."""
    either.person.types(f"Films!{after(either, 0)}3", "99")
    either.person.types(f"Films!{after(either, 1)}3", "mine")
    either.person.types("Films!A3", "mine")
    rows = known(either, films(1, 2, 3))
    receipt = either.refresh(rows)
    assert (receipt.inserted, receipt.deleted) == (1, 0)
    assert receipt.notes[0].startswith("whose rows `99` are, nobody can say")
    assert [note for (note,) in either.shown("Note")][1] == "about Film 2"
    assert either.refresh(rows).writes == 0


def test_a_lost_header_row_is_told_before_a_record_is_taken_for_it(home: Home) -> None:
    """Nothing is written; an empty row in its place becomes the header."""
    home.refresh(films(1, 2))
    annotate(home)
    home.person.deletes_rows("Films", 1)
    with pytest.raises(SinkError, match=r"lost its header row(.|\n)*insert an empty row"):
        home.refresh(films(1, 2))
    home.person.inserts_rows("Films", 1)
    receipt = home.refresh(films(1, 2))
    assert (receipt.inserted, receipt.notes) == (0, ())
    assert home.person.sees_rows("Films")[0][:4] == ["Id", "Title", "Budget", "Late"]
    assert home.shown("Id", "Title") == [("1", "Film 1"), ("2", "Film 2")]
    assert home.refresh(films(1, 2)).writes == 0


def test_a_tab_whose_cells_were_cleared_is_filled_again(home: Home) -> None:
    """With its headers, which nobody meant to rename to nothing."""
    home.refresh(films(1, 2))
    home.person.clears("Films!A1:Z20")
    assert home.refresh(films(1, 2)).notes == ()
    assert home.person.sees_rows("Films")[0] == ["Id", "Title", "Budget", "Late"]
    assert home.shown("Id", "Title") == [("1", "Film 1"), ("2", "Film 2")]
    assert home.refresh(films(1, 2)).writes == 0


def test_a_lost_stamp_column_is_made_again(home: Home) -> None:
    """Nobody is accused of an edit."""
    home.refresh(films(1, 2))
    home.person.deletes_columns("Films", "F")
    receipt = home.refresh([film(1, "New"), film(2)])
    assert receipt.human_edits == ()
    home.person.types("Films!B2", "mine")
    assert [e.found for e in home.refresh([film(1, "New"), film(2)]).human_edits] == ["mine"]


def test_an_edit_of_a_managed_cell_is_told_and_undone(home: Home) -> None:
    """A formula too, whatever it comes to."""
    home.refresh(films(1, 2))
    home.person.types("Films!B2", "mine")
    home.person.types("Films!C3", "=7.5")
    receipt = home.refresh(films(1, 2))
    assert [(e.key, e.column, e.written) for e in receipt.human_edits] == [
        ("1", "title", "Film 1"),
        ("2", "budget", 7.5),
    ]
    assert home.shown("Title", "Budget") == [("Film 1", "$7.50"), ("Film 2", "$7.50")]


def test_an_edit_can_stay_or_stop_the_refresh(home: Home) -> None:
    """It stays until the report has something new to say."""
    home.refresh(films(1, 2))
    home.person.types("Films!B2", "mine")
    assert home.refresh(films(1, 2), on_human_edit="keep").writes == 0
    with pytest.raises(SinkError, match="held-change"):
        home.refresh(films(1, 2), on_human_edit="fail")
    home.refresh([film(1, "New"), film(2)], on_human_edit="keep")
    assert home.shown("Title") == [("New",), ("Film 2",)]


def test_a_range_that_was_sorted_without_its_key(home: Home) -> None:
    """The key follows the cells, and the notes that were sorted with them."""
    home.refresh(films(1, 2, 3))
    home.person.moves_columns("Films", "E", 2, "H")
    home.person.types("Films!E1", "Note")
    for at in (1, 2, 3):
        home.person.types(f"Films!E{at + 1}", f"about {at}")
    home.person.sorts("Films!A2:E4", "A", down=True)
    receipt = home.refresh([film(1, "New"), film(2), film(3)])
    assert "sorted without their hidden key" in receipt.notes[0]
    assert notes(home) == {"3": "about 3", "2": "about 2", "1": "about 1"}
    assert home.shown("Title") == [("Film 3",), ("Film 2",), ("New",)]
    assert home.refresh([film(1, "New"), film(2), film(3)]).writes == 0


def test_a_copied_row_is_its_owner_s(home: Home) -> None:
    """The original stays managed; the copy loses its key and nothing else."""
    home.refresh(films(1, 2))
    home.person.inserts_rows("Films", 4)
    copy = {"sheetId": home.tab.id, "startRowIndex": 1, "endRowIndex": 2, "endColumnIndex": 6}
    below = copy | {"startRowIndex": 3, "endRowIndex": 4}
    home.person._request({"copyPaste": {"source": copy, "destination": below}})
    home.person.types("Films!B4", "another")
    receipt = home.refresh([film(2)])
    assert receipt.notes == ("copies of rows `1` are their owner's now; one of each stays managed",)
    assert home.shown("Id", "Title") == [("2", "Film 2"), ("1", "another")]
    assert home.refresh([film(2)]).writes == 0


def test_a_row_that_a_person_puts_in_meanwhile(home: Home) -> None:
    """May get what was meant for the one below; the next refresh mends both."""
    home.refresh(films(1, 2))
    changes = home.changes([film(1, "New"), film(2)])
    home.person.inserts_rows("Films", 2)
    home.person.types("Films!D2", "mine")
    receipt = home.sink().apply(home.tracker, changes)
    (told,) = receipt.notes  # what was written stands there, and beside the key of nobody
    assert told.startswith("what was meant for rows `1` got into others")
    assert home.shown("Title", "Late")[0] == ("New", "mine")
    home.refresh([film(1, "New"), film(2)])
    assert home.shown("Id", "Title", "Late") == [
        ("", "", "mine"),
        ("1", "New", "FALSE"),
        ("2", "Film 2", "FALSE"),
    ]
    assert home.refresh([film(1, "New"), film(2)]).writes == 0


@pytest.mark.parametrize("deed", ["inserts", "drags", "deletes"])
def test_nothing_of_people_s_is_lost_while_a_refresh_writes(home: Home, deed: str) -> None:
    """Whatever was written where: told, and mended by the next; a row that went is in the archive."""
    home.refresh(films(*range(1, 9)))
    annotate(home)
    wanted = [film(n, "New") for n in (1, 2, 4, 5, 6, 8, 9)]
    changes = home.changes(wanted, on_delete="archive")
    match deed:
        case "inserts":
            home.person.inserts_rows("Films", 3)
            home.person.types("Films!G3", "my own row")
        case "drags":
            home.person.moves_rows("Films", 2, 1, 8)
        case "deletes":
            home.person.deletes_rows("Films", 3)
    with suppress(SinkBusy):
        receipt = home.sink().apply(replace(home.tracker, on_delete="archive"), changes)
        assert any("someone" in note for note in receipt.notes)
    receipt = home.refresh(wanted, on_delete="archive")
    found = {id_ for (id_,) in home.shown("Id") if id_}
    if deed == "deletes":  # of a row that had left, and got the stamp of one that went in its place
        assert "whose rows `3` are, nobody can say" in str(receipt.notes)
        found -= {"3"}
    stamps = [home.tab.at(row, 5).value for row in range(1, len(home.tab.rows))]
    keys = [home.tab.at(row, 4).value for row in range(1, len(home.tab.rows))]
    assert [str(stamp).partition(" ")[2] for stamp in stamps if stamp] == [k for k in keys if k]
    assert found == {str(row["id"]) for row in wanted}
    tabs = [tab.title for tab in home.book.tabs if tab.title.startswith("Films")]
    kept = [note for tab in tabs for note in home.shown("Id", "Note", tab=tab) if note[1]]
    lost = {("2", "about 2")} if deed == "deletes" else set()  # its person deleted it
    assert {(str(n), f"about {n}") for n in range(1, 9)} - lost <= set(kept)
    assert all(note == f"about {id_}" for id_, note in kept if note != "my own row")
    assert ("my own row" in str(kept)) == (deed == "inserts")
    assert home.refresh(wanted, on_delete="archive").writes == 0


def test_a_row_that_goes_instead_of_another(home: Home) -> None:
    """Because a person put one in meanwhile: it is told at once, and made anew."""
    home.refresh(films(1, 2, 3))
    changes = home.changes(films(1, 3))
    home.person.inserts_rows("Films", 2)
    receipt = home.sink().apply(home.tracker, changes)
    (told,) = receipt.notes
    assert told.startswith("rows `1` went instead of others: someone edited meanwhile")
    home.refresh(films(1, 3))
    assert sorted(row for row in home.shown("Id") if row[0]) == [("1",), ("3",)]


def test_content_of_others_is_adopted_by_key_and_label(home: Home) -> None:
    """Rows keep their places and what stands beside them."""
    home.person.adds_tab("Films")
    for at, row in enumerate([["Mine", "Id", "Title"], ["a", "2", "Old"], ["b", "7", "x"]], 1):
        for letter, text in zip("ABC", row, strict=True):
            home.person.types(f"Films!{letter}{at}", text)
    with pytest.raises(SinkError, match="tracker-not-ours"):
        home.refresh(films(1, 2))
    home.refresh(films(1, 2), adopt=True, mode="upsert")
    assert home.shown("Mine", "Id", "Title", "Late") == [
        ("a", "2", "Film 2", "FALSE"),
        ("b", "7", "x", ""),
        ("", "1", "Film 1", "FALSE"),
    ]
    assert home.refresh(films(1, 2), mode="upsert").writes == 0


# ---- rows that left


def test_rows_that_left_can_be_archived(home: Home) -> None:
    """Whole, the newest on top, in the same one write; under the header that they had."""
    home.refresh(films(1, 2, 3, 4))
    annotate(home)
    home.person.notes("Films!B3", "a note on film 2")
    receipt = home.refresh(films(1, 4), on_delete="archive")
    assert (receipt.deleted, receipt.reads, receipt.writes) == (2, 1, 1)
    assert home.shown("Id") == [("1",), ("4",)]
    assert home.shown("Id", "Title", "Note", tab="Films archive") == [
        ("2", "Film 2", "about 2"),
        ("3", "Film 3", "about 3"),
    ]
    assert home.person.reads_note("Films archive!B2") == "a note on film 2"
    assert "_genesis" not in str(home.person.sees_rows("Films archive"))
    home.refresh(films(4), on_delete="archive")
    ids = [id_ for (id_,) in home.shown("Id", tab="Films archive")]
    assert ids == ["1", "2", "3"]
    home.person.types("Films!D1", "Behind")
    receipt = home.refresh(films(9), on_delete="archive")
    assert (receipt.reads, receipt.writes) == (1, 1)
    rows = home.person.sees_rows("Films archive")
    assert [row[:2] for row in rows[:3]] == [["Id", "Title"], ["4", "Film 4"], ["Id", "Title"]]
    assert rows[0][3] == "Behind"
    assert home.refresh(films(9), on_delete="archive").writes == 0


def test_a_spreadsheet_that_anyone_may_read_is_refused(home: Home) -> None:
    """Before the first write to it."""
    home.google.share(home.id, "anyone", "reader")
    with pytest.raises(SinkError, match="open-to-anyone"):
        home.refresh(films(1))
    assert home.writes() == 0


# ---- annotations


def test_columns_that_people_are_asked_to_fill_in(home: Home) -> None:
    """Are made once, validated, read back, and never written again."""
    asked = (
        Annotation(Column("decision", "Decision", STRING), ("go", "no go")),
        Annotation(Column("seen", "Seen", BOOLEAN)),
        Annotation(Column("due", "Due", DATE)),
    )
    home.options = {"annotations": asked}
    home.refresh(films(1, 2))
    assert home.person.sees_rows("Films")[0][4:] == ["Decision", "Seen", "Due"]
    with pytest.raises(Exception, match="accepts only go, no go"):
        home.person.types("Films!G2", "maybe")
    home.person.types("Films!G2", "go")
    home.person.types("Films!I2", "2026-03-01")
    home.person.moves_columns("Films", "G", 1, "A")
    present = home.changes(films(1, 2)).present
    assert [row.annotations for row in present.rows] == [
        ("go", None, date(2026, 3, 1)),
        (None, None, None),
    ]
    assert home.refresh([film(2), film(1), film(3)]).updated == 0
    assert home.shown("Id", "Decision") == [("1", "go"), ("2", ""), ("3", "")]
    assert home.refresh(films(1, 2, 3)).writes == 0


def test_an_annotation_that_comes_later(home: Home) -> None:
    """Stands right of ours, before people's."""
    home.refresh(films(1))
    annotate(home)
    asked = (Annotation(Column("decision", "Decision", STRING)),)
    home.refresh(films(1), annotations=asked)
    assert home.person.sees_rows("Films")[0] == [
        "Id",
        "Title",
        "Budget",
        "Late",
        "Decision",
        "Note",
    ]
    assert home.refresh(films(1), annotations=asked).writes == 0


# ---- budgets and large loads


def test_a_spreadsheet_that_would_be_too_large(home: Home) -> None:
    """Is refused before anything is written."""
    home.person._request(
        {
            "updateSheetProperties": {
                "properties": {"gridProperties": {"rowCount": 384_000}},
                "fields": "gridProperties.rowCount",
            }
        }
    )
    with pytest.raises(SinkError, match=r"24,024 cells beside 9,984,000 in other"):
        home.refresh(films(*range(2000)))
    assert home.writes() == 0


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Home]:
    """A spreadsheet that takes little at a time."""
    with SheetsEmulator(clock=HandClock(), limits=Limits(payload=20_000)) as google:
        yield Home(google, tmp_path, payload=20_000)


def test_a_large_first_load_shows_at_once(narrow: Home) -> None:
    """It is written into a hidden tab, of which nothing is left."""
    receipt = narrow.refresh(films(*range(1000)))
    assert receipt.writes == 2 + math.ceil(receipt.bytes / 20_000 - 0.5)
    assert [tab.title for tab in narrow.book.tabs] == ["Sheet1", "Films"]
    assert narrow.shown("Id", "Title") == [(str(n), f"Film {n}") for n in range(1000)]
    assert narrow.tab.frozen["ROWS"] == 1
    assert narrow.refresh(films(*range(1000))).writes == 0


def test_a_large_load_into_an_empty_tab(narrow: Home) -> None:
    """Goes the same way."""
    narrow.person.adds_tab("Films")
    narrow.refresh(films(*range(1200)))
    assert len(narrow.shown("Id")) == 1200
    assert narrow.refresh(films(*range(1200))).writes == 0


def test_a_large_refresh_is_split(narrow: Home) -> None:
    """Into as few calls as hold it, each of which leaves a tracker that is right."""
    narrow.refresh(films(*range(500)))
    annotate_some(narrow)
    wanted = [film(n, "New") for n in range(600, 100, -1)]
    receipt = narrow.refresh(wanted, order="query")
    assert receipt.writes <= math.ceil(receipt.bytes / 20_000) + 1  # a group of rows stays whole
    assert narrow.shown("Id", "Title") == [(str(n), "New") for n in range(600, 100, -1)]
    assert notes(narrow)["200"] == "about 200"
    assert narrow.refresh(wanted, order="query").writes == 0


def annotate_some(home: Home) -> None:
    home.person.types("Films!G1", "Note")
    home.person.types("Films!G202", "about 200")


def test_a_writer_that_was_first_wins(home: Home) -> None:
    """The other one's whole batch fails, and nothing is doubled."""
    home.refresh(films(1))
    late = home.changes(films(1, 2))
    home.refresh(films(1, 3))
    with pytest.raises(SinkBusy, match="tracker-changed"):
        home.sink().apply(home.tracker, late)
    assert home.shown("Id") == [("1",), ("3",)]


# ---- the command


def test_a_run_of_the_command(
    google: SheetsEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From YAML to cells, with the receipt; a second run writes nothing."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    book = google.new_spreadsheet("Films 2026")
    folder = tmp_path / "project"
    for name, text in {
        "definitions/movie.yaml": "data_source: movie\nsql: \"SELECT 1 AS id, 'Dune' AS title\"\n"
        "primary_key: id\nfields: {id: integer, title: string}\n",
        "inputs/movies.yaml": "input: movies\nsource: movie\nfields: [id, title]\n",
        "workflows/movies.yaml": "workflow: movies\njobs: [{refresh: movies, to: {google_sheets:"
        f" {{spreadsheet: {book}, tab: Movies}}}}}}]\n",
        "genesis.yaml": f"project: p\nsinks: {{google_sheets: {{endpoint: '{google.url}'}}}}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for inserted in (1, 0):
        assert run_command(["-C", str(folder), "run", "movies", "--format", "json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)["jobs"]
        assert job["receipt"]["inserted"] == inserted
        assert job["receipt"]["calls"]["write"] == inserted
    person = google.person(book)
    assert person.sees_rows("Movies") == [["Id", "Title"], ["1", "Dune"]]
    assert person.reads_note("Movies!A1").startswith("Movies\nKept by genesis")
