"""Schedulers and workers as processes that are killed and stopped at random, and what must hold after it.

    python -m tests.run.storm       makes nodes, forked from what has loaded everything: `ROOT URL SEED` a line

Places are rows of a database of their own, written behind a fence as sinks do, with services that are
busy, fail, and lose answers to writes that have landed. A slot may change its place once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genesis.clock import SystemClock
from genesis.errors import EngineError, Problem
from genesis.run.lease import Keeper, Lease
from genesis.run.ledger import SUCCESSES, Ledger, Run
from genesis.run.queue import Queue, owner_name
from genesis.run.runner import Done, Outcome
from genesis.run.scheduler import Scheduler
from genesis.run.service import Service, SystemJob
from genesis.run.worker import Options, Worker
from tests.run.virtual import busy, project_of, workflow

LEASE = timedelta(seconds=3)
TRACKERS = 12


def place_file(root: Path) -> Path:
    return root / "places.db"


@contextlib.contextmanager
def places(root: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(place_file(root), timeout=30)) as connection:
        yield connection


def make_places(root: Path) -> None:
    with places(root) as connection:
        connection.execute(
            "CREATE TABLE place (job TEXT PRIMARY KEY, shown INTEGER, fence INTEGER)"
        )
        connection.execute("CREATE TABLE written (job TEXT, value INTEGER, node TEXT)")
        connection.commit()


def show(root: Path, job: str, value: int, *, fence: int) -> None:
    """Show a value, unless somebody else has written since the fence was read. Raises `SinkBusy`."""
    with places(root) as connection:
        connection.execute("BEGIN IMMEDIATE")
        now = connection.execute("SELECT fence FROM place WHERE job = ?", (job,)).fetchone()
        if (now[0] if now else 0) != fence:
            raise busy()
        connection.execute("REPLACE INTO place VALUES (?, ?, ?)", (job, value, fence + 1))
        connection.execute("INSERT INTO written VALUES (?, ?, ?)", (job, value, owner_name()))
        connection.commit()


def shown(root: Path, job: str) -> tuple[int, int]:
    with places(root) as connection:
        found = connection.execute(
            "SELECT shown, fence FROM place WHERE job = ?", (job,)
        ).fetchone()
    return (found[0], found[1]) if found else (0, 0)


@dataclass
class Doer:
    """Refreshes a place, slowly enough to be killed in between."""

    root: Path
    dice: random.Random

    def options(self, _run: Run) -> Options:
        return Options(retries=1_000)

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        wanted = int(run.logical_time.timestamp()) if run.logical_time else 0
        phase("query")
        self._pause()
        phase("read")
        found, fence = shown(self.root, run.job)
        if self.dice.random() < 0.08:
            raise busy()
        if found == wanted:
            return Done(Outcome(run.job, "", "no_change"), {})
        phase("write")
        self._pause()
        lease.check(timedelta(seconds=0.5))
        show(self.root, run.job, wanted, fence=fence)
        self._pause()
        if self.dice.random() < 0.03:
            raise busy()
        return Done(Outcome(run.job, "", "succeeded"), {})

    def _pause(self) -> None:
        time.sleep(self.dice.random() * 0.03)


def node(root: Path, url: str, seed: int) -> None:
    """A scheduler and three workers."""
    ledger, clock = Ledger(url, root), SystemClock()
    queue = Queue(ledger.state)
    asks = Scheduler(ledger.state, clock.now, project_at(root), engine="local")
    worker = Worker(
        queue, Doer(root, random.Random(seed)), Keeper(queue, clock, LEASE), clock, owner_name()
    )
    second = timedelta(seconds=0.25)
    jobs = (
        SystemJob("tick", second, asks.tick),
        SystemJob("take over", second, lambda: queue.take_over(now=clock.now())),
    )
    service = Service(worker, 3, jobs, lambda _job, _error: None)
    signal.signal(signal.SIGTERM, lambda *_: service.end())
    service.serve(until=None, patience=timedelta(seconds=10))


def project_at(root: Path):  # type: ignore[no-untyped-def]  # what `project_of` gives
    lines = "".join(
        workflow(f"t{n}", "schedule: {every: 1s}", "catchup: all") for n in range(TRACKERS)
    )
    return project_of(root / "project", lines)


@dataclass
class Storm:
    """Nodes over one ledger, and somebody who kills them."""

    root: Path
    url: str
    seed: int
    nodes: int = 3
    kills: Counter[str] = field(default_factory=Counter)
    _running: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        make_places(self.root)
        project_at(self.root)
        self._maker = subprocess.Popen(
            [sys.executable, "-m", "tests.run.storm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def blow(self, *, kills: int) -> None:
        """Kill nodes with SIGKILL at random moments; let some stand still for longer than their lease."""
        self._running = [self._start() for _ in range(self.nodes)]
        for _ in range(kills):
            time.sleep(self.dice.uniform(0.3, 1.0))
            victim = self.dice.randrange(self.nodes)
            if self.dice.random() < 0.1:
                self._stand_still(self._running[victim])
                continue
            os.kill(self._running[victim], signal.SIGKILL)
            self.kills["killed"] += 1
            self._running[victim] = self._start()

    def calm_down(self) -> None:
        """Stop asking, and let what is left be done."""
        for each in self._running:
            os.kill(each, signal.SIGKILL)
        self._maker.communicate()
        ledger, clock = Ledger(self.url, self.root), SystemClock()
        queue = Queue(ledger.state)
        worker = Worker(
            queue, Doer(self.root, _Calm()), Keeper(queue, clock, LEASE), clock, owner_name()
        )
        ends = time.monotonic() + 60
        while open_runs := queue.open_runs():
            queue.take_over(now=clock.now())
            for run in open_runs:  # nobody waits for the pause before the next try
                hurry(ledger, run)
            while worker.step():
                pass
            if time.monotonic() > ends:
                raise TimeoutError(f"{len(open_runs)} runs do not end")
        ledger.close()

    def states(self) -> Counter[str]:
        """How many runs ended how."""
        ledger = Ledger(self.url, self.root)
        found = Counter(run.state for run in ledger.newest(1_000_000))
        ledger.close()
        return found

    def wrong(self) -> Iterator[str]:
        """What is lost, doubled or out of order."""
        ledger = Ledger(self.url, self.root)
        for number in range(TRACKERS):
            job = f"t{number}.movies"
            runs = sorted(ledger.last_runs(job, 100_000), key=_slot)
            yield from self._wrong_slots(job, runs)
            yield from self._wrong_writes(job, runs)
        ledger.close()

    def _wrong_slots(self, job: str, runs: list[Run]) -> Iterator[str]:
        slots = [_slot(run) for run in runs]
        if not slots:
            yield f"{job}: nothing was asked for"
        if any(b - a != timedelta(seconds=1) for a, b in itertools.pairwise(slots)):
            yield f"{job}: a slot is missing or doubled"
        for run in runs:
            if run.state not in (*SUCCESSES, "skipped"):
                yield f"{job}: {run.state} at {run.logical_time}: {run.reason}"

    def _wrong_writes(self, job: str, runs: list[Run]) -> Iterator[str]:
        with places(self.root) as connection:
            query = "SELECT value FROM written WHERE job = ? ORDER BY rowid"
            values = [value for (value,) in connection.execute(query, (job,))]
        doubled = [value for value, count in Counter(values).items() if count > 1]
        if doubled:
            yield f"{job}: {len(doubled)} slots were written twice"
        if values != sorted(values):
            yield f"{job}: an older state was written over a newer one"
        done = [int(_slot(run).timestamp()) for run in runs if run.state in SUCCESSES]
        if lost := set(done) - set(values):
            yield f"{job}: {len(lost)} slots are said to be done, and were not written"

    def _start(self) -> int:
        """A new node's process."""
        stdin, stdout = self._maker.stdin, self._maker.stdout
        if stdin is None or stdout is None:
            raise LookupError("the maker of nodes has pipes")
        stdin.write(f"{self.root} {self.url} {self.dice.randrange(10**9)}\n")
        stdin.flush()
        return int(stdout.readline())

    def _stand_still(self, victim: int) -> None:
        os.kill(victim, signal.SIGSTOP)
        time.sleep(LEASE.total_seconds() + 1)
        os.kill(victim, signal.SIGCONT)
        self.kills["stood still"] += 1


class _Calm(random.Random):
    """Chance by which nothing goes wrong, and nobody waits."""

    def random(self) -> float:
        return 1.0


def hurry(ledger: Ledger, run: Run) -> None:
    from genesis.run.ledger import runs, text

    now = text(datetime.now(UTC))
    waits = runs.update().where(runs.c.id == run.id, runs.c.state == "queued")
    with ledger.state.transaction() as connection:
        connection.execute(waits.where(runs.c.try_at > now).values(try_at=now))


def _slot(run: Run) -> datetime:
    if run.logical_time is None:
        raise EngineError(Problem("state-failed", f"run {run.id} has no slot"))
    return run.logical_time


def make_nodes() -> None:
    """Fork a node for each line, and tell its number."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are gone at once
    for line in sys.stdin:
        root, url, seed = line.split()
        if process := os.fork():
            print(process, flush=True)  # noqa: T201  # what it is asked for
        else:
            sys.stdin.close()
            node(Path(root), url, int(seed))
            os._exit(0)


if __name__ == "__main__":
    make_nodes()
