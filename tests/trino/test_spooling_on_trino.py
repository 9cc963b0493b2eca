"""Results that go by way of an object store: rows as without it, and nothing stays there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from genesis.compile.statement import Statement
from genesis.engines.trino import TrinoEngine
from genesis.spec.project import EngineConfig, Target, TrinoTarget
from tests.trino.conftest import HOME, TOOL, own_server_is_used
from tests.trino.segments import Segments, segments

ROWS = 10_000
QUERY = f"""
SELECT x, IF(x % 3 = 0, NULL, 'ü🎬 ' || CAST(x AS VARCHAR)) AS name, CAST(x AS DECIMAL(12, 2)) / 4 AS price,
  TIMESTAMP '2026-11-23 00:00:00 UTC' + x * INTERVAL '1' SECOND AS at
FROM UNNEST(SEQUENCE(1, {ROWS})) AS numbers(x)"""


@pytest.fixture(scope="module")
def spooling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrinoEngine, Segments]]:
    """An engine on a server that spools, and what it spools to."""
    if not own_server_is_used() or not any(HOME.glob("server-*/spooling")):
        missing = (
            "no Trino that spools: `tools/trino.py fetch` brings one, GENESIS_TRINO names none"
        )
        if "trino" in os.environ.get("GENESIS_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("spooling")
    with segments() as store:
        try:
            host, _, port = tool(folder, "start", "--spool-to", store.url).rpartition(":")
            trino = TrinoTarget(host=host, port=int(port), catalog="memory", user="genesis")
            target = Target(engine=EngineConfig(trino=trino))
            with TrinoEngine(folder, target) as engine:
                yield engine, store
        finally:
            tool(folder, "stop")


def tool(state: Path, *command: str) -> str:
    asked = [sys.executable, str(TOOL), *command]
    environment = {**os.environ, "TRINO_STATE": str(state)}
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_rows_come_as_they_are_and_no_segment_stays(
    spooling: tuple[TrinoEngine, Segments],
) -> None:
    engine, store = spooling
    rows = engine.query(Statement(QUERY, columns=(), scans=())).sort_by("x").to_pylist()
    assert rows[:2] == [
        {
            "x": n,
            "name": f"ü🎬 {n}",
            "price": Decimal(n) / 4,
            "at": datetime(2026, 11, 23, 0, 0, n, tzinfo=UTC),
        }
        for n in (1, 2)
    ]
    assert [row["x"] for row in rows] == list(range(1, ROWS + 1))
    assert all((row["name"] is None) == (row["x"] % 3 == 0) for row in rows)
    assert store.put > 3
    assert (store.objects, store.refused) == ({}, [])
