"""Rates: turns in any window, freezing, deadlines, the month, and several processes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.errors import SinkBusy
from genesis.interfaces import Limit
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.testing.clock import HandClock

URL = "sqlite:///state.db"
FIVE = Limit(5, timedelta(seconds=1))
LATER = timedelta(hours=9)


@pytest.fixture
def rates(tmp_path: Path) -> Iterator[Buckets]:
    buckets = Buckets(State(URL, tmp_path), HandClock())
    yield buckets
    buckets.close()


def seconds(rates: Buckets, since: datetime) -> float:
    return (rates.clock.now() - since).total_seconds()


def test_a_few_calls_need_not_wait(rates: Buckets) -> None:
    """And the next one waits just as long as it must."""
    start = rates.clock.now()
    for expected in (0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2):
        rates.wait("airtable:app1", FIVE, until=start + LATER)
        assert seconds(rates, start) == expected


def test_buckets_know_nothing_of_each_other(rates: Buckets) -> None:
    """A base that is full does not hold up another one."""
    start = rates.clock.now()
    for number in range(20):
        rates.wait(f"airtable:app{number}", Limit(1, LATER), until=start)
    assert seconds(rates, start) == 0


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(pauses=st.lists(st.floats(0, 2), max_size=25), calls=st.integers(1, 6))
def test_the_limit_holds_in_any_window(rates: Buckets, pauses: list[float], calls: int) -> None:
    """However the calls come, and wherever the window begins."""
    bucket = f"{calls} {pauses}"
    turns = []
    for pause in pauses:
        rates.clock.sleep(timedelta(seconds=pause))
        rates.wait(bucket, Limit(calls, timedelta(seconds=1)), until=rates.clock.now() + LATER)
        turns.append(rates.clock.now())
    for one, other in zip(turns, turns[calls:], strict=False):
        assert other - one >= timedelta(seconds=1) - timedelta(microseconds=5)


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(takes=st.lists(st.sampled_from([0.0, 0.05, 0.3, 1.5]), min_size=6, max_size=20))
def test_the_limit_holds_wherever_calls_are_late(rates: Buckets, takes: list[float]) -> None:
    """A call comes there at any time from its turn to its answer: the first one when it has connected."""
    turns, answers = [], []
    for seconds_taken in takes:
        turns.append(rates.wait(f"{takes}", FIVE, until=rates.clock.now() + LATER))
        rates.clock.sleep(timedelta(seconds=seconds_taken))
        rates.answered(f"{takes}", turns[-1])
        answers.append(rates.clock.now().timestamp())
    assert all(turn >= answer + 1 for answer, turn in zip(answers, turns[5:], strict=False))


def test_a_frozen_bucket_waits(rates: Buckets) -> None:
    """A shorter freeze does not thaw a longer one."""
    start = rates.clock.now()
    rates.freeze("sheets:bot:write", timedelta(seconds=30))
    rates.freeze("sheets:bot:write", timedelta(seconds=1))
    rates.wait("sheets:bot:read", FIVE, until=start)
    rates.wait("sheets:bot:write", FIVE, until=start + LATER)
    assert seconds(rates, start) == 30


def test_who_waits_when_it_freezes_waits_on(tmp_path: Path) -> None:
    """A turn that was given out before is worth nothing in the cold."""

    class Interrupted(HandClock):
        def sleep(self, length: timedelta) -> None:
            super().sleep(length)
            if others:
                others.pop().freeze("b", timedelta(seconds=30))

    clock = Interrupted()
    others: list[Buckets] = []
    mine, theirs = (Buckets(State(URL, tmp_path), clock) for _ in range(2))
    start = clock.now()
    mine.wait("b", Limit(1, timedelta(seconds=2)), until=start + LATER)
    others.append(theirs)
    mine.wait("b", Limit(1, timedelta(seconds=2)), until=start + LATER)
    assert (clock.now() - start).total_seconds() == 32
    mine.close()
    theirs.close()


def test_a_deadline_is_told_before_it_is_waited_for(rates: Buckets) -> None:
    """Nothing is gained by sleeping until then."""
    start = rates.clock.now()
    rates.freeze("airtable:app1", timedelta(seconds=30))
    with pytest.raises(SinkBusy, match=r"`airtable:app1`.*12:00:30 UTC") as caught:
        rates.wait("airtable:app1", FIVE, until=start + timedelta(seconds=29))
    assert caught.value.problems[0].code == "service-busy"
    assert caught.value.exit_code == 75
    assert seconds(rates, start) == 0
    assert rates.month("airtable:app1").calls == 0


def test_the_month_is_counted_and_foretold(tmp_path: Path) -> None:
    """By what was called since its first call; another month starts anew."""
    clock = HandClock(datetime(2026, 11, 11, tzinfo=UTC))
    rates = Buckets(State(URL, tmp_path), clock)
    for _ in range(10):
        rates.wait("b", FIVE, until=clock.now() + LATER)
        clock.sleep(timedelta(days=1))
    assert (rates.month("b").calls, rates.month("b").forecast) == (10, 20)
    clock.sleep(timedelta(days=10))
    assert rates.month("b").calls == 0
    rates.wait("b", FIVE, until=clock.now() + LATER)
    assert (rates.month("b").calls, rates.month("b").forecast) == (1, 32)
    rates.close()


TAKER = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from genesis.clock import SystemClock
from genesis.interfaces import Limit
from genesis.run.rates import Buckets
from genesis.run.state import State

rates = Buckets(State("sqlite:///state.db", Path(sys.argv[1])), SystemClock())
limit = Limit(5, timedelta(seconds=0.2))
for _ in range(10):
    rates.wait("airtable:app1", limit, until=datetime.now(UTC) + timedelta(minutes=5))
    print(time.time(), flush=True)
"""


def test_processes_share_a_bucket(tmp_path: Path) -> None:
    """None is lost, none comes twice, and together they keep to the limit."""
    command = [sys.executable, "-c", TAKER, str(tmp_path)]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    turns = sorted(float(line) for taker in takers for line in taker.communicate()[0].splitlines())
    assert len(turns) == 30
    assert turns[-1] - turns[0] >= 0.9  # 30 calls, 5 in 0.2 s
    rates = Buckets(State(URL, tmp_path), HandClock(datetime.now(UTC)))
    assert rates.month("airtable:app1").calls == 30
    rates.close()
