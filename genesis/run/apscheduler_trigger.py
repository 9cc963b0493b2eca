"""Our moments for those who host APScheduler themselves: a `Timetable` as a trigger of its.

`add_job(do, TimetableTrigger.of(workflow, "Europe/Berlin"))` is due when `genesis schedule` would be, also
in nights when clocks are put, where APScheduler's own `CronTrigger` leaves runs out. It holds no state: what was
missed while nobody ran is APScheduler's `misfire_grace_time` to decide.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from apscheduler.triggers.base import BaseTrigger

from genesis.schedule.fires import Timetable, next_fire, timetable_of
from genesis.spec.workflow import Workflow

_INSTANT = timedelta(microseconds=1)


class TimetableTrigger(BaseTrigger):  # type: ignore[misc]  # it is not typed
    """Due at the moments of a timetable."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable

    @classmethod
    def of(cls, workflow: Workflow, timezone: str) -> Self:
        """The trigger of a workflow, in a project of a zone. Raises `ValueError` where no moments are known before."""
        timetable = timetable_of(workflow, timezone)
        if timetable is None:
            raise ValueError(f"`{workflow.name}` is due by changes, or by hand")
        return cls(timetable)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The moment after the previous one; at first, the first that is not before now."""
        return next_fire(self.timetable, previous or now - _INSTANT)

    def __str__(self) -> str:
        return str(self.timetable)

    def __getstate__(self) -> dict[str, Any]:
        """As APScheduler's job stores keep it."""
        return {"version": 1, "timetable": self.timetable}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.timetable = state["timetable"]
