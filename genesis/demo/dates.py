"""The studio's calendar: every date in the demo is so many days from the anchor, which is today.

The first wave ends as yesterday begins in UTC, the second takes ten hours more. So in whatever
zone the caller's today is, no event lies in the future.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from genesis.demo.records import Location


class Calendar(NamedTuple):
    """The days around one that is taken for today."""

    today: date

    @property
    def opening(self) -> datetime:
        """When the systems of record were first read."""
        return midnight(self.day(-720))

    @property
    def close(self) -> datetime:
        """When the first wave ends and the second starts."""
        return midnight(self.day(-1))

    def day(self, offset: int) -> date:
        """The date so many days from today."""
        return self.today + timedelta(days=offset)


def midnight(day: date) -> datetime:
    """The instant at which a day begins in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def moments(rng: Random, first: datetime, last: datetime, count: int) -> list[datetime]:
    """So many different minutes from `first` until `last`, in order."""
    minutes = max(int((last - first) / timedelta(minutes=1)), count)
    return [first + timedelta(minutes=each) for each in sorted(rng.sample(range(minutes), count))]


def working_days(first: date, last: date) -> Iterator[date]:
    """Monday to Friday, both ends included."""
    days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
    return (day for day in days if day.weekday() < 5)


def instant(day: date, wall: time, location: Location) -> datetime:
    """The moment a clock on the wall at `location` shows this."""
    return datetime.combine(day, wall, tzinfo=ZoneInfo(location.time_zone)).astimezone(UTC)


def _nth_sunday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))


def clocks_go_back(year: int) -> date:
    """The night on which 01:30 comes twice in Los Angeles."""
    return _nth_sunday(year, 11, 1)


def clocks_go_forward(year: int) -> date:
    """The night on which 02:30 never comes in Los Angeles."""
    return _nth_sunday(year, 3, 2)
