"""Each request that a batch can hold, sent by gspread over HTTP."""

from __future__ import annotations

import gspread
import pytest
from gspread.exceptions import APIError

from genesis.testing.sheets import Person

ROWS = [["id", "title"], ["1", "Dune"], ["2", "Alien"], ["3", "Brazil"], ["4", "Cube"]]


@pytest.fixture(autouse=True)
def films(sheet: gspread.Worksheet) -> None:
    sheet.update(ROWS, "A1")


def rows(start: int, end: int, dimension: str = "ROWS") -> dict:
    return {"sheetId": 0, "dimension": dimension, "startIndex": start, "endIndex": end}


def area(top: int, left: int, bottom: int, right: int, tab: int = 0) -> dict:
    return {
        "sheetId": tab,
        "startRowIndex": top,
        "startColumnIndex": left,
        "endRowIndex": bottom,
        "endColumnIndex": right,
    }


def cells(*values: object) -> dict:
    kinds = {str: "stringValue", bool: "boolValue", int: "numberValue", float: "numberValue"}
    return {
        "values": [
            {} if value is None else {"userEnteredValue": {kinds[type(value)]: value}}
            for value in values
        ]
    }


def titles(sheet: gspread.Worksheet) -> list:
    return sheet.col_values(2)[1:]


def refusal(batch, *requests: dict) -> str:
    with pytest.raises(APIError) as refused:
        batch(*requests)
    assert refused.value.code == 400
    return refused.value.error["message"]


def test_a_move_counts_its_destination_before_the_rows_leave(batch, sheet, person: Person) -> None:
    """Dune to before row 4 of the sheet: between Alien and Brazil. Its note goes along."""
    person.notes("B2", "the new one")
    batch({"moveDimension": {"source": rows(1, 2), "destinationIndex": 3}})
    assert titles(sheet) == ["Alien", "Dune", "Brazil", "Cube"]
    assert person.reads_note("B3") == "the new one"


def test_a_move_up(batch, sheet) -> None:
    batch({"moveDimension": {"source": rows(3, 5), "destinationIndex": 1}})
    assert titles(sheet) == ["Brazil", "Cube", "Dune", "Alien"]


def test_googles_own_example_of_a_move(batch, sheet) -> None:
    """From the discovery document: 0 1 2 3 4, rows 1 to 3 to index 4, gives 0 3 1 2 4."""
    sheet.update([["0"], ["1"], ["2"], ["3"], ["4"]], "A1")
    batch({"moveDimension": {"source": rows(1, 3), "destinationIndex": 4}})
    assert sheet.col_values(1) == ["0", "3", "1", "2", "4"]


def test_a_move_into_itself_is_refused(batch) -> None:
    move = {"moveDimension": {"source": rows(1, 4), "destinationIndex": 2}}
    assert "requests[0].moveDimension" in refusal(batch, move)


def test_a_move_of_columns_takes_width_and_hiding_along(batch, sheet, book) -> None:
    sheet.hide_columns(0, 1)
    batch({"moveDimension": {"source": rows(0, 1, "COLUMNS"), "destinationIndex": 2}})
    assert sheet.row_values(2) == ["Dune", "1"]
    shown = book.fetch_sheet_metadata({"fields": "sheets.data.columnMetadata.hiddenByUser"})
    assert shown["sheets"][0]["data"][0]["columnMetadata"][:3] == [{}, {"hiddenByUser": True}, {}]


def test_an_inserted_row_looks_like_the_one_before(batch, sheet, book, person) -> None:
    """Its colour and its drop-down, not its value and not its note."""
    person.colours("A3:B3", 1, 0, 0)
    person.notes("A3", "mine")
    batch({"insertDimension": {"range": rows(3, 5), "inheritFromBefore": True}})
    assert titles(sheet) == ["Dune", "Alien", "", "", "Brazil", "Cube"]
    data = book.fetch_sheet_metadata({"ranges": "A4:B5", "includeGridData": "true"})
    red = {"backgroundColor": {"red": 1, "green": 0, "blue": 0}}
    cell = {"userEnteredFormat": red, "effectiveFormat": red}
    assert data["sheets"][0]["data"][0]["rowData"] == [{"values": [cell, cell]}] * 2


def test_an_insert_at_the_end_needs_a_row_before(batch) -> None:
    insert = {"range": rows(1000, 1001), "inheritFromBefore": False}
    assert "must be less than the grid size (1000)" in refusal(batch, {"insertDimension": insert})
    batch({"insertDimension": insert | {"inheritFromBefore": True}})


def test_deleting_rows(batch, sheet) -> None:
    batch({"deleteDimension": {"range": rows(1, 3)}})
    assert titles(sheet) == ["Brazil", "Cube"]


def test_the_last_row_cannot_be_deleted(batch) -> None:
    message = refusal(batch, {"deleteDimension": {"range": rows(0, 1000)}})
    assert message.endswith("You can't delete all the rows on the sheet.")


def test_rows_are_appended_to_the_grid(batch, book) -> None:
    batch({"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 7}})
    assert book.get_worksheet(0).row_count == 1007


def test_values_are_written_and_all_else_stays(batch, sheet, person, book) -> None:
    person.notes("B2", "keep me")
    person.colours("B2", 0, 1, 0)
    update = {
        "start": {"sheetId": 0, "rowIndex": 1, "columnIndex": 0},
        "rows": [cells("7", "Gattaca")],
        "fields": "userEnteredValue",
    }
    batch({"updateCells": update})
    assert sheet.row_values(2) == ["7", "Gattaca"]
    assert person.reads_note("B2") == "keep me"
    data = book.fetch_sheet_metadata(
        {"ranges": "B2", "fields": "sheets.data.rowData.values.userEnteredFormat"}
    )
    assert "backgroundColor" in str(data)


def test_a_cell_that_says_nothing_is_cleared(batch, sheet) -> None:
    update = {
        "start": {"rowIndex": 1},
        "rows": [cells(None, "Dune II")],
        "fields": "userEnteredValue",
    }
    batch({"updateCells": update})
    assert sheet.row_values(2) == ["", "Dune II"]


def test_what_no_row_covers_is_cleared_within_a_range(batch, sheet) -> None:
    update = {"range": area(1, 0, 4, 2), "rows": [cells("9")], "fields": "userEnteredValue"}
    batch({"updateCells": update})
    assert sheet.get_all_values() == [["id", "title"], ["9", ""], ["", ""], ["", ""], ["4", "Cube"]]


def test_rows_beyond_the_range_are_refused(batch) -> None:
    update = {"range": area(1, 0, 2, 2), "rows": [cells("9")] * 2, "fields": "userEnteredValue"}
    assert "Attempting to write row: 2" in refusal(batch, {"updateCells": update})


def test_text_that_looks_like_a_formula_stays_text(batch, sheet) -> None:
    update = {"start": {"rowIndex": 1}, "rows": [cells("=1+1")], "fields": "userEnteredValue"}
    batch({"updateCells": update})
    assert sheet.acell("A2").value == "=1+1"


def test_a_mask_is_needed_and_must_name_fields(batch) -> None:
    update = {"start": {}, "rows": [cells("x")]}
    assert "At least one field" in refusal(batch, {"updateCells": update})
    update["fields"] = "userEnteredValu"
    assert "userEnteredValu" in refusal(batch, {"updateCells": update})


def test_a_format_is_set_in_part(batch, sheet, book) -> None:
    """The number format of a column, its colour untouched."""
    sheet.format("A1:A5", {"backgroundColor": {"red": 1}})
    repeat = {
        "range": {"sheetId": 0, "startColumnIndex": 0, "endColumnIndex": 1},
        "cell": {"userEnteredFormat": {"numberFormat": {"type": "NUMBER", "pattern": "0.0"}}},
        "fields": "userEnteredFormat.numberFormat",
    }
    sheet.update([[5]], "A2")
    batch({"repeatCell": repeat})
    assert sheet.acell("A2").value == "5.0"
    data = book.fetch_sheet_metadata(
        {"ranges": "A2", "fields": "sheets.data.rowData.values.userEnteredFormat"}
    )
    assert "red" in str(data)


def test_an_area_is_copied_to_another_tab_as_often_as_it_fits(batch, book) -> None:
    tab = book.add_worksheet("Other", 10, 10)
    batch(
        {
            "copyPaste": {
                "source": area(0, 0, 1, 2),
                "destination": area(0, 0, 2, 5, tab.id),
                "pasteType": "PASTE_VALUES",
            }
        }
    )
    assert tab.get_all_values() == [["id", "title", "id", "title"]] * 2


def test_staged_values_are_shown_with_one_copy(batch, book, sheet, person) -> None:
    """Values only: the notes and colours of the place stay."""
    person.notes("A2", "mine")
    stage = book.add_worksheet("Stage", 10, 10)
    stage.update([["8", "Tron"]], "A1")
    copy = {
        "source": area(0, 0, 1, 2, stage.id),
        "destination": area(1, 0, 2, 2),
        "pasteType": "PASTE_VALUES",
    }
    batch({"copyPaste": copy}, {"deleteSheet": {"sheetId": stage.id}})
    assert sheet.row_values(2) == ["8", "Tron"]
    assert person.reads_note("A2") == "mine"
    assert [tab.title for tab in book.worksheets()] == ["Sheet1"]


def test_sorting_leaves_blanks_at_the_end_both_ways(sheet) -> None:
    sheet.update([["5"], [""]], "A6", raw=False)
    sheet.update([[""]], "B3")
    sheet.sort((2, "asc"), range="A2:B6")
    assert titles(sheet) == ["Brazil", "Cube", "Dune"]
    sheet.sort((2, "des"), range="A2:B6")
    assert titles(sheet) == ["Dune", "Cube", "Brazil"]


def test_hidden_rows_are_not_sorted(sheet) -> None:
    sheet.hide_rows(1, 2)
    sheet.sort((2, "asc"), range="A2:B5")
    assert titles(sheet) == ["Dune", "Alien", "Brazil", "Cube"]
    sheet.sort((2, "des"), range="A2:B5")
    assert titles(sheet) == ["Dune", "Cube", "Brazil", "Alien"]


def test_tabs_come_move_change_names_and_go(book) -> None:
    second = book.add_worksheet("Second", 5, 5)
    third = book.add_worksheet("Third", 5, 5, index=0)
    assert [tab.title for tab in book.worksheets()] == ["Third", "Sheet1", "Second"]
    second.update_title("2nd")
    second.update_index(0)
    assert [tab.title for tab in book.worksheets()] == ["2nd", "Third", "Sheet1"]
    book.del_worksheet(third)
    assert [tab.title for tab in book.worksheets()] == ["2nd", "Sheet1"]


def test_a_title_is_there_once_whatever_its_capitals(batch) -> None:
    message = refusal(batch, {"addSheet": {"properties": {"title": "SHEET1"}}})
    assert message == (
        'Invalid requests[0].addSheet: A sheet with the name "SHEET1" already exists. '
        "Please enter another name."
    )


def test_the_last_visible_tab_stays(batch) -> None:
    assert "all the visible sheets" in refusal(batch, {"deleteSheet": {"sheetId": 0}})


def test_a_grid_is_resized_and_frozen(sheet, book) -> None:
    sheet.resize(20, 4)
    sheet.freeze(rows=1, cols=1)
    grid = book.fetch_sheet_metadata()["sheets"][0]["properties"]["gridProperties"]
    assert grid == {"rowCount": 20, "columnCount": 4, "frozenRowCount": 1, "frozenColumnCount": 1}


def test_a_whole_grid_in_the_mask_resets_what_is_not_said(batch) -> None:
    """A known trap: the mask `gridProperties` with only frozenRowCount asks for no rows at all."""
    properties = {"sheetId": 0, "gridProperties": {"frozenRowCount": 1}}
    update = {"updateSheetProperties": {"properties": properties, "fields": "gridProperties"}}
    assert "You can't delete all the" in refusal(batch, update)


def test_a_named_range_follows_its_rows(sheet, batch, book) -> None:
    sheet.define_named_range("A3:B4", "favourites")
    batch({"insertDimension": {"range": rows(0, 1)}})
    assert book.values_get("favourites")["range"] == "Sheet1!A4:B5"
    batch({"moveDimension": {"source": rows(3, 5), "destinationIndex": 1}})
    assert book.values_get("favourites")["range"] == "Sheet1!A2:B3"
    assert book.values_get("favourites")["values"] == [["2", "Alien"], ["3", "Brazil"]]
    batch({"deleteDimension": {"range": rows(1, 2)}})
    assert book.values_get("favourites")["range"] == "Sheet1!A2:B2"


def test_a_named_range_is_a_fence(batch, book) -> None:
    """Two writers that replace the same id cannot both win, and the loser's batch leaves nothing."""
    named = {"name": "genesis_1", "range": area(0, 0, 1, 1), "namedRangeId": "g1"}
    batch({"addNamedRange": {"namedRange": named}})
    swap = [
        {"deleteNamedRange": {"namedRangeId": "g1"}},
        {"addNamedRange": {"namedRange": named | {"namedRangeId": "g2", "name": "genesis_2"}}},
    ]
    batch(*swap)
    loser = {"updateCells": {"start": {}, "rows": [cells("lost")], "fields": "userEnteredValue"}}
    assert "requests[1].deleteNamedRange" in refusal(batch, loser, *swap)
    assert [named["namedRangeId"] for named in book.list_named_ranges()] == ["g2"]
    assert book.sheet1.acell("A1").value == "id"


def test_an_id_that_is_taken_is_refused(batch) -> None:
    named = {"name": "one", "range": area(0, 0, 1, 1), "namedRangeId": "g1"}
    batch({"addNamedRange": {"namedRange": named}})
    assert "already exists" in refusal(
        batch, {"addNamedRange": {"namedRange": named | {"name": "two"}}}
    )
    assert "already exists" in refusal(
        batch, {"addNamedRange": {"namedRange": named | {"namedRangeId": "g2"}}}
    )


def test_a_named_range_changes_its_name(batch, book) -> None:
    named = {"name": "one", "range": area(0, 0, 1, 1), "namedRangeId": "g1"}
    batch({"addNamedRange": {"namedRange": named}})
    batch(
        {
            "updateNamedRange": {
                "namedRange": {"namedRangeId": "g1", "name": "two"},
                "fields": "name",
            }
        }
    )
    assert book.list_named_ranges()[0]["name"] == "two"


def test_a_protection_keeps_others_from_editing(batch, sheet, person) -> None:
    person.protects("B1:B5")
    update = {"start": {"columnIndex": 1}, "rows": [cells("x")], "fields": "userEnteredValue"}
    assert "protected cell" in refusal(batch, {"updateCells": update})
    assert "protected cell" in refusal(batch, {"deleteDimension": {"range": rows(1, 2)}})
    sheet.update([["free"]], "A2")


def test_a_warning_keeps_nobody_from_editing(batch, sheet) -> None:
    protected = {"range": area(0, 0, 5, 2), "warningOnly": True, "description": "kept by genesis"}
    (reply,) = batch({"addProtectedRange": {"protectedRange": protected}})
    number = reply["addProtectedRange"]["protectedRange"]["protectedRangeId"]
    sheet.update([["free"]], "A2")
    changed = {"protectedRangeId": number, "range": area(0, 0, 9, 2)}
    batch({"updateProtectedRange": {"protectedRange": changed, "fields": "range"}})
    assert sheet.spreadsheet.list_protected_ranges(0)[0]["range"]["endRowIndex"] == 9
    batch({"deleteProtectedRange": {"protectedRangeId": number}})
    assert not sheet.spreadsheet.list_protected_ranges(0)


def test_a_drop_down_is_set_and_taken_away(batch, sheet, person) -> None:
    sheet.add_validation(
        "C2:C5", gspread.utils.ValidationConditionType.one_of_list, ["yes", "no"], strict=True
    )
    person.types("C2", "yes")
    with pytest.raises(Exception, match="only yes, no"):
        person.types("C3", "perhaps")
    batch({"setDataValidation": {"range": area(1, 2, 5, 3)}})
    person.types("C3", "perhaps")


def test_conditional_formats_follow_their_rows(batch, book) -> None:
    rule = {
        "ranges": [area(1, 0, 5, 2)],
        "booleanRule": {
            "condition": {"type": "NOT_BLANK"},
            "format": {"textFormat": {"bold": True}},
        },
    }
    batch({"addConditionalFormatRule": {"rule": rule, "index": 0}})
    batch({"insertDimension": {"range": rows(0, 2)}})
    (kept,) = book.fetch_sheet_metadata()["sheets"][0]["conditionalFormats"]
    assert kept["ranges"][0]["startRowIndex"] == 3
    assert kept["booleanRule"] == rule["booleanRule"]


def test_the_spreadsheets_own_properties(book) -> None:
    book.update_title("Orders 2027")
    book.update_timezone("America/Los_Angeles")
    book.update_locale("de_DE")
    properties = book.fetch_sheet_metadata()["properties"]
    assert (properties["title"], properties["timeZone"], properties["locale"]) == (
        "Orders 2027",
        "America/Los_Angeles",
        "de_DE",
    )


def test_the_answer_can_hold_what_is_there_now(book) -> None:
    """Verified in the write itself: no read is spent."""
    update = {"start": {"rowIndex": 1}, "rows": [cells("7")], "fields": "userEnteredValue"}
    answer = book.batch_update(
        {
            "requests": [{"updateCells": update}],
            "includeSpreadsheetInResponse": True,
            "responseRanges": ["Sheet1!A1:A2"],
            "responseIncludeGridData": True,
        }
    )
    (data,) = answer["updatedSpreadsheet"]["sheets"][0]["data"]
    assert [row["values"][0]["formattedValue"] for row in data["rowData"]] == ["id", "7"]


def test_a_batch_is_one_or_nothing(batch, sheet) -> None:
    message = refusal(
        batch,
        {"deleteDimension": {"range": rows(1, 2)}},
        {"addSheet": {"properties": {"title": "New"}}},
        {"deleteDimension": {"range": rows(0, 1) | {"sheetId": 99}}},
    )
    assert message == "Invalid requests[2].deleteDimension: No grid with id: 99"
    assert sheet.get_all_values() == ROWS
    assert len(sheet.spreadsheet.worksheets()) == 1


@pytest.mark.parametrize(
    ("request_", "missing"),
    [
        ({"mergeCells": {"range": {}, "mergeType": "MERGE_ALL"}}, "mergeCells"),
        (
            {
                "updateCells": {
                    "start": {},
                    "rows": [{"values": [{"textFormatRuns": []}]}],
                    "fields": "textFormatRuns",
                }
            },
            "textFormatRuns",
        ),
        (
            {"updateSheetProperties": {"properties": {"sheetType": "GRID"}, "fields": "sheetType"}},
            "sheetType",
        ),
        (
            {
                "updateCells": {
                    "start": {},
                    "rows": [
                        {"values": [{"userEnteredValue": {"formulaValue": "=VLOOKUP(1,A1:B2,2)"}}]}
                    ],
                    "fields": "userEnteredValue",
                }
            },
            "VLOOKUP",
        ),
    ],
)
def test_what_is_not_implemented_says_so(batch, request_: dict, missing: str) -> None:
    with pytest.raises(APIError) as refused:
        batch(request_)
    assert refused.value.code == 501
    assert missing in refused.value.error["message"]
