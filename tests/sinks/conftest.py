"""A desk: a tracker in a workbook, refreshed by genesis and edited by people in turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from python_calamine import CalamineWorkbook

from genesis.compile.statement import Column
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.types import BOOLEAN, DATE, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

COLUMNS = (
    Column("id", "Id", STRING, key=True),
    Column("title", "Title", STRING),
    Column("start", "Start", DATE, "MM/dd/yyyy"),
    Column("budget", "Budget", Type("decimal", 18, 2), "$#,##0.00"),
    Column("late", "Late", BOOLEAN),
)
ARROW = {
    "string": pa.string(),
    "date": pa.date32(),
    "decimal": pa.decimal128(18, 2),
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}
TRACKER = Tracker(
    "production.refresh_production",
    Place(xlsx={"file": "trackers/production.xlsx", "tab": "Productions"}),
    COLUMNS,
    note="Productions\nKept by genesis",
)
Row = Mapping[str, Any]


@dataclass
class Desk:
    """One folder, one tracker."""

    folder: Path
    tracker: Tracker = TRACKER

    @property
    def path(self) -> Path:
        return self.folder / "trackers" / "production.xlsx"

    @property
    def sink(self) -> XlsxSink:
        return XlsxSink(self.folder)

    def set(self, **options: Any) -> None:
        self.tracker = replace(self.tracker, **options)

    def table(self, rows: Sequence[Row]) -> pa.Table:
        return pa.table(
            {
                column.name: pa.array([row[column.name] for row in rows], ARROW[column.type.name])
                for column in self.tracker.columns
            }
        )

    def changes(self, rows: Sequence[Row]) -> Changes:
        wanted = encode(self.table(rows), self.tracker)
        present = self.sink.read(self.tracker)
        return compare(wanted=wanted, present=present, policy=self.tracker.policy)

    def refresh(self, rows: Sequence[Row]) -> Receipt:
        return self.sink.apply(self.tracker, self.changes(rows))

    def sheet(self, tab: str = "Productions") -> Worksheet:
        return openpyxl.load_workbook(self.path)[tab]

    @contextmanager
    def person(self, tab: str = "Productions") -> Iterator[Worksheet]:
        """Someone opens the workbook, edits a tab and saves."""
        book = openpyxl.load_workbook(self.path)
        yield book[tab]
        book.save(self.path)

    def cells(self, tab: str = "Productions") -> list[list[Any]]:
        """All cells, as a program that is not ours reads them."""
        sheet = CalamineWorkbook.from_path(self.path).get_sheet_by_name(tab)
        return list(sheet.to_python(skip_empty_area=False))

    def shown(self, tab: str = "Productions") -> list[dict[str, Any]]:
        """The rows by header, without the hidden column."""
        header, *rows = self.cells(tab)
        return [
            {str(name): cell for name, cell in zip(header, row, strict=True) if name != "_genesis"}
            for row in rows
        ]


def film(key: str, **values: Any) -> Row:
    """A row of the report."""
    row = {
        "id": key,
        "title": f"Film {key}",
        "start": date(2026, 3, 1),
        "budget": Decimal("1000.50"),
        "late": False,
    }
    return {**row, **values}


def find(sheet: Worksheet, key: str, column: str = "A") -> int:
    """The row in which a key is shown."""
    return next(cell.row for cell in sheet[column] if cell.value == key)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def new_desk() -> type[Desk]:
    """For tests that need a desk for each of their examples."""
    return Desk


@pytest.fixture(scope="session", name="film")
def film_fixture() -> Any:
    return film


@pytest.fixture(scope="session", name="find")
def find_fixture() -> Any:
    return find
