"""Any body that Google's description allows is answered: done, refused or not implemented, never a crash."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.discovery import api
from genesis.testing.sheets.grid import Book, Tab
from genesis.testing.sheets.limits import Limits
from genesis.testing.sheets.render import spreadsheet
from genesis.testing.sheets.requests import REQUESTS, Batch, apply_all

SHEETS = api("sheets.v4")
SMALL = Limits(cells=500, columns=20, tabs=4)
TEXTS = ["", "a", "A1:B2", "Sheet1", "title", "note", "=1", "=A1+1", "Europe/Berlin", "en_GB", "*"]
MASKS = [
    "*",
    "title",
    "note",
    "userEnteredValue",
    "userEnteredFormat.textFormat",
    "range",
    "name",
    "index",
]


def values(schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    """What a schema allows, small."""
    if "$ref" in schema:
        return objects(schema["$ref"], depth)
    match schema.get("type", "any"):
        case "array":
            return st.lists(values(schema["items"], depth), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-1, 9)
        case "number":
            return st.sampled_from([0.0, 1.5, -2.0])
        case "string":
            texts = schema.get("enum") or (MASKS if "mask" in schema.get("format", "") else TEXTS)
            return st.sampled_from(texts)
    return st.none()


def objects(name: str, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a schema, each member there or not; deep ones are empty."""
    properties = SHEETS._schemas[name].get("properties", {})
    if depth == 0:
        return st.just({})
    return st.deferred(
        lambda: st.fixed_dictionaries(
            {}, optional={key: values(inner, depth - 1) for key, inner in properties.items()}
        )
    )


KINDS = SHEETS._schemas["Request"]["properties"]
REQUEST = st.sampled_from(sorted(REQUESTS)).flatmap(
    lambda kind: objects(KINDS[kind]["$ref"], 4).map(lambda body: {kind: body})
)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REQUEST, min_size=1, max_size=5))
def test_nothing_crashes(requests: list[dict[str, Any]]) -> None:
    book = Book("b", "Book", locale="en_US", time_zone="Etc/GMT", limits=SMALL)
    book.tabs = [Tab(0, "Sheet1", 5, 4), Tab(1, "Other", 3, 3)]
    codes: set[int] = set()
    for request in requests:
        draft = book.copy()
        try:
            body = SHEETS.body("BatchUpdateSpreadsheetRequest", {"requests": [request]})
            apply_all(Batch(draft, SHEETS, "me"), body["requests"])
            spreadsheet(draft, "", "me", regions=None, grid=True, mask={})
        except ApiError as refused:
            codes.add(refused.code)
        else:
            book = draft
    assert codes <= {400, 501}
