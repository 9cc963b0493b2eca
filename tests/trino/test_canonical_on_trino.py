"""DuckDB, PostgreSQL and Trino write the same text of the same value, and the same number of the same text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import duckdb
import psycopg
import pytest
import sqlglot
from sqlglot import exp
from trino.dbapi import connect

from genesis.audit.canonical import hash_of, one_text, text_of
from genesis.audit.sides import refuse_untextual
from genesis.errors import DefinitionError
from genesis.spec.types import Type, parse_type
from tests.postgres import Postgres

Ask = Callable[[str], str | None]
# By type: how values are written in SQL that all three understand.
VALUES = {
    "integer": "0, -1, 9223372036854775807, -9223372036854775808",
    "decimal(18,3)": "0, 0.000, -0.001, 12.500, 100, -999999999999999.999",
    "decimal(38,0)": "'99999999999999999999999999999999999999'",
    "float": "'0', '-0', '0.1', '0.30000000000000004', '1e300', '-1e-300', '5e-324', '1.7976931348623157e308', 'NaN', 'Infinity', '-Infinity', '123456789012345680'",
    "boolean": "true, false",
    "string": "'', 'a', ' a ', 'ü🎬', 'ü', '~|~0', 'O''Neill', 'NULL', 'line' || chr(10) || 'next', '\\'",
    "date": "'1970-01-01', '1969-12-31', '0001-01-01', '9999-12-31', '1582-10-04', '2024-02-29'",
    "time": "'00:00:00', '23:59:59.999999', '12:00:00.5'",
    "timestamp": "'1970-01-01 00:00:00', '1969-12-31 23:59:59.999999', '0001-01-01 00:00:00.000001', '9999-12-31 23:59:59.999999', '2026-11-23 09:30:00.123456'",
    "timestamptz": "'2026-11-23 09:30:00.123456 UTC', '1969-12-31 23:59:59.999999 UTC', '9999-12-31 23:59:59.999999 UTC', '2026-11-23 09:30:00 Asia/Kolkata', '2026-07-01 00:00:00 America/St_Johns'",
}
CASES = [
    (name, value.strip())
    for name, values in VALUES.items()
    for value in [*values.split(", "), "NULL"]
]
_NAMES = {
    "duckdb": {"float": "DOUBLE", "integer": "BIGINT", "string": "VARCHAR"},
    "postgres": {"float": "DOUBLE PRECISION", "integer": "BIGINT", "string": "TEXT"},
    "trino": {
        "float": "DOUBLE",
        "integer": "BIGINT",
        "string": "VARCHAR",
        "time": "TIME(6)",
        "timestamp": "TIMESTAMP(6)",
        "timestamptz": "TIMESTAMP(6) WITH TIME ZONE",
    },
}


@pytest.fixture(scope="module")
def engines(trino_server: str, postgres: Postgres) -> Iterator[dict[str, Ask]]:
    """What gives the one value of a SELECT, by dialect; sessions are in zones of their own."""
    host, _, port = trino_server.rpartition(":")
    with ExitStack() as stack:
        duck = stack.enter_context(duckdb.connect())
        duck.execute("SET TimeZone = 'Asia/Kolkata'")
        source = stack.enter_context(psycopg.connect(postgres.new_database()))
        source.execute("SET TIME ZONE 'America/St_Johns'")
        session = connect(host, int(port), user="genesis", timezone="Europe/Oslo")
        trino = stack.enter_context(closing(session))
        yield {
            "duckdb": lambda sql: duck.execute(sql).fetchall()[0],
            "postgres": lambda sql: source.execute(sql.encode()).fetchall()[0],
            "trino": lambda sql: tuple(trino.cursor().execute(sql).fetchall()[0]),
        }


@pytest.mark.parametrize("name", VALUES)
def test_one_text_of_a_value(engines: dict[str, Ask], name: str):
    """All values of a type in one question to each."""
    type_ = parse_type(name)
    assert type_ is not None
    values = [value for of_type, value in CASES if of_type == name]
    answers = {
        dialect: ask(f"SELECT {', '.join(written(value, type_, dialect) for value in values)}")
        for dialect, ask in engines.items()
    }
    assert answers["trino"] == answers["duckdb"]
    assert answers["postgres"] == answers["duckdb"]
    assert answers["duckdb"][-1] == hash_of_null(engines["duckdb"])


def written(value: str, type_: Type, dialect: str) -> str:
    """The hash of a value's text, as checksums have it."""
    name = _NAMES[dialect].get(type_.name, str(type_).upper())
    cast = sqlglot.parse_one(f"CAST({value} AS {name})", dialect=dialect)
    hashed = hash_of(one_text([text_of(cast, type_, dialect)]), dialect)
    return hashed.sql(dialect)


def hash_of_null(ask: Ask) -> int:
    return ask(f"SELECT {hash_of(exp.Literal.string('~'), 'duckdb').sql('duckdb')}")[0]


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "trino"])
@pytest.mark.parametrize("name", ["json", "array(string)"])
def test_what_has_no_such_text_is_refused_by_name(dialect: str, name: str):
    type_ = parse_type(name)
    assert type_ is not None
    with pytest.raises(DefinitionError, match="which an audit cannot compare on"):
        refuse_untextual("tags", type_, dialect)
