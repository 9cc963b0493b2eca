"""Audits against a real PostgreSQL: values of every type agree, and a source that goes away tells nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.errors import EngineError
from tests.audit.shops import Shop, keys
from tests.postgres import Postgres

COLUMNS = {
    "whole": ("integer", "bigint", "BIGINT"),
    "plain_whole": ("integer", "numeric(20,0)", "BIGINT"),
    "price": ("decimal(18,3)", "numeric", "DECIMAL(18,3)"),
    "score": ("float", "double precision", "DOUBLE"),
    "small": ("float", "real", "DOUBLE"),
    "done": ("boolean", "boolean", "BOOLEAN"),
    "name": ("string", "text", "VARCHAR"),
    "code": ("string", "char(4)", "VARCHAR"),
    "day": ("date", "date", "DATE"),
    "hour": ("time", "time", "TIME"),
    "local": ("timestamp", "timestamp", "TIMESTAMP"),
    "instant": ("timestamptz", "timestamptz", "TIMESTAMPTZ"),
}
DEFINITIONS = f"""
data_source: thing
table: things
primary_key: id
fields: {{id: string, {", ".join(f'{name}: "{types[0]}"' for name, types in COLUMNS.items())}}}
---
audit: shop
data_source: thing
against: &all
  source: shop_db
  table: shop.things
  key: id
  columns: {{{", ".join(f"{name}: {name}" for name in COLUMNS)}}}
---
audit: sums
data_source: thing
strategy: checksums
against:
  source: shop_db
  table: shop.things
  key: id
  columns: {{{", ".join(f"{name}: {name}" for name in COLUMNS)}}}
""".replace("&all", "")
HERE = f"CREATE TABLE things (id VARCHAR, {', '.join(f'{n} {t[2]}' for n, t in COLUMNS.items())});"
THERE = f"""
CREATE SCHEMA IF NOT EXISTS shop;
CREATE TABLE shop.things (
    id text PRIMARY KEY, {", ".join(f"{name} {types[1]}" for name, types in COLUMNS.items())}
);
"""

# What a change log may hold: no NUL in texts, finite numbers, years of four digits.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001
values = st.fixed_dictionaries(
    {
        "whole": st.integers(-(2**63), 2**63 - 1),
        "plain_whole": st.integers(-(10**18), 10**18),
        "price": st.decimals(-(10**12), 10**12, allow_nan=False, places=3),
        "score": st.floats(allow_nan=False, allow_infinity=False),
        "small": st.sampled_from([0.1, -2.5, 0.0, 16777216.0, 3.4e38]),
        "done": st.booleans(),
        "name": texts,
        "code": st.sampled_from(["a   ", "ab  ", "    ", "abcd"]),
        "day": st.dates(date(1, 1, 2)),
        "hour": st.times(),
        "local": moments,
        "instant": moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    }
)
rows = values.flatmap(
    lambda row: st.fixed_dictionaries({k: st.sampled_from([v, v, v, None]) for k, v in row.items()})
)


@pytest.fixture
def shop(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("SHOP_DB_URL", database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(THERE)
    return Shop.made(tmp_path, DEFINITIONS, HERE)


def put(shop: Shop, database: str, here: list[dict[str, Any]], there: list[dict[str, Any]]) -> None:
    names = ("id", *COLUMNS)
    shop.change("DELETE FROM things")
    marks = ", ".join("?" for _ in names)
    shop.change(f"INSERT INTO things VALUES ({marks})", [[row[n] for n in names] for row in here])
    with psycopg.connect(database, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'America/Los_Angeles'")
        cursor.execute("TRUNCATE shop.things")
        cursor.executemany(
            f"INSERT INTO shop.things VALUES ({', '.join('%s' for _ in names)})",
            [[row[name] for name in names] for row in there],
        )


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None
)
@given(st.dictionaries(texts, rows, min_size=1, max_size=20), rows)
def test_both_sides_write_and_hash_every_value_alike(
    shop: Shop, database: str, records: dict[str, dict[str, Any]], other: dict[str, Any]
) -> None:
    """Nothing differs where nothing does; one record that does is found, with its columns."""
    there = [{"id": id_, **record} for id_, record in records.items()]
    put(shop, database, there, there)
    assert shop.found("shop") == ()
    assert shop.found("sums") == ()

    changed = {**there[0], **other}
    put(shop, database, [changed, *there[1:]], there)
    differing = {name for name in COLUMNS if changed[name] != there[0][name]}
    expected = [((there[0]["id"],), "differs")] if differing else []
    found = shop.found("shop")
    assert [(one.key, one.kind) for one in found] == expected
    assert {name for one in found for name in one.columns} == differing
    assert [(one.key, one.kind) for one in shop.found("sums")] == expected


PRODUCTS = """
data_source: product
table: products
primary_key: [region, id]
fields: {region: string, id: integer, name: string}
"""
AGAINST = "source: shop_db, table: products, key: [region, id]"
AUDITS = f"""{PRODUCTS}---
audit: keys
data_source: product
against: {{{AGAINST}}}
---
audit: rows
data_source: product
against: {{{AGAINST}, columns: {{name: name}}}}
---
audit: checksums
data_source: product
strategy: checksums
against: {{{AGAINST}, columns: {{name: name}}}}
"""
MANY = 60_000


@contextmanager
def products(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Iterator[Shop]:
    """Sixty thousand products on both sides, 13 of which are missing here, 37 extra, 21 changed."""
    monkeypatch.setenv("SHOP_DB_URL", database)
    make = {
        "table": "CREATE TABLE products AS SELECT * FROM made",
        "view": "CREATE VIEW products AS SELECT * FROM made",
        "partitions": (
            "CREATE TABLE products (region text, id int, name text) PARTITION BY LIST (region);"
            "CREATE TABLE p1 PARTITION OF products FOR VALUES IN ('EMEA');"
            "CREATE TABLE p2 PARTITION OF products DEFAULT;"
            "INSERT INTO products SELECT * FROM made"
        ),
    }[kind]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE made AS SELECT (ARRAY['EMEA', 'ucan', 'Ünited'])[g % 3 + 1] AS region,"
            f" g AS id, 'product ' || g AS name FROM generate_series(1, {MANY}) g"
        )
        connection.execute(make)
    yield Shop.made(
        tmp_path,
        AUDITS,
        "CREATE TABLE products AS SELECT (['EMEA', 'ucan', 'Ünited'])[g % 3 + 1] AS region,"
        " g AS id, IF(g BETWEEN 100 AND 120, 'other', 'product ' || g) AS name"
        f" FROM range(14, {MANY} + 38) t(g)",
    )


@pytest.mark.parametrize("kind", ["table", "view", "partitions"])
def test_every_strategy_finds_just_what_was_seeded(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """In tables, which are read by blocks, and in what has none."""
    with products(tmp_path, database, monkeypatch, kind) as shop:
        missing, changed = set(range(1, 14)), set(range(100, 121))
        extra = set(range(MANY + 1, MANY + 38))
        for audit in ("keys", "rows", "checksums"):
            found = {(one.kind, int(one.key[1] or "")) for one in shop.found(audit)}
            expected = {("missing", n) for n in missing} | {("extra", n) for n in extra}
            expected |= {("differs", n) for n in changed} if audit != "keys" else set()
            assert found == expected, audit


def test_a_condition_says_which_rows_of_the_source_count(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DB_URL", database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT g AS id, g > 2 AS is_test FROM generate_series(1, 4) g"
        )
    shop = Shop.made(
        tmp_path,
        """
data_source: t
table: t
primary_key: id
fields: {id: integer}
---
audit: shop
data_source: t
against: {source: shop_db, table: t, key: id, where: "NOT is_test"}
""",
        "CREATE TABLE t AS SELECT 1 AS id",
    )
    assert [one.key for one in shop.found()] == [("2",)]


@pytest.mark.parametrize(
    ("against", "code", "hint"),
    [
        ("{source: shop_db, table: shop.thing, key: id}", "unknown-table", "shop.things"),
        ("{source: shop_db, table: shop.things, key: idd}", "unknown-column", "`id`"),
    ],
)
def test_what_the_source_does_not_have_is_told_with_what_it_has(
    shop: Shop, against: str, code: str, hint: str
) -> None:
    text = f"{DEFINITIONS}---\naudit: wrong\ndata_source: thing\nagainst: {against}\n"
    (shop.root / "definitions" / "all.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(EngineError) as caught:
        shop.found("wrong")
    assert caught.value.problems[0].code == code
    assert hint in str(caught.value.problems[0].hint)


# --- a source that goes away ------------------------------------------------------------------------

SLOW = """
CREATE TABLE made AS SELECT g AS id FROM generate_series(1, 30) g;
CREATE TABLE pace (seconds float);
CREATE FUNCTION slow(bigint) RETURNS bigint VOLATILE LANGUAGE sql AS
    $$ SELECT $1 FROM pg_sleep((SELECT seconds FROM pace)) $$;
INSERT INTO pace VALUES (0);
CREATE VIEW products AS SELECT slow(id) AS id FROM made;
"""


def while_it_reads(
    database: str, shop: Shop, fault: Callable[[psycopg.Connection], object]
) -> None:
    """Do something to the server in the midst of a run."""
    set_pace(database, 0.1)

    def wait_and_do() -> None:
        with closing(psycopg.connect(database, autocommit=True)) as connection:
            reading = (
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'genesis'"
                " AND state = 'active' AND wait_event = 'PgSleep'"
            )
            while not connection.execute(reading).fetchone():
                time.sleep(0.01)
            fault(connection)

    other = threading.Thread(target=wait_and_do)
    other.start()
    run = shop.audited()
    other.join()
    assert (run.state, run.exit_code, run.notices) == ("failed", 75, ())


def set_pace(database: str, seconds: float) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE pace SET seconds = %s", [seconds])


def terminate(connection: psycopg.Connection) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'genesis'"
    )


def test_a_source_that_goes_away_midway_neither_alarms_nor_clears(
    tmp_path: Path, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is cut, the server is killed: what was known stays, and healing is told once."""
    monkeypatch.setenv("SHOP_DB_URL", database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SLOW)
    shop = Shop.made(
        tmp_path,
        """
data_source: product
table: products
primary_key: id
fields: {id: integer}
---
audit: shop
data_source: product
against: {source: shop_db, table: products, key: id}
runs: 2
""",
        "CREATE TABLE products AS SELECT g AS id FROM range(2, 31) t(g)",
    )

    def kill(_: object) -> None:
        postgres.kill()

    assert shop.audited().state == "watching"
    while_it_reads(database, shop, terminate)  # does not count as the second run
    set_pace(database, 0)
    assert keys(shop.audited().notices) == [("alarm", ["1"])]
    while_it_reads(database, shop, kill)  # does not clear
    assert shop.audited().state == "failed"  # nobody is there
    postgres.start()
    set_pace(database, 0)
    assert (shop.audited().state, shop.audited().notices) == ("failing", ())
    shop.change("INSERT INTO products VALUES (1)")
    runs = [shop.audited(after=timedelta(hours=1)) for _ in range(2)]
    assert [keys(run.notices) for run in runs] == [[("all_clear", ["1"])], []]


def test_a_decimal_that_was_rounded_on_the_way_is_found(shop: Shop, database: str) -> None:
    """The source's digits count, and not those of the declared type."""
    blank = dict.fromkeys(COLUMNS)
    put(
        shop,
        database,
        [{"id": "a", **blank, "price": Decimal("1.234")}],
        [{"id": "a", **blank, "price": Decimal("1.2341")}],
    )
    assert [one.columns for one in shop.found("shop")] == [("price",)]
