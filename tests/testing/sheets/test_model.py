"""Random scripts: the emulator's grid equals a plain one of lists, and no script leaves half a batch.

The plain model has no identities, only positions: each row is a list of cells, and what is said of
a row or column travels in lists beside it. So it shares no idea with the emulator's own model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.discovery import api
from genesis.testing.sheets.grid import Book, Tab
from genesis.testing.sheets.limits import Limits
from genesis.testing.sheets.render import spreadsheet
from genesis.testing.sheets.requests import Batch, apply_all

Cell = dict[str, Any]


@dataclass
class Plain:
    """A grid of lists."""

    rows: list[list[Cell]]
    marks: dict[str, list[str]] = field(default_factory=dict)

    def lines(self, dimension: str) -> int:
        return len(self.rows) if dimension == "ROWS" else len(self.rows[0])

    def columns(self) -> list[list[Cell]]:
        return [list(column) for column in zip(*self.rows, strict=True)]

    def turn(self, dimension: str) -> tuple[list[list[Cell]], list[str]]:
        """Rows, or columns as if they were rows, with what is said of them."""
        return (self.rows if dimension == "ROWS" else self.columns()), self.marks[dimension]

    def turn_back(self, dimension: str, lines: list[list[Cell]], marks: list[str]) -> None:
        self.rows = (
            lines if dimension == "ROWS" else [list(row) for row in zip(*lines, strict=True)]
        )
        self.marks[dimension] = marks

    def insert(self, dimension: str, at: int, count: int, before: bool) -> None:
        lines, marks = self.turn(dimension)
        model = lines[at - 1 if before else at]
        look = [{k: v for k, v in cell.items() if k == "userEnteredFormat"} for cell in model]
        new = [[dict(cell) for cell in look] for _ in range(count)]
        self.turn_back(
            dimension, lines[:at] + new + lines[at:], marks[:at] + [""] * count + marks[at:]
        )

    def delete(self, dimension: str, start: int, end: int) -> None:
        lines, marks = self.turn(dimension)
        self.turn_back(dimension, lines[:start] + lines[end:], marks[:start] + marks[end:])

    def move(self, dimension: str, start: int, end: int, to: int) -> None:
        lines, marks = self.turn(dimension)

        def moved(items: list[Any]) -> list[Any]:
            rest = [(at, item) for at, item in enumerate(items) if not start <= at < end]
            front = [item for at, item in rest if at < to]
            return front + items[start:end] + [item for at, item in rest if at >= to]

        self.turn_back(dimension, moved(lines), moved(marks))


ROWS, COLUMNS = 6, 4


def book_of() -> Book:
    book = Book("b", "Book", locale="en_US", time_zone="Etc/GMT", limits=Limits())
    book.tabs = [Tab(0, "Sheet1", ROWS, COLUMNS)]
    return book


def plain_of() -> Plain:
    grid: list[list[Cell]] = [[{} for _ in range(COLUMNS)] for _ in range(ROWS)]
    return Plain(grid, {"ROWS": [""] * ROWS, "COLUMNS": [""] * COLUMNS})


VALUES = st.sampled_from(
    [{}, {"stringValue": "a"}, {"stringValue": "b"}, {"numberValue": 1.0}, {"boolValue": True}]
)
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "userEnteredValue": VALUES.filter(bool),
        "note": st.sampled_from(["n", "m"]),
        "userEnteredFormat": st.sampled_from(
            [{"horizontalAlignment": "LEFT"}, {"wrapStrategy": "WRAP"}]
        ),
    },
)
FIELDS = st.lists(
    st.sampled_from(["userEnteredValue", "note", "userEnteredFormat"]),
    min_size=1,
    max_size=3,
    unique=True,
)
STEPS = st.tuples(
    st.sampled_from(["write", "insert", "delete", "move", "tag", "repeat", "sort", "append"]),
    st.sampled_from(["ROWS", "COLUMNS"]),
    st.tuples(*[st.integers(0, 7)] * 3),
    st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=2),
    FIELDS,
    st.booleans(),
)


def request_of(step: Any, plain: Plain, count: int) -> dict[str, Any] | None:
    """The request of a step, made to fit, after it was done to the plain grid. None when it cannot be."""
    kind, dimension, (one, two, three), rows, fields, flag = step
    size = plain.lines(dimension)
    place = {"sheetId": 0, "dimension": dimension}
    match kind:
        case "insert":
            at = one % (size + 1)
            before = (flag and at > 0) or at == size
            plain.insert(dimension, at, two % 2 + 1, before)
            span = place | {"startIndex": at, "endIndex": at + two % 2 + 1}
            return {"insertDimension": {"range": span, "inheritFromBefore": before}}
        case "append":
            lines, marks = plain.turn(dimension)
            width = len(lines[0])
            plain.turn_back(dimension, [*lines, [{} for _ in range(width)]], [*marks, ""])
            return {"appendDimension": place | {"length": 1}}
        case "delete":
            start, end = sorted((one % size, two % size))
            if start == end:
                return None
            plain.delete(dimension, start, end)
            return {"deleteDimension": {"range": place | {"startIndex": start, "endIndex": end}}}
        case "move":
            start, end = sorted((one % size, two % (size + 1)))
            to = three % (size + 1)
            if start == end or start < to < end:
                return None
            plain.move(dimension, start, end, to)
            source = place | {"startIndex": start, "endIndex": end}
            return {"moveDimension": {"source": source, "destinationIndex": to}}
        case "tag":
            at = one % size
            if plain.marks[dimension][at]:
                return None
            plain.marks[dimension][at] = f"tag{count}"
            where = {"dimensionRange": place | {"startIndex": at, "endIndex": at + 1}}
            piece = {"metadataKey": f"tag{count}", "visibility": "DOCUMENT", "location": where}
            return {"createDeveloperMetadata": {"developerMetadata": piece}}
        case "sort":
            column = one % plain.lines("COLUMNS")
            plain.rows = sorted_rows(plain.rows, column, down=flag)
            order = "DESCENDING" if flag else "ASCENDING"
            spec = {"dimensionIndex": column, "sortOrder": order}
            return {"sortRange": {"range": {"sheetId": 0}, "sortSpecs": [spec]}}
    top, left = one % plain.lines("ROWS"), two % plain.lines("COLUMNS")
    if kind == "write":
        rows = [row[: plain.lines("COLUMNS") - left] for row in rows[: plain.lines("ROWS") - top]]
    else:
        rows = [[rows[0][0]] * (plain.lines("COLUMNS") - left)] * min(2, plain.lines("ROWS") - top)
    for y, row in enumerate(rows, top):
        for x, cell in enumerate(row, left):
            plain.rows[y][x] = {k: v for k, v in plain.rows[y][x].items() if k not in fields} | {
                k: v for k, v in cell.items() if k in fields
            }
    if kind == "repeat":
        area = {
            "sheetId": 0,
            "startRowIndex": top,
            "endRowIndex": top + len(rows),
            "startColumnIndex": left,
        }
        return {"repeatCell": {"range": area, "cell": rows[0][0], "fields": ",".join(fields)}}
    start = {"sheetId": 0, "rowIndex": top, "columnIndex": left}
    values = [{"values": row} for row in rows]
    return {"updateCells": {"start": start, "rows": values, "fields": ",".join(fields)}}


def sorted_rows(rows: list[list[Cell]], column: int, *, down: bool) -> list[list[Cell]]:
    """Numbers, then texts, then booleans; blanks last whichever way; equal ones as they were."""

    def key(row: list[Cell]) -> tuple[int, Any]:
        ((kind, value),) = row[column]["userEnteredValue"].items()
        return ["numberValue", "stringValue", "boolValue"].index(kind), value

    full = [row for row in rows if row[column].get("userEnteredValue")]
    blank = [row for row in rows if not row[column].get("userEnteredValue")]
    return sorted(full, key=key, reverse=down) + blank


def seen(book: Book) -> Plain:
    """What the emulator shows, as the plain grid has it."""
    answer = spreadsheet(book, "", "me", regions=None, grid=True, mask={})
    (data,) = answer["sheets"][0]["data"]
    tags = {"ROWS": data["rowMetadata"], "COLUMNS": data["columnMetadata"]}
    marks = {
        dimension: [line.get("developerMetadata", [{}])[0].get("metadataKey", "") for line in lines]
        for dimension, lines in tags.items()
    }
    members = ("userEnteredValue", "note", "userEnteredFormat")
    grid: list[list[Cell]] = []
    for at in range(len(marks["ROWS"])):
        cells = data["rowData"][at].get("values", []) if at < len(data["rowData"]) else []
        cells = [{k: cell[k] for k in members if k in cell} for cell in cells]
        grid.append(cells + [{} for _ in range(len(marks["COLUMNS"]) - len(cells))])
    return Plain(grid, marks)


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_random_scripts_give_what_a_plain_grid_gives(steps: list[Any]) -> None:
    """Values, notes and formats of every cell, and the metadata of every row and column."""
    book, plain = book_of(), plain_of()
    requests = [r for at, step in enumerate(steps) if (r := request_of(step, plain, at))]
    body = api("sheets.v4").body("BatchUpdateSpreadsheetRequest", {"requests": requests})
    changed = book.copy()
    apply_all(Batch(changed, api("sheets.v4"), "me"), body.get("requests", []))
    assert seen(changed) == plain
    assert seen(book) == plain_of()


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=6), st.lists(STEPS, max_size=6))
def test_a_batch_that_fails_leaves_all_as_it_was(first: list[Any], second: list[Any]) -> None:
    """After any script, any other script that ends in a mistake changes nothing at all."""
    plain = plain_of()
    before = book_of()
    batch = Batch(before, api("sheets.v4"), "me")
    apply_all(batch, [r for at, step in enumerate(first) if (r := request_of(step, plain, at))])
    kept = seen(before)
    scripts = [r for at, step in enumerate(second) if (r := request_of(step, plain, 100 + at))]
    wrong = [*scripts, {"deleteSheet": {"sheetId": 9}}]
    with pytest.raises(ApiError, match=rf"requests\[{len(scripts)}\]\.deleteSheet"):
        apply_all(Batch(before.copy(), api("sheets.v4"), "me"), wrong)
    assert seen(before) == kept


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, ROWS - 1),
    st.lists(
        STEPS.filter(lambda step: step[0] in ("insert", "delete", "move", "append")), max_size=8
    ),
)
def test_a_named_row_is_the_same_row_after_any_script(row: int, steps: list[Any]) -> None:
    """A name for one row goes wherever that row goes, and is gone only when the row is."""
    book, plain = book_of(), plain_of()
    plain.marks["ROWS"][row] = "mine"
    named = {"name": "mine", "range": {"startRowIndex": row, "endRowIndex": row + 1}}
    requests = [r for at, step in enumerate(steps) if (r := request_of(step, plain, at))]
    apply_all(
        Batch(book, api("sheets.v4"), "me"), [{"addNamedRange": {"namedRange": named}}, *requests]
    )
    shown = spreadsheet(book, "", "me", regions=None, grid=False, mask={}).get("namedRanges", [])
    places = [one["range"].get("startRowIndex", 0) for one in shown]
    assert places == [at for at, mark in enumerate(plain.marks["ROWS"]) if mark == "mine"]
    assert all(
        one["range"]["endRowIndex"] - place == 1 for one, place in zip(shown, places, strict=True)
    )
