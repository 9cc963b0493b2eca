"""The cells of one tab, by row and column.

A cell keeps its XML element, and with it its style and everything a program put there, wherever
its row or column goes. The surprise: a date is a number in a workbook, and only its number format
says that it is a date; which numbers are dates, the report's columns know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from xml.etree.ElementTree import Element

from openpyxl.formula.translate import Translator, TranslatorError
from openpyxl.utils import column_index_from_string, get_column_letter

from genesis.sinks.workbook.package import NotAWorkbook, child_of
from genesis.sinks.workbook.references import Axis
from genesis.sync.changes import Cell, Formula

_EPOCH = datetime.fromisoformat("1899-12-30")  # without a zone, of which a workbook knows nothing
_EPOCH_1904 = datetime.fromisoformat("1904-01-01")
_MIDNIGHT = time()
_DAY = 86_400_000  # milliseconds, which is as far as a serial number is exact


@dataclass(slots=True)
class Line:
    """A row: its element without cells, and its cells by column."""

    element: Element
    cells: dict[int, Element]


class Tab:
    """One worksheet. What is changed here reaches the sheet's XML with `write_back`."""

    def __init__(self, root: Element, texts: Callable[[int], str], *, is_1904: bool) -> None:
        self.root = root
        self._texts = texts
        self._epoch = _EPOCH_1904 if is_1904 else _EPOCH
        data = root.find("sheetData")
        if data is None:
            raise NotAWorkbook("a tab is no worksheet")
        self._data = data
        self.rows = dict(_lines(data))

    @property
    def last_row(self) -> int:
        return max(self.rows, default=0)

    @property
    def last_column(self) -> int:
        return max((max(line.cells, default=0) for line in self.rows.values()), default=0)

    # ---- reading

    def value(self, row: int, column: int) -> Cell:
        """What a cell holds; a date is a number still."""
        element = self.cell(row, column)
        return None if element is None else self.value_of(element)

    def value_of(self, element: Element) -> Cell:
        text = formula = inline = None
        for child in element:
            match child.tag:
                case "v":
                    text = child.text
                case "f":
                    formula = f"={child.text or ''}"
                case "is":
                    inline = text_of(child)
        if formula is not None:
            return Formula(formula)
        match element.get("t", "n"):
            case "inlineStr":
                return inline or None
            case _ if text is None:
                return None
            case "s":
                return self._texts(int(text)) or None
            case "b":
                return text == "1"
            case "str":
                return unescape(text) or None
            case "n":
                return float(text) if "." in text or "e" in text or "E" in text else int(text)
            case "d":
                return datetime.fromisoformat(text)
            case _:
                return Formula(text)  # an error

    def moment(self, serial: float) -> date | datetime | None:
        """The day or moment that a number stands for, or `None` where it is none."""
        try:
            if isinstance(serial, int):
                return date.fromordinal(self._epoch.toordinal() + serial)
            days, fraction = divmod(serial, 1)
            at = self._epoch + timedelta(days=days, milliseconds=round(fraction * _DAY))
        except (OverflowError, ValueError):
            return None
        return at.date() if at.time() == _MIDNIGHT else at

    # ---- writing

    def cell(self, row: int, column: int) -> Element | None:
        """The element of a cell."""
        line = self.rows.get(row)
        return line.cells.get(column) if line else None

    def put(self, row: int, column: int, cell: Cell) -> None:
        """Write a value; the cell keeps its style, and what is left empty is not made."""
        element = self.cell(row, column)
        if element is None:
            if cell is None:
                return
            element = self.line(row).cells[column] = Element("c")
        element[:] = [child for child in element if child.tag not in ("v", "f", "is")]
        for attribute in ("t", "cm", "vm"):  # of a formula that spilled, a picture in the cell
            element.attrib.pop(attribute, None)
        if cell is not None:
            self._fill(element, cell)

    def line(self, row: int) -> Line:
        """A row, made if need be."""
        return self.rows.setdefault(row, Line(Element("row"), {}))

    def _fill(self, element: Element, cell: Cell) -> None:
        match cell:
            case bool():
                kind, text = "b", str(int(cell))
            case int() | float():
                kind, text = "n", repr(cell)
            case datetime() | date() | time():
                kind, text = "n", repr(self.serial(cell))
            case str():
                element.set("t", "inlineStr")
                inline = child_of(child_of(element, "is"), "t")
                inline.text = escape(cell)
                if cell != cell.strip() or "\n" in cell:
                    inline.set("xml:space", "preserve")
                return
            case _:
                raise TypeError(f"no cell holds {cell!r}")
        if kind != "n":
            element.set("t", kind)
        child_of(element, "v").text = text

    def serial(self, value: date | datetime | time) -> int | float:
        """The number that stands for a day, a moment or a time of day."""
        if isinstance(value, time):
            return _milliseconds(value) / _DAY
        if not isinstance(value, datetime):
            return (value - self._epoch.date()).days
        days, part = (value.date() - self._epoch.date()).days, _milliseconds(value.time())
        return days + part / _DAY if part else days

    # ---- moving

    def rearrange(self, rows: Axis, columns: Axis) -> None:
        """Give every row and column its new place; those that are gone take their cells along."""
        self.rows = {
            new: Line(
                line.element,
                {
                    to: cell
                    for column, cell in line.cells.items()
                    if (to := columns.of(column)) is not None
                },
            )
            for row, line in self.rows.items()
            if (new := rows.of(row)) is not None
        }

    def formulas(self) -> Iterator[tuple[int, Element]]:
        """The `f` element of every cell that has one, with its row."""
        for row, line in self.rows.items():
            for cell in line.cells.values():
                for formula in cell.findall("f"):
                    yield row, formula

    def write_back(self) -> None:
        """Bring the sheet's XML up to date."""
        for row, line in sorted(self.rows.items()):
            line.element.set("r", str(row))
            line.element.attrib.pop("spans", None)  # a hint that may be wrong now
            line.element[:] = [line.cells[column] for column in sorted(line.cells)]
            for column, cell in line.cells.items():
                cell.set("r", f"{get_column_letter(column)}{row}")
        self._data[:] = [line.element for _, line in sorted(self.rows.items())]
        dimension = self.root.find("dimension")
        if dimension is not None:  # a hint too
            self.root.remove(dimension)


def expand_shared(root: Element) -> None:
    """Write out formulas that are told by their distance from another, so that each can move."""
    masters: dict[str, Translator] = {}
    for cell in root.iter("c"):
        formula = cell.find("f")
        if formula is None or formula.get("t") != "shared":
            continue
        index, at = formula.get("si", ""), cell.get("r", "A1")
        if formula.text:
            masters[index] = Translator(f"={formula.text}", at)
        elif index in masters:
            try:
                formula.text = masters[index].translate_formula(at)[1:]
            except TranslatorError:
                formula.text = "#REF!"
        for attribute in ("t", "si", "ref"):
            formula.attrib.pop(attribute, None)


def _lines(data: Element) -> Iterator[tuple[int, Line]]:
    row = 0
    for element in data:
        row = int(element.get("r") or row + 1)
        cells: dict[int, Element] = {}
        column = 0
        for cell in element.findall("c"):
            at = cell.get("r")
            column = _column_of(at.rstrip("0123456789")) if at else column + 1
            cells[column] = cell
        yield row, Line(element, cells)


@lru_cache(maxsize=20_000)
def _column_of(letters: str) -> int:
    return column_index_from_string(letters)


def _milliseconds(value: time) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 1000 + value.microsecond // 1000


def text_of(element: Element) -> str:
    """The text of a string item, its differently formatted runs joined."""
    runs = (
        run.findtext("t") or "" if run.tag == "r" else run.text or ""
        for run in element
        if run.tag in ("t", "r")
    )
    return unescape("".join(runs))


_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


def unescape(text: str) -> str:
    """Text as people see it: a workbook writes some characters as `_x000D_`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def escape(text: str) -> str:
    """Text so that what merely looks like such a character is not taken for one."""
    return _LOOKS_ESCAPED.sub("_x005F_", text) if "_x" in text else text
