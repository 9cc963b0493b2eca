"""A moment before a compaction: what was newest then, from the snapshots that still know it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog

from genesis.cli import run_command
from genesis.compile.identifiers import table
from genesis.compile.latest import newest_by_rank
from genesis.errors import EngineError
from genesis.lake.catalog import existing_table, make_catalog
from genesis.lake.compact import compact
from genesis.lake.expire import expire
from genesis.lake.history import parts_as_of
from genesis.lake.read import pin
from genesis.spec.project import Target
from tests.lake.logs import (
    COLUMNS,
    NAME,
    NOW,
    RULES,
    Event,
    Row,
    append,
    event,
    in_order,
    make_log,
    newest,
)
from tests.lake.test_compact import at_step
from tests.lake.test_read import delete_position

DAY = timedelta(days=1)
LATER = NOW + 365 * 100 * DAY


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(make_catalog(tmp_path, Target())) as made:
        make_log(made, tmp_path)
        yield made


def rows_of(catalog: Catalog, moment: datetime) -> list[Row]:
    """The newest records of a moment, as DuckDB reads them."""
    pinned = pin(catalog, NAME)
    assert pinned is not None
    seen = pinned.as_of(moment)
    relation = seen.relation()
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        if relation is None:
            duck.register("log", seen.batches(seen.columns).read_all())
        else:
            duck.execute(f"CREATE VIEW log AS {relation.sql('duckdb')}")
        ranked = newest_by_rank(table("log"), COLUMNS, RULES.key, RULES.latest, moment)
        return in_order(duck.sql(ranked.sql("duckdb")).fetchall())


def was(events: list[Event], moment: datetime) -> list[Row]:
    """The same by a loop over all that ever landed."""
    return newest([each for each in events if each["_ts"] <= moment])


days = st.integers(0, 6).map(lambda n: NOW - n * DAY)


@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(1, 3), st.sampled_from("uud"), days), max_size=4),
        min_size=2,
        max_size=4,
    ),
    compacted=st.lists(st.sampled_from(["no", "yes", "beside"]), min_size=4, max_size=4),
)
@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_every_moment_is_as_it_was_before_any_compaction(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[tuple[int, str, datetime]]],
    compacted: list[str],
):
    """Late events and deletes too, and what lands while a compaction runs."""
    root = tmp_path_factory.mktemp("lake")
    landed: list[Event] = []
    with closing(make_catalog(root, Target())) as catalog:
        make_log(catalog, root)
        for batch, way in zip(batches, compacted, strict=False):
            events = [
                event(len(landed) + n, op=op, at=at, episode=key, title=f"{len(landed) + n}")
                for n, (key, op, at) in enumerate(batch, start=1)
            ]
            landed += events
            if way != "beside":
                append(catalog, events)
            if way != "no":
                beside = at_step("commit", lambda new=events: append(catalog, new))
                told = beside if way == "beside" else lambda _: None
                compact(catalog, RULES, now=NOW, told=told)
                if way == "beside" and not _has(catalog, events):
                    append(catalog, events)  # nothing was to be compacted
        for n in range(-1, 8):
            moment = NOW - n * DAY
            assert rows_of(catalog, moment) == was(landed, moment), moment


def _has(catalog: Catalog, events: list[Event]) -> bool:
    held = {each["_pos"] for each in existing_table(catalog, NAME).scan().to_arrow().to_pylist()}
    return {each["_pos"] for each in events} <= held


def compacted_log(catalog: Catalog) -> list[Event]:
    """A log of one key that changed a day ago, before it was compacted."""
    events = [event(1, at=NOW - 2 * DAY, title="old"), event(2, at=NOW - DAY, title="new")]
    append(catalog, events)
    compact(catalog, RULES, now=NOW)
    return events


def test_a_moment_since_the_newest_that_was_compacted_needs_no_snapshot(catalog: Catalog):
    compacted_log(catalog)
    log = existing_table(catalog, NAME)
    expire(log, now=LATER, older_than=DAY)
    assert parts_as_of(existing_table(catalog, NAME), NOW - DAY) is None
    assert [row[2] for row in rows_of(catalog, NOW - DAY)] == ["new"]


def test_a_moment_that_nobody_knows_any_more_is_refused(catalog: Catalog):
    """And since when it is known again is told."""
    events = compacted_log(catalog)
    assert rows_of(catalog, NOW - 1.5 * DAY) == was(events, NOW - 1.5 * DAY)
    append(catalog, [event(3, title="newer")])
    expire(existing_table(catalog, NAME), now=LATER, older_than=DAY)
    with pytest.raises(EngineError) as refused:
        rows_of(catalog, NOW - 1.5 * DAY)
    assert str(refused.value) == (
        "what the table `studio.scenes` held at 2026-11-22 00:00:00 UTC is no longer known:"
        " it was compacted, and the snapshot before it has expired [query-failed]\n"
        "  hint: newest records are known again from 2026-11-22 12:00:00 UTC on"
    )


def test_a_delete_that_was_forgotten_counts_too(catalog: Catalog):
    """The log says nothing of its key any more, but once there was a record."""
    append(catalog, [event(1, at=NOW - 20 * DAY, title="was there")])
    append(catalog, [event(2, op="d", at=NOW - 10 * DAY)])
    compact(catalog, RULES, now=NOW)
    assert [row[2] for row in rows_of(catalog, NOW - 15 * DAY)] == ["was there"]
    expire(existing_table(catalog, NAME), now=LATER, older_than=DAY)
    with pytest.raises(EngineError, match="no longer known"):
        rows_of(catalog, NOW - 15 * DAY)


def test_deletes_of_rows_by_others_are_read_too(catalog: Catalog):
    """DuckDB leaves such a log to pyiceberg, which reads the same files."""
    append(catalog, [event(1, at=NOW - 2 * DAY, title="old"), event(2, at=NOW - DAY, title="new")])
    delete_position(existing_table(catalog, NAME), 0)
    assert rows_of(catalog, NOW - 1.5 * DAY) == []
    compact(catalog, RULES, now=NOW)
    append(catalog, [event(3, at=NOW - 2 * DAY, episode=2, title="late")])
    assert [row[2] for row in rows_of(catalog, NOW - 1.5 * DAY)] == ["late"]


DEFINITION = """\
data_source: scene
table: studio.scenes
primary_key: [show, episode]
latest: true
fields: {show: string, episode: integer, title: string}
---
input: scenes
source: scene
fields: [title]
"""


def test_a_preview_of_an_earlier_moment(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "scene.yaml").write_text(DEFINITION)
    (tmp_path / "genesis.yaml").write_text("targets: {local: {}}\n")
    compacted_log(catalog)
    line = ["-C", str(tmp_path), "preview", "scenes", "--format", "csv", "--as-of"]
    assert run_command([*line, "2026-11-22T00:00Z"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split(",")[0] == "old"
    expire(existing_table(catalog, NAME), now=LATER, older_than=DAY)
    assert run_command([*line, "2026-11-22T00:00Z"]) == 3
    assert "is no longer known" in capsys.readouterr().err
    assert run_command([*line, "2026-11-23T00:00Z"]) == 0
