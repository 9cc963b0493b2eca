"""When a tracker is late: too old, or not done by a time of day; never while nothing was due."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from genesis.schedule.fires import ByCron, Every
from genesis.schedule.late import Promise, Success, is_late, late_from, promise_of
from genesis.spec.cron import parse_cron
from genesis.spec.workflow import Workflow

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = ByCron(parse_cron("*/15 6-20 * * mon-fri"), BERLIN)
NIGHTLY = ByCron(parse_cron("0 2 * * *"), BERLIN)
FRESH = timedelta(minutes=45)


def at(text: str) -> datetime:
    """A moment of a week that begins with Monday, 2026-11-02, in Berlin."""
    day, _, clock = text.partition(" ")
    number = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "next-mon"].index(day)
    return datetime.combine(
        datetime(2026, 11, 2, tzinfo=BERLIN) + timedelta(days=number), time.fromisoformat(clock), BERLIN
    )  # fmt: skip


def since(promise: Promise, success: str, changed: str | None = None) -> datetime | None:
    moment = at(success)
    return late_from(promise, Success(moment, moment), at(changed) if changed else None)


@pytest.mark.parametrize(
    ("success", "late"),
    [
        ("mon 12:00", "mon 12:45"),
        ("mon 20:45", "tue 06:45"),
        ("fri 20:45", "next-mon 06:45"),
        ("fri 20:30", "fri 21:15"),
    ],
)
def test_its_age_counts_while_something_is_due(success: str, late: str) -> None:
    """At night nothing is; in the morning the first run has its time, too."""
    assert since(Promise(OFFICE, BERLIN, FRESH), success) == at(late)


def test_by_a_time_of_day() -> None:
    """What was due before must be done; what is due later has until tomorrow."""
    promise = Promise(NIGHTLY, BERLIN, complete_by=time(7))
    assert since(promise, "mon 02:00") == at("tue 07:00")
    before = Success(at("mon 02:00"), at("mon 02:10"))
    assert not is_late(promise, before, at("tue 06:59"))
    assert is_late(promise, before, at("tue 07:00"))
    evening = Promise(ByCron(parse_cron("0 22 * * mon-fri"), BERLIN), BERLIN, complete_by=time(7))
    assert since(evening, "thu 22:00") == at("sat 07:00")
    assert since(evening, "fri 22:00") == at("next-mon 07:00") + timedelta(days=1)


def test_a_run_that_ends_late_is_fresh_and_overdue_no_more() -> None:
    """It is the moment it was due at that counts for `complete_by`."""
    promise = Promise(NIGHTLY, BERLIN, complete_by=time(7))
    healed = Success(slot=at("tue 02:00"), ended=at("tue 09:00"))
    assert late_from(promise, healed) == at("wed 07:00")


def test_the_sooner_of_both() -> None:
    promise = Promise(Every(timedelta(hours=1)), BERLIN, timedelta(hours=2), time(7))
    assert since(promise, "mon 05:30") == at("mon 07:00")
    assert since(promise, "mon 06:30") == at("mon 08:30")


def test_what_follows_changes_is_late_after_one() -> None:
    """Without a change it is as new as its data."""
    promise = Promise(None, BERLIN, FRESH, follows_changes=True)
    assert since(promise, "mon 12:00") is None
    assert since(promise, "mon 12:00", changed="mon 12:10") == at("mon 12:45")
    assert since(promise, "mon 12:00", changed="wed 12:00") == at("wed 12:45")


def test_what_runs_by_hand_gets_older() -> None:
    assert since(Promise(None, BERLIN, FRESH), "mon 12:00") == at("mon 12:45")
    assert since(Promise(None, BERLIN, complete_by=time(9)), "mon 12:00") is None
    assert since(Promise(OFFICE, BERLIN), "mon 12:00") is None


def test_a_workflow_makes_its_promise() -> None:
    """In its schedule's zone, or the project's."""
    said = {
        "name": "nightly",
        "jobs": [{"compact": "movie"}],
        "schedule": {"cron": "0 2 * * *", "timezone": "Europe/Berlin"},
        "alerts": {"freshness": "45m", "complete_by": "07:00"},
    }
    nightly = Workflow.model_validate(said, by_name=True)
    assert promise_of(nightly, "UTC") == Promise(NIGHTLY, BERLIN, FRESH, time(7))
    followed = nightly.model_copy(update={"schedule": None})
    assert promise_of(followed, "UTC").zone == ZoneInfo("UTC")
