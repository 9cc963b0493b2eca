"""A PostgreSQL that a test writes to, and a project that follows it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pyiceberg.table import Table

from genesis.clock import SystemClock
from genesis.errors import EngineError
from genesis.interfaces import Clock
from genesis.lake.catalog import find_catalog, load_table, table_identifier
from genesis.lake.follow import Lake, Origin, follow
from genesis.lake.ingest import Landing
from genesis.spec.data_source import DataSource
from genesis.spec.project import SourceSystem, Target

MOVIE = DataSource.model_validate(
    {
        "name": "movie",
        "table": "studio.movies",
        "primary_key": "id",
        "latest": True,
        "fields": {"id": "integer", "title": "string", "budget": "decimal(12,2)"},
    }
)


class Source:
    """A database that a test writes to, and a project that follows it."""

    def __init__(self, url: str, root: Path, *sources: DataSource) -> None:
        self.url = url
        self.root = root
        self.sources = sources or (MOVIE,)
        self.system = SourceSystem(postgres=url)
        self.clock: Clock = SystemClock()
        self.connection = psycopg.connect(url, autocommit=True)

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement)

    def transaction(self, *statements: str) -> None:
        with self.connection.transaction():
            self.run(*statements)

    def ingest(self, *, landed: list[Landing] | None = None, **options: Any) -> list[Landing]:
        """What landed; in `landed` also where it ends in an error."""
        landed = [] if landed is None else landed
        origin = Origin("studio_db", self.system, tuple(self.sources))
        landed.extend(follow(origin, Lake(self.root, Target(), self.clock), **options))
        return landed

    def refusal(self, **options: Any) -> EngineError:
        with pytest.raises(EngineError) as error:
            self.ingest(**options)
        return error.value

    def log(self, source: DataSource = MOVIE) -> Table:
        catalog = find_catalog(self.root, Target())
        assert catalog is not None
        with closing(catalog):
            log = load_table(catalog, table_identifier(source.table or ""))
        assert log is not None
        return log

    def events(self, *columns: str, source: DataSource = MOVIE) -> list[tuple[Any, ...]]:
        rows = self.log(source).scan().to_arrow().sort_by("_pos").to_pylist()
        return [tuple(row[column] for column in columns) for row in rows]

    def newest(self, *columns: str, source: DataSource = MOVIE) -> list[tuple[Any, ...]]:
        """The records of the log, by a loop: what `latest: true` means."""
        best: dict[Any, dict[str, Any]] = {}
        for row in self.log(source).scan().to_arrow().to_pylist():
            key = tuple(row[name] for name in source.primary_key)
            rank = (row["_ts"], row["_pos"])
            if key not in best or rank > (best[key]["_ts"], best[key]["_pos"]):
                best[key] = row
        there = [row for row in best.values() if row["_op"] != "d"]
        return sorted(tuple(row[column] for column in columns) for row in there)

    def slots(self) -> list[str]:
        found = self.connection.execute(
            "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        )
        return [slot for (slot,) in found.fetchall()]

    def drop_slots(self) -> None:
        self.run(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
        )

    def reconnect(self) -> None:
        self.connection.close()
        self.connection = psycopg.connect(self.url, autocommit=True)

    def close(self) -> None:
        """A server has room for a few slots only."""
        self.drop_slots()
        self.connection.close()
