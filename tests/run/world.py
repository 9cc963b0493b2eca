"""Days of scheduling in virtual time, with crashes at random, checked against an oracle that shares no code.

Trackers with schedules in five zones, two schedulers, three workers, one ledger. Schedulers die in a
transaction and start again, clocks are put, workers are killed in any phase and their leases run out,
services are busy and answers get lost. What a place must show in the end, and which slots there were,
is what minutes counted one by one say.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from genesis.errors import EngineError, Problem
from genesis.run.lease import Lease
from genesis.run.ledger import SUCCESSES, Ledger, Run
from genesis.run.queue import Queue
from genesis.run.runner import Done, Outcome
from genesis.run.scheduler import Scheduler
from genesis.run.triggers import Triggers
from genesis.run.worker import Options
from tests.run.virtual import Node, Places, VirtualClock, busy, project_of, workflow
from tests.schedule.debian import Clocks, clocks, fires

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")
START = datetime(
    2026, 10, 23, tzinfo=UTC
)  # Berlin's clocks are put two days later, New York's nine
MINUTE = timedelta(minutes=1)
# How often, of the times that something is due, one of the schedulers looks for leases that ran out.
_LOOKS_FOR_THE_DEAD = 0.3


class Killed(BaseException):
    """A process is no more; nothing of it runs on."""


@dataclass(frozen=True)
class Faults:
    """How probable it is that something goes wrong, each time that it may."""

    tick_dies: float = 0.02
    clock_is_put: float = 0.005
    worker_dies: float = 0.01
    service_is_busy: float = 0.05
    answer_is_lost: float = 0.03
    stands_still: float = 0.005


@dataclass
class World:
    """What is scheduled, and what goes wrong; `checks` is what a place is asked before it is written."""

    root: Path
    url: str
    seed: int
    trackers: int = 1_000
    days: int = 7
    faults: Faults = Faults()
    checks: bool = True
    log: list[str] = field(default_factory=list)
    """What happened, one line each: a seed gives the same log, byte by byte."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.clock = VirtualClock(START)
        self.end = START + timedelta(days=self.days)
        self.shapes = {
            f"t{n}": (_shape(self.dice), self.dice.choice(ZONES)) for n in range(self.trackers)
        }
        self.root.mkdir(exist_ok=True)
        self.ledger = Ledger(self.url, self.root)
        self.places = Places(self.clock)
        self.applied: list[tuple[str, datetime, str]] = []
        self.counts: Counter[str] = Counter()
        self.project = project_of(self.root, "".join(self._workflows()))

    def live(self) -> None:
        """Let the days pass."""
        asks = [self._scheduler() for _ in range(2)]
        nodes = [self._node(n) for n in range(3)]
        queue = Queue(self.ledger.state)
        while self.clock.at < self.end:
            self._let_time_pass(asks)
            if self._happens(_LOOKS_FOR_THE_DEAD):
                self._take_over(queue)
            number = self.dice.randrange(len(asks))
            if self._tick(asks[number]):
                asks[number] = self._scheduler()
            for number in self.dice.sample(range(len(nodes)), len(nodes)):
                if not self._work(nodes[number]):
                    break  # it left nothing to do
                nodes[number] = self._node(number)
        self._calm_down(asks)

    def wrong(self) -> Iterator[str]:
        """What is not as the oracle says."""
        runs = self._runs()
        for job, (shape, zone) in self.shapes.items():
            wanted = [at for at in _oracle(shape, zone, self.end) if at > START]
            found = runs.get(f"{job}.movies", [])
            if [run.logical_time for run in found] != wanted:
                yield f"{job} {shape} {zone}: slots {len(found)}, not {len(wanted)}"
            if odd := [run for run in found if run.state not in (*SUCCESSES, "skipped")]:
                yield f"{job}: {odd[0].state} at {odd[0].logical_time}"
        written = Counter((job, value) for job, value in self.places.writes)
        for (job, value), count in written.items():
            if count > 1:
                yield f"{job}: {count} writes for {datetime.fromtimestamp(value, UTC)}"
        shown: dict[str, int] = {}
        for job, value in self.places.writes:
            if value < shown.get(job, 0):
                yield f"{job}: {value} was written after {shown[job]}"
            shown[job] = value

    # ---- what happens

    def _let_time_pass(self, asks: list[Scheduler]) -> None:
        now = self.clock.at
        coming = (each.next_at for each in asks if each.next_at and each.next_at > now)
        due = min(coming, default=self.end)
        ahead = due - now + timedelta(seconds=self.dice.randrange(1, 40))
        self.clock.sleep(min(ahead, 10 * MINUTE))
        if self._happens(self.faults.clock_is_put):
            by = self.dice.choice([-10 * MINUTE, timedelta(hours=3)])
            self.clock.sleep(by)
            self._tell(f"clock put by {by}")

    def _tick(self, asks: Scheduler) -> bool:
        """Whether the scheduler died."""
        if self._happens(self.faults.tick_dies):
            asks.triggers = _DyingTriggers(self.ledger.state)
        try:
            self._tell(f"{asks.tick()} asked")
        except EngineError:
            self._tell("a scheduler died")
            return True
        return isinstance(asks.triggers, _DyingTriggers)

    def _work(self, node: Node) -> bool:
        """Whether the worker died."""
        try:
            node.work()
        except Killed:
            self._tell("a worker died")
            return True
        return False

    def _calm_down(self, asks: list[Scheduler]) -> None:
        """Let what is left be done: nothing goes wrong any more."""
        self.faults = Faults(*[0.0] * 6)
        for each in asks:
            each.tick()
        self.end = self.clock.at
        queue = Queue(self.ledger.state)
        while queue.open_runs():
            self._take_over(queue)
            self._node(9).work()
            self.clock.sleep(10 * MINUTE)

    def _take_over(self, queue: Queue) -> None:
        for run in queue.take_over(now=self.clock.now()):
            self._tell(f"{run.run_key} taken over")

    # ---- what it is made of

    def do(self, run: Run, lease: Lease, phase: object) -> Done:
        """Show the newest slot in a place: what a refresh does, with all that may happen to it."""
        assert callable(phase)
        wanted = int(run.logical_time.timestamp()) if run.logical_time else 0
        phase("query")
        self._may_die()
        phase("read")
        found = self.places.shown.get(run.job) if self.checks else None
        if self._happens(self.faults.service_is_busy):
            raise busy()
        if found == wanted:
            return Done(Outcome(run.job, "", "no_change"), {})
        phase("write")
        self._may_die()
        if self._happens(self.faults.stands_still):
            self.clock.sleep(2 * MINUTE)
            self._take_over(Queue(self.ledger.state))
        if self.checks:
            lease.check()
        self.places.shown[run.job] = wanted
        self.places.writes.append((run.job, wanted))
        self._tell(f"{run.run_key} written")
        self._may_die()
        if self._happens(self.faults.answer_is_lost):
            raise busy()
        return Done(Outcome(run.job, "", "succeeded"), {})

    def options(self, _run: Run) -> Options:
        return Options(retries=1_000)

    def _may_die(self) -> None:
        if self._happens(self.faults.worker_dies):
            raise Killed

    def _happens(self, probability: float) -> bool:
        return self.dice.random() < probability

    def _tell(self, what: str) -> None:
        self.counts[what.split(" ")[-1]] += 1
        self.log.append(f"{self.clock.at.isoformat()} {what}")

    def _scheduler(self) -> Scheduler:
        return Scheduler(self.ledger.state, self.clock.now, self.project, engine="local")

    def _node(self, number: int) -> Node:
        node = Node(self.ledger, self.places, owner=f"node{number}/1/1")
        node.worker.doer = self
        return node

    def _workflows(self) -> Iterator[str]:
        for name, (shape, zone) in self.shapes.items():
            schedule = f"schedule: {{cron: '{shape}', timezone: {zone}}}"
            yield workflow(name, schedule, "catchup: all")

    def _runs(self) -> dict[str, list[Run]]:
        """All runs, by their jobs, in the order of their slots."""
        found: dict[str, list[Run]] = {}
        for run in sorted(self.ledger.newest(10**9), key=lambda run: run.logical_time or START):
            found.setdefault(run.job, []).append(run)
        return found


class _DyingTriggers(Triggers):
    """Dies when all is asked for, before it is kept."""

    def advance(self, *_: object) -> None:
        raise EngineError(Problem("state-failed", "the scheduler is no more"))


def _shape(dice: random.Random) -> str:
    minute, hour = dice.randrange(60), dice.randrange(24)
    kind = dice.random()
    if kind < 0.01:
        return f"{minute} * * * *"
    if kind < 0.03:
        return f"{minute} */6 * * *"
    if kind < 0.2:
        return f"{minute} {hour} * * mon-fri"
    return f"{minute % 4 * 15} {hour % 5} * * *"


@cache
def _oracle(shape: str, zone: str, end: datetime) -> list[datetime]:
    return [at for at in fires(shape, _clocks(zone, end)) if at <= end]


@cache
def _clocks(zone: str, end: datetime) -> Clocks:
    return clocks(ZoneInfo(zone), START - timedelta(hours=3), end + timedelta(hours=3))
