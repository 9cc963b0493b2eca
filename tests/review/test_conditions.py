"""What is claimed of two conditions holds of every row: proven claims against rows on DuckDB."""

from __future__ import annotations

import random

import duckdb
import pytest
import sqlglot

from genesis.review.conditions import implies

VALUES = "(NULL), (-1), (0), (1), (2), (3), (4)"
ROWS = f"""
WITH numbers(n) AS (VALUES {VALUES})
SELECT a.n AS a, b.n::DECIMAL(4,1) / 2 AS b, chr(97 + c.n) AS c, DATE '2026-03-01' + a.n::INT AS d,
       b.n::DOUBLE / 10 AS e
FROM numbers a, numbers b, numbers c WHERE c.n IS NULL OR c.n >= 0
"""


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE rows AS {ROWS}")
    return connection


def _literal(column: str, choose: random.Random) -> str:
    match column:
        case "a":
            return str(choose.randint(-1, 4))
        case "b" | "e":
            return choose.choice(
                ["-0.5", "0", "0.1", "0.5", "1.0", "1.5", "0.30000000000000004", "0.3"]
            )
        case "c":
            return choose.choice(["'a'", "'b'", "'c'"])
    day = choose.choice(["2026-03-01", "2026-03-02", "2026-02-28", "2026-03-04"])
    return choose.choice([f"DATE '{day}'", f"CAST('{day}' AS DATE)"])


def _condition(choose: random.Random, depth: int = 2) -> str:
    kind = choose.choice(["compare"] * 4 + ["in", "not in", "between", "null", "and", "or", "not"])
    if kind in ("and", "or") and depth:
        return f"({_condition(choose, depth - 1)} {kind} {_condition(choose, depth - 1)})"
    if kind == "not" and depth:
        return f"not ({_condition(choose, depth - 1)})"
    column = choose.choice("aaabcde")
    value, other = _literal(column, choose), _literal(column, choose)
    match kind:
        case "in" | "not in":
            third = choose.choice(
                [_literal(column, choose), "NULL"] if choose.random() < 0.3 else [value]
            )
            return f"{column} {kind} ({value}, {other}, {third})"
        case "between":
            return f"{column} between {value} and {other}"
        case "null":
            return f"{column} is {choose.choice(['', 'not '])}null"
    return f"{column} {choose.choice(['=', '<>', '<', '<=', '>', '>='])} {value}"


def test_what_is_proven_is_so_of_every_row(rows: duckdb.DuckDBPyConnection) -> None:
    """A thousand pairs of conditions over NULLs, numbers, texts and days; many proven, none wrongly."""
    choose = random.Random(7)
    proven = 0
    for _ in range(3000):
        one, other = _condition(choose), _condition(choose)
        trees = [sqlglot.parse_one(text, dialect="duckdb") for text in (one, other)]
        if implies(*trees):
            proven += 1
            query = f"SELECT count(*) FROM rows WHERE ({one}) AND ({other}) IS NOT TRUE"
            assert rows.execute(query).fetchone() == (0,), (one, other)
    assert proven > 60


PROVEN = [
    ("a = 3", "a in (1, 3)"),
    ("a in (1, 3)", "a <> 2"),
    ("not a in (1, 2, 3)", "not a in (1, 2)"),
    ("a > 3", "a >= 3"),
    ("a between 2 and 3", "a > 1"),
    ("a > 3 and b < 1", "a > 2"),
    ("a = 1", "a = 1 or c = 'x'"),
    ("a = 1 or a = 2", "a in (1, 2, 3)"),
    ("a > 1", "a is not null"),
    ("d >= cast(genesis_today('UTC') - interval '7' day as date)", "d >= cast(genesis_today('UTC') - interval '14' day as date)"),
]  # fmt: skip
NOT_PROVEN = [
    ("a in (1, 3)", "a = 3"),
    ("a >= 3", "a > 3"),
    ("c > 'b'", "c > 'a'"),
    ("a in (1, null)", "a = 1"),
    ("not a in (1, null)", "not a in (1)"),
    ("e >= 0.10000000000000000001", "e > 0.1"),
    ("a > 3", "b > 3"),
    ("not (a > 3)", "not (a > 2)"),
    ("d >= today() - interval '1' month", "d >= today() - interval '31' day"),
]


@pytest.mark.parametrize(("one", "other"), PROVEN)
def test_a_proof(one: str, other: str) -> None:
    assert implies(*(sqlglot.parse_one(text, dialect="trino") for text in (one, other)))


@pytest.mark.parametrize(("one", "other"), NOT_PROVEN)
def test_nothing_is_claimed_without_one(one: str, other: str) -> None:
    assert not implies(*(sqlglot.parse_one(text, dialect="trino") for text in (one, other)))
