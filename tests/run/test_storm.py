"""Nodes that are killed, and nodes that stand still, lose nothing and do nothing twice.

`python -m tests.soak.scheduler --kills 1000` blows for longer.
"""

from __future__ import annotations

from pathlib import Path

from tests.run.storm import Storm


def blown(root: Path, url: str, *, kills: int) -> list[str]:
    storm = Storm(root, url, seed=kills)
    storm.blow(kills=kills)
    storm.calm_down()
    return list(storm.wrong())


def test_kills_on_sqlite(tmp_path: Path) -> None:
    assert blown(tmp_path, "sqlite:///state.db", kills=20) == []


def test_kills_on_postgres(tmp_path: Path, database: str) -> None:
    assert blown(tmp_path, database, kills=10) == []
