"""What the page in the browser asks the emulator for, and what becomes of its edits."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import requests

from genesis.testing.sheets import Person


def look(google, book, **query: object) -> dict[str, Any]:
    answer = requests.get(f"{google.url}/spreadsheets/d/{book.id}/state", params=query, timeout=5)
    assert answer.status_code == 200
    return dict(answer.json())


def edit(google, book, **given: object) -> requests.Response:
    return requests.post(f"{google.url}/spreadsheets/d/{book.id}/edit", json=given, timeout=5)


def cells(state: dict[str, Any]) -> list[list[dict[str, Any]]]:
    columns = [f"{column['id']}" for column in state["columns"]]
    lines = state["head"] + state["rows"]
    rows = [[row["cells"].get(column, {}) for column in columns] for row in lines]
    return [row for row in rows if any(row)]


def texts(state: dict[str, Any]) -> list[list[str]]:
    return [[cell["text"] for cell in row if cell] for row in cells(state)]


def test_it_shows_what_people_see(google, book, sheet, person: Person) -> None:
    sheet.update([["title", "spent"], ["<Dune>", 1234.5]], "A1")
    sheet.format("B2", {"numberFormat": {"type": "CURRENCY"}})
    person.notes("A2", 'the "new" one')
    person.colours("A2", 1, 0.5, 0)
    title, spent = cells(look(google, book))[1][:2]
    assert title == {
        "text": "<Dune>",
        "note": 'the "new" one',
        "style": "background-color:rgb(255,128,0)",
    }
    assert spent == {"text": "$1,234.50", "typed": "1234.5", "kind": "number"}


def test_a_formula_is_shown_by_its_result_and_typed_as_it_is(google, book, person: Person) -> None:
    person.types("A1", "=1+1")
    assert cells(look(google, book))[0][0] == {"text": "2", "typed": "=1+1", "kind": "number"}


def test_the_choices_of_a_cell_are_offered(google, book, batch) -> None:
    for column, condition in enumerate(
        [
            {"type": "ONE_OF_LIST", "values": [{"userEnteredValue": "yes"}]},
            {"type": "BOOLEAN"},
        ]
    ):
        at = {"sheetId": 0, "startRowIndex": 0, "endRowIndex": 1}
        area = at | {"startColumnIndex": column, "endColumnIndex": column + 1}
        batch({"setDataValidation": {"range": area, "rule": {"condition": condition}}})
    listed, box = cells(look(google, book))[0][:2]
    assert listed["choices"] == ["yes"]
    assert box["box"]


def test_nothing_new_is_said_in_few_words(google, book, person: Person) -> None:
    version = look(google, book)["version"]
    assert "rows" not in look(google, book, since=version)
    person.types("A1", "new")
    assert texts(look(google, book, since=version)) == [["new"]]


def test_the_last_calls_are_told(google, book, sheet) -> None:
    sheet.update([["one"]], "A1")
    call = look(google, book)["calls"][0]
    assert (call["method"], call["kind"], call["status"]) == ("values.update", "Write", 200)


def test_only_the_rows_in_sight_are_sent(google, book, sheet) -> None:
    sheet.update([[f"row {at}"] for at in range(700)], "A1")
    sheet.freeze(rows=1)
    state = look(google, book, **{"from": 500, "rows": 20})
    assert texts(state)[:2] == [["row 0"], ["row 501"]]
    assert (len(state["rows"]), state["total"], state["from"]) == (20, 999, 500)


def test_hidden_columns_are_shown_where_they_are_asked_for(google, book, person: Person) -> None:
    person.types("A1", "key")
    person.hides_columns("Sheet1", "A")
    assert texts(look(google, book)) == []
    assert look(google, book)["hidden"] == 1
    assert texts(look(google, book, hidden="yes")) == [["key"]]


def test_an_edit_goes_with_its_row(google, book, sheet, person: Person) -> None:
    """Between what a person saw and what they typed, two rows came in above."""
    sheet.update([["one"], ["two"]], "A1")
    state = look(google, book)
    place = {"row": state["rows"][1]["id"], "column": state["columns"][1]["id"]}
    person.inserts_rows("Sheet1", 1, 2)
    assert edit(google, book, do="type", text="call them", **place).ok
    assert sheet.acell("B4").value == "call them"


def test_a_person_can_do_what_the_toolbar_offers(google, book, sheet, person: Person) -> None:
    sheet.update([["b", 1], ["a", 2]], "A1")
    state = look(google, book)
    place = {"row": state["rows"][0]["id"], "column": state["columns"][0]["id"]}
    for given in [
        {"do": "note", "text": "by Monday"},
        {"do": "colour", "colour": [1, 0, 0]},
        {"do": "insert above"},
        {"do": "insert below"},
        {"do": "clear"},
        {"do": "hide column"},
    ]:
        assert edit(google, book, **given, **place).ok, given
    assert sheet.get_note("A2") == "by Monday"
    assert person.sees_rows("Sheet1") == [[], ["1"], [], ["2"]]
    for given in [{"do": "show column"}, {"do": "sort", "down": True}, {"do": "delete row"}]:
        assert edit(google, book, **given, **place).ok, given
    assert person.sees_rows("Sheet1") == [["a", "2"], ["", "1"]]


def test_what_cannot_be_done_is_told(google, book) -> None:
    assert edit(google, book, do="delete row", row=-1).json() == {"problem": "That row is gone."}
    assert "no edit" in edit(google, book, do="dance").json()["problem"]


def test_tabs_and_spreadsheets_are_listed(google, book) -> None:
    book.add_worksheet("Second", 5, 5)
    state = look(google, book)
    assert [tab["title"] for tab in state["tabs"]] == ["Sheet1", "Second"]
    assert look(google, book, gid=state["tabs"][1]["id"])["total"] == 5
    listed = requests.get(f"{google.url}/spreadsheets.json", timeout=5).json()["books"]
    assert [b["title"] for b in listed] == ["Orders 2026"]
    assert requests.get(f"{google.url}/spreadsheets/d/none/edit", timeout=5).status_code == 404


def test_it_is_served_from_the_command_line() -> None:
    """The first line is for `genesis.yaml`, the last one for a browser."""
    command = [sys.executable, "-m", "genesis.testing.sheets"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        endpoint, place, address = (serving.stdout.readline() for _ in range(3))
        assert "google_sheets: {endpoint: http://127.0.0.1:" in endpoint
        assert "tab: Sheet1" in place
        assert "Trackers" in requests.get(address.partition(" ")[0], timeout=5).text
        serving.kill()
