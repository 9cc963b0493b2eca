"""What is old is forgotten, but for what status and guards go by; the database stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from genesis.interfaces import Limit
from genesis.run.ledger import Ledger
from genesis.run.prune import KEPT, prune
from genesis.run.queue import Asked, End, Queue
from genesis.run.rates import Buckets
from tests.run.virtual import MONDAY, VirtualClock

DAY = timedelta(days=1)
LOOK = End("succeeded", snapshots={"movie": 1})


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    url = "sqlite:///state.db"
    if request.param == "postgres":
        url = request.getfixturevalue("database")
    with closing(Ledger(url, tmp_path)) as ledger:
        yield ledger


def run(ledger: Ledger, day: int, end: End | None = LOOK, job: str = "w.j") -> None:
    """A run of a day that ended so, or did not."""
    queue, at = Queue(ledger.state), MONDAY + day * DAY
    queue.ask([Asked(f"{job}|{day}", job, "cron", f"{job}|{day}", at, at, place=job)], at=at)
    claim = end and queue.claim("here/1/1", now=at, lease=DAY)
    if claim and end:
        queue.finish(claim, end, at=at)


def days(ledger: Ledger, job: str = "w.j") -> list[int]:
    found = ledger.last_runs(job, limit=1_000)
    return sorted((each.logical_time - MONDAY).days for each in found if each.logical_time)


def test_old_runs_go_but_the_newest_stay(ledger: Ledger) -> None:
    for day in range(10):
        run(ledger, day)
    assert prune(ledger.state, now=MONDAY + KEPT + 7.5 * DAY, newest=2) == 8
    assert days(ledger) == [8, 9]
    assert prune(ledger.state, now=MONDAY + KEPT + 90 * DAY, newest=2) == 0


def test_the_last_success_and_the_last_look_stay(ledger: Ledger) -> None:
    """However long ago: a failure since then does not hide when the tracker was right."""
    ends = [LOOK, LOOK, End("succeeded"), *[End("failed")] * 4]
    for day, end in enumerate(ends):
        run(ledger, day, end)
    prune(ledger.state, now=MONDAY + 300 * DAY, newest=1)
    assert days(ledger) == [1, 2, 6]


def test_what_has_not_ended_stays(ledger: Ledger) -> None:
    run(ledger, 0, None)
    for day in range(1, 4):
        run(ledger, day, End("failed"), job="w.other")
    prune(ledger.state, now=MONDAY + 300 * DAY, newest=1)
    assert days(ledger) == [0]


def test_rates_and_questions_of_nobody_go(ledger: Ledger) -> None:
    clock = VirtualClock(MONDAY)
    buckets = Buckets(ledger.state, clock)
    for name in ("old", "new"):
        buckets.wait(name, Limit(10, DAY), until=clock.now() + DAY)
        buckets.settle(name)
        clock.sleep(200 * DAY)
    prune(ledger.state, now=clock.now() - 150 * DAY)
    with ledger.state.reading() as connection:
        for table, column in (("rate", "bucket"), ("settled", "question")):
            assert connection.execute(sa.text(f"SELECT {column} FROM {table}")).scalars().all() == [
                "new"
            ]


def test_the_database_stays_bounded(ledger: Ledger) -> None:
    """Half a year of runs, pruned each day: never more than are to be kept."""
    most = 0
    for day in range(180):
        run(ledger, day)
        if day % 5 == 0:
            prune(ledger.state, now=MONDAY + day * DAY, kept=20 * DAY, newest=10)
            most = max(most, len(days(ledger)))
    assert most <= 21
