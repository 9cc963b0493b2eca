"""When a tracker is late: older than `freshness`, or not done by `complete_by`.

Nothing is late while nothing was due: at night and over a week-end a tracker of office hours is as fresh as it can be. Its
age counts from its last success; where nothing was due for longer than it may be old, from what was due next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from genesis.schedule.fires import ByCron, Timetable, next_fire, timetable_of
from genesis.spec.cron import parse_cron
from genesis.spec.workflow import Workflow


@dataclass(frozen=True)
class Promise:
    """How old a workflow's trackers may be, and by when they must be done."""

    timetable: Timetable | None
    zone: ZoneInfo
    freshness: timedelta | None = None
    complete_by: time | None = None
    follows_changes: bool = False


@dataclass(frozen=True)
class Success:
    """The last run that succeeded: the moment it was due at, and when it ended.

    For a tracker that never did, both are when it was first seen.
    """

    slot: datetime
    ended: datetime


def promise_of(workflow: Workflow, timezone: str) -> Promise:
    """What a workflow promises, in a project of a zone."""
    schedule, alerts = workflow.schedule, workflow.alerts
    return Promise(
        timetable_of(workflow, timezone),
        ZoneInfo(schedule.timezone if schedule and schedule.timezone else timezone),
        alerts.freshness,
        alerts.complete_by,
        follows_changes=bool(schedule and schedule.on_change),
    )


def late_from(
    promise: Promise, success: Success, changed: datetime | None = None
) -> datetime | None:
    """The moment from which on a tracker is late, if no other run succeeds; `None` where it never is.

    `changed` is when the first change was seen that it does not show yet, for one that follows changes.
    """
    moments = (
        _stale_from(promise, success.ended, changed),
        _overdue_from(promise, success.slot, changed),
    )
    return min((at for at in moments if at is not None), default=None)


def is_late(
    promise: Promise, success: Success, now: datetime, changed: datetime | None = None
) -> bool:
    """Whether a tracker is late at a moment."""
    since = late_from(promise, success, changed)
    return since is not None and now >= since


def _stale_from(promise: Promise, ended: datetime, changed: datetime | None) -> datetime | None:
    """When it will be too old. One that runs by hand gets older all the time."""
    freshness = promise.freshness
    by_hand = promise.timetable is None and not promise.follows_changes
    wanted = ended if by_hand else _due_after(promise, ended, changed)
    if freshness is None or wanted is None:
        return None
    return (wanted if wanted - ended > freshness else ended) + freshness


def _overdue_from(promise: Promise, slot: datetime, changed: datetime | None) -> datetime | None:
    """The first time of day by which what was due after the last success must be done."""
    wanted = _due_after(promise, slot, changed)
    if promise.complete_by is None or wanted is None:
        return None
    daily = parse_cron(f"{promise.complete_by.minute} {promise.complete_by.hour} * * *")
    return next_fire(ByCron(daily, promise.zone), wanted)


def _due_after(promise: Promise, at: datetime, changed: datetime | None) -> datetime | None:
    if promise.timetable is None:
        return max(changed, at) if changed is not None else None
    return next_fire(promise.timetable, at)
