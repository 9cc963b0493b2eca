"""What holds of every report: rows as the oracle reads the language, one SELECT, equal bytes, values as given."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
import yaml
from hypothesis import HealthCheck, Phase, assume, event, example, given, note, settings
from hypothesis import strategies as st
from sqlglot import exp

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.document import read_documents
from genesis.errors import DefinitionError, Problems
from genesis.load import load_project
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input
from genesis.spec.model import read_definition, read_entries
from genesis.spec.project import Project, ProjectFile
from tests.oracle.examples import reports, schemas
from tests.oracle.language import Literal, Report, Schema, as_yaml
from tests.oracle.meaning import Meaning
from tests.tables import connect, quoted

STUDIO = load_project(Path(__file__).parents[1], Problems())
DIALECTS = ("duckdb", "trino")


def _settings(examples: int) -> settings:
    # Shrinking a schema takes minutes: what fails is told whole, as YAML for a case folder.
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        connection.execute("CREATE SCHEMA data")
        yield connection


@st.composite
def worlds(draw: Any) -> tuple[Schema, Report]:
    schema = draw(schemas())
    return schema, draw(reports(schema))


# --- rows -----------------------------------------------------------------------------------------


@given(worlds())
@_settings(250)
def test_rows_are_those_of_the_oracle(
    duck: duckdb.DuckDBPyConnection, world: tuple[Schema, Report]
) -> None:
    """DuckDB gives, in order, the rows that loops over the definitions give."""
    schema, report = world
    statement = _compiled(schema, report)
    assert _on_duckdb(duck, schema, statement.sql) == Meaning(schema).rows(report)


@given(worlds())
@_settings(40)
def test_a_report_compiles_to_the_same_bytes_again(world: tuple[Schema, Report]) -> None:
    """What is compiled depends on the definitions alone, and on no order of a set or dict."""
    schema, report = world
    assert _compiled(schema, report) == _compiled(schema, report)


@given(worlds())
@_settings(40)
def test_a_report_is_one_select(world: tuple[Schema, Report]) -> None:
    """SQL of both dialects reads again as it was written, and only reads."""
    schema, report = world
    for dialect in DIALECTS:
        _read_one_select(_compiled(schema, report, dialect).sql, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", sorted(STUDIO.inputs))
def test_an_input_of_the_studio_is_one_select(name: str, dialect: str) -> None:
    """The worked example too."""
    _read_one_select(compile_input(STUDIO, name, dialect).sql, dialect)


def _read_one_select(sql: str, dialect: str) -> exp.Expr:
    (tree,) = sqlglot.parse(sql, dialect=dialect)
    assert isinstance(tree, exp.Select)
    assert not list(tree.find_all(exp.DDL, exp.DML, exp.Command, exp.Into, exp.Placeholder))
    return tree


def _compiled(schema: Schema, report: Report, dialect: str = "duckdb") -> Statement:
    """The report's statement; a world whose definitions go in a circle is left out."""
    text = as_yaml(schema, report)
    note(text)
    note(str({name: source.rows for name, source in schema.items()}))
    try:
        statement = compile_input(_project(text), "report", dialect)
    except DefinitionError as refused:
        errors = {problem.code for problem in refused.problems if problem.severity == "error"}
        if errors != {"cycle"}:
            raise
        event(f"refused: {', '.join(sorted(errors))}")
        assume(False)
    note(statement.sql)
    return statement


def _project(text: str) -> Project:
    """The project that a text of definitions is."""
    problems = Problems()
    kinds: dict[str, dict[str, Any]] = {"data_source": {}, "input": {}}
    formatters: dict[str, Formatter] = {}
    for document in read_documents("studio.yaml", text, problems):
        kind = next(iter(document.data))
        if kind == "formatters":
            formatters |= read_entries(Formatter, document, problems)
        else:
            found = read_definition(MODELS[kind], document, problems)
            kinds[kind] |= {found.name: found} if found is not None else {}
    problems.raise_errors()
    return Project(
        ProjectFile(),
        data_sources=kinds["data_source"],
        formatters=formatters,
        inputs=kinds["input"],
    )


MODELS: dict[str, type[DataSource] | type[Input]] = {"data_source": DataSource, "input": Input}
SQL_TYPES = {"integer": "BIGINT", "string": "VARCHAR", "boolean": "BOOLEAN"}


def _on_duckdb(duck: duckdb.DuckDBPyConnection, schema: Schema, sql: str) -> list[list[Any]]:
    for source in schema.values():
        types = [f"{name} {SQL_TYPES[type_]}" for name, type_ in source.columns.items()]
        duck.execute(f"CREATE OR REPLACE TABLE data.{source.name} ({', '.join(types)})")
        rows = [
            ", ".join(str(Literal(row[name])) for name in source.columns) for row in source.rows
        ]
        if rows:
            duck.execute(f"INSERT INTO data.{source.name} VALUES ({'), ('.join(rows)})")
    found = duck.execute(sql).fetchall()
    return [[int(v) if isinstance(v, Decimal) else v for v in row] for row in found]


# --- text that would like to be SQL ---------------------------------------------------------------

TEXTS = st.text("'\"`\\;-/*%$#?:|&<>=,.()[] \n\tabAé😀\u2028", min_size=1, max_size=12)


@given(TEXTS)
@example("'; drop table x; --")
@example("' || (select 1) || '")
@example("\\")
@example("{}")
@example("/* */ :needle ? $1 %s __SQLGLOT__LBREAK__")
@_settings(60)
def test_text_stays_text_wherever_it_stands(text: str) -> None:
    """No label, parameter, separator, link, literal, default or name of a table is read as SQL."""
    statement = _with_text(text, "duckdb")
    with connect() as duck:
        duck.execute(f"CREATE TABLE {quoted('x' + text)} (id BIGINT, {quoted('c' + text)} VARCHAR)")
        duck.executemany(
            f"INSERT INTO {quoted('x' + text)} VALUES (?, ?)", [[1, text], [2, text], [3, None]]
        )
        rows = duck.execute(statement.sql).fetchall()

    linked = f"{text.replace('{', '').replace('}', '')}1"
    row = (f"{text}!", f"{text}{text}{text}", text, text, linked)
    assert rows == [(1, *row), (2, *row[:-1], f"{linked[:-1]}2"), (3, f"{text}?", None, text, text, f"{linked[:-1]}3")]  # fmt: skip


@given(TEXTS)
@_settings(60)
def test_text_does_not_change_the_shape_of_sql(text: str) -> None:
    """Whatever a value is, the SQL is the same tree with another literal in it."""
    for dialect in DIALECTS:
        trees = [
            _read_one_select(_with_text(value, dialect).sql, dialect) for value in ("plain", text)
        ]
        plain, hostile = ([type(node) for node in tree.walk()] for tree in trees)
        assert hostile == plain


def _with_text(text: str, dialect: str) -> Statement:
    """A report in which a text stands everywhere that a value can stand."""
    table, column, literal = quoted("x" + text), "c" + text, text.replace("'", "''")
    link = text.replace("{", "").replace("}", "") + "{id}"
    task = {
        "data_source": "task",
        "table": table,
        "primary_key": "id",
        "fields": {
            "id": "integer",
            "title": {
                "type": "string",
                "column": column,
                "labels": {text: f"{text}!"},
                "otherwise": f"{text}?",
            },
        },
        "joins": {"twins": {"data_source": "task", "by": "title"}},
    }
    report = {
        "input": "report",
        "source": "task",
        "parameters": {"needle": {"type": "string"}},
        "fields": [
            "id",
            "title",
            {"field": "list(twins.title)", "separator": text, "name": "listed"},
            {"field": "coalesce(title, :needle)", "name": "given"},
            {"field": "title", "default": text, "format": "as_it_is", "name": "replaced", "label": "B"},
            {"field": "id", "format": "linked", "name": "link", "label": "C"},
        ],
        "filters": [f"title = '{literal}' or title is null", "coalesce(title, :needle) = :needle"],
    }  # fmt: skip
    formatters = {
        "formatters": {
            "linked": {"link": link},
            "as_it_is": {"sql": f"coalesce(value, '{literal}')", "type": "string"},
        }
    }
    project = _project(yaml.safe_dump_all([task, formatters, report], sort_keys=False))
    return compile_input(project, "report", dialect, Run(parameters={"needle": text}))
