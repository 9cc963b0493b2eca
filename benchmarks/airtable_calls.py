"""Calls of an Airtable refresh, against the fewest there can be, and against writing all anew.

    python benchmarks/airtable_calls.py [ROWS]

A table of 20 columns in the emulator; 2 % of its rows change, 1 % come and 1 % go. The bound is a read
for each page of a hundred, and a write for each ten updates, ten new records and ten deletes.
`blind` is what an upsert of every row costs, which is how peers do it. CPU time includes the
emulator's, which runs in the same process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from math import ceil
from pathlib import Path

import pyarrow as pa

from genesis.compile.statement import Column
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.airtable import AirtableSink
from genesis.spec.project import AirtableAccess
from genesis.spec.types import INTEGER, STRING
from genesis.spec.workflow import Place
from genesis.sync.changes import Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.testing.airtable import Airtable

WIDTH = 20
COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    *(Column(f"c{at}", f"Column {at}", STRING) for at in range(1, WIDTH)),
)
TRACKER = Tracker("w.t", Place(airtable={"base": "app1", "table": "T"}), COLUMNS)


def report(first: int, rows: int, changed: int) -> pa.Table:
    ids = range(first, first + rows)
    texts = {
        c.name: [f"{c.name} of {i}{'!' * (i % rows < changed)}" for i in ids] for c in COLUMNS[1:]
    }
    return pa.table({"id": pa.array(ids, pa.int64()), **texts})


def refresh(sink: AirtableSink, rows: pa.Table) -> Receipt:
    present = sink.read(TRACKER)
    changes = compare(wanted=encode(rows, TRACKER), present=present, policy=TRACKER.policy)
    return sink.apply(TRACKER, changes)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Airtable() as airtable:
        airtable.base("app1")
        rates = Buckets(State("sqlite:///state.db", Path(folder)), airtable.clock)

        def sink() -> AirtableSink:
            return AirtableSink(Path(folder), AirtableAccess(endpoint=airtable.url), rates)

        refresh(sink(), report(0, rows, 0))
        moved, changed = rows // 100, rows // 50
        start = time.process_time()
        made = refresh(sink(), report(moved, rows, changed + moved))
        cpu = time.process_time() - start
        same = refresh(sink(), report(moved, rows, changed + moved))
        rates.close()
    bound = ceil(rows / 100) + ceil(made.updated / 10) + 2 * ceil(moved / 10)
    calls = made.reads + made.writes
    print(
        f"{rows:,} rows x {WIDTH}: {made.updated:,} changed, {made.inserted:,} new, {made.deleted:,} gone"
    )
    print(
        f"  bound {bound:,}, calls {calls:,}: {bound / calls:.3f} (goal 0.95); blind {ceil(rows / 10):,}"
    )
    print(f"  {made.bytes / 1e6:.2f} MB sent, {cpu:.1f} s CPU with the emulator's")
    print(f"  unchanged: {same.reads:,} reads, {same.writes} writes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
