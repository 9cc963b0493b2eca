"""The scheduler as a process: asks for runs, does them, keeps their leases, until it is told to end.

APScheduler runs the few jobs of the system; runs themselves are given out by the ledger. The
surprise: heartbeats have a thread of their own, since a lease may not wait until a slow catalog or
a busy executor has time for it.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from genesis.run.worker import Beats, Pool, Worker

TICK = timedelta(seconds=1)


@dataclass(frozen=True)
class SystemJob:
    """Something that is done again and again; what it returns says whether there may be runs to do."""

    name: str
    every: timedelta
    do: Callable[[], object]


@dataclass
class Service:
    """A node: some system jobs, and a pool of threads for the runs.

    Args:
        worker: Does the runs.
        size: How many runs go on side by side; none on a node that only asks.
        jobs: What is done again and again.
        tell: Told of a system job that failed: its name, and why.
    """

    worker: Worker
    size: int
    jobs: tuple[SystemJob, ...]
    tell: Callable[[str, Exception], None]
    done_at: dict[str, datetime] = field(default_factory=dict)
    """When each system job was last done wholly."""
    _failing: dict[str, str] = field(default_factory=dict)
    """What each system job that fails said last: it is told once, however often it fails."""
    _ends: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Claim no more, and go."""
        self._ends.set()

    def serve(self, *, until: datetime | None = None, patience: timedelta) -> bool:
        """Go on until `end`, or a moment; whether all that was under way then ended with `patience`."""
        pool = Pool(self.worker, self.size, self.tell)
        clockwork = _clockwork()
        for job in self.jobs:
            clockwork.add_job(
                self._do,
                "interval",
                (job, pool.wake),
                seconds=job.every.total_seconds(),
                id=job.name,
                next_run_time=datetime.now(UTC),
            )
        with Beats(self.worker.keeper):
            pool.start()
            clockwork.start()
            try:
                self._wait(until)
            finally:
                clockwork.shutdown(wait=False)
                is_done = pool.stop(patience)
        return is_done

    def _wait(self, until: datetime | None) -> None:
        left = (until - self.worker.clock.now()).total_seconds() if until else None
        self._ends.wait(left)

    def _do(self, job: SystemJob, wake: Callable[[], None]) -> None:
        """A failure is told and tried again at its next time: the ledger may be away for a while."""
        try:
            if job.do():
                wake()
            self.done_at[job.name] = self.worker.clock.now()
            self._failing.pop(job.name, None)
        except Exception as error:  # noqa: BLE001  # one system job's bug may not end the others
            is_news = self._failing.get(job.name) != str(error)
            self._failing[job.name] = str(error)
            if is_news and not self._ends.is_set():
                self.tell(job.name, error)


def settle() -> None:
    """Let no search for garbage go through what stays: thousands of workflows, until they are read again."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _clockwork() -> BackgroundScheduler:
    defaults: Mapping[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    return BackgroundScheduler(
        jobstores={"default": MemoryJobStore()},
        executors={"default": ThreadPoolExecutor(8)},
        job_defaults=dict(defaults),
        timezone=UTC,
    )
