"""Tables of a PostgreSQL whose columns change: one waits for a person, the others go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import EngineError
from genesis.lake.changes import Step
from genesis.lake.growth import DECLARED_PROPERTY
from genesis.lake.holding import Holding
from genesis.lake.ingest import Landing
from genesis.lake.resume import resume
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target
from tests.lake.following import MOVIE, Source

TASK = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": "id",
        "latest": True,
        "fields": {"id": "integer", "notes": "string"},
    }
)
WITHOUT_TITLE = MOVIE.model_copy(
    update={"fields": {n: f for n, f in MOVIE.fields.items() if n != "title"}}
)
LARGE = "repeat(md5(random()::text), 400)"


@pytest.fixture
def source(database: str, tmp_path: Path) -> Iterator[Source]:
    """Two tables that are followed, with a row each."""
    with closing(Source(database, tmp_path, MOVIE, TASK)) as made:
        made.run(
            "CREATE TABLE movie (id integer PRIMARY KEY, title text, budget numeric)",
            "CREATE TABLE task (id integer PRIMARY KEY, notes text)",
            "ALTER TABLE movie ALTER title SET STORAGE EXTERNAL",
            f"INSERT INTO movie VALUES (1, {LARGE}, 1), (2, 'Brazil', 2)",
            "INSERT INTO task VALUES (1, 'cast')",
        )
        made.ingest()
        yield made


def paused(source: Source) -> Landing:
    landing = source.ingest()[-1]
    assert landing.paused is not None
    return landing


def resumed(source: Source, **options: Any) -> list[Landing]:
    return list(resume(source.sources[0], root=source.root, target=Target(), **options))


def drop_title(source: Source) -> None:
    source.run("ALTER TABLE movie DROP title", "UPDATE movie SET budget = 3 WHERE id = 1")


def confirmed(source: Source) -> Any:
    query = "SELECT confirmed_flush_lsn FROM pg_replication_slots"
    return source.connection.execute(query).fetchall()[0][0]


def test_other_tables_go_on_and_the_server_lets_go_of_what_is_held(source: Source):
    drop_title(source)
    source.run("INSERT INTO task VALUES (2, 'shoot')")
    before = confirmed(source)
    landed, waits = source.ingest()
    assert (landed.data_source, landed.landed, waits.data_source) == ("task", 1, "movie")
    assert confirmed(source) > before
    source.run("INSERT INTO task VALUES (3, 'edit')")
    landed, waits = source.ingest()
    assert landed.landed == 1
    assert Holding(source.root, "movie").count == 1


def test_updates_deletes_and_truncates_are_held_as_they_are(source: Source):
    drop_title(source)
    source.run("UPDATE movie SET id = 5 WHERE id = 1")
    paused(source)
    source.run("DELETE FROM movie WHERE id = 2", "INSERT INTO movie VALUES (7, 7)")
    paused(source)
    source.run("TRUNCATE movie", "INSERT INTO movie VALUES (8, 8)")
    paused(source)
    source.sources = (WITHOUT_TITLE, TASK)
    resumed(source)
    assert source.newest("id", "budget") == [(8, 8)]
    events = source.events("_op", "id")[2:]
    assert events[:5] == [("u", 1), ("d", 1), ("c", 5), ("d", 2), ("c", 7)]
    assert sorted(events[5:]) == [("c", 8), ("d", 5), ("d", 7)]


def test_a_large_value_stays_while_another_column_is_held(source: Source):
    """What an update left out is looked up in the log when the change lands."""
    source.run(
        "ALTER TABLE movie ALTER budget TYPE float8",
        "UPDATE movie SET budget = 4 WHERE id = 1",
    )
    assert [str(change) for change in paused(source).paused.changes] == [  # type: ignore[union-attr]
        "column `budget` was decimal and is float"
    ]
    (title,) = source.connection.execute("SELECT title FROM movie WHERE id = 1").fetchall()
    resumed(source, accept=True)
    assert source.newest("id", "title")[0] == (1, *title)


def test_another_primary_key_waits(source: Source):
    source.run(
        "UPDATE movie SET title = 'Alien' WHERE id = 1",
        "ALTER TABLE movie DROP CONSTRAINT movie_pkey, ADD PRIMARY KEY (id, title)",
        "INSERT INTO movie VALUES (1, 'Aliens')",
    )
    waits = paused(source).paused
    assert waits is not None
    assert [str(change) for change in waits.changes] == [
        "the primary key was `id` and is `id, title`"
    ]
    assert source.newest("id") == [(1,), (2,)]


def test_a_copy_of_the_table_ends_the_pause(source: Source):
    drop_title(source)
    paused(source)
    source.run("INSERT INTO movie VALUES (3, 3)")
    source.sources = (WITHOUT_TITLE, TASK)
    source.ingest(afresh=True)
    assert not Holding(source.root, "movie").folder.exists()
    source.run("INSERT INTO movie VALUES (4, 4)")
    (landed,) = source.ingest()
    assert landed.landed == 1
    assert source.newest("id", "budget") == [(1, 3), (2, 2), (3, 3), (4, 4)]


def test_a_table_that_is_gone_stops_alone(source: Source):
    source.run("DROP TABLE movie", "INSERT INTO task VALUES (2, 'shoot')")
    assert "has no table `public.movie`" in str(source.refusal())
    assert source.newest("id", source=TASK) == [(1,), (2,)]


def test_what_is_held_elsewhere_is_not_passed_over(source: Source):
    """The table stops alone, and its server keeps what comes."""
    drop_title(source)
    paused(source)
    shutil.rmtree(source.root / ".genesis" / "held")
    source.run("INSERT INTO movie VALUES (3, 3)", "INSERT INTO task VALUES (2, 'shoot')")
    assert "what is held of it is not on this machine" in str(source.refusal())
    assert source.newest("id", source=TASK) == [(1,), (2,)]
    with pytest.raises(EngineError, match="ingest --from SOURCE movie --snapshot` copies it anew"):
        resumed(source, accept=True)
    source.sources = (WITHOUT_TITLE, TASK)
    source.ingest(afresh=True)
    assert source.newest("id", "budget") == [(1, 3), (2, 2), (3, 3)]


def test_a_table_from_before_columns_were_written_down(source: Source):
    with source.log().transaction() as transaction:
        transaction.remove_properties(f"{DECLARED_PROPERTY}.postgres")
    source.run(
        "ALTER TABLE movie ADD year integer", "INSERT INTO movie VALUES (3, 'Cube', 3, 1997)"
    )
    assert [landing.added for landing in source.ingest()] == [()]
    with source.log().transaction() as transaction:
        transaction.remove_properties(f"{DECLARED_PROPERTY}.postgres")
    drop_title(source)
    waits = paused(source).paused
    assert waits is not None
    assert [str(change) for change in waits.changes] == ["column `title` is gone"]


def test_a_key_that_is_gone_cannot_be_accepted(source: Source):
    source.run("ALTER TABLE movie RENAME id TO number", "INSERT INTO movie VALUES (3, 'Cube', 3)")
    paused(source)
    (landing,) = resumed(source, accept=True)
    assert landing.paused is not None
    assert landing.paused.way_out.startswith("a key is never NULL: ")
    fields = {"id": {"type": "integer", "column": "number"}, "title": "string"}
    other = {"name": "movie", "primary_key": "id", "latest": True, "fields": fields}
    source.sources = (DataSource.model_validate({**other, "table": "studio.films"}), TASK)
    assert [landing.landed for landing in resumed(source)] == [0]
    source.ingest()
    assert source.events("number", source=source.sources[0]) == [(1,), (2,), (3,)]


class Death(Exception):
    """What stands for a kill."""


def dies_at(moment: Step) -> Callable[[Step], None]:
    def die(step: Step) -> None:
        if step == moment:
            raise Death

    return die


@pytest.mark.parametrize("moment", ["hold", "let-go"])
def test_whoever_dies_while_holding_holds_each_change_once(source: Source, moment: Step):
    drop_title(source)
    with pytest.raises(Death):
        source.ingest(told=dies_at(moment))
    source.run("INSERT INTO movie VALUES (3, 3)")
    paused(source)
    resumed(source, accept=True)
    assert source.events("_op", "id")[2:] == [("u", 1), ("c", 3)]


def test_changes_that_landed_and_are_still_held_land_once(source: Source):
    """As when somebody is killed in between."""
    drop_title(source)
    paused(source)
    held = source.root / ".genesis" / "held"
    shutil.copytree(held, source.root / "held")
    resumed(source, accept=True)
    shutil.copytree(source.root / "held", held, dirs_exist_ok=True)
    assert [landing.landed for landing in resumed(source, accept=True)] == [0]
    assert source.events("_op", "id")[2:] == [("u", 1)]


def test_another_table_is_copied_though_nobody_resumed(source: Source):
    drop_title(source)
    paused(source)
    source.sources = (WITHOUT_TITLE.model_copy(update={"table": "studio.films"}), TASK)
    source.ingest()
    assert source.newest("id", "budget", source=source.sources[0]) == [(1, 3), (2, 2)]
    assert Holding(source.root, "movie").pause is None
