"""The database of runs, leases and rate limits: SQLite beside the project, or PostgreSQL.

SQLite runs with a write-ahead log, every commit on disk, so that a second process reads while one
writes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from genesis.errors import EngineError, Problem

metadata = sa.MetaData()


class State:
    """The database that a project's `state` names; it is made where it is missing."""

    def __init__(self, url: str, root: Path) -> None:
        self._engine = _open(url, root)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """What is done in it is done wholly or not at all. Raises `EngineError`."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _failed(error) from error


def _open(url: str, root: Path) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            file = root / address.database
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.touch(mode=0o600)  # run problems may name what only the team should read
            address = address.set(database=str(file))
        engine = sa.create_engine(address)
        if address.get_backend_name() == "sqlite":
            sa.event.listen(engine, "connect", _make_durable)
        _make_tables(engine)
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise _failed(error) from error
    return engine


def _make_tables(engine: sa.Engine) -> None:
    """Make what is missing. Of processes that find nothing at once, the slower ones try again."""
    for pause in (0.05, 0.1, 0.2, 0.4):
        with suppress(OperationalError):
            metadata.create_all(engine)
            return
        time.sleep(pause)
    metadata.create_all(engine)


def _make_durable(connection: Any, _: object) -> None:
    """Readers beside a writer, and commits that survive a power cut."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _failed(error: Exception) -> EngineError:
    said = str(getattr(error, "orig", None) or error).split("\n")[0]
    hint = "the run ledger is the `state` of genesis.yaml"
    if isinstance(error, DatabaseError) and "not a database" in said:
        hint = "the file is damaged: move it away; trackers are unharmed, their history starts anew"
    return EngineError(Problem("state-failed", f"the run ledger cannot be used: {said}", hint=hint))
