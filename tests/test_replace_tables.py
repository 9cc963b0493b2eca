"""Other relations in the place of tables: the right names, and not a letter of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from genesis.compile.replace_tables import replace_tables

PINNED = sqlglot.parse_one("SELECT * FROM t FOR VERSION AS OF 7", dialect="trino").find(exp.Table)
NONE = exp.select("*").from_("t").where("false").subquery()
CASES = sorted((Path(__file__).parent / "fixtures" / "cases").iterdir())


def pinned(sql: str, *names: str) -> str:
    assert PINNED is not None
    relations: dict[tuple[str, ...], exp.Expr] = {tuple(name.split(".")): PINNED for name in names}
    return replace_tables(sql, relations, dialect="trino")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT 1 FROM s.t  AS x -- s.t", "SELECT 1 FROM T!  AS x -- s.t"),
        ('SELECT \'ü🎬\', "s"."t" FROM "s"."T"', 'SELECT \'ü🎬\', "s"."t" FROM T!'),
        ("SELECT s.t.a FROM s.t, s.u", "SELECT s.t.a FROM T!, s.u"),
        (
            "WITH t AS (SELECT 1 FROM s.t) SELECT 2 FROM t",
            "WITH t AS (SELECT 1 FROM T!) SELECT 2 FROM t",
        ),
    ],
)
def test_a_table_is_replaced_where_it_stands_as_one(before: str, after: str) -> None:
    """Not in texts, comments or columns, nor where a common table expression has its name."""
    assert pinned(before, "s.t") == after.replace("T!", "t FOR VERSION AS OF 7")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "WITH t AS (SELECT 1 FROM t) SELECT 2 FROM t",
            "WITH t AS (SELECT 1 FROM T!) SELECT 2 FROM t",
        ),
        (
            "WITH a AS (SELECT 1 FROM t), t AS (SELECT 2) SELECT 3 FROM t",
            "WITH a AS (SELECT 1 FROM T!), t AS (SELECT 2) SELECT 3 FROM t",
        ),
        (
            "SELECT 1 FROM t WHERE a IN (WITH t AS (SELECT 2) SELECT 3 FROM t)",
            "SELECT 1 FROM T! WHERE a IN (WITH t AS (SELECT 2) SELECT 3 FROM t)",
        ),
        (
            "WITH RECURSIVE t AS (SELECT 1 FROM t) SELECT 2 FROM t",
            "WITH RECURSIVE t AS (SELECT 1 FROM t) SELECT 2 FROM t",
        ),
    ],
)
def test_a_name_without_a_schema_may_be_of_an_expression(before: str, after: str) -> None:
    """Which one, is a matter of where it stands."""
    assert pinned(before, "t") == after.replace("T!", "t FOR VERSION AS OF 7")


def test_a_subquery_takes_the_name() -> None:
    """Unless it has another."""
    sql = "SELECT t.a FROM s.t JOIN s.t AS b ON true"
    written = replace_tables(sql, {("s", "t"): NONE}, dialect="trino")
    assert written == (
        "SELECT t.a FROM (SELECT * FROM t WHERE FALSE) AS t JOIN (SELECT * FROM t WHERE FALSE) AS b ON true"
    )


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_is_compiled_is_read(folder: Path) -> None:
    """And is as it was where nothing is replaced."""
    sql = (folder / "expected.trino.sql").read_text("utf-8")
    assert pinned(sql, "nothing") == sql
