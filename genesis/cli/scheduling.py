"""What `genesis schedule` does when it goes on: it asks for runs, does them, and reads the project again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from genesis.cli.doing import Doing, Services
from genesis.cli.session import Session
from genesis.compile.check import check_project
from genesis.console import show_problems
from genesis.errors import DefinitionError, Problem, Problems, UsageError, suggest
from genesis.folders import FOLDERS, PROJECT_FILE, yaml_files
from genesis.run.clock import LedgerClock
from genesis.run.jobs import SERVICES
from genesis.run.lease import BEATS, Keeper, Lease
from genesis.run.ledger import Ledger, Run
from genesis.run.prune import prune
from genesis.run.queue import Claim, End, Queue, owner_name
from genesis.run.rebuild import in_use
from genesis.run.reload import Loaded, Reloader
from genesis.run.runner import Done
from genesis.run.scheduler import Scheduler, on_change
from genesis.run.service import TICK, Service, SystemJob, settle
from genesis.run.state import file_of
from genesis.run.triggers import Triggers
from genesis.run.watch import Outlets, Watch
from genesis.run.worker import Options, Worker
from genesis.spec.project import SETTINGS, Project

_LOOK = timedelta(seconds=5)
_REST = 5  # looks take a fifth of the time at most, however many tables there are
_RELOAD = timedelta(seconds=5)
_TAKE_OVER = timedelta(seconds=5)
_PATIENCE = timedelta(seconds=30)


def serve(
    session: Session,
    *,
    until: datetime | None,
    workers: int,
    asks: bool,
    lease: timedelta,
    limits: Mapping[str, int],
    outlets: Outlets,
) -> int:
    """Schedule a project until a moment, or until told to end; the exit code."""
    from genesis.secrets import resolve_references

    root = session.root
    reloader = Reloader(_loader(session), lambda: _files(root))
    loaded = reloader.changed()
    if loaded is None:
        raise LookupError("a project that was never read is read")
    project = loaded.project
    if SETTINGS in project.broken:
        raise DefinitionError(loaded.problems)
    name, target = session.target(project)
    state = resolve_references(project.settings.state, root)
    _check_limits(limits, project)
    ledger = Ledger(state, root)
    ledger.state.check()
    clock = LedgerClock(ledger.state, _say)
    queue, triggers = Queue(ledger.state), Triggers(ledger.state)
    services = Services(root, project.settings.sinks, state, clock)
    watch = Watch(
        ledger,
        project,
        engine=name,
        target=target,
        node=owner_name(),
        version=_version(),
        root=root,
        clock=clock,
        outlets=outlets,
        paused=lambda: triggers.paused(clock.now()),
        next_at=lambda: scheduler.next_by_job() if scheduler else {},
    )
    current = _Current(Doing(root, project, target, services, ledger), watch)
    scheduler = (
        Scheduler(ledger.state, clock.now, project, engine=name, on_skip=watch.on_skip)
        if asks
        else None
    )

    unscheduled: list[Project] = []

    def reload() -> None:
        if found := reloader.changed():
            _tell_loaded(found, session)
            watch.load(found.project, found.problems)
            current.doing = Doing(root, found.project, target, services, ledger)
            unscheduled[:] = [found.project]
            settle()
        if scheduler and unscheduled:  # until the ledger has taken it
            scheduler.load(unscheduled[0])
            unscheduled.clear()

    def look() -> int:
        return scheduler.look(current.snapshots()) if scheduler else 0

    def tick() -> int:
        began = time.monotonic()
        new = scheduler.tick() if scheduler else 0
        watch.ticked(timedelta(seconds=time.monotonic() - began))
        return new

    def tell_end(claim: Claim, end: End) -> None:
        _tell_end(claim, end)
        watch.on_end(claim, end)

    service = Service(
        Worker(
            queue,
            current,
            Keeper(queue, clock, lease),
            clock,
            owner_name(),
            limits,
            on_end=tell_end,
            on_lost=watch.on_lost,
        ),
        workers,
        (
            SystemJob("tick", TICK, tick),
            *([SystemJob("look", _LOOK, look)] if scheduler else []),
            SystemJob("take over", _TAKE_OVER, lambda: queue.take_over(now=clock.now())),
            SystemJob("reload", _RELOAD, reload),
            SystemJob("prune", timedelta(days=1), lambda: prune(ledger.state, now=clock.now())),
            SystemJob("clock", lease / BEATS, clock.measure),
            *(SystemJob(each.name, each.every, each.do) for each in watch.routines),
        ),
        _tell_failure,
    )
    _tell_loaded(loaded, session)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: service.end())
    _tell_begin(project, workers, scheduler)
    with in_use(file_of(state, root)), watch:
        watch.load(project, loaded.problems)
        settle()
        is_done = service.serve(until=until, patience=_PATIENCE)
    services.close()
    ledger.close()
    if not is_done:
        _say("ended with runs under way; they are taken over at the next start")
        os._exit(0)  # what is under way ends with its process, and its lease with it
    return 0


def _check_limits(limits: Mapping[str, int], project: Project) -> None:
    """Raises `UsageError` for a limit of what is no target and no service."""
    limited = (*project.settings.targets, *SERVICES)
    for name in limits:
        if name not in limited:
            message = f"`--limit {name}={limits[name]}`: no target or service is called `{name}`"
            raise UsageError(Problem("wrong-usage", message, hint=suggest(name, limited)))


class _Current:
    """The jobs of the project as it is now: `Doer` of the workers."""

    def __init__(self, doing: Doing, watch: Watch) -> None:
        self.doing = doing
        self._watch = watch
        self._followed: tuple[Doing, dict[str, tuple[str, ...]]] | None = None
        self._looks_at = 0.0

    def options(self, run: Run) -> Options:
        return self.doing.options(run)

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        self._watch.on_claim(lease.claim)
        return self.doing.do(run, lease, phase)

    def snapshots(self) -> Mapping[str, Mapping[str, int | None]]:
        """The snapshots of the tables that each workflow reads which follows changes."""
        doing, began = self.doing, time.monotonic()
        workflows = list(on_change(doing.project))
        if not workflows or began < self._looks_at:
            return {}
        with doing.engine() as engine:
            if self._followed is None or self._followed[0] is not doing:
                tables = {each.name: doing.tables(each, engine) for each in workflows}
                self._followed = doing, tables
            followed = self._followed[1]
            # Who reads what is found out once: nobody waits for that again.
            began = time.monotonic()
            found = engine.snapshots(tuple(sorted(set().union(*followed.values()))))
        took = time.monotonic() - began
        self._looks_at = began + took * _REST
        return {name: {each: found[each] for each in read} for name, read in followed.items()}


def _loader(session: Session) -> Callable[[Problems], Project]:
    def load(problems: Problems) -> Project:
        # Settings that break later keep their last good version; a wrong test holds no tracker up.
        project = session.read(problems, tests=False)
        check_project(project, problems)
        return project

    return load


def _files(root: Path) -> Iterator[Path]:
    yield root / PROJECT_FILE
    for folder in FOLDERS:
        yield from yaml_files(root / folder)


def _tell_loaded(loaded: Loaded, session: Session) -> None:
    show_problems(loaded.problems, root=session.shown_root)
    if loaded.problems:
        _say("what is broken keeps its last good version, if it had one")


def _tell_begin(project: Project, workers: int, scheduler: Scheduler | None) -> None:
    count = sum(1 for workflow in project.workflows.values() if workflow.schedule)
    following = sum(1 for _ in on_change(project))
    what = f"{count} workflows" + (f", {following} of them on change" if following else "")
    what = what if scheduler else "the runs that others ask for"
    first = scheduler.next_at if scheduler else None
    due = f"; next at {first:%Y-%m-%d %H:%M:%S} UTC" if first else ""
    _say(f"scheduling {what}, {workers} side by side{due}; Ctrl-C ends it")


def _tell_end(claim: Claim, end: End) -> None:
    took = sum((end.phases or {}).values())
    reason = f": {end.reason}" if end.reason else ""
    _say(f"{end.state:<10} {claim.run.job} ({claim.run.trigger}, {took:.1f} s){reason}")
    problems = (Problem(p["code"], p["message"], hint=p["hint"]) for p in end.problems)
    show_problems(problems)


def _version() -> str:
    try:
        return version("genesis-trackers")
    except PackageNotFoundError:
        return "from source"


def _tell_failure(job: str, error: Exception) -> None:
    _say(f"{job}: {error}")


def _say(text: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {text}", err=True)
