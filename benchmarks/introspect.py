"""What `genesis introspect` takes on TPC-H as Parquet, all keys and joins from the data; `--quick` beside it.

`python -m benchmarks.introspect [SUPPLIERS...]`: 1,000 suppliers are scale 0.1. CPU time of the whole command.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from tests.introspect.tpch import KEYS, check_tpch
from tests.tpch.data import make_tables

SIZES = (100, 1_000)


def main() -> None:
    for suppliers in map(int, sys.argv[1:] or SIZES):
        with tempfile.TemporaryDirectory() as folder:
            _measure(suppliers, Path(folder))


def _measure(suppliers: int, folder: Path) -> None:
    (folder / "parquet").mkdir()
    with duckdb.connect() as duck:
        make_tables(duck, suppliers)
        for table in KEYS:
            duck.execute(f"COPY {table} TO '{folder}/parquet/{table}.parquet'")
        counts = [duck.execute(f"SELECT count(*) FROM {table}").fetchone() for table in KEYS]
    print(f"{sum(row[0] for row in counts if row):,} rows of eight tables")
    for options in ([], ["--quick"]):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", "genesis", "introspect", str(folder / "parquet"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        drafts = dict(zip(sorted(KEYS), done.stdout.split("---\n"), strict=True))
        root = Path(tempfile.mkdtemp(dir=folder))
        check_tpch(drafts, root)
        how = " ".join(options) or "whole"
        print(f"  {how}: {cpu:.2f} s CPU, {time.perf_counter() - began:.2f} s; all keys and joins")


if __name__ == "__main__":
    main()
