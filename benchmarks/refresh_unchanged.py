"""What a refresh of an unchanged workbook costs, against merely loading it with openpyxl.

    python benchmarks/refresh_unchanged.py

Most refreshes change nothing, so this is what a tracker costs through the day. Each figure is the
CPU time of the best of three; `unchanged` encodes, reads and compares, and writes nothing.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa

from genesis.compile.statement import Column
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.types import BOOLEAN, DATE, FLOAT, INTEGER, STRING, TIMESTAMPTZ, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Changes, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, check_guards

TYPES = (STRING, INTEGER, Type("decimal", 18, 2), DATE, BOOLEAN, FLOAT, TIMESTAMPTZ)
WIDTH = 20
SIZES = (1_000, 5_000, 9_900)  # rows; the last fills the budget of 200,000 cells
RUNS = 3

COLUMNS = (
    Column("id", "Id", STRING, key=True),
    *(Column(f"c{at}", f"Column {at}", TYPES[at % len(TYPES)]) for at in range(1, WIDTH)),
)


def value(kind: str, row: int, changed: bool) -> object:
    match kind:
        case "string":
            return f"Some text of row {row}{'!' if changed else ''}"
        case "integer":
            return row * 7
        case "decimal":
            return Decimal(row) + Decimal("0.25")
        case "date":
            return date(2026, 1, 1) + timedelta(days=row % 1000)
        case "boolean":
            return row % 3 == 0
        case "float":
            return row / 7
        case _:
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=row)


def report(rows: int, *, changed: int = 0) -> pa.Table:
    """Mixed types; the texts of the first `changed` rows are others."""
    columns: dict[str, list[object]] = {"id": [f"K{row:06}" for row in range(rows)]}
    for column in COLUMNS[1:]:
        kind = column.type.name
        columns[column.name] = [value(kind, row, row < changed) for row in range(rows)]
    return pa.table(columns)


def plan(sink: XlsxSink, tracker: Tracker, rows: pa.Table) -> Changes:
    wanted = encode(rows, tracker)
    changes = compare(wanted=wanted, present=sink.read(tracker), policy=tracker.policy)
    check_guards(changes, Guards(max_cells=200_000))
    return changes


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of a few runs: other work on the machine does not count."""
    times = []
    for _ in range(RUNS):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    print(f"{'cells':>8} {'openpyxl load':>14} {'unchanged':>10} {'ratio':>6} {'1 % changed':>12}")
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            place = Place(xlsx={"file": "t.xlsx", "tab": "T"})
            tracker = Tracker("benchmark.job", place, COLUMNS, note="a note")
            sink = XlsxSink(Path(folder))
            table = report(rows)
            sink.apply(tracker, plan(sink, tracker, table))
            path = Path(folder) / "t.xlsx"
            load = best(lambda path=path: openpyxl.load_workbook(path))  # type: ignore[misc]
            unchanged = best(lambda: plan(sink, tracker, table))  # noqa: B023
            assert plan(sink, tracker, table).is_empty
            states = iter([report(rows, changed=rows // 100 * at) for at in range(1, RUNS + 1)])
            changed = best(lambda: sink.apply(tracker, plan(sink, tracker, next(states))))  # noqa: B023
        cells = (rows + 1) * WIDTH
        ratio = unchanged / load
        print(f"{cells:>8,} {load:>12.2f} s {unchanged:>8.2f} s {ratio:>6.2f} {changed:>10.2f} s")


if __name__ == "__main__":
    main()
