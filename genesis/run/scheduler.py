"""Asks for runs when they are due. Any number of schedulers may do so at once: none of them leads.

A slot is asked for in the transaction that moves its workflow's watermark, under a key that is unique;
so a scheduler that dies in between has asked for nothing, and one that comes second for nothing new.
Every slot that a schedule has is a run, if only to say why it was skipped. The surprise: what
changes ask for is told apart by the snapshots that were seen, not by when they were.
"""

from __future__ import annotations

import heapq
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa

from genesis.run.asking import asked_by, mark_of, timed_by
from genesis.run.jobs import jobs_of
from genesis.run.ledger import SCHEDULED, runs
from genesis.run.queue import Asked, Queue
from genesis.run.renames import follow_renames
from genesis.run.state import State
from genesis.run.triggers import Triggers
from genesis.schedule.due import Due, Missed, Watermark, due, trigger_of
from genesis.schedule.fires import next_fire
from genesis.schedule.order import admit
from genesis.spec.project import Project
from genesis.spec.workflow import Workflow

Snapshots = Mapping[str, int | None]

_NEVER = datetime.max.replace(tzinfo=UTC)
_CHUNK = 500  # names in one statement


class Scheduler:
    """Asks for the runs of a project.

    Args:
        state: The database of runs and watermarks.
        clock: Tells the time, in UTC.
        project: What is scheduled, until another one is loaded.
        engine: The target that runs the SQL, which limits may be set for.
        on_skip: Told how many runs are skipped, by reason.
    """

    def __init__(
        self,
        state: State,
        clock: Callable[[], datetime],
        project: Project,
        *,
        engine: str,
        on_skip: Callable[[Mapping[str, int]], None] = lambda _reasons: None,
    ) -> None:
        self.queue = Queue(state)
        self.triggers = Triggers(state)
        self._state = state
        self._clock = clock
        self._engine = engine
        self._on_skip = on_skip
        # A node ticks, looks and loads in threads of their own; each sees one project, whole.
        self._turn = threading.Lock()
        self.load(project)

    def load(self, project: Project) -> None:
        """Schedule what a project says from now on. What it said before and still says goes on."""
        zone = project.settings.timezone
        found = {
            name: trigger_of(workflow, zone, project.templates)
            for name, workflow in project.workflows.items()
        }
        timed = {name: trigger for name, trigger in found.items() if trigger}
        jobs = {name: jobs_of(project, each) for name, each in project.workflows.items()}
        told = {name: str(trigger.timetable) for name, trigger in timed.items()}
        told |= {workflow.name: "on change" for workflow in on_change(project)}
        with self._turn:
            follow_renames(self._state, project)
            marks = self.triggers.begin(told, at=self._clock())
            self._project, self._triggers, self._jobs = project, timed, jobs
            self._next = [
                (next_fire(trigger.timetable, marks[name]) or _NEVER, name)
                for name, trigger in timed.items()
            ]
            heapq.heapify(self._next)

    def tick(self) -> int:
        """Ask for all that is due; how many runs are new."""
        with self._turn:
            return self._tick(self._clock())

    def _tick(self, now: datetime) -> int:
        names = []
        while self._next and self._next[0][0] <= now:
            names.append(heapq.heappop(self._next)[1])
        if not names:
            return 0
        try:
            paused = self.triggers.paused(now)
            with self._state.transaction() as connection:
                found = self._due(connection, names, now)
                asked = [
                    each for name, what in found.items() for each in self._asked(name, what, paused)
                ]
                new = self.queue.ask_within(connection, asked, at=now)
                self.triggers.advance(connection, {n: d.watermark.at for n, d in found.items()})
                skipped = self._admit(connection, [n for n in found if found[n].slots], now)
        except BaseException:
            for name in names:  # asked for again by the next tick
                heapq.heappush(self._next, (now, name))
            raise
        for name in names:
            heapq.heappush(self._next, (_then(found.get(name), now), name))
        self._on_skip(skipped + Counter(each.reason for each in asked if each.reason))
        return new

    def look(self, snapshots: Mapping[str, Snapshots]) -> int:
        """Ask for the workflows that follow changes, given the snapshots of what each reads; how many runs are new."""
        with self._turn:
            return self._look(snapshots, self._clock())

    def _look(self, snapshots: Mapping[str, Snapshots], now: datetime) -> int:
        new = 0
        seen = self.triggers.all_seen()
        paused = self.triggers.paused(now)
        for workflow in on_change(self._project):
            seen_now = snapshots.get(workflow.name, {})
            if not any(seen_now.values()) or seen.get(workflow.name) == dict(seen_now):
                continue
            with self._state.transaction() as connection:
                if self.triggers.seen(connection, workflow.name) == dict(seen_now):
                    continue
                asked = list(
                    asked_by(
                        workflow.name,
                        self._jobs[workflow.name],
                        trigger="change",
                        at=now,
                        engine=self._engine,
                        mark=mark_of(seen_now),
                        reason=partial(_pause, paused),
                    )
                )
                new += self.queue.ask_within(connection, asked, at=now)
                self.triggers.see(connection, workflow.name, seen_now)
                skipped = self._admit(connection, [workflow.name], now)
            self._on_skip(skipped + Counter(each.reason for each in asked if each.reason))
        return new

    @property
    def next_at(self) -> datetime | None:
        """When something is due next."""
        return self._next[0][0] if self._next and self._next[0][0] < _NEVER else None

    def next_by_job(self) -> dict[str, datetime]:
        """When each job is due next; not that of one that is being asked for right now."""
        jobs = self._jobs
        return {
            job.name: at
            for at, name in list(self._next)
            if at < _NEVER
            for job in jobs.get(name, ())
        }

    def _due(
        self, connection: sa.Connection, names: Collection[str], now: datetime
    ) -> dict[str, Due]:
        """What is due of each, by the watermark that all schedulers share."""
        told = {name: str(self._triggers[name].timetable) for name in names}
        marks = self.triggers.watermarks(connection, told)
        return {
            name: due(self._triggers[name], Watermark(at, told[name]), now)
            for name, at in marks.items()
        }

    def _asked(self, name: str, what: Due, paused: Mapping[str, str]) -> Iterator[Asked]:
        """The runs of what is due of a workflow, those that are skipped among them."""
        workflow = self._project.workflows[name]
        ask = partial(
            asked_by, name, self._jobs[name], trigger=timed_by(workflow), engine=self._engine
        )
        for missed in what.missed:
            reason = _why(missed)
            yield from ask(at=missed.last, mark=_span(missed), reason=partial(_always, reason))
        for slot in what.slots:
            yield from ask(at=slot, reason=partial(_pause, paused))

    def _admit(
        self, connection: sa.Connection, workflows: Iterable[str], now: datetime
    ) -> Counter[str]:
        """Skip the runs that a newer one has made needless, or that come while one goes on; how many, by reason."""
        owners = {job.name: job.workflow for name in workflows for job in self._jobs[name]}
        skipped: dict[str, list[int]] = {}
        for job, open_runs in _open(connection, list(owners)).items():
            waiting = {row.at: row.id for row in open_runs if row.state != "running"}
            admission = admit(
                waiting,
                [row.at for row in open_runs if row.state == "running"],
                overlap=owners[job].overlap,
                catchup=owners[job].catchup,
            )
            for at, reason in admission.skipped.items():
                skipped.setdefault(reason, []).append(waiting[at])
        return Counter(
            {
                reason: self.queue.skip_within(connection, ids, reason, at=now)
                for reason, ids in skipped.items()
            }
        )


@dataclass(frozen=True)
class _Open:
    id: int
    at: datetime
    state: str


def _open(connection: sa.Connection, jobs: list[str]) -> dict[str, list[_Open]]:
    """The runs of jobs that have not ended and were asked for by a schedule, by job."""
    found: dict[str, list[_Open]] = {}
    for start in range(0, len(jobs), _CHUNK):
        query = sa.select(runs.c.id, runs.c.job, runs.c.logical_time, runs.c.state).where(
            runs.c.job.in_(jobs[start : start + _CHUNK]),
            runs.c.finished_at.is_(None),
            runs.c.trigger.in_(SCHEDULED),
        )
        for row in connection.execute(query):
            at = datetime.fromisoformat(row.logical_time)
            found.setdefault(row.job, []).append(_Open(row.id, at, row.state))
    return found


def on_change(project: Project) -> Iterator[Workflow]:
    """The workflows that run when a table they read has changed."""
    for workflow in project.workflows.values():
        if workflow.schedule and workflow.schedule.on_change:
            yield workflow


def _then(what: Due | None, now: datetime) -> datetime:
    """When to look at a workflow again; one whose schedule another scheduler knows better, never."""
    return _NEVER if what is None or what.next is None else max(what.next, now)


def _always(reason: str, _job: str) -> str:
    return reason


def _pause(paused: Mapping[str, str], job: str) -> str | None:
    return paused.get(job) or paused.get(job.partition(".")[0])


def _span(missed: Missed) -> str:
    first, last = missed.first.isoformat(), missed.last.isoformat()
    return last if first == last else f"{first}/{last}"


def _why(missed: Missed) -> str:
    if missed.first == missed.last:
        return missed.reason
    return f"{missed.reason}, from {missed.first:%Y-%m-%d %H:%M} on"
