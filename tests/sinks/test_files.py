"""Exports: what is particular to CSV, Parquet and DuckDB."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genesis.compile.statement import Column
from genesis.errors import SinkBusy, SinkError
from genesis.sinks.files import CsvSink, DuckDBSink, ParquetSink
from genesis.spec.types import FLOAT, INTEGER, STRING, TIMESTAMPTZ, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

ID = Column("id", "Id", STRING, key=True)
TEXT = Column("text", "Text", STRING)
CSV = Place(csv={"file": "t.csv"})
PARQUET = Place(parquet={"file": "t.parquet"})
DUCKDB = Place(duckdb={"file": "t.duckdb", "table": "exports.films"})
SINKS = {"csv": CsvSink, "parquet": ParquetSink, "duckdb": DuckDBSink}


def refresh(folder: Path, place: Place, columns: Sequence[Column], rows: dict[str, Any]) -> Receipt:
    tracker = Tracker("w.j", place, tuple(columns), timezone="Europe/Oslo")
    sink = SINKS[place.sink](folder)
    wanted = encode(pa.table(rows), tracker)
    changes = compare(wanted=wanted, present=sink.read(tracker), policy=tracker.policy)
    return sink.apply(tracker, changes)


def test_csv_is_plain(tmp_path: Path) -> None:
    """UTF-8, a line a row, quotes where they are needed, instants with their offset."""
    at = Column("at", "At", TIMESTAMPTZ)
    rows = {
        "id": ["Ærø", 'a,"b"', "c\nd"],
        "at": [datetime(2026, 7, 1, 22, tzinfo=UTC), None, None],
    }
    refresh(tmp_path, CSV, [ID, at], rows)
    assert (tmp_path / "t.csv").read_bytes().decode() == (
        'Id,At\nÆrø,2026-07-02 00:00:00+02:00\n"a,""b""",\n"c\nd",\n'
    )
    assert refresh(tmp_path, CSV, [ID, at], rows).writes == 0


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "'=1"]
)
def test_no_text_of_a_csv_is_a_formula(tmp_path: Path, text: str) -> None:
    """Also where it is the key, and then still known in the next refresh."""
    rows = {"id": [text, f"{text}2"], "text": [text, "plain"]}
    refresh(tmp_path, CSV, [ID, TEXT], rows)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as lines:
        _, first, _ = csv.reader(lines)
    assert first == [f"'{text}", f"'{text}"]
    receipt = refresh(tmp_path, CSV, [ID, TEXT], {**rows, "text": [text, "other"]})
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (0, 1, 0)


def test_negative_numbers_are_no_formulas(tmp_path: Path) -> None:
    """They stay numbers for whoever computes with them."""
    refresh(tmp_path, CSV, [ID, Column("n", "N", INTEGER)], {"id": ["a"], "n": [-5]})
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "a,-5"


def test_a_csv_that_someone_edited(tmp_path: Path) -> None:
    """Is the report again after the next refresh, which counts what it did."""
    rows = {"id": ["a", "b", "c"], "text": ["x", "y", "z"]}
    refresh(tmp_path, CSV, [ID, TEXT], rows)
    (tmp_path / "t.csv").write_text("Text,Id,Mine\nx,a,1\nnew,b\n,,\ny,b,2\n")
    receipt = refresh(tmp_path, CSV, [ID, TEXT], rows)
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (1, 1, 2)
    assert (tmp_path / "t.csv").read_text() == "Id,Text\na,x\nb,y\nc,z\n"


def test_parquet_has_the_report_s_types(tmp_path: Path) -> None:
    """Sums that outgrow 64 bits, lists, and what is no number."""
    columns = [
        ID,
        Column("n", "N", INTEGER),
        Column("x", "X", FLOAT),
        Column("tags", "Tags", Type("array", item=STRING)),
        Column("at", "At", TIMESTAMPTZ),
    ]
    big = pa.array([2**70, 1], pa.decimal128(38, 0))
    at = pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC"))
    rows = {"id": ["a", "b"], "n": big, "x": [float("nan"), 0.5], "tags": [["x"], None], "at": at}
    refresh(tmp_path, PARQUET, columns, rows)
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.column_names == ["id", "n", "x", "tags", "at"]
    assert table.column("n").to_pylist() == [2**70, 1]
    assert table.column("tags").to_pylist() == [["x"], None]
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert refresh(tmp_path, PARQUET, columns, rows).writes == 0


def test_a_value_that_does_not_fit_its_type(tmp_path: Path) -> None:
    """Is told with its column."""
    column = Column("n", "N", Type("decimal", 4, 2))
    with pytest.raises(SinkError, match=r"column `n` holds a value that is no decimal\(4,2\)"):
        refresh(tmp_path, PARQUET, [ID, column], {"id": ["a"], "n": ["many"]})
    assert not (tmp_path / "t.parquet").exists()


def test_other_tables_of_a_database_stay(tmp_path: Path) -> None:
    """The tracker is one table, in a schema that is made if need be."""
    with duckdb.connect(tmp_path / "t.duckdb") as duck:
        duck.execute("create table mine as select 1 as n")
    refresh(tmp_path, DUCKDB, [ID], {"id": ["a"]})
    refresh(tmp_path, DUCKDB, [ID], {"id": ["b"]})
    with duckdb.connect(tmp_path / "t.duckdb", read_only=True) as duck:
        assert duck.sql("select n from mine").fetchall() == [(1,)]
        assert duck.sql("select id from exports.films").fetchall() == [("b",)]


def test_a_database_that_another_process_holds(tmp_path: Path) -> None:
    """It passes by itself."""
    refresh(tmp_path, DUCKDB, [ID], {"id": ["a"]})
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    command = [sys.executable, "-c", hold, str(tmp_path / "t.duckdb")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SinkBusy, match="tracker-locked") as busy:
            refresh(tmp_path, DUCKDB, [ID], {"id": ["b"]})
        holder.communicate("\n")
    assert busy.value.exit_code == 75
    assert refresh(tmp_path, DUCKDB, [ID], {"id": ["b"]}).updated == 0


def test_a_database_that_this_process_holds(tmp_path: Path) -> None:
    """The same, where two connections want different things of one file."""
    refresh(tmp_path, DUCKDB, [ID], {"id": ["a"]})
    with duckdb.connect(tmp_path / "t.duckdb"), pytest.raises(SinkBusy, match="tracker-locked"):
        refresh(tmp_path, DUCKDB, [ID], {"id": ["b"]})


@pytest.mark.parametrize("place", [CSV, PARQUET], ids=lambda place: place.sink)
def test_the_same_report_gives_the_same_bytes(tmp_path: Path, place: Place) -> None:
    """Whatever was there before."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    refresh(tmp_path / "one", place, [ID], {"id": ["x", "a"]})
    for folder in ("one", "two"):
        refresh(tmp_path / folder, place, [ID], {"id": ["a", "b"]})
    one, two = (next((tmp_path / folder).iterdir()).read_bytes() for folder in ("one", "two"))
    assert one == two
