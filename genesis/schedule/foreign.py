"""A schedule as other schedulers can say it, and the moments at which they would start it otherwise.

Plain numbers in five fields, and a zone: what they all read. What names every hour of every day is said in UTC, so that no
clock is ever put; so is a length of time that divides a day. The rest stays in its zone, where each has rules of its own for
nights when clocks are put. Refuses what none of them can say: changes of tables, `L` and `#`, seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from genesis.schedule.fires import ByCron, Every, next_fires, timetable_of
from genesis.spec.cron import Cron, parse_cron
from genesis.spec.values import short_duration
from genesis.spec.workflow import Workflow

_UTC = ZoneInfo("UTC")


class CannotSay(ValueError):
    """Why other schedulers cannot say when a workflow is due."""


@dataclass(frozen=True)
class Foreign:
    """When a workflow is due, in numbers; `ours` is what it means here."""

    workflow: Workflow
    times: ByCron
    ours: ByCron | Every

    @property
    def fields(self) -> tuple[str, str, str, str, str]:
        minute, hour, day, month, weekday = self.times.cron.text.split()
        return minute, hour, day, month, weekday

    @property
    def zone(self) -> str:
        return self.times.zone.key


def foreign(workflow: Workflow, timezone: str, year: int) -> Foreign:
    """When a workflow is due, as others can say it. Raises `CannotSay`."""
    ours = timetable_of(workflow, timezone)
    match ours:
        case None if workflow.schedule is None:
            raise CannotSay("it runs by hand")
        case None:
            raise CannotSay("it follows changes of tables")
        case Every(length):
            return Foreign(workflow, ByCron(parse_cron(_pattern(length)), _UTC), ours)
        case ByCron(cron, zone):
            text = _numbered(cron)
            if text.endswith(" * * * *") and _is_whole_hours(zone, year):
                zone = _UTC
            return Foreign(workflow, ByCron(parse_cron(text), zone), ours)


def _pattern(length: timedelta) -> str:
    """A length of time as fields on a clock in UTC."""
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, rest = divmod(minutes, 60)
    if not seconds and minutes == 1:
        return "* * * * *"
    if not seconds and minutes and 60 % minutes == 0:
        return f"*/{minutes} * * * *" if minutes < 60 else "0 * * * *"
    if not seconds and not rest and hours and 24 % hours == 0:
        return f"0 */{hours} * * *" if hours < 24 else "0 0 * * *"
    raise CannotSay(f"`every: {short_duration(length)}` is no part of an hour or a day")


def _numbered(cron: Cron) -> str:
    """The fields with a number for every name, and none that counts from a month's end."""
    minute, hour, day, month, weekday = cron.text.split()
    days = [each for each in cron.days | cron.weekdays if not isinstance(each, int)]
    if days:
        raise CannotSay("it counts days from a month's end or its weeks")
    months = month if month.startswith("*") else compact(cron.months)
    week = [each for each in cron.weekdays if isinstance(each, int)]
    weekdays = weekday if weekday.startswith("*") else compact(week)
    return f"{minute} {hour} {day} {months} {weekdays}"


def compact(numbers: Iterable[int]) -> str:
    """Numbers as a list, or a range where they are one."""
    found = sorted(numbers)
    is_range = len(found) > 2 and found[-1] - found[0] == len(found) - 1
    return f"{found[0]}-{found[-1]}" if is_range else ",".join(map(str, found))


def offsets(zone: ZoneInfo, year: int) -> tuple[int, ...]:
    """By how many minutes the clocks of a zone are ahead of UTC, in a year and the one after it."""
    days = (datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(731))
    ahead = (day.astimezone(zone).utcoffset() or timedelta(0) for day in days)
    return tuple(sorted({int(each.total_seconds() // 60) for each in ahead}))


def _is_whole_hours(zone: ZoneInfo, year: int) -> bool:
    return all(offset % 60 == 0 for offset in offsets(zone, year))


# --- the rules of others --------------------------------------------------------------------------

Rule = Callable[[ByCron, datetime], Iterator[datetime]]
"""The moments after one at which a scheduler starts what fields in a zone say."""


def debian(times: ByCron, after: datetime) -> Iterator[datetime]:
    """The rules of Debian's cron are ours."""
    return next_fires(times, after)


def by_wall(times: ByCron, after: datetime) -> Iterator[datetime]:
    """Whenever the clocks show it: never in a skipped hour, twice in a repeated one."""
    return next_fires(replace(times, cron=replace(times.cron, is_frequent=True)), after)


def systemd(times: ByCron, after: datetime) -> Iterator[datetime]:
    """As the clocks show it, for the first time: an hour that they repeat is passed over. Measured on version 252."""
    return (at for at in by_wall(times, after) if not at.astimezone(times.zone).fold)


def airflow(times: ByCron, after: datetime) -> Iterator[datetime]:
    """Every hour by real time; else the second of repeated hours, and as far behind a gap as it was in it.

    Step by step as Airflow 3.3 goes, from one moment's clock to the next: in a half hour that is repeated that matters.
    """
    by_clock, at = replace(times, zone=_UTC), after
    while True:
        clock = at.astimezone(times.zone).replace(tzinfo=UTC)
        then = next(next_fires(by_clock, clock))
        if times.cron.text.split()[1] == "*":
            at += then - clock
        else:
            at = max(then.replace(tzinfo=times.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        yield at


def java(times: ByCron, after: datetime) -> Iterator[datetime]:
    """As Java places local times: the first of repeated hours, and as far behind a gap as it was in it."""
    for wall in next_fires(replace(times, zone=_UTC), after - timedelta(days=2)):
        at = wall.replace(tzinfo=times.zone).astimezone(UTC)
        if at > after:
            yield at


@dataclass(frozen=True)
class Difference:
    """A night when clocks are put, and what is started then only here, and only there."""

    day: str
    ours: tuple[datetime, ...]
    theirs: tuple[datetime, ...]

    def __str__(self) -> str:
        return f"{self.day}: {_clocks(self.ours)} here, {_clocks(self.theirs)} there"


def _clocks(moments: tuple[datetime, ...]) -> str:
    shown = [f"{at:%H:%M}Z" for at in moments[:4]] + ["…"] * (len(moments) > 4)
    return ", ".join(shown) or "nothing"


def differences(said: Foreign, rule: Rule, year: int) -> list[Difference]:
    """The nights of a year, and the next one, in which a scheduler's moments are not ours.

    They are looked for where clocks are put: elsewhere all read the fields alike.
    """
    zone = said.ours.zone if isinstance(said.ours, ByCron) else _UTC
    found = []
    for night in _nights(zone, year):
        here = _within(next_fires(said.ours, night), night)
        there = _within(rule(said.times, night), night)
        if here != there:
            day = f"{min(here ^ there).astimezone(zone):%Y-%m-%d}"
            found.append(Difference(day, _sorted(here - there), _sorted(there - here)))
    return found


def _within(moments: Iterator[datetime], night: datetime) -> set[datetime]:
    """The moments of the three days from one before a night on."""
    return set(takewhile(lambda at: at < night + timedelta(days=3), moments))


def _nights(zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """A day before each day on which the clocks of a zone are put."""
    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year < year + 2:
        after = day + timedelta(days=1)
        if day.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            yield day - timedelta(days=1)
        day = after


def _sorted(moments: set[datetime]) -> tuple[datetime, ...]:
    return tuple(sorted(moments))
