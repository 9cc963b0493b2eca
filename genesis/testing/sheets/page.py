"""The page that shows a spreadsheet in a browser while it changes, and lets a person work in it.

`page.html`, `page.css` and `page.js` are the page: a grid that asks for what it shows, every moment,
and sends what a person does. This module answers: a window of rows as people see them, the last calls
and, where nothing has changed since, only those. Nothing is fetched from anywhere else.

The surprise: an edit names its row and column by their identities, not `C7`. Rows may come and go
between what a person sees and what they do, and the edit goes with its row. Sorting moves cells, as it
does in Google: whoever types while somebody sorts, types where the cell was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from genesis.testing.sheets.a1 import column_letters, quoted
from genesis.testing.sheets.answers import ApiError, Json, bad
from genesis.testing.sheets.cells import tidy, visible
from genesis.testing.sheets.faults import Call
from genesis.testing.sheets.formulas import Formula
from genesis.testing.sheets.grid import Book, Calculator, Cell, Line, Tab
from genesis.testing.sheets.person import Person
from genesis.testing.sheets.service import Answer, Incoming, Service
from genesis.testing.sheets.values import is_date

OWNER = "owner@example.com"

_PAGE = re.compile(r"/spreadsheets/d/([\w-]+)/(edit|state)")
_KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
_FILES = {f"/page{kind}": Path(__file__).with_name(f"page{kind}") for kind in (".css", ".js")}
_MOST_ROWS = 400
_LAST_CALLS = 60
_WIDTH = 100


def is_page(path: str) -> bool:
    """Whether a browser asks for it, not a client of the API."""
    return path in ("/", "/spreadsheets.json", *_FILES) or bool(_PAGE.fullmatch(path))


def answer(service: Service, incoming: Incoming) -> Answer:
    """The page, what it shows now, or what became of an edit."""
    if incoming.path in _FILES:
        return _file(_FILES[incoming.path])
    if incoming.path in ("/", "/spreadsheets.json"):
        return _page("Spreadsheets") if incoming.path == "/" else _json(_home(service))
    match = _PAGE.fullmatch(incoming.path)
    id, part = match.groups() if match else ("", "")
    if id not in {book.id for book in service.books()}:
        return _json({"problem": "There is no such spreadsheet."}, 404)
    query = {name: values[0] for name, values in parse_qs(incoming.query).items()}
    if incoming.verb == "POST":
        return _edited(service, id, query, incoming.body)
    if part == "edit":
        return _page(service.book(id).title)
    return _json(_state(service, service.book(id), query))


def _file(path: Path) -> Answer:
    headers = {
        "Content-Type": f"{_KINDS[path.suffix]}; charset=utf-8",
        "Cache-Control": "no-store",
    }
    return Answer(200, path.read_bytes(), headers)


def _page(title: str) -> Answer:
    page = _file(Path(__file__).with_name("page.html"))
    return Answer(200, page.body.replace(b"{title}", escape(title).encode()), page.headers)


def _json(body: Json, status: int = 200) -> Answer:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(status, json.dumps(body, ensure_ascii=False).encode(), headers)


# What it shows


def _home(service: Service) -> Json:
    return {"books": _books(service), "calls": _calls(service), "count": len(service.calls)}


def _books(service: Service) -> list[Json]:
    return [{"id": book.id, "title": book.title} for book in service.books()]


def _calls(service: Service) -> list[Json]:
    return [_call(call) for call in reversed(service.calls[-_LAST_CALLS:])]


def _call(call: Call) -> Json:
    return {
        "at": f"{call.at:%H:%M:%S}",
        "method": call.method.removeprefix("sheets.").removeprefix("spreadsheets."),
        "kind": call.kind,
        "status": call.status,
        "sent": call.sent,
        "received": call.received,
    }


def _state(service: Service, book: Book, query: dict[str, str]) -> Json:
    """A window of a tab; only the version where the browser has seen it."""
    version = f"{book.version}"
    state: Json = {**_home(service), "version": version}
    if query.get("since") == version:
        return state
    tab = _tab(book, query)
    hidden = query.get("hidden") == "yes"
    shown = [row for row, line in enumerate(tab.rows) if hidden or not line.hidden]
    frozen = [row for row in shown if row < tab.frozen["ROWS"]]
    rest = shown[len(frozen) :]
    first = min(_number(query, "from"), len(rest))
    window = rest[first : first + min(_number(query, "rows") or _MOST_ROWS, _MOST_ROWS)]
    columns = [(at, line) for at, line in enumerate(tab.columns) if hidden or not line.hidden]
    calculator = Calculator(tab)
    return state | {
        "title": book.title,
        "tab": tab.id,
        "tabs": [{"id": t.id, "title": t.title} for t in book.tabs if hidden or not t.hidden],
        "hidden": sum(line.hidden for line in (*tab.columns, *tab.rows)),
        "columns": [_column(at, line, at < tab.frozen["COLUMNS"]) for at, line in columns],
        "head": [_row(book, tab, calculator, row) for row in frozen],
        "from": first,
        "rows": [_row(book, tab, calculator, row) for row in window],
        "total": len(rest),
    }


def _tab(book: Book, query: dict[str, str]) -> Tab:
    """The tab that was asked for, or the first that is to be seen."""
    shown = [tab for tab in book.tabs if not tab.hidden]
    return next((tab for tab in book.tabs if str(tab.id) == query.get("gid")), shown[0])


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _column(at: int, line: Line, frozen: bool) -> Json:
    return {
        "id": line.id,
        "name": column_letters(at),
        "width": line.size or _WIDTH,
        "hidden": line.hidden,
        "frozen": frozen,
    }


def _row(book: Book, tab: Tab, calculator: Calculator, row: int) -> Json:
    line = tab.rows[row]
    cells = {id: _cell(book, calculator, cell) for id, cell in tab.row_cells(row).items()}
    return {"id": line.id, "number": row + 1, "hidden": line.hidden, "cells": cells}


def _cell(book: Book, calculator: Calculator, cell: Cell) -> Json:
    """What is to be seen of a cell, and `typed` where typing it again takes another text."""
    effective = calculator.effective(cell.value)
    try:
        text = visible(book, cell, effective)
    except ApiError as error:
        text = error.message
    found: Json = {"text": text}
    typed = _typed(calculator, cell, text)
    if typed != text:
        found["typed"] = typed
    if isinstance(effective, float | bool):
        found["kind"] = "number" if isinstance(effective, float) else "truth"
    if cell.note:
        found["note"] = cell.note
    if cell.format and (style := _style(cell.format)):
        found["style"] = style
    if cell.validation:
        found |= _choices(cell.validation)
    return found


def _typed(calculator: Calculator, cell: Cell, text: str) -> str:
    if isinstance(cell.value, Formula):
        return calculator.text(cell.value)
    if isinstance(cell.value, float) and not is_date((cell.format or {}).get("numberFormat")):
        return str(tidy(cell.value))
    return text


def _choices(validation: Json) -> Json:
    condition = validation.get("condition", {})
    match condition.get("type"):
        case "ONE_OF_LIST":
            return {"choices": [v.get("userEnteredValue", "") for v in condition.get("values", [])]}
        case "BOOLEAN":
            return {"box": True}
    return {}


def _style(format: Json) -> str:
    """CSS for as much of a format as the page shows."""
    words = format.get("textFormat", {})
    lines = [line for line in ("underline", "strikethrough") if words.get(line)]
    drawn = " ".join(lines).replace("strikethrough", "line-through")
    found = {
        "background-color": _colour(format.get("backgroundColor")),
        "color": _colour(words.get("foregroundColor")),
        "font-weight": "600" if words.get("bold") else "",
        "font-style": "italic" if words.get("italic") else "",
        "text-decoration": drawn,
        "text-align": format.get("horizontalAlignment", "").lower(),
    }
    return ";".join(f"{name}:{value}" for name, value in found.items() if value)


def _colour(colour: Json | None) -> str:
    if colour is None:
        return ""
    parts = (round(255 * float(colour.get(name, 0))) for name in ("red", "green", "blue"))
    return f"rgb({','.join(map(str, parts))})"


# What a person does


def _edited(service: Service, id: str, query: dict[str, str], body: bytes) -> Answer:
    try:
        given = json.loads(body)
        # Between finding the row and editing it nobody may move it.
        with service.alone():
            book = service.book(id)
            _Desk(Person(service, id, OWNER), _tab(book, query), given).do()
    except ApiError as error:
        return _json({"problem": error.message}, 400)
    except (ValueError, KeyError, TypeError) as error:
        return _json({"problem": f"That is no edit: {error!r}"}, 400)
    return _json({})


class _Desk:
    """One edit, its row and column looked up by what they are."""

    def __init__(self, person: Person, tab: Tab, given: dict[str, Any]) -> None:
        self._person, self._tab, self._given = person, tab, given
        self._title = tab.title

    def do(self) -> None:
        """Raises `ApiError` for what is not there any more, or may not be done."""
        edits: dict[str, Callable[[], None]] = {
            "type": lambda: self._person.types(self._cell(), self._given["text"]),
            "clear": lambda: self._person.clears(self._cell()),
            "note": lambda: self._person.notes(self._cell(), self._given["text"]),
            "colour": self._colour,
            "sort": self._sort,
            "insert above": lambda: self._person.inserts_rows(self._title, self._row()),
            "insert below": lambda: self._person.inserts_rows(self._title, self._row() + 1),
            "delete row": lambda: self._person.deletes_rows(self._title, self._row()),
            "hide column": lambda: self._person.hides_columns(self._title, self._letters()),
            "show column": lambda: self._person.shows_columns(self._title, self._letters()),
        }
        edits[self._given["do"]]()

    def _cell(self) -> str:
        return f"{quoted(self._title)}!{self._letters()}{self._row()}"

    def _row(self) -> int:
        return _place(self._tab.rows, self._given["row"], "row") + 1

    def _letters(self) -> str:
        return column_letters(_place(self._tab.columns, self._given["column"], "column"))

    def _colour(self) -> None:
        """Fill a row as far as it holds anything: further would be cells that nobody filled."""
        row = self._row()
        filled = self._tab.row_cells(row - 1)
        last = max((at for at, c in enumerate(self._tab.columns) if c.id in filled), default=0)
        red, green, blue = (float(part) for part in self._given["colour"])
        place = f"{quoted(self._title)}!A{row}:{column_letters(last)}{row}"
        self._person.colours(place, red, green, blue)

    def _sort(self) -> None:
        """All below the frozen rows, by the column."""
        first = self._tab.frozen["ROWS"] + 1
        last = column_letters(len(self._tab.columns) - 1)
        area = f"{quoted(self._title)}!A{first}:{last}"
        self._person.sorts(area, self._letters(), down=bool(self._given.get("down")))


def _place(lines: list[Line], id: object, what: str) -> int:
    place = next((at for at, line in enumerate(lines) if line.id == id), None)
    if place is None:
        raise bad(f"That {what} is gone.")
    return place
