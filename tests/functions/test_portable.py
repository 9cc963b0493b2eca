"""The list of portable functions: each is shown by rows, which DuckDB gives; nothing else is portable."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from genesis.compile.compiler import compile_input
from genesis.compile.engine_functions import functions_of
from genesis.compile.functions import NONDETERMINISTIC, is_portable, written_name
from genesis.compile.known import refusal_of
from genesis.compile.portable import LIST, NAMES
from genesis.compile.resolve import resolve
from genesis.errors import Problems
from genesis.spec.types import PLAIN
from tests.functions.page import PAGE, page
from tests.functions.rows import RUN, Row, all_rows, different, heading, project_of
from tests.tables import connect

ROWS = all_rows()
VALUES = tuple(row for row in ROWS if not row.fails)
FAILURES = tuple(row for row in ROWS if row.fails)


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    duck = connect()
    duck.execute("SET TimeZone = 'UTC'")
    return duck


def test_the_list_is_long_enough() -> None:
    """Analysts write about a hundred functions and operators."""
    assert len(LIST) >= 80


def test_every_listed_function_has_rows() -> None:
    """A function without rows is a claim that nobody has tried, and so are rows without a function."""
    assert {row.name for row in ROWS} == {heading(listed) for listed in LIST}


def test_every_name_is_called() -> None:
    """Other names of a function are shown as well."""
    calls = " ".join(row.call for row in ROWS)
    assert not {name for name in NAMES if name not in calls}


def test_every_example_is_a_row() -> None:
    """What the page shows has been tried."""
    assert not {listed.example for listed in LIST} - {row.call for row in ROWS}


def test_rows_are_portable(tmp_path: Path) -> None:
    """No call of the rows is told to be anything but portable."""
    project, problems = project_of(ROWS, tmp_path), Problems()
    resolve(project.inputs["shown"], project, RUN, problems)
    told = [problem for problem in problems if problem.code.endswith("-function")]
    assert not told


def test_duckdb_gives_the_values(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """All rows in one query."""
    statement = compile_input(project_of(VALUES, tmp_path), "shown", "duckdb", RUN)
    given = duck.execute(statement.sql).fetchone()
    assert given is not None  # its last value is the key
    assert not different(VALUES, given[:-1])


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row.call)
def test_duckdb_fails(row: Row, tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """What has no value is no value of another kind."""
    statement = compile_input(project_of((row,), tmp_path), "shown", "duckdb", RUN)
    with pytest.raises(duckdb.Error):
        duck.execute(statement.sql).fetchone()


def test_types_are_told(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """A column has the type that its values have."""
    statement = compile_input(project_of(VALUES, tmp_path), "shown", "duckdb", RUN)
    types = duck.sql(statement.sql).types
    wrong = [
        f"{row.call}: {column.type}, not {type_}"
        for row, column, type_ in zip(VALUES, statement.columns, types, strict=False)
        if row.value != "NULL" and not str(type_).startswith(_TYPES[column.type.name])
    ]
    assert not wrong


_TYPES = {
    "string": "VARCHAR",
    "integer": ("INTEGER", "BIGINT", "DECIMAL(38,0)", "HUGEINT"),
    "float": "DOUBLE",
    "decimal": "DECIMAL",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}


def test_results_are_types_or_words() -> None:
    """A result is a type of the language, or says in words how it follows."""
    assert {listed.result for listed in LIST if " " not in listed.result} <= set(PLAIN)


def test_nothing_else_is_portable() -> None:
    """Every other function that an engine has is told of, whatever the parser makes of it."""
    untold = []
    for name in sorted((functions_of("duckdb") | functions_of("trino")) - NAMES):
        for call in (f"{name}()", f"{name}(a)", f"{name}(a, b)", f"{name}(a, b, c)"):
            try:
                node = sqlglot.parse_one(call, read="trino")
            except sqlglot.ParseError:
                continue
            if not isinstance(node, exp.Func):
                continue
            called = written_name(node, call)
            if called not in NONDETERMINISTIC and called not in NAMES:
                told = refusal_of(called, node, None)
                untold += [call] if told is None or is_portable(called, node) else []
    assert not untold


def test_the_page_is_current(accept: bool) -> None:
    """`docs/functions.md` says what the list and its rows say; `--accept` writes it."""
    if accept:
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


# What DuckDB's dialect has no such function for, or what its literals lack.
NOT_IN_DUCKDB = ("date_add", "list")


def test_duckdb_projects_mean_the_same(tmp_path: Path, duck: duckdb.DuckDBPyConnection) -> None:
    """Fragments in DuckDB's dialect mean by a listed name what the list says."""
    rows = tuple(
        row
        for row in VALUES
        if not any(f"{name}(" in row.call for name in NOT_IN_DUCKDB) and not _has_zone(row.call)
    )
    statement = compile_input(project_of(rows, tmp_path, dialect="duckdb"), "shown", "duckdb", RUN)
    given = duck.execute(statement.sql).fetchone()
    assert given is not None
    assert not different(rows, given[:-1])


def _has_zone(call: str) -> bool:
    """Whether a literal has a zone, which DuckDB's `timestamp '...'` drops."""
    return "timestamp '" in call and any(zone in call for zone in (" UTC'", "York'", "+02:00'"))
