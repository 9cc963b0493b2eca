"""What audits cost: keys, rows and checksums of a million records, beside count(*) on the source and reladiff.

    python benchmarks/audit.py [--rows 1000000] [--reladiff COMMAND]

PostgreSQL is started for it (`tests/postgres.py` says where its programs are looked for); the lake is
a change log as it comes from a first copy, whose newest records are ranked each time, or compacted; read once as the plain table that it is then.
13 records are missing there, 37 are extra, 21 are changed, and every run has to find just these. The
bar: keys in 6 times what `count(*)` takes. reladiff runs only where its command is given; it compares
two tables of the same server, since it reads no Iceberg, and its time has its start in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psycopg

from genesis.audit.compare import Comparer
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.lake.catalog import change_log, make_catalog
from genesis.lake.compact import compact
from genesis.lake.rules import rules_of
from genesis.load import load_project
from genesis.spec.project import Project, Target
from tests.postgres import running

RUNS = 3
NOW = datetime(2026, 1, 2, tzinfo=UTC)
COLUMNS = "{title: title, status: status, budget: budget, start_date: start_date, updated: updated, is_test: is_test}"
PROJECT = f"""
data_source: production
table: studio.production_events
primary_key: id
latest: true
fields:
  id: integer
  title: string
  status: string
  budget: decimal(18,2)
  start_date: date
  updated: timestamptz
  is_test: boolean
---
data_source: plain_production
table: studio.production_events
primary_key: id
fields: {{id: integer}}
---
audit: plain_keys
data_source: plain_production
against: {{source: studio_db, table: production, key: id}}
---
audit: keys
data_source: production
against: {{source: studio_db, table: production, key: id}}
---
audit: rows
data_source: production
against: {{source: studio_db, table: production, key: id, columns: {COLUMNS}}}
---
audit: checksums
data_source: production
strategy: checksums
against: {{source: studio_db, table: production, key: id, columns: {COLUMNS}}}
"""
VALUES = """'Production ' || g AS title, (ARRAY['PREP', 'SHOOT', 'POST', 'WRAP'])[g % 4 + 1] AS status,
    CAST(g * 12.25 AS {decimal}(18,2)) AS budget, DATE '2020-01-01' + CAST(g % 3000 AS INTEGER) AS start_date,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + g * INTERVAL '1 second' AS updated, g % 50 = 0 AS is_test"""


def fill_source(url: str, rows: int) -> None:
    """The system of record, and a copy of it with the lake's faults for a tool that reads no lake."""
    with psycopg.connect(url, autocommit=True) as connection:
        values = VALUES.format(decimal="numeric")
        series = f"generate_series(1, {rows}) g"
        connection.execute(f"CREATE TABLE production AS SELECT g AS id, {values} FROM {series}")
        connection.execute("ALTER TABLE production ADD PRIMARY KEY (id)")
        connection.execute("CREATE TABLE copied (LIKE production INCLUDING ALL)")
        connection.execute("INSERT INTO copied SELECT * FROM production WHERE id > 13")
        connection.execute("UPDATE copied SET status = 'LOST' WHERE id BETWEEN 101 AND 121")
        extra = f"INSERT INTO copied SELECT id + {rows}, title, status, budget, start_date, updated, is_test"
        connection.execute(f"{extra} FROM production WHERE id <= 37")
        connection.execute("VACUUM ANALYZE")


def fill_lake(root: Path, project: Project, rows: int) -> None:
    """A change log with the same records, but for 13 missing, 37 extra and 21 changed."""
    with closing(make_catalog(root, Target())) as catalog, duckdb.connect() as duck:
        log = change_log(catalog, project.data_sources["production"], root)
        duck.execute("SET TimeZone = 'UTC'")
        values = VALUES.format(decimal="DECIMAL").replace("(ARRAY[", "([")
        first = f"""SELECT 'r' AS _op, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS _ts, g AS _pos,
            NULL::TIMESTAMPTZ AS _source_ts, NULL::VARCHAR AS _source_pos, 'copy' AS _batch,
            CAST(g AS BIGINT) AS id, {values} FROM range(14, {rows + 38}) t(g)"""
        arrow = log.schema().as_arrow()
        names = ", ".join(arrow.names)
        changed = "CASE WHEN id BETWEEN 101 AND 121 THEN 'LOST' ELSE status END AS status"
        query = duck.sql(f"SELECT {names} FROM (SELECT * REPLACE ({changed}) FROM ({first}))")
        log.append(query.to_arrow_table().cast(arrow))


def best(work: Callable[[], object]) -> tuple[float, float]:
    """The least of some runs, in seconds, and what of it this process computed."""
    walls, computed = [], []
    for _ in range(RUNS):
        start, busy = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - start)
        computed.append(time.process_time() - busy)
    return min(walls), min(computed)


def audit(root: Path, project: Project, name: str) -> None:
    """One run of an audit by an engine of its own, which finds what was seeded."""
    with DuckDBEngine(root, Target()) as engine:
        seen = Comparer(project, engine, root, NOW).compare(project.audits[name])
    found = dict(seen.findings.counts)
    assert found == {"missing": 13, "extra": 37, "differs": 0 if name.endswith("keys") else 21}, (
        found
    )


def reladiff(command: str, url: str, columns: list[str]) -> tuple[float, float]:
    """reladiff between two tables of the server."""
    asked = [command, url, "production", url, "copied", "-k", "id", "--stats"]
    for column in columns:
        asked += ["-c", column]
    return best(lambda: subprocess.run(asked, check=True, capture_output=True))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--reladiff", metavar="COMMAND")
    given = parser.parse_args()
    with running() as server, tempfile.TemporaryDirectory(prefix="genesis-audit-") as root:
        measure(Path(root), server.url(), given.rows, given.reladiff)


def measure(root: Path, url: str, rows: int, peer: str | None) -> None:
    """Print a table of seconds."""
    os.environ["STUDIO_DB_URL"] = url
    settings = 'sources: {studio_db: {postgres: "${env:STUDIO_DB_URL}"}}\n'
    (root / "genesis.yaml").write_text(settings, encoding="utf-8")
    (root / "definitions").mkdir()
    (root / "definitions" / "all.yaml").write_text(PROJECT, encoding="utf-8")
    project = load_project(root, Problems())
    fill_source(url, rows)
    fill_lake(root, project, rows)
    with psycopg.connect(url, autocommit=True) as connection:
        counted = "SELECT count(*) FROM production"
        base, _ = best(lambda: connection.execute(counted).fetchone())
    print(f"{rows:,} rows, best of {RUNS}")
    print(f"{'count(*) on the source':44} {base:7.3f} s")

    def told(what: str, seconds: tuple[float, float]) -> None:
        wall, cpu = seconds
        print(f"{what:44} {wall:7.3f} s  {wall / base:5.1f} x count(*)  {cpu:6.2f} s of CPU here")

    for name in ("keys", "rows", "checksums"):
        told(f"{name}, as it was copied", best(lambda name=name: audit(root, project, name)))
    with closing(make_catalog(root, Target())) as catalog:
        compact(catalog, rules_of(project.data_sources["production"]), now=NOW)
    told("keys, compacted, nothing ranked", best(lambda: audit(root, project, "plain_keys")))
    for name in ("keys", "rows", "checksums"):
        told(f"{name}, compacted", best(lambda name=name: audit(root, project, name)))
    if peer:
        told("reladiff, keys", reladiff(peer, url, []))
        others = ["title", "status", "budget", "start_date", "updated", "is_test"]
        told("reladiff, six columns", reladiff(peer, url, others))


if __name__ == "__main__":
    main()
