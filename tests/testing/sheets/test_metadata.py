"""Developer metadata: it stays with its column, and is found by key, place and id."""

from __future__ import annotations

import pytest
from gspread.exceptions import APIError

from genesis.testing.sheets import Person


def piece(key: str, value: str, location: dict) -> dict:
    given = {
        "metadataKey": key,
        "metadataValue": value,
        "visibility": "DOCUMENT",
        "location": location,
    }
    return {"createDeveloperMetadata": {"developerMetadata": given}}


def column(at: int) -> dict:
    return {
        "dimensionRange": {
            "sheetId": 0,
            "dimension": "COLUMNS",
            "startIndex": at,
            "endIndex": at + 1,
        }
    }


def search(book, **lookup: object) -> list[dict]:
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{book.id}/developerMetadata:search"
    body = {"dataFilters": [{"developerMetadataLookup": lookup}]}
    found = book.client.request("post", url, json=body).json()
    return [one["developerMetadata"] for one in found.get("matchedDeveloperMetadata", [])]


def places(book) -> dict[str, int]:
    return {
        one["metadataValue"]: one["location"]["dimensionRange"].get("startIndex", 0)
        for one in search(book, metadataKey="g:c")
    }


@pytest.fixture(autouse=True)
def columns(batch) -> None:
    batch(*(piece("g:c", name, column(at)) for at, name in enumerate(("id", "title", "status"))))


def test_columns_are_found_wherever_people_move_them(book, person: Person) -> None:
    person.moves_columns("Sheet1", "A", 1, "D")
    person.inserts_columns("Sheet1", "B")
    assert places(book) == {"title": 0, "status": 2, "id": 3}


def test_a_deleted_column_takes_its_metadata_along(book, person: Person) -> None:
    person.deletes_columns("Sheet1", "B")
    assert places(book) == {"id": 0, "status": 1}


def test_a_search_by_place(book) -> None:
    (found,) = search(book, metadataLocation=column(1))
    assert found["metadataValue"] == "title"
    tab = {"sheetId": 0}
    assert len(search(book, metadataLocation=tab)) == 3
    assert not search(book, metadataLocation=tab, locationMatchingStrategy="EXACT_LOCATION")


def test_one_piece_by_its_id(book) -> None:
    (found,) = search(book, metadataValue="status")
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{book.id}/developerMetadata/"
    assert book.client.request("get", f"{url}{found['metadataId']}").json() == found
    with pytest.raises(APIError, match="404"):
        book.client.request("get", f"{url}1")


def test_it_is_updated_and_deleted(book, batch) -> None:
    lookup = {"developerMetadataLookup": {"metadataValue": "title"}}
    new = {"developerMetadata": {"metadataValue": "name"}, "fields": "metadataValue"}
    batch({"updateDeveloperMetadata": new | {"dataFilters": [lookup]}})
    assert places(book) == {"id": 0, "name": 1, "status": 2}
    (reply,) = batch(
        {
            "deleteDeveloperMetadata": {
                "dataFilter": {"developerMetadataLookup": {"metadataKey": "g:c"}}
            }
        }
    )
    assert len(reply["deleteDeveloperMetadata"]["deletedDeveloperMetadata"]) == 3
    assert places(book) == {}


def test_it_is_read_with_the_columns(book) -> None:
    fields = "sheets.data.columnMetadata.developerMetadata(metadataKey,metadataValue)"
    (data,) = book.fetch_sheet_metadata({"fields": fields})["sheets"][0]["data"]
    expected = {"developerMetadata": [{"metadataKey": "g:c", "metadataValue": "id"}]}
    assert data["columnMetadata"][0] == expected


def test_of_the_tab_and_of_the_spreadsheet(book, batch) -> None:
    batch(piece("g:t", "orders", {"sheetId": 0}), piece("g:s", "all", {"spreadsheet": True}))
    shown = book.fetch_sheet_metadata()
    assert shown["developerMetadata"][0]["location"] == {
        "locationType": "SPREADSHEET",
        "spreadsheet": True,
    }
    assert shown["sheets"][0]["developerMetadata"][0]["location"] == {
        "locationType": "SHEET",
        "sheetId": 0,
    }


def test_values_of_the_columns_that_metadata_finds(book, sheet) -> None:
    """Not in the order asked: each range says which filter found it."""
    sheet.update([["1", "Dune", "open"]], "A1")
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{book.id}/values:batchGetByDataFilter"
    filters = [{"developerMetadataLookup": {"metadataValue": name}} for name in ("id", "status")]
    found = book.client.request("post", url, json={"dataFilters": filters}).json()["valueRanges"]
    assert [one["valueRange"]["values"] for one in found] == [[["open"]], [["1"]]]
    assert [one["dataFilters"] for one in found] == [[filters[1]], [filters[0]]]


def test_a_spreadsheet_by_filter(book, sheet) -> None:
    sheet.update([["1", "Dune", "open"]], "A1")
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{book.id}:getByDataFilter"
    body = {
        "dataFilters": [{"developerMetadataLookup": {"metadataValue": "title"}}],
        "includeGridData": True,
    }
    (data,) = book.client.request("post", url, json=body).json()["sheets"][0]["data"]
    assert data["startColumn"] == 1
    assert data["rowData"][0]["values"][0]["formattedValue"] == "Dune"


def test_more_than_one_row_or_column_is_no_place(batch) -> None:
    two = {"dimensionRange": {"sheetId": 0, "dimension": "ROWS", "startIndex": 0, "endIndex": 2}}
    with pytest.raises(APIError, match="single row or column"):
        batch(piece("k", "v", two))
