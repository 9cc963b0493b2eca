"""What of a schedule is to be run now, and what is passed over, every moment of it once.

A watermark is the last moment that is accounted for; it never goes back, so neither does a clock that is put back
run anything again. A workflow that is new, or whose schedule was changed, begins now. The work is bounded however old a
watermark is: beyond `MOST`, moments that are passed over are told as one span, and those to be run come bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Literal

from genesis.schedule.fires import Timetable, last_fire, next_fire, next_fires, timetable_of
from genesis.spec.values import short_duration
from genesis.spec.workflow import Template, Workflow

Catchup = Literal["latest", "all", "none"]

MOST = 1_000  # moments that are told one by one, or run at once
ON_TIME = timedelta(minutes=1)  # what is later than this was missed
_SECOND = timedelta(seconds=1)  # no two moments are nearer


@dataclass(frozen=True)
class Trigger:
    """What makes a workflow due; after `deadline` a run makes no sense any more."""

    name: str
    timetable: Timetable
    catchup: Catchup = "latest"
    deadline: timedelta | None = None


@dataclass(frozen=True)
class Watermark:
    """The last moment that is accounted for, and what the timetable said then."""

    at: datetime
    timetable: str


@dataclass(frozen=True)
class Missed:
    """Moments that are passed over: a single one, or all from `first` to `last`."""

    first: datetime
    last: datetime
    reason: str


@dataclass(frozen=True)
class Due:
    """The moments to run, oldest first, those passed over, and where that leads.

    `next` is when to ask again: at once, if it is not after the moment that was asked about.
    """

    slots: tuple[datetime, ...]
    missed: tuple[Missed, ...]
    watermark: Watermark
    next: datetime | None


def trigger_of(
    workflow: Workflow, timezone: str, templates: Mapping[str, Template]
) -> Trigger | None:
    """What makes a workflow due in a project of a zone; `None` where changes or people do.

    Its deadline is the longest of its jobs', if each has one: later than that, none of them is run.
    """
    timetable = timetable_of(workflow, timezone)
    if timetable is None:
        return None
    deadlines = [job.filled(templates).deadline for job in workflow.jobs]
    known = [deadline for deadline in deadlines if deadline is not None]
    deadline = max(known) if len(known) == len(deadlines) else None
    return Trigger(workflow.name, timetable, workflow.catchup, deadline)


def due(trigger: Trigger, watermark: Watermark | None, now: datetime) -> Due:
    """What has become due since a watermark."""
    timetable = trigger.timetable
    if watermark is None or watermark.timetable != str(timetable):
        return _led_to(now, trigger)
    near = _near(timetable, watermark.at, now)
    if near is None:
        return _long_due(trigger, watermark.at, now)
    moments, following = near
    if not moments:
        return Due((), (), watermark, following)
    if trigger.catchup == "all":
        return _all_due(trigger, watermark.at, moments[-1], now)
    *older, newest = moments
    reason = _why_not(trigger, newest, now)
    slots = () if reason else (newest,)
    missed = _each(moments, reason) if reason else _each(older, _missed(trigger))
    return Due(slots, missed, replace(watermark, at=newest), following)


def _long_due(trigger: Trigger, after: datetime, now: datetime) -> Due:
    """What has become due in so long a time that nobody walks through it."""
    timetable, newest = trigger.timetable, last_fire(trigger.timetable, after, now)
    if newest is None:
        return _led_to(after, trigger)
    if trigger.catchup == "all":
        return _all_due(trigger, after, newest, now)
    reason = _why_not(trigger, newest, now)
    if reason is None:
        older = _passed(timetable, after, newest - _SECOND, _missed(trigger))
        return _led_to(newest, trigger, slots=(newest,), missed=older)
    return _led_to(newest, trigger, missed=_passed(timetable, after, newest, reason))


def is_too_late(slot: datetime, deadline: timedelta | None, now: datetime) -> bool:
    """Whether a run of a moment makes no sense any more."""
    return deadline is not None and now - slot > deadline


def _all_due(trigger: Trigger, after: datetime, newest: datetime, now: datetime) -> Due:
    """Every moment up to the newest, but for those after their deadline."""
    missed: tuple[Missed, ...] = ()
    if trigger.deadline is not None and now - trigger.deadline > after:
        past = min(now - trigger.deadline - timedelta(microseconds=1), newest)
        missed = _passed(trigger.timetable, after, past, _too_late(trigger.deadline))
        after = max(after, past)
    slots = tuple(islice(_between(trigger.timetable, after, newest), MOST))
    last = slots[-1] if slots else newest
    return _led_to(last, trigger, slots=slots, missed=missed)


def _led_to(
    at: datetime,
    trigger: Trigger,
    *,
    slots: tuple[datetime, ...] = (),
    missed: tuple[Missed, ...] = (),
) -> Due:
    timetable = trigger.timetable
    return Due(slots, missed, Watermark(at, str(timetable)), next_fire(timetable, at))


def _why_not(trigger: Trigger, newest: datetime, now: datetime) -> str | None:
    """Why the newest moment is not run either, if it is not."""
    if trigger.deadline is not None and is_too_late(newest, trigger.deadline, now):
        return _too_late(trigger.deadline)
    is_late = now - newest > ON_TIME
    return _missed(trigger) if trigger.catchup == "none" and is_late else None


def _missed(trigger: Trigger) -> str:
    return f"missed: catchup {trigger.catchup}"


def _too_late(deadline: timedelta) -> str:
    return f"missed: deadline {short_duration(deadline)}"


def _passed(
    timetable: Timetable, after: datetime, until: datetime, reason: str
) -> tuple[Missed, ...]:
    """The moments after one and up to another, one by one unless they are too many."""
    found = list(islice(_between(timetable, after, until), MOST + 1))
    if len(found) > MOST:
        last = last_fire(timetable, after, until)
        return (Missed(found[0], last or found[-1], reason),)
    return _each(found, reason)


def _each(moments: Iterable[datetime], reason: str) -> tuple[Missed, ...]:
    return tuple(Missed(at, at, reason) for at in moments)


@lru_cache(maxsize=256)  # of many workflows that are due at once, most were so the last time too
def _near(
    timetable: Timetable, after: datetime, until: datetime
) -> tuple[tuple[datetime, ...], datetime | None] | None:
    """The moments after one and up to another, and the one that follows; nothing where they are too many."""
    found: list[datetime] = []
    for at in next_fires(timetable, after):
        if at > until:
            return tuple(found), at
        if len(found) == MOST:
            return None
        found.append(at)
    return tuple(found), None


def _between(timetable: Timetable, after: datetime, until: datetime) -> takewhile[datetime]:
    return takewhile(lambda at: at <= until, next_fires(timetable, after))
