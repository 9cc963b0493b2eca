"""Compactions that are killed, have no room, or run beside writers: nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genesis.lake.catalog import find_catalog, load_table
from genesis.lake.compact import compact
from genesis.lake.expire import expire
from genesis.lake.ingest import ingest
from genesis.lake.landing import last_position
from genesis.lake.sweep import sweep
from genesis.spec.project import Target
from tests.lake.compacting import LOG, NOW, RULES, WRITERS
from tests.lake.test_ingest import landed, lines, log

COMPACTING = [sys.executable, "-m", "tests.lake.compacting"]
MOMENTS = [
    *(f"step {step}" for step in ("pin", "rank", "write", "verify", "commit", "done")),
    "before UPDATE",
    "after UPDATE",
]
SECONDS = float(os.environ.get("GENESIS_SOAK_SECONDS", "6"))


def made(root: Path, events: int = 2) -> Path:
    """A project whose log has superseded events in two batches."""
    for number in range(2):
        tasks = ({"task_id": n, "title": f"{number}"} for n in range(events))
        ingest(
            LOG,
            [lines(root / f"{number}.jsonl", *tasks)],
            root=root,
            target=Target(),
            now=NOW,
        )
    return root


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project for each moment, in which a compaction was killed at that moment."""
    roots = {moment: made(tmp_path_factory.mktemp("killed")) for moment in MOMENTS}
    arguments = [argument for moment, root in roots.items() for argument in (root, moment)]
    subprocess.run([*COMPACTING, "die", *arguments], check=True)
    return roots


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_compaction_that_was_killed_is_made_up_for_by_the_next(
    killed: dict[str, Path], moment: str
):
    root = killed[moment]
    is_done = moment == "step done"
    newest = [(3, 0, "1"), (4, 1, "1")]
    events = landed(root, "_pos", "task_id", "title")
    assert events == (newest if is_done else [(1, 0, "0"), (2, 1, "0"), *newest])
    catalog = find_catalog(root, Target())
    assert catalog is not None
    with closing(catalog):
        again = compact(catalog, RULES, now=NOW)
        assert (again.snapshot_id is None) == is_done
        assert landed(root, "_pos", "task_id", "title") == newest
        for days in (2, 4):
            table = load_table(catalog, ("studio", "tasks"))
            assert table is not None
            now = NOW + timedelta(days=365 * 50 + days)
            expire(table, now=now, older_than=timedelta(days=1))
            sweep(catalog, table, root=root, now=now, older_than=timedelta(days=1))
    assert len(list(root.rglob("data/*.parquet"))) == 1
    assert len(list(root.rglob("*.batches/*.parquet"))) == 1
    assert landed(root, "_pos", "task_id", "title") == newest
    assert all(
        ingest(LOG, [file], root=root, target=Target(), now=NOW).already_landed
        for file in root.glob("*.jsonl")
    )


@pytest.mark.parametrize(
    ("step", "code"),
    [("write", "not-compacted"), ("verify", "catalog-failed"), ("commit", "catalog-failed")],
)
def test_a_disk_that_is_full(tmp_path: Path, step: str, code: str):
    """Data finds no room, or the list of batches, or what refers to both; nothing stays in the way."""
    made(tmp_path)
    files = set(tmp_path.rglob("data/*"))
    run = subprocess.run(
        [*COMPACTING, "full", tmp_path, step], check=False, capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    assert run.stderr.startswith(f"{code}: the"), run.stderr
    assert set(tmp_path.rglob("data/*")) == files
    assert len(landed(tmp_path, "_pos")) == 4


def write_parquet(file: Path, events: list[dict[str, object]]) -> None:
    """Events with times that are no text."""
    rows = [{**event, "_ts": datetime.fromisoformat(f"{event['_ts']}+00:00")} for event in events]
    pq.write_table(pa.Table.from_pylist(rows), file)


def test_writers_and_a_compaction_beside_them_all_killed_at_random(tmp_path: Path):
    """Each batch is in the log once, whoever died on the way; what it superseded may be gone.

    Meanwhile columns come with the writers' files, and others come and go.
    """
    sent = {}
    for writer in range(WRITERS):
        folder = tmp_path / f"writer-{writer}"
        folder.mkdir()
        for number in range(int(20 * SECONDS)):
            moment = (
                f"2026-11-22T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.{writer}"
            )
            events = [
                {
                    "task_id": (number * 3 + n) % 11,
                    "title": f"{writer} {number} {n}",
                    "_ts": moment + str(n),
                }
                for n in range(3)
            ]
            file = folder / f"{number:04}.events"
            if writer:  # a new column now and then, which plain lines would not declare
                for event in events:
                    event[f"extra_{number // 4}"] = number
                write_parquet(file, events)
            else:
                lines(file, *events)
            sent[writer, number] = events
    first = tmp_path / "writer-0" / "0000.events"
    ingest(LOG, [first], root=tmp_path, target=Target(), now=NOW, batch="0-0")
    subprocess.run([*COMPACTING, "beside", tmp_path, str(SECONDS), "1"], check=True)

    batches = []
    for writer in range(WRITERS):
        number = len(list((tmp_path / f"writer-{writer}").glob("*.done")))
        batches += [(writer, n) for n in range(number + 1)]  # the last one may have landed, or not
    for writer, number in batches:
        file = tmp_path / f"writer-{writer}" / f"{number:04}.events"
        batch = f"{writer}-{number}"
        landing = ingest(LOG, [file], root=tmp_path, target=Target(), now=NOW, batch=batch)
        assert landing.already_landed or not file.with_suffix(".done").exists()
    assert len(batches) > 2 * WRITERS
    newest: dict[int, dict[str, object]] = {}
    for event in sorted((e for key in batches for e in sent[key]), key=lambda e: str(e["_ts"])):
        newest[int(str(event["task_id"]))] = event
    catalog = find_catalog(tmp_path, Target())
    assert catalog is not None
    with closing(catalog):
        compact(catalog, RULES, now=NOW)
    names = log(tmp_path).schema().column_names
    columns = ["task_id", "title", *(name for name in names if name.startswith("extra_"))]
    found = landed(tmp_path, *columns)
    assert sorted(found, key=repr) == sorted(
        (tuple(event.get(name) for name in columns) for event in newest.values()), key=repr
    )
    assert {name for event in newest.values() for name in event} <= {*names, "_ts"}
    assert len(log(tmp_path).metadata.schemas) > 3
    assert last_position(log(tmp_path)) == 3 * len(batches)
