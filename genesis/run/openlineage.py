"""What runs read and write, as OpenLineage events: START, then COMPLETE, FAIL or ABORT.

Events go to a file, a line each, or to an address; from a queue of bounded length, by a thread of its own. The surprise:
events that nobody takes are dropped and counted, and never fail or delay a run.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import DefinitionError, GenesisError
from genesis.redaction import redact_data
from genesis.review.lineage import Lineage, lineages
from genesis.run.jobs import NamedJob
from genesis.spec.project import Project, Target
from genesis.web import Resolve, addresses_of, call

EventType = Literal["START", "COMPLETE", "FAIL", "ABORT"]

_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_PRODUCER = "https://github.com/genesis-trackers/genesis"
_MOST = 1_000  # events that wait

# A skipped run never started, and one that is tried again goes on as another.
_TYPES: Mapping[str, EventType] = {
    "succeeded": "COMPLETE",
    "no_change": "COMPLETE",
    "partial": "COMPLETE",
    "failed": "FAIL",
    "retrying": "FAIL",
    "uncertain": "FAIL",
    "cancelled": "ABORT",
}


@dataclass(frozen=True)
class Dataset:
    """A table or a tracker, under the name that OpenLineage knows it by."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Subject:
    """What a job is, whichever run of it."""

    namespace: str
    """The deployment: `genesis://studio`."""
    job: str
    reads: Mapping[str, Dataset] = field(default_factory=dict)
    """Its tables, by their names in definitions."""
    writes: Dataset | None = None
    columns: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Of each column of what it writes: the tables' columns that its value is made of."""
    sql: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One attempt of a run: what is known of it so far."""

    run_key: str
    attempt: int
    at: datetime
    logical_time: datetime | None = None
    snapshots: Mapping[str, int | None] = field(default_factory=dict)
    rows: int | None = None
    problem: str | None = None


def type_of(state: str) -> EventType | None:
    """What the state of an end is to OpenLineage."""
    return _TYPES.get(state)


def event(kind: EventType, subject: Subject, attempt: Attempt) -> dict[str, Any]:
    """One event, without secrets."""
    told: dict[str, Any] = redact_data(
        {
            "eventType": kind,
            "eventTime": attempt.at.isoformat(),
            "producer": _PRODUCER,
            "schemaURL": _EVENT,
            "run": {
                "runId": str(run_id(subject, attempt)),
                "facets": _run_facets(subject, attempt),
            },
            "job": {
                "namespace": subject.namespace,
                "name": subject.job,
                "facets": _job_facets(subject),
            },
            "inputs": [_input(subject, table, attempt) for table in sorted(subject.reads)],
            "outputs": [_output(subject, attempt, kind)] if subject.writes else [],
        }
    )
    return told


def run_id(subject: Subject, attempt: Attempt) -> UUID:
    """The id of an attempt: the same in each of its events, whoever sends them."""
    return uuid5(NAMESPACE_URL, f"{subject.namespace}|{attempt.run_key}|{attempt.attempt}")


def subject_of(
    project: Project, job: NamedJob, target: Target, *, statement: Statement | None = None
) -> Subject:
    """A job as OpenLineage knows it; of one that cannot be compiled no tables and columns are told."""
    place, name = job.job.to, job.job.refresh
    known: tuple[Lineage, ...] = ()
    if name is not None:
        with suppress(DefinitionError, LookupError):
            known = lineages(project, name, Run(job.job.parameters or None))
    read = {column.table for one in known for column in one.all_columns}
    return Subject(
        namespace=f"genesis://{project.settings.project}",
        job=job.name,
        reads={table: table_dataset(table, target) for table in sorted(read)},
        writes=tracker_dataset(place.sink, place.details.model_dump()) if place else None,
        columns={
            one.column: tuple((each.table, each.column) for each in one.values) for one in known
        },
        sql=statement.sql if statement else None,
        owner=job.workflow.owner,
    )


def table_dataset(table: str, target: Target) -> Dataset:
    """A table as a dataset: Trino's names have a standard, the lake's are the catalog's."""
    if trino := target.engine.trino:
        parts = table.split(".")
        schema = trino.database_schema or "default"
        full = [trino.catalog, *([schema] if len(parts) == 1 else []), *parts]
        return Dataset(f"trino://{trino.host}:{trino.port}", ".".join(full))
    catalog = target.catalog.sql or target.catalog.rest
    return Dataset(f"iceberg://{catalog.name if catalog else 'genesis'}", table)


def tracker_dataset(sink: str, details: Mapping[str, Any]) -> Dataset:
    """A tracker's place as a dataset. OpenLineage names none for spreadsheets and bases: these are ours."""
    match sink:
        case "google_sheets":
            name = f"{details['spreadsheet']}/{details['tab']}"
            return Dataset("gsheets://docs.google.com", name)
        case "airtable":
            return Dataset("airtable://api.airtable.com", f"{details['base']}/{details['table']}")
        case _:
            within = details.get("tab") or details.get("table")
            return Dataset("file", f"{details['file']}/{within}" if within else details["file"])


def _run_facets(subject: Subject, attempt: Attempt) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    parent = uuid5(NAMESPACE_URL, f"{subject.namespace}|{attempt.run_key}")
    facets["parent"] = _facet(
        "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
        run={"runId": str(parent)},
        job={"namespace": subject.namespace, "name": subject.job.partition(".")[0]},
    )
    if attempt.logical_time:
        facets["nominalTime"] = _facet(
            "1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet",
            nominalStartTime=attempt.logical_time.isoformat(),
        )
    if attempt.problem:
        facets["errorMessage"] = _facet(
            "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
            message=attempt.problem,
            programmingLanguage="SQL",
        )
    return facets


def _job_facets(subject: Subject) -> dict[str, Any]:
    facets = {
        "jobType": _facet(
            "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
            processingType="BATCH",
            integration="GENESIS",
            jobType="TRACKER",
        )
    }
    if subject.sql:
        facets["sql"] = _facet("1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet", query=subject.sql)
    if subject.owner:
        facets["ownership"] = _facet(
            "1-0-1/OwnershipJobFacet.json#/$defs/OwnershipJobFacet",
            owners=[{"name": subject.owner, "type": "OWNER"}],
        )
    return facets


def _input(subject: Subject, table: str, attempt: Attempt) -> dict[str, Any]:
    dataset, snapshot = subject.reads[table], attempt.snapshots.get(table)
    facets = {}
    if snapshot is not None:
        facets["version"] = _facet(
            "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
            datasetVersion=str(snapshot),
        )
    return {"namespace": dataset.namespace, "name": dataset.name, "facets": facets}


def _output(subject: Subject, attempt: Attempt, kind: EventType) -> dict[str, Any]:
    writes = subject.writes
    if writes is None:
        raise LookupError("an output has a place")
    facets, counted = {}, {}
    if subject.columns:
        facets["columnLineage"] = _facet(
            "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
            fields={
                name: {"inputFields": list(_fields(subject, columns))}
                for name, columns in sorted(subject.columns.items())
            },
        )
    if kind == "COMPLETE" and attempt.rows is not None:
        counted["outputStatistics"] = _facet(
            "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
            rowCount=attempt.rows,
        )
    named = {"namespace": writes.namespace, "name": writes.name}
    return {**named, "facets": facets, "outputFacets": counted}


def _fields(subject: Subject, columns: Iterable[tuple[str, str]]) -> Iterable[dict[str, Any]]:
    for table, column in columns:
        if dataset := subject.reads.get(table):
            yield {"namespace": dataset.namespace, "name": dataset.name, "field": column}


def _facet(schema: str, **said: Any) -> dict[str, Any]:
    return {"_producer": _PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}", **said}


# ---- sending


def to_file(path: Path) -> Callable[[Mapping[str, Any]], None]:
    """What writes an event at the end of a file, which is its owner's alone."""

    def send(event: Mapping[str, Any]) -> None:
        number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(number, "a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    return send


def to_address(
    address: str,
    *,
    token: str = "",
    allow_private: bool = False,
    resolve: Resolve = addresses_of,
) -> Callable[[Mapping[str, Any]], None]:
    """What posts an event to an address, guarded as webhooks are."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"

    def send(event: Mapping[str, Any]) -> None:
        body = json.dumps(event).encode()
        call(
            "POST",
            address,
            body=body,
            headers=headers,
            allow_private=allow_private,
            resolve=resolve,
        )

    return send


class Emitter:
    """Sends events one after another, from `with` to its end; what does not fit or arrive is counted."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None], *, most: int = _MOST) -> None:
        self._send = send
        self._waiting: queue.Queue[Mapping[str, Any]] = queue.Queue(most)
        self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
        self._ends = threading.Event()
        self.dropped = 0

    def emit(self, event: Mapping[str, Any]) -> None:
        """Send an event some time soon, if it can be."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self.dropped += 1

    def __enter__(self) -> Emitter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while not (self._ends.is_set() and self._waiting.empty()):
            try:
                event = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            try:
                self._send(event)
            except (GenesisError, OSError):
                self.dropped += 1
