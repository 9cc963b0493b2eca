"""What all tests share: no network but loopback, no wait for a disk, `--accept` for expected files, a PostgreSQL."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa

from genesis import redaction
from tests.postgres import database, postgres

__all__ = ["database", "postgres"]


# The databases of a test process that is killed are whole: only a power cut takes what no disk has yet.
@sa.event.listens_for(sa.Pool, "checkout")
def wait_for_no_disk(connection: Any, record: Any, _: object) -> None:
    if isinstance(connection, sqlite3.Connection) and "hurries" not in record.info:
        connection.execute("PRAGMA synchronous=OFF")
        record.info["hurries"] = True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept", action="store_true", help="write expected files anew; a person reads the diff"
    )


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be written instead of compared."""
    return bool(request.config.getoption("--accept"))


@pytest.fixture(autouse=True)
def no_secrets_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test resolved is no secret in the next."""
    monkeypatch.setattr(redaction._everywhere, "_forms", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's story, which takes longest, first: it shall not be what all others wait for."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
