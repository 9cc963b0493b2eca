"""A scheduler that stands for hours: its memory, threads, files and ledger stay as they are.

    python -m tests.soak.standing --hours 48
    python -m tests.soak.standing --hours 2 --trackers 500 --url postgresql://postgres@127.0.0.1/empty

Five hundred files are refreshed every minute, over a table that gets an event a minute, by the real
`genesis schedule`. A line a quarter of an hour, and at the end how fast each grew in the second half; the exit
code tells whether memory grew by less than 1 MB an hour, or its noise, and nothing else did.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from genesis.cli import run_command

LOOK = 20.0  # seconds
SETTINGS = """\
project: standing
state: {state}
"""
DEFINITIONS = """\
data_source: film
table: film
primary_key: film_id
latest: true
fields: {film_id: integer, title: string}
---
input: films
source: film
fields: [film_id, title]
"""
WORKFLOW = """\
workflow: w{n}
schedule: {{every: 1m}}
jobs: [{{refresh: films, to: {{csv: {{file: films/{n}.csv}}}}}}]
"""


@dataclass(frozen=True)
class Look:
    """What a process held at a moment: hours since its start, kB, counts, bytes."""

    hours: float
    memory: int
    threads: int
    files: int
    wal: int


def main(trackers: int, hours: float, url: str) -> bool:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write_project(root, trackers, url)
        _land(root, 0)
        command = [sys.executable, "-m", "genesis", "-C", name, "schedule"]
        with (root / "said").open("w") as said, subprocess.Popen(command, stderr=said) as node:
            looks = _watch(node, root, hours)
            node.send_signal(signal.SIGTERM)
            code = node.wait(60)
        late = _told(root)
        print((root / "said").read_text()[-2_000:], file=sys.stderr)
    return code == 0 and not late and _stayed(looks)


def _write_project(root: Path, trackers: int, url: str) -> None:
    for folder in ("definitions", "workflows"):
        (root / folder).mkdir()
    (root / "genesis.yaml").write_text(SETTINGS.format(state=url))
    (root / "definitions" / "film.yaml").write_text(DEFINITIONS)
    for n in range(trackers):
        (root / "workflows" / f"w{n}.yaml").write_text(WORKFLOW.format(n=n))


def _land(root: Path, number: int) -> None:
    event = {"_op": "u", "_ts": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "film_id": number % 50}
    (root / "event.jsonl").write_text(json.dumps(event | {"title": f"Film {number}"}) + "\n")
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        if run_command(["-C", str(root), "ingest", "film", str(root / "event.jsonl")]):
            raise RuntimeError(f"event {number} did not land")


def _watch(node: subprocess.Popen[bytes], root: Path, hours: float) -> list[Look]:
    looks: list[Look] = []
    began = landed = time.monotonic()
    events, told = 1, 0.0
    while (now := time.monotonic()) < began + hours * 3_600:
        if node.poll() is not None:
            raise RuntimeError(f"the scheduler ended with {node.returncode}")
        if now - landed >= 60:
            _land(root, events)
            landed, events = now, events + 1
        looks.append(_look(node.pid, root, (now - began) / 3_600))
        if looks[-1].hours >= told:
            print(looks[-1], flush=True)
            told += 0.25
        time.sleep(LOOK)
    print(looks[-1], flush=True)
    return looks


def _look(pid: int, root: Path, hours: float) -> Look:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    wal = root / ".genesis" / "state.db-wal"
    return Look(
        hours,
        int(status["VmRSS"].split()[0]),
        int(status["Threads"]),
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        wal.stat().st_size if wal.exists() else 0,
    )


def _told(root: Path) -> int:
    """How many runs ended otherwise than well."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        run_command(["-C", str(root), "runs", "-n", "1000000", "--format", "json"])
    ends = [run["state"] for run in json.loads(told.getvalue())["runs"]]
    counts = {state: ends.count(state) for state in sorted(set(ends))}
    print("runs:", counts, flush=True)
    return counts.get("failed", 0) + counts.get("uncertain", 0)


def _stayed(looks: list[Look]) -> bool:
    """Whether nothing grew in the second half, but for what it goes up and down by."""
    settled = looks[len(looks) // 2 :]
    stayed = max(look.wal for look in looks) < 64 * 2**20
    for what, allowed in (("memory", 1_024), ("threads", 1), ("files", 1)):
        values = [getattr(look, what) for look in settled]
        growth = statistics.linear_regression([look.hours for look in settled], values).slope
        noise = 2 * statistics.stdev(values) / (settled[-1].hours - settled[0].hours)
        print(f"{what} {growth:+,.1f} an hour, of which {noise:,.1f} is noise")
        stayed &= growth < max(allowed, noise)
    return stayed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=48)
    parser.add_argument("--trackers", type=int, default=500)
    parser.add_argument(
        "--url", default="sqlite:///.genesis/state.db", help="the ledger's database"
    )
    asked = parser.parse_args()
    sys.exit(not main(asked.trackers, asked.hours, asked.url))
