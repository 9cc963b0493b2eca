"""What holds of every report: one SELECT, equal bytes, values as given. Its rows: `oracle/test_worlds.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
import yaml
from hypothesis import HealthCheck, Phase, assume, event, example, given, note, settings
from hypothesis import strategies as st
from sqlglot import exp

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import Problems
from genesis.load import load_project
from tests.oracle.choices import strategy
from tests.oracle.examples import world
from tests.oracle.language import World, as_yaml
from tests.oracle.running import (
    Refused,
    compiled,
    project_of_text,
)
from tests.tables import connect, quoted

STUDIO = load_project(Path(__file__).parents[1], Problems())
DIALECTS = ("duckdb", "trino")
WORLDS = strategy(world)


def _settings(examples: int) -> settings:
    # Shrinking a schema takes minutes: what fails is told whole.
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@given(WORLDS)
@_settings(40)
def test_a_report_compiles_to_the_same_bytes_again(made: World) -> None:
    """What is compiled depends on the definitions alone, and on no order of a set or dict."""
    assert _compiled(made) == _compiled(made)


@given(WORLDS)
@_settings(60)
def test_a_report_is_one_select(made: World) -> None:
    """SQL of both dialects reads again as it was written, and only reads."""
    for dialect in DIALECTS:
        _read_one_select(_compiled(made, dialect).sql, dialect)


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


def _compiled(made: World, dialect: str = "duckdb") -> Statement:
    """The report's statement; what may be refused is left out."""
    (report,) = made.reports
    text = as_yaml(made.schema, made.formatters, report)
    note(text)
    try:
        return compiled(project_of_text(text), report, dialect)
    except Refused as refused:
        event(f"refused: {refused}")
        assume(False)
        raise


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
    project = project_of_text(yaml.safe_dump_all([task, formatters, report], sort_keys=False))
    return compile_input(project, "report", dialect, Run(parameters={"needle": text}))
