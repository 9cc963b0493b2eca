"""What holds of every report: rows as the oracle reads the language, one SELECT, equal bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
from hypothesis import HealthCheck, Phase, assume, event, given, note, settings
from hypothesis import strategies as st

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.document import read_documents
from genesis.errors import DefinitionError, Problems
from genesis.spec.data_source import DataSource
from genesis.spec.input import Input
from genesis.spec.model import read_definition
from genesis.spec.project import Project, ProjectFile
from tests.oracle.examples import reports, schemas
from tests.oracle.language import Report, Schema, as_yaml
from tests.oracle.meaning import Meaning


@st.composite
def worlds(draw: Any) -> tuple[Schema, Report]:
    schema = draw(schemas())
    return schema, draw(reports(schema))


@given(worlds())
@settings(
    max_examples=1500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_rows_are_those_of_the_oracle(world: tuple[Schema, Report]) -> None:
    """DuckDB gives, in order, the rows that loops over the definitions give."""
    schema, report = world
    note(as_yaml(schema, report))
    note(str({name: source.rows for name, source in schema.items()}))
    project = _project(as_yaml(schema, report))
    statement = _compiled(project)
    assume(statement is not None)
    note(statement.sql)
    assert _on_duckdb(schema, statement.sql) == Meaning(schema).rows(report)


def _compiled(project: Project) -> Statement | None:
    """The report's SQL, or `None` where it is made up of what is refused."""
    try:
        return compile_input(project, "report", "duckdb", Run())
    except DefinitionError as refused:
        errors = {problem.code for problem in refused.problems if problem.severity == "error"}
        if not errors <= {"not-supported", "cycle"}:
            raise
        event(f"refused: {', '.join(sorted(errors))}")
        return None


def _project(text: str) -> Project:
    problems = Problems()
    documents = read_documents("studio.yaml", text, problems)
    *sources, report = documents
    read = [read_definition(DataSource, document, problems) for document in sources]
    definition = read_definition(Input, report, problems)
    problems.raise_errors()
    return Project(
        ProjectFile(),
        data_sources={source.name: source for source in read if source is not None},
        inputs={"report": definition} if definition is not None else {},
    )


SQL_TYPES = {"integer": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN"}


def _on_duckdb(schema: Schema, sql: str) -> list[list[Any]]:
    with duckdb.connect() as duck:
        duck.execute("CREATE SCHEMA data")
        for source in schema.values():
            columns = ", ".join(
                f"{name} {SQL_TYPES[type_]}" for name, type_ in source.columns.items()
            )
            duck.execute(f"CREATE TABLE data.{source.name} ({columns})")
            rows = [[row[name] for name in source.columns] for row in source.rows]
            if rows:
                marks = ", ".join("?" for _ in source.columns)
                duck.executemany(f"INSERT INTO data.{source.name} VALUES ({marks})", rows)
        found = duck.execute(sql).fetchall()
    return [[int(v) if isinstance(v, Decimal) else v for v in row] for row in found]
