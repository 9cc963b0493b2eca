"""Small appends to one change log, over and over: what does the one after thousands cost?

    python benchmarks/append.py --appends 2000

Each lands ten lines, as `genesis ingest` does. Printed are medians of their CPU time, over the median of
the first, and how large the table's metadata has become.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from genesis.lake.catalog import find_catalog
from genesis.lake.ingest import ingest
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

TASKS = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": "task_id",
        "latest": True,
        "fields": {"task_id": "integer", "title": "string", "hours": "decimal(8,2)"},
    }
)
WINDOW = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--appends", type=int, default=2000)
    appends = parser.parse_args().appends
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        print(f"{'snapshots':>10} {'an append':>10} {'ratio':>6}")
        times: list[float] = []
        for seconds in _appended(root, appends):
            times.append(seconds)
            if len(times) - 1 in (WINDOW, 200, 500, 1000, 2000, 5000):
                first, last = (
                    statistics.median(w) for w in (times[1 : 1 + WINDOW], times[-WINDOW:])
                )
                print(
                    f"{len(times) - 1:>10,} {last * 1000:>7.0f} ms {last / first:>6.2f}", flush=True
                )
        print(_sizes(root))


def _appended(root: Path, appends: int) -> Iterator[float]:
    for number in range(appends + 1):
        lines = [{"task_id": i, "title": f"task {number}", "hours": "1.50"} for i in range(10)]
        file = root / "events.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        start = time.process_time()
        ingest(TASKS, [file], root=root, target=Target(), now=datetime.now(UTC))
        yield time.process_time() - start


def _sizes(root: Path) -> str:
    catalog = find_catalog(root, Target())
    assert catalog is not None
    with closing(catalog):
        log = catalog.load_table("studio.tasks")
    metadata = Path(log.metadata_location.removeprefix("file://"))
    snapshot = log.current_snapshot()
    assert snapshot is not None
    return (
        f"metadata {metadata.stat().st_size / 1e3:,.0f} kB of {len(log.metadata.snapshots):,} snapshots, "
        f"{len(list(metadata.parent.glob('*.metadata.json')))} versions kept, "
        f"{len(snapshot.manifests(log.io))} manifests"
    )


if __name__ == "__main__":
    main()
