"""The moments of a schedule, in UTC: cron in a zone, by Debian's rules, or a fixed length of time.

A run at a fixed time comes once a day: in an hour that the clocks skip, right after it (several then are one); in
one that they repeat, the first time. What begins its minutes or hours with `*` follows real time instead. `every`
counts from 1970 in UTC, whatever the zone. Its one surprise: days and longer therefore drift against the clock of a zone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from genesis.spec.cron import Cron, parse_cron
from genesis.spec.workflow import Workflow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)  # in which clocks are put once at most


@dataclass(frozen=True)
class ByCron:
    """Due when the clocks of a zone show what five fields say."""

    cron: Cron
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.cron.text} {self.zone.key}"


@dataclass(frozen=True)
class Every:
    """Due whenever so much time has passed once more since 1970."""

    length: timedelta

    def __str__(self) -> str:
        return f"every {int(self.length.total_seconds())}s"


Timetable = ByCron | Every
"""When a workflow is due; its text tells whether a schedule has changed."""


def timetable_of(workflow: Workflow, timezone: str) -> Timetable | None:
    """When a workflow is due, in a project of a zone; `None` where changes or people say so."""
    schedule = workflow.schedule
    if schedule is None or schedule.on_change is not None:
        return None
    if schedule.every is not None:
        return Every(schedule.every)
    zone = ZoneInfo(schedule.timezone or timezone)
    return ByCron(parse_cron(schedule.cron or "", workflow.name), zone)


def next_fires(timetable: Timetable, after: datetime) -> Iterator[datetime]:
    """The moments after one at which it is due, in order, until the calendar ends."""
    after = after.astimezone(UTC)
    with suppress(OverflowError):
        match timetable:
            case Every(length):
                yield from _every(length, after)
            case ByCron(cron, zone) if cron.is_frequent:
                yield from _by_real_time(cron, zone, after)
            case ByCron(cron, zone):
                yield from _by_the_clock(cron, zone, after)


def next_fire(timetable: Timetable, after: datetime) -> datetime | None:
    """The first moment after one at which it is due."""
    return next(next_fires(timetable, after), None)


def last_fire(timetable: Timetable, after: datetime, until: datetime) -> datetime | None:
    """The newest moment after one, and up to another, at which it is due; however many there are."""

    def is_over(seconds: int) -> bool:
        found = next_fire(timetable, after + timedelta(seconds=seconds))
        return found is None or found > until

    # The last second after which one is still to come is the one before it.
    count = int((until - after).total_seconds()) + 1
    quiet = bisect_left(range(count), True, key=is_over)
    return next_fire(timetable, after + timedelta(seconds=quiet - 1)) if quiet else None


def _every(length: timedelta, after: datetime) -> Iterator[datetime]:
    at = _EPOCH + (after - _EPOCH) // length * length
    while True:
        at += length
        yield at


def _by_the_clock(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Each time that is named, once: where the clocks skip it, right after; where they repeat it, first."""
    wall = _wall(after, zone)
    while True:
        wall = cron.next_wall(wall + _MINUTE)
        at = _instant(wall, zone)
        if at > after:  # else it was due the first time, or with another that was skipped
            after = at
            yield at


def _by_real_time(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Each minute at which the clocks show a time that is named, as often as they do."""
    at = after.replace(second=0, microsecond=0) + _MINUTE
    while True:
        wall = _wall(at, zone)
        ahead = cron.next_wall(wall) - wall
        if ahead:
            at = _later(at, ahead, zone)
        else:
            yield at
            at += _MINUTE


def _later(at: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
    """So much later, or when clocks are put before that: what they showed may come once more."""
    end = at + length
    while at < end:
        step = min(at + _DAY, end)
        if _offset(step, zone) != _offset(at, zone):
            return _change(at, step, zone)
        at = step
    return end


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When clocks first show a time; where they skip it, when they go on."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    return _change(wall.replace(tzinfo=zone, fold=1).astimezone(UTC), at, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """When clocks were put, between two moments of which they were."""
    old = _offset(before, zone)

    def is_changed(seconds: int) -> bool:
        return _offset(before + timedelta(seconds=seconds), zone) != old

    seconds = range(int((after - before).total_seconds()))
    return before + timedelta(seconds=bisect_left(seconds, True, key=is_changed))


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What clocks show, in minutes."""
    return at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)


def _offset(at: datetime, zone: ZoneInfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
