"""Who reads a table's columns: data sources, and through them inputs, trackers and their owners. PURE.

A data source reads the columns of its fields, its key and its rules of newest records; an input reads
what its compiled SQL does. The surprise: a data source's own query may read a table by `*`, and then
it reads every column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from genesis.compile.check import job_names
from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import table_parts
from genesis.compile.latest import log_columns
from genesis.compile.run import Run
from genesis.compile.structure import read_query
from genesis.errors import DefinitionError, Problems
from genesis.lake.catalog import Identifier, table_identifier
from genesis.review.lineage import tables_of
from genesis.spec.data_source import DataSource, own_column
from genesis.spec.project import Project
from genesis.spec.workflow import Job, Workflow

EVERY = "*"


@dataclass
class Consumers:
    """Who reads a column, each by name; `receivers` are to be told when a tracker fails."""

    data_sources: dict[str, None] = field(default_factory=dict)
    inputs: dict[str, None] = field(default_factory=dict)
    trackers: dict[str, None] = field(default_factory=dict)
    owners: dict[str, None] = field(default_factory=dict)
    receivers: dict[str, None] = field(default_factory=dict)

    def to_json(self) -> dict[str, list[str]]:
        """Them as plain data, in order."""
        return {name: sorted(value) for name, value in vars(self).items()}


def consumed_columns(project: Project, table: str) -> frozenset[str]:
    """The columns of a table that data sources read; all, where one reads by `*`."""
    wanted = table_identifier(table)
    return frozenset(
        name for source in project.data_sources.values() for name in _read(project, source, wanted)
    )


def consumers(project: Project, table: str) -> Mapping[str, Consumers]:
    """Who reads each column of a table; those of `EVERY` read all of them."""
    wanted = table_identifier(table)
    found: defaultdict[str, Consumers] = defaultdict(Consumers)
    for source in project.data_sources.values():
        for name in _read(project, source, wanted):
            found[name].data_sources[source.name] = None
            _note_owner(found[name], source.owner)
    refreshes = list(_refreshes(project))
    for definition in project.inputs.values():
        for name in _scanned(project, definition.name, wanted):
            found[name].inputs[definition.name] = None
            _note_owner(found[name], definition.owner)
            for workflow, tracker, job in refreshes:
                if job.refresh == definition.name:
                    found[name].trackers[tracker] = None
                    _note_owner(found[name], workflow.owner)
                    found[name].receivers |= dict.fromkeys(workflow.alerts.on_failure)
    return dict(found)


def consumers_of(project: Project, table: str, columns: Iterable[str]) -> Consumers:
    """Who reads any of these columns of a table."""
    known, merged = consumers(project, table), Consumers()
    for name in (*columns, EVERY):
        for kind, names in vars(known.get(name, Consumers())).items():
            getattr(merged, kind).update(names)
    return merged


def _read(project: Project, source: DataSource, table: Identifier) -> Iterator[str]:
    """The columns of a table that a data source reads."""
    if source.table is not None and table_identifier(source.table) == table:
        for name, spec in source.fields.items():
            if (column := own_column(name, spec)) is not None:
                yield column
        if source.latest is not None:
            yield from log_columns((), (), source.latest, dialect=project.settings.dialect)
    elif source.sql is not None:
        query = read_query(project, source, Problems())
        if query is not None and any(_is_table(name, table) for name in tables_of(query)):
            yield from (column.name for column in query.find_all(exp.Column))
            yield from (EVERY for _ in query.find_all(exp.Star))


def _scanned(project: Project, name: str, table: Identifier) -> Iterator[str]:
    """The columns of a table that an input's SQL reads; of an input that is wrong, nobody knows."""
    try:
        scans = compile_input(project, name, "duckdb", Run(parameters=None)).scans
    except DefinitionError:
        return
    for scan in scans:
        if _is_table(scan.table, table):
            yield from (EVERY,) if scan.columns is None else scan.columns


def _is_table(name: str, table: Identifier) -> bool:
    return bool(table_parts(name)) and table_identifier(name) == table


def _refreshes(project: Project) -> Iterator[tuple[Workflow, str, Job]]:
    for workflow in project.workflows.values():
        for name, job in zip(job_names(workflow), workflow.jobs, strict=True):
            filled = job.filled(project.templates)
            if filled.refresh is not None:
                yield workflow, f"{workflow.name}.{name}", filled


def _note_owner(found: Consumers, owner: str | None) -> None:
    if owner:
        found.owners[owner] = None
