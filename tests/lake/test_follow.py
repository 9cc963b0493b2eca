"""Tables of a real PostgreSQL, copied and followed: what is there is here, each change once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from genesis.errors import EngineBusy, EngineError
from genesis.lake.changes import PLACE_PROPERTY, Step
from genesis.lake.ingest import Landing
from genesis.lake.upkeep import keep_up
from genesis.sources import replication
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project, ProjectFile, SourceSystem, Target
from tests.lake.following import MOVIE, Source
from tests.postgres import Postgres

TASK = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": ["movie", "number"],
        "latest": True,
        "fields": {"movie": "integer", "number": "string", "notes": "string"},
    }
)
LARGE = "repeat(md5(random()::text), 400)"


@pytest.fixture
def source(database: str, tmp_path: Path) -> Iterator[Source]:
    made = Source(database, tmp_path)
    made.run("CREATE TABLE movie (id integer PRIMARY KEY, title text, budget numeric)")
    yield made
    made.close()


@pytest.fixture
def both(source: Source) -> Source:
    """Two tables, one with a key of two columns."""
    source.sources = (MOVIE, TASK)
    source.run(
        "CREATE TABLE task (movie integer, number text, notes text, PRIMARY KEY (movie, number))",
        "ALTER TABLE task ALTER notes SET STORAGE EXTERNAL",
    )
    return source


def in_both(source: Source) -> None:
    """What is there is here."""
    movies = "SELECT id, title, budget FROM movie ORDER BY id"
    tasks = "SELECT movie, number, notes FROM task ORDER BY movie, number"
    assert source.newest("id", "title", "budget") == source.connection.execute(movies).fetchall()
    found = source.newest("movie", "number", "notes", source=TASK)
    assert found == source.connection.execute(tasks).fetchall()


def test_a_table_is_copied_and_then_followed(source: Source):
    source.run("INSERT INTO movie VALUES (1, 'Alien', 1.5), (2, 'Brazil', NULL)")
    assert [(each.landed, each.rejected) for each in source.ingest()] == [(2, 0)]
    assert source.events("_op", "id", "title", "budget") == [
        ("r", 1, "Alien", Decimal("1.50")),
        ("r", 2, "Brazil", None),
    ]
    source.run(
        "INSERT INTO movie VALUES (3, 'Cube', 3)",
        "UPDATE movie SET title = 'Aliens' WHERE id = 1",
        "DELETE FROM movie WHERE id = 2",
    )
    assert [(each.landed, each.rejected) for each in source.ingest()] == [(3, 0)]
    assert source.events("_pos", "_op", "id", "title")[2:] == [
        (3, "c", 3, "Cube"),
        (4, "u", 1, "Aliens"),
        (5, "d", 2, None),
    ]
    assert source.ingest() == []
    assert source.newest("id", "title") == [(1, "Aliens"), (3, "Cube")]


def test_events_say_when_and_where_they_were_committed(source: Source):
    source.ingest()
    before = datetime.now(UTC)
    source.run("INSERT INTO movie VALUES (1)")
    source.ingest()
    ((at, source_at, place, batch),) = source.events("_ts", "_source_ts", "_source_pos", "_batch")
    assert before <= source_at == at <= datetime.now(UTC)
    assert batch.startswith("studio_db-0-")
    assert source.log().properties[PLACE_PROPERTY] > place


def test_an_empty_table_is_followed_from_its_start(source: Source):
    assert [each.landed for each in source.ingest()] == [0]
    source.run("INSERT INTO movie VALUES (1, 'Alien')")
    source.ingest()
    assert source.events("_op", "id") == [("c", 1)]


def test_a_transaction_lands_in_all_its_tables_when_it_commits(both: Source):
    both.ingest()
    with psycopg.connect(both.url) as other:
        other.execute("INSERT INTO movie VALUES (1, 'Alien')")
        other.execute("INSERT INTO task VALUES (1, 'a', 'cast')")
        both.run("INSERT INTO movie VALUES (2, 'Brazil')")
        both.ingest()
        assert both.newest("id") == [(2,)]
        other.execute("INSERT INTO task VALUES (1, 'b', 'shoot')")
        both.ingest()
        other.commit()
    both.run("INSERT INTO movie VALUES (3, 'Cube')")
    both.ingest()
    assert both.events("id") == [(2,), (1,), (3,)]  # in the order of the commits
    in_both(both)


def test_what_was_rolled_back_never_was(source: Source):
    source.ingest()
    with pytest.raises(psycopg.errors.DivisionByZero):
        source.transaction("INSERT INTO movie VALUES (1)", "SELECT 1 / 0")
    source.transaction(
        "SAVEPOINT a",
        "INSERT INTO movie VALUES (2)",
        "ROLLBACK TO a",
        "INSERT INTO movie VALUES (3)",
    )
    source.ingest()
    assert source.events("id") == [(3,)]


def test_a_key_that_changes_is_a_delete_and_a_create(both: Source):
    both.run(f"INSERT INTO task VALUES (1, 'a', {LARGE})")
    both.ingest()
    both.run("UPDATE task SET number = 'b'")
    both.ingest()
    assert both.events("_op", "number", source=TASK)[1:] == [("d", "a"), ("c", "b")]
    in_both(both)


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_large_values_that_an_update_leaves_out_stay(both: Source, identity: str):
    both.run(f"ALTER TABLE task REPLICA IDENTITY {identity}")
    both.run(f"INSERT INTO task VALUES (1, 'a', {LARGE}), (1, 'b', {LARGE})")
    both.ingest()
    both.run(
        "UPDATE task SET movie = 2",  # with a key of its own and what was never sent
        "UPDATE task SET movie = 3 WHERE number = 'a'",
        f"UPDATE task SET notes = {LARGE} WHERE number = 'b'",
        "UPDATE task SET movie = 4 WHERE number = 'b'",
        f"INSERT INTO task VALUES (1, 'c', {LARGE})",
        "UPDATE task SET movie = movie + 10",
    )
    both.ingest()
    in_both(both)


def test_a_large_value_that_was_never_here_is_rejected(both: Source):
    both.run(f"INSERT INTO task VALUES (1, 'a', {LARGE})")
    both.ingest()
    log = both.log(TASK)
    log.delete()
    both.run("UPDATE task SET number = 'b'")
    (landing,) = both.ingest()
    assert (landing.landed, landing.rejected) == (1, 1)
    assert landing.rejects is not None
    assert "`notes` was not sent, since it did not change" in landing.rejects.read_text()


def test_a_truncate_deletes_what_is_there(both: Source):
    both.run("INSERT INTO movie VALUES (1, 'Alien'), (2, 'Brazil')")
    both.ingest()
    both.transaction(
        "DELETE FROM movie WHERE id = 1",
        "INSERT INTO movie VALUES (3, 'Cube')",
        "TRUNCATE movie, task",
        "INSERT INTO movie VALUES (2, 'Brazil again')",
        "TRUNCATE movie",
        "INSERT INTO movie VALUES (4, 'Dune')",
    )
    both.ingest()
    events = both.events("_op", "id")[2:]
    assert events[:2] == [("d", 1), ("c", 3)]
    assert sorted(events[2:4]) == [("d", 2), ("d", 3)]
    assert events[4:] == [("c", 2), ("d", 2), ("c", 4)]
    in_both(both)


def test_every_type_comes_as_it_is(source: Source):
    fields = {
        "id": "integer",
        "title": "string",
        "kind": "string",
        "hours": "float",
        "pay": "decimal(10,3)",
        "is_on": "boolean",
        "day": "date",
        "clock": "time",
        "seen": "timestamptz",
        "local": "timestamp",
        "tags": "array(string)",
        "sizes": "array(integer)",
        "extra": "json",
    }
    scene = DataSource.model_validate(
        {"name": "scene", "table": "scenes", "primary_key": "id", "latest": True, "fields": fields}
    )
    source.sources = (scene,)
    source.run(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        """CREATE TABLE scene (id bigint PRIMARY KEY, title text, kind mood, hours real, pay numeric,
        is_on boolean, day date, clock time, seen timestamptz, local timestamp, tags text[],
        sizes integer[], extra jsonb, "Other" bytea)""",
    )
    values = """({}, E'a\tb\\n\u00fcé"', 'ok', 1.5, 12.500, true, '2026-02-28', '09:30:00.25',
        '2026-11-23 09:30:00.123456+01', '2026-11-23 09:30', ARRAY['a,b', NULL, '"', 'NULL', ''], '[0:1]={{1,2}}',
        '{{"a": [1, null]}}', decode('00', 'hex'))"""
    source.run(f"INSERT INTO scene VALUES {values.format(1)}", "INSERT INTO scene VALUES (2)")
    source.ingest()
    source.run(f"INSERT INTO scene VALUES {values.format(3)}", "INSERT INTO scene VALUES (4)")
    source.ingest()
    expected: tuple[Any, ...] = (
        'a\tb\nüé"',
        "ok",
        1.5,
        Decimal("12.500"),
        True,
        date(2026, 2, 28),
        time(9, 30, 0, 250_000),
        datetime(2026, 11, 23, 8, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 11, 23, 9, 30),  # noqa: DTZ001
        ["a,b", None, '"', "NULL", ""],
        [1, 2],
        '{"a": [1, null]}',
    )
    nothing = (None,) * len(expected)
    found = source.events(*fields, source=scene)
    assert found == [(1, *expected), (2, *nothing), (3, *expected), (4, *nothing)]


def test_what_no_column_can_hold_is_rejected(source: Source):
    source.run("INSERT INTO movie VALUES (1, 'Alien', 'NaN'), (2, 'Brazil', 1)")
    (copy,) = source.ingest()
    source.run(
        "INSERT INTO movie VALUES (3, 'Cube', 'Infinity'), (4, 'Dune', 1e20), (5, 'Emma', 1.234)"
    )
    (changes,) = source.ingest()
    assert (copy.landed, copy.rejected, changes.landed, changes.rejected) == (1, 1, 0, 3)
    assert copy.rejects is not None
    assert changes.rejects is not None
    (said,) = map(json.loads, copy.rejects.read_text().splitlines())
    assert said["file"] == "public.movie"
    assert said["reason"] == '`budget` should be a decimal(12,2) as text, not `"NaN"`'
    assert source.ingest() == []


def test_a_table_may_stand_elsewhere_and_have_more_columns(source: Source):
    source.run(
        "CREATE SCHEMA film",
        'CREATE TABLE film."Film List" (id integer PRIMARY KEY, extra text, title text, budget numeric)',
        """INSERT INTO film."Film List" VALUES (1, 'x', 'Alien', 1)""",
    )
    source.system = SourceSystem(postgres=source.url, tables={"movie": 'film."Film List"'})
    source.ingest()
    source.run("""UPDATE film."Film List" SET title = 'Aliens'""")
    source.ingest()
    assert source.newest("id", "title") == [(1, "Aliens")]


def test_a_partitioned_table_is_one_table(source: Source):
    source.run(
        "DROP TABLE movie",
        "CREATE TABLE movie (id integer PRIMARY KEY, title text, budget numeric) PARTITION BY RANGE (id)",
        "CREATE TABLE movie_low PARTITION OF movie FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE movie_high PARTITION OF movie FOR VALUES FROM (10) TO (20)",
        "INSERT INTO movie VALUES (1, 'Alien'), (11, 'Brazil')",
    )
    source.ingest()
    source.run("UPDATE movie SET id = id + 1", "DELETE FROM movie WHERE id = 12")
    source.ingest()
    assert source.newest("id", "title") == [(2, "Alien")]


def test_a_table_that_joins_later_is_copied_then(both: Source):
    both.sources = (MOVIE,)
    both.ingest()
    both.run("INSERT INTO task VALUES (1, 'a', 'cast')", "INSERT INTO movie VALUES (1)")
    both.sources = (MOVIE, TASK)
    both.ingest()
    both.run("INSERT INTO task VALUES (1, 'b', 'shoot')")
    both.ingest()
    assert both.events("_op", "number", source=TASK) == [("r", "a"), ("c", "b")]
    assert len(both.slots()) == 1
    in_both(both)


def test_the_server_keeps_what_a_table_did_not_take(both: Source):
    both.ingest()
    both.run("INSERT INTO movie VALUES (1)", "INSERT INTO task VALUES (1, 'a', 'cast')")
    both.sources = (MOVIE,)
    warnings: list[str] = []
    both.ingest(warned=warnings.append)
    both.run("INSERT INTO movie VALUES (2)")
    both.ingest()
    assert both.newest("id") == [(1,), (2,)]
    assert "since `public.task` of publication" in warnings[0]
    both.sources = (MOVIE, TASK)
    both.ingest()
    in_both(both)


def test_many_changes_come_a_part_at_a_time(both: Source, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("genesis.lake.follow._MESSAGES_AT_ONCE", 10)
    both.ingest()
    for number in range(12):
        both.transaction(
            f"INSERT INTO movie SELECT {number} * 5 + i, 'x' FROM generate_series(1, 5) i",
            f"INSERT INTO task VALUES ({number}, 'a', 'cast')",
        )
    landings = both.ingest()
    assert len(landings) == 24
    in_both(both)


def test_a_table_whose_column_is_gone_stops_alone(both: Source):
    both.ingest()
    both.run(
        "INSERT INTO task VALUES (1, 'a', 'cast')",
        "ALTER TABLE task RENAME notes TO remarks",
        "INSERT INTO task VALUES (1, 'b', 'shoot')",
        "INSERT INTO movie VALUES (1, 'Alien')",
        "ALTER TABLE task RENAME remarks TO notes",
    )
    landed, waits = both.ingest()
    assert (landed.landed, waits.landed) == (1, 0)
    assert waits.paused is not None
    assert [str(change) for change in waits.paused.changes] == ["column `notes` is gone"]
    assert both.newest("id") == [(1,)]
    assert both.events("number", source=TASK) == []
    both.ingest(afresh=True)
    in_both(both)


def test_compaction_and_files_in_between_change_nothing(source: Source):
    source.run("INSERT INTO movie VALUES (1, 'Alien'), (2, 'Brazil')")
    source.ingest()
    source.run("UPDATE movie SET title = 'Aliens' WHERE id = 1")
    source.ingest()
    project = Project(settings=ProjectFile(), data_sources={"movie": MOVIE})
    keep_up(project, "movie", root=source.root, target=Target())
    source.run("DELETE FROM movie WHERE id = 2")
    source.ingest()
    assert source.newest("id", "title") == [(1, "Aliens")]


STEPS: list[Step] = [
    "name",
    "publish",
    "slot",
    "snapshot",
    "copy",
    "commit",
    "peek",
    "land",
    "let-go",
]


class Death(Exception):
    """What stands for a kill."""


@pytest.mark.parametrize("step", STEPS)
def test_whoever_dies_at_any_step_goes_on_where_it_was(both: Source, step: Step):
    """Twice: while tables are copied, and while changes land."""

    def die(at: Step) -> None:
        if at == step:
            raise Death

    both.run("INSERT INTO movie VALUES (1, 'Alien')", "INSERT INTO task VALUES (1, 'a', 'cast')")
    deaths = 0
    for number in range(2, 4):
        try:
            both.ingest(told=die)
        except Death:
            deaths += 1
        both.transaction(
            f"INSERT INTO movie VALUES ({number}, 'Brazil')",
            f"UPDATE task SET notes = '{number}'",
        )
    assert deaths
    both.ingest()
    in_both(both)
    assert [event for event in both.events("_op", "id") if event[0] == "c"] in (
        [("c", 2), ("c", 3)],
        [("c", 3)],
        [],
    )
    assert len(both.slots()) == 1


def test_a_copy_made_anew_deletes_what_is_gone(source: Source):
    source.run("INSERT INTO movie VALUES (1, 'Alien'), (2, 'Brazil')")
    source.ingest()
    source.drop_slots()
    source.run("DELETE FROM movie WHERE id = 1", "UPDATE movie SET title = 'Brasil'")
    error = source.refusal()
    assert "source `studio_db` no longer has the changes since the last ingest" in str(error)
    assert "`--snapshot` copies the tables anew" in str(error)
    source.ingest(afresh=True)
    source.run("INSERT INTO movie VALUES (3, 'Cube')")
    source.ingest()
    assert source.newest("id", "title") == [(2, "Brasil"), (3, "Cube")]


def test_a_table_that_left_the_publication_is_not_believed(source: Source):
    source.ingest()
    (slot,) = source.slots()
    source.run(f"ALTER PUBLICATION {slot} DROP TABLE movie", "INSERT INTO movie VALUES (1)")
    error = source.refusal()
    assert f"the publication `{slot}` no longer has it [not-followed]" in str(error)
    source.ingest(afresh=True)
    assert source.newest("id") == [(1,)]


def test_a_table_that_left_the_publication_stops_alone(both: Source):
    """Nothing is kept for it, since none of its changes would come."""
    both.ingest()
    (slot,) = both.slots()
    both.run(f"ALTER PUBLICATION {slot} DROP TABLE movie", "INSERT INTO task VALUES (1, 'a')")
    landings: list[Landing] = []
    with pytest.raises(EngineError, match=r"of `public\.movie` may be missing"):
        both.ingest(landed=landings)
    assert [landing.data_source for landing in landings] == ["task"]
    kept = "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = %s"
    (place,) = both.connection.execute(kept, [slot]).fetchone() or ("",)
    assert place == both.log(TASK).properties[PLACE_PROPERTY]
    both.run("INSERT INTO movie VALUES (1)")
    both.sources = (MOVIE,)
    both.ingest(afresh=True)
    both.sources = (MOVIE, TASK)
    both.run("INSERT INTO movie VALUES (2)", "INSERT INTO task VALUES (2, 'a')")
    both.ingest()
    in_both(both)


@pytest.mark.parametrize("is_back", [False, True])
def test_a_publication_that_was_dropped_is_made_anew_with_a_copy(both: Source, is_back: bool):
    both.ingest()
    (slot,) = both.slots()
    both.run(f"DROP PUBLICATION {slot}", "INSERT INTO movie VALUES (1)")
    if is_back:
        both.run(f"CREATE PUBLICATION {slot} FOR TABLE movie, task")
    said = str(both.refusal())
    assert ("was not there when they were made" if is_back else "no longer has it") in said
    assert "`--snapshot`" in said
    both.ingest(afresh=True)
    both.run("INSERT INTO movie VALUES (2)", "INSERT INTO task VALUES (1, 'a')")
    both.ingest()
    in_both(both)
    assert len(both.slots()) == 1


def test_one_process_follows_at_a_time(source: Source, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replication, "_TRIES", 1)
    source.ingest()
    (slot,) = source.slots()
    source.connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [slot])
    error = source.refusal()
    assert isinstance(error, EngineBusy)
    assert "source `studio_db` is being followed by another process" in str(error)


REFUSED = {
    "DROP TABLE movie; CREATE TABLE movies ()": "has no table `public.movie` [unknown-table]\n  hint: did you mean `public.movies`?",
    "ALTER TABLE movie RENAME title TO titel": "has no column `title` [unknown-column]\n  hint: did you mean `titel`?",
    "ALTER TABLE movie RENAME TO m; CREATE VIEW movie AS SELECT * FROM m": "is no table whose changes can be followed",
    "ALTER TABLE movie SET UNLOGGED": "is no table whose changes can be followed",
    "ALTER TABLE movie DROP CONSTRAINT movie_pkey": "several rows of `public.movie` may share `id`",
    "ALTER TABLE movie DROP CONSTRAINT movie_pkey, ADD PRIMARY KEY (id, title)": "several rows of `public.movie` may share `id`",
    "ALTER TABLE movie REPLICA IDENTITY NOTHING": "deletes in `public.movie` do not tell `id` [not-followed]\n  hint: ALTER TABLE public.movie REPLICA IDENTITY FULL",
    "ALTER TABLE movie DROP title, ADD title text GENERATED ALWAYS AS (id::text) STORED": "`title` of `public.movie` is generated",
}


@pytest.mark.parametrize("change", REFUSED)
def test_a_table_that_cannot_be_followed_is_not_published(source: Source, change: str):
    source.run(*change.split("; "))
    assert REFUSED[change] in str(source.refusal())
    assert source.slots() == []
    assert source.connection.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)


def test_a_user_who_may_not_replicate(source: Source):
    source.run("CREATE ROLE reader LOGIN", "CREATE PUBLICATION films FOR TABLE movie")
    source.run("GRANT SELECT ON movie TO reader")
    address = source.url.replace("postgres@", "reader@")
    source.system = SourceSystem(postgres=address, publication="films")
    error = source.refusal()
    assert "does not let its user `reader` follow changes [access-refused]" in str(error)
    assert "ALTER ROLE reader REPLICATION" in str(error)
    source.system = SourceSystem(postgres=address)
    error = source.refusal()
    assert "does not let its user publish" in str(error)
    assert "let the tables' owner run: CREATE PUBLICATION" in str(error)
    source.run("ALTER ROLE reader REPLICATION")
    source.system = SourceSystem(postgres=address, publication="films")
    source.ingest()
    source.run("INSERT INTO movie VALUES (1)")
    source.ingest()
    assert source.newest("id") == [(1,)]
    source.drop_slots()
    source.run("DROP OWNED BY reader", "DROP ROLE reader")


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("FOR ALL TABLES", "publishes all tables"),
        ("FOR TABLE movie WITH (publish = 'insert')", "does not publish every kind of change"),
        ("FOR TABLE movie WHERE (id > 1)", "leaves out rows or columns of `public.movie`"),
    ],
)
def test_a_publication_that_tells_not_all(source: Source, definition: str, why: str):
    source.run(f"CREATE PUBLICATION films {definition}")
    source.system = SourceSystem(postgres=source.url, publication="films")
    assert why in str(source.refusal())


def test_a_server_that_keeps_no_changes(postgres: Postgres, source: Source):
    """[not-followed], as whoever runs the server can mend it."""
    source.run("ALTER SYSTEM SET wal_level = replica")
    postgres.stop()
    postgres.start()
    try:
        error = source.refusal()
    finally:
        source.reconnect()
        source.run("ALTER SYSTEM RESET wal_level")
        postgres.stop()
        postgres.start()
        source.reconnect()
    assert "its `wal_level` is `replica` [not-followed]" in str(error)


def test_a_server_that_dies_between_two_ingests(postgres: Postgres, source: Source):
    source.ingest()
    source.run("INSERT INTO movie VALUES (1)")
    postgres.kill()
    assert isinstance(source.refusal(), EngineBusy)
    postgres.start()
    source.reconnect()
    source.ingest()
    assert source.newest("id") == [(1,)]


class Moved:
    """A clock by whose pauses things happen: one thing each, in their order."""

    def __init__(self, *happens: Callable[[], None]) -> None:
        self.at = datetime(2026, 11, 23, tzinfo=UTC)
        self.happens = list(happens)
        self.pauses: list[timedelta] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, length: timedelta) -> None:
        self.at += length
        self.pauses.append(length)
        if self.happens:
            self.happens.pop(0)()


def test_a_server_that_goes_away_is_followed_again(postgres: Postgres, source: Source):
    """It is told once; and what was committed meanwhile comes, once."""

    def back() -> None:
        postgres.start()
        source.reconnect()
        source.run("INSERT INTO movie VALUES (2)")

    def end() -> None:
        raise Death

    source.run("INSERT INTO movie VALUES (1)")
    source.clock = Moved(postgres.kill, lambda: None, back, lambda: None, end)
    warned: list[str] = []
    with pytest.raises(Death):
        source.ingest(keep_going=True, warned=warned.append)
    assert source.events("id") == [(1,), (2,)]
    assert [text.rpartition("; ")[2] for text in warned] == ["it is tried again for 15 minutes"]


def test_a_server_that_stays_away_is_given_up(postgres: Postgres, source: Source):
    source.clock = Moved(postgres.kill)
    try:
        assert isinstance(source.refusal(keep_going=True), EngineBusy)
    finally:
        postgres.start()
        source.reconnect()
    assert source.clock.pauses[1:5] == [timedelta(seconds=n) for n in (10, 20, 40, 60)]
    assert source.clock.now() - datetime(2026, 11, 23, tzinfo=UTC) < timedelta(minutes=17)


def test_a_query_has_no_log(source: Source):
    source.sources = (
        DataSource.model_validate(
            {"name": "q", "sql": "select 1 as id", "primary_key": "id", "fields": {"id": "integer"}}
        ),
    )
    with pytest.raises(EngineError, match="data source `q` is a query"):
        source.ingest()
