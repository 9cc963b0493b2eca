"""The page in a real browser: what a person sees, types and clicks while clients write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genesis.testing.sheets import Person
from tests.browser import (
    CONTROL,
    DELETE,
    DOWN,
    ENTER,
    ESCAPE,
    F2,
    HOME,
    PAGE_DOWN,
    RIGHT,
    SHIFT,
    TAB,
    Browser,
    opened_browser,
    soon,
)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser, google, book, sheet) -> Browser:
    """It shows a small tracker: a hidden key, a frozen header, an empty column for notes."""
    sheet.update(
        [["key", "title", "spent", "decision"], ["k1", "Dune", 2], ["k2", "Alien", 1]], "A1"
    )
    sheet.freeze(rows=1)
    sheet.hide_columns(0, 1)
    window.open(f"{google.url}/spreadsheets/d/{book.id}/edit")
    assert soon(lambda: shown(window)), "the grid stays empty"
    return window


def shown(browser: Browser) -> list[str]:
    return [text for text in browser.texts("#sheet tbody td[data-column]") if text]


def go_to(browser: Browser, row: int, column: int) -> None:
    browser.click(f"#sheet tbody tr:nth-child({row}) td:nth-of-type({column})")


def test_the_grid_looks_like_a_sheet(browser: Browser) -> None:
    assert browser.texts("#sheet thead th")[:5] == ["", "B", "C", "D", "E"]
    assert browser.texts("#sheet thead td")[:3] == ["title", "spent", "decision"]
    assert shown(browser) == ["Dune", "2", "Alien", "1"]
    assert browser.texts("#sheet tbody th.number")[:2] == ["2", "3"]


def test_hidden_columns_are_shown_on_demand(browser: Browser) -> None:
    browser.click("#hidden")
    assert soon(lambda: "k1" in shown(browser))
    assert "k1" in browser.texts("td.unseen")


def test_a_change_by_a_client_appears_and_is_marked(browser: Browser, sheet) -> None:
    sheet.update([["Dune: Part Two"]], "B2")
    assert soon(lambda: browser.texts("td.flash") == ["Dune: Part Two"])
    assert browser.texts("#calls tbody tr:first-child td")[1:3] == ["values.update", "Write"]


def test_a_person_types_and_goes_on_by_keyboard(browser: Browser, sheet, person: Person) -> None:
    go_to(browser, 2, 3)
    browser.press("call them", ENTER, "wait", TAB, "x", ESCAPE)
    assert soon(lambda: person.sees("D3") == "wait")
    assert sheet.get("D2:E3") == [["call them"], ["wait"]]


def test_typing_goes_with_its_row_while_a_client_inserts_above(
    browser: Browser, person: Person
) -> None:
    go_to(browser, 3, 3)
    browser.press("for Alien")
    person.inserts_rows("Sheet1", 2, 3)
    assert soon(lambda: "6" in browser.texts("th.number.on"))
    browser.press(ENTER)
    assert soon(lambda: person.sees("D6") == "for Alien")
    assert person.sees("B6") == "Alien"


def test_a_cell_is_edited_emptied_and_noted_by_keys(browser: Browser, person: Person) -> None:
    go_to(browser, 2, 1)
    browser.press(F2, RIGHT, "!", ENTER)
    assert soon(lambda: person.sees("B2") == "Dune!")
    browser.press(RIGHT, DELETE)
    assert soon(lambda: person.sees("C3") == "")
    browser.press(F2, held=SHIFT)
    browser.press("by Monday")
    browser.press(ENTER, held=CONTROL)
    assert soon(lambda: person.reads_note("C3") == "by Monday")
    assert soon(lambda: browser.run("return document.querySelectorAll('td.note').length") == 1)


def test_a_row_is_coloured_and_the_sheet_sorted(browser: Browser, person: Person) -> None:
    go_to(browser, 2, 2)
    browser.click("#colours button:nth-child(4)")
    browser.click("#tools [data-do=sort]")
    assert soon(lambda: shown(browser) == ["Alien", "1", "Dune", "2"])
    row = "return document.querySelector('#sheet tbody tr:nth-child(3) td').style.backgroundColor"
    assert browser.run(row) == "rgb(255, 242, 204)"
    assert person.sees_rows("Sheet1")[0] == ["title", "spent", "decision"]


def test_what_may_not_be_typed_is_told(browser: Browser, batch) -> None:
    area = {"sheetId": 0, "startRowIndex": 1, "endRowIndex": 3, "startColumnIndex": 3}
    condition = {"type": "ONE_OF_LIST", "values": [{"userEnteredValue": "yes"}]}
    rule = {"condition": condition, "strict": True}
    batch({"setDataValidation": {"range": area | {"endColumnIndex": 4}, "rule": rule}})
    assert soon(lambda: browser.texts("td.list"))
    go_to(browser, 2, 3)
    browser.press("perhaps", ENTER)
    assert soon(lambda: "accepts only yes" in browser.text("#problem"))


def test_long_tabs_scroll_to_their_end(browser: Browser, sheet) -> None:
    sheet.add_rows(4000)
    sheet.update([["the first row"], ["Dune"]], "B2")
    sheet.update([["the last one"]], "B5000")
    assert soon(lambda: "the first row" in shown(browser))
    go_to(browser, 2, 1)
    browser.press(DOWN, PAGE_DOWN, PAGE_DOWN)
    browser.run("document.querySelector('#sheet').scrollTop = 1e9")
    assert soon(lambda: "the last one" in shown(browser))
    browser.press(HOME, held=CONTROL)
    assert soon(lambda: browser.text("#name") == "B1")


def test_the_list_of_spreadsheets_leads_to_them(browser: Browser, google) -> None:
    browser.open(google.url)
    assert soon(lambda: browser.texts("ul.home a") == ["Orders 2026"])
    browser.click("ul.home a")
    assert soon(lambda: shown(browser))
