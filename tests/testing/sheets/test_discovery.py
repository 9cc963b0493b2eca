"""Google's own description decides what a body, a parameter and a field mask may hold."""

from __future__ import annotations

from typing import Any

import pytest
from gspread.exceptions import APIError

from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.discovery import api
from genesis.testing.sheets.masks import chosen, parse_mask
from genesis.testing.sheets.requests import REQUESTS
from genesis.testing.sheets.service import HANDLERS

SHEETS = api("sheets.v4")


def read(body: Any) -> Any:
    return SHEETS.body("BatchUpdateSpreadsheetRequest", body)


def refused(body: Any) -> str:
    with pytest.raises(ApiError) as error:
        read(body)
    assert error.value.code == 400
    return error.value.message


def test_an_unknown_name_is_told_with_its_place() -> None:
    message = refused({"requests": [{"updateCells": {"colour": "red"}}]})
    assert message == (
        "Invalid JSON payload received. Unknown name \"colour\" at 'requests[0].update_cells': "
        "Cannot find field."
    )


def test_the_wording_of_the_live_service() -> None:
    """As seen in googleapis/google-api-python-client#930."""
    message = refused({"requests": [{"DeleteRange": {}}]})
    assert message == (
        "Invalid JSON payload received. Unknown name \"DeleteRange\" at 'requests[0]': Cannot find field."
    )


@pytest.mark.parametrize(
    "dimension",
    [
        {"dimension": "LINES"},
        {"startIndex": "x"},
        {"startIndex": 1.5},
        {"startIndex": True},
        {"startIndex": 2**31},
    ],
)
def test_a_wrong_value_is_refused(dimension: dict[str, Any]) -> None:
    path = "'requests[0].delete_dimension.range."
    assert path in refused({"requests": [{"deleteDimension": {"range": dimension}}]})


def test_a_list_is_no_object_and_an_object_no_list() -> None:
    assert "requests" in refused({"requests": {}})
    assert "requests[0]" in refused({"requests": [[]]})


def test_null_is_unset_numbers_may_be_text_and_names_in_snake_case() -> None:
    """As proto3 reads JSON; gspread sends nulls."""
    body = {
        "requests": [
            {"delete_dimension": {"range": {"startIndex": "3", "endIndex": 4.0, "sheetId": None}}}
        ]
    }
    assert read(body) == {
        "requests": [{"deleteDimension": {"range": {"startIndex": 3, "endIndex": 4}}}]
    }


def test_every_request_and_method_here_is_googles() -> None:
    known = SHEETS._schemas["Request"]["properties"]
    assert set(REQUESTS) <= set(known)
    methods = {method.id for name in ("sheets.v4", "drive.v3") for method in api(name).methods}
    assert set(HANDLERS) <= methods


def test_every_other_request_is_refused_by_its_name(book) -> None:
    for name in set(SHEETS._schemas["Request"]["properties"]) - set(REQUESTS):
        with pytest.raises(APIError) as error:
            book.batch_update({"requests": [{name: {}}]})
        assert (error.value.code, name in error.value.error["message"]) == (501, True)


def test_a_method_that_is_not_implemented(book) -> None:
    with pytest.raises(APIError, match=r"501.*sheets\.spreadsheets\.sheets\.copyTo"):
        book.sheet1.copy_to(book.id)


def test_an_unknown_parameter_is_refused(book) -> None:
    with pytest.raises(APIError, match="Unknown name"):
        book.values_get("A1", {"renderOption": "FORMULA"})
    with pytest.raises(APIError, match="valueRenderOption"):
        book.values_get("A1", {"valueRenderOption": "PRETTY"})


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("a", {"a": {}}),
        ("a.b,c", {"a": {"b": {}}, "c": {}}),
        ("a(b,c.d)", {"a": {"b": {}, "c": {"d": {}}}}),
        ("a/b", {"a": {"b": {}}}),
        ("a.b,a", {"a": {}}),
        ("a,a.b", {"a": {}}),
        ("a,a(b)", {"a": {}}),
        ("*", {"*": {}}),
    ],
)
def test_masks(text: str, mask: dict[str, Any]) -> None:
    assert parse_mask(text) == mask


@pytest.mark.parametrize("text", ["a.", ".a", "a(", "a)b", "a,,b", "a b", "a(b"])
def test_text_that_is_no_mask(text: str) -> None:
    with pytest.raises(ApiError):
        parse_mask(text)


def test_a_mask_chooses() -> None:
    whole = {"a": [{"b": 1, "c": 2}, {"c": 3}], "d": {"e": 4}}
    assert chosen(parse_mask("a.b"), whole) == {"a": [{"b": 1}, {}]}
    assert chosen(parse_mask("*"), whole) == whole


def test_an_answers_mask_must_name_fields(book) -> None:
    with pytest.raises(APIError, match=r"'sheets\.propertys'"):
        book.fetch_sheet_metadata({"fields": "sheets.propertys.title"})


def test_a_mask_alone_decides_about_grid_data(book) -> None:
    """As Google has it: `includeGridData` is ignored when there is a mask."""
    book.sheet1.update([["a"]], "A1")
    parameters = {"fields": "sheets.properties.title", "includeGridData": "true"}
    assert book.fetch_sheet_metadata(parameters) == {
        "sheets": [{"properties": {"title": "Sheet1"}}]
    }
    cells = book.fetch_sheet_metadata({"fields": "sheets.data.rowData.values.formattedValue"})
    assert cells == {"sheets": [{"data": [{"rowData": [{"values": [{"formattedValue": "a"}]}]}]}]}
