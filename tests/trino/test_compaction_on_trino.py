"""Compaction by Trino's own SQL: what DuckDB's would keep, whatever lands or dies on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.types import StringType

from genesis.compile.identifiers import table
from genesis.compile.latest import newest_by_rank
from genesis.compile.statement import Scan, Statement
from genesis.engines.trino import TrinoEngine
from genesis.errors import EngineError
from genesis.lake.batches import snapshot_property
from genesis.lake.catalog import existing_table, make_catalog, tables
from genesis.lake.compact import OLDEST_DELETE_PROPERTY, Compaction, Step, compact
from genesis.lake.expire import expire
from genesis.lake.landing import last_position
from genesis.lake.read import pin
from genesis.lake.rules import Rules, rules_of
from genesis.lake.staging import forget_abandoned, make_staging
from genesis.lake.sweep import sweep
from genesis.spec.data_source import Latest
from genesis.spec.project import Target
from tests.lake.logs import NOW, SCENES, Event, append, event, events_in, make_log, newest, view
from tests.postgres import Postgres
from tests.trino.compacting import MOMENTS, log_of
from tests.trino.lakes import shared_lake

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Lake:
    """A lake that Trino compacts."""

    root: Path
    catalog: Catalog
    target: Target
    server: str

    def log(self, name: str, *batches: list[Event], latest: Latest | None = None) -> Rules:
        """A log with these events; by what rules it is compacted."""
        changed = {"table": f"studio.{name}"} | ({"latest": latest} if latest else {})
        source = SCENES.model_copy(update=changed)
        make_log(self.catalog, self.root, source)
        rules = rules_of(source)
        for batch in batches:
            append(self.catalog, batch, rules.identifier)
        return rules

    def compact(self, rules: Rules, told: Callable[[Step], Any] = lambda _: None) -> Compaction:
        with TrinoEngine(self.root, self.target) as engine:
            return compact(self.catalog, rules, now=NOW, rewriting=engine.rewriting, told=told)

    def files(self, rules: Rules) -> set[str]:
        """All files below the warehouse that have to do with a log."""
        folders = self.root.rglob(f"{rules.identifier[-1]}*")
        return {str(file) for folder in folders for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def lake(
    trino_server: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("a lake")
    with (
        shared_lake(trino_server, postgres.new_database(), folder) as (_, target),
        closing(make_catalog(folder, target)) as catalog,
    ):
        yield Lake(folder, catalog, target, trino_server)


def once(step: Step, act: Callable[[], object]) -> Callable[[Step], object]:
    """Do something just before a step, the first time."""
    left = [act]
    return lambda told: left.pop()() if told == step and left else None


def random_events(seed: int) -> list[Event]:
    """Late ones, equal moments, deletes new and old, records that come again, heartbeats."""
    chance = Random(seed)
    long_gone = event(400, op="d", at=NOW - 12 * DAY, show="gone")
    return [
        long_gone,
        *(
            event(
                position,
                op=chance.choice("cuuuddrh"),
                at=NOW - chance.randrange(12) * DAY - timedelta(microseconds=chance.randrange(2)),
                show=chance.choice(["", "a", "é"]),
                episode=chance.randrange(9),
                title=chance.choice([None, "x", "'"]),
                hours=chance.choice([None, Decimal("1.5")]),
                tags=chance.choice([None, [], ["t", None]]),
            )
            for position in chance.sample(range(1, 400), 150)
        ),
    ]


def test_it_keeps_what_duckdb_keeps(lake: Lake):
    """The same events, said to be the same; reports before and after are equal."""
    events = random_events(1)
    by_trino = lake.log("by_trino", events[:70], events[70:])
    by_duckdb = lake.log("by_duckdb", events[:70], events[70:])
    before = view(lake.catalog, by_trino)
    first = lake.compact(by_trino)
    second = compact(lake.catalog, by_duckdb, now=NOW)
    assert view(lake.catalog, by_trino) == before == newest(events)
    assert (first.kept, first.forgotten) == (second.kept, second.forgotten)
    assert first.forgotten > 0
    held = [
        sorted(events_in(lake.catalog, rules.identifier), key=lambda each: each["_pos"])
        for rules in (by_trino, by_duckdb)
    ]
    assert held[0] == held[1]
    assert {each["_op"] for each in held[0]} >= {"d", "h"}
    logs = [existing_table(lake.catalog, rules.identifier) for rules in (by_trino, by_duckdb)]
    said = [snapshot_property(log.snapshots()[-1], OLDEST_DELETE_PROPERTY) for log in logs]
    assert said[0] == said[1] is not None
    assert last_position(logs[0]) == last_position(logs[1])


def test_its_files_are_the_logs_own(lake: Lake):
    """Sorted by key, a base to what is read later; beside them it leaves nothing."""
    rules = lake.log("tidy", random_events(2))
    before = lake.files(rules)
    done = lake.compact(rules)
    pinned = pin(lake.catalog, rules.identifier)
    assert pinned is not None
    assert pinned.mark is not None
    assert pinned.groups is not None
    assert all(group.is_base for group in pinned.groups)
    held = events_in(lake.catalog, rules.identifier)
    keys = [(each["show"], each["episode"]) for each in held]
    assert keys == sorted(keys)
    assert not [name for name in tables(lake.catalog) if "compacting" in name]
    made = lake.files(rules) - before
    assert [file for file in made if ".compacting" in file] == []
    assert len([file for file in made if "/data/" in file]) == 1
    assert lake.compact(rules).snapshot_id is None
    append(lake.catalog, [event(500, show="a", episode=1, title="later")], rules.identifier)
    assert view(lake.catalog, rules) == newest([*held, *events_in(lake.catalog, rules.identifier)])
    assert lake.compact(rules).kept == done.kept


@pytest.mark.parametrize("step", ["write", "commit"])
def test_what_lands_meanwhile_stays(lake: Lake, step: Step):
    rules = lake.log(f"meanwhile_{step}", [event(1, title="old"), event(2, title="new")])
    late = [event(3, title="landed"), event(4, episode=2, title="another")]
    done = lake.compact(rules, once(step, lambda: append(lake.catalog, late, rules.identifier)))
    assert done.kept == 1
    held = events_in(lake.catalog, rules.identifier)
    assert sorted(each["_pos"] for each in held) == [2, 3, 4]
    assert [row[2] for row in view(lake.catalog, rules)] == ["landed", "another"]


def test_a_second_compaction_meanwhile(lake: Lake):
    """The one that comes second begins again, and finds nothing to do."""
    rules = lake.log("twice", [event(1, title="old"), event(2, title="new")])
    lake.compact(rules, once("commit", lambda: compact(lake.catalog, rules, now=NOW)))
    assert [each["_pos"] for each in events_in(lake.catalog, rules.identifier)] == [2]


def test_columns_that_changed_before_and_meanwhile(lake: Lake):
    """Values are known by the numbers of their columns, not by names or places."""
    rules = lake.log("changed", [event(1, title="one"), event(2, episode=2, title="two")])

    def rename(before: str, after: str) -> None:
        with existing_table(lake.catalog, rules.identifier).update_schema() as update:
            update.rename_column(before, after)
            update.delete_column("hours" if before == "title" else "tags")
            update.add_column(f"{after}_too", StringType())

    rename("title", "name")
    append(lake.catalog, [event(3, name="three", name_too="!")], rules.identifier)
    lake.compact(rules, once("verify", lambda: rename("name", "called")))
    rows = view(lake.catalog, rules, ("episode", "called", "name_too", "called_too"))
    assert rows == [(1, "three", "!", None), (2, "two", None, None)]


def test_a_log_whose_events_have_no_positions_to_go_by(lake: Lake):
    latest = Latest(order_by=("_source_ts",), deleted="title = 'gone'")
    events = [
        event(n, episode=n % 3, _source_ts=NOW - n * DAY, title="gone" if n in (2, 7) else f"{n}")
        for n in range(2, 11)
    ]
    rules = lake.log("by_time", events, latest=latest)
    before = view(lake.catalog, rules)
    done = lake.compact(rules)
    assert (done.kept, done.forgotten) == (3, 0)
    assert view(lake.catalog, rules) == before


def test_a_log_in_which_everything_was_deleted_long_ago(lake: Lake):
    rules = lake.log("gone", [event(n, op="d", episode=n, at=NOW - 20 * DAY) for n in range(3)])
    done = lake.compact(rules)
    assert (done.kept, done.forgotten) == (0, 3)
    assert events_in(lake.catalog, rules.identifier) == []


def test_a_log_that_trino_cannot_read_stays_as_it_was(lake: Lake):
    """Its file goes while it is compacted: Trino says so."""
    rules = lake.log("broken", [event(1), event(2)])
    (task,) = existing_table(lake.catalog, rules.identifier).scan().plan_files()
    file = Path(task.file.file_path.removeprefix("file://"))
    before = lake.files(rules) - {str(file)}
    with pytest.raises(EngineError, match="was not compacted: ") as refused:
        lake.compact(rules, once("rank", file.unlink))
    assert "; query " in str(refused.value)
    assert lake.files(rules) == before


def test_a_compaction_that_is_left_leaves_nothing(lake: Lake):
    """Neither its table nor a file."""
    rules = lake.log("left", [event(1), event(2)])
    before = lake.files(rules)
    with TrinoEngine(lake.root, lake.target) as engine:

        def leave(text: str) -> None:
            if text:
                raise KeyboardInterrupt

        def told(step: Step) -> None:
            if step == "write":
                engine.watch = leave

        with pytest.raises(KeyboardInterrupt):
            compact(lake.catalog, rules, now=NOW, rewriting=engine.rewriting, told=told)
    assert lake.files(rules) == before
    assert not [name for name in tables(lake.catalog) if "compacting" in name]


@pytest.fixture(scope="module")
def killed(lake: Lake) -> Lake:
    """A log for each moment, whose compaction was killed at that moment."""
    for moment in MOMENTS:
        lake.log(log_of(moment).removeprefix("studio."), [event(1, title="old"), event(2)])
    trino, sql = lake.target.engine.trino, lake.target.catalog.sql
    assert trino is not None
    assert sql is not None
    script = [sys.executable, "-m", "tests.trino.compacting"]
    subprocess.run(
        [*script, lake.server, trino.catalog, sql.uri, str(lake.root), *MOMENTS], check=True
    )
    return lake


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_compaction_that_was_killed_is_made_up_for_by_the_next(killed: Lake, moment: str):
    """And what it left in the catalog and in folders goes in time."""
    rules = rules_of(SCENES.model_copy(update={"table": log_of(moment)}))
    assert sorted(each["_pos"] for each in events_in(killed.catalog, rules.identifier)) == [1, 2]
    assert killed.compact(rules).kept == 1
    for days in (0, 2, 4):
        now = NOW + timedelta(days=365 * 50 + days)
        log = existing_table(killed.catalog, rules.identifier)
        forget_abandoned(killed.catalog, log, now=now, older_than=DAY)
        expire(log, now=now, older_than=DAY)
        sweep(killed.catalog, log, root=killed.root, now=now, older_than=DAY)
    assert [each["_pos"] for each in events_in(killed.catalog, rules.identifier)] == [2]
    left = killed.files(rules)
    assert len([file for file in left if "/data/" in file]) == 1
    assert not [file for file in left if ".compacting" in file]
    assert not [name for name in tables(killed.catalog) if f"{log.name()[-1]}_compacting" in name]


def test_a_compaction_on_its_way_is_not_taken_for_an_abandoned_one(lake: Lake):
    rules = lake.log("on_its_way", [event(1)])
    log = existing_table(lake.catalog, rules.identifier)
    staging = make_staging(lake.catalog, log, "0-0", key=rules.key)
    forget_abandoned(lake.catalog, log, now=NOW, older_than=DAY)
    assert existing_table(lake.catalog, staging.name())


def test_a_moment_before_a_compaction(lake: Lake):
    """As DuckDB reads it: from the snapshots that still know, with what has landed since and beside."""
    events = [event(1, at=NOW - 4 * DAY, title="old"), event(2, at=NOW - DAY, title="new")]
    rules = lake.log("moments", events)
    beside = [event(3, episode=2, at=NOW - 3 * DAY, title="beside")]
    lake.compact(rules, once("commit", lambda: append(lake.catalog, beside, rules.identifier)))
    with existing_table(lake.catalog, rules.identifier).update_schema() as update:
        update.rename_column("hours", "length")
    append(lake.catalog, [event(4, episode=3, at=NOW - 3 * DAY, title="late")], rules.identifier)
    moment = NOW - 2 * DAY
    select = newest_by_rank(
        table(rules.table), ("title", "length"), rules.key, rules.latest, moment
    )
    scan = Scan(rules.table, ("title", "length"), frozenset([str(rules)]), as_of=moment)
    statement = Statement(select.sql("trino"), (), (scan,))
    with TrinoEngine(lake.root, lake.target) as engine:
        found = engine.query(statement).column("title").to_pylist()
        assert sorted(found) == ["beside", "late", "old"]
    log = existing_table(lake.catalog, rules.identifier)
    expire(log, now=NOW + 365 * 50 * DAY, older_than=DAY)
    with (
        TrinoEngine(lake.root, lake.target) as engine,
        pytest.raises(EngineError, match="is no longer known"),
    ):
        engine.query(statement)
