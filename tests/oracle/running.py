"""Worlds on an engine: what the compiler makes of a report, and the rows it has there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import duckdb

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.document import Document, Spot, read_documents
from genesis.errors import DefinitionError, Problems
from genesis.spec.data_source import DataSource
from genesis.spec.extend import inherit
from genesis.spec.formatter import BUILT_IN, Formatter
from genesis.spec.input import Input
from genesis.spec.model import read_definition, read_entries
from genesis.spec.project import Project, ProjectFile
from tests.oracle.language import (
    Literal,
    Report,
    Schema,
    World,
    as_yaml,
    definitions,
)
from tests.oracle.meaning import Meaning
from tests.tables import connect

MODELS: dict[str, type[DataSource] | type[Input]] = {"data_source": DataSource, "input": Input}
SQL_TYPES = {
    "integer": "BIGINT",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "decimal(18,2)": "DECIMAL(18, 2)",
    "float": "DOUBLE",
}
# What the language has and this version refuses, and what a world may have by chance.
REFUSALS = {"cycle", "not-supported"}

Rows = tuple[list[str], list[list[Any]]]


class Refused(Exception):
    """The compiler does not take a report; its codes are the argument."""


@dataclass(frozen=True)
class Difference:
    """A report that means something else than its SQL says, or has none."""

    world: World
    meant: Rows | None
    found: Rows | None
    sql: str
    error: str = ""

    @property
    def kind(self) -> str:
        """Which differences are likely one: those of rows, and errors by their first words."""
        return re.sub("`[^`]*`|[0-9]+", "_", self.error.partition("\n")[0])[:80]

    def __str__(self) -> str:
        schema, (report,) = self.world.schema, self.world.reports
        lines = [as_yaml(schema, self.world.formatters, report)]
        lines += [f"{name}: {source.rows}" for name, source in schema.items()]
        lines += [self.sql, f"meant {self.meant}", f"found {self.found}", self.error]
        return "\n".join(lines)


# --- compiling ------------------------------------------------------------------------------------


def project_of_text(text: str) -> Project:
    """The project that a text of definitions is."""
    problems = Problems()
    project = _project(read_documents("studio.yaml", text, problems), problems)
    problems.raise_errors()
    return project


def definitions_of(world: World) -> Project:
    """The project of a world without its reports, and without the time that YAML takes."""
    return _of_values(definitions(world.schema, world.formatters))


def with_report(project: Project, report: Report) -> Project:
    """The project with a report as its one input."""
    return replace(project, inputs=_of_values([report.written()]).inputs)


class _Unwritten(Document):
    """Data that was never a text: all of it is nowhere."""

    root = Spot(0, 0)


def _of_values(said: list[Any]) -> Project:
    problems = Problems()
    project = _project([_Unwritten("values", "", one, 0) for one in said], problems)
    problems.raise_errors()
    return project


def _project(files: list[Document], problems: Problems) -> Project:
    kinds: dict[str, dict[str, Any]] = {"data_source": {}, "input": {}}
    formatters: dict[str, Formatter] = {}
    for document in files:
        kind = next(iter(document.data))
        if kind == "formatters":
            formatters |= read_entries(Formatter, document, problems)
        else:
            found = read_definition(MODELS[kind], document, problems)
            kinds[kind] |= {found.name: found} if found is not None else {}
    return Project(
        ProjectFile(),
        data_sources=inherit(kinds["data_source"], frozenset(), problems),
        formatters={**BUILT_IN, **formatters},
        inputs=kinds["input"],
    )


def compiled(project: Project, report: Report, dialect: str) -> Statement:
    """The report's statement; raises `Refused` for what may be refused."""
    run = Run(parameters=report.handed_in, moment=report.moment, as_of=report.as_of)
    try:
        return compile_input(project, "report", dialect, run)
    except DefinitionError as refused:
        errors = {problem.code for problem in refused.problems if problem.severity == "error"}
        if errors <= REFUSALS or "cycle" in errors:
            raise Refused(", ".join(sorted(errors))) from None
        raise


# --- rows -----------------------------------------------------------------------------------------


def create_tables(duck: duckdb.DuckDBPyConnection, schema: Schema) -> None:
    """The tables of a world, all in one statement's time."""
    duck.execute(";".join(_statements(schema)))


def _statements(schema: Schema) -> list[str]:
    found = []
    for source in schema.values():
        if source.extends is not None:
            continue
        types = [f'"{source.column(n)}" {SQL_TYPES[t]}' for n, t in source.columns.items()]
        found.append(f"CREATE OR REPLACE TABLE data.{source.name} ({', '.join(types)})")
        rows = [", ".join(_cell(row[name]) for name in source.columns) for row in source.rows]
        if rows:
            found.append(f"INSERT INTO data.{source.name} VALUES ({'), ('.join(rows)})")
    return found


def _cell(value: Any) -> str:
    return str(Literal(value)).replace(" UTC'", "+00'").replace("timestamp '", "'")


def on_duckdb(duck: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    """The names and the rows of a query."""
    found = duck.execute(sql)
    names = [column[0] for column in found.description or ()]
    return names, [list(row) for row in found.fetchall()]


Ask = Callable[[str], Rows]


def differing(
    world: World, report: Report, project: Project | str, ask: Ask, dialect: str = "duckdb"
) -> Difference | None:
    """What a report has otherwise than it should where its tables are; `Refused` may be raised.

    Its project may be given as YAML.
    """
    meant: Rows | None = None
    found: Rows | None = None
    sql = error = ""
    try:
        read = project_of_text(project) if isinstance(project, str) else project
        sql = compiled(with_report(read, report), report, dialect).sql
        meant = Meaning(world.schema, world.formatters, report).rows()
        found = ask(sql)
    except Refused:
        raise
    except Exception as failed:  # noqa: BLE001 - whatever it is, it is told
        error = _told(failed)
    if meant == found and meant is not None:
        return None
    return Difference(replace(world, reports=(report,)), meant, found, sql, error)


def playing(duck: duckdb.DuckDBPyConnection, world: World) -> Iterator[Difference | Refused | None]:
    """How each report of a world fares on DuckDB."""
    create_tables(duck, world.schema)
    project = definitions_of(world)
    for report in world.reports:
        try:
            yield differing(world, report, project, partial(on_duckdb, duck))
        except Refused as refused:
            yield refused


def a_duckdb() -> duckdb.DuckDBPyConnection:
    """An empty one for the tables of a world."""
    duck = connect()
    duck.execute("CREATE SCHEMA data; SET TimeZone = 'UTC'")
    return duck


def _told(failed: Exception) -> str:
    if isinstance(failed, DefinitionError):
        errors = [problem for problem in failed.problems if problem.severity == "error"]
        return "\n".join(f"{p.code}: {p.message} ({p.hint})" for p in errors)
    return f"{type(failed).__name__}: {failed}"
