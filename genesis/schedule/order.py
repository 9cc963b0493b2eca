"""Which of the runs that wait may start, given those that go on, and which never will.

A run that waits to be tried again is one that waits: a newer one does what it would. Who is left out ends as
skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from genesis.schedule.due import Catchup

Overlap = Literal["serial", "skip", "parallel"]

SUPERSEDED = "superseded: a newer run waits"
OVERLAPS = "overlap: the run before it has not ended"

_SUCCEEDED = frozenset({"succeeded", "no_change", "partial"})
_ENDED_OTHERWISE = frozenset({"failed", "cancelled", "skipped", "uncertain"})


@dataclass(frozen=True)
class Admission:
    """Of a job's waiting runs, by their moments: those that start, those that wait on, why others never will."""

    start: tuple[datetime, ...] = ()
    wait: tuple[datetime, ...] = ()
    skipped: Mapping[datetime, str] = field(default_factory=dict)


def admit(
    waiting: Iterable[datetime],
    running: Collection[datetime],
    *,
    overlap: Overlap = "serial",
    catchup: Catchup = "latest",
) -> Admission:
    """What becomes of a job's waiting runs.

    `serial` runs one at a time, and of those that wait only the newest, unless all are to be caught up with; then the
    oldest goes first. `skip` lets none wait, `parallel` runs all.
    """
    queue = sorted(waiting)
    if not queue or overlap == "parallel":
        return Admission(start=tuple(queue))
    if overlap == "serial" and catchup == "all":
        return (
            Admission(wait=tuple(queue))
            if running
            else Admission(tuple(queue[:1]), tuple(queue[1:]))
        )
    *older, newest = queue
    skipped = dict.fromkeys(older, SUPERSEDED)
    if not running:
        return Admission(start=(newest,), skipped=skipped)
    if overlap == "skip":
        return Admission(skipped=dict.fromkeys(queue, OVERLAPS))
    return Admission(wait=(newest,), skipped=skipped)


@dataclass(frozen=True)
class Ready:
    """Of a workflow's jobs at one moment: those that may start, and why others never will."""

    start: tuple[str, ...]
    skipped: Mapping[str, str]


def ready(needs: Mapping[str, Iterable[str]], states: Mapping[str, str]) -> Ready:
    """Which jobs may start, by what each needs and by the states of those that have begun.

    A job that is not part of the run is needed by nobody in it. One that did not succeed stops all that need it, by
    whatever way.
    """
    skipped: dict[str, str] = {}
    stopped = {job for job, state in states.items() if state in _ENDED_OTHERWISE}
    waiting = {
        job: [need for need in needed if need in needs]
        for job, needed in needs.items()
        if job not in states
    }
    while found := {
        job: next(need for need in needed if need in stopped)
        for job, needed in waiting.items()
        if job not in stopped and stopped.intersection(needed)
    }:
        skipped |= {job: f"needs: `{need}` did not succeed" for job, need in found.items()}
        stopped |= found.keys()
    start = tuple(
        job
        for job, needed in waiting.items()
        if job not in skipped and all(states.get(need) in _SUCCEEDED for need in needed)
    )
    return Ready(start, skipped)
