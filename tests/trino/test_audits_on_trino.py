"""Audits of a lake that Trino reads: exactly the seeded differences, whole and by checksums."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from genesis.audit.compare import Comparer
from genesis.engines.trino import TrinoEngine
from genesis.lake.ingest import ingest
from tests.postgres import Postgres
from tests.trino.both import project_in
from tests.trino.lakes import shared_lake

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AUDIT = """\
audit: {strategy}
data_source: thing
strategy: {strategy}
against:
  source: shop_db
  table: things
  key: id
  columns: {{price: price, done: done, name: name, day: day, rate: rate, at: at}}
"""
DEFINITIONS = f"""\
data_source: thing
table: shop.things
primary_key: id
latest: true
fields: {{id: integer, price: "decimal(18,3)", done: boolean, name: string, day: date, rate: float, at: timestamptz}}
---
{AUDIT.format(strategy="rows")}---
{AUDIT.format(strategy="checksums")}"""
RECORDS = [
    {
        "id": 1,
        "price": "-12.500",
        "done": True,
        "name": "ü🎬 'x'|",
        "day": "1969-12-31",
        "rate": 0.30000000000000004,
        "at": "1969-12-31T23:59:59.999999Z",
    },
    {
        "id": 2,
        "price": "0.001",
        "done": False,
        "name": "",
        "day": "2026-11-23",
        "rate": -0.0,
        "at": "2026-11-23T09:30:00.123456+02:00",
    },
    {"id": 3, "price": None, "done": None, "name": None, "day": None, "rate": None, "at": None},
    {
        "id": 4,
        "price": "1000",
        "done": True,
        "name": "missing here",
        "day": None,
        "rate": 1e300,
        "at": None,
    },
    {"id": 5, "price": "7", "done": True, "name": "differs", "day": None, "rate": 0.1, "at": None},
]
# So many that the sum of their hashes outgrows 64 bits.
EQUAL = [{**RECORDS[2], "id": number} for number in range(100, 160)]
OURS = [
    *EQUAL,
    *RECORDS[:3],
    {**RECORDS[4], "rate": 0.10000000000000002},
    {**RECORDS[3], "id": 6, "name": "not there"},
    {**RECORDS[3], "id": 7},
    {"_op": "d", "id": 7},
]


@pytest.mark.parametrize("strategy", ["rows", "checksums"])
def test_the_seeded_differences_and_no_others(
    strategy: str,
    trino_server: str,
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records that were deleted from the log are no longer there."""
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.yaml").write_text(DEFINITIONS)
    (tmp_path / "genesis.yaml").write_text('sources: {shop_db: {postgres: "${env:SHOP_DB}"}}\n')
    monkeypatch.setenv("SHOP_DB", source := postgres.new_database())
    with psycopg.connect(source, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE things (id int, price numeric, done bool, name text, day date, rate float8, at timestamptz)"
        )
        cursor.executemany(
            "INSERT INTO things VALUES (%(id)s, %(price)s, %(done)s, %(name)s, %(day)s, %(rate)s, %(at)s)",
            [*EQUAL, *RECORDS],
        )
    project = project_in(tmp_path)
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in OURS))
    with shared_lake(trino_server, postgres.new_database(), tmp_path) as (_, target):
        things = project.data_sources["thing"]
        ingest(things, [tmp_path / "events.jsonl"], root=tmp_path, target=target, now=NOW)
        with TrinoEngine(tmp_path, target) as engine:
            comparer = Comparer(project, engine, tmp_path, NOW)
            found = comparer.compare(project.audits[strategy]).findings.listed
    assert sorted((one.key, one.kind) for one in found) == [
        (("4",), "missing"),
        (("5",), "differs"),
        (("6",), "extra"),
    ]
