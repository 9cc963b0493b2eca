"""What the sink of Google Sheets relies on, asked of a spreadsheet.

Each question gets a new tab, which takes the place of the one before; the last one is deleted. All
else in the spreadsheet stays untouched. How Google says that it was called too often is not provoked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from genesis.errors import SinkError
from genesis.sinks.google.refusals import Refusal
from genesis.sinks.google.service import Connection
from genesis.sinks.probing import Fact, expects, put_all

Json = dict[str, Any]

_REFUSED = "refused with 400"


def probe(connection: Connection) -> Iterator[Fact]:
    """The facts, one after another; what was made for them is removed. Raises `SinkError`."""
    scratch = Scratch(connection)
    try:
        yield from put_all(QUESTIONS, scratch)
    finally:
        scratch.remove()


class Scratch:
    """A tab to try things on."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.name = f"genesis_probe_{random.randrange(10**9)}"  # noqa: S311  (no secret)
        self._first = random.randrange(10**6, 10**9)  # noqa: S311
        self._tabs: list[int] = []

    @property
    def tab(self) -> int:
        return self._tabs[-1]

    def fresh(self, *rows: Sequence[Any]) -> None:
        """A new tab that holds rows and has no room for more, in place of the one before."""
        new = self._first + len(self._tabs)
        grid = {"rowCount": len(rows), "columnCount": len(rows[0])}
        title = f"genesis probe {new}"
        gone = [{"deleteSheet": {"sheetId": old}} for old in self._tabs[-1:]]
        add = {"properties": {"sheetId": new, "title": title, "gridProperties": grid}}
        start = {"sheetId": new, "rowIndex": 0, "columnIndex": 0}
        cells = [{"values": [_cell(value) for value in row]} for row in rows]
        update = {"start": start, "rows": cells, "fields": "userEnteredValue"}
        self.send({"addSheet": add}, {"updateCells": update}, *gone)
        self._tabs.append(new)

    def send(self, *requests: Json) -> list[Json]:
        """The replies to a batch."""
        body = {"requests": list(requests)}
        replies: list[Json] = self.connection.batch_update(body)["replies"]
        return replies

    def outcome(self, *requests: Json) -> str:
        """Whether a batch is taken."""
        try:
            self.send(*requests)
        except Refusal as refusal:
            return f"refused with {refusal.status}"
        return "taken"

    def area(self, **ends: int) -> Json:
        """A range of the tab."""
        return {"sheetId": self.tab, **ends}

    def span(self, dimension: str, start: int, end: int) -> Json:
        """Rows or columns of the tab."""
        return self.area(startIndex=start, endIndex=end) | {"dimension": dimension}

    def put(self, cell: Json, fields: str) -> Json:
        """The request that puts something into the first cell."""
        start = {"sheetId": self.tab, "rowIndex": 0, "columnIndex": 0}
        return {"updateCells": {"start": start, "rows": [{"values": [cell]}], "fields": fields}}

    def named(self, suffix: str) -> Json:
        """The request that adds a named range with an id of ours; it covers the first row."""
        name = f"{self.name}_{suffix}"
        area = self.area(startRowIndex=0, endRowIndex=1)
        return {
            "addNamedRange": {"namedRange": {"namedRangeId": name, "name": name, "range": area}}
        }

    def unnamed(self, suffix: str) -> Json:
        """The request that deletes one."""
        return {"deleteNamedRange": {"namedRangeId": f"{self.name}_{suffix}"}}

    def names(self) -> list[Json]:
        """The named ranges that are ours."""
        found = self.connection.get(fields="namedRanges").get("namedRanges", [])
        return [one for one in found if one["namedRangeId"].startswith(self.name)]

    def values(self, data_filter: Json | None = None) -> list[list[Any]]:
        """The values of the tab, or of what a filter finds in it; dates are numbers."""
        body = {
            "dataFilters": [data_filter or {"gridRange": self.area()}],
            "valueRenderOption": "UNFORMATTED_VALUE",
            "dateTimeRenderOption": "SERIAL_NUMBER",
        }
        found = self.connection.values_by_filter(body).get("valueRanges", [])
        return [row for one in found for row in one["valueRange"].get("values", [])]

    def first_column(self) -> list[Any]:
        return [row[0] if row else None for row in self.values()]

    def cells(self, fields: str) -> list[list[Json]]:
        """What the cells of the tab hold besides values."""
        body = {"dataFilters": [{"gridRange": self.area()}], "includeGridData": True}
        found = self.connection.get_by_filter(
            body, fields=f"sheets(data(rowData(values({fields}))))"
        )
        rows = found["sheets"][0]["data"][0].get("rowData", [])
        return [row.get("values", []) for row in rows]

    def remove(self) -> None:
        """Delete what was made; what a question left behind goes as well."""
        tabs = [{"deleteSheet": {"sheetId": tab}} for tab in self._tabs[-1:]]
        try:
            names = [one["namedRangeId"] for one in self.names()]
        except SinkError:
            names = []
        unnamed = [{"deleteNamedRange": {"namedRangeId": name}} for name in names]
        if tabs or unnamed:
            self.send(*unnamed, *tabs)


def _cell(value: Any) -> Json:
    match value:
        case None:
            return {}
        case bool():
            return {"userEnteredValue": {"boolValue": value}}
        case int() | float():
            return {"userEnteredValue": {"numberValue": value}}
        case _:
            return {"userEnteredValue": {"stringValue": value}}


# ---- batches, and the fence that tells whether one landed


@expects("a batch with one wrong request does nothing", ("refused with 400", ["a", "b"]))
def _atomic(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    wrong = {"deleteSheet": {"sheetId": 2**31 - 2}}
    return scratch.outcome(
        scratch.put(_cell("x"), "userEnteredValue"), wrong
    ), scratch.first_column()


@expects("a named range's id is ours to choose", True)
def _chosen_id(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    scratch.send(scratch.named("one"))
    return scratch.name + "_one" in [one["namedRangeId"] for one in scratch.names()]


@expects("a named range whose id is taken is refused", _REFUSED)
def _taken_id(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    scratch.send(scratch.named("taken"))
    again = scratch.named("taken")
    again["addNamedRange"]["namedRange"]["name"] += "_again"
    return scratch.outcome(again)


@expects("a named range that is gone cannot be deleted", _REFUSED)
def _gone_id(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    return scratch.outcome(scratch.unnamed("never"))


@expects("of two writers that saw one fence, the second is refused", ("taken", "refused with 400"))
def _fence(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    scratch.send(scratch.named("old"))
    first = scratch.outcome(scratch.unnamed("old"), scratch.named("first"))
    return first, scratch.outcome(scratch.unnamed("old"), scratch.named("second"))


@expects("zeros are left out of ranges, or written", "left out", "written")
def _zeros(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    scratch.send(scratch.named("zero"))
    area = next(one["range"] for one in scratch.names() if one["name"].endswith("_zero"))
    return "left out" if "startRowIndex" not in area else "written"


@expects("the reply to a batch can hold the cells after it", "x")
def _read_back(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    body = {
        "requests": [scratch.put(_cell("x"), "userEnteredValue")],
        "includeSpreadsheetInResponse": True,
        "responseIncludeGridData": True,
        "responseRanges": [f"'genesis probe {scratch.tab}'"],
    }
    sheet = scratch.connection.batch_update(body)["updatedSpreadsheet"]["sheets"][0]
    return sheet["data"][0]["rowData"][0]["values"][0]["userEnteredValue"]["stringValue"]


# ---- rows and columns


@expects("a row moves to where it would stand before it leaves", ["b", "a", "c", "d"])
def _move(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"], ["c"], ["d"])
    move = {"source": scratch.span("ROWS", 0, 1), "destinationIndex": 2}
    scratch.send({"moveDimension": move})
    return scratch.first_column()


@expects("a note moves with its row", [None, "n"])
def _note_moves(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    move = {"source": scratch.span("ROWS", 0, 1), "destinationIndex": 2}
    scratch.send(scratch.put({"note": "n"}, "note"), {"moveDimension": move})
    rows = scratch.cells("userEnteredValue,note")
    return [row[0].get("note") for row in rows]


@expects("below the last row a row is inserted like the one before", ["a", "b", "c"])
def _edge(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    insert = {"range": scratch.span("ROWS", 2, 3), "inheritFromBefore": True}
    start = {"sheetId": scratch.tab, "rowIndex": 2, "columnIndex": 0}
    cells = {"start": start, "rows": [{"values": [_cell("c")]}], "fields": "userEnteredValue"}
    scratch.send({"insertDimension": insert}, {"updateCells": cells})
    return scratch.first_column()


@expects("below the last row nothing is inserted like the one after", _REFUSED)
def _past_the_edge(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    return scratch.outcome({"insertDimension": {"range": scratch.span("ROWS", 2, 3)}})


@expects("a row inserted like the one before has its looks", [True, True])
def _inherit(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    bold = {"userEnteredFormat": {"textFormat": {"bold": True}}}
    insert = {"range": scratch.span("ROWS", 1, 2), "inheritFromBefore": True}
    scratch.send(
        scratch.put(bold, "userEnteredFormat.textFormat.bold"), {"insertDimension": insert}
    )
    rows = scratch.cells("userEnteredFormat(textFormat(bold))")
    return [_bold(row[0]) for row in rows if row]


@expects("the values of a hidden column are read", [["a", 1], ["b", 2]])
def _hidden(scratch: Scratch) -> Any:
    scratch.fresh(["a", 1], ["b", 2])
    hide = {"range": scratch.span("COLUMNS", 0, 1), "properties": {"hiddenByUser": True}}
    scratch.send({"updateDimensionProperties": {**hide, "fields": "hiddenByUser"}})
    return scratch.values()


# ---- what marks a column


def _mark(scratch: Scratch) -> Json:
    place = {"dimensionRange": scratch.span("COLUMNS", 0, 1)}
    piece = {"metadataKey": scratch.name, "metadataValue": "v", "location": place}
    return {"createDeveloperMetadata": {"developerMetadata": {**piece, "visibility": "DOCUMENT"}}}


def _marked(scratch: Scratch) -> Json:
    return {
        "developerMetadataLookup": {"metadataKey": scratch.name, "locationType": "COLUMN"},
    }


@expects("a column is found by its metadata", [["a"], ["b"]])
def _lookup(scratch: Scratch) -> Any:
    scratch.fresh(["a", 1], ["b", 2])
    scratch.send(_mark(scratch))
    return scratch.values(_marked(scratch))


@expects("metadata follows a column that moves", [[1, 2, "a"], ["a"]])
def _metadata_moves(scratch: Scratch) -> Any:
    scratch.fresh(["a", 1, 2])
    move = {"source": scratch.span("COLUMNS", 0, 1), "destinationIndex": 3}
    scratch.send(_mark(scratch), {"moveDimension": move})
    return [*scratch.values(), *scratch.values(_marked(scratch))]


@expects("metadata goes with a column that is deleted", [])
def _metadata_goes(scratch: Scratch) -> Any:
    scratch.fresh(["a", 1])
    scratch.send(_mark(scratch), {"deleteDimension": {"range": scratch.span("COLUMNS", 0, 1)}})
    return scratch.values(_marked(scratch))


# ---- cells


@expects("a value that is written leaves note and looks", ("x", "n", True))
def _looks_stay(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    looks = {"note": "n", "userEnteredFormat": {"textFormat": {"bold": True}}}
    scratch.send(scratch.put(looks, "note,userEnteredFormat.textFormat.bold"))
    scratch.send(scratch.put(_cell("x"), "userEnteredValue"))
    ((cell,),) = scratch.cells("userEnteredValue,note,userEnteredFormat(textFormat(bold))")
    return cell["userEnteredValue"].get("stringValue"), cell.get("note"), _bold(cell)


@expects("an empty cell that is written clears the value", [["", "b"]])
def _clear(scratch: Scratch) -> Any:
    scratch.fresh(["a", "b"])
    scratch.send(scratch.put({}, "userEnteredValue"))
    return scratch.values()


@expects("text that looks like a formula stays text", [["=1+1", "+1", "@x", "007"]])
def _formula(scratch: Scratch) -> Any:
    scratch.fresh(["=1+1", "+1", "@x", "007"])
    return scratch.values()


@expects("numbers, booleans and texts keep their types", [[True, 0.1, 123456789012345, "1"]])
def _types(scratch: Scratch) -> Any:
    scratch.fresh([True, 0.1, 123456789012345, "1"])
    return scratch.values()


@expects("a date is a number of days since 1899-12-30", (46349, "2026-11-23"))
def _date(scratch: Scratch) -> Any:
    scratch.fresh([46349])
    format_ = {"userEnteredFormat": {"numberFormat": {"type": "DATE", "pattern": "yyyy-mm-dd"}}}
    scratch.send(scratch.put(format_, "userEnteredFormat.numberFormat"))
    ((cell,),) = scratch.cells("formattedValue")
    return scratch.values()[0][0], cell.get("formattedValue")


@expects("a spreadsheet has a time zone that is known", "known")
def _zone(scratch: Scratch) -> Any:
    found = scratch.connection.get(fields="properties(timeZone)")["properties"]["timeZone"]
    try:
        ZoneInfo(found)
    except (LookupError, ValueError):
        return found
    return "known"


def _bold(cell: Json) -> bool:
    return bool(cell.get("userEnteredFormat", {}).get("textFormat", {}).get("bold", False))


QUESTIONS = (
    _atomic,
    _chosen_id,
    _taken_id,
    _gone_id,
    _fence,
    _zeros,
    _read_back,
    _move,
    _note_moves,
    _edge,
    _past_the_edge,
    _inherit,
    _hidden,
    _lookup,
    _metadata_moves,
    _metadata_goes,
    _looks_stay,
    _clear,
    _formula,
    _types,
    _date,
    _zone,
)
