"""What doing a job takes from outside: an engine, sinks, the lake, the ledger. `run` and `schedule` do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesis.clock import SystemClock
from genesis.errors import DefinitionError, Problem

if TYPE_CHECKING:
    from genesis.interfaces import Clock, Engine, Rates, Sink
    from genesis.run.jobs import NamedJob
    from genesis.run.lease import Lease
    from genesis.run.ledger import Ledger, Run
    from genesis.run.rates import Buckets
    from genesis.run.runner import Done, Runner
    from genesis.run.worker import Options
    from genesis.spec.project import Project, Sinks, Target
    from genesis.spec.workflow import Workflow


class Services:
    """Opens sinks; those that are services are told how they are reached, and share their rates."""

    def __init__(self, root: Path, settings: Sinks, state: str, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._root = root
        self._settings = settings
        self._state = state
        self._rates: Buckets | None = None

    def open_sink(self, kind: str, lease: Lease | None = None) -> Sink:
        from genesis.plugins import find_plugin
        from genesis.run.lease import Leased

        plugin = find_plugin("sinks", kind)
        access = getattr(self._settings, kind, None)
        if access is None:
            sink: Sink = plugin(self._root)
            return sink
        rates: Rates = Leased(self._shared(), lease) if lease else self._shared()
        service: Sink = plugin(self._root, access, rates)
        return service

    def close(self) -> None:
        if self._rates:
            self._rates.close()

    def _shared(self) -> Buckets:
        from genesis.run.rates import Buckets
        from genesis.run.state import State

        if self._rates is None:
            self._rates = Buckets(State(self._state, self._root), self.clock)
        return self._rates


@dataclass(frozen=True)
class Doing:
    """The jobs of a project, with a target that runs their SQL."""

    root: Path
    project: Project
    target: Target
    services: Services
    ledger: Ledger | None

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        from genesis.plugins import find_plugin

        with find_plugin("engines", self.target.engine.kind)(self.root, self.target) as engine:
            yield engine

    def runner(self, engine: Engine, *, lease: Lease | None = None, **options: Any) -> Runner:
        """What does jobs; for a lease, only while it lasts."""
        from genesis.cli.audit import auditor
        from genesis.cli.heartbeat import beater
        from genesis.lake.annotations import LakeAnnotations
        from genesis.lake.upkeep import keep_up
        from genesis.run.runner import Runner

        project, root, target = self.project, self.root, self.target
        dry_run = options.get("dry_run", False)
        kept = None if dry_run else self.ledger
        return Runner(
            project=project,
            engine=engine,
            open_sink=partial(self.services.open_sink, lease=lease),
            ledger=self.ledger,
            clock=self.services.clock.now,
            moment=self.services.clock.now(),
            audit=auditor(project, engine, root, kept.audits if kept else None),
            heartbeat=beater(project, kept.heartbeats, root=root, target=target) if kept else None,
            keep_up=partial(
                keep_up, project, root=root, target=target, engine=engine, dry_run=dry_run
            ),
            annotations=LakeAnnotations(root, target, may_make=not dry_run),
            **options,
        )

    # ---- as the runs of a queue

    def options(self, run: Run) -> Options:
        from genesis.run.worker import Options

        job = self._job(run)
        timeout = job.job.timeout or job.workflow.timeout
        return Options(timeout, job.job.retries, job.job.deadline)

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        """Do the job of a run. Raises `UnknownJob` where the project has none, as it was read here."""
        job = self._job(run)
        with self.engine() as engine, lease.interrupts(engine.interrupt):
            return self.runner(engine, lease=lease, phase=phase, may_skip=True).do(job)

    def tables(self, workflow: Workflow, engine: Engine) -> tuple[str, ...]:
        """The tables that a workflow's refreshes read; not those of inputs that are broken."""
        from genesis.run.jobs import jobs_of

        runner = self.runner(engine)
        found: set[str] = set()
        for job in jobs_of(self.project, workflow):
            with suppress(DefinitionError):
                found.update(runner.tables(job))
        return tuple(sorted(found))

    def _job(self, run: Run) -> NamedJob:
        from genesis.run.jobs import pick_jobs
        from genesis.run.worker import UnknownJob

        try:
            found = pick_jobs(self.project, [run.job])
        except DefinitionError as error:
            raise UnknownJob(error.problems) from error
        if not found:  # it is told elsewhere what is wrong with its workflow
            problem = Problem("unknown-workflow", f"the workflow of `{run.job}` is broken")
            raise UnknownJob(problem, is_broken=True)
        return found[0]
