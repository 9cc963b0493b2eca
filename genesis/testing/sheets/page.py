"""The page that shows a spreadsheet in a browser while it changes, and lets a person type into it.

Plain HTML: the grid is in a frame that loads itself anew every two seconds, the form outside of
it, so that typing is not disturbed. What the last change touched is marked.
"""

from __future__ import annotations

import re
from html import escape
from urllib.parse import parse_qs, quote

from genesis.testing.sheets.a1 import column_letters
from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.cells import visible
from genesis.testing.sheets.grid import Book, Calculator, Cell, Tab
from genesis.testing.sheets.person import Person
from genesis.testing.sheets.service import Answer, Incoming, Service

_PAGE = re.compile(r"/spreadsheets/d/([\w-]+)/(edit|grid)")
_ROWS = 500
_STYLE = """
body { font: 13px system-ui, sans-serif; margin: 0; color: #202124 }
header, form, nav { padding: 8px 12px } h1 { font-size: 16px; margin: 0 }
nav a { margin-right: 12px; color: #5f6368 } nav a.on { color: #188038; font-weight: 600 }
iframe { border: 0; border-top: 1px solid #dadce0; width: 100%; height: 78vh }
table { border-collapse: collapse } td, th { border: 1px solid #dadce0; padding: 2px 6px; white-space: nowrap;
 max-width: 26em; overflow: hidden; text-overflow: ellipsis }
th { background: #f1f3f4; font-weight: 400; color: #5f6368; position: sticky; top: 0 }
th.row { left: 0 } td.note { box-shadow: inset -6px 6px 0 -3px #f9ab00 } td.new { outline: 2px solid #188038 }
td.number { text-align: right } .hidden { color: #9aa0a6; background: #f8f9fa } p { padding: 0 12px }
"""


def is_page(path: str) -> bool:
    """Whether a browser asks for it, not a client of the API."""
    return path == "/" or bool(_PAGE.fullmatch(path))


def answer(service: Service, incoming: Incoming) -> Answer:
    """The page, or the way back to it after something was typed."""
    match = _PAGE.fullmatch(incoming.path)
    if match is None:
        return _html("Spreadsheets", _list(service))
    id, part = match.groups()
    if id not in {book.id for book in service.books()}:
        return _html("Not found", "<p>There is no such spreadsheet.</p>", status=404)
    query = {name: values[0] for name, values in parse_qs(incoming.query).items()}
    book = service.book(id)
    tab = next((tab for tab in book.tabs if str(tab.id) == query.get("gid")), book.tabs[0])
    if incoming.verb == "POST":
        return _edited(service, book, tab, incoming.body)
    if part == "grid":
        return _html(book.title, _grid(service, book, tab, query), refresh=True)
    return _html(book.title, _frame(book, tab, query))


def _html(title: str, body: str, *, status: int = 200, refresh: bool = False) -> Answer:
    again = '<meta http-equiv="refresh" content="2">' if refresh else ""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return Answer(status, text.encode(), headers)


def _list(service: Service) -> str:
    items = "".join(
        f'<li><a href="/spreadsheets/d/{book.id}/edit">{escape(book.title)}</a></li>'
        for book in service.books()
    )
    return f"<header><h1>Spreadsheets</h1></header><ul>{items or '<li>None yet</li>'}</ul>"


def _frame(book: Book, tab: Tab, query: dict[str, str]) -> str:
    links = "".join(
        f'<a {"class=on " if other is tab else ""}href="?gid={other.id}">{escape(other.title)}</a>'
        for other in book.tabs
    )
    problem = f"<p><b>{escape(query['problem'])}</b></p>" if "problem" in query else ""
    cell = escape(query.get("cell", "A1"), quote=True)
    return (
        f"<header><h1>{escape(book.title)}</h1></header><nav>{links}</nav>"
        f'<form method="post" action="?gid={tab.id}">'
        f'<input name="cell" value="{cell}" size="5" aria-label="cell" required> '
        '<input name="text" size="40" aria-label="text"> '
        '<button name="what" value="text">Type</button> '
        '<button name="what" value="note">Note</button></form>'
        f'{problem}<iframe src="grid?gid={tab.id}" title="{escape(tab.title, quote=True)}"></iframe>'
    )


def _edited(service: Service, book: Book, tab: Tab, body: bytes) -> Answer:
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    cell, text = form.get("cell", ""), form.get("text", "")
    place = "'" + tab.title.replace("'", "''") + "'!" + cell
    person = Person(service, book.id, "owner@example.com")
    problem = ""
    try:
        (person.notes if form.get("what") == "note" else person.types)(place, text)
    except ApiError as error:
        problem = f"&problem={quote(error.message)}"
    back = f"/spreadsheets/d/{book.id}/edit?gid={tab.id}&cell={quote(cell)}{problem}"
    return Answer(303, b"", {"Location": back})


def _grid(service: Service, book: Book, tab: Tab, query: dict[str, str]) -> str:
    before = service.before.get(book.id)
    old = next((other for other in before.tabs if other.id == tab.id), None) if before else None
    columns = range(_extent_across(tab))
    calculator = Calculator(tab)
    head = "".join(
        f"<th{_class('hidden' if tab.columns[at].hidden else '')}>{column_letters(at)}</th>"
        for at in columns
    )
    first = int(query.get("from", "0")) if query.get("from", "0").isdigit() else 0
    last = _extent_down(tab)
    rows = []
    for row in range(first, min(last, first + _ROWS)):
        line = tab.rows[row]
        cells = "".join(_cell(book, tab, old, calculator, row, column) for column in columns)
        hidden = _class("hidden" if line.hidden else "")
        rows.append(f'<tr{hidden}><th class="row">{row + 1}</th>{cells}</tr>')
    more = f"<p>Rows {first + 1} to {first + len(rows)} of {last}." if last > _ROWS else ""
    if first + _ROWS < last:
        more += f' <a href="?gid={tab.id}&from={first + _ROWS}">The next ones</a>'
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>{more}"


def _extent_down(tab: Tab) -> int:
    filled = [row for row in range(len(tab.rows)) if tab.row_cells(row)]
    return min(max(filled, default=0) + 5, len(tab.rows))


def _extent_across(tab: Tab) -> int:
    filled = {id for row in range(len(tab.rows)) for id in tab.row_cells(row)}
    last = max((at for at, line in enumerate(tab.columns) if line.id in filled), default=0)
    return min(max(last + 3, 6), len(tab.columns))


def _cell(
    book: Book, tab: Tab, old: Tab | None, calculator: Calculator, row: int, column: int
) -> str:
    cell = tab.at(row, column)
    classes = ["hidden"] if tab.columns[column].hidden else []
    if cell.note:
        classes.append("note")
    if isinstance(calculator.effective(cell.value), float):
        classes.append("number")
    if old is not None and old.of(tab.rows[row].id, tab.columns[column].id) != cell:
        classes.append("new")
    title = f' title="{escape(cell.note, quote=True)}"' if cell.note else ""
    text = escape(_text(book, cell, calculator))
    return f"<td{_class(' '.join(classes))}{title}{_fill(cell)}>{text}</td>"


def _text(book: Book, cell: Cell, calculator: Calculator) -> str:
    try:
        return visible(book, cell, calculator.effective(cell.value))
    except ApiError as error:
        return error.message


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""


def _fill(cell: Cell) -> str:
    colour = (cell.format or {}).get("backgroundColor")
    bold = (cell.format or {}).get("textFormat", {}).get("bold")
    style = "font-weight:600;" if bold else ""
    if colour is not None:
        parts = (round(255 * float(colour.get(name, 0))) for name in ("red", "green", "blue"))
        style += f"background:rgb({','.join(map(str, parts))})"
    return f' style="{style}"' if style else ""
