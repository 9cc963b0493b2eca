"""Virtual time, and places that remember who wrote what: the scheduler's outside, made of values.

A place holds the newest state of the data it was refreshed with, and takes a write only from who read
it as it is: what the sinks do by fences. Everything random comes from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from genesis.errors import Problem, Problems, SinkBusy
from genesis.load import load_project
from genesis.run.lease import Keeper, Lease
from genesis.run.ledger import Ledger, Run
from genesis.run.queue import Claim, End, Queue
from genesis.run.runner import Done, Outcome
from genesis.run.worker import Options, Worker
from genesis.spec.project import Project

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class VirtualClock:
    """`Clock` that stands still until somebody moves it."""

    at: datetime = MONDAY

    def now(self) -> datetime:
        return self.at

    def sleep(self, length: timedelta) -> None:
        self.at += length

    def ticks(self) -> float:
        return self.at.timestamp()


def busy() -> SinkBusy:
    return SinkBusy(Problem("service-busy", "the service gave no answer"))


@dataclass
class Places:
    """Trackers, each with the state of the data that it shows; and every write, in order."""

    clock: VirtualClock
    shown: dict[str, int] = field(default_factory=dict)
    writes: list[tuple[str, int]] = field(default_factory=list)
    data: Callable[[datetime], int] = lambda at: int(at.timestamp())
    options: Mapping[str, Options] = field(default_factory=dict)
    fail: Callable[[Run, str], None] = lambda _run, _moment: None
    """Called at every moment of a run; what it raises happens then."""

    def doer(self) -> _Doer:
        return _Doer(self)


@dataclass
class _Doer:
    places: Places

    def options(self, run: Run) -> Options:
        return self.places.options.get(run.job, Options())

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        places = self.places
        phase("query")
        places.fail(run, "query")
        wanted = places.data(places.clock.now())
        phase("read")
        places.fail(run, "read")
        found = places.shown.get(run.job)
        if found == wanted:
            return Done(Outcome(run.job, run.job, "no_change"), {})
        phase("write")
        places.fail(run, "write")
        lease.check()
        if places.shown.get(run.job) != found:
            raise SinkBusy(Problem("tracker-changed", "it changed while it was being refreshed"))
        places.shown[run.job] = wanted
        places.writes.append((run.job, wanted))
        places.fail(run, "written")
        return Done(Outcome(run.job, run.job, "succeeded"), {})


@dataclass
class Node:
    """A worker with its keeper, as one owner, in virtual time."""

    ledger: Ledger
    places: Places
    owner: str = "here/1/100"
    limits: Mapping[str, int] = field(default_factory=dict)
    ended: list[tuple[Claim, End]] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = self.places.clock
        self.queue = Queue(self.ledger.state)
        self.keeper = Keeper(self.queue, clock, ticks=clock.ticks)
        self.worker = Worker(
            self.queue,
            self.places.doer(),
            self.keeper,
            clock,
            self.owner,
            self.limits,
            lambda claim, end: self.ended.append((claim, end)),
        )

    def work(self) -> int:
        """Do all that is due; how many runs that were."""
        done = 0
        while self.worker.step() is not None:
            done += 1
        return done


def project_of(root: Path, workflows: str, *, timezone: str = "UTC") -> Project:
    """A project of some workflows over one input, written to a folder."""
    texts = {
        "genesis.yaml": f"project: studio\ntimezone: {timezone}\n",
        "definitions/movie.yaml": "data_source: movie\ntable: movie\nprimary_key: id\nfields:\n  id: integer\n  title: string\n",
        "inputs/movies.yaml": "input: movies\nsource: movie\nfields: [id, title]\n",
    }
    each = workflows.split("---\n")  # a file has at most 256 KB
    for n in range(0, len(each), 500):
        texts[f"workflows/{n or 'all'}.yaml"] = "---\n".join(each[n : n + 500])
    for name, text in texts.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    problems = Problems()
    project = load_project(root, problems)
    assert not problems.errors, [str(problem) for problem in problems]
    return project


def workflow(name: str, *lines: str, jobs: str = "") -> str:
    """A workflow that refreshes one file, as YAML."""
    refresh = f"  - {{refresh: movies, name: movies, to: {{csv: {{file: {name}.csv}}}}}}\n"
    return "\n".join([f"workflow: {name}", *lines, "jobs:", jobs or refresh]) + "---\n"
