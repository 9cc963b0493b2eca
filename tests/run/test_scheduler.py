"""Every slot of a schedule is one run, whoever asks for it, how often, and whatever dies in between."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import EngineError, Location, Problem
from genesis.run.asking import asked_again
from genesis.run.jobs import pick_jobs
from genesis.run.ledger import Ledger
from genesis.run.queue import Queue
from genesis.run.reload import merged
from genesis.run.scheduler import Scheduler
from genesis.run.triggers import Triggers
from genesis.schedule.order import SUPERSEDED
from genesis.spec.project import Project
from tests.run.virtual import MONDAY, Node, Places, VirtualClock, project_of, workflow

HOUR = timedelta(hours=1)
HOURLY = "schedule: {cron: '0 * * * *'}"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MONDAY)


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    return lambda workflows: project_of(tmp_path, workflows)


def scheduler(ledger: Ledger, clock: VirtualClock, project: Project) -> Scheduler:
    return Scheduler(ledger.state, clock.now, project, engine="local")


def slots(ledger: Ledger) -> list[tuple[str, str]]:
    """The runs, oldest first: the hour they are of, and how they stand."""
    return [
        (f"{run.logical_time:%H:%M}", run.state)
        for run in sorted(ledger.newest(1_000), key=lambda run: (run.logical_time, run.id))  # type: ignore[arg-type, return-value]
    ]


def reasons(ledger: Ledger) -> set[str | None]:
    return {run.reason for run in ledger.newest(1_000) if run.state == "skipped"}


def test_what_is_due_is_asked_for_once(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """By two schedulers, one of which starts again."""
    found = project(workflow("movies", HOURLY))
    one, other = scheduler(ledger, clock, found), scheduler(ledger, clock, found)
    assert one.tick() == 0
    clock.sleep(HOUR)
    assert (one.tick(), other.tick(), one.tick()) == (1, 0, 0)
    assert scheduler(ledger, clock, found).tick() == 0
    assert slots(ledger) == [("01:00", "queued")]


def test_jobs_wait_for_those_they_need(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    jobs = (
        "  - {refresh: movies, name: second, needs: [first], to: {csv: {file: b.csv}}}\n"
        "  - {refresh: movies, name: first, to: {csv: {file: a.csv}}}\n"
    )
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY, jobs=jobs)))
    clock.sleep(HOUR)
    asks.tick()
    node = Node(ledger, Places(clock))
    node.work()
    assert [claim.run.job for claim, _ in node.ended] == ["movies.first", "movies.second"]


def test_an_account_has_room_for_as_many_runs_as_its_limit(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """Whatever else is due goes on."""
    jobs = "".join(
        f"  - {{refresh: movies, name: {name}, to: {{google_sheets: {{spreadsheet: {name}, tab: A}}}}}}\n"
        for name in ("a", "b", "c")
    )
    jobs += "  - {refresh: movies, name: file, to: {csv: {file: a.csv}}}\n"
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY, jobs=jobs)))
    clock.sleep(HOUR)
    asks.tick()
    queue = Queue(ledger.state)
    limits = {"google_sheets": 2}
    claims = [queue.claim("here/1/1", now=clock.now(), lease=HOUR, limits=limits) for _ in range(4)]
    jobs_of = [claim and claim.run.job for claim in claims]
    assert jobs_of == ["movies.a", "movies.b", "movies.file", None]


@pytest.mark.parametrize(
    ("catchup", "told"),
    [
        ("latest", [("01:00", "skipped"), ("02:00", "skipped"), ("03:00", "queued")]),
        ("all", [("01:00", "queued"), ("02:00", "queued"), ("03:00", "queued")]),
        ("none", [("01:00", "skipped"), ("02:00", "skipped"), ("03:00", "skipped")]),
    ],
)
def test_what_was_missed_is_accounted_for(
    ledger: Ledger,
    clock: VirtualClock,
    project: Callable[[str], Project],
    catchup: str,
    told: list[tuple[str, str]],
) -> None:
    found = project(workflow("movies", HOURLY, f"catchup: {catchup}"))
    scheduler(ledger, clock, found)
    clock.sleep(3.5 * HOUR)
    scheduler(ledger, clock, found).tick()
    assert slots(ledger) == told


def test_of_runs_that_wait_the_newest_stays(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY)))
    for _ in range(3):
        clock.sleep(HOUR)
        asks.tick()
    assert slots(ledger) == [("01:00", "skipped"), ("02:00", "skipped"), ("03:00", "queued")]
    assert reasons(ledger) == {"superseded: a newer run waits"}


def test_a_run_that_skips_does_not_wait_for_the_one_before(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY, "overlap: skip")))
    node = Node(ledger, Places(clock))
    clock.sleep(HOUR)
    asks.tick()
    assert node.queue.claim("here/1/1", now=clock.now(), lease=10 * HOUR)
    clock.sleep(HOUR)
    asks.tick()
    assert slots(ledger) == [("01:00", "running"), ("02:00", "skipped")]
    assert reasons(ledger) == {"overlap: the run before it has not ended"}


def test_what_is_paused_is_skipped_with_the_reason(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY) + workflow("other", HOURLY)))
    triggers = Triggers(ledger.state)
    triggers.pause("movies", at=MONDAY, until=None, reason="the set is closed", by="ada")
    clock.sleep(HOUR)
    asks.tick()
    assert {run.job: run.state for run in ledger.newest(2)} == {
        "movies.movies": "skipped",
        "other.movies": "queued",
    }
    assert reasons(ledger) == {"paused by ada: the set is closed"}
    assert triggers.resume("movies")
    clock.sleep(HOUR)
    asks.tick()
    assert ledger.last_runs("movies.movies")[0].state == "queued"


def test_what_is_skipped_is_told_by_reason(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """Missed hours, a run that waits while a newer one comes, a pause."""
    told: Counter[str] = Counter()
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY)))
    asks._on_skip = told.update
    for hours in (3, 1):
        clock.sleep(hours * HOUR)
        asks.tick()
    assert told == {"missed: catchup latest": 2, SUPERSEDED: 1}
    asks.triggers.pause("movies", at=clock.now(), until=None, reason="snow", by="ada")
    clock.sleep(HOUR)
    asks.tick()
    assert told["paused by ada: snow"] == 1


def test_the_next_run_of_each_job_is_known(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    by_hand = workflow("by_hand")
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY) + by_hand))
    assert asks.next_by_job() == {"movies.movies": MONDAY + HOUR}
    clock.sleep(HOUR)
    asks.tick()
    assert asks.next_by_job() == {"movies.movies": MONDAY + 2 * HOUR}


def test_a_pause_ends_by_itself(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY)))
    Triggers(ledger.state).pause(
        "movies.movies", at=MONDAY, until=MONDAY + 1.5 * HOUR, reason=None, by="ada"
    )
    for _ in range(2):
        clock.sleep(HOUR)
        asks.tick()
    assert slots(ledger) == [("01:00", "skipped"), ("02:00", "queued")]


def test_a_clock_that_goes_back_asks_for_nothing_again(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    found = project(workflow("movies", HOURLY))
    asks = scheduler(ledger, clock, found)
    clock.sleep(2 * HOUR)
    asks.tick()
    clock.sleep(-HOUR)
    assert asks.tick() == 0
    assert scheduler(ledger, clock, found).tick() == 0
    clock.sleep(2 * HOUR)
    assert asks.tick() == 1


def test_a_schedule_that_changed_begins_now(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """Not with the slots that it would have had."""
    scheduler(ledger, clock, project(workflow("movies", HOURLY)))
    clock.sleep(3 * HOUR)
    asks = scheduler(ledger, clock, project(workflow("movies", "schedule: {every: 10m}")))
    assert asks.tick() == 0
    clock.sleep(HOUR / 6)
    assert asks.tick() == 1


def test_a_tick_that_dies_has_asked_for_nothing(
    ledger: Ledger,
    clock: VirtualClock,
    project: Callable[[str], Project],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", HOURLY)))
    clock.sleep(HOUR)

    def die(*_: object) -> None:
        raise EngineError(Problem("state-failed", "the run ledger cannot be used"))

    with monkeypatch.context() as patched:
        patched.setattr(Triggers, "advance", die)
        with pytest.raises(EngineError):
            asks.tick()
    assert slots(ledger) == []
    assert asks.tick() == 1


def test_a_project_is_not_read_in_the_middle_of_a_tick(
    ledger: Ledger,
    clock: VirtualClock,
    project: Callable[[str], Project],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A workflow that is deleted just then is asked for wholly, and never missed after it."""
    both = workflow("movies", HOURLY) + workflow("other", HOURLY)
    asks = scheduler(ledger, clock, project(both))
    without = project(workflow("other", HOURLY))
    loading = threading.Thread(target=lambda: asks.load(without))
    advance = Triggers.advance

    def load_meanwhile(self: Triggers, *arguments: Any) -> None:
        loading.start()
        loading.join(0.05)
        advance(self, *arguments)

    clock.sleep(HOUR)
    with monkeypatch.context() as patched:
        patched.setattr(Triggers, "advance", load_meanwhile)
        assert asks.tick() == 2
    loading.join()
    clock.sleep(HOUR)
    assert asks.tick() == 1


def test_changes_are_followed_once_each(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("movies", "schedule: {on_change: true}")))
    assert asks.look({"movies": {"movie": None}}) == 0
    assert asks.look({"movies": {"movie": 1}}) == 1
    assert asks.look({"movies": {"movie": 1}}) == 0
    clock.sleep(HOUR)
    assert asks.look({"movies": {"movie": 2}}) == 1
    assert [run.state for run in ledger.last_runs("movies.movies", 2)] == ["queued", "skipped"]


def test_a_broken_file_keeps_its_last_good_version(project: Callable[[str], Project]) -> None:
    old = project(workflow("movies", HOURLY) + workflow("other", HOURLY))
    at = Location("workflows/all.yaml", 1, 1, 1, 2)
    slipped = replace(old, workflows={}, broken=frozenset({("workflow", "movies")}))
    again = merged(slipped, old, [Problem("invalid-yaml", "a slip", at)])
    assert again.workflows == old.workflows
    assert not again.broken
    assert merged(slipped, old, []).workflows == {}


def test_what_is_asked_for_again_counts_for_the_same_limit(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    found = project(workflow("movies", HOURLY))
    asks = scheduler(ledger, clock, found)
    clock.sleep(HOUR)
    asks.tick()
    (job,) = pick_jobs(found, ["movies.movies"])
    again = asked_again(job, ledger.newest(1)[0], at=clock.now())
    assert (again.engine, again.place) == ("local", "csv movies.csv")
