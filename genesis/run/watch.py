"""Everything that hears of a scheduler's runs, put together: alerts and their delivery, pages, log, pings, lineage.

A scheduler tells `on_end`, `ticked` and `load`, and does each of `routines` now and then. The surprise: a message is
decided and kept by one routine and sent by another, so a receiver that hangs delays no decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from genesis.errors import Problem, UsageError
from genesis.interfaces import Clock
from genesis.run.delivery import deliver, opener
from genesis.run.health import DeadMan, Health, HealthServer
from genesis.run.jobs import NamedJob, all_jobs
from genesis.run.ledger import Ledger
from genesis.run.logs import Log
from genesis.run.metrics import Facts
from genesis.run.observing import Observer
from genesis.run.openlineage import Emitter, Subject, subject_of, to_address, to_file
from genesis.run.queue import Claim, End
from genesis.secrets import resolve_references
from genesis.spec.project import Project, Target

_KEPT = timedelta(days=30)  # messages that were sent, nodes that are gone


@dataclass(frozen=True)
class Outlets:
    """Where a node tells of itself. Addresses may hold references to secrets.

    Args:
        health: `HOST:PORT` for pages; none are served without it.
        token: What their readers must know; asked for wherever others can reach them.
        log: The file of log lines; stderr has none of them.
        ping: An address that is called once a minute.
        lineage: An address or a file for OpenLineage events.
        allow_private: Whether `ping` and `lineage` may be of this network.
    """

    health: str | None = None
    token: str = ""
    log: str | None = None
    ping: str | None = None
    lineage: str | None = None
    allow_private: bool = False


@dataclass(frozen=True)
class Routine:
    """Something that is to be done again and again."""

    name: str
    every: timedelta
    do: Callable[[], object]


class Watch:
    """What a scheduler tells to, from `with` to its end."""

    def __init__(
        self,
        ledger: Ledger,
        project: Project,
        *,
        engine: str,
        target: Target,
        node: str,
        version: str,
        root: Path,
        clock: Clock,
        outlets: Outlets | None = None,
        paused: Callable[[], Mapping[str, str]] = dict,
        next_at: Callable[[], Mapping[str, datetime]] = dict,
    ) -> None:
        self._outlets = outlets or Outlets()
        self._ledger, self._clock, self._root, self._node = ledger, clock, root, node
        self._target, self._paused, self._next_at = target, paused, next_at
        self._opened = ExitStack()
        self.observer = Observer(ledger, project, engine, node, version, clock.now())
        self.server: HealthServer | None = None
        self._dead_man = self._make_dead_man()

    def __enter__(self) -> Self:
        outlets, observer = self._outlets, self.observer
        if outlets.log:
            observer.log = Log.to_file(self._root / outlets.log, self._clock.now)
            self._opened.callback(observer.log.close)
        if outlets.lineage:
            observer.lineage = self._opened.enter_context(Emitter(self._lineage(outlets.lineage)))
            observer.subject_of = self._subject
        if outlets.health:
            host, port = _address(outlets.health)
            health = Health(self._age, self._facts, self._write, outlets.token)
            self.server = self._opened.enter_context(HealthServer(health, host, port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    # ---- what a scheduler tells

    def load(self, project: Project, problems: Iterable[Problem] = ()) -> None:
        """From now on these definitions count; of files with problems the last good version stays."""
        self.observer.load(project)
        broken: dict[str, str] = {}
        for problem in problems:
            broken.setdefault(
                problem.at.file if problem.at else project.settings.project, str(problem)
            )
        self.observer.broken(broken, at=self._clock.now())

    def on_claim(self, claim: Claim) -> None:
        """A run has a worker."""
        self._heard(partial(self.observer.claimed, claim))

    def on_end(self, claim: Claim, end: End) -> None:
        """A run ended, or an attempt of it."""
        self._heard(partial(self.observer.ended, claim, end, at=self._clock.now()))

    def on_lost(self, claim: Claim) -> None:
        """A run is no longer its worker's, while that works on it."""
        self._heard(partial(self.observer.lost, claim))

    def on_skip(self, reasons: Mapping[str, int]) -> None:
        """Slots are not run: how many, by reason."""
        for reason, number in reasons.items():
            self.observer.meter.skipped(reason, number)

    def ticked(self, length: timedelta) -> None:
        """A tick was done wholly."""
        self.observer.ticked(length, at=self._clock.now())

    @property
    def routines(self) -> tuple[Routine, ...]:
        """What is to be done again and again, beside the scheduler's own."""
        minute = timedelta(minutes=1)
        pings = [Routine("ping", minute, self._dead_man.tick)] if self._dead_man else []
        return (
            Routine("look for late", minute, self._look),
            Routine("alerts", timedelta(seconds=10), self._collect),
            Routine("deliver", timedelta(seconds=10), self._deliver),
            Routine("node", timedelta(seconds=30), self._write),
            Routine("forget", timedelta(days=1), self._forget),
            *pings,
        )

    # ---- routines

    def _heard(self, tell: Callable[[], object]) -> None:
        """Whatever goes wrong in telling of a run, the run and its worker go on."""
        try:
            tell()
        except Exception as error:  # noqa: BLE001
            (self.observer.log or Log()).write("not_heard", error)

    def _look(self) -> None:
        self.observer.look(at=self._clock.now(), paused=self._silent())

    def _collect(self) -> None:
        self.observer.collect(at=self._clock.now(), paused=self._silent())

    def _silent(self) -> Mapping[str, str]:
        """The jobs that are paused, by themselves or with their workflow, and why."""
        paused = self._paused()
        names = {job.name: job.workflow.name for job in all_jobs(self.observer.project)}
        found = {job: paused.get(job) or paused.get(workflow) for job, workflow in names.items()}
        return {job: why for job, why in found.items() if why}

    def _deliver(self) -> None:
        find = opener(self.observer.project.settings.alerts, self._root)
        told = self.observer.meter.sent
        deliver(self._ledger.alerts, find, owner=self._node, clock=self._clock, counts=told)

    def _write(self) -> None:
        self._ledger.nodes.beat(self._node, at=self._clock.now())

    def _forget(self) -> None:
        before = self._clock.now() - _KEPT
        self._ledger.alerts.prune(before=before)
        self._ledger.nodes.forget(before=before)

    # ---- outlets

    def _age(self) -> timedelta:
        return self.observer.age(at=self._clock.now())

    def _facts(self) -> Facts:
        now, paused = self._clock.now(), self._silent()
        return self.observer.facts(at=now, paused=paused, next_at=self._next_at())

    def _subject(self, job: NamedJob) -> Subject:
        return subject_of(self.observer.project, job, self._target)

    def _lineage(self, where: str) -> Callable[[Mapping[str, object]], None]:
        if "://" in where or where.startswith("${"):
            address = resolve_references(where, self._root)
            return to_address(address, allow_private=self._outlets.allow_private)
        return to_file(self._root / where)

    def _make_dead_man(self) -> DeadMan | None:
        if not self._outlets.ping:
            return None
        address = resolve_references(self._outlets.ping, self._root)
        private = self._outlets.allow_private
        return DeadMan(address, every=1, allow_private=private, tell=self._unheard)

    def _unheard(self, why: str) -> None:
        self.observer.meter.ping_failed()
        if self.observer.log:
            self.observer.log.write("ping_failed", why=why)


def _address(text: str) -> tuple[str, int]:
    """`HOST:PORT`, or a port of this machine's own."""
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        hint = "for example `127.0.0.1:9464`"
        raise UsageError(Problem("wrong-usage", f"`{text}` is not `HOST:PORT`", hint=hint))
    return host.strip("[]") or "127.0.0.1", int(port)
