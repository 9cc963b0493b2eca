"""People who write to a PostgreSQL and alter its tables, a genesis that follows it, and kills of both.

What is true at the end, whatever died: the newest records are the rows of the source, each change that
was committed after the copy is an event, and none is two. Every change has a stamp of its own, which a
trigger writes into a ledger in the same transaction.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from pyiceberg.table import Table

from genesis.lake.catalog import find_catalog, load_table, table_identifier
from genesis.lake.changes import PLACE_PROPERTY
from genesis.lake.upkeep import keep_up
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project, ProjectFile, Target
from tests.postgres import Postgres

MOVIE = DataSource.model_validate(
    {
        "name": "movie",
        "table": "studio.movies",
        "primary_key": "id",
        "latest": True,
        "fields": {"id": "integer", "title": "string", "stamp": "integer"},
    }
)
TASK = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": ["movie", "number"],
        "latest": True,
        "fields": {
            "movie": "integer",
            "number": "string",
            "notes": "string",
            "hours": "decimal(8,2)",
            "stamp": "integer",
        },
    }
)
_SCRIPT = Path(__file__).with_name("following_killed.py")
_SETUP = """
CREATE SEQUENCE stamps;
CREATE TABLE ledger (entity text, stamp bigint, place pg_lsn);
CREATE TABLE movie (id integer PRIMARY KEY, title text, stamp bigint);
CREATE TABLE task (movie integer, number text, notes text, hours numeric, stamp bigint, PRIMARY KEY (movie, number));
ALTER TABLE task ALTER notes SET STORAGE EXTERNAL;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.stamp := nextval('stamps'); RETURN NEW; END $$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ledger VALUES (TG_TABLE_NAME, NEW.stamp, pg_current_wal_insert_lsn()); RETURN NULL; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON movie FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER note AFTER INSERT OR UPDATE ON movie FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note AFTER INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION note();
"""
_CHANGES = (
    "INSERT INTO movie VALUES ({a}, 'title {b}') ON CONFLICT (id) DO UPDATE SET title = excluded.title",
    "UPDATE movie SET title = 'again {b}' WHERE id BETWEEN {a} AND {a} + 3",
    "DELETE FROM movie WHERE id = {a}",
    "UPDATE movie SET id = id + 1000 WHERE id = {a} AND NOT EXISTS (SELECT FROM movie WHERE id = {a} + 1000)",
    "DELETE FROM movie WHERE id > 1000",
    "INSERT INTO task VALUES ({a}, 'n{c}', repeat('{b}', 3000), {b}) ON CONFLICT (movie, number) DO UPDATE SET notes = excluded.notes",
    "UPDATE task SET hours = {b} WHERE movie = {a}",
    "UPDATE task SET number = number || 'x' WHERE movie = {a} AND length(number) < 5",
    "DELETE FROM task WHERE movie = {a}",
    "INSERT INTO movie SELECT 2000 + i, 'many' FROM generate_series(1, 300) i ON CONFLICT DO NOTHING",
)
_RARE = "TRUNCATE {table}"
_ALTERATIONS = (  # of columns that no definition reads, so that nothing has to wait for a person
    "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS extra_{c} integer",
    "UPDATE {table} SET extra_{c} = {a}",
    "ALTER TABLE {table} ALTER extra_{c} TYPE bigint",
    "ALTER TABLE {table} DROP COLUMN IF EXISTS extra_{c}",
)
_REFUSED = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UniqueViolation,
)


class Storm:
    """A server with two tables, writers, and a process that follows them."""

    def __init__(self, server: Postgres, root: Path, seed: int) -> None:
        self._server = server
        self._root = root
        self._random = random.Random(seed)
        self._url = server.new_database()
        self._calm = threading.Event()
        self._over = threading.Event()
        self._idle = [threading.Event() for _ in range(3)]
        self._first_stamp = 0
        self.committed = 0
        self.altered = 0
        self.kills: Counter[str] = Counter()
        self.events = 0

    def __enter__(self) -> Self:
        with psycopg.connect(self._url) as connection:
            connection.execute(_SETUP)
            connection.execute("INSERT INTO movie SELECT i, 'first' FROM generate_series(1, 50) i")
        self._follower = subprocess.Popen(
            [sys.executable, _SCRIPT, self._url, self._root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._calm.set()
        seeds = [self._random.random() for _ in self._idle]
        self._writers = [
            threading.Thread(target=self._write, args=(idle, seed))
            for idle, seed in zip(self._idle, seeds, strict=True)
        ]
        for writer in self._writers:
            writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for writer in self._writers:
            writer.join()
        self._follower.communicate()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
            )

    def blow(self, kills: int) -> None:
        """Let writers write while things are killed; then see that nothing is lost or doubled."""
        self._calm.clear()
        for _ in range(kills):
            self._kill()
        self._calm.set()
        for idle in self._idle:
            idle.clear()  # a writer that was slow to begin has said it before
            idle.wait()
        self._finish()
        self._verify()

    def compact(self) -> None:
        """Rewrite both logs to their newest records; what has landed so far is not counted any more."""
        project = Project(settings=ProjectFile(), data_sources={"movie": MOVIE, "task": TASK})
        for name in project.data_sources:
            keep_up(project, name, root=self._root, target=Target())
        with psycopg.connect(self._url) as connection:
            self._first_stamp = _one(connection, "SELECT last_value FROM stamps")

    def _kill(self) -> None:
        if self._random.random() < 0.3:
            self._tell(f"kill {self._random.uniform(0.3, 2)}")
            time.sleep(self._random.uniform(0, 0.5))
            self._server.kill()
            self._server.start()
            self._told()
            self.kills["PostgreSQL"] += 1
        else:
            self.kills[self._ask(f"kill {self._random.uniform(0.02, 1.5)}")] += 1

    def _finish(self) -> None:
        for _ in range(20):
            ended = self._ask("finish")
            if ended == "ended 0":
                return
            assert ended == "ended 75", ended
        raise AssertionError("it never ends")

    def _ask(self, what: str) -> str:
        self._tell(what)
        return self._told()

    def _tell(self, what: str) -> None:
        assert self._follower.stdin is not None
        print(what, file=self._follower.stdin, flush=True)

    def _told(self) -> str:
        assert self._follower.stdout is not None
        return self._follower.stdout.readline().strip()

    def _write(self, idle: threading.Event, seed: float) -> None:
        """What a person does: transactions of some changes, again when the server is back."""
        dice = random.Random(seed)
        while not self._over.is_set():
            if self._calm.is_set():
                idle.set()
                time.sleep(0.01)
                continue
            idle.clear()
            with suppress(psycopg.Error), psycopg.connect(self._url, autocommit=True) as connection:
                while not self._calm.is_set():
                    self._transaction(connection, dice)
                    time.sleep(dice.uniform(0, 0.02))

    def _transaction(self, connection: psycopg.Connection[Any], dice: random.Random) -> None:
        with suppress(*_REFUSED):
            with connection.transaction(force_rollback=dice.random() < 0.1):
                table = dice.choice(["movie", "task"])
                if dice.random() < 0.005:
                    connection.execute(_RARE.format(table=table))
                if dice.random() < 0.05:
                    a, c = dice.randint(1, 50), dice.randint(1, 3)
                    connection.execute(dice.choice(_ALTERATIONS).format(table=table, a=a, c=c))
                    self.altered += 1
                for _ in range(dice.randint(1, 4)):
                    numbers = {name: dice.randint(1, 50) for name in "ab"}
                    change = dice.choice(_CHANGES)
                    connection.execute(change.format(**numbers, c=dice.randint(1, 4)))
            self.committed += 1

    def _verify(self) -> None:
        with psycopg.connect(self._url) as connection:
            for source in (MOVIE, TASK):
                log = self._log(source)
                columns = list(source.fields)
                events = log.scan().to_arrow().to_pylist()
                query = f"SELECT {', '.join(columns)} FROM {source.name}"
                rows = connection.execute(query).fetchall()
                newest = _newest(events, source.primary_key, columns)
                assert sorted(newest, key=repr) == sorted(rows, key=repr), source.name
                self._verify_each(connection, source, log, events)
                self.events += len(events)

    def _verify_each(
        self, connection: psycopg.Connection[Any], source: DataSource, log: Table, events: list[Any]
    ) -> None:
        """Each change is one event, but for what the copy has, and what was replaced before it."""
        positions = [event["_pos"] for event in events]
        changed = [event["stamp"] for event in events if event["_op"] in ("c", "u")]
        assert len(positions) == len(set(positions))
        assert len(changed) == len(set(changed))
        query = """SELECT stamp FROM ledger WHERE entity = %s AND stamp > %s AND place > %s
            EXCEPT SELECT unnest(%s::bigint[])"""
        first = log.snapshots()[0].summary
        copied = first[PLACE_PROPERTY] if first and not self._first_stamp else "0/0"
        asked = [source.name, self._first_stamp, copied, changed]
        assert connection.execute(query, asked).fetchall() == []

    def _log(self, source: DataSource) -> Table:
        catalog = find_catalog(self._root, Target())
        assert catalog is not None
        with closing(catalog):
            log = load_table(catalog, table_identifier(source.table or ""))
        assert log is not None
        return log


def _newest(
    events: list[dict[str, Any]], key: tuple[str, ...], columns: list[str]
) -> list[tuple[Any, ...]]:
    best: dict[Any, dict[str, Any]] = {}
    for event in events:
        name = tuple(event[column] for column in key)
        rank = (event["_ts"], event["_pos"])
        if name not in best or rank > (best[name]["_ts"], best[name]["_pos"]):
            best[name] = event
    there = [event for event in best.values() if event["_op"] != "d"]
    return [tuple(event[column] for column in columns) for event in there]


def _one(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
