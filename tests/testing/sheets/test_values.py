"""What values become: typed, shown, read back; numbers, dates, texts and formulas."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from gspread.exceptions import APIError

from genesis.testing.sheets import Person
from genesis.testing.sheets.values import LOCALES, serial, shown, typed

US = LOCALES["en_US"]


@pytest.mark.parametrize(
    ("value", "kind", "pattern", "text"),
    [
        (5.0, None, None, "5"),
        (0.1, None, None, "0.1"),
        (1 / 3, None, None, "0.3333333333"),
        (1e15, None, None, "1E+15"),
        (1234.5, "NUMBER", None, "1,234.50"),
        (2.5, "NUMBER", "0", "3"),
        (-2.5, "NUMBER", "0", "-3"),
        (0.5, "NUMBER", "#,##0.##", "0.5"),
        (7.0, "NUMBER", "000", "007"),
        (0.256, "PERCENT", "0.0%", "25.6%"),
        (1234.0, "CURRENCY", "$#,##0.00", "$1,234.00"),
        (-5.0, "CURRENCY", "$#,##0.00", "-$5.00"),
        (12345.0, "SCIENTIFIC", None, "1.23E+04"),
        (serial(date(2026, 9, 5)), "DATE", None, "9/5/2026"),
        (serial(date(2026, 9, 5)), "DATE", "yyyy-mm-dd", "2026-09-05"),
        (serial(date(2026, 9, 5)), "DATE", 'ddd d mmm yy "UTC"', "Sat 5 Sep 26 UTC"),
        (
            serial(datetime(2026, 9, 5, 13, 7, 9, tzinfo=UTC)),
            "DATE_TIME",
            "mm/dd/yyyy hh:mm:ss",
            "09/05/2026 13:07:09",
        ),
        (serial(datetime(2026, 9, 5, 13, 7, tzinfo=UTC)), "TIME", "h:mm AM/PM", "1:07 PM"),
        ("007", "NUMBER", "0", "007"),
        (True, "NUMBER", "0", "TRUE"),
    ],
)
def test_shown(value: object, kind: str | None, pattern: str | None, text: str) -> None:
    number_format = {"type": kind, "pattern": pattern} if kind else None
    assert shown(value, number_format, US) == text


def test_dates_count_from_the_end_of_1899() -> None:
    """From the discovery document: 1 January 1900 at noon is 2.5, 1 February 1900 at 3 pm 33.625."""
    assert serial(datetime(1900, 1, 1, 12, tzinfo=UTC)) == 2.5
    assert serial(datetime(1900, 2, 1, 15, tzinfo=UTC)) == 33.625


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0),
        ("-1,234.5", -1234.5),
        ("12%", 0.12),
        ("$3", 3.0),
        ("007", 7.0),
        ("'007", "007"),
        ("true", True),
        ("1/31/2026", serial(date(2026, 1, 31))),
        ("31/1/2026", "31/1/2026"),
        ("2026-01-31", serial(date(2026, 1, 31))),
        ("call at 5", "call at 5"),
    ],
)
def test_typed(text: str, value: object) -> None:
    assert typed(text, US, as_text=False).value == value


def test_a_number_format_that_is_not_understood_is_refused(sheet) -> None:
    sheet.update([[5]], "A1")
    sheet.format("A1", {"numberFormat": {"type": "NUMBER", "pattern": "0;[Red]-0"}})
    with pytest.raises(APIError, match="501"):
        sheet.acell("A1")


def test_raw_values_are_never_read_as_something_else(sheet) -> None:
    sheet.update([["=1+1", "007", "1/2/2026", True, 5, None, ""]], "A1", raw=True)
    assert sheet.get("A1:G1", value_render_option="UNFORMATTED_VALUE") == [
        ["=1+1", "007", "1/2/2026", True, 5]
    ]


def test_entered_values_are_read_as_people_type_them(sheet) -> None:
    sheet.update([["=1+1", "007", "2026-02-01"]], "A1", raw=False)
    assert sheet.get("A1:C1") == [["2", "7", "2026-02-01"]]
    unformatted = sheet.get("A1:C1", value_render_option="UNFORMATTED_VALUE")
    assert unformatted == [[2, 7, serial(date(2026, 2, 1))]]


def test_a_column_of_text_takes_what_is_typed_as_text(sheet, person: Person) -> None:
    sheet.format("A1:A5", {"numberFormat": {"type": "TEXT"}})
    person.types("A1", "007")
    assert sheet.acell("A1").value == "007"


def test_null_leaves_a_value_and_empty_text_clears_it(sheet) -> None:
    sheet.update([["a", "b", "c"]], "A1")
    sheet.update([["A", None, ""]], "A1")
    assert sheet.row_values(1) == ["A", "b"]


def test_dates_can_be_read_as_they_are_shown(sheet, book) -> None:
    sheet.update([["2026-02-01", 5]], "A1", raw=False)
    parameters = {
        "valueRenderOption": "UNFORMATTED_VALUE",
        "dateTimeRenderOption": "FORMATTED_STRING",
    }
    assert book.values_get("A1:B1", parameters)["values"] == [["2026-02-01", 5]]


def test_columns_as_the_major_dimension(sheet) -> None:
    sheet.update([["a", "b"], ["c"]], "A1")
    assert sheet.get("A1:B2", major_dimension="COLUMNS") == [["a", "c"], ["b"]]
    sheet.update([["x", "y"]], "A1", major_dimension="COLUMNS")
    assert sheet.col_values(1) == ["x", "y"]


def test_several_ranges_are_read_written_and_cleared_in_one_call(sheet) -> None:
    sheet.batch_update(
        [{"range": "A1", "values": [["a"]]}, {"range": "C2:D2", "values": [["c", "d"]]}]
    )
    assert sheet.batch_get(["A1", "C2:D2"]) == [[["a"]], [["c", "d"]]]
    sheet.batch_clear(["A1", "D2"])
    assert sheet.get_all_values() == [["", "", ""], ["", "", "c"]]


def test_appending_goes_below_the_table(sheet) -> None:
    sheet.update([["id", "title"], ["1", "Dune"]], "B2")
    answer = sheet.append_rows([["2", "Alien"]], table_range="B2")
    assert answer["tableRange"] == "Sheet1!B2:C3"
    assert answer["updates"]["updatedRange"] == "Sheet1!B4:C4"
    assert sheet.get("B4:C4") == [["2", "Alien"]]


@pytest.mark.parametrize(
    ("title", "returned"),
    [
        ("Sales", "Sales!B3"),
        ("x.y", "x.y!B3"),
        ("Probe Tab", "'Probe Tab'!B3"),
        ("A1", "'A1'!B3"),
        ("R1C1", "'R1C1'!B3"),
        ("2026", "'2026'!B3"),
        ("It's", "'It''s'!B3"),
        ("a-b", "'a-b'!B3"),
    ],
)
def test_titles_are_quoted_as_the_live_service_does(book, title: str, returned: str) -> None:
    tab = book.add_worksheet(title, 5, 5)
    assert book.values_get(f"{gquoted(tab.title)}!$B$3")["range"] == returned


def gquoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("read", "returned"),
    [
        ("Sheet1", "Sheet1!A1:Z1000"),
        ("sheet1!b2:a1", "Sheet1!A1:B2"),
        ("A:B", "Sheet1!A1:B1000"),
        ("2:3", "Sheet1!A2:Z3"),
        ("B5:B", "Sheet1!B5:B1000"),
        ("A1:ZZ9999", "Sheet1!A1:Z1000"),
    ],
)
def test_ranges_are_returned_whole(book, read: str, returned: str) -> None:
    assert book.values_get(read)["range"] == returned


def test_a_range_outside_the_grid_is_refused(book) -> None:
    with pytest.raises(
        APIError,
        match=r"Range \(Sheet1!A1001\) exceeds grid limits. Max rows: 1000, max columns: 26",
    ):
        book.values_get("A1001")


def test_a_range_that_is_none_is_refused(book) -> None:
    with pytest.raises(APIError, match="Unable to parse range: Nowhere!A1"):
        book.values_get("Nowhere!A1")


def test_formulas_follow_their_cells(sheet, person: Person) -> None:
    sheet.update([[2, 3]], "A2")
    person.types("C2", "=A2*$B$2+1")
    person.types("C9", '=SUM(A2:B2)&" in all"')
    person.inserts_rows("Sheet1", 1)
    person.moves_columns("Sheet1", "A", 1, "C")
    assert sheet.acell("C3", value_render_option="FORMULA").value == "=B3*$A$3+1"
    assert person.sees("C3") == "7"
    assert person.sees("C10") == "5 in all"
    person.deletes_columns("Sheet1", "A")
    assert person.sees("B3") == "#REF!"


def test_formulas_of_people_that_are_easy(person: Person) -> None:
    person.types("A1", '=HYPERLINK("https://example.com", "the page")')
    person.types("A2", "=1/0")
    person.types("A3", "=(1+2)*-3")
    person.types("A4", "=A4")
    assert [person.sees(f"A{row}") for row in range(1, 5)] == ["the page", "#DIV/0!", "-9", "#REF!"]


def test_a_formula_among_grid_data(book, person: Person) -> None:
    person.types("A1", "=1+1")
    (data,) = book.fetch_sheet_metadata({"ranges": "A1", "includeGridData": "true"})["sheets"][0][
        "data"
    ]
    assert data["rowData"][0]["values"] == [
        {
            "userEnteredValue": {"formulaValue": "=1+1"},
            "effectiveValue": {"numberValue": 2},
            "formattedValue": "2",
        }
    ]


def test_german_numbers_and_dates(book, sheet, person: Person) -> None:
    book.update_locale("de_DE")
    person.types("A1", "1.234,5")
    person.types("B1", "31.1.2026")
    assert sheet.get("A1:B1") == [["1234,5", "31.01.2026"]]
