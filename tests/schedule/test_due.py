"""What is due: every moment once, whatever the ticks, and bounded work however long nobody looked."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.schedule.due import (
    MOST,
    Due,
    Trigger,
    Watermark,
    due,
    is_too_late,
    trigger_of,
)
from genesis.schedule.fires import ByCron, Every, next_fires
from genesis.spec.cron import parse_cron
from genesis.spec.workflow import Template, Workflow

START = datetime(2026, 10, 24, 22, tzinfo=UTC)  # three hours before Berlin's clocks go back
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURLY = Trigger("hourly", ByCron(parse_cron("0 * * * *"), ZoneInfo("Europe/Berlin")))


def at(hours: float) -> datetime:
    return START + hours * HOUR


def since(hours: float, trigger: Trigger = HOURLY) -> Watermark:
    return Watermark(at(hours), str(trigger.timetable))


def told(found: Due) -> tuple[list[datetime], list[tuple[datetime, str]]]:
    return list(found.slots), [(missed.first, missed.reason) for missed in found.missed]


def test_the_newest_is_run_and_the_others_are_told() -> None:
    """After three hours of nobody looking."""
    found = due(HOURLY, since(0), at(3.5))
    reason = "missed: catchup latest"
    assert told(found) == ([at(3)], [(at(1), reason), (at(2), reason)])
    assert (found.watermark.at, found.next) == (at(3), at(4))


def test_all_are_run_where_the_workflow_says_so() -> None:
    """Oldest first."""
    found = due(replace(HOURLY, catchup="all"), since(0), at(3.5))
    assert told(found) == ([at(1), at(2), at(3)], [])


def test_none_is_made_up_for_where_the_workflow_says_so() -> None:
    """What is only just due is run; what was missed is not."""
    never = replace(HOURLY, catchup="none")
    reason = "missed: catchup none"
    assert told(due(never, since(0), at(2))) == ([at(2)], [(at(1), reason)])
    assert told(due(never, since(0), at(2.5))) == ([], [(at(1), reason), (at(2), reason)])


def test_what_is_past_its_deadline_is_not_run() -> None:
    """Not the newest either; of all, those that are."""
    short = replace(HOURLY, deadline=10 * MINUTE)
    assert told(due(short, since(0), at(1.5))) == ([], [(at(1), "missed: deadline 10m")])
    some = replace(HOURLY, catchup="all", deadline=90 * MINUTE)
    found = due(some, since(0), at(3.5))
    assert told(found) == ([at(2), at(3)], [(at(1), "missed: deadline 90m")])
    assert is_too_late(at(1), 10 * MINUTE, at(1.5))
    assert not is_too_late(at(1), 60 * MINUTE, at(2))
    assert not is_too_late(at(1), None, at(100))


def test_what_is_new_or_changed_begins_now() -> None:
    """Its past is nobody's."""
    for watermark in (None, Watermark(at(-500), "every 60s")):
        found = due(HOURLY, watermark, at(0.5))
        assert told(found) == ([], [])
        assert found.watermark == since(0.5)
        assert found.next == at(1)


def test_a_clock_that_goes_back_runs_nothing_again() -> None:
    """The watermark stays where it was."""
    found = due(HOURLY, since(5), at(2.5))
    assert told(found) == ([], [])
    assert (found.watermark, found.next) == (since(5), at(6))


@pytest.mark.parametrize("timetable", [Every(timedelta(seconds=1)), HOURLY.timetable])
def test_years_are_passed_over_at_once(timetable: ByCron | Every) -> None:
    """They are told as one span, and the newest is run."""
    trigger = Trigger("old", timetable)
    long_ago = START - timedelta(days=4000)
    found = due(trigger, Watermark(long_ago, str(timetable)), at(0.5))
    (span,) = found.missed
    assert span.first == next(next_fires(timetable, long_ago))
    assert span.last == max(takewhile(lambda x: x < found.slots[0], next_fires(timetable, at(-2))))
    assert found.watermark.at == found.slots[0] <= at(0.5)


def test_all_of_years_come_bit_by_bit() -> None:
    """No more than `MOST` at once, and the next at once."""
    trigger = Trigger("all", Every(MINUTE), catchup="all")
    found = due(trigger, Watermark(at(-48), str(trigger.timetable)), START)
    assert len(found.slots) == MOST
    assert found.next == found.slots[-1] + MINUTE < START


CATCHUPS = st.sampled_from(["latest", "all", "none"])
TRIGGERS = st.builds(
    Trigger,
    st.just("any"),
    st.sampled_from(
        [
            ByCron(parse_cron(text), ZoneInfo(zone))
            for text, zone in (
                ("*/20 * * * *", "Europe/Berlin"),
                ("30 1-3 * * *", "Europe/Berlin"),
                ("15 2 * * *", "Australia/Lord_Howe"),
            )
        ]
        + [Every(7 * MINUTE)]
    ),
    CATCHUPS,
    st.sampled_from([None, 5 * MINUTE, 3 * HOUR]),
)


def covered(found: Iterable[Due], trigger: Trigger) -> list[datetime]:
    """Every moment that was run or told as missed."""
    moments: list[datetime] = []
    for each in found:
        for missed in each.missed:  # all of them before what is run
            span = next_fires(trigger.timetable, missed.first - timedelta(seconds=1))
            moments += takewhile(lambda x, last=missed.last: x <= last, span)
        moments += each.slots
    return moments


@given(TRIGGERS, st.lists(st.integers(-90, 600), min_size=1, max_size=30), st.randoms())
def test_every_moment_once_whatever_the_ticks(
    trigger: Trigger, pauses: Sequence[int], chance: random.Random
) -> None:
    """Ticks at random moments, clocks that go back, and processes that die before they remember."""
    watermark = Watermark(START, str(trigger.timetable))
    now, newest, kept = START, START, []
    for pause in pauses:
        now += pause * MINUTE
        newest = max(newest, now)
        found = due(trigger, watermark, now)
        if chance.random() < 0.2:  # the transaction is lost, and with it all that it knew
            continue
        assert watermark.at <= found.watermark.at
        watermark = found.watermark
        kept.append(found)
    kept.append(due(trigger, watermark, newest))
    until = takewhile(lambda x: x <= newest, next_fires(trigger.timetable, START))
    assert covered(kept, trigger) == list(until)


@given(st.lists(st.integers(0, 600), min_size=1, max_size=20), st.integers(0, 9))
def test_the_same_is_run_whatever_the_ticks(pauses: Sequence[int], pick: int) -> None:
    """Where all is caught up with, ticks and restarts change nothing."""
    every = Trigger("all", Every((pick + 1) * MINUTE), catchup="all")
    watermark, now, run = Watermark(START, str(every.timetable)), START, []
    for pause in pauses:
        now += pause * MINUTE
        while True:
            found = due(every, watermark, now)
            run += found.slots
            watermark = found.watermark
            if found.next is None or found.next > now:
                break
    assert run == list(takewhile(lambda x: x <= now, next_fires(every.timetable, START)))


def workflow(**keys: object) -> Workflow:
    given = {"jobs": [{"compact": "movie"}], **keys}
    return Workflow.model_validate({"name": "nightly", **given}, by_name=True)


def test_a_workflow_makes_its_trigger() -> None:
    """With the longest of its jobs' deadlines, templates written out, if all have one."""
    jobs = [{"compact": "movie", "deadline": "1h"}, {"audit": "movie", "use": "patient"}]
    templates = {"patient": Template.model_validate({"deadline": "2h"})}
    nightly = workflow(schedule={"cron": "H 3 * * *"}, catchup="none", jobs=jobs)
    trigger = trigger_of(nightly, "Europe/Berlin", templates)
    assert trigger is not None
    assert (trigger.name, trigger.catchup, trigger.deadline) == ("nightly", "none", 2 * HOUR)
    assert str(trigger.timetable).endswith(" 3 * * * Europe/Berlin")
    assert trigger_of(workflow(schedule={"every": "1h"}), "UTC", {}) == Trigger(
        "nightly", Every(HOUR)
    )
    assert trigger_of(workflow(schedule={"on_change": True}), "UTC", {}) is None
    assert trigger_of(workflow(), "UTC", {}) is None
