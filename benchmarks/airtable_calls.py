"""Calls of an Airtable refresh, against the fewest there can be, and against writing all anew.

    python benchmarks/airtable_calls.py [ROWS]

A table of 20 columns in the emulator, which has a process of its own; 2 % of its rows change, 1 % come
and 1 % go. The bound is a read for each page of a hundred, and a write for each ten updates, ten new
records and ten deletes. `blind` is what an upsert of every row costs, which is how peers do it. CPU
and memory are those of the client. Turns are given out by a clock that is set forward, and counted in memory.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from multiprocessing.connection import Connection
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
from genesis.testing.airtable import Airtable, Limits
from genesis.testing.clock import HandClock

WIDTH = 20
COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    *(Column(f"c{at}", f"Column {at}", STRING) for at in range(1, WIDTH)),
)
# At five calls a second a first load of 100,000 records takes longer than the half hour it may take unasked.
TRACKER = Tracker(
    "w.t", Place(airtable={"base": "app1", "table": "T"}), COLUMNS, timeout=timedelta(hours=3)
)


@dataclass(frozen=True)
class Spent:
    """What one refresh took of the client: CPU seconds of each step, and of its clock."""

    reading: float
    planning: float
    applying: float
    paced: timedelta
    receipt: Receipt


def report(first: int, rows: int, changed: int) -> pa.Table:
    ids = range(first, first + rows)
    texts = {
        c.name: [f"{c.name} of {i}{'!' * (i % rows < changed)}" for i in ids] for c in COLUMNS[1:]
    }
    return pa.table({"id": pa.array(ids, pa.int64()), **texts})


def refresh(sink: AirtableSink, rows: pa.Table, clock: HandClock) -> Spent:
    start, began = time.process_time(), clock.now()
    present = sink.read(TRACKER)
    read = time.process_time()
    changes = compare(wanted=encode(rows, TRACKER), present=present, policy=TRACKER.policy)
    planned = time.process_time()
    receipt = sink.apply(TRACKER, changes)
    done = time.process_time()
    return Spent(read - start, planned - read, done - planned, clock.now() - began, receipt)


@contextmanager
def emulator() -> Iterator[str]:
    """The address of an emulator with a process of its own, which leaves pacing to the client."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("enough")
        process.join()


def _serve(told: Connection) -> None:
    with Airtable(limits=Limits(calls=10**6, records=10**6)) as airtable:
        airtable.base("app1")
        told.send(airtable.url)
        told.recv()


def main(rows: int) -> None:
    clock = HandClock()
    with tempfile.TemporaryDirectory() as folder, emulator() as url:
        rates = Buckets(State("sqlite://", Path(folder)), clock)

        def once(table: pa.Table) -> Spent:
            sink = AirtableSink(Path(folder), AirtableAccess(endpoint=url), rates)
            return refresh(sink, table, clock)

        first = once(report(0, rows, 0))
        moved, changed = rows // 100, rows // 50
        later = report(moved, rows, changed + moved)
        spent, same = once(later), once(later)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rates.close()
    made = spent.receipt
    bound = ceil(rows / 100) + ceil(made.updated / 10) + 2 * ceil(moved / 10)
    calls = made.reads + made.writes
    print(
        f"{rows:,} rows x {WIDTH}: {made.updated:,} changed, {made.inserted:,} new, {made.deleted:,} gone"
    )
    print(
        f"  bound {bound:,}, calls {calls:,}: {bound / calls:.3f} (goal 0.95); blind {ceil(rows / 10):,}"
    )
    _tell("first load", first)
    _tell("refresh", spent)
    _tell("unchanged", same)
    print(f"  peak memory {memory:.0f} MB")


def _tell(name: str, spent: Spent) -> None:
    made = spent.receipt
    print(
        f"  {name}: {made.reads:,} reads, {made.writes:,} writes, {made.bytes / 1e6:.2f} MB sent,"
        f" {spent.reading:.1f} + {spent.planning:.1f} + {spent.applying:.1f} s CPU,"
        f" {spent.paced.total_seconds():.0f} s at five calls a second"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
