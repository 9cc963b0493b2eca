"""A person at work in a tracker: a column of their own, a colour, an order of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NOTES = "My notes"
TEXTS = ("call the agent on Monday", "ask finance about the overrun", "location scout says yes ✓")
YELLOW = "FFFFF2CC"


@dataclass(frozen=True)
class Note:
    """What a person wrote beside a production, which is known to people by its code."""

    code: str
    text: str


def annotate(workbook: Path) -> list[Note]:
    """Write notes beside three productions, colour the first of them, and put its row on top."""
    from openpyxl import load_workbook
    from openpyxl.styles import PatternFill

    book = load_workbook(workbook)
    sheet = book.active
    if sheet is None:
        return []
    column = sheet.max_column + 1
    sheet.cell(1, column, NOTES)
    rows = [row for row in range(2, sheet.max_row + 1) if sheet.cell(row, 1).value]
    chosen = [rows[len(rows) * part // 4] for part in (1, 2, 3)]
    notes = []
    for row, text in zip(chosen, TEXTS, strict=True):
        sheet.cell(row, column, text)
        notes.append(Note(str(sheet.cell(row, 1).value), text))
    for cell in sheet[chosen[0]]:
        cell.fill = PatternFill("solid", fgColor=YELLOW)
    _swap_rows(sheet, 2, chosen[0])
    book.save(workbook)
    return notes


def _swap_rows(sheet: object, one: int, other: int) -> None:
    from copy import copy

    for left, right in zip(sheet[one], sheet[other], strict=True):  # type: ignore[index]
        left.value, right.value = right.value, left.value
        left.fill, right.fill = copy(right.fill), copy(left.fill)


def notes_in(workbook: Path) -> list[Note]:
    """The notes that stand in a tracker, each with the production it stands beside."""
    from openpyxl import load_workbook

    if not workbook.exists():
        return []
    sheet = load_workbook(workbook).active
    if sheet is None:
        return []
    header = [cell.value for cell in sheet[1]]
    if NOTES not in header:
        return []
    code, notes = header.index("Code"), header.index(NOTES)
    found = [(row[code].value, row[notes].value) for row in sheet.iter_rows(min_row=2)]
    return [Note(str(production), str(text)) for production, text in found if text]
