"""From an event in the log to its cell in a Google sheet, through the real `genesis schedule`.

    python benchmarks/latency.py [--trackers 1000] [--minutes 3]

Each tracker follows a table of its own and is a tab of the emulator, ten tabs to a spreadsheet. Ten
changes a minute land; a person looks at their cells ten times a second. The tabs are filled by a node
that the quota does not bind, or it would take the better part of an hour; what is measured keeps to it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from genesis.cli import run_command
from genesis.testing.sheets import SheetsEmulator
from genesis.testing.sheets.limits import Limits

TABS = 10  # of one spreadsheet
FREE = Limits(
    reads_per_user=10**6, writes_per_user=10**6, reads_per_project=10**6, writes_per_project=10**6
)
SETTINGS = """\
project: latency
targets:
  local:
    engine: {{duckdb: {{}}}}
    catalog: {{sql: {{uri: "sqlite:///.genesis/catalog.db", warehouse: .genesis/warehouse}}}}
sinks: {{google_sheets: {{endpoint: "{endpoint}"}}}}
"""
HASTY = """\
import sys
from datetime import timedelta
from genesis.cli import run_command
from genesis.interfaces import Limit
from genesis.sinks.google.service import SheetsService
SheetsService.limit = Limit(3_000, timedelta(minutes=1))
raise SystemExit(run_command(sys.argv[1:]))
"""
SOURCE = """\
data_source: s{n}
table: studio.s{n}_events
primary_key: id
latest: true
fields: {{id: integer, title: string}}
---
input: i{n}
source: s{n}
fields: [id, title]
---
workflow: w{n}
schedule: {{on_change: true}}
jobs:
  - refresh: i{n}
    to: {{google_sheets: {{spreadsheet: {book}, tab: T{n}}}}}
"""


def write_project(root: Path, endpoint: str, books: Sequence[str]) -> None:
    (root / "definitions").mkdir()
    (root / "genesis.yaml").write_text(SETTINGS.format(endpoint=endpoint))
    for number, book in enumerate(books):
        text = SOURCE.format(n=number, book=book)
        (root / "definitions" / f"s{number}.yaml").write_text(text)


def land(root: Path, number: int, title: str) -> None:
    """One event for a tracker's table."""
    file = root / "event.jsonl"
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event = {"_op": "u", "_ts": at, "id": 1, "title": title}
    file.write_text(json.dumps(event) + "\n")
    quiet = contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO())
    with quiet[0], quiet[1]:
        code = run_command(["-C", str(root), "ingest", f"s{number}", str(file)])
    if code:
        raise RuntimeError(f"s{number} did not land: {code}")


def wait_for(google: SheetsEmulator, book: str, tab: str, title: str, patience: float) -> float:
    """When a cell shows a title."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        with contextlib.suppress(Exception):  # the tab is not there yet
            if any(title in row for row in google.person(book).sees_rows(tab)):
                return time.monotonic()
        time.sleep(0.1)
    raise TimeoutError(f"{tab} never showed {title}")


def schedule(root: Path, *how: str) -> subprocess.Popen[bytes]:
    with (root / "said").open("w") as said:
        return subprocess.Popen([sys.executable, *how, "-C", str(root), "schedule"], stderr=said)


def end(node: subprocess.Popen[bytes]) -> None:
    node.send_signal(signal.SIGINT)
    node.wait(60)


def main(trackers: int, minutes: float) -> None:
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as name, SheetsEmulator(limits=FREE) as google:
        root = Path(name)
        some = [google.new_spreadsheet(f"Book {n}") for n in range(-(-trackers // TABS))]
        books = [some[n // TABS] for n in range(trackers)]
        write_project(root, google.url, books)
        start = time.monotonic()
        for number in range(trackers):
            land(root, number, "at first")
        print(f"{trackers} tables made in {time.monotonic() - start:.0f} s", flush=True)
        start = time.monotonic()
        filling = schedule(root, "-c", HASTY)
        for number, book in enumerate(books):
            wait_for(google, book, f"T{number}", "at first", 3_600)
        end(filling)
        print(f"{trackers} trackers filled in {time.monotonic() - start:.0f} s", flush=True)
        node = schedule(root, "-m", "genesis")
        time.sleep(90)  # the minute of the quota that filling them has used up, and the first look
        took, ends = [], time.monotonic() + minutes * 60
        for count in itertools.count():
            number, began = dice.randrange(trackers), time.monotonic()
            if began > ends:
                break
            land(root, number, f"change {count}")
            landed = time.monotonic()
            took.append(wait_for(google, books[number], f"T{number}", f"change {count}", 120) - landed)  # fmt: skip
            time.sleep(max(0.0, began + 6 + dice.uniform(-2, 2) - time.monotonic()))
        print((root / "said").read_text()[-4_000:])
        end(node)
    found = statistics.quantiles(took, n=100, method="inclusive")
    print(f"{len(took)} changes: landed -> cell p50 {found[49]:.1f} s, p99 {found[98]:.1f} s, most {max(took):.1f} s")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trackers", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=3)
    asked = parser.parse_args()
    main(asked.trackers, asked.minutes)
