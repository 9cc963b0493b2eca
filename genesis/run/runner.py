"""Jobs, one after another. A refresh: query, compare, guard, apply, receipt. A compaction: its receipt.

A job that fails stops those that need it and no others. What a run did is in the ledger before
the next one starts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from genesis.compile.check import job_names, refreshes_of
from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import words
from genesis.compile.run import Run as Reading
from genesis.compile.statement import Column, Statement
from genesis.compile.trackers import annotation_tables, check_tracker
from genesis.errors import (
    DefinitionError,
    GenesisError,
    Problem,
    Problems,
    SinkBusy,
    SinkError,
)
from genesis.interfaces import AnnotationLog, Engine, Kept, Notices, Sink
from genesis.run.audits import Audited
from genesis.run.heartbeats import Health
from genesis.run.held import Waiting
from genesis.run.jobs import NamedJob
from genesis.run.ledger import Ledger
from genesis.run.views import refuse_other_views
from genesis.spec.project import Project
from genesis.spec.workflow import JobOptions
from genesis.sync.changes import Annotation, Changes, Receipt, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode
from genesis.sync.guards import Guards, Held, check_guards, retyped
from genesis.sync.notice import Notice, provenance
from genesis.sync.said import cells_of, read_back, table_of
from genesis.sync.shape import Shape


@dataclass(frozen=True)
class Outcome:
    """How one job ended: `succeeded no_change partial failed skipped`, or `planned` by a dry run."""

    job: str
    tracker: str
    state: str
    changes: Changes | None = None
    receipt: Receipt | None = None
    problems: tuple[Problem, ...] = ()
    exit_code: int = 0
    kept: tuple[Kept, ...] = ()
    audited: Audited | None = None
    health: Health | None = None

    def written(self) -> dict[str, Any] | None:
        """The receipt as the ledger has it."""
        if self.kept:
            return {"logs": [kept.to_json() for kept in self.kept]}
        if self.audited:
            return self.audited.receipt()
        if self.health:
            return self.health.to_json()
        return self.receipt.to_json() if self.receipt else None

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis run --format json`."""
        entry: dict[str, Any] = {"job": self.job, "tracker": self.tracker, "outcome": self.state}
        entry["receipt"] = self.written()
        if self.state == "planned" and self.changes is not None:
            entry["changes"] = self.changes.to_json()
        if self.problems:
            entry["problems"] = [problem.message for problem in self.problems]
        return entry


@dataclass(frozen=True)
class Done:
    """A job that was done or tried: how it ended, what the ledger keeps of it, why it failed."""

    outcome: Outcome
    facts: Mapping[str, Any]
    error: GenesisError | None = None


# How long a refresh whose report cannot have changed leaves its tracker unread: people may have edited it.
UNREAD = timedelta(days=1)


def in_order(jobs: Iterable[NamedJob], do: Callable[[NamedJob], Outcome]) -> Iterator[Outcome]:
    """Do jobs one after another; those that need one which did not succeed are skipped."""
    failed: set[str] = set()
    for job in jobs:
        needed = [f"{job.workflow.name}.{name}" for name in job.job.needs]
        if missing := [name for name in needed if name in failed]:
            problem = Problem("skipped-job", f"it needs `{missing[0]}`, which did not succeed")
            outcome = Outcome(job.name, tracker_text(job), "skipped", problems=(problem,))
        else:
            outcome = do(job)
        if outcome.state in ("failed", "skipped"):
            failed.add(job.name)
        yield outcome


@dataclass(frozen=True)
class Runner:
    """What refreshes need from outside; `clock` gives the time, in UTC.

    `phase` is told what a refresh does next: `compile`, `query`, `read`, `write`. One that `may_skip`
    ends as `no_change`, without a query, where neither its definition nor any table it reads has
    changed since the tracker was last looked at.
    """

    project: Project
    engine: Engine
    open_sink: Callable[[str], Sink]
    ledger: Ledger | None
    clock: Callable[[], datetime]
    moment: datetime
    dry_run: bool = False
    adopt: bool = False
    views: bool = False
    annotations: AnnotationLog | None = None
    keep_up: Callable[[str], Kept] | None = None
    audit: Callable[[str], Audited] | None = None
    heartbeat: Callable[[str, timedelta | None], Health] | None = None
    phase: Callable[[str], None] = lambda _: None
    may_skip: bool = False

    def run(self, jobs: Iterable[NamedJob]) -> Iterator[Outcome]:
        """Do jobs in order; each outcome as it is known, and nowhere else."""
        return in_order(jobs, lambda job: self.do(job).outcome)

    def do(self, job: NamedJob) -> Done:
        """Do a job, whatever others did; what it did is for others to write down."""
        facts: dict[str, Any] = {}
        try:
            return Done(self._done(job, facts), facts)
        except GenesisError as error:
            code = error.exit_code
            where = tracker_text(job)
            failed = Outcome(job.name, where, "failed", problems=error.problems, exit_code=code)
            return Done(failed, facts, error)

    def tables(self, job: NamedJob) -> tuple[str, ...]:
        """The tables that a job's refresh reads. Raises `DefinitionError` where its input is broken."""
        if job.job.refresh is None:
            return ()
        statement = self._compile(job.job.refresh, job.job.parameters)
        return tuple(scan.table for scan in statement.scans)

    def _done(self, job: NamedJob, facts: dict[str, Any]) -> Outcome:
        if job.job.compact:
            return self._compact(job)
        if job.job.heartbeat:
            return self._heartbeat(job, job.job.heartbeat)
        return self._audit(job, job.job.audit) if job.job.audit else self._refresh(job, facts)

    def _heartbeat(self, job: NamedJob, name: str) -> Outcome:
        """Send a synthetic event along a data source's path; the workflow's `freshness` is its limit."""
        if self.dry_run:
            return Outcome(job.name, "", "planned")
        if self.heartbeat is None:
            raise LookupError("a heartbeat needs a lake")
        health = self.heartbeat(name, job.workflow.alerts.freshness)
        return Outcome(
            job.name,
            "",
            "failed" if health.is_late else "succeeded",
            problems=health.problems,
            exit_code=health.exit_code,
            health=health,
        )

    def _audit(self, job: NamedJob, name: str) -> Outcome:
        """Compare a data source with its system of record."""
        if self.audit is None:
            raise LookupError("an audit needs an engine")
        audited = self.audit(name)
        done = "planned" if self.dry_run else "succeeded"
        return Outcome(
            job.name,
            "",
            "failed" if audited.exit_code else done,
            problems=audited.problems,
            exit_code=audited.exit_code,
            audited=audited,
        )

    def _compact(self, job: NamedJob) -> Outcome:
        """Rewrite change logs to their newest records."""
        if self.keep_up is None:
            raise LookupError("a compaction needs a lake")
        kept = tuple(self.keep_up(name) for name in job.job.compact or ())
        done = "no_change" if all(each.is_empty for each in kept) else "succeeded"
        return Outcome(job.name, "", "planned" if self.dry_run else done, kept=kept)

    def _refresh(self, job: NamedJob, facts: dict[str, Any]) -> Outcome:
        """Bring one tracker up to date."""
        options = job.job
        if options.refresh is None or options.to is None:
            raise LookupError("a refresh has a place")
        self.phase("compile")
        statement = self._compile(options.refresh, options.parameters)
        self._check_tracker(job, statement)
        facts["definition"] = definition_hash(statement, options)
        tables = tuple(scan.table for scan in statement.scans)
        if self.may_skip and self._is_unchanged(job, facts["definition"], tables):
            return Outcome(job.name, tracker_text(job), "no_change")
        tracker = self._tracker(job, statement)
        sink = self.open_sink(options.to.sink)
        try:
            return self._bring_up_to_date(job, statement, tracker, sink, facts)
        except GenesisError as error:
            self._tell(sink, tracker, error)
            raise

    def _tell(self, sink: Sink, tracker: Tracker, error: GenesisError) -> None:
        """Let a tracker say why it was not refreshed, if it can: that it cannot hides no failure."""
        if self.dry_run or isinstance(error, SinkBusy) or not isinstance(sink, Notices):
            return
        with suppress(GenesisError):
            sink.tell(tracker, Notice.of(error, tracker.name, at=self.moment))

    def _bring_up_to_date(
        self,
        job: NamedJob,
        statement: Statement,
        tracker: Tracker,
        sink: Sink,
        facts: dict[str, Any],
    ) -> Outcome:
        """Query, compare, guard, apply."""
        is_new = tuple(self._new_table(tracker))
        last = self.annotations.last(tracker) if self.annotations and tracker.annotations else {}
        if self.views:
            refuse_other_views(self.project, statement, self.engine, self.engine.dialect)
        self.phase("query")
        rows = self.engine.query(statement)
        facts["rows"] = rows.num_rows
        facts["snapshots"] = self.engine.snapshots(tuple(scan.table for scan in statement.scans))
        self.phase("read")
        wanted = replace(encode(rows, tracker), remembered=cells_of(last, tracker))
        present = sink.read(tracker)
        changes = compare(wanted=wanted, present=present, policy=tracker.policy)
        said, unread = read_back(changes, tracker, last)
        shape = Shape.of(tracker.columns)
        before = self.ledger.shapes.last(job.name) if self.ledger else None
        changes = replace(changes, shape=shape, before=before)
        notes = (*changes.notes, *retyped(changes), *is_new)
        changes = replace(changes, rejects=(*changes.rejects, *unread), notes=notes)
        # Before anything else is decided: what people said is kept, also if the change is refused.
        if self.annotations and not self.dry_run:
            self.annotations.append(tracker, said, at=self.clock())
        waiting = self._check_guards(job, changes)
        if self.dry_run:
            return Outcome(job.name, tracker_text(job), "planned", changes=changes)
        self.phase("write")
        receipt = replace(sink.apply(tracker, changes), annotated=len(said))
        if self.ledger:
            self.ledger.shapes.keep(job.name, shape)
        if waiting and self.ledger:
            self.ledger.held.release(job.name)
        state = (
            "partial" if receipt.is_partial else "no_change" if changes.is_empty else "succeeded"
        )
        return Outcome(
            job.name,
            tracker_text(job),
            state,
            changes=replace(changes, rejects=receipt.rejects),  # the sink may have added some
            receipt=receipt,
            exit_code=SinkError.exit_code if receipt.is_partial else 0,
        )

    def _is_unchanged(self, job: NamedJob, definition: str, tables: tuple[str, ...]) -> bool:
        """Whether the report is what it was when the tracker was last looked at, not long ago."""
        last = self.ledger.last_look(job.name) if self.ledger else None
        if last is None or job.job.annotations or job.job.touch:  # people are heard every time
            return False
        now = self.engine.snapshots(tables)
        is_known = last.definition == definition and last.snapshots == now
        return is_known and None not in now.values() and self.clock() - last.started_at < UNREAD

    def _check_guards(self, job: NamedJob, changes: Changes) -> Waiting | None:
        """What was held back until now. Raises `SinkError` for what still is; a real run remembers it."""
        guards = Guards.of(job.job)
        held = self.ledger.held if self.ledger else None
        waiting = held.find(job.name) if held else None
        try:
            check_guards(changes, guards, waiting.approved if waiting else None)
        except SinkError as refused:
            change = Held.of(changes, refused.problems)
            if held and change and not self.dry_run:
                held.hold(job.name, change, at=self.clock())
            raise
        return waiting

    def _compile(self, name: str, parameters: Mapping[str, Any]) -> Statement:
        if name not in self.project.inputs:
            raise DefinitionError(
                Problem(
                    "unknown-input",
                    f"input `{name}` is unknown or broken",
                    hint="`genesis check` says why",
                )
            )
        return compile_input(
            self.project,
            name,
            self.engine.dialect,
            Reading(parameters, moment=self.moment, staged=True, views=self.views),
        )

    def _new_table(self, tracker: Tracker) -> Iterator[str]:
        """What people should hear where a tracker's annotations may have had another table."""
        if self.annotations is None or not tracker.annotations:
            return
        known = annotation_tables(self.project, refreshes_of(self.project))
        for table in self.annotations.orphans(tracker, known):
            yield (
                f"annotations go to the new table `{table_of(tracker)}`; `{table}` is no tracker's any"
                " more: if it was this one's, what stands in the tracker is read anew, and the old"
                " `name` of the job, or of its workflow, gives the rest back"
            )

    def _check_tracker(self, job: NamedJob, statement: Statement) -> None:
        """Raise `DefinitionError` for what a job asks of its tracker and cannot have."""
        problems = Problems()
        position = job_names(job.workflow).index(job.short_name)
        check_tracker(self.project, job.workflow, position, statement.columns, problems)
        if problems.errors:
            raise DefinitionError(tuple(problems.errors))

    def _tracker(self, job: NamedJob, statement: Statement) -> Tracker:
        options = job.job
        definition = self.project.inputs[options.refresh or ""]
        place = options.to
        if place is None:
            raise LookupError("a refresh has a place")
        title = definition.title or definition.name.replace("_", " ").capitalize()
        source = f"input `{definition.name}` ({definition.file})"
        return Tracker(
            name=job.name,
            place=place,
            columns=statement.columns,
            annotations=annotations_of(options),
            mode=options.mode,
            on_delete=options.on_delete,
            order=options.order,
            on_human_edit=options.on_human_edit,
            is_summary=definition.shape == "summary",
            timezone=self.project.timezone_of(definition),
            note=provenance(title, source, at=self.moment),
            touch=options.touch,
            adopt=self.adopt,
            timeout=options.timeout or job.workflow.timeout,
        )


def annotations_of(options: JobOptions) -> tuple[Annotation, ...]:
    """The columns that a job asks people to fill in."""
    return tuple(
        Annotation(Column(name, asked.label or words(name), asked.type), tuple(asked.values or ()))
        for name, asked in options.annotations.items()
    )


def definition_hash(statement: Statement, options: JobOptions) -> str:
    """What a refresh means, as a hash: equal hashes over equal snapshots give an equal tracker."""
    asked = options.model_dump_json()
    text = "\n".join([*statement.setup, statement.sql, repr(statement.columns), asked])
    return hashlib.sha256(text.encode()).hexdigest()


def told(problems: Iterable[Problem]) -> tuple[dict[str, str | None], ...]:
    """Problems as the ledger has them."""
    return tuple({"code": p.code, "message": p.message, "hint": p.hint} for p in problems)


def tracker_text(job: NamedJob) -> str:
    """Where a job's tracker is, in words; nothing where it has none."""
    return str(job.job.to) if job.job.to else ""
