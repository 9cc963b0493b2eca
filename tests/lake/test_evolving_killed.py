"""Whoever is killed while a table waits, or goes on: each event lands once, in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lake.evolving import Parquet

HOLDING = [
    "file os.rename",
    "before UPDATE iceberg_tables",
    "file os.mkdir",
    "step held",
]
RESUMING = [
    "before UPDATE iceberg_tables",
    "after UPDATE iceberg_tables",
    "file shutil.rmtree",
]


def waiting(root: Path) -> Parquet:
    """A log with one event, and a file that has to wait."""
    root.mkdir()
    way = Parquet(root)
    way.put(id=1, title="Alien")
    way.ingest()
    way.drop("title")
    way.put(id=2)
    way.flush()
    return way


def test_each_event_lands_once_whenever_somebody_is_killed(tmp_path: Path):
    held = {moment: waiting(tmp_path / f"hold {at}") for at, moment in enumerate(HOLDING)}
    resumed = {moment: waiting(tmp_path / f"resume {at}") for at, moment in enumerate(RESUMING)}
    for way in resumed.values():
        assert way.ingest().paused is not None
    script = Path(__file__).with_name("evolving_killed.py")
    words = [word for moment, way in held.items() for word in ("hold", str(way.root), moment)]
    words += [word for moment, way in resumed.items() for word in ("resume", str(way.root), moment)]
    subprocess.run([sys.executable, script, *words], check=True, cwd=Path.cwd())
    for way in held.values():
        assert way.ingest().paused is not None
    for way in (*held.values(), *resumed.values()):
        way.put(id=3)
        way.ingest()
        way.resume(accept=True)
        assert way.events("id", "title") == [(1, "Alien"), (2, None), (3, None)]
        assert not way.holding.folder.exists()
