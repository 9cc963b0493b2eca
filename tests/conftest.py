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


# Files, and folders of them, that take longest, by what CI measured.
LONGEST = (
    "tests/test_readme.py",
    "tests/trino/",
    "tests/lake/test_compact",
    "tests/demo/test_sheets.py",
    "tests/test_compile_properties.py",
    "tests/run/test_virtual_time.py",
    "tests/oracle/",
    "tests/conformance/",
    "tests/run/test_storms.py",
    "tests/test_schema.py",
    "tests/review/test_explain.py",
    "tests/review/test_lineage_moves.py",
    "tests/lake/",
    "tests/sinks/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first: it shall not be what all others wait for."""

    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((n for n, part in enumerate(LONGEST) if part in path), len(LONGEST))

    items.sort(key=place)
