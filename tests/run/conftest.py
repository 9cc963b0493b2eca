"""A run ledger, once in a SQLite and once in a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from genesis.run.ledger import Ledger


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    is_postgres = request.param == "postgres"
    url = request.getfixturevalue("database") if is_postgres else "sqlite:///state.db"
    with closing(Ledger(url, tmp_path)) as ledger:
        yield ledger
