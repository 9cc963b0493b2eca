"""What a report's values become in each kind of place."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from genesis.compile.statement import Column
from genesis.errors import SinkError
from genesis.spec.types import INTEGER, STRING
from genesis.spec.workflow import Place
from genesis.sync.changes import Reject, Tracker, WantedRow
from genesis.sync.encode import ENCODINGS, Unfit, encode, guarded, unguarded

XLSX = Place(xlsx={"file": "t.xlsx"})
CSV = Place(csv={"file": "t.csv"})
COLUMNS = (Column("id", "Id", STRING, key=True), Column("text", "Text", STRING))
OSLO = Tracker("w.j", XLSX, COLUMNS, timezone="Europe/Oslo").zone

WALL_CLOCK = datetime.fromisoformat("2026-03-01T09:00")

CASES: list[tuple[Any, Any, Any]] = [
    # value, in a workbook, in CSV
    ("0012", "0012", "0012"),
    ("", None, None),
    (None, None, None),
    (True, True, "true"),
    (17, 17, "17"),
    (10**15 - 1, 10**15 - 1, "999999999999999"),
    (10**15, "1000000000000000", "1000000000000000"),
    (-(10**15), "-1000000000000000", "-1000000000000000"),
    (0.1, 0.1, "0.1"),
    (Decimal("1234.50"), 1234.5, "1234.50"),
    (Decimal("5.00"), 5, "5.00"),
    (Decimal("1.500000000000000000"), 1.5, "1.500000000000000000"),
    (Decimal("1234567890123.456"), "1234567890123.456", "1234567890123.456"),
    (Decimal("0.00000000000000012"), 1.2e-16, "0.00000000000000012"),
    (date(2026, 3, 1), date(2026, 3, 1), "2026-03-01"),
    (date(1895, 12, 28), "1895-12-28", "1895-12-28"),
    (time(9, 30, 1, 500_999), time(9, 30, 1, 500_000), "09:30:01.500999"),
    (WALL_CLOCK, WALL_CLOCK, "2026-03-01 09:00:00"),
    (
        datetime(2026, 7, 1, 22, 30, 0, 1234, tzinfo=UTC),
        datetime.fromisoformat("2026-07-02T00:30:00.001"),
        "2026-07-02 00:30:00.001234+02:00",
    ),
    (["a", "b"], '["a", "b"]', '["a", "b"]'),
    ([Decimal("1.5"), None], '["1.5", null]', '["1.5", null]'),
    ({"on": date(2026, 3, 1)}, '{"on": "2026-03-01"}', '{"on": "2026-03-01"}'),
    ("=1+1", "=1+1", "'=1+1"),
    ("+47 22 33", "+47 22 33", "'+47 22 33"),
    ("-", "-", "'-"),
    ("@me", "@me", "'@me"),
    ("#N/A", "#N/A", "#N/A"),
    ("a\r\nb\rc", "a\nb\nc", "a\r\nb\rc"),
    ("x" * 32_767, "x" * 32_767, "x" * 32_767),
]


@pytest.mark.parametrize(("value", "workbook", "text"), CASES, ids=lambda case: repr(case)[:30])
def test_values(value: Any, workbook: Any, text: Any) -> None:
    """The table of values, one line a case."""
    cell = ENCODINGS["xlsx"].cell(value, OSLO)
    assert (cell, type(cell)) == (workbook, type(workbook))
    assert ENCODINGS["csv"].cell(value, OSLO) == text


@pytest.mark.parametrize("sink", ["parquet", "duckdb"])
def test_typed_places_hold_values_as_they_are(sink: str) -> None:
    """Lists become tuples, instants UTC, and the one NaN equals itself."""
    cell = ENCODINGS[sink].cell
    local = datetime(2026, 7, 2, 0, 30, tzinfo=OSLO)
    assert cell([["a"], None], OSLO) == (("a",), None)
    assert cell(local, OSLO) == local
    assert cell(local, OSLO).tzinfo is UTC  # type: ignore[union-attr]
    assert cell(float("nan"), OSLO) is math.nan
    assert cell("", OSLO) == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN")])
@pytest.mark.parametrize("sink", ["xlsx", "csv"])
def test_what_is_no_number_is_left_empty_and_told(value: Any, sink: str) -> None:
    """The row lands all the same."""
    cell = ENCODINGS[sink].cell(value, OSLO)
    assert isinstance(cell, Unfit)
    assert cell.refused == "value"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\x0bb", "U+000B"),
        ("a\uffff", "U+FFFF"),
        ("x" * 32_768, "32,768"),
        ("😀" * 16_384, "32,768"),  # Excel counts UTF-16 units
    ],
)
def test_text_that_a_workbook_cannot_hold_refuses_its_row(text: str, reason: str) -> None:
    """The others land; nothing is cut off in silence."""
    tracker = Tracker("w.j", XLSX, COLUMNS)
    wanted = encode(pa.table({"id": ["a", "b"], "text": [text, "fine"]}), tracker)
    assert wanted.rows == (WantedRow("b", ("b", "fine")),)
    assert wanted.refused == {"a"}
    (reject,) = wanted.rejects
    assert (reject.key, reject.column, reject.refused) == ("a", "text", "row")
    assert reason in reject.reason


@pytest.mark.parametrize("text", ["=1", "'=1", "''+2", "'tis", "plain", "-5", "\tx", "'"])
def test_guarded_text_can_be_read_back(text: str) -> None:
    """Keys are read back from CSV, so two texts never share a spelling."""
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["=1", "'=1", "''+2", "-5", "@x", "\tx", "\rx"])
def test_guarded_text_is_no_formula(text: str) -> None:
    """A spreadsheet takes what starts with a quote for text."""
    assert guarded(text).startswith("'")


def test_keys_that_are_missing_or_repeat_are_refused() -> None:
    """Both are told at once, each with the keys."""
    rows = pa.table({"id": ["a", None, "a", "b"], "text": ["", "", "", ""]})
    with pytest.raises(SinkError) as refused:
        encode(rows, Tracker("w.j", XLSX, COLUMNS))
    told = "\n".join(str(problem) for problem in refused.value.problems)
    assert "1 of 4 rows of tracker `w.j` have no key" in told
    assert "keys of tracker `w.j` repeat: `a`" in told
    assert {problem.code for problem in refused.value.problems} == {"wrong-keys"}


def test_the_null_group_of_a_summary_has_a_key() -> None:
    """NULL is a group of its own there."""
    tracker = Tracker("w.j", XLSX, COLUMNS, is_summary=True)
    wanted = encode(pa.table({"id": ["a", None], "text": ["x", "y"]}), tracker)
    assert [row.key for row in wanted.rows] == ["a", "null"]


def test_replaced_rows_go_by_their_number() -> None:
    """`mode: replace` asks nothing of the data."""
    tracker = Tracker("w.j", XLSX, COLUMNS, mode="replace")
    wanted = encode(pa.table({"id": ["a", None, "a"], "text": ["", "", ""]}), tracker)
    assert [row.key for row in wanted.rows] == ["1", "2", "3"]


def test_hidden_keys_are_not_shown_to_people() -> None:
    """A workbook keeps them in its hidden column, a file has no other place for them."""
    columns = (
        Column("name", "Name", STRING),
        Column("_key_id", "Id", INTEGER, key=True, hidden=True),
    )
    rows = pa.table({"name": ["Ann"], "_key_id": [7]})
    assert encode(rows, Tracker("w.j", XLSX, columns)).rows == (WantedRow("7", ("Ann",)),)
    assert encode(rows, Tracker("w.j", CSV, columns)).rows == (WantedRow("7", ("Ann", "7")),)


def test_a_report_without_keys_is_one_row() -> None:
    """Totals have nothing to be told apart by."""
    tracker = Tracker("w.j", XLSX, (Column("n", "N", INTEGER),), is_summary=True)
    assert encode(pa.table({"n": [3]}), tracker).rows == (WantedRow("total", (3,)),)


def test_rejects_are_told_by_key() -> None:
    """A receipt says which row, which column and why."""
    tracker = Tracker("w.j", XLSX, (*COLUMNS[:1], Column("n", "N", INTEGER)))
    wanted = encode(pa.table({"id": ["a"], "n": [math.nan]}), tracker)
    assert wanted.rows == (WantedRow("a", ("a", None)),)
    assert wanted.rejects == (
        Reject("a", "n", "nan is no number that a cell can hold, the cell is left empty", "value"),
    )
