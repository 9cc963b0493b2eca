"""Rounds of scheduling a project, each in a process of its own that may be killed at a step. A script, started by tests.

    python -m tests.run.steps ROOT URL      `HOUR STEP` a line; answers `killed`, or `done` and how many steps there were

A step is before, or after, a commit in the ledger or a call of a service.
Nothing of ours is replaced but the clock. It imports once and forks, since to import takes longer.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import requests
from sqlalchemy.engine.default import DefaultDialect

from genesis.cli.doing import Doing, Services
from genesis.errors import Problems
from genesis.load import load_project
from genesis.run.lease import Keeper
from genesis.run.ledger import Ledger
from genesis.run.queue import Queue, owner_name
from genesis.run.scheduler import Scheduler
from genesis.run.worker import Worker
from tests.run.virtual import MONDAY, VirtualClock

USED = (
    "genesis.cli.audit",
    "genesis.cli.heartbeat",
    "genesis.engines.duckdb",
    "genesis.lake.annotations",
    "genesis.lake.upkeep",
    "genesis.sinks.google",
    "sqlalchemy.dialects.sqlite",
    "psycopg",
)
"""What commands import when they need it, and every round does."""
LATER = timedelta(minutes=5)
"""After the hour, when another node looks."""


def do_round(root: Path, url: str, clock: VirtualClock) -> None:
    """Ask for what is due, take over what nobody does any more, and do it."""
    ledger, project = Ledger(url, root), load_project(root, Problems())
    target = project.settings.targets["local"]
    services = Services(root, project.settings.sinks, url, clock)
    queue = Queue(ledger.state)
    Scheduler(ledger.state, clock.now, project, engine="local").tick()
    queue.take_over(now=clock.now())
    worker = Worker(
        queue,
        Doing(root, project, target, services, ledger),
        Keeper(queue, clock, ticks=clock.ticks),
        clock,
        owner_name(),
    )
    while worker.step():
        pass
    services.close()
    ledger.close()


class Steps:
    """Counts the steps of this process, which dies at one of them."""

    def __init__(self, last: int) -> None:
        self.taken = 0
        self._last = last
        self.watch(DefaultDialect, "do_commit")
        self.watch(requests.Session, "send")

    def watch(self, owner: type, name: str) -> None:
        """There is a step before something is done, and one after it."""
        done = getattr(owner, name)

        def watched(*given: object, **named: object) -> object:
            self.take()
            answer = done(*given, **named)
            self.take()
            return answer

        setattr(owner, name, watched)

    def take(self) -> None:
        self.taken += 1
        if self.taken == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def answer(root: Path, url: str, hour: int, step: int) -> None:
    """Do a round of an hour in a process of its own, and say how that went."""
    after = timedelta(0) if step else LATER
    child = os.fork()
    if child == 0:
        steps = Steps(step)
        do_round(root, url, VirtualClock(MONDAY + timedelta(hours=hour) + after))
        print("done", steps.taken, flush=True)  # noqa: T201  # what it is asked for
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        how = "killed" if os.WIFSIGNALED(status) else "broken"
        print(how, flush=True)  # noqa: T201


if __name__ == "__main__":
    for name in USED:
        import_module(name)
    for line in sys.stdin:
        hour, step = map(int, line.split())
        answer(Path(sys.argv[1]), sys.argv[2], hour, step)
