"""Every folder of `fixtures/cases` is one thing that definitions mean, with tables one can count by hand.

definitions/*.yaml input.yaml   what is compiled; `genesis.yaml` where a setting matters
tables/<table>.csv              the data: `name:type` heads a column, an empty cell is NULL, `""` an
                                empty text
run.yaml                        parameters, moment, as_of, render; where they matter
rows.csv                        what the report must say, written by hand, in order, all columns
check.sql                       plain SQL by hand that says the same on DuckDB
expected.duckdb.sql, expected.trino.sql   what is compiled; `--accept` writes them anew
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp

from genesis.compile.compare import parse_moment
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import Problems
from genesis.load import load_files
from tests.tables import connect, load_tables, rows_of, rows_of_file

FOLDERS = sorted((Path(__file__).parent / "fixtures" / "cases").iterdir())
DIALECTS = ("duckdb", "trino")

case = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
dialect = pytest.mark.parametrize("dialect", DIALECTS)


@case
@dialect
def test_compiles_to_expected_sql(folder: Path, dialect: str, accept: bool) -> None:
    """A change of the SQL is a diff that a person reads."""
    sql = _compiled(folder, dialect).sql + "\n"
    expected = folder / f"expected.{dialect}.sql"
    if accept:
        expected.write_text(sql, encoding="utf-8")
    assert sql == expected.read_text(encoding="utf-8")


@case
@dialect
def test_sql_reads_as_one_select(folder: Path, dialect: str) -> None:
    """What is written can be read again in its dialect, and is one query."""
    trees = sqlglot.parse((folder / f"expected.{dialect}.sql").read_text("utf-8"), dialect=dialect)
    assert len(trees) == 1
    assert isinstance(trees[0], exp.Select)


@case
def test_rows_are_what_the_definitions_mean(folder: Path) -> None:
    """DuckDB gives the rows that a person wrote down, in their order."""
    statement = _compiled(folder, "duckdb")
    with connect() as duck:
        load_tables(duck, folder / "tables")
        names, rows = rows_of(duck, statement.sql)
    assert [names, *rows] == rows_of_file(folder / "rows.csv")
    assert names == [column.name for column in statement.columns]


@case
def test_plain_sql_says_the_same(folder: Path) -> None:
    """Somebody who knows SQL and not genesis comes to these rows too."""
    with connect() as duck:
        load_tables(duck, folder / "tables")
        _, rows = rows_of(duck, (folder / "check.sql").read_text("utf-8"))
    assert rows == rows_of_file(folder / "rows.csv")[1:]


def _compiled(folder: Path, dialect: str) -> Statement:
    problems = Problems()
    project = load_files(folder, [folder / "definitions", folder / "input.yaml"], problems)
    problems.raise_errors()
    return compile_input(project, next(iter(project.inputs)), dialect, _run(folder))


def _run(folder: Path) -> Run:
    file = folder / "run.yaml"
    said = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    moment = said.get("as_of") or said.get("moment")
    return Run(
        parameters=said.get("parameters", {}),
        moment=parse_moment(str(moment)) if moment else None,
        as_of="as_of" in said,
        render=said.get("render", "native"),
    )
