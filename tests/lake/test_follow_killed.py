"""PostgreSQL and genesis killed under load: the target equals the source.

`python -m tests.soak.postgres` goes on for as long as it is asked to.
"""

from __future__ import annotations

from pathlib import Path

from tests.lake.storm import Storm
from tests.postgres import Postgres


def test_nothing_is_lost_or_doubled_whoever_dies(postgres: Postgres, tmp_path: Path):
    with Storm(postgres, tmp_path, seed=8) as storm:
        storm.blow(kills=2)
        storm.compact()
        storm.blow(kills=1)
        assert storm.committed > 20
        assert storm.altered
        assert set(storm.kills) == {"killed", "PostgreSQL"}
