"""What a slot of a workflow asks for: a run of each of its jobs. Pure.

A run's key is its job, what asked for it, and for when: whoever asks for it twice, or on two
machines, means the same run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from genesis.run.jobs import NamedJob, jobs_of
from genesis.run.ledger import Run
from genesis.run.queue import Asked
from genesis.spec.project import Project
from genesis.spec.workflow import Place, Workflow

SERVICES = ("google_sheets", "airtable")
"""The sinks that are reached with an account."""


def asked_by(
    project: Project,
    workflow: Workflow,
    *,
    trigger: str,
    at: datetime,
    engine: str,
    mark: str = "",
    reason: Callable[[str], str | None] = lambda _: None,
) -> Iterator[Asked]:
    """The runs of one slot.

    Args:
        project: Where the jobs' templates stand.
        workflow: Whose jobs are to be run.
        trigger: What asks: `cron`, `every`, `change`, `manual`, `backfill`.
        at: The slot's logical time.
        engine: The target that runs the SQL.
        mark: What tells slots of one trigger apart, where it is not their time.
        reason: Why a job is skipped, by its name; nothing where it is to be run.
    """
    slot = f"{workflow.name}|{trigger}|{mark or at.isoformat()}"
    jobs = jobs_of(project, workflow)
    keys = {job.short_name: run_key(job.name, trigger, mark or at.isoformat()) for job in jobs}
    for job in jobs:
        yield Asked(
            key=keys[job.short_name],
            job=job.name,
            trigger=trigger,
            slot=slot,
            logical_time=at,
            due_at=at,
            place=place_of(job),
            engine=engine if job.job.refresh or job.job.audit else "",
            credential=credential_of(job),
            needs=tuple(keys[name] for name in job.job.needs if name in keys),
            reason=reason(job.name),
        )


def asked_again(job: NamedJob, run: Run, *, at: datetime) -> Asked:
    """A run that does what another one of the job did not."""
    key = run_key(run.job, "retry", f"{run.id} {at.isoformat()}")
    when = run.logical_time or at
    return Asked(
        key, run.job, "retry", key, when, at, place_of(job), run.engine, credential_of(job)
    )


def timed_by(workflow: Workflow) -> str:
    """What asks for a workflow's runs at their times; `cron` for one that nothing does."""
    return "every" if workflow.schedule and workflow.schedule.every else "cron"


def run_key(job: str, trigger: str, mark: str) -> str:
    """What a run is known by."""
    return f"{job}|{trigger}|{mark}"


def mark_of(snapshots: Mapping[str, int | None]) -> str:
    """What tells the states of tables apart."""
    text = json.dumps(snapshots, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def place_of(job: NamedJob) -> str:
    """What no two runs may work on at once: a spreadsheet, a base, a file, a log, an audit."""
    options = job.job
    if options.to:
        return _shared_place(options.to)
    if options.compact:
        return "log " + " ".join(sorted(options.compact))
    return f"{options.kind} {options.audit or options.heartbeat}"


def credential_of(job: NamedJob) -> str:
    """The account a job writes with: a project has one for each service."""
    sink = job.job.to.sink if job.job.to else ""
    return sink if sink in SERVICES else ""


def _shared_place(place: Place) -> str:
    details = place.details
    for key in ("spreadsheet", "base", "file"):
        if shared := getattr(details, key, None):
            return f"{place.sink} {shared}"
    raise LookupError("a place is a spreadsheet, a base or a file")
