"""What a compaction costs, against a plain DuckDB COPY of the rows that it keeps.

    python benchmarks/compaction.py [--rows 10000000] [--folder DIR] [--memory 1GB]

The log of `latest_record.py`: 21 columns, ten events per key. Each in a process of its own, over a
copy of the log's catalog, so that all find it as it was. The copy by hand ranks as we do, in two
statements, and sorts by key as we do; it commits and verifies nothing. The bar is 1.3.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
from latest_record import SOURCE, TABLE, make_events

from genesis.lake.catalog import make_catalog, table_identifier
from genesis.lake.compact import compact
from genesis.lake.ranking import Ranking
from genesis.lake.read import pin
from genesis.lake.rules import rules_of
from genesis.spec.data_source import Latest
from genesis.spec.project import Target

NOW = datetime(2026, 1, 2, tzinfo=UTC)  # no delete is old enough to be forgotten
WAYS = ("DuckDB COPY of the newest rows", "compact", "ROW_NUMBER and COPY")


@dataclass(frozen=True)
class Measured:
    """One run: the CPU time of all threads, the time on the wall, the process's peak, what it wrote."""

    cpu_seconds: float
    seconds: float
    peak_megabytes: float
    rows: int
    megabytes: float


def measure(way: str, root: Path, memory: str) -> Measured:
    """Run one way in this process."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    match way:
        case "compact":
            with closing(make_catalog(root, Target())) as catalog:
                rules = rules_of(SOURCE.model_copy(update={"latest": Latest()}))
                done = compact(
                    catalog, rules, now=NOW, rewriting=partial(Ranking.opened, memory_limit=memory)
                )
            assert done.after is not None
            rows, size = done.after.events, done.after.bytes
        case _:
            rows, size = _copy(root, memory, by_rank=way.startswith("ROW_NUMBER"))
    cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(cpu, wall, peak, rows, size / 1e6)


def _copy(root: Path, memory: str, *, by_rank: bool) -> tuple[int, int]:
    with closing(make_catalog(root, Target())) as catalog:
        snapshot = pin(catalog, table_identifier(TABLE))
    assert snapshot is not None
    out = root / "copy.parquet"
    with duckdb.connect(config={"temp_directory": str(root / "spill")}) as duck:
        duck.execute("SET memory_limit = $memory", {"memory": memory})
        duck.execute("SET preserve_insertion_order = false")
        files = duck.read_parquet(list(snapshot.files), hive_partitioning=False)
        files.create_view("log")
        if by_rank:
            rows = "SELECT * FROM log QUALIFY row_number() OVER (PARTITION BY id ORDER BY _ts DESC, _pos DESC) = 1"
        else:
            newest = "max((epoch_us(_ts)::HUGEINT << 63) + _pos) & 9223372036854775807"
            duck.execute(
                f"CREATE TEMP TABLE w AS SELECT ({newest})::BIGINT AS p FROM log GROUP BY id"
            )
            rows = "SELECT * FROM log WHERE _pos IN (SELECT p FROM w)"
        options = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
        duck.execute(f"COPY ({rows} ORDER BY id) TO '{out}' ({options})")
        (count,) = duck.sql(f"SELECT count(*) FROM '{out}'").fetchall()[0]
    size = out.stat().st_size
    out.unlink()
    return count, size


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(way: str, root: Path, memory: str, rounds: int) -> Measured:
    """The best of some runs, each over the log as it was made."""
    runs = []
    for _ in range(rounds):
        kept = root / ".genesis" / "catalog.db.kept"
        database = kept.with_suffix("")
        shutil.copy(database, kept)
        command = [sys.executable, __file__, "measure", way, str(root), memory]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        runs.append(Measured(**json.loads(said)))
        kept.replace(database)
        for file in root.rglob("data/*.parquet"):
            if file.stat().st_mtime > kept_since(root):
                file.unlink()
    return min(runs, key=lambda run: run.cpu_seconds)


def kept_since(root: Path) -> float:
    """When the log was complete."""
    return (root / "made").stat().st_mtime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the table is kept, or is found again")
    parser.add_argument("--memory", default="1GB", help="DuckDB's limit, for all")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = (given.folder or Path(temporary)).resolve()
        if not (root / "made").exists():
            print(f"making {given.rows:,} events ...", file=sys.stderr)
            command = [sys.executable, __file__, "make", str(root), str(given.rows)]
            subprocess.run(command, check=True)
            (root / "made").touch()
        print(
            f"{'':<32}{'CPU s':>7}{'wall s':>8}{'peak MB':>9}{'rows':>11}{'MB':>7}   of the copy: CPU, wall, memory"
        )
        floor: Measured | None = None
        for way in WAYS:
            cost = measured(way, root, given.memory, given.rounds)
            floor = floor or cost
            assert cost.rows == floor.rows, "they keep different rows"
            print(
                f"{way:<32}{cost.cpu_seconds:>7.2f}{cost.seconds:>8.2f}{cost.peak_megabytes:>9.0f}"
                f"{cost.rows:>11,}{cost.megabytes:>7.1f}"
                f"{cost.cpu_seconds / floor.cpu_seconds:>18.2f}{cost.seconds / floor.seconds:>6.2f}"
                f"{cost.peak_megabytes / floor.peak_megabytes:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", root, rows]:
            make_events(Path(root), int(rows))
        case ["measure", way, root, memory]:
            print(json.dumps(asdict(measure(way, Path(root), memory))))
        case _:
            main()
