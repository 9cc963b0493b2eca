"""What the sink of Google Sheets relies on, asked of a spreadsheet.

Each question gets a new tab, which takes the place of the one before; the last one is deleted. All
else in the spreadsheet stays untouched. The last question is the sink itself: whole refreshes. How
Google says that it was called too often is not provoked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from genesis.compile.statement import Column
from genesis.interfaces import Sink
from genesis.sinks.google.refusals import Refusal
from genesis.sinks.google.service import Connection
from genesis.sinks.probing import Fact, expects, put_all
from genesis.spec.types import INTEGER, STRING
from genesis.spec.workflow import GoogleSheetsPlace, Place
from genesis.sync.changes import Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

Json = dict[str, Any]

_REFUSED = "refused with 400"


def probe(connection: Connection, sink: Sink) -> Iterator[Fact]:
    """The facts, one after another; what was made for them is removed. Raises `SinkError`."""
    scratch = Scratch(connection, sink)
    try:
        yield from put_all(QUESTIONS, scratch)
    finally:
        scratch.remove()


class Scratch:
    """A tab to try things on."""

    def __init__(self, connection: Connection, sink: Sink) -> None:
        self.connection = connection
        self.sink = sink
        self.name = f"genesis_probe_{random.randrange(10**9)}"  # noqa: S311  (no secret)
        self.tab = -1
        self._next = random.randrange(10**6, 10**9)  # noqa: S311
        self._titles: set[str] = set()

    def title(self) -> str:
        """A title that no tab has; a tab that bears it is ours to delete."""
        self._next += 1
        title = f"genesis probe {self._next}"
        self._titles.add(title)
        return title

    def fresh(self, *rows: Sequence[Any]) -> None:
        """A new tab that holds rows and has no room for more, in place of the one before."""
        title, new = self.title(), self._next
        grid = {"rowCount": len(rows), "columnCount": len(rows[0])}
        gone = [{"deleteSheet": {"sheetId": self.tab}}] if self.tab >= 0 else []
        add = {"properties": {"sheetId": new, "title": title, "gridProperties": grid}}
        start = {"sheetId": new, "rowIndex": 0, "columnIndex": 0}
        cells = [{"values": [_cell(value) for value in row]} for row in rows]
        update = {"start": start, "rows": cells, "fields": "userEnteredValue"}
        self.send({"addSheet": add}, {"updateCells": update}, *gone)
        self.tab = new

    @property
    def shown_title(self) -> str:
        """The title of the tab, which has its id in it."""
        return f"genesis probe {self.tab}"

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

    def tabs(self) -> dict[str, int]:
        """The tabs that are ours, by their titles."""
        found = self.connection.get(fields="sheets.properties(sheetId,title)")["sheets"]
        ours = (one["properties"] for one in found if one["properties"]["title"] in self._titles)
        return {one["title"]: one["sheetId"] for one in ours}

    def remove(self) -> None:
        """Delete what was made; what a question left behind goes as well."""
        tabs = set(self.tabs().values())
        names = self.connection.get(fields="namedRanges").get("namedRanges", [])
        gone = [
            {"deleteNamedRange": {"namedRangeId": one["namedRangeId"]}}
            for one in names
            if one["namedRangeId"].startswith(self.name) or one["range"].get("sheetId") in tabs
        ]
        gone += [{"deleteSheet": {"sheetId": tab}} for tab in tabs]
        if gone:
            self.send(*gone)


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


@expects("a named range may cover a whole tab", "taken")
def _endless_range(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    named = scratch.named("all")
    named["addNamedRange"]["namedRange"]["range"] = scratch.area()
    return scratch.outcome(named)


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
        "responseRanges": [f"'{scratch.shown_title}'"],
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


@expects("a tab is found by its metadata, and told with that of its columns", (["a", "b"], ["v"]))
def _tab_lookup(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    piece: Json = {"metadataKey": scratch.name + "_tab", "metadataValue": "w"}
    piece |= {"visibility": "DOCUMENT", "location": {"sheetId": scratch.tab}}
    scratch.send(_mark(scratch), {"createDeveloperMetadata": {"developerMetadata": piece}})
    lookup = {"metadataKey": scratch.name + "_tab", "metadataValue": "w"}
    body = {"dataFilters": [{"developerMetadataLookup": lookup}], "includeGridData": True}
    fields = "sheets.data(columnMetadata.developerMetadata(metadataValue),rowData.values.userEnteredValue)"
    (sheet,) = scratch.connection.get_by_filter(body, fields=fields)["sheets"]
    (data,) = sheet["data"]
    values = [row["values"][0]["userEnteredValue"]["stringValue"] for row in data["rowData"]]
    marks = [m["metadataValue"] for c in data["columnMetadata"] for m in c["developerMetadata"]]
    return values, marks


@expects("metadata that is nowhere finds nothing, and is no mistake", "nothing")
def _no_lookup(scratch: Scratch) -> Any:
    lookup = {"metadataKey": scratch.name + "_never", "metadataValue": "w"}
    body = {"dataFilters": [{"developerMetadataLookup": lookup}], "includeGridData": True}
    found = scratch.connection.get_by_filter(body, fields="sheets.data.rowData")
    return "nothing" if not any(sheet.get("data") for sheet in found.get("sheets", ())) else found


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


@expects("values that are put as they are stay so", [["=1+1", 1, True]])
def _raw(scratch: Scratch) -> Any:
    scratch.fresh(["a", "b", "c"])
    scratch.connection.put_values(f"'{scratch.shown_title}'!A1", [["=1+1", 1, True]])
    return scratch.values()


@expects("cells are copied as they are", ["a", "a"])
def _copy(scratch: Scratch) -> Any:
    scratch.fresh(["a"], ["b"])
    source = scratch.area(startRowIndex=0, endRowIndex=1, startColumnIndex=0, endColumnIndex=1)
    target = source | {"startRowIndex": 1, "endRowIndex": 2}
    copy = {"source": source, "destination": target, "pasteType": "PASTE_VALUES"}
    scratch.send({"copyPaste": copy})
    return scratch.first_column()


@expects("a protection that only warns does not stop an account", "taken")
def _warning(scratch: Scratch) -> Any:
    scratch.fresh(["a"])
    warning = {"range": scratch.area(), "warningOnly": True}
    scratch.send({"addProtectedRange": {"protectedRange": warning}})
    return scratch.outcome(scratch.put(_cell("x"), "userEnteredValue"))


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


# ---- the sink itself


@expects(
    "refreshes insert, update, delete and move rows, and a note stays with its row",
    ("+4 ~0 -0 >0", "+1 ~1 -1 >2", "unchanged", [None, "n", None, None]),
)
def _refresh(scratch: Scratch) -> Any:
    title = scratch.title()
    tab = GoogleSheetsPlace(
        spreadsheet=scratch.connection.spreadsheet,
        tab=title,
        allow_anyone=True,  # there is nothing in it that people may not see
    )
    tracker = Tracker("genesis.probe", Place(google_sheets=tab), _COLUMNS, order="query")
    told = [_refreshed(scratch, tracker, {1: "a", 2: "b", 3: "c", 4: "d"})]
    scratch.tab = scratch.tabs()[title]
    start = {"sheetId": scratch.tab, "rowIndex": 2, "columnIndex": 0}
    note = {"start": start, "rows": [{"values": [{"note": "n"}]}], "fields": "note"}
    scratch.send({"updateCells": note})
    rows = {4: "d", 2: "x", 5: "e", 1: "a"}
    told += [_refreshed(scratch, tracker, rows), _refreshed(scratch, tracker, rows)]
    notes = [row[0].get("note") for row in scratch.cells("note")[1:5] if row]
    return *told, notes


_COLUMNS = (Column("id", "Id", INTEGER, key=True), Column("title", "Title", STRING))


def _refreshed(scratch: Scratch, tracker: Tracker, rows: dict[int, str]) -> str:
    """What a refresh did."""
    table = pa.table({"id": pa.array(rows, pa.int64()), "title": list(rows.values())})
    present = scratch.sink.read(tracker)
    changes = compare(wanted=encode(table, tracker), present=present, policy=tracker.policy)
    if changes.is_empty:
        return "unchanged"
    done = scratch.sink.apply(tracker, changes)
    return f"+{done.inserted} ~{done.updated} -{done.deleted} >{done.moved}"


def _bold(cell: Json) -> bool:
    return bool(cell.get("userEnteredFormat", {}).get("textFormat", {}).get("bold", False))


QUESTIONS = (
    _atomic,
    _chosen_id,
    _taken_id,
    _gone_id,
    _fence,
    _endless_range,
    _zeros,
    _read_back,
    _move,
    _note_moves,
    _edge,
    _past_the_edge,
    _inherit,
    _hidden,
    _lookup,
    _tab_lookup,
    _no_lookup,
    _metadata_moves,
    _metadata_goes,
    _looks_stay,
    _clear,
    _formula,
    _types,
    _raw,
    _copy,
    _warning,
    _date,
    _zone,
    _refresh,
)
