"""The runner: order, failures that stop only what needs them, templates, the ledger's entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pytest

from genesis.compile.statement import Statement
from genesis.errors import DefinitionError, Problem, Problems, SinkError
from genesis.load import load_project
from genesis.run.by_hand import ByHand
from genesis.run.jobs import jobs_of, pick_jobs
from genesis.run.lease import Keeper
from genesis.run.ledger import Ledger
from genesis.run.queue import Asked, End, Queue
from genesis.run.runner import Outcome, Runner
from genesis.spec.project import Project
from genesis.sync.changes import Changes, Present, Receipt, Tracker
from tests.run.virtual import VirtualClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

DEFINITIONS = """
data_source: film
table: films
primary_key: id
fields: {id: integer, title: string}
---
input: films
source: film
fields: [id, title]
---
templates:
  careful: {max_deletes: 1, min_rows: 1, on_delete: keep}
"""


class OneFilm:
    """An engine whose every report is one film."""

    dialect = "duckdb"

    def query(self, statement: Statement) -> pa.Table:
        assert statement.sql
        return pa.table({"id": [1], "title": ["Metropolis"]})

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        return dict.fromkeys(tables, 7)

    def interrupt(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Desk:
    """A sink that is always empty, and refuses the trackers it is told to."""

    def __init__(self, refused: Sequence[str] = ()) -> None:
        self.refused = refused
        self.applied: list[str] = []

    def read(self, tracker: Tracker) -> Present:
        if tracker.name in self.refused:
            raise SinkError(Problem("tracker-unreadable", f"`{tracker.name}` is a coffee stain"))
        return Present(exists=False)

    def apply(self, tracker: Tracker, changes: Changes) -> Receipt:
        self.applied.append(tracker.name)
        return changes.receipt(reads=1, writes=1)


def project_with(tmp_path: Path, workflow: str) -> Project:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.yaml").write_text(DEFINITIONS, encoding="utf-8")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "w.yaml").write_text(workflow, encoding="utf-8")
    problems = Problems()
    project = load_project(tmp_path, problems)
    assert not list(problems)
    return project


def outcomes(
    project: Project, desk: Desk, *, ledger: Ledger | None = None, dry_run: bool = False
) -> list[Outcome]:
    runner = Runner(
        project=project,
        engine=OneFilm(),
        open_sink=lambda _: desk,
        ledger=ledger,
        clock=lambda: NOON,
        moment=NOON,
        dry_run=dry_run,
    )
    jobs = jobs_of(project, project.workflows["w"])
    return list(by_hand(ledger, runner).run(jobs) if ledger and not dry_run else runner.run(jobs))


def by_hand(ledger: Ledger, runner: Runner, *, at: datetime | None = None) -> ByHand:
    clock = VirtualClock(NOON)
    keeper = Keeper(Queue(ledger.state), clock, ticks=clock.ticks)
    return ByHand(lambda _, phase: replace(runner, phase=phase), ledger, keeper, clock, at)


CHAIN = """
workflow: w
jobs:
  - {name: last, refresh: films, needs: [middle], to: {csv: {file: c.csv}}}
  - {name: middle, refresh: films, needs: [first], to: {csv: {file: b.csv}}}
  - {name: first, refresh: films, to: {csv: {file: a.csv}}}
  - {name: other, refresh: films, to: {csv: {file: d.csv}}}
"""


def test_what_others_need_runs_first(tmp_path: Path) -> None:
    """The order is that of `needs`, whatever the file's."""
    desk = Desk()
    outcomes(project_with(tmp_path, CHAIN), desk)
    assert desk.applied == ["w.first", "w.middle", "w.last", "w.other"]


def test_a_failure_stops_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    """The chain behind the failure is skipped, down to its end; the rest runs."""
    desk = Desk(refused=["w.middle"])
    states = {
        outcome.job: outcome.state for outcome in outcomes(project_with(tmp_path, CHAIN), desk)
    }
    assert states == {
        "w.first": "succeeded",
        "w.middle": "failed",
        "w.last": "skipped",
        "w.other": "succeeded",
    }


def test_each_run_is_in_the_ledger(tmp_path: Path) -> None:
    """With its outcome, rows and receipt, or with what went wrong."""
    ledger = Ledger("sqlite:///state.db", tmp_path)
    outcomes(project_with(tmp_path, CHAIN), Desk(refused=["w.middle"]), ledger=ledger)
    (first,), (middle,) = ledger.last_runs("w.first"), ledger.last_runs("w.middle")
    assert (first.state, first.rows) == ("succeeded", 1)
    assert first.receipt is not None
    assert first.receipt["inserted"] == 1
    assert middle.problems[0]["message"] == "`w.middle` is a coffee stain"


def test_a_run_for_a_slot_is_done_once(tmp_path: Path) -> None:
    """Whoever asks: cron asks again, and hears that it is done."""
    ledger, desk, project = (
        Ledger("sqlite:///state.db", tmp_path),
        Desk(),
        project_with(tmp_path, CHAIN),
    )
    runner = Runner(project, OneFilm(), lambda _: desk, ledger, lambda: NOON, NOON)
    for state in ("succeeded", "no_change"):
        (outcome,) = by_hand(ledger, runner, at=NOON).run(pick_jobs(project, ["w.first"]))
        assert (outcome.state, outcome.exit_code) == (state, 0)
    assert desk.applied == ["w.first"]
    assert [run.run_key for run in ledger.last_runs("w.first", 5)] == [
        f"w.first|cron|{NOON.isoformat()}"
    ]


def test_two_runs_do_not_work_on_one_place(tmp_path: Path) -> None:
    """The second one says so, and that it may be tried again."""
    ledger, desk, project = (
        Ledger("sqlite:///state.db", tmp_path),
        Desk(),
        project_with(tmp_path, CHAIN),
    )
    queue, (job,) = Queue(ledger.state), pick_jobs(project, ["w.first"])
    asked = Asked("other", "v.other", "cron", "v", NOON, NOON, job.place)
    queue.ask([asked], at=NOON)
    mine = queue.claim("there/1/1", now=NOON, lease=timedelta(minutes=1))
    runner = Runner(project, OneFilm(), lambda _: desk, ledger, lambda: NOON, NOON)
    (refused,) = by_hand(ledger, runner).run([job])
    assert (refused.problems[0].code, refused.exit_code) == ("run-busy", 75)
    assert not desk.applied
    assert mine
    queue.finish(mine, End("succeeded"), at=NOON)
    (done,) = by_hand(ledger, runner, at=NOON).run([job])
    assert done.state == "succeeded"


def test_a_dry_run_touches_nothing(tmp_path: Path) -> None:
    """It tells the changes; no sink is written and no run is remembered."""
    desk, ledger = Desk(), Ledger("sqlite:///state.db", tmp_path)
    planned = outcomes(project_with(tmp_path, CHAIN), desk, ledger=ledger, dry_run=True)
    assert {outcome.state for outcome in planned} == {"planned"}
    assert planned[0].changes is not None
    assert len(planned[0].changes.inserts) == 1
    counts = planned[0].to_json()["changes"]
    assert (counts["inserted"], counts["deleted"], counts["lines"][0]) == (
        1,
        0,
        "the tracker is made",
    )
    assert not desk.applied
    assert not ledger.last_runs("w.first")


def test_a_template_says_what_the_job_does_not(tmp_path: Path) -> None:
    """What the job writes itself wins."""
    workflow = """
workflow: w
jobs: [{refresh: films, use: careful, max_deletes: 3, to: {csv: {file: a.csv}}}]
"""
    project = project_with(tmp_path, workflow)
    (job,) = jobs_of(project, project.workflows["w"])
    assert (job.job.max_deletes, job.job.min_rows, job.job.on_delete) == (3, 1, "keep")


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    """All unknown names of one command line at once."""
    project = project_with(tmp_path, CHAIN)
    with pytest.raises(DefinitionError) as refused:
        pick_jobs(project, ["v", "w.frist", "w.other"])
    assert [problem.code for problem in refused.value.problems] == [
        "unknown-workflow",
        "unknown-job",
    ]
    assert refused.value.problems[1].hint == "did you mean `first`?"


@pytest.mark.parametrize("option", ["on_delete: archive", "annotations: {remark: string}"])
def test_what_an_export_cannot_have_is_refused_before_anything_is_done(
    tmp_path: Path, option: str
) -> None:
    """A run checks no definitions; without this the rows would be gone, archived nowhere."""
    desk = Desk()
    workflow = f"workflow: w\njobs: [{{refresh: films, to: {{csv: {{file: a.csv}}}}, {option}}}]"
    (outcome,) = outcomes(project_with(tmp_path, workflow), desk)
    assert (outcome.state, outcome.problems[0].code) == ("failed", "not-supported")
    assert desk.applied == []


def test_a_slot_that_failed_is_done_anew_when_it_is_asked_for_again(tmp_path: Path) -> None:
    """What cron tries again after exit code 75 is not told for ever that it failed."""
    ledger, project = Ledger("sqlite:///state.db", tmp_path), project_with(tmp_path, CHAIN)
    desk = Desk(refused=["w.first"])
    runner = Runner(project, OneFilm(), lambda _: desk, ledger, lambda: NOON, NOON)
    states = []
    for _ in range(3):
        (outcome,) = by_hand(ledger, runner, at=NOON).run(pick_jobs(project, ["w.first"]))
        states.append(outcome.state)
        desk.refused = []
    assert states == ["failed", "succeeded", "no_change"]
    assert desk.applied == ["w.first"]
    assert [run.state for run in ledger.last_runs("w.first", 5)] == ["succeeded", "failed"]


def test_a_moment_is_one_slot_in_whatever_zone_it_is_written(tmp_path: Path) -> None:
    ledger, desk, project = (
        Ledger("sqlite:///state.db", tmp_path),
        Desk(),
        project_with(tmp_path, CHAIN),
    )
    runner = Runner(project, OneFilm(), lambda _: desk, ledger, lambda: NOON, NOON)
    for at in (NOON, NOON.astimezone(timezone(timedelta(hours=-8)))):
        list(by_hand(ledger, runner, at=at).run(pick_jobs(project, ["w.first"])))
    assert desk.applied == ["w.first"]
