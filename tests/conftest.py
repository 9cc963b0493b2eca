"""What all tests share: no network but loopback, `--accept` for expected files, a PostgreSQL."""

from __future__ import annotations

import pytest

from tests.postgres import database, postgres

__all__ = ["database", "postgres"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept", action="store_true", help="write expected files anew; a person reads the diff"
    )


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether expected files are to be written instead of compared."""
    return bool(request.config.getoption("--accept"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's story, which takes longest, first: it shall not be what all others wait for."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")
