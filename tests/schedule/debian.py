"""Debian's cron, minute by minute: the oracle of `genesis.schedule.fires`.

It does what the daemon's loop does: it looks at what the clocks show, every minute, and keeps a virtual time. Where the
clocks jump ahead, what was due at fixed times in between runs at once; where they go back, only what begins with
`*` runs until the virtual time is reached. But for `compare` it shares no code with what it judges, its fields'
parser included.
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from genesis.schedule.fires import ByCron, next_fires
from genesis.spec.cron import parse_cron

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = 15  # minutes: no zone has been put at another time in this century

SHAPES = (
    "* * * * *",
    "*/5 * * * *",
    "42 * * * *",
    "*/15 6-20 * * mon-fri",
    "0 */2 * * *",
    "30 */6 * * sun",
    "0 0 * * *",
    "30 2 * * *",
    "15,45 0-3 * * *",
    "7-59/13 1,2,23 * * *",
    "0 9 * * mon-fri",
    "30 1 1,15 * 7",
    "*/10 2 */2 * *",
    "*/20 0-3 * * sun",
    "*/20 1,2 1,25 * *",
    "0 0 l * *",
    "59 23 * * 5l",
)


@dataclass(frozen=True)
class Clocks:
    """What the clocks of a zone show, for each minute of a span."""

    start: int
    """The span's first minute since 1970."""
    walls: Sequence[int]
    """The minutes since 1970 that they show."""


def clocks(zone: ZoneInfo, start: datetime, end: datetime) -> Clocks:
    first, last = _minutes(start), _minutes(end)
    walls: list[int] = []
    for quarter in range(first, last, QUARTER):
        offset = _offset(zone, quarter)
        walls.extend(range(quarter + offset, quarter + offset + QUARTER))
    return Clocks(first, walls)


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
    """When the clocks of a zone are put, in minutes since 1970, and by how many minutes."""
    found = []
    day = 24 * 60
    days = range(_minutes(start), _minutes(end), day)
    offsets = [_offset(zone, at) for at in (*days, days[-1] + day)]
    for at, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            for quarter in range(at, at + day, QUARTER):
                by = _offset(zone, quarter + QUARTER) - _offset(zone, quarter)
                if by:
                    found.append((quarter + QUARTER, by))
    return tuple(found)


def zones_with_changes(start: datetime, end: datetime) -> dict[str, tuple[tuple[int, int], ...]]:
    """The zones whose clocks are put in a span, and when."""
    names = sorted(name for name in available_timezones() if "/" in name)
    found = {name: changes(ZoneInfo(name), start, end) for name in names}
    return {name: when for name, when in found.items() if when}


def fires(text: str, shown: Clocks) -> list[datetime]:
    """When cron starts a job, in a span that does not begin while clocks are put."""
    minutes, hours = (
        _numbers(field, low=0, high=high)
        for field, high in zip(text.split(), (59, 23), strict=False)
    )
    times = {hour * 60 + minute for hour in hours for minute in minutes}
    days = " ".join(text.split()[2:])
    is_wild = text.startswith("*") or text.split()[1].startswith("*")

    def matches(wall: int) -> bool:
        return wall % 1440 in times and _is_day(days, wall // 1440)

    found = []
    virtual = shown.walls[0] - 1
    for at, wall in enumerate(shown.walls, shown.start):
        if is_wild or wall == virtual + 1:
            is_due = matches(wall)
        else:
            is_due = any(matches(passed) for passed in range(virtual + 1, wall + 1))
        virtual = max(virtual, wall)
        if is_due:
            found.append(EPOCH + timedelta(minutes=at))
    return found


def random_shape(chance: random.Random) -> str:
    """Five fields at random, of a day that comes."""
    while True:
        text = " ".join(_random_field(chance, *limits) for limits in _LIMITS)
        if any(_is_day(" ".join(text.split()[2:]), day) for day in range(20_000, 24_500)):
            return text


_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES = {
    name: str(number)
    for names, first in (
        ("jan feb mar apr may jun jul aug sep oct nov dec", 1),
        ("sun mon tue wed thu fri sat", 0),
    )
    for number, name in enumerate(names.split(), first)
}


def _random_field(chance: random.Random, low: int, high: int) -> str:
    def part() -> str:
        one, other = sorted((chance.randint(low, high), chance.randint(low, high)))
        ranged = f"{one}-{other}"
        step = f"/{chance.randint(1, max(high // 3, 2))}"
        special = {31: ["l", "lw"], 7: [f"{one}l", f"{one}#{chance.randint(1, 5)}", "tue"]}
        plain = [str(one), str(one), ranged, ranged + step]
        return chance.choice([*plain, *special.get(high, [])])

    star = chance.choice(["*", "*", f"*/{chance.randint(1, max(high // 2, 2))}"])
    kept = 0.7 if high in (31, 12, 7) else 0.3
    return star if chance.random() < kept else ",".join(part() for _ in range(chance.randint(1, 3)))


@lru_cache(maxsize=200_000)
def _is_day(fields: str, day: int) -> bool:
    moment = date(1970, 1, 1) + timedelta(days=day)
    return moment in _days_of(fields, moment.year, moment.month)


@lru_cache(maxsize=20_000)
def _days_of(fields: str, year: int, month: int) -> frozenset[date]:
    """A month's days on which it is due, by looking at the month as a calendar shows it."""
    days, months, weekdays = fields.split()
    if month not in _numbers(months, low=1, high=12):
        return frozenset()
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    dates = [each for week in weeks for each in week if each.month == month]
    by_day = {each for each in dates if each.day in _numbers(days, low=1, high=31)}
    if "l" in days.split(","):
        by_day.add(dates[-1])
    if "lw" in days.split(","):
        by_day.add([each for each in dates if each.weekday() < 5][-1])
    by_weekday = set()
    for part in weekdays.split(","):
        if part.endswith("l") and part[:-1].isdecimal():
            by_weekday.add(_of(dates, int(part[:-1]))[-1])
        elif "#" in part:
            weekday, nth = map(int, part.split("#"))
            by_weekday |= set(_of(dates, weekday)[nth - 1 : nth])
        else:
            for number in _numbers(part, low=0, high=7):
                by_weekday |= set(_of(dates, number))
    is_starred = days.startswith("*") or weekdays.startswith("*")
    return frozenset(by_day & by_weekday if is_starred else by_day | by_weekday)


def _of(dates: Sequence[date], weekday: int) -> list[date]:
    """The Sundays (0 and 7), Mondays, ... of a month."""
    return [each for each in dates if each.isoweekday() % 7 == weekday % 7]


def _numbers(field: str, *, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        ends, _, step = part.partition("/")
        first, _, last = ends.replace("*", f"{low}-{high}").partition("-")
        first, last = _NAMES.get(first, first), _NAMES.get(last, last)
        if first.isdecimal():
            found |= set(range(int(first), int(last or first) + 1)[:: int(step or 1)])
    return found


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = (EPOCH + timedelta(minutes=at)).astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds() // 60)


def _minutes(at: datetime) -> int:
    return int((at - EPOCH).total_seconds() // 60) // QUARTER * QUARTER


def windows(
    when: Sequence[tuple[int, int]], around: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Spans round the moments at which clocks are put."""
    for at, _ in when:
        moment = EPOCH + timedelta(minutes=at)
        yield moment - around, moment + around


def compare(shape: str, zone: ZoneInfo, shown: Clocks) -> tuple[int, list[str]]:
    """How often cron starts a job in a span, and where `next_fires` differs."""
    start = EPOCH + timedelta(minutes=shown.start)
    end = start + timedelta(minutes=len(shown.walls))
    theirs = fires(shape, shown)
    ours = next_fires(ByCron(parse_cron(shape), zone), start - timedelta(minutes=1))
    found = list(takewhile(lambda at: at < end, ours))
    faults = [f"{shape} in {zone.key} at {at}" for at in sorted({*theirs} ^ {*found})]
    return len(theirs), faults or ([f"{shape} in {zone.key}, doubled"] if theirs != found else [])
