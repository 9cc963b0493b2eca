"""A compaction changes what a log costs, and nothing that its readers see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.catalog import Catalog
from pyiceberg.types import BooleanType, DoubleType, FloatType, LongType, StringType

from genesis.errors import EngineBusy, EngineError
from genesis.lake.catalog import load_table, make_catalog
from genesis.lake.compact import Step, compact
from genesis.lake.landing import last_position
from genesis.lake.ranking import Ranking
from genesis.lake.rules import Rules, rules_of
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target
from tests.lake.logs import (
    NAME,
    NOW,
    RULES,
    SCENES,
    Event,
    append,
    event,
    events_in,
    make_log,
    newest,
    view,
)
from tests.lake.test_read import delete_position, fields

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, Path]]:
    root = tmp_path_factory.mktemp("a key=value 'folder'")
    with closing(make_catalog(root, Target())) as made:
        yield made, root


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog with the log of `SCENES`, still empty."""
    with closing(make_catalog(tmp_path, Target())) as made:
        make_log(made, tmp_path)
        yield made


def files_on_disk(root: Path) -> set[str]:
    return {str(file) for file in root.rglob("data/*.parquet")}


def files_of(catalog: Catalog) -> set[str]:
    log = load_table(catalog, NAME)
    assert log is not None
    return {task.file.file_path.removeprefix("file://") for task in log.scan().plan_files()}


def at_step(step: Step, act: Callable[[], object]) -> Callable[[Step], None]:
    """Do something just before a step, once."""
    left = [act]
    return lambda told: left.pop()() and None if told == step and left else None


# What a random log is made of: few keys and few moments, so that most events meet another.


@st.composite
def logs(draw: st.DrawFn) -> list[list[Event]]:
    """Batches, a day apart; no event is later than the lateness, and some have the same time."""
    positions = iter(draw(st.permutations(range(1, 41))))
    batches = []
    for day in range(draw(st.integers(1, 4))):
        arrived = NOW + timedelta(days=4 * day)
        events = draw(
            st.lists(
                st.fixed_dictionaries(
                    {
                        "op": st.sampled_from("cuudddrh"),
                        "at": st.sampled_from([arrived - n * timedelta(days=1) for n in range(8)]),
                        "show": st.sampled_from(["", "a", "é"]),
                        "episode": st.integers(1, 3),
                        "title": st.none() | st.sampled_from(["x", "y"]),
                        "hours": st.none() | st.just(Decimal("1.5")),
                        "tags": st.none() | st.lists(st.none() | st.just("t"), max_size=2),
                    }
                ),
                max_size=10,
            )
        )
        batches.append([event(next(positions), **values) for values in events])
    return batches


@given(batches=logs())
@settings(max_examples=8, deadline=None)
def test_a_view_is_the_same_after_every_compaction(
    lake: tuple[Catalog, Path], batches: list[list[Event]]
):
    """By both plans, and by a loop over all events that ever landed; old deletes are forgotten."""
    catalog, root = lake
    source = SCENES.model_copy(update={"table": f"studio.t{uuid4().hex}"})
    rules = rules_of(source)
    make_log(catalog, root, source)
    landed: list[Event] = []
    for number, batch in enumerate(batches):
        append(catalog, batch, rules.identifier)
        landed += batch
        before = view(catalog, rules)
        now = NOW + timedelta(days=4 * number)
        done = compact(catalog, rules, now=now)
        assert view(catalog, rules) == before == newest(landed)
        held = events_in(catalog, rules.identifier)
        assert done.after is not None
        assert len(held) == done.kept == done.after.events
        assert not [e for e in held if e["_op"] == "d" and e["_ts"] < now - WEEK]


def test_many_events_become_one_for_each_key(catalog: Catalog):
    for number in range(4):
        append(catalog, [event(10 * number + n, episode=n) for n in range(5)])
    done = compact(catalog, RULES, now=NOW)
    assert done.after is not None
    assert (done.before.events, done.before.files) == (20, 4)
    assert (done.after.events, done.after.files, done.kept, done.forgotten) == (5, 1, 5, 0)
    assert [e["_pos"] for e in events_in(catalog)] == [30, 31, 32, 33, 34]


def test_events_are_sorted_by_key_in_row_groups_that_the_table_asks_for(catalog: Catalog):
    log = load_table(catalog, NAME)
    assert log is not None
    with log.transaction() as transaction:
        transaction.set_properties({"write.parquet.row-group-limit": "4096"})
    append(catalog, [event(n, show=f"{n * 7919 % 10_007:05}") for n in range(10_000)])
    compact(catalog, RULES, now=NOW)
    (file,) = files_of(catalog)
    written = pq.ParquetFile(file)
    assert [written.metadata.row_group(n).num_rows for n in range(3)] == [4096, 4096, 1808]
    shows = written.read(columns=["show"])["show"].to_pylist()
    assert shows == sorted(shows)


def test_files_are_of_the_size_that_the_table_asks_for(catalog: Catalog):
    log = load_table(catalog, NAME)
    assert log is not None
    with log.transaction() as transaction:
        transaction.set_properties(
            {"write.parquet.row-group-limit": "2048", "write.target-file-size-bytes": "100000"}
        )
    append(catalog, [event(n, episode=n, title=str(uuid4())) for n in range(20_000)])
    done = compact(catalog, RULES, now=NOW)
    assert done.after is not None
    assert done.after.files > 3
    assert len(view(catalog)) == 20_000


@pytest.mark.parametrize(
    ("age", "stays"), [(WEEK, True), (WEEK + timedelta(microseconds=1), False)]
)
def test_a_delete_stays_for_the_lateness(catalog: Catalog, age: timedelta, stays: bool):
    append(catalog, [event(1, at=NOW - 2 * WEEK, title="old"), event(2, op="d", at=NOW - age)])
    done = compact(catalog, RULES, now=NOW)
    assert (done.kept, done.forgotten) == ((1, 0) if stays else (0, 1))
    append(catalog, [event(3, at=NOW - 2 * WEEK, title="late")])
    assert [row[2] for row in view(catalog)] == ([] if stays else ["late"])


def test_a_data_source_says_how_late_its_events_are(catalog: Catalog):
    patient = SCENES.model_copy(
        update={"name": "patient", "latest": RULES.latest.model_copy(update={"lateness": 4 * WEEK})}
    )
    append(catalog, [event(1, op="d", at=NOW - 2 * WEEK)])
    assert compact(catalog, rules_of(SCENES, [SCENES, patient]), now=NOW).forgotten == 0
    assert compact(catalog, RULES, now=NOW).forgotten == 1


def test_nothing_is_done_twice(catalog: Catalog):
    append(catalog, [event(1), event(2), event(3, op="d", episode=2)])
    assert compact(catalog, RULES, now=NOW).snapshot_id is not None
    assert compact(catalog, RULES, now=NOW).snapshot_id is None
    assert compact(catalog, RULES, now=NOW + WEEK).snapshot_id is None
    later = NOW + WEEK + timedelta(seconds=1)
    assert compact(catalog, RULES, now=later).forgotten == 1
    assert compact(catalog, RULES, now=later).snapshot_id is None
    append(catalog, [event(4)])
    assert compact(catalog, RULES, now=later).snapshot_id is not None


def test_heartbeats_leave_their_newest(catalog: Catalog):
    append(catalog, [event(1, title="x"), *(event(n, op="h") for n in range(2, 9))])
    compact(catalog, RULES, now=NOW)
    assert [(e["_op"], e["_pos"]) for e in events_in(catalog)] == [("u", 1), ("h", 8)]
    assert [row[2] for row in view(catalog)] == ["x"]


def test_an_empty_log(catalog: Catalog):
    assert compact(catalog, RULES, now=NOW).before.events == 0
    assert view(catalog) == []


def test_a_log_in_which_everything_is_deleted_and_forgotten(catalog: Catalog):
    append(catalog, [event(n, op="d", episode=n, at=NOW - 2 * WEEK) for n in range(3)])
    done = compact(catalog, RULES, now=NOW)
    assert done.after is not None
    assert (done.kept, done.forgotten, done.after.files) == (0, 3, 0)
    assert view(catalog) == []
    assert compact(catalog, RULES, now=NOW).snapshot_id is None
    append(catalog, [event(9, title="again")])
    assert [row[2] for row in view(catalog)] == ["again"]


def test_a_key_with_nearly_all_events(catalog: Catalog):
    append(catalog, [event(n, episode=max(n - 49_990, 0), title=str(n)) for n in range(50_000)])
    expected = newest(events_in(catalog))
    assert compact(catalog, RULES, now=NOW).kept == 10
    assert view(catalog) == expected


def test_what_does_not_fit_in_memory_leaves_the_log_as_it_was(catalog: Catalog, tmp_path: Path):
    append(catalog, [event(n, episode=n, title=f"{n:05}" * 2_000) for n in range(2_000)])
    before = files_on_disk(tmp_path)
    with pytest.raises(EngineError, match="was not compacted: Out of Memory Error"):
        compact(catalog, RULES, now=NOW, rewriting=partial(Ranking.opened, memory_limit="10MB"))
    assert files_on_disk(tmp_path) == before


def test_positions_go_on_where_they_were(catalog: Catalog):
    """Also where the event with the highest was superseded: it came late."""
    append(catalog, [event(1), event(7, at=NOW - WEEK)])
    compact(catalog, RULES, now=NOW)
    log = load_table(catalog, NAME)
    assert log is not None
    assert [e["_pos"] for e in events_in(catalog)] == [1]
    assert last_position(log) == 7


# Tables that changed.


def test_columns_that_were_renamed_widened_dropped_and_made_again(catalog: Catalog):
    append(catalog, [event(1, title="one", tags=["x"]), event(2, episode=2, title="two")])
    log = load_table(catalog, NAME)
    assert log is not None
    with log.update_schema() as update:
        update.rename_column("title", "name")
        update.delete_column("tags")
        update.add_column("single", FloatType())
    append(catalog, [event(3, episode=3, name="three", single=0.5)])
    log.refresh()
    with log.update_schema() as update:
        update.update_column("single", DoubleType())
        update.add_column("tags", StringType())
        update.add_column("title", LongType())
        update.move_first("title")
    append(catalog, [event(4, episode=4, name="four", single=0.1, tags="y", title=4)])
    columns = ("episode", "name", "single", "tags", "title")
    before = view(catalog, columns=columns)
    compact(catalog, RULES, now=NOW)
    assert view(catalog, columns=columns) == before == newest(events_in(catalog), columns)
    assert before[0] == (1, "one", None, None, None)


def test_rows_that_others_deleted_do_not_come_back(catalog: Catalog):
    append(catalog, [event(1, title="a"), event(2, title="b"), event(3, episode=2, title="c")])
    log = load_table(catalog, NAME)
    assert log is not None
    delete_position(log, 1)
    compact(catalog, RULES, now=NOW)
    assert [row[2] for row in view(catalog)] == ["a", "c"]
    append(catalog, [event(4, title="d")])
    compact(catalog, RULES, now=NOW)
    assert [row[2] for row in view(catalog)] == ["d", "c"]


def test_a_log_of_others_without_positions(lake: tuple[Catalog, Path]):
    catalog, _ = lake
    source = DataSource.model_validate(
        {
            "name": "grip",
            "table": "main.grips",
            "primary_key": "id",
            "latest": {"order_by": ["seen", "_row"], "deleted": "gone"},
            "fields": {"id": {"type": "integer", "column": "Id"}},
        }
    )
    rules = rules_of(source)
    schema = fields(Id=LongType(), seen=LongType(), _row=LongType(), gone=BooleanType())
    catalog.create_namespace_if_not_exists("main")
    catalog.create_table(("main", "grips"), schema)
    rows = [
        (1, 5, 1, False),
        (1, 5, 2, False),
        (2, 9, 1, True),
        (2, 8, 1, None),
        (3, 1, 1, None),
    ]
    for row in rows:
        append(
            catalog, [dict(zip(("Id", "seen", "_row", "gone"), row, strict=True))], rules.identifier
        )
    columns = ("Id", "seen", "_row", "gone")
    before = view(catalog, rules, columns)
    done = compact(catalog, rules, now=NOW)
    assert (done.kept, done.forgotten) == (3, 0)  # no time says how old a delete is
    assert view(catalog, rules, columns) == before == [(1, 5, 2, False), (3, 1, 1, None)]
    assert compact(catalog, rules, now=NOW).snapshot_id is None


# What happens meanwhile.

STEPS: list[Step] = ["rank", "write", "verify", "commit", "done"]


@pytest.mark.parametrize("step", STEPS)
def test_what_lands_meanwhile_stays(catalog: Catalog, step: Step):
    append(catalog, [event(1, title="a"), event(2, title="b")])
    late = event(40, at=NOW - WEEK, episode=2, title="late")
    compact(catalog, RULES, now=NOW, told=at_step(step, lambda: append(catalog, [late])))
    assert sorted(e["_pos"] for e in events_in(catalog)) == [2, 40]
    log = load_table(catalog, NAME)
    assert log is not None
    assert last_position(log) == 40
    assert compact(catalog, RULES, now=NOW).before.files == 2
    assert [row[2] for row in view(catalog)] == ["b", "late"]


@pytest.mark.parametrize("step", STEPS)
def test_a_schema_that_changes_meanwhile(catalog: Catalog, step: Step):
    append(catalog, [event(1, title="a", tags=["x"]), event(2, title="b", tags=["y"])])

    def change() -> None:
        log = load_table(catalog, NAME)
        assert log is not None
        with log.update_schema() as update:
            update.rename_column("title", "name")
            update.delete_column("tags")
        with log.update_schema() as update:
            update.add_column("title", LongType())
        append(catalog, [event(3, episode=3, name="c", title=3)])

    compact(catalog, RULES, now=NOW, told=at_step(step, change))
    expected = [(1, "b", None), (3, "c", 3)]
    assert view(catalog, columns=("episode", "name", "title")) == expected
    compact(catalog, RULES, now=NOW)
    assert view(catalog, columns=("episode", "name", "title")) == expected


@pytest.mark.parametrize("step", STEPS)
def test_a_second_compaction_meanwhile(catalog: Catalog, step: Step, tmp_path: Path):
    """The one that loses leaves no file behind, and finds that there is nothing to do."""
    append(catalog, [event(1, title="a"), event(2, title="b"), event(3, op="d", episode=2)])
    append(catalog, [event(4, episode=3, title="c")])
    first = files_on_disk(tmp_path)
    expected = view(catalog)
    compact(catalog, RULES, now=NOW, told=at_step(step, lambda: compact(catalog, RULES, now=NOW)))
    assert view(catalog) == expected
    assert sorted(e["_pos"] for e in events_in(catalog)) == [2, 3, 4]
    assert files_on_disk(tmp_path) == first | files_of(catalog)


@pytest.mark.parametrize("step", STEPS)
def test_rows_that_are_deleted_meanwhile_do_not_come_back(catalog: Catalog, step: Step):
    append(catalog, [event(1, title="a"), event(2, episode=2, title="b")])

    def delete() -> None:
        log = load_table(catalog, NAME)
        assert log is not None
        delete_position(log, 1)

    compact(catalog, RULES, now=NOW, told=at_step(step, delete))
    assert [row[2] for row in view(catalog)] == ["a"]


def test_others_that_always_come_first(catalog: Catalog):
    append(catalog, [event(1), event(2)])
    positions = iter(range(3, 99))

    def overtake(step: Step) -> None:
        if step == "commit":
            append(catalog, [event(next(positions))])
            compact(catalog, RULES, now=NOW)
            append(catalog, [event(next(positions))])

    with pytest.raises(EngineBusy, match="changed while it was being compacted"):
        compact(catalog, RULES, now=NOW, told=overtake)
    assert [row[1] for row in view(catalog)] == [1]
    assert max(e["_pos"] for e in events_in(catalog)) == 8


def test_an_overwrite_of_rows_that_were_read_before_loses_what_landed_since(catalog: Catalog):
    """Why it is not done so: pyiceberg raises nothing, and an event is gone."""
    append(catalog, [event(1, title="a"), event(2, title="b")])
    log = load_table(catalog, NAME)
    assert log is not None
    rows = log.scan().to_arrow().slice(1)
    append(catalog, [event(3, episode=2, title="landed meanwhile")])
    log.refresh()
    log.overwrite(rows)
    assert [row[2] for row in view(catalog)] == ["b"]


# What fails.


def test_what_does_not_add_up_is_refused(catalog: Catalog, tmp_path: Path):
    """Two events with one position: another writer's mistake."""
    append(
        catalog,
        [event(1, title="a"), event(2, title="b"), event(2, title="b again", at=NOW - WEEK)],
    )
    before = files_on_disk(tmp_path)
    with pytest.raises(EngineError) as refused:
        compact(catalog, RULES, now=NOW)
    assert refused.value.problems[0].code == "not-compacted"
    assert "1 events are to be kept, and 2 were written" in refused.value.problems[0].message
    assert files_on_disk(tmp_path) == before
    assert len(events_in(catalog)) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", ["verify", "commit"])
def test_an_interruption_leaves_no_file(
    catalog: Catalog, tmp_path: Path, step: Step, error: type[BaseException]
):
    append(catalog, [event(1), event(2)])
    before = files_on_disk(tmp_path)

    def interrupt(told: Step) -> None:
        if told == step:
            raise error

    with pytest.raises(error):
        compact(catalog, RULES, now=NOW, told=interrupt)
    assert files_on_disk(tmp_path) == before
    assert len(events_in(catalog)) == 2


def test_a_damaged_file(catalog: Catalog, tmp_path: Path):
    append(catalog, [event(n, episode=n) for n in range(100)])
    (file,) = files_of(catalog)
    content = Path(file).read_bytes()
    Path(file).write_bytes(content[:4] + bytes(200) + content[204:])
    with pytest.raises(EngineError) as refused:
        compact(catalog, RULES, now=NOW)
    assert refused.value.problems[0].code == "not-compacted"
    assert files_on_disk(tmp_path) == {file}


def test_a_table_that_is_not_there(catalog: Catalog):
    source = SCENES.model_copy(update={"table": "studio.scene"})
    with pytest.raises(EngineError) as refused:
        compact(catalog, rules_of(source), now=NOW)
    (problem,) = refused.value.problems
    assert (problem.code, problem.hint) == ("unknown-table", "did you mean `studio.scenes`?")


def test_a_table_without_the_key(catalog: Catalog):
    rules = Rules("studio.scenes", ("show", "episodes"), RULES.latest)
    with pytest.raises(EngineError) as refused:
        compact(catalog, rules, now=NOW)
    (problem,) = refused.value.problems
    assert (problem.code, problem.hint) == ("unknown-column", "did you mean `episode`?")


def test_a_dry_run_writes_nothing(catalog: Catalog, tmp_path: Path):
    append(catalog, [event(1), event(2), event(3, op="d", episode=2, at=NOW - 2 * WEEK)])
    before = set(tmp_path.rglob("*"))
    foreseen = compact(catalog, RULES, now=NOW, dry_run=True)
    assert (foreseen.kept, foreseen.forgotten, foreseen.after) == (1, 1, None)
    assert set(tmp_path.rglob("*")) == before
