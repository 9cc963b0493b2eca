"""Our moments through APScheduler itself, in the nights in which its own triggers err."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from genesis.run.apscheduler_trigger import TimetableTrigger
from tests.run.virtual import project_of, workflow

NEW_YORK = "America/New_York"
SATURDAY = datetime(2026, 3, 7, 12, tzinfo=UTC)


def trigger(root: Path, schedule: str) -> TimetableTrigger:
    project = project_of(root, workflow("movies", f"schedule: {schedule}"), timezone=NEW_YORK)
    return TimetableTrigger.of(project.workflows["movies"], NEW_YORK)


def fires(root: Path, schedule: str) -> Iterator[datetime]:
    """As APScheduler asks for them."""
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.start(paused=True)
    try:
        job = scheduler.add_job(print, trigger(root, schedule), next_run_time=SATURDAY)
        previous, now = None, SATURDAY
        while at := job.trigger.get_next_fire_time(previous, now):
            yield at
            previous = now = at
    finally:
        scheduler.shutdown(wait=False)


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 0 * * *", ["03-08 05:00", "03-09 04:00", "03-10 04:00"]),
        ("30 2 * * *", ["03-08 07:00", "03-09 06:30", "03-10 06:30"]),
    ],
    ids=["midnight", "in the hour that is skipped"],
)
def test_a_daily_run_is_daily_when_clocks_are_put(
    tmp_path: Path, cron: str, told: list[str]
) -> None:
    found = islice(fires(tmp_path, f"{{cron: '{cron}'}}"), 3)
    assert [f"{at:%m-%d %H:%M}" for at in found] == told


def test_a_host_is_called_at_our_moments(tmp_path: Path) -> None:
    """Whole seconds: `every` counts from 1970."""
    called, times = threading.Event(), []
    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.start()
    job = scheduler.add_job(called.set, trigger(tmp_path, "{every: 1s}"))
    times.append(job.next_run_time)
    assert called.wait(10)
    scheduler.shutdown()
    assert times[0].microsecond == 0
    assert times[0] - datetime.now(UTC) < timedelta(seconds=1)


def test_it_may_be_kept_in_a_job_store(tmp_path: Path) -> None:
    found = trigger(tmp_path, "{cron: '0 6 * * *'}")
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  # our own
    assert again.get_next_fire_time(None, SATURDAY) == found.get_next_fire_time(None, SATURDAY)
    assert str(again) == "0 6 * * * America/New_York"


def test_what_follows_changes_has_no_moments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="by changes, or by hand"):
        trigger(tmp_path, "{on_change: true}")
