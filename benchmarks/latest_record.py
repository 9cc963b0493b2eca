"""What the newest records of a change log cost: ranked, and in phases, with what a compaction left and without.

    python benchmarks/latest_record.py [--rows 10000000] [--folder DIR]

Makes an Iceberg table with ten events per key and reads it through the engine, each plan in a
process of its own, so that a peak of memory is that plan's. Then the same of a log that was compacted, with
events for a quarter of its keys behind. Figures of one machine mean little;
the ratios are what the design promises: CPU at most half, memory at most a quarter (16 columns).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlglot import exp

from genesis.compile.identifiers import table
from genesis.compile.latest import (
    newest_by_rank,
    newest_in_phases,
    rules_text,
    with_base,
)
from genesis.compile.statement import Scan, Statement
from genesis.engines.duckdb import DuckDBEngine
from genesis.lake.catalog import change_log, make_catalog
from genesis.lake.compact import compact
from genesis.lake.read import pin
from genesis.lake.rules import rules_of
from genesis.spec.data_source import DataSource, Latest
from genesis.spec.project import Target

TABLE = "studio.events"
EVENTS_PER_KEY = 10
ROWS_PER_FILE = 500_000
WIDTHS = (4, 16)
PHASES = ("in phases, no base known", "in phases")
PLANS = ("scan of the files", "scan of the snapshot", "ranked", *PHASES)

PAYLOAD = {
    **{f"number_{n}": "integer" for n in range(5)},
    **{f"text_{n}": "string" for n in range(5)},
    **{f"amount_{n}": "decimal(18,2)" for n in range(2)},
    **{f"day_{n}": "date" for n in range(2)},
    "at": "timestamptz",
}
SOURCE = DataSource.model_validate(
    {"name": "event", "table": TABLE, "primary_key": "id", "fields": {"id": "integer", **PAYLOAD}}
)


@dataclass(frozen=True)
class Measured:
    """One run: the CPU time of all threads, the time on the wall, the process's peak."""

    cpu_seconds: float
    seconds: float
    peak_megabytes: float
    result: list[int]


def columns(width: int) -> list[str]:
    """The key and the first payload columns, of every type from the start."""
    mixed = sorted(PAYLOAD, key=lambda name: name.rpartition("_")[2])
    return ["id", *mixed][:width]


def make_events(root: Path, rows: int, start: int = 0) -> None:
    """Land `rows` events, or those of them from `start` on: keys at random, times out of order by up to two seconds, 3 % deletes."""
    values = {
        "integer": "(hash(i, {n}) % 1000000)::BIGINT",
        "string": "'value ' || hash(i, {n}) % 100000",
    }
    values |= {
        "decimal(18,2)": "(hash(i, {n}) % 10000000 / 100)::DECIMAL(18, 2)",
        "date": "DATE '2020-01-01' + (hash(i, {n}) % 3000)::INTEGER",
        "timestamptz": "TIMESTAMPTZ '2026-01-01' + to_milliseconds(i::BIGINT)",
    }
    payload = ", ".join(
        f"{values[type_].format(n=n)} AS {name}" for n, (name, type_) in enumerate(PAYLOAD.items())
    )
    query = f"""
        SELECT CASE WHEN hash(i, 'op') % 100 < 3 THEN 'd' ELSE 'u' END AS _op,
            TIMESTAMPTZ '2026-01-01' + to_milliseconds((i * 8 + hash(i, 'at') % 2000)::BIGINT) AS _ts,
            i + 1 AS _pos, NULL::TIMESTAMPTZ AS _source_ts, NULL::VARCHAR AS _source_pos,
            'batch' AS _batch, (hash(i) % {rows // EVENTS_PER_KEY})::BIGINT AS id, {payload}
        FROM range($first, $end) AS events(i)"""
    with closing(make_catalog(root, Target())) as catalog, duckdb.connect() as duck:
        log = change_log(catalog, SOURCE, root)
        schema = log.schema().as_arrow()
        for first in range(start, rows, ROWS_PER_FILE):
            end = min(first + ROWS_PER_FILE, rows)
            events = duck.sql(query, params={"first": first, "end": end}).to_arrow_table()
            log.append(events.cast(schema))


def measure(plan: str, width: int, root: Path) -> Measured:
    """Run a plan in this process, with every value of the result looked at."""
    names = columns(width)
    setup, select = _statements(plan, names, root)
    hashed = exp.func("hash", *(exp.column(name) for name in names), dialect="duckdb")
    looked_at = exp.select("count(*) AS n", exp.alias_(exp.func("bit_xor", hashed), "h"))
    read = tuple(sorted({*names, "_op", "_ts", "_pos"}))
    # By other rules than those of the compaction, nothing is known of what it left.
    rules = rules_text(["id"], Latest(deleted=None) if plan == PHASES[0] else Latest())
    scan = Scan(TABLE, read, frozenset([rules]))
    statement = Statement(
        sql=looked_at.from_(select.subquery("newest")).sql("duckdb"),
        columns=(),
        scans=(scan,),
        setup=tuple(step.sql("duckdb") for step in setup),
    )
    with DuckDBEngine(root, Target()) as engine:
        engine.snapshots((TABLE,))
        cpu, wall = _cpu_seconds(), time.perf_counter()
        result = engine.query(statement)
        cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(cpu, wall, peak, [column[0].as_py() for column in result.columns])


def _statements(
    plan: str, names: list[str], root: Path
) -> tuple[tuple[exp.Create, ...], exp.Query]:
    relation = table(TABLE)
    match plan:
        case "ranked":
            return (), newest_by_rank(relation, names, ["id"], Latest())
        case "in phases, no base known" | "in phases":
            relation = table(with_base(TABLE))
            return newest_in_phases(relation, names, ["id"], Latest(), winners="winners")
        case "scan of the files":
            with closing(make_catalog(root, Target())) as catalog:
                snapshot = pin(catalog, ("studio", "events"))
            assert snapshot is not None
            files = exp.Array(expressions=[exp.Literal.string(file) for file in snapshot.files])
            relation = exp.Table(this=exp.ReadParquet(expressions=[files]))
    return (), exp.select(*names).from_(relation)


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def in_a_process(*arguments: str) -> str:
    """What this script prints with these arguments.

    Even the table is made in another process: a child's peak of memory starts at its parent's.
    """
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compact_and_go_on(root: Path, rows: int) -> None:
    """Compact the log, and land events for about a quarter of its keys."""
    rules = rules_of(SOURCE.model_copy(update={"latest": Latest()}))
    with closing(make_catalog(root, Target())) as catalog:
        compact(catalog, rules, now=datetime.now(UTC))
    make_events(root, rows + rows // EVENTS_PER_KEY // 4, rows)


def measured(plan: str, width: int, root: Path) -> Measured:
    """The best of three runs."""
    said = [in_a_process("measure", str(root), plan, str(width)) for _ in range(3)]
    return min((Measured(**json.loads(run)) for run in said), key=lambda run: run.cpu_seconds)


def report(root: Path) -> None:
    """Print every plan, with its cost as a share of what ranking costs."""
    print(
        f"{'columns':>7}  {'plan':<25}{'CPU s':>7}{'wall s':>8}{'peak MB':>9}   of ranked: CPU, memory"
    )
    for width in WIDTHS:
        costs = {plan: measured(plan, width, root) for plan in PLANS}
        ranked = costs["ranked"]
        rows = [costs[plan].result for plan in ("ranked", *PHASES)]
        assert rows[0] == rows[1] == rows[2], "the plans give different rows"
        for plan, cost in costs.items():
            cpu = cost.cpu_seconds / ranked.cpu_seconds
            memory = cost.peak_megabytes / ranked.peak_megabytes
            print(
                f"{width:>7}  {plan:<25}{cost.cpu_seconds:>7.2f}{cost.seconds:>8.2f}"
                f"{cost.peak_megabytes:>9.0f}{cpu:>18.2f}{memory:>8.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the table is kept, or is found again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for state in ("landed", "compacted"):
            root = (given.folder or Path(temporary)).resolve() / state
            if not (root / ".genesis").exists():
                print(f"making {given.rows:,} events ...", file=sys.stderr)
                in_a_process("make", str(root), str(given.rows))
                if state == "compacted":
                    in_a_process("compact", str(root), str(given.rows))
            print(
                {
                    "landed": "as it landed",
                    "compacted": "compacted, and a quarter of its keys again",
                }[state]
            )
            report(root)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", root, rows]:
            make_events(Path(root), int(rows))
        case ["compact", root, rows]:
            compact_and_go_on(Path(root), int(rows))
        case ["measure", root, plan, width]:
            print(json.dumps(asdict(measure(plan, int(width), Path(root)))))
        case _:
            main()
