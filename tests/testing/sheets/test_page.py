"""The page in the browser: the grid as it is, and a way to type into it."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

import requests

from genesis.testing.sheets import Person


def page(google, book, part: str = "edit", **query: object) -> str:
    answer = requests.get(f"{google.url}/spreadsheets/d/{book.id}/{part}", params=query, timeout=5)
    assert answer.status_code == 200
    return answer.text


def test_it_shows_what_people_see(google, book, sheet, person: Person) -> None:
    sheet.update([["title", "spent"], ["<Dune>", 1234.5]], "A1")
    sheet.format("B2", {"numberFormat": {"type": "CURRENCY"}})
    person.notes("A2", 'the "new" one')
    person.colours("A2", 1, 0.5, 0)
    grid = page(google, book, "grid")
    assert "&lt;Dune&gt;" in grid
    assert "$1,234.50" in grid
    assert 'title="the &quot;new&quot; one"' in grid
    assert "rgb(255,128,0)" in grid
    assert 'http-equiv="refresh"' in grid


def test_the_last_change_is_marked(google, book, sheet, person: Person) -> None:
    sheet.update([["one"], ["two"]], "A1")
    person.types("A2", "three")
    grid = page(google, book, "grid")
    assert '<td class="new">three</td>' in grid
    assert "<td>one</td>" in grid


def test_a_person_types_into_it(google, book, sheet) -> None:
    address = f"{google.url}/spreadsheets/d/{book.id}/edit?gid=0"
    form = {"cell": "B2", "text": "call them", "what": "text"}
    answer = requests.post(address, data=form, allow_redirects=False, timeout=5)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == urlsplit(address).path
    requests.post(address, data=form | {"text": "by Monday", "what": "note"}, timeout=5)
    assert sheet.acell("B2").value == "call them"
    assert sheet.get_note("B2") == "by Monday"


def test_what_cannot_be_typed_is_told(google, book) -> None:
    address = f"{google.url}/spreadsheets/d/{book.id}/edit?gid=0"
    answer = requests.post(address, data={"cell": "nowhere", "text": "x"}, timeout=5)
    assert "Unable to parse range" in answer.text


def test_tabs_and_spreadsheets_are_listed(google, book) -> None:
    book.add_worksheet("Second", 5, 5)
    assert "Second</a>" in page(google, book)
    assert "Orders 2026" in requests.get(google.url, timeout=5).text
    assert requests.get(f"{google.url}/spreadsheets/d/none/edit", timeout=5).status_code == 404


def test_long_tabs_are_shown_by_pages(google, book, sheet) -> None:
    sheet.update([[f"row {at}"] for at in range(700)], "A1")
    first = page(google, book, "grid")
    assert "row 499" in first
    assert "row 500" not in first
    assert "row 600" in page(google, book, "grid", **{"from": 500})


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
