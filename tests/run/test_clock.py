"""Several machines, one time: the ledger's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genesis.run.clock import LedgerClock
from genesis.run.queue import Asked, Queue
from genesis.run.state import State
from tests.run.virtual import MONDAY

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def state(database: str, tmp_path: Path) -> Iterator[State]:
    with closing(State(database, tmp_path)) as state:
        yield state


def ahead() -> datetime:
    return datetime.now(UTC) + HOUR


def test_a_clock_that_is_off_does_not_count(state: State) -> None:
    assert abs(LedgerClock(state, local=ahead).now() - datetime.now(UTC)) < SECOND


def test_it_goes_on_between_two_answers(state: State) -> None:
    ticks = [0.0]
    clock = LedgerClock(state, local=ahead, ticks=lambda: ticks[0])
    before = clock.now()
    ticks[0] += 10
    assert clock.now() - before == 10 * SECOND


def test_what_is_off_is_told_once(state: State) -> None:
    told: list[str] = []
    clock = LedgerClock(state, told.append, local=ahead)
    clock.measure()
    assert told == ["this machine's clock is 3600 s ahead of the ledger's, which counts"]


def test_an_answer_that_took_long_is_not_taken(state: State) -> None:
    """Only the first is: a poor measure is better than none."""
    ticks = iter([0.0, 0.0, 0.0, 1.0, 100.0, 160.0, 160.0])
    clock = LedgerClock(state, ticks=lambda: next(ticks))
    before = clock.now()
    clock.measure()
    assert clock.now() - before > 150 * SECOND


def test_a_node_whose_clock_is_fast_takes_nothing_over(state: State) -> None:
    """Its own clock would have the lease ended an hour ago."""
    queue, right, wrong = Queue(state), LedgerClock(state), LedgerClock(state, local=ahead)
    queue.ask([Asked("k", "w.j", "cron", "k", MONDAY, MONDAY, place="a")], at=MONDAY)
    assert queue.claim("there/1/1", now=right.now(), lease=60 * SECOND)
    assert queue.take_over(now=wrong.now()) == ()


def test_one_machine_has_one_clock(tmp_path: Path) -> None:
    with closing(State("sqlite:///state.db", tmp_path)) as state:
        assert LedgerClock(state, local=lambda: MONDAY).now() == MONDAY
