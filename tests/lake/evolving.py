"""A source whose columns change, as it comes in each way: Parquet, Debezium's envelopes, a PostgreSQL.

A test says what happens at the source; each way tells it in its own words. Types are PostgreSQL's.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import Table

from genesis.clock import SystemClock
from genesis.lake.catalog import find_catalog, load_table
from genesis.lake.follow import Lake, Origin, follow
from genesis.lake.holding import Holding
from genesis.lake.ingest import Landing, ingest
from genesis.lake.resume import resume
from genesis.spec.data_source import DataSource
from genesis.spec.project import SourceSystem, Target

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIELDS = {"id": "integer", "title": "string", "budget": "decimal(10,2)"}
COLUMNS = {"id": "integer", "title": "text", "budget": "numeric(10,2)", "notes": "text"}


def movie(fields: dict[str, Any] = FIELDS, **keys: Any) -> DataSource:
    """The definition of the tests: it reads all columns but `notes`."""
    plain = {"name": "movie", "table": "studio.movies", "primary_key": "id", "latest": True}
    return DataSource.model_validate({**plain, "fields": fields, **keys})


class Way(ABC):
    """A table `movie` at a source, and the log that it comes into."""

    name: str

    def __init__(self, root: Path) -> None:
        self.root = root
        self.definition = movie()

    @abstractmethod
    def add(self, column: str, type_: str) -> None:
        """The table gets a column, or a changed one."""

    @abstractmethod
    def drop(self, column: str) -> None:
        """The table loses a column."""

    @abstractmethod
    def put(self, **values: Any) -> None:
        """The table gets a row."""

    @abstractmethod
    def ingest(self) -> Landing:
        """What is new comes in: how it ended."""

    def resume(self, **options: Any) -> list[Landing]:
        """A person has decided: how what was held ended."""
        return list(resume(self.definition, root=self.root, target=Target(), **options))

    def rename(self, column: str, name: str, type_: str) -> None:
        """The table has a column under another name."""
        self.drop(column)
        self.add(name, type_)

    @property
    def log(self) -> Table:
        catalog = find_catalog(self.root, Target())
        assert catalog is not None
        with closing(catalog):
            log = load_table(catalog, ("studio", "movies"))
        assert log is not None
        return log

    @property
    def holding(self) -> Holding:
        return Holding(self.root, "movie")

    def types(self) -> dict[str, str]:
        """The record's columns in the log, with their types."""
        fields = self.log.schema().fields
        return {each.name: str(each.field_type) for each in fields if not each.name.startswith("_")}

    def events(self, *columns: str) -> list[tuple[Any, ...]]:
        """The events in the log, by position."""
        rows = self.log.scan().to_arrow().sort_by("_pos").to_pylist()
        return [tuple(row[column] for column in columns) for row in rows]


class Files(Way):
    """A source that sends a file for each time that it is asked, or its columns change."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.columns = dict(COLUMNS)
        self.rows: list[dict[str, Any]] = []
        self.files: list[Path] = []
        self.count = 0

    def add(self, column: str, type_: str) -> None:
        self.flush()
        self.columns[column] = type_

    def drop(self, column: str) -> None:
        self.flush()
        del self.columns[column]

    def put(self, **values: Any) -> None:
        self.rows.append(values)

    def flush(self) -> None:
        if self.rows:
            self.count += 1
            self.files.append(self.write(self.root / f"{self.count}.events"))
            self.rows = []

    def ingest(self) -> Landing:
        self.flush()
        at = NOW + timedelta(minutes=self.count)
        sent, self.files = self.files, []
        return ingest(self.definition, sent, root=self.root, target=Target(), now=at)

    @abstractmethod
    def write(self, file: Path) -> Path: ...


class Parquet(Files):
    name = "parquet"

    def write(self, file: Path) -> Path:
        schema = pa.schema([(name, ARROW[type_]) for name, type_ in self.columns.items()])
        pq.write_table(pa.Table.from_pylist(self.rows, schema=schema), file)
        return file


class Debezium(Files):
    name = "debezium"

    def write(self, file: Path) -> Path:
        fields = [{**CONNECT[type_], "field": name} for name, type_ in self.columns.items()]
        schema = {"fields": [{"field": "after", "fields": fields}]}
        events = (
            {"schema": schema, "payload": {"op": "c", "after": self.plain(row)}}
            for row in self.rows
        )
        file.write_text("".join(f"{json.dumps(event)}\n" for event in events))
        return file

    def plain(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: _in_connect(value) for name, value in row.items()}


def _in_connect(value: Any) -> Any:
    match value:
        case Decimal():
            digits = int(value.scaleb(2))
            return base64.b64encode(digits.to_bytes(8, "big", signed=True)).decode()
        case date():
            return (value - date(1970, 1, 1)).days
    return value


ARROW = {
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "date": pa.date32(),
    "numeric(8,2)": pa.decimal128(8, 2),
    "numeric(10,2)": pa.decimal128(10, 2),
    "numeric(14,2)": pa.decimal128(14, 2),
}
CONNECT: dict[str, dict[str, Any]] = {
    "integer": {"type": "int32"},
    "bigint": {"type": "int64"},
    "real": {"type": "float"},
    "float8": {"type": "double"},
    "text": {"type": "string"},
    "date": {"type": "int32", "name": "io.debezium.time.Date"},
    **{
        f"numeric({precision},2)": {
            "type": "bytes",
            "name": "org.apache.kafka.connect.data.Decimal",
            "parameters": {"scale": "2", "connect.decimal.precision": str(precision)},
        }
        for precision in (8, 10, 14)
    },
}


class Postgres(Way):
    """A table of a PostgreSQL, copied and then followed."""

    name = "postgres"

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root)
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        columns = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
        self.run(f"CREATE TABLE movie ({columns}, PRIMARY KEY (id))")
        self.columns = set(COLUMNS)

    def run(self, statement: str, values: Any = None) -> None:
        self.connection.execute(statement, values)

    def add(self, column: str, type_: str) -> None:
        change = f"ALTER {column} TYPE {type_} USING {column}::{type_}"
        self.run(
            f"ALTER TABLE movie {change if column in self.columns else f'ADD {column} {type_}'}"
        )
        self.columns.add(column)

    def drop(self, column: str) -> None:
        self.run(f"ALTER TABLE movie DROP {column}")
        self.columns.remove(column)

    def rename(self, column: str, name: str, type_: str) -> None:
        self.run(f"ALTER TABLE movie RENAME {column} TO {name}")
        assert type_
        self.columns = self.columns - {column} | {name}

    def put(self, **values: Any) -> None:
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO movie ({', '.join(values)}) VALUES ({marks})", [*values.values()])

    def ingest(self, **options: Any) -> Landing:
        origin = Origin("studio_db", SourceSystem(postgres=self.url), (self.definition,))
        lake = Lake(self.root, Target(), SystemClock())
        return list(follow(origin, lake, **options))[-1]

    def close(self) -> None:
        self.run(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
        )
        self.connection.close()
