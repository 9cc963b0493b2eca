"""What a slot of a workflow asks for: a run of each of its jobs. Pure.

A run's key is its job, what asked for it, and for when: whoever asks for it twice, or on two
machines, means the same run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from genesis.run.jobs import NamedJob
from genesis.run.ledger import Run
from genesis.run.queue import Asked
from genesis.spec.workflow import Workflow


def asked_by(
    workflow: str,
    jobs: Sequence[NamedJob],
    *,
    trigger: str,
    at: datetime,
    engine: str,
    mark: str = "",
    reason: Callable[[str], str | None] = lambda _: None,
) -> Iterator[Asked]:
    """The runs of one slot.

    Args:
        workflow: Whose slot it is, by its name.
        jobs: What is to be run, those that others need first.
        trigger: What asks: `cron`, `every`, `change`, `manual`, `backfill`.
        at: The slot's logical time.
        engine: The target that runs the SQL.
        mark: What tells slots of one trigger apart, where it is not their time.
        reason: Why a job is skipped, by its name; nothing where it is to be run.
    """
    slot = f"{workflow}|{trigger}|{mark or at.isoformat()}"
    keys = {job.short_name: run_key(job.name, trigger, mark or at.isoformat()) for job in jobs}
    for job in jobs:
        yield Asked(
            key=keys[job.short_name],
            job=job.name,
            trigger=trigger,
            slot=slot,
            logical_time=at,
            due_at=at,
            place=job.place,
            engine=engine if job.job.refresh or job.job.audit else "",
            credential=job.credential,
            needs=tuple(keys[name] for name in job.job.needs if name in keys),
            reason=reason(job.name),
        )


def asked_again(job: NamedJob, run: Run, *, at: datetime) -> Asked:
    """A run that does what another one of the job did not."""
    key = run_key(run.job, "retry", f"{run.id} {at.isoformat()}")
    when = run.logical_time or at
    return Asked(key, run.job, "retry", key, when, at, job.place, run.engine, job.credential)


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
