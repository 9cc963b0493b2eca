"""Calls, bytes and time of a Google Sheets refresh, beside clearing the tab and writing it anew.

    python benchmarks/sheets_calls.py [ROWS]

A tab of 20 columns in the emulator, which has a process of its own; 2 % of the rows change in one
column, 1 % come and 1 % go. The bound of calls is one read, and one write for each 2 MB that the
changes take; that of bytes is the new values alone, as JSON. Clearing and rewriting is what peers do:
gspread's `clear`, then `update` in pieces of at most 2 MB. CPU and memory are those of the client.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import pyarrow as pa

from genesis.clock import SystemClock
from genesis.compile.statement import Column
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.sinks.google import PAYLOAD, GoogleSheetsSink
from genesis.sinks.google.client import open_client
from genesis.spec.project import GoogleSheetsAccess
from genesis.spec.types import INTEGER, STRING
from genesis.spec.workflow import Place
from genesis.sync.changes import Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

WIDTH = 20
COLUMNS = (
    Column("id", "Id", INTEGER, key=True),
    *(Column(f"c{at}", f"Column {at}", STRING) for at in range(1, WIDTH)),
)


@dataclass(frozen=True)
class Spent:
    """What one refresh took of the client: CPU seconds of each step."""

    reading: float
    planning: float
    applying: float
    changes: Changes
    receipt: Receipt


def report(first: int, rows: int, changed: int) -> pa.Table:
    """Rows with ids from `first` on; one column of the first `changed` of them is another."""
    ids = range(first, first + rows)
    texts = {column.name: [f"{column.name} of {i}" for i in ids] for column in COLUMNS[1:]}
    texts["c7"] = [f"{text}{'!' * (i - first < changed)}" for i, text in zip(ids, texts["c7"], strict=True)]  # fmt: skip
    return pa.table({"id": pa.array(ids, pa.int64()), **texts})


def refresh(sink: GoogleSheetsSink, tracker: Tracker, rows: pa.Table) -> Spent:
    """One refresh, told by its steps."""
    present, reading = _timed(lambda: sink.read(tracker))
    changes, planning = _timed(
        lambda: compare(wanted=encode(rows, tracker), present=present, policy=tracker.policy)
    )
    receipt, applying = _timed(lambda: sink.apply(tracker, changes))
    return Spent(reading, planning, applying, changes, receipt)


def rewrite(endpoint: str, spreadsheet: str, rows: pa.Table) -> tuple[int, int, float]:
    """Calls, bytes and CPU of clearing a tab and writing every value."""
    sheet = open_client(endpoint=endpoint).open_by_key(spreadsheet).sheet1
    start = time.process_time()
    values = [[column.label for column in COLUMNS], *map(list, zip(*rows.to_pydict().values(), strict=True))]  # fmt: skip
    sheet.resize(len(values), WIDTH)
    sheet.clear()
    sent, calls, piece = 0, 2, []
    top, size = 1, 0
    for number, row in enumerate(values, 1):
        length = len(json.dumps(row))
        if size + length > PAYLOAD - 10_000:
            sheet.update(piece, f"A{top}")
            sent, calls, piece, top, size = sent + size, calls + 1, [], number, 0
        piece.append(row)
        size += length
    sheet.update(piece, f"A{top}")
    return calls + 1, sent + size, time.process_time() - start


def least_bytes(changes: Changes) -> int:
    """The new values alone."""
    values: list[Any] = [update.cell for update in changes.updates]
    values += [cell for insert in changes.inserts for cell in insert.cells]
    return len(json.dumps(values, default=str, separators=(",", ":")))


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def main(rows: int) -> None:
    moved, changed = rows // 100, rows // 50
    emulator = [sys.executable, "-u", "-m", "genesis.testing.sheets"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(emulator, stdout=subprocess.PIPE, text=True) as google,
    ):
        endpoint, spreadsheet = _address(google)
        rates = Buckets(State("sqlite:///state.db", Path(folder)), SystemClock())
        place = Place(google_sheets={"spreadsheet": spreadsheet, "tab": "Rows"})
        tracker = Tracker("w.t", place, COLUMNS)

        def once(wanted: pa.Table) -> Spent:
            access = GoogleSheetsAccess(endpoint=endpoint)
            return refresh(GoogleSheetsSink(Path(folder), access, rates), tracker, wanted)

        first = once(report(0, rows, 0))
        later = report(moved, rows, changed)
        made, same = once(later), once(later)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        calls, sent, cpu = rewrite(endpoint, spreadsheet, later)
        rates.close()
        google.terminate()
    receipt, least = made.receipt, least_bytes(made.changes)
    bound = 1 + ceil(receipt.bytes / PAYLOAD)
    print(f"{rows:,} rows x {WIDTH}: {receipt.updated:,} changed, {receipt.inserted:,} new, {receipt.deleted:,} gone")  # fmt: skip
    _tell("first load", first)
    _tell("refresh", made)
    print(f"    bound {bound} calls: {bound / (receipt.reads + receipt.writes):.3f} (goal 1.00)")
    print(f"    the values alone {least / 1e6:.2f} MB: {receipt.bytes / least:.2f} x")
    _tell("unchanged", same)
    print(f"  clear and rewrite: {calls} writes, {sent / 1e6:.2f} MB, {cpu:.1f} s CPU: {sent / receipt.bytes:.0f} x the bytes")  # fmt: skip
    print(f"  at most {memory:.0f} MB of memory before that")


def _address(google: subprocess.Popen[str]) -> tuple[str, str]:
    assert google.stdout is not None
    lines = [google.stdout.readline() for _ in range(3)]
    page = lines[2].split()[0]
    endpoint, _, rest = page.partition("/spreadsheets/d/")
    return endpoint, rest.split("/")[0]


def _tell(what: str, spent: Spent) -> None:
    receipt = spent.receipt
    print(
        f"  {what}: {receipt.reads} reads, {receipt.writes} writes, {receipt.bytes / 1e6:.2f} MB sent; "
        f"CPU {spent.reading:.1f} s reading, {spent.planning:.1f} s planning, {spent.applying:.1f} s applying"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
