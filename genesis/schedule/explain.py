"""The moments of a schedule for a person: each with what is odd about it, where clocks were put."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from genesis.schedule.fires import ByCron, Timetable, next_fires


@dataclass(frozen=True)
class Fire:
    """A moment at which something is due, and a remark where that is not what the schedule seems to say."""

    at: datetime
    remark: str | None = None


def explain(timetable: Timetable, after: datetime) -> Iterator[Fire]:
    """The moments after one, in order."""
    for at in next_fires(timetable, after):
        yield Fire(at, _remark(timetable, at) if isinstance(timetable, ByCron) else None)


def _remark(timetable: ByCron, at: datetime) -> str | None:
    cron, wall = timetable.cron, at.astimezone(timetable.zone)
    shown = wall.replace(tzinfo=None)
    before = (at - timedelta(minutes=1)).astimezone(timetable.zone).replace(tzinfo=None)
    skipped = cron.next_wall(before + timedelta(minutes=1))
    if skipped < shown and not cron.is_frequent:
        return f"for {skipped:%H:%M}, which the clocks skip"
    if wall.fold:
        return f"{wall:%H:%M} once more, since the clocks went back"
    if wall.replace(fold=1).utcoffset() != wall.utcoffset():
        again = "and again" if cron.is_frequent else "and not again"
        return f"the first {wall:%H:%M}, {again} when the clocks have gone back"
    return None
