"""A workflow that says what it was called goes on with what the ledger has of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.run.ledger import Ledger
from genesis.run.renames import follow_renames
from genesis.run.scheduler import Scheduler
from genesis.run.triggers import Triggers
from genesis.schedule.alerting import Trouble
from genesis.spec.project import Project
from genesis.sync.guards import Held
from genesis.sync.shape import Shape
from tests.run.virtual import MONDAY, Node, Places, VirtualClock, project_of, workflow

HOUR = timedelta(hours=1)
HOURLY = "schedule: {cron: '0 * * * *'}"
RENAMED = "renamed_from: films"
JOBS = (
    "  - {refresh: movies, name: movies, to: {csv: {file: a.csv}}}\n"
    "  - {refresh: movies, name: second, needs: [movies], to: {csv: {file: b.csv}}}\n"
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(MONDAY)


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    return lambda workflows: project_of(tmp_path, workflows)


def scheduler(ledger: Ledger, clock: VirtualClock, project: Project) -> Scheduler:
    return Scheduler(ledger.state, clock.now, project, engine="local")


def test_its_slots_go_on(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """What is queued is done under the new name, what was done is not done again, and none is left out."""
    asks = scheduler(ledger, clock, project(workflow("films", HOURLY, jobs=JOBS)))
    clock.sleep(HOUR)
    asks.tick()
    clock.sleep(HOUR)
    found = project(workflow("movies", HOURLY, RENAMED, jobs=JOBS))
    asks = scheduler(ledger, clock, found)
    assert asks.tick() == 2
    Node(ledger, Places(clock)).work()
    told = {(run.job, f"{run.logical_time:%H}"): run.state for run in ledger.newest(10)}
    assert told == {
        ("movies.movies", "01"): "skipped",  # superseded
        ("movies.second", "01"): "skipped",
        ("movies.movies", "02"): "succeeded",
        ("movies.second", "02"): "succeeded",
    }
    assert ledger.find(f"movies.movies|cron|{(MONDAY + HOUR).isoformat()}")


def test_what_waits_for_another_job_finds_it(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("films", HOURLY, jobs=JOBS)))
    clock.sleep(HOUR)
    asks.tick()
    scheduler(ledger, clock, project(workflow("movies", HOURLY, RENAMED, jobs=JOBS)))
    Node(ledger, Places(clock)).work()
    assert {run.job: run.state for run in ledger.newest(10)} == {
        "movies.movies": "succeeded",
        "movies.second": "succeeded",
    }


def test_a_run_under_way_ends_under_the_new_name(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("films", HOURLY)))
    clock.sleep(HOUR)
    asks.tick()
    renamed = project(workflow("movies", HOURLY, RENAMED))
    places = Places(
        clock, fail=lambda _run, _moment: (follow_renames(ledger.state, renamed), None)[1]
    )
    Node(ledger, places).work()
    assert {run.job: run.state for run in ledger.newest(10)} == {"movies.movies": "succeeded"}


def test_all_that_is_known_by_its_name_goes_on(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    """Not what another workflow has whose name begins alike."""
    pause = {"at": clock.now(), "until": None, "reason": None, "by": "ada"}
    for name in ("films", "films_old"):
        Triggers(ledger.state).pause(name, **pause)  # type: ignore[arg-type]
    Triggers(ledger.state).pause("films.movies", **pause)  # type: ignore[arg-type]
    ledger.held.hold(
        "films.movies", Held(("too many",), 1, frozenset(), frozenset(), ()), at=clock.now()
    )
    ledger.shapes.keep("films.movies", Shape({"title": "text"}, None))
    ledger.alerts.hear(
        [Trouble("films.movies", "failing", "x", "it fails", ("a",))], at=clock.now()
    )
    follow_renames(ledger.state, project(workflow("movies", RENAMED)))
    assert set(Triggers(ledger.state).paused(clock.now())) == {
        "movies",
        "movies.movies",
        "films_old",
    }
    assert [waiting.job for waiting in ledger.held.all()] == ["movies.movies"]
    assert ledger.shapes.last("movies.movies")
    assert [alert.subject for alert in ledger.alerts.all()] == ["movies.movies"]


def test_it_happens_once_and_what_the_new_name_has_stays(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    pause = {"at": clock.now(), "until": None, "by": "ada"}
    Triggers(ledger.state).pause("films", reason="old", **pause)  # type: ignore[arg-type]
    Triggers(ledger.state).pause("movies", reason="new", **pause)  # type: ignore[arg-type]
    found = project(workflow("movies", RENAMED))
    assert follow_renames(ledger.state, found) == ("films",)
    assert follow_renames(ledger.state, found) == ()
    assert Triggers(ledger.state).paused(clock.now()) == {"movies": "paused by ada: new"}


@pytest.mark.parametrize(
    "workflows",
    [
        workflow("movies", RENAMED) + workflow("films"),
        workflow("movies", RENAMED) + workflow("other", RENAMED),
    ],
    ids=["it is still a workflow's", "two lay claim to it"],
)
def test_a_name_that_is_not_free_is_left_alone(
    ledger: Ledger, project: Callable[[str], Project], workflows: str
) -> None:
    Triggers(ledger.state).pause("films", at=MONDAY, until=None, reason=None, by="ada")
    assert follow_renames(ledger.state, project(workflows)) == ()
    assert set(Triggers(ledger.state).paused(MONDAY)) == {"films"}


def test_two_nodes_may_load_it_at_once(
    ledger: Ledger, clock: VirtualClock, project: Callable[[str], Project]
) -> None:
    asks = scheduler(ledger, clock, project(workflow("films", HOURLY, "catchup: all", jobs=JOBS)))
    clock.sleep(30 * HOUR)
    asks.tick()
    found = project(workflow("movies", HOURLY, RENAMED, "catchup: all", jobs=JOBS))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: scheduler(ledger, clock, found), range(4)))
    runs = ledger.newest(1_000)
    assert {run.job for run in runs} == {"movies.movies", "movies.second"}
    assert len(runs) == 60
