"""Events of runs: what was read at which snapshot, what was written, column by column; nobody waits for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import NotSent, Problem, Problems
from genesis.load import load_project
from genesis.redaction import hide
from genesis.run.jobs import all_jobs
from genesis.run.openlineage import (
    Attempt,
    Dataset,
    Emitter,
    Subject,
    event,
    subject_of,
    to_address,
    to_file,
    tracker_dataset,
    type_of,
)
from genesis.spec.project import EngineConfig, Target, TrinoTarget
from tests.web_server import hook

STUDIO = Path(__file__).parents[2]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ATTEMPT = Attempt("w.j|cron|2026", 1, NOON, NOON, {"studio.task": 7, "studio.person": None}, rows=3)


@pytest.fixture(scope="module")
def subject() -> Subject:
    """A tracker of the worked example."""
    project = load_project(STUDIO, Problems())
    job = next(job for job in all_jobs(project) if job.job.refresh == "open_tasks")
    return subject_of(project, job, Target())


def test_a_tracker_names_its_tables_and_columns(subject: Subject) -> None:
    """Each column with the columns of tables that its value is made of."""
    assert subject.namespace == "genesis://studio"
    assert subject.writes == tracker_dataset(
        "xlsx", {"file": "trackers/open_tasks.xlsx", "tab": "Tasks"}
    )
    assert set(subject.reads.values()) >= {Dataset("iceberg://genesis", t) for t in subject.reads}
    made = {table for columns in subject.columns.values() for table, _ in columns}
    assert made
    assert made <= subject.reads.keys()


def test_an_event_is_as_the_specification_says(subject: Subject) -> None:
    """With the facets that others look for; the id is the attempt's in each of its events."""
    table = next(iter(subject.reads))
    attempt = replace(ATTEMPT, snapshots={table: 7})
    started, ended = event("START", subject, attempt), event("COMPLETE", subject, attempt)
    assert started["run"]["runId"] == ended["run"]["runId"]
    assert (
        started["run"]["runId"]
        != event("START", subject, replace(attempt, attempt=2))["run"]["runId"]
    )
    assert ended["run"]["facets"].keys() == {"parent", "nominalTime"}
    assert ended["job"]["name"] == subject.job
    versions = {each["name"]: each["facets"] for each in ended["inputs"]}
    assert versions[table]["version"]["datasetVersion"] == "7"
    (output,) = ended["outputs"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3
    fields = output["facets"]["columnLineage"]["fields"]
    assert fields.keys() == subject.columns.keys()
    assert all(
        each.keys() == {"namespace", "name", "field"}
        for field in fields.values()
        for each in field["inputFields"]
    )
    facets = [*ended["run"]["facets"].values(), *ended["job"]["facets"].values()]
    assert all(facet["_schemaURL"].startswith("https://openlineage.io/spec/") for facet in facets)
    assert json.loads(json.dumps(ended)) == ended


def test_a_failure_says_why_without_secrets(subject: Subject) -> None:
    """In the facet that is for it."""
    hide("hunter2hunter2")
    told = event("FAIL", subject, replace(ATTEMPT, problem="no: hunter2hunter2"))
    assert told["run"]["facets"]["errorMessage"]["message"] == "no: ***"


def test_ends_have_their_types() -> None:
    """A slot that nobody ran has none."""
    assert [type_of(state) for state in ("no_change", "retrying", "cancelled", "skipped")] == [
        "COMPLETE",
        "FAIL",
        "ABORT",
        None,
    ]


@pytest.mark.parametrize(
    ("sink", "details", "dataset"),
    [
        ("google_sheets", {"spreadsheet": "1A", "tab": "T"}, ("gsheets://docs.google.com", "1A/T")),
        ("airtable", {"base": "appX", "table": "T"}, ("airtable://api.airtable.com", "appX/T")),
        ("xlsx", {"file": "a.xlsx", "tab": "T"}, ("file", "a.xlsx/T")),
        ("csv", {"file": "a.csv"}, ("file", "a.csv")),
    ],
)
def test_a_place_has_a_name(sink: str, details: dict[str, str], dataset: tuple[str, str]) -> None:
    """There is no standard for spreadsheets and bases; these are ours."""
    assert tracker_dataset(sink, details) == Dataset(*dataset)


def test_tables_of_trino_have_its_names() -> None:
    """As the specification has it: host and port, then catalog, schema and table."""
    project = load_project(STUDIO, Problems())
    job = next(job for job in all_jobs(project) if job.job.refresh == "open_tasks")
    trino = TrinoTarget(host="trino.example.com", catalog="lake", user="genesis")
    subject = subject_of(project, job, Target(engine=EngineConfig(trino=trino)))
    assert {each.namespace for each in subject.reads.values()} == {"trino://trino.example.com:443"}
    assert all(each.name.startswith("lake.") for each in subject.reads.values())


@pytest.fixture
def blocked() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def test_events_that_nobody_takes_are_dropped(blocked: threading.Event) -> None:
    """And counted; who emits them waits for nobody."""

    def refuse(_event: Mapping[str, Any]) -> None:
        blocked.wait(5)
        raise NotSent(Problem("not-sent", "nobody is there"))

    with Emitter(refuse, most=2) as emitter:
        for _ in range(10):
            emitter.emit({})
        blocked.set()
    assert emitter.dropped == 10


def test_events_arrive(subject: Subject, tmp_path: Path) -> None:
    """In a file, and at an address that is guarded as webhooks are."""
    told = event("START", subject, ATTEMPT)
    path = tmp_path / "lineage.jsonl"
    with Emitter(to_file(path)) as emitter:
        emitter.emit(told)
        emitter.emit(told)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [told, told]
    assert path.stat().st_mode & 0o777 == 0o600
    with hook() as server:
        address = f"http://127.0.0.1:{server.port}/api/v1/lineage"
        with Emitter(to_address(address, allow_private=True)) as emitter:
            emitter.emit(told)
    ((path_, _, body),) = server.calls
    assert (path_, json.loads(body)) == ("/api/v1/lineage", told)
    with pytest.raises(NotSent):
        to_address(address)(told)
