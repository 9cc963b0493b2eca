"""`cron:` of a schedule: five fields as Debian's cron reads them, and the days and times they name.

Besides there is `H`, a moment that the workflow's name chooses, so that not all start at once, and `L` and `#`
for the last and the nth of a month. Refuses what is no field and what names no day that ever comes. Its one surprise
is Debian's: day and weekday are ORed, unless one of them begins with `*`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import product
from typing import NamedTuple


class WrongCron(ValueError):
    """What is wrong with the fields, and the way out."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint or "minute, hour, day, month and weekday: `*/15 6-20 * * mon-fri`"


@dataclass(frozen=True)
class Cron:
    """Five fields: `days` and `weekdays` hold `L` and `#` too, as `Last`, `LastWorkday` and `Nth`.

    `text` is what was written, in lower case and with a number for every `H`.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[Day]
    months: frozenset[int]
    weekdays: frozenset[Day]
    is_frequent: bool
    """Whether it follows real time, by Debian's rule: its minutes or hours begin with `*`; so does `H/15`."""
    needs_both: bool
    """Whether a day must be one of `days` and of `weekdays`."""

    def falls_on(self, day: date) -> bool:
        """Whether it is due on a day at all."""
        if day.month not in self.months:
            return False
        is_day, is_weekday = self._is_day(day), self._is_weekday(day)
        return is_day and is_weekday if self.needs_both else is_day or is_weekday

    def _is_day(self, day: date) -> bool:
        return (
            day.day in self.days
            or (Last() in self.days and _is_in_next_month(day, days=1))
            or (
                LastWorkday() in self.days
                and day.isoweekday() <= 5
                and _is_in_next_month(day, days=3 if day.isoweekday() == 5 else 1)
            )
        )

    def _is_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        return (
            weekday in self.weekdays
            or Nth(weekday, (day.day + 6) // 7) in self.weekdays
            or (Last(weekday) in self.weekdays and _is_in_next_month(day, days=7))
        )

    def days_from(self, day: date) -> Iterator[date]:
        """The days on which it is due, in order, from a day on. Raises `OverflowError` at the end of time."""
        while True:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
                continue
            if self.falls_on(day):
                yield day
            day += timedelta(days=1)

    def next_wall(self, wall: datetime) -> datetime:
        """The first time it names from this one on, on a clock that nobody puts forward or back."""
        for day in self.days_from(wall.date()):
            start = (wall.hour, wall.minute) if day == wall.date() else (0, 0)
            found = self._next_time(*start)
            if found is not None:
                return datetime.combine(day, found)
        raise OverflowError("no such day")

    def _next_time(self, hour: int, minute: int) -> time | None:
        for each in self.hours:
            if each >= hour:
                first = minute if each == hour else 0
                found = next((m for m in self.minutes if m >= first), None)
                if found is not None:
                    return time(each, found)
        return None


class Last(NamedTuple):
    """The last day of a month (`L`), or the last of its Fridays (`5L`)."""

    weekday: int | None = None


class LastWorkday(NamedTuple):
    """The last day of a month from Monday to Friday (`LW`)."""


class Nth(NamedTuple):
    """The nth of a weekday in a month: `5#2`."""

    weekday: int
    nth: int


Day = int | Last | LastWorkday | Nth


def _is_in_next_month(day: date, *, days: int) -> bool:
    """Whether it is another month so many days later."""
    return (day + timedelta(days=days)).month != day.month


# --- reading --------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """What a field may say; `H` chooses up to `spread`, which every month has."""

    name: str
    low: int
    high: int
    spread: int
    names: Mapping[str, int] = {}


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_KINDS = (
    _Kind("minute", 0, 59, 59),
    _Kind("hour", 0, 23, 23),
    _Kind("day", 1, 31, 28),
    _Kind("month", 1, 12, 12, {name: n for n, name in enumerate(_MONTHS, 1)}),
    _Kind("weekday", 0, 7, 6, {name: n for n, name in enumerate(_WEEKDAYS)}),
)
# `*`, `H`, a number or name, a range; each with a step or not.
_PART = re.compile(
    r"(?:(?P<all>\*)|(?P<spread>h(?:\((?P<first>\w{1,3})-(?P<last>\w{1,3})\))?)"
    r"|(?P<low>\w{1,3})(?:-(?P<high>\w{1,3}))?)(?:/(?P<step>[1-9]\d{0,3}))?",
    re.ASCII,
)
_NTH = re.compile(r"(\w{1,3})(?:(l)|#([1-5]))", re.ASCII)
_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@lru_cache(maxsize=20_000)  # a project is read again and again while it is scheduled
def parse_cron(text: str, name: str = "") -> Cron:
    """What five fields mean in the workflow of a name. Raises `WrongCron`."""
    fields = text.lower().split()
    if len(fields) != len(_KINDS):
        raise _wrong_number(fields)
    is_frequent = any(re.match(r"\*|h/", field) for field in fields[:2])
    written = [
        _without_spread(field, kind, chosen)
        for field, kind, chosen in zip(fields, _KINDS, _choices(name), strict=True)
    ]
    minutes, hours, days, months, weekdays = (
        frozenset(day for part in field.split(",") for day in _values(part, kind))
        for field, kind in zip(written, _KINDS, strict=True)
    )
    cron = Cron(
        text=" ".join(written),
        minutes=_numbers(minutes),
        hours=_numbers(hours),
        days=days,
        months=frozenset(_numbers(months)),
        weekdays=frozenset(0 if day == 7 else day for day in weekdays),
        is_frequent=is_frequent,
        needs_both=fields[2].startswith("*") or fields[4].startswith("*"),
    )
    if not any(cron.falls_on(day) for day in _all_days(cron.months)):
        what = f"`{' '.join(written[2:])}` in `cron` is a day that never comes"
        raise WrongCron(what, "day, month and weekday; `L` is the last day of a month")
    return cron


def _wrong_number(fields: list[str]) -> WrongCron:
    count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
    meant = _SHORTHANDS.get(fields[0]) if fields else None
    return WrongCron(f"`cron` has {count}, not five", f"did you mean `{meant}`?" if meant else "")


def _choices(name: str) -> Iterator[int]:
    """A number for each field, always the same for a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return (int.from_bytes(digest[at : at + 4]) for at in range(0, 4 * len(_KINDS), 4))


def _without_spread(field: str, kind: _Kind, chosen: int) -> str:
    """The field with a number for every `H`."""
    return ",".join(_chosen(part, kind, chosen) for part in field.split(","))


def _chosen(part: str, kind: _Kind, chosen: int) -> str:
    match = _PART.fullmatch(part)
    if match is None or not match["spread"]:
        return part
    low, high = kind.low, kind.spread
    if match["first"]:
        low, high = _range(match["first"], match["last"], kind, part)
    count = high - low + 1
    if not match["step"]:
        return str(low + chosen % count)
    first = low + chosen % min(int(match["step"]), count)
    return f"{first}-{high}/{match['step']}"


def _values(part: str, kind: _Kind) -> frozenset[Day]:
    if (found := _of_month(part, kind)) is not None:
        return frozenset({found})
    match = _PART.fullmatch(part)
    if match is None:
        raise _no(kind, part)
    low, high = kind.low, kind.high
    if match["low"]:
        low, high = _range(match["low"], match["high"] or match["low"], kind, part)
        if match["step"] and not match["high"]:  # `5/15` is `5-59/15`
            high = kind.high
    return frozenset(range(low, high + 1, int(match["step"] or 1)))


def _of_month(part: str, kind: _Kind) -> Day | None:
    """What counts from a month's end or its weeks, if it is that."""
    if kind.name == "day" and part in ("l", "lw"):
        return Last() if part == "l" else LastWorkday()
    if kind.name == "weekday" and (match := _NTH.fullmatch(part)):
        weekday = _number(match[1], kind, part) % 7
        return Last(weekday) if match[2] else Nth(weekday, int(match[3]))
    return None


def _range(low: str, high: str, kind: _Kind, part: str) -> tuple[int, int]:
    first, last = _number(low, kind, part), _number(high, kind, part)
    if first > last:
        top = kind.high - (kind.name == "weekday")  # 7 is 0 once more
        before = low if first == top else f"{low}-{top}"
        after = high if last == kind.low else f"{kind.low}-{high}"
        hint = f"a range goes upwards: `{before},{after}`"
        raise WrongCron(f"`{part}` is no {kind.name} in `cron`", hint)
    return first, last


def _number(text: str, kind: _Kind, part: str) -> int:
    number = kind.names.get(text, int(text) if text.isdecimal() else -1)
    if not kind.low <= number <= kind.high:
        raise _no(kind, part)
    return number


def _no(kind: _Kind, part: str) -> WrongCron:
    return WrongCron(f"`{part}` is no {kind.name} in `cron`")


def _numbers(days: frozenset[Day]) -> tuple[int, ...]:
    return tuple(sorted(day for day in days if isinstance(day, int)))


def _all_days(months: frozenset[int]) -> Iterator[date]:
    """Days of every kind there is: in 28 years each date has been each weekday it can be."""
    for year, month in product(range(2000, 2028), sorted(months)):
        first = date(year, month, 1)
        days = (first + timedelta(days=n) for n in range(31))
        yield from (day for day in days if day.month == month)
