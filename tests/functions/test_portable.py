"""The list of portable functions: each is shown by rows, which DuckDB gives; nothing else is portable."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from genesis.compile.compiler import compile_input
from genesis.compile.functions.calls import NONDETERMINISTIC, is_portable, written_name
from genesis.compile.functions.engines import functions_of
from genesis.compile.functions.known import refusal_of
from genesis.compile.functions.portable import LIST, NAMES
from genesis.compile.resolve import resolve
from genesis.errors import DefinitionError, Problems
from genesis.spec.types import PLAIN, Type
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
    """What has no value is no value of another kind; some of it is told before any query."""
    project = project_of((row,), tmp_path)
    with pytest.raises((duckdb.Error, DefinitionError)):
        duck.execute(compile_input(project, "shown", "duckdb", RUN).sql).fetchone()


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


def compiled(call: str, target: str, folder: Path) -> str:
    """The SQL of a call, which is text."""
    project = project_of((Row("", call, ""),), folder)
    item = project.inputs["shown"].fields[0]
    fields = (item.model_copy(update={"type": Type("string")}),)
    project.inputs["shown"] = project.inputs["shown"].model_copy(update={"fields": fields})
    return compile_input(project, "shown", target, RUN).sql


def test_a_function_of_one_engine_is_refused_for_the_other(tmp_path: Path) -> None:
    """It would fail when the report runs."""
    assert "SOUNDEX('a')" in compiled("soundex('a')", "trino", tmp_path)
    with pytest.raises(DefinitionError, match="unknown function `soundex`: DuckDB has none"):
        compiled("soundex('a')", "duckdb", tmp_path)


def test_a_function_of_both_engines_is_passed_on(tmp_path: Path) -> None:
    """Whoever reads the warning may know that they agree."""
    for target in ("duckdb", "trino"):
        assert "BAR(1, 0, 10)" in compiled("bar(1, 0, 10)", target, tmp_path)


@pytest.mark.parametrize(
    "call",
    [
        "regexp_like('a', '(?=a)')",
        "regexp_like('a', '(a)\\1')",
        "regexp_like('a', 'a++')",
        "regexp_like('a', '\\ba')",
        "regexp_like('a', '[[:alpha:]]')",
        "regexp_like('a', '[a&&b]')",
        "regexp_like('a', '(?m)^a')",
        "regexp_like('a', '(?<n>a)')",
        "regexp_like('a', '[a')",
        "regexp_like('a', lower('A'))",
        "regexp_replace('a', 'a', '$10')",
        "regexp_replace('a', 'a', '\\1')",
        "date_format(today(), '%v')",
        "date_format(now(), '%f')",
        "date_format(today(), lower('%y'))",
        "date_parse('1', '%d')",
        "date_parse('01/02/69', '%m/%d/%y')",
        "date_diff('millisecond', now(), now())",
        "date_trunc('decade', today())",
        "extract(epoch from now())",
        "split_part('a', ',', -1)",
        "split_part('a', ',', length('a'))",
        "lpad('a', -1, 'x')",
        "lpad('a', 3, '')",
        "round(1.5, length('a'))",
        "truncate(1.55, 1)",
        "strpos('a', 'a', 2)",
        "log(10)",
        "json_extract_scalar('{}', '$.*')",
        "json_extract_scalar('{}', lower('$.a'))",
        "now() at time zone 'Mars/Olympus'",
        "now() at time zone lower('utc')",
        "with_timezone(timestamp '2026-01-01 00:00:00', '+02:00')",
        "cast(now() as time)",
        "cast('10:00:00' as interval day to second)",
        "codepoint('a', 'b')",
    ],
)
def test_uses_that_engines_read_differently(call: str, tmp_path: Path) -> None:
    """A listed function is told of where an argument takes it off the list."""
    project, problems = project_of((Row("", call, ""),), tmp_path), Problems()
    resolve(project.inputs["shown"], project, RUN, problems)
    assert "unportable-function" in {problem.code for problem in problems}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("upper(5)", "text is expected, this is integer"),
        ("replace('a', 1, '')", "text is expected, this is integer"),
        ("abs('a')", "a number is expected, this is string"),
        ("year('2026-01-01')", "a date or timestamp is expected, this is string"),
        ("hour(today())", "a time or timestamp is expected, this is date"),
        ("to_unixtime(today())", "a timestamp is expected, this is date"),
        ("date_add('hour', 1, today())", "a date has no hours"),
        ("date_diff('minute', today(), today())", "a date has no minutes"),
        ("date_trunc('second', today())", "a date has no seconds"),
        ("today() + interval '1' hour", "a date has no hours"),
    ],
)
def test_arguments_of_another_kind(call: str, message: str, tmp_path: Path) -> None:
    """Trino refuses what DuckDB casts in silence: here both do, and the place is told."""
    project, problems = project_of((Row("", call, ""),), tmp_path), Problems()
    resolve(project.inputs["shown"], project, RUN, problems)
    assert [(one.code, one.message) for one in problems.errors] == [("wrong-type", message)]
