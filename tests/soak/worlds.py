"""Random worlds until a count: the compiler's rows against the oracle's, on all cores.

    python -m tests.soak.worlds --count 100000 --seed 1 [--trino HOST:PORT]

A world is a seed, and three reports: `--seed N --count 3` plays one again. What differs is made
small and kept as a case folder; the exit code tells whether there was any.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

import duckdb

from tests.oracle.choices import by_seed
from tests.oracle.examples import world
from tests.oracle.keeping import keep
from tests.oracle.running import (
    Difference,
    Refused,
    a_duckdb,
    playing,
)
from tests.oracle.shrinking import shrink
from tests.trino.worlds import playing_on_trino

REPORTS = 3  # of a world
BATCH = 25  # worlds a worker plays before it tells
SHRINKING = timedelta(seconds=20)
KEPT_OF_A_KIND = 3

Batch = tuple[Counter[str], list[tuple[int, Difference]]]


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}: {asked.count:,} reports on {'Trino' if asked.trino else 'DuckDB'}")
    counts: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    start = time.monotonic()
    for batch, differences in _batches(seed, asked):
        counts += batch
        _tell_progress(counts, asked.count, time.monotonic() - start)
        for found_by, difference in differences:
            counts["differ"] += 1
            kept[difference.kind] += 1
            if kept[difference.kind] <= KEPT_OF_A_KIND:
                _keep(asked.keep / f"seed_{found_by}_{counts['differ']}", difference, asked.trino)
    print(f"\n{dict(sorted(counts.items()))}")
    print(f"{counts['differ']} of {counts['equal'] + counts['differ']:,} reports differ")
    return 1 if counts["differ"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="reports to play")
    parser.add_argument("--seed", type=int, help="where to start; chosen and told without it")
    parser.add_argument("--trino", help="host:port of a server to play on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("build/counterexamples"))
    return parser.parse_args()


def _batches(seed: int, asked: argparse.Namespace) -> Iterator[Batch]:
    worlds = -(-asked.count // REPORTS)
    seeds = range(seed, seed + worlds)
    batches = [seeds[start : start + BATCH] for start in range(0, worlds, BATCH)]
    with ProcessPoolExecutor(asked.jobs) as workers:
        yield from workers.map(partial(_play, trino=asked.trino), batches)


def _play(seeds: range, trino: str | None) -> Batch:
    counts: Counter[str] = Counter()
    differences = []
    for seed in seeds:
        made = world(by_seed(seed), REPORTS)
        for found in playing(_duck(), made) if trino is None else playing_on_trino(trino, made):
            match found:
                case None:
                    counts["equal"] += 1
                case Refused():
                    counts[f"refused: {found}"] += 1
                case Difference():
                    differences.append((seed, found))
    return counts, differences


@cache
def _duck() -> duckdb.DuckDBPyConnection:
    return a_duckdb()


def _keep(folder: Path, difference: Difference, trino: str | None) -> None:
    small = difference if trino else shrink(_duck(), difference, SHRINKING)
    print(f"\n{'-' * 100}\n{small}\nkept in {keep(folder, small)}", flush=True)


def _tell_progress(counts: Counter[str], wanted: int, seconds: float) -> None:
    done = sum(counts.values())
    line = f"{done:,} of {wanted:,}, {done / seconds:.0f} a second, {counts['differ']} differ"
    print(f"\r{line}", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
