"""What holds of every report: one SELECT, equal bytes, values as given. Its rows: `oracle/test_worlds.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from hypothesis import HealthCheck, Phase, assume, event, example, given, note, settings
from hypothesis import strategies as st
from sqlglot import exp

from genesis.compile.compare import parse_moment
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import DefinitionError, Problems
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


# --- every other place ----------------------------------------------------------------------------

_EVERYWHERE = """
data_source: production
table: {table}
primary_key: id
latest: {{order_by: [{time}, {version}], deleted: {deleted}}}
where: {where}
fields:
  id: integer
  title: {{type: string, column: {column}, values: [{text}, plain], default: {text}}}
  named: {{type: string, sql: {derived}}}
  starts: {{type: date, format: days}}
  cost: {{type: "decimal(10,2)", format: money}}
joins:
  twins: {{data_source: production, sql: {joined}, where: {of_twins}, relationship: many_to_many}}
  first: {{data_source: production, by: title, where: {of_first}, pick: {{sort: id}}}}
measures:
  such: {{sql: {counted}, where: {of_measure}}}
---
formatters:
  days: {{date: {date_format}}}
  money: {{number: {number_format}}}
  words: {{labels: {{plain: {text}}}, otherwise: {text}}}
  told: {{sql: {told}, type: string}}
---
input: report
source: production
shape: summary
parameters:
  given: {{type: string, values: [{text}, plain]}}
  usual: {{type: string, default: {text}}}
fields:
  - {{field: title, name: shown, format: words, label: {text}, description: {text}}}
  - {{field: named, name: said, format: told}}
  - {{field: {chosen}, name: chosen}}
  - {{field: {asked}, name: asked}}
  - {{field: starts, name: starts}}
  - {{field: cost, name: cost}}
  - {{field: first.title, name: first_title}}
  - {{field: list(twins.title), name: listed, separator: {text}, distinct: true, where: {of_item}, default: {text}}}
  - {{field: such, name: such}}
filters: [{filtered}, "title = :given or title = :usual"]
having: {having}
"""


def _everywhere(text: str) -> str:
    """Definitions in which a text stands wherever a literal, a name of a table's or a pattern can.

    Columns are selected in the order of their names, so these begin alike.
    """
    said = "'" + text.replace("'", "''") + "'"
    plain = re.sub(r"""['"\\]""", "", text)
    unit = re.sub("[#0,.%]", "", plain)  # a number format knows but one of each
    parts = {
        "table": f"{quoted('s' + text)}.{quoted('x' + text)}", "column": f"cc{text}", "text": text,
        "time": f"tt{text}", "version": f"vv{text}", "deleted": f"op = {said}", "where": f"title <> {said} or id > 0",
        "derived": f"coalesce(title, {said})", "joined": f"twins.title = title or twins.title = {said}",
        "of_twins": f"twins.title in ({said}, 'plain')", "of_first": f"first.title = {said}", "counted": f"count(nullif(named, {said}))",
        "of_measure": f"named = {said}", "date_format": f"yyyy '{plain}' MM", "number_format": f'"{unit}" 0.00',
        "told": f"replace(value, {said}, {said})", "chosen": f"case when title = {said} then {said} else title end",
        "asked": f"any(twins.title = {said})", "of_item": f"twins.title <> {said}", "filtered": f"named = {said}",
        "having": f"said <> {said} or said is null",
    }  # fmt: skip
    return _EVERYWHERE.format(
        **{name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
    )


@pytest.mark.parametrize("render", ["native", "text"])
@given(text=TEXTS)
@example(text="'; drop table x; --")
@example(text="\\' || (select 1) --")
@example(text="%Y%% {id} __SQLGLOT__LBREAK__")
@_settings(60)
def test_text_changes_the_shape_of_sql_nowhere(render: str, text: str) -> None:
    """Wherever in the definitions a text stands, the SQL is the same tree with another literal in it."""
    for dialect in DIALECTS:
        plain, hostile = (_shape(_everywhere(one), one, dialect, render) for one in ("plain", text))
        assert hostile == plain


def _shape(definitions: str, given: str, dialect: str, render: Any) -> list[type[exp.Expr]]:
    project = project_of_text(definitions)
    statement = compile_input(
        project, "report", dialect, Run(parameters={"given": given}, render=render)
    )
    tree = _read_one_select(statement.sql, dialect)
    return [type(node) for node in tree.walk()]


TYPES = ["integer", "decimal(10,2)", "float", "boolean", "date", "time", "timestamp", "timestamptz"]


@pytest.mark.parametrize("type_", TYPES)
@given(text=TEXTS | st.from_regex(r"[-+0-9:.eE TZ/]{1,12}", fullmatch=True))
@example(text="1 or 1=1")
@example(text="2024-01-01' or '1'='1")
@_settings(60)
def test_a_parameter_is_a_value_of_its_type_or_refused(type_: str, text: str) -> None:
    """What is no date never reaches SQL as one."""
    definitions = f"""
data_source: task
table: task
primary_key: id
fields: {{id: integer, x: "{type_}"}}
---
input: report
source: task
parameters: {{p: {{type: "{type_}"}}}}
fields: [id, {{field: "x = :p", name: same}}]
"""
    problems, shape = _problems_or_shape(definitions, text)
    if problems:
        assert problems == {"wrong-parameter"}
    else:
        _, valid = _problems_or_shape(definitions, VALID[type_])
        assert [node for node in shape if node is not exp.Neg] == valid


VALID = dict(zip(TYPES, ["1", "1", "1", "true", "2024-01-01", "10:00", *["2024-01-01 10:00"] * 2], strict=True))  # fmt: skip


def _problems_or_shape(definitions: str, given: str) -> tuple[set[str], list[type[exp.Expr]]]:
    try:
        statement = compile_input(
            project_of_text(definitions), "report", "trino", Run({"p": given})
        )
    except DefinitionError as refused:
        return {problem.code for problem in refused.problems}, []
    return set(), [type(node) for node in _read_one_select(statement.sql, "trino").walk()]


NAMED = """
data_source: {data_source}
table: task
primary_key: id
fields: {{id: integer, {field}: string}}
joins: {{{join}: {{data_source: {data_source}, by: id}}}}
measures: {{{measure}: {{sql: count(*)}}}}
sets: {{{set}: [id]}}
---
formatters: {{{formatter}: {{number: "0"}}}}
---
input: {input}
source: {data_source}
parameters: {{{parameter}: {{type: string, default: a}}}}
timezone: {timezone}
fields: [{{field: id, name: {column}}}]
"""
NAMES = {
    "data_source": "a1", "field": "b1", "join": "c1", "measure": "d1", "set": "e1", "formatter": "f1", "input": "g1",
    "parameter": "h1", "column": "i1", "timezone": "UTC",
}  # fmt: skip


@pytest.mark.parametrize("place", sorted(NAMES))
@given(text=TEXTS)
@_settings(30)
def test_a_name_is_a_name_or_refused(place: str, text: str) -> None:
    """Names are plain words, so none can be more than a name in SQL."""
    assume(re.fullmatch("[a-z][a-z0-9_]*", text) is None)
    names = {**NAMES, place: text}
    written = NAMED.format(
        **{name: json.dumps(said, ensure_ascii=False) for name, said in names.items()}
    )
    with pytest.raises(DefinitionError) as refused:
        project_of_text(written)
    codes = {problem.code for problem in refused.value.problems}
    assert codes <= {"wrong-name", "unknown-timezone", "wrong-type"}


@given(TEXTS)
@_settings(60)
def test_a_moment_is_a_time_or_refused(text: str) -> None:
    """`--as-of` and literals of `as_of` are read as times before they are written."""
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text)
