"""From the end of a run to a message that arrives: what a scheduler tells, over a project."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import Problems
from genesis.load import load_project
from genesis.run.ledger import Ledger
from genesis.run.logs import Log
from genesis.run.metrics import metrics
from genesis.run.observing import Observer
from genesis.run.openlineage import Emitter, subject_of
from genesis.run.queue import End, Queue
from genesis.schedule.alerting import ROUND
from genesis.spec.project import Target
from tests.run.test_queue import ask, claim

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FILES = {
    "genesis.yaml": """
alerts:
  ops: {webhook: "${env:HOOK}"}
  late: {webhook: "${env:HOOK}"}
  mail: {smtp: "${env:SMTP}"}
""",
    "definitions/item.yaml": "data_source: item\ntable: shop.item\nprimary_key: id\nfields: {id: integer}\n",
    "inputs/items.yaml": "input: items\nsource: item\nfields: [id]\n",
    "workflows/items.yaml": """
workflow: items
owner: ann@example.com
schedule: {every: 10m}
alerts: {on_failure: [ops], on_late: [late], freshness: 45m}
jobs: [{refresh: items, to: {csv: {file: items.csv}}}]
""",
}
JOB = "items.refresh_items"
DOWN = End(
    "failed",
    error_class="transient",
    problems=({"code": "query-failed", "message": "no answer"},),
    phases={"query": 1.0},
)


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ledger = Ledger("sqlite:///state.db", tmp_path)
    project = load_project(tmp_path, Problems())
    yield Observer(ledger, project, "prod", "here", "0.1.0", NOON, log=Log(io.StringIO()))
    ledger.close()


def run(observer: Observer, end: End, at: datetime) -> None:
    """A run of the project's job that is due, done and over at a moment."""
    queue = Queue(observer.ledger.state)
    queue.ask([ask(JOB, at=at)], at=at)
    claimed = claim(queue, now=at)
    observer.claimed(claimed)
    queue.finish(claimed, end, at=at)
    observer.ended(claimed, end, at=at)


def told(observer: Observer) -> list[tuple[str, str]]:
    return [(each.message.receiver, each.message.title) for each in observer.ledger.alerts.unsent()]


def test_the_third_failure_on_end_is_told(observer: Observer) -> None:
    """To the receivers of failures and to the owner, with the cause."""
    for number in range(3):
        assert observer.ledger.alerts.open() == ()
        run(observer, DOWN, NOON + number * MINUTE)
    observer.collect(at=NOON + 2 * MINUTE + ROUND)
    title = f"`{JOB}` is failing"
    assert told(observer) == [("mailto:ann@example.com", title), ("ops", title)]
    (alert, _) = observer.ledger.alerts.open()
    assert alert.cause == "engine `prod` cannot be reached"
    run(observer, End("succeeded"), NOON + ROUND)
    observer.collect(at=NOON + 2 * ROUND)
    assert len(told(observer)) == 4
    assert observer.ledger.alerts.all() == ()


def test_a_tracker_that_is_too_old_is_told(observer: Observer) -> None:
    """To those of `on_late`; not while it is paused, and no more when it is right again."""
    run(observer, End("succeeded"), NOON)
    observer.look(at=NOON + 44 * MINUTE)
    assert observer.ledger.alerts.open() == ()
    observer.look(at=NOON + 60 * MINUTE, paused=[JOB])
    assert observer.ledger.alerts.open() == ()
    observer.look(at=NOON + 60 * MINUTE)
    observer.collect(at=NOON + 60 * MINUTE + ROUND)
    assert told(observer) == [
        ("late", f"`{JOB}` is late"),
        ("mailto:ann@example.com", f"`{JOB}` is late"),
    ]
    run(observer, End("no_change"), NOON + 70 * MINUTE)
    observer.look(at=NOON + 71 * MINUTE)
    assert observer.ledger.alerts.open() == ()


def test_of_a_job_that_is_no_more_nothing_is_said(observer: Observer) -> None:
    for minute in range(3):
        run(observer, DOWN, NOON + minute * MINUTE)
    observer.collect(at=NOON + 3 * MINUTE + ROUND)
    before = told(observer)
    observer.load(replace(observer.project, workflows={}))
    observer.look(at=NOON + 10 * MINUTE)
    assert observer.ledger.alerts.open() == ()
    observer.collect(at=NOON + timedelta(days=2))
    assert told(observer) == before


def test_a_broken_file_is_told_once(observer: Observer) -> None:
    """To those whose workflow it is, until it is mended."""
    file = observer.project.workflows["items"].file
    for _ in range(3):
        observer.broken({file: "line 3 is no YAML"}, at=NOON)
    observer.collect(at=NOON + ROUND)
    assert {receiver for receiver, _ in told(observer)} == {"ops", "mailto:ann@example.com"}
    assert "is broken, and its last good version stays" in told(observer)[0][1]
    observer.broken({}, at=NOON + ROUND)
    assert observer.ledger.alerts.open() == ()


def test_a_run_that_takes_long_is_told(observer: Observer) -> None:
    """Against what its job took before."""
    for number in range(6):
        run(observer, End("succeeded"), NOON + number * MINUTE)
    queue = Queue(observer.ledger.state)
    queue.ask([ask(JOB, at=NOON + 10 * MINUTE)], at=NOON)
    claim(queue, now=NOON + 10 * MINUTE)
    observer.look(at=NOON + 11 * MINUTE)
    assert observer.ledger.alerts.open() == ()
    observer.look(at=NOON + 12 * MINUTE)
    assert {alert.kind for alert in observer.ledger.alerts.open()} == {"long"}


def test_facts_are_of_all_of_it(observer: Observer) -> None:
    """Counters, alerts, and each tracker with its state and next run."""
    run(observer, End("succeeded", phases={"query": 0.2}), NOON)
    observer.ticked(timedelta(milliseconds=5), at=NOON)
    run(observer, replace(DOWN, error_class="user"), NOON + MINUTE)
    facts = observer.facts(at=NOON + MINUTE, next_at={JOB: NOON + 10 * MINUTE})
    (tracker,) = facts.trackers
    assert (tracker.state, tracker.last_success) == ("failing", NOON)
    assert tracker.next_at == NOON + 10 * MINUTE
    assert (facts.alerts, facts.last_tick) == ({"failing": 1}, NOON)
    assert 'genesis_runs_total{kind="refresh",state="failed",error_class="user"} 1' in metrics(
        facts
    )
    assert observer.age(at=NOON + MINUTE) == MINUTE
    paused = observer.facts(at=NOON, paused={JOB: "holidays"})
    assert paused.trackers[0].state == "paused"


def test_a_permit_that_is_taken_is_told_by_what_it_is_of(observer: Observer) -> None:
    """Of places only how many, since each would be a series of its own."""
    queue = Queue(observer.ledger.state)
    asked = [ask(f"w.{n}", place=f"csv {n}.csv", engine="prod") for n in range(3)]
    queue.ask(asked, at=NOON)
    for _ in range(2):
        claim(queue, now=NOON, limits={"prod": 2})
    told = metrics(observer.facts(at=NOON))
    assert 'genesis_permits{resource="place"} 2' in told
    assert 'genesis_permits{resource="prod"} 2' in told


def test_a_clock_that_is_set_is_counted(observer: Observer) -> None:
    ticks = [0.0]
    observer.ticks = lambda: ticks[0]
    for ahead in (0, 1, 61, 62):
        observer.ticked(timedelta(0), at=NOON + timedelta(seconds=ahead))
        ticks[0] += 1
    assert observer.meter.counts().clock_jumps == 1


def test_each_step_is_a_line_of_the_log(observer: Observer) -> None:
    """Of the same run."""
    run(observer, DOWN, NOON)
    assert observer.log
    written = observer.log._stream
    assert isinstance(written, io.StringIO)
    said = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["event"] for line in said] == ["run_claimed", "run_ended"]
    assert len({(line["run"], line["fence"]) for line in said}) == 1


def test_runs_are_traced(observer: Observer) -> None:
    """Where somebody takes it; a bug in it ends no run."""
    sent: list[Mapping[str, Any]] = []
    target = Target()
    observer.subject_of = lambda job: subject_of(observer.project, job, target)
    with Emitter(sent.append) as observer.lineage:
        run(observer, DOWN, NOON)
        run(observer, End("succeeded", rows=3, snapshots={"shop.item": 7}), NOON + MINUTE)
    assert [each["eventType"] for each in sent] == ["START", "FAIL", "START", "COMPLETE"]
    assert sent[1]["run"]["facets"]["errorMessage"]["message"] == "no answer"
    assert sent[3]["inputs"][0]["facets"]["version"]["datasetVersion"] == "7"
    observer.load(observer.project)
    observer.subject_of = lambda job: {}[job.name]
    run(observer, End("succeeded"), NOON + 2 * MINUTE)
    assert observer.lineage.dropped == 2
