"""People and data change the same workbook in turns, at random, and nobody's work is lost.

Each round one person does to the sheet what people do, the data changes, genesis refreshes, and
what a reader that is not ours then sees is held against a plain account of who wrote what.
"""

from __future__ import annotations

import tempfile
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.worksheet.worksheet import Worksheet

KEYS = "abcdefgh"
LABELS = {"id": "Id", "title": "Title", "start": "Start", "budget": "Budget", "late": "Late"}
DEEDS = (
    "sort", "sort visible", "note", "colour", "comment", "formula", "edit", "delete row", "copy row",
    "own row", "own column", "rename header", "move column", "title above",
)  # fmt: skip


@dataclass
class Account:
    """What is known without looking at the file: the report, and what people did to whom."""

    report: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    notes: dict[str, str] = field(default_factory=dict)
    colours: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    formulas: set[str] = field(default_factory=set)
    edited: set[str] = field(default_factory=set)
    own: list[str] = field(default_factory=list)
    others: int = 0

    def forget(self, key: str) -> None:
        """A row that is deleted takes all that was on it along."""
        for memory in (self.notes, self.colours, self.comments):
            memory.pop(key, None)
        self.formulas.discard(key)


@dataclass
class Grid:
    """A sheet in a person's hands: whole rows and columns are moved as Excel moves them."""

    sheet: Worksheet

    @property
    def header(self) -> int:
        return next(c.row for row in self.sheet.iter_rows() for c in row if c.value == "_genesis")

    @property
    def columns(self) -> dict[str, int]:
        return {str(c.value): c.column for c in self.sheet[self.header] if c.value is not None}

    def keys(self, account: Account) -> dict[str, int]:
        """The rows that genesis keeps, by the key that they show."""
        column, title = (self.columns[account.headers[name]] for name in ("id", "title"))
        rows = range(self.header + 1, self.sheet.max_row + 1)
        keys: dict[str, int] = {}
        for row in filter(self.is_managed, rows):
            is_copy = str(self.sheet.cell(row, title).value).startswith("copy")
            if not is_copy:
                keys[str(self.sheet.cell(row, column).value)] = row
        return keys

    def is_managed(self, row: int) -> bool:
        return self.sheet.cell(row, self.columns["_genesis"]).value is not None

    def lines(self) -> list[list[tuple[Any, Any, Any]]]:
        return [
            [(c.value, copy(c._style), c.comment and c.comment.text) for c in row]
            for row in self.sheet.iter_rows(min_row=1)
        ]

    def rewrite(self, lines: list[list[tuple[Any, Any, Any]]]) -> None:
        """Put the cells down anew; a formula goes on referring to its own row."""
        for row in self.sheet.iter_rows():
            for cell in row:
                cell.value, cell.comment = None, None
        for number, line in enumerate(lines, 1):
            for column, (value, style, comment) in enumerate(line, 1):
                cell = self.sheet.cell(number, column)
                cell._style = style
                is_formula = isinstance(value, str) and value.startswith("=ROW(")
                cell.value = f"=ROW(A{number})" if is_formula else value
                if isinstance(value, str) and not is_formula:
                    cell.data_type = "s"
                cell.comment = Comment(comment, "Ann") if comment else None


def act(deed: str, account: Account, sheet: Worksheet, data: st.DataObject) -> None:
    """One thing that a person does."""
    grid = Grid(sheet)
    top = grid.header
    lines = grid.lines()
    body = lines[top:]
    rows = grid.keys(account)
    key = data.draw(st.sampled_from(sorted(rows)), label="key") if rows else None
    row = rows.get(key or "", 0)
    match deed:
        case "sort":
            grid.rewrite([*lines[:top], *data.draw(st.permutations(body))])
        case "sort visible":
            managed = [at for at, _ in enumerate(body) if grid.is_managed(top + 1 + at)]
            order = dict(zip(managed, data.draw(st.permutations(managed)), strict=True))
            hidden = grid.columns["_genesis"] - 1
            new = [
                [
                    *body[order.get(at, at)][:hidden],
                    line[hidden],
                    *body[order.get(at, at)][hidden + 1 :],
                ]
                for at, line in enumerate(body)
            ]
            grid.rewrite([*lines[:top], *new])
        case "note" if key and "Notes" in grid.columns:
            account.notes[key] = f"note on {key} {data.draw(st.integers(0, 9))}"
            sheet.cell(row, grid.columns["Notes"], account.notes[key])
        case "colour" if key:
            account.colours[key] = data.draw(st.sampled_from(["00FF0000", "0000FF00"]))
            cell = sheet.cell(row, grid.columns[account.headers["title"]])
            cell.fill = PatternFill("solid", fgColor=account.colours[key])
        case "comment" if key:
            account.comments[key] = f"about {key}"
            cell = sheet.cell(row, grid.columns[account.headers["start"]])
            cell.comment = Comment(account.comments[key], "Ann")
        case "formula" if key and "Row" in grid.columns:
            sheet.cell(row, grid.columns["Row"], f"=ROW(A{row})")
            account.formulas.add(key)
        case "edit" if key and account.headers["budget"] == LABELS["budget"]:
            column = grid.columns[account.headers["budget"]]
            sheet.cell(row, column, -1)
            account.edited.add(key)
        case "delete row" if key and len(rows) > 1:
            grid.rewrite(
                [*lines[: row - 1], *lines[row:], [(None, s, None) for _, s, _ in lines[0]]]
            )
            account.forget(key)
            account.edited.discard(key)
        case "copy row" if key and key not in account.edited and not account.own:
            # The copy's own text tells it from the row that it was taken from.
            copied = [(value, style, None) for value, style, _ in lines[row - 1]]
            title = grid.columns[account.headers["title"]] - 1
            copied[title] = (f"copy of {key}", copied[title][1], None)
            for name in ("Notes", "Row"):
                if name in grid.columns:
                    at = grid.columns[name] - 1
                    copied[at] = (None, copied[at][1], None)
            account.own.append(f"copy of {key}")
            grid.rewrite([*lines, copied])
        case "own row" if len(account.own) < 2:
            text = f"own row {len(account.own)}"
            account.own.append(text)
            place = data.draw(st.integers(top, len(lines)))
            blank = [(None, style, None) for _, style, _ in lines[0]]
            blank[grid.columns[account.headers["title"]] - 1] = (text, blank[0][1], None)
            grid.rewrite([*lines[:place], blank, *lines[place:]])
        case "own column" if account.others < 3:
            name = ("Notes", "Row", "Other")[account.others]
            account.others += 1
            place = data.draw(st.integers(0, len(lines[0])))
            grid.rewrite(
                [[*line[:place], (None, line[0][1], None), *line[place:]] for line in lines]
            )
            sheet.cell(top, place + 1, name)
        case "rename header":
            # A column whose header and content changed at once is nobody's that could be told.
            known = ["title", "start"] if account.edited else ["title", "start", "budget"]
            name = data.draw(st.sampled_from(known))
            column = grid.columns[account.headers[name]]
            account.headers[name] = f"Our {name}"
            sheet.cell(top, column, account.headers[name])
        case "move column":
            order = data.draw(st.permutations(range(len(lines[0]))))
            grid.rewrite([[line[at] for at in order] for line in lines])
        case "title above" if top == 1:
            blank = [(None, style, None) for _, style, _ in lines[0]]
            grid.rewrite([[("Season", lines[0][0][1], None), *blank[1:]], *lines])


def check(desk: Any, account: Account) -> None:
    """What stands in the file against the account."""
    sheet = desk.sheet()
    grid = Grid(sheet)
    cells = desk.cells()
    top, columns = grid.header, grid.columns
    seen = {}
    for number, line in enumerate(cells[top:], top + 1):
        row = {name: line[column - 1] for name, column in columns.items()}
        if row["_genesis"] != "":
            seen[row[account.headers["id"]]] = (number, row)
    assert set(seen) == set(account.report)
    for key, (number, row) in seen.items():
        for name, value in account.report[key].items():
            assert row[account.headers[name]] == ("" if value is None else value), (key, name)
        if "Notes" in columns:
            assert row["Notes"] == account.notes.get(key, "")
        if "Row" in columns:
            formula = f"=ROW(A{number})" if key in account.formulas else None
            assert sheet.cell(number, columns["Row"]).value == formula
        title = sheet.cell(number, columns[account.headers["title"]])
        colour = title.fill.fgColor.rgb if title.fill.fill_type else None
        assert colour == account.colours.get(key)
        comment = sheet.cell(number, columns[account.headers["start"]]).comment
        assert (comment.text if comment else None) == account.comments.get(key)
    titles = [line[columns[account.headers["title"]] - 1] for line in cells[top:]]
    assert all(titles.count(text) == 1 for text in account.own)


@st.composite
def reports(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    keys = draw(st.lists(st.sampled_from(KEYS), unique=True, min_size=1))
    return {
        key: {
            "id": key,
            "title": f"Film {key}{draw(st.integers(0, 1))}",
            "start": draw(st.sampled_from([None, date(2026, 1, 1)]))
            or date(2026, 2, 1) + timedelta(days=ord(key)),
            "budget": float(draw(st.sampled_from([Decimal("1000.50"), Decimal(7)]))),
            "late": draw(st.booleans()),
        }
        for key in keys
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data(), st.sampled_from(["stable", "query"]))
def test_nobody_s_work_is_lost(new_desk: Any, data: st.DataObject, order: str) -> None:
    """Through any rounds of people's deeds, changes of the data and refreshes."""
    with tempfile.TemporaryDirectory() as folder:
        desk = new_desk(Path(folder))
        desk.set(order=order)
        account = Account()
        for _ in range(3):
            newer = data.draw(reports(), label="report")
            for key in set(account.report) - set(newer):
                account.forget(key)
            for key in account.edited & set(newer):
                newer[key]["budget"] = account.report[key]["budget"]
            edited = {key for key in account.edited if key in newer}
            account.report, account.edited = newer, set()
            rows = [{**row, "budget": Decimal(str(row["budget"]))} for row in newer.values()]
            receipt = desk.refresh(rows)
            assert {(edit.key, edit.column) for edit in receipt.human_edits} == {
                (key, "budget") for key in edited
            }
            check(desk, account)
            assert desk.refresh(rows).writes == 0
            with desk.person() as sheet:
                deeds = data.draw(st.lists(st.sampled_from(DEEDS), max_size=4), label="deeds")
                if "sort visible" in deeds:  # who deletes a row then, deletes another row's key
                    deeds = [deed for deed in deeds if deed != "delete row"]
                # Which of a row and its copy is which, the next refresh says: so copies come last.
                for deed in sorted(deeds, key="copy row".__eq__):
                    act(deed, account, sheet, data)
