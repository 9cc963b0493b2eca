"""Refusals in the words of the live service, each as public projects recorded it.

Where no such record was found the emulator's words are its own, and no client should read them.
"""

from __future__ import annotations

from typing import Any

import pytest
from gspread.exceptions import APIError


def rows(start: int, end: int | None = None) -> dict[str, Any]:
    return {"sheetId": 0, "dimension": "ROWS", "startIndex": start, "endIndex": end}


SEEN = [
    (
        {"deleteDimension": {"range": rows(1000, 1001)}},
        (
            "Invalid requests[0].deleteDimension: Cannot delete a row that doesn't exist. Tried to "
            "delete row index 1000 but there are only 1000 rows."
        ),
    ),
    (
        {"deleteDimension": {"range": rows(0, 1000)}},
        "Invalid requests[0].deleteDimension: You can't delete all the rows on the sheet.",
    ),
    (
        {"insertDimension": {"range": rows(1000, 1001)}},
        (
            "Invalid requests[0].insertDimension: range.startIndex must be less than the grid size "
            "(1000) if inheritFromBefore is false."
        ),
    ),
    (
        {"insertDimension": {"range": rows(1001, 1002)}},
        "Invalid requests[0].insertDimension: range.startIndex is larger than current grid size (1000)",
    ),
    (
        {"repeatCell": {"range": {"startRowIndex": 1000, "endColumnIndex": 2}, "fields": "note"}},
        (
            "Invalid requests[0].repeatCell: Range (Sheet1!A1001:B) exceeds grid limits. Max rows: "
            "1000, max columns: 26"
        ),
    ),
    (
        {"addSheet": {"properties": {"title": "Sheet1"}}},
        (
            'Invalid requests[0].addSheet: A sheet with the name "Sheet1" already exists. Please enter '
            "another name."
        ),
    ),
    (
        {"addSheet": {"properties": {"title": "x", "sheetId": -1}}},
        "Invalid requests[0].addSheet: Sheet id must be non-negative.",
    ),
    (
        {"updateNamedRange": {"namedRange": {"namedRangeId": "x"}, "fields": "name"}},
        "Invalid requests[0].updateNamedRange: No NamedRange with id: x",
    ),
    (
        {"deleteSheet": {"sheetId": 7}},
        "Invalid requests[0].deleteSheet: No grid with id: 7",
    ),
]


@pytest.mark.parametrize(("request_", "message"), SEEN)
def test_refused(book, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(APIError) as refused:
        book.batch_update({"requests": [request_]})
    assert refused.value.error == {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}


@pytest.mark.parametrize(
    "span",
    [
        {"startRowIndex": 999},
        {"startRowIndex": 999, "endRowIndex": 1003},
        {"startColumnIndex": 25, "endColumnIndex": 28},
        {"startRowIndex": 3, "endRowIndex": 3},
    ],
)
def test_a_range_that_starts_inside_is_taken(book, span: dict[str, int]) -> None:
    """It may end past the grid, which does not grow, or hold no cell."""
    book.batch_update(
        {"requests": [{"repeatCell": {"range": span, "cell": {"note": "n"}, "fields": "note"}}]}
    )
    assert book.sheet1.row_count == 1000


def test_writing_past_the_grid(book) -> None:
    with pytest.raises(
        APIError,
        match=r"Requested writing within range \[.*A1000\], but tried writing to row \[1001\]",
    ):
        book.values_update("Sheet1!A1000", {"valueInputOption": "RAW"}, {"values": [["a"], ["b"]]})
