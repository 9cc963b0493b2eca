"""The database of runs, leases and rate limits: SQLite beside the project, or PostgreSQL.

SQLite runs with a write-ahead log, every commit on disk, so that a second process reads while one
writes. A transaction that will write says so at its start: SQLite refuses one that read an older
state before. What passes by itself, a full disk or a server that is away, is an `EngineBusy`. Columns
and indexes that a newer genesis brought are added to the tables of an older one.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.redaction import redact, redact_data
from genesis.run.postgres import bound

metadata = sa.MetaData()


class Told(sa.types.TypeDecorator[str]):
    """Text, or JSON, that says what happened: no secret is written with it, and JSON keeps its shape."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        if value is None or value[:1] not in ("{", "["):
            return redact(value) if value else value
        try:
            data = json.loads(value)
        except ValueError:
            return redact(value)
        return json.dumps(redact_data(data), ensure_ascii=False)


class State:
    """The database that a project's `state` names; it is made where it is missing."""

    def __init__(self, url: str, root: Path) -> None:
        self._engine = _open(url, root)
        # SQLite lets one write at a time, and those that wait sleep: threads wait for one another better.
        self._turn = nullcontext() if self.is_shared else threading.RLock()

    def close(self) -> None:
        self._engine.dispose()

    @property
    def is_shared(self) -> bool:
        """Whether processes of other machines may use it too."""
        return self._engine.dialect.name != "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """What is done in it is done wholly or not at all. Raises `EngineError`."""
        try:
            with self._turn, self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _interrupted(error) from error

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One state of the tables, which no writer waits for. Raises `EngineError`."""
        try:
            with self._engine.connect().execution_options(reads=True) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _interrupted(error) from error

    def now(self) -> datetime:
        """The time, by the database's clock."""
        with self.reading() as connection:
            if not self.is_shared:
                return datetime.now(UTC)
            found: datetime = connection.execute(sa.func.clock_timestamp()).scalar_one()
        return found.astimezone(UTC)

    def check(self) -> None:
        """Read it wholly, where it is a file. Raises `EngineError` where that is damaged."""
        if self.is_shared:
            return
        with self.reading() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise _damaged(f"the file is malformed: {found}")


def file_of(url: str, root: Path) -> Path | None:
    """The file of a state database, where it is one. Raises `EngineError` for what is no address."""
    try:
        address = sa.make_url(url)
    except SQLAlchemyError as error:
        raise _failed(error) from error
    is_file = address.get_backend_name() == "sqlite" and address.database
    return root / str(address.database) if is_file else None


def is_made(url: str, root: Path) -> bool:
    """Whether there is a state database to look things up in; a server's always counts."""
    try:
        address = sa.make_url(url)
    except SQLAlchemyError:
        return True  # opening it tells what is wrong
    return address.get_backend_name() != "sqlite" or (root / (address.database or "")).is_file()


def _open(url: str, root: Path) -> sa.Engine:
    try:
        address = sa.make_url(url)
        if address.get_backend_name() == "sqlite" and address.database:
            file = root / address.database
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                file.touch(mode=0o600)  # run problems may name what only the team should read
            address = address.set(database=str(file))
        elif address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(address, pool_pre_ping=address.get_backend_name() != "sqlite")
        if address.get_backend_name() == "sqlite":
            sa.event.listen(engine, "connect", _make_durable)
            sa.event.listen(engine, "begin", _begin)
        elif address.drivername == "postgresql+psycopg":
            bound(engine)
        _make_tables(engine)
    except (SQLAlchemyError, OSError, ImportError) as error:
        raise _failed(error) from error
    return engine


def _make_tables(engine: sa.Engine) -> None:
    """Make what is missing. Of processes that find nothing at once, the slower ones try again."""
    # Whoever opens the database first makes all of its tables, also those that others brought to `metadata`.
    import genesis.run.queue  # noqa: F401

    for pause in (0.05, 0.1, 0.2, 0.4):
        with suppress(DatabaseError):
            _make(engine)
            return
        time.sleep(pause)
    _make(engine)


def _make(engine: sa.Engine) -> None:
    metadata.create_all(engine)
    known = sa.inspect(engine)
    for table in metadata.sorted_tables:
        has = {column["name"] for column in known.get_columns(table.name)}
        if lacks := [column for column in table.columns if column.name not in has]:
            with engine.begin() as connection:
                for column in lacks:
                    kind = column.type.compile(engine.dialect)
                    text = f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {kind}'
                    connection.execute(sa.text(text))
        indexed = {index["name"] for index in known.get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in indexed:
                index.create(engine, checkfirst=True)


def _make_durable(connection: Any, _: object) -> None:
    """Readers beside a writer, and commits that survive a power cut."""
    connection.isolation_level = None  # transactions begin where `_begin` says so
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _interrupted(error: SQLAlchemyError) -> EngineError:
    """The same for what was open: a disk is full, a server is away or restarts; that passes."""
    failed = _failed(error)
    passes = isinstance(error, OperationalError | InterfaceError | PoolTimeout)
    passes |= getattr(error, "connection_invalidated", False)
    return EngineBusy(*failed.problems) if passes else failed


def _failed(error: Exception) -> EngineError:
    said = str(getattr(error, "orig", None) or error).split("\n")[0]
    if isinstance(error, DatabaseError) and ("not a database" in said or "malformed" in said):
        return _damaged(said)
    hint = "the run ledger is the `state` of genesis.yaml"
    if "disk is full" in said or "disk I/O" in said:
        hint = "no tracker is written meanwhile; it goes on by itself when there is room"
    return EngineError(Problem("state-failed", f"the run ledger cannot be used: {said}", hint=hint))


def _damaged(said: str) -> EngineError:
    hint = "the file is damaged: `genesis state rebuild` makes a new one; trackers are unharmed"
    return EngineError(Problem("state-failed", f"the run ledger cannot be used: {said}", hint=hint))
