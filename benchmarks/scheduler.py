"""What scheduling costs by itself: ticks of 10,000 trackers, claims on both ledgers, 5,000 runs due at once.

    python benchmarks/scheduler.py [--trackers 10000] [--due 5000]

Runs do nothing, so what is measured is the scheduler's own share. Floors are the same number of plain
INSERTs and UPDATEs, each its own commit, on the same database: a run cannot be claimed and finished
with less, one by one. PostgreSQL waits for its disk here, as SQLite does.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import sqlalchemy as sa

from genesis.errors import Problems
from genesis.load import load_project
from genesis.run.lease import Keeper, Lease
from genesis.run.ledger import Ledger, Run, runs, text
from genesis.run.queue import Asked, Queue, owner_name
from genesis.run.runner import Done, Outcome
from genesis.run.scheduler import Scheduler
from genesis.run.service import settle
from genesis.run.worker import Options, Pool, Worker
from genesis.spec.project import Project
from tests.postgres import running
from tests.run.virtual import VirtualClock, project_of, workflow

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
SQLITE = "sqlite:///state.db"
LENGTH = 3.0  # seconds of each measurement of claims
SHAPES = ("H/15 * * * *", *["H * * * *"] * 3, *["H H(0-5) * * *"] * 16)


@dataclass
class Nothing:
    """A doer that does nothing."""

    def options(self, _run: Run) -> Options:
        return Options()

    def do(self, run: Run, _lease: Lease, _phase: Callable[[str], None]) -> Done:
        return Done(Outcome(run.job, "", "no_change"), {})


class LateClock:
    """`Clock` that goes on as time does, from a moment of one's own."""

    def __init__(self, at: datetime) -> None:
        self._ahead = at - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def sleep(self, length: timedelta) -> None:
        time.sleep(length.total_seconds())


def project_with(root: Path, crons: list[str]) -> tuple[Project, float]:
    """A project of one tracker for each cron; how long reading it took."""
    project_of(root, "")
    for first in range(0, len(crons), 500):
        named = enumerate(crons[first : first + 500], first)
        lines = "".join(workflow(f"t{n}", f"schedule: {{cron: '{cron}'}}") for n, cron in named)
        (root / "workflows" / f"some{first}.yaml").write_text(lines)
    (root / "workflows" / "all.yaml").unlink()
    start = time.perf_counter()
    project = load_project(root, Problems())
    return project, time.perf_counter() - start


def ticks(root: Path, trackers: int) -> None:
    """A day, second by second; what was asked for is done at once, unseen."""
    before = memory()
    project, reading = project_with(root, [SHAPES[n % len(SHAPES)] for n in range(trackers)])
    clock, ledger = VirtualClock(MIDNIGHT), Ledger(SQLITE, root)
    start = time.perf_counter()
    scheduler = Scheduler(ledger.state, clock.now, project, engine="local")
    loading = time.perf_counter() - start
    took, busy, asked = [], [], 0
    for _ in range(86_400):
        clock.sleep(timedelta(seconds=1))
        start = time.perf_counter()
        new = scheduler.tick()
        took.append(time.perf_counter() - start)
        if new:
            busy.append(took[-1])
            asked += new
            finish_all(ledger)
    ledger.close()
    print(f"{trackers:,} trackers: read in {reading:.1f} s, scheduled in {loading:.1f} s", end="")
    print(f", {memory() - before:,} MB more than before")
    print(f"a day: {asked:,} runs; tick {quantiles(took)}; of {len(busy):,} with something due ", end="")  # fmt: skip
    print(f"{quantiles(busy)}, {sum(busy) / asked * 1000:.2f} ms a run", flush=True)


def finish_all(ledger: Ledger) -> None:
    done = runs.update().where(runs.c.finished_at.is_(None))
    with ledger.state.transaction() as connection:
        connection.execute(done.values(state="no_change", finished_at=text(MIDNIGHT)))


def claims(root: Path, url: str, threads: int) -> float:
    """Runs that are claimed and finished in a second."""
    ledger = Ledger(url, root)
    ask(ledger, 8_000)
    done = spent(lambda: worker_of(ledger).step() is not None, threads)
    finish_all(ledger)
    ledger.close()
    return done


def floor(root: Path, url: str, threads: int) -> float:
    """The same with a plain INSERT and a plain UPDATE, a commit each."""
    ledger = Ledger(url, root)
    name = f"floor{threads}"
    with ledger.state.transaction() as connection:
        connection.execute(sa.text(f"CREATE TABLE {name} (id VARCHAR(40) PRIMARY KEY, state TEXT)"))
    insert = sa.text(f"INSERT INTO {name} VALUES (:id, 'running')")
    update = sa.text(f"UPDATE {name} SET state = 'done' WHERE id = :id")

    def one() -> bool:
        key = {"id": f"{threading.get_ident()} {time.perf_counter_ns()}"}
        for statement in (insert, update):
            with ledger.state.transaction() as connection:
                connection.execute(statement, key)
        return True

    done = spent(one, threads)
    ledger.close()
    return done


def spent(step: Callable[[], bool], threads: int) -> float:
    """How often a second a step was made, by some threads together."""
    counts = [0] * threads
    ends = time.monotonic() + LENGTH

    def work(number: int) -> None:
        while time.monotonic() < ends and step():
            counts[number] += 1

    start = time.monotonic()
    side_by_side = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for thread in side_by_side:
        thread.start()
    for thread in side_by_side:
        thread.join()
    return sum(counts) / (time.monotonic() - start)


def ask(ledger: Ledger, count: int) -> None:
    at, mark = datetime.now(UTC), time.monotonic_ns()
    rows = [
        Asked(f"{mark} {n}", f"t{n}.movies", "cron", f"{mark} {n}", at, at, place=f"csv {n}.csv")
        for n in range(count)
    ]
    Queue(ledger.state).ask(rows, at=at)


def worker_of(ledger: Ledger, clock: LateClock | None = None) -> Worker:
    queue, clock = Queue(ledger.state), clock or LateClock(datetime.now(UTC))
    return Worker(queue, Nothing(), Keeper(queue, clock), clock, owner_name())


def lag(root: Path, url: str, due: int) -> None:
    """All trackers due at one midnight, eight threads: how long after it each run was begun, and what that took."""
    project, _ = project_with(root, ["0 0 * * *"] * due)
    clock, ledger = LateClock(MIDNIGHT - timedelta(seconds=10)), Ledger(url, root)
    scheduler = Scheduler(ledger.state, clock.now, project, engine="local")
    pool = Pool(worker_of(ledger, clock), 8, lambda *wrong: print(*wrong))
    commits = itertools.count()
    sa.event.listen(ledger.state._engine, "commit", lambda _: next(commits))
    settle()
    worked = time.process_time()
    pool.start()
    while not scheduler.tick():
        time.sleep(max(0.0, (MIDNIGHT - clock.now()).total_seconds()))
    asked = clock.now() - MIDNIGHT
    pool.wake()
    while Queue(ledger.state).oldest_due(now=clock.now()):
        time.sleep(0.2)
    pool.stop(timedelta(seconds=30))
    worked = time.process_time() - worked
    found = ledger.newest(due)
    lags = [(run.started_at - MIDNIGHT).total_seconds() for run in found if run.attempt]
    ledger.close()
    print(f"{len(lags):,} due at once, 8 threads: asked for after {asked.total_seconds():.2f} s, ", end="")  # fmt: skip
    print(f"begun after {quantiles(lags, unit=1)}; {worked:.1f} s of a core, {next(commits):,} commits", end="")  # fmt: skip
    print(f"; a bare one takes {500 / floor(root, url, 1):.2f} ms", flush=True)


def quantiles(values: list[float], unit: int = 1000) -> str:
    found = statistics.quantiles(values, n=100)
    name = "ms" if unit == 1000 else "s"
    return f"p50 {found[49] * unit:.2f} {name}, p99 {found[98] * unit:.2f} {name}"


def memory() -> int:
    """The most this process has ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main(trackers: int, due: int, rounds: int) -> None:
    with folder() as root:
        ticks(root, trackers)
    with running() as server:
        for line in ("fsync = on", "full_page_writes = on"):
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET {line}")
                connection.execute("SELECT pg_reload_conf()")
        for name, url in (("SQLite", lambda: SQLITE), ("PostgreSQL", server.new_database)):
            for threads in (1, 4, 8):
                both = []
                for _ in range(rounds):
                    with folder() as root:
                        address = url()
                        both.append((claims(root, address, threads), floor(root, address, threads)))
                done, least = (statistics.median(each) for each in zip(*both, strict=True))
                ratio = statistics.median(least / done for done, least in both)
                print(f"{name}, {threads} threads: {done:,.0f} runs a second, the floor {least:,.0f}: {ratio:.2f}", flush=True)  # fmt: skip
            with folder() as root:
                print(name, end=": ")
                lag(root, url(), due)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trackers", type=int, default=10_000)
    parser.add_argument("--due", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    main(asked.trackers, asked.due, asked.rounds)
