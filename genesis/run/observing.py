"""What a scheduler tells of itself: the one place that alerts, counters, logs and pages hear of runs from.

It decides nothing about runs. The surprise: whether a tracker is late depends on time alone, so it is asked for again and
again, and not only when a run ends.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genesis.run.clock import APART
from genesis.run.delivery import mail_server
from genesis.run.jobs import NamedJob, all_jobs
from genesis.run.ledger import Ledger, Run
from genesis.run.logs import Log
from genesis.run.metrics import Facts, Meter, TrackerFacts
from genesis.run.openlineage import Attempt, Emitter, EventType, Subject, event, type_of
from genesis.run.queue import Claim, End, Queue
from genesis.schedule.alerting import (
    OF_JOBS,
    Ended,
    Gone,
    Kind,
    Signal,
    Trouble,
    Well,
    is_long,
    receivers_of,
    signal_of,
)
from genesis.schedule.late import Success, late_from, promise_of
from genesis.spec.project import Project
from genesis.spec.workflow import Workflow

_BEFORE = 40  # runs that say how long one takes


@dataclass
class Observer:
    """Hears of runs and ticks, and says what there is to say.

    Args:
        project: Whose definitions say who is told; another one takes its place by `load`.
        engine: What the target is called that runs the SQL.
        node: Who this is.
        started_at: When; a tracker that was never right is late from here on.
    """

    ledger: Ledger
    project: Project
    engine: str
    node: str
    version: str
    started_at: datetime
    meter: Meter = field(default_factory=Meter)
    log: Log | None = None
    lineage: Emitter | None = None
    subject_of: Callable[[NamedJob], Subject] | None = None
    """What a job is to OpenLineage; asked for once, until there are other definitions."""
    last_tick: datetime | None = None
    ticks: Callable[[], float] = time.monotonic
    """A clock that nobody sets, in seconds."""
    _last_ticks: float = 0.0
    _jobs: dict[str, NamedJob] = field(default_factory=dict)
    _subjects: dict[str, Subject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.load(self.project)

    def load(self, project: Project) -> None:
        """From now on these definitions count."""
        self.project = project
        self._jobs = {job.name: job for job in all_jobs(project)}
        self._subjects = {}

    # ---- hearing

    def claimed(self, claim: Claim) -> None:
        """A run has a worker."""
        if claim.run.due_at:
            self.meter.claimed(claim.run.started_at - claim.run.due_at)
        if self.log:
            self.log.claimed(claim)
        self._trace("START", claim, End("running"), claim.run.started_at)

    def ended(self, claim: Claim, end: End, *, at: datetime) -> None:
        """A run ended, or an attempt of it."""
        job = self._jobs.get(claim.run.job)
        kind = job.job.kind if job else "refresh"
        self.meter.ended(kind, end.state, end.error_class, end.phases or {})
        if self.log:
            self.log.ended(claim, end)
        self._trace(type_of(end.state), claim, end, at)
        if job and (signal := signal_of(_ended(job, end, self.engine), self._told(job, "failing"))):
            self.ledger.alerts.hear([signal], at=at)

    def ticked(self, length: timedelta, *, at: datetime) -> None:
        """A tick was done wholly. One that is not as much later as time has passed tells of a clock that was set."""
        ticks = self.ticks()
        if self.last_tick:
            passed = timedelta(seconds=ticks - self._last_ticks)
            if abs(at - self.last_tick - passed) > APART:
                self.meter.jumped()
        self.last_tick, self._last_ticks = at, ticks
        self.meter.ticked(length)

    def lost(self, _claim: Claim) -> None:
        """A run is no longer its worker's."""
        self.meter.lost()

    def age(self, *, at: datetime) -> timedelta:
        """How old the last tick is, or the node, if there was none."""
        return at - (self.last_tick or self.started_at)

    def broken(self, files: Mapping[str, str], *, at: datetime) -> None:
        """Files whose last good version stays, each with what is wrong; all others are well."""
        before = {a.subject for a in self.ledger.alerts.all() if a.kind == "definition"}
        signals: list[Signal] = [Well(name, ("definition",)) for name in before - files.keys()]
        for name, text in sorted(files.items()):
            receivers = self._of_file(name)
            signals.append(Trouble(name, "definition", "broken", text, receivers))
        self.ledger.alerts.hear(signals, at=at)

    # ---- looking

    def look(self, *, at: datetime, paused: Iterable[str] = ()) -> None:
        """Hear which trackers are late, which runs take long, and what is no more."""
        silent = frozenset(paused)
        asked = [job for job in self._jobs.values() if job.name not in silent]
        late = self._late(asked, at)
        self.ledger.alerts.hear([*late, *self._long(at), *self._gone()], at=at)

    def collect(self, *, at: datetime, paused: Iterable[str] = ()) -> int:
        """Make the messages that are due; how many."""
        can_mail = mail_server(self.project.settings.alerts) is not None
        owners = {
            audit.name: receivers_of((), audit.owner, can_mail=can_mail)
            for audit in self.project.audits.values()
        }
        silent = frozenset(paused)
        return self.ledger.alerts.collect(self.ledger.audits, at=at, paused=silent, owners=owners)

    def facts(
        self,
        *,
        at: datetime,
        paused: Mapping[str, str] | None = None,
        next_at: Mapping[str, datetime] | None = None,
    ) -> Facts:
        """One moment of it all; `next_at` is when jobs run next."""
        queue = Queue(self.ledger.state)
        open_ = self.ledger.alerts.open()
        subjects = {(alert.subject, alert.kind) for alert in open_}
        troubles: dict[str, set[str]] = {}
        for subject, kind in subjects:
            troubles.setdefault(subject, set()).add(kind)
        refreshes = [job for job in self._jobs.values() if job.job.refresh]
        successes = self.ledger.last_successes(job.name for job in refreshes)
        return Facts(
            version=self.version,
            node=self.node,
            at=at,
            started_at=self.started_at,
            last_tick=self.last_tick,
            oldest_due=queue.oldest_due(now=at),
            waiting=Counter(run.state for run in queue.open_runs()),
            permits=queue.permits(now=at),
            alerts=Counter(kind for _, kind in subjects),
            unsent=len(self.ledger.alerts.unsent()),
            trackers=tuple(
                _tracker(
                    job.name,
                    successes.get(job.name),
                    troubles.get(job.name, set()),
                    paused or {},
                    next_at or {},
                )
                for job in refreshes
            ),
            counts=self.meter.counts(),
        )

    def _trace(self, kind: EventType | None, claim: Claim, end: End, at: datetime) -> None:
        """Send what a run reads and writes. Whatever becomes of that, the run goes on."""
        job, run = self._jobs.get(claim.run.job), claim.run
        if kind is None or job is None or self.lineage is None or self.subject_of is None:
            return
        try:
            if job.name not in self._subjects:
                self._subjects[job.name] = self.subject_of(job)
            problem = next((str(each.get("message")) for each in end.problems), end.reason)
            snapshots = end.snapshots or {}
            attempt = Attempt(
                run.run_key, run.attempt, at, run.logical_time, snapshots, end.rows, problem
            )
            self.lineage.emit(event(kind, self._subjects[job.name], attempt))
        except Exception:  # noqa: BLE001  # a bug in what is told about a run may not end it
            self.lineage.dropped += 1

    def _late(self, jobs: Iterable[NamedJob], now: datetime) -> Iterator[Signal]:
        """Whether jobs are late of which something was promised."""
        promised = [job for job in jobs if job.job.refresh and _is_promised(job.workflow)]
        successes = self.ledger.last_successes(job.name for job in promised)
        return (self._lateness(job, successes.get(job.name), now) for job in promised)

    def _lateness(self, job: NamedJob, found: Run | None, now: datetime) -> Signal:
        promise = promise_of(job.workflow, self.project.settings.timezone)
        since = late_from(promise, _success(found) or Success(self.started_at, self.started_at))
        if since is None or now < since:
            return Well(job.name, ("late",))
        last = f"{_ended_at(found):%Y-%m-%d %H:%M} UTC" if found else "never"
        text = f"late since {since:%Y-%m-%d %H:%M} UTC; it was last right: {last}"
        return Trouble(job.name, "late", "late", text, self._told(job, "late"))

    def _long(self, now: datetime) -> Iterator[Signal]:
        for run in Queue(self.ledger.state).open_runs():
            job = self._jobs.get(run.job)
            if job is None or run.state != "running":
                continue
            before = [_length(each) for each in self._successes(run.job)]
            if is_long(now - run.started_at, before):
                text = f"it began {run.started_at:%Y-%m-%d %H:%M} UTC and has not ended"
                yield Trouble(run.job, "long", "long", text, self._told(job, "failing"))

    def _gone(self) -> Iterator[Signal]:
        alerts = self.ledger.alerts.all()
        subjects = {alert.subject for alert in alerts if alert.kind in OF_JOBS}
        return map(Gone, sorted(subjects - self._jobs.keys()))

    def _successes(self, job: str) -> Iterator[Run]:
        return (run for run in self.ledger.last_runs(job, _BEFORE) if run.state == "succeeded")

    def _told(self, job: NamedJob, kind: Kind) -> tuple[str, ...]:
        alerts = job.workflow.alerts
        named = alerts.on_late if kind == "late" else alerts.on_failure
        can_mail = mail_server(self.project.settings.alerts) is not None
        return receivers_of(named, job.workflow.owner, can_mail=can_mail)

    def _of_file(self, file: str) -> tuple[str, ...]:
        """Those that are told of the workflows of a file; of other files, all that are told of any."""
        jobs = [job for job in self._jobs.values() if job.workflow.file == file]
        told = [name for job in jobs or self._jobs.values() for name in self._told(job, "failing")]
        return tuple(sorted(dict.fromkeys(told)))


def _tracker(
    name: str,
    success: Run | None,
    troubles: set[str],
    paused: Mapping[str, str],
    next_at: Mapping[str, datetime],
) -> TrackerFacts:
    worst = ("failing", "late", "shared", "long")
    state = next((kind for kind in worst if kind in troubles), "fresh" if success else "never")
    return TrackerFacts(
        name,
        "paused" if name in paused else state,
        success.finished_at if success else None,
        success.started_at if success else None,
        next_at.get(name),
        paused.get(name),
    )


def _is_promised(workflow: Workflow) -> bool:
    return workflow.alerts.freshness is not None or workflow.alerts.complete_by is not None


def _ended(job: NamedJob, end: End, engine: str) -> Ended:
    first = next(iter(end.problems), {})
    return Ended(
        job.name,
        end.state,
        end.error_class,
        str(first.get("code") or ""),
        str(first.get("message") or end.reason or end.state),
        engine,
        job.job.to.sink if job.job.to else "",
    )


def _success(run: Run | None) -> Success | None:
    if run is None:
        return None
    return Success(run.logical_time or run.due_at or run.started_at, _ended_at(run))


def _ended_at(run: Run) -> datetime:
    return run.finished_at or run.started_at


def _length(run: Run) -> timedelta:
    return _ended_at(run) - run.started_at
