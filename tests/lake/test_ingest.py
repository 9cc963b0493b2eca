"""Batches land once, whole, with positions that are nobody else's; bad lines are kept."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import Table

from genesis.errors import EngineError, UsageError
from genesis.lake.catalog import find_catalog, load_table
from genesis.lake.ingest import Landing, ingest
from genesis.spec.data_source import DataSource
from genesis.spec.project import CatalogConfig, SqlCatalog, Target

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TASKS = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": "task_id",
        "fields": {"task_id": "integer", "title": "string"},
    }
)


def land(root: Path, *files: Path, source: DataSource = TASKS, **options: Any) -> Landing:
    given = {"root": root, "target": Target(), "now": NOW, **options}
    return ingest(source, files, **given)


def lines(path: Path, *events: object) -> Path:
    """A file with a line for each event; a text is a line as it is."""
    text = (event if isinstance(event, str) else json.dumps(event) for event in events)
    path.write_text("".join(f"{line}\n" for line in text))
    return path


def log(root: Path, target: Target | None = None) -> Table:
    catalog = find_catalog(root, target or Target())
    assert catalog is not None
    with closing(catalog):
        table = load_table(catalog, ("studio", "tasks"))
    assert table is not None
    return table


def landed(root: Path, *columns: str, target: Target | None = None) -> list[tuple[Any, ...]]:
    """The events in the log, by position."""
    rows = log(root, target).scan().to_arrow().sort_by("_pos").to_pylist()
    return [tuple(row[column] for column in columns) for row in rows]


def rejects(landing: Landing) -> list[tuple[int, str, str]]:
    assert landing.rejects is not None
    said = map(json.loads, landing.rejects.read_text().splitlines())
    return [(reject["line"], reject["reason"], reject["text"]) for reject in said]


def test_old_snapshots_are_forgotten_and_their_batches_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Each commit writes down all snapshots: with thousands of them, appends would get slow."""
    monkeypatch.setattr("genesis.lake.landing._MOST_SNAPSHOTS", 4)
    monkeypatch.setattr("genesis.lake.landing._KEPT_SNAPSHOTS", 2)
    files = [lines(tmp_path / f"{n}.jsonl", {"task_id": n}, "nonsense") for n in range(9)]
    for file in files:
        land(tmp_path, file)
        assert len(log(tmp_path).snapshots()) <= 4
    assert [land(tmp_path, file).already_landed for file in files] == [True] * 9
    assert [land(tmp_path, file).rejected for file in files] == [1] * 9
    assert landed(tmp_path, "_pos", "task_id") == [(n + 1, n) for n in range(9)]


def test_events_land_in_order_with_positions_and_their_batch(tmp_path: Path):
    file = lines(tmp_path / "a.jsonl", {"task_id": 7, "title": "cast"}, {"task_id": 8, "_op": "d"})
    landing = land(tmp_path, file, batch="monday")
    assert (landing.landed, landing.rejected, landing.already_landed) == (2, 0, False)
    assert landed(tmp_path, "_pos", "_op", "_ts", "_batch", "task_id", "title") == [
        (1, "u", NOW, "monday", 7, "cast"),
        (2, "d", NOW, "monday", 8, None),
    ]


def test_a_batch_is_one_snapshot(tmp_path: Path):
    files = [lines(tmp_path / f"{n}.jsonl", {"task_id": n}) for n in range(3)]
    landing = land(tmp_path, *files)
    assert [snapshot.snapshot_id for snapshot in log(tmp_path).snapshots()] == [landing.snapshot_id]


def test_positions_go_on_where_the_last_batch_ended(tmp_path: Path):
    for number in range(3):
        land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": number}, {"task_id": number}))
    assert landed(tmp_path, "_pos", "task_id") == [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2)]


def test_the_same_content_lands_once(tmp_path: Path):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1})
    first = land(tmp_path, file)
    again = land(tmp_path, file)
    assert (again.landed, again.already_landed, again.batch) == (0, True, first.batch)
    assert len(landed(tmp_path)) == 1


def test_a_batch_with_an_id_lands_once_whatever_it_holds(tmp_path: Path):
    land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}), batch="monday")
    again = land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 2}), batch="monday")
    assert again.already_landed
    assert landed(tmp_path, "task_id") == [(1,)]


def test_the_same_content_may_land_under_two_ids(tmp_path: Path):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1})
    land(tmp_path, file, batch="monday")
    land(tmp_path, file, batch="tuesday")
    assert landed(tmp_path, "_batch") == [("monday",), ("tuesday",)]


def test_a_batch_is_known_after_its_snapshot_expired(tmp_path: Path):
    first = lines(tmp_path / "a.jsonl", {"task_id": 1})
    land(tmp_path, first)
    land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 2}))
    catalog = find_catalog(tmp_path, Target())
    assert catalog is not None
    with closing(catalog):
        table = catalog.load_table("studio.tasks")
        table.maintenance.expire_snapshots().by_id(table.snapshots()[0].snapshot_id).commit()
    assert land(tmp_path, first).already_landed
    assert not land(tmp_path, lines(tmp_path / "c.jsonl", {"task_id": 3})).already_landed
    assert landed(tmp_path, "_pos", "task_id") == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("metrics", ["full", "none"])
def test_positions_go_on_after_events_of_another_writer(tmp_path: Path, metrics: str):
    land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}))
    catalog = find_catalog(tmp_path, Target())
    assert catalog is not None
    with closing(catalog):
        table = catalog.load_table("studio.tasks")
        with table.transaction() as transaction:
            transaction.set_properties({"write.metadata.metrics.default": metrics})
        row = {"_op": "c", "_ts": NOW, "_pos": 40, "task_id": 2}
        table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))
    land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 3}))
    assert landed(tmp_path, "_pos", "task_id") == [(1, 1), (40, 2), (41, 3)]


def test_bad_lines_are_kept_with_their_reasons_and_the_good_ones_land(tmp_path: Path):
    file = lines(
        tmp_path / "a.jsonl",
        {"task_id": 1},
        {"task_id": "two"},
        "",
        '{"task_id": 3',
        {"task_id": 4, "title": "ünd 🎬"},
        {"task_id": None, "title": "ünd 🎬"},
    )
    landing = land(tmp_path, file, batch="monday")
    assert (landing.landed, landing.rejected) == (2, 3)
    assert landing.rejects == tmp_path / ".genesis/rejects/task-monday.jsonl"
    assert rejects(landing) == [
        (2, '`task_id` should be a whole number of 64 bits, not `"two"`', '{"task_id": "two"}'),
        (4, "no JSON: Expecting ',' delimiter (character 14)", '{"task_id": 3'),
        (6, "`task_id` is missing or null", json.dumps({"task_id": None, "title": "ünd 🎬"})),
    ]
    assert landed(tmp_path, "_pos", "task_id") == [(1, 1), (2, 4)]


def test_rejects_are_told_again_when_the_batch_comes_again(tmp_path: Path):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1}, "nonsense")
    first = land(tmp_path, file)
    again = land(tmp_path, file)
    assert (again.already_landed, again.rejected, again.rejects) == (True, 1, first.rejects)


def test_rejects_that_find_no_room_stop_the_batch(tmp_path: Path):
    """A line that nobody keeps is a line lost, so nothing lands."""
    full = tmp_path / ".genesis" / "rejects" / "task-monday.jsonl.part"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")
    file = lines(tmp_path / "a.jsonl", {"task_id": 1}, *["nonsense" * 1000] * 3)
    with pytest.raises(EngineError, match=r"task-monday\.jsonl` cannot be used: .*No space left"):
        land(tmp_path, file, batch="monday")
    assert log(tmp_path).current_snapshot() is None
    land(tmp_path, file, batch="monday")
    assert landed(tmp_path, "task_id") == [(1,)]


def test_bytes_that_are_no_text_are_rejected(tmp_path: Path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"task_id": 1}\n{"task_id": 2, "title": "caf\xe9"}\n')
    landing = land(tmp_path, file)
    reason = "no UTF-8: byte 29 of the line is 0xe9"
    assert rejects(landing) == [(2, reason, '{"task_id": 2, "title": "caf\\xe9"}')]


def test_a_batch_without_a_good_line_makes_the_table_and_no_snapshot(tmp_path: Path):
    landing = land(tmp_path, lines(tmp_path / "a.jsonl", "nonsense"))
    assert (landing.landed, landing.rejected, landing.snapshot_id) == (0, 1, None)
    assert log(tmp_path).current_snapshot() is None


def test_unknown_columns_are_ignored_and_named_once(tmp_path: Path):
    events = [{"task_id": n, "titel": "x", "zone": n} for n in range(3)]
    assert land(tmp_path, lines(tmp_path / "a.jsonl", *events)).ignored == ("titel", "zone")


def test_windows_lines_a_byte_order_mark_and_no_last_line_end(tmp_path: Path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"task_id": 1}\r\n\r\n{"task_id": 2}')
    assert land(tmp_path, file).landed == 2


def test_gzip_is_told_by_its_bytes(tmp_path: Path):
    file = tmp_path / "events"
    file.write_bytes(gzip.compress(b'{"task_id": 1}\n{"task_id": 2}\n'))
    assert land(tmp_path, file).landed == 2


def test_standard_input(tmp_path: Path):
    stream = io.BytesIO(b'{"task_id": 1}\n')
    first = land(tmp_path, Path("-"), standard_input=stream)
    again = land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}))
    assert first.landed == 1
    assert again.already_landed  # the same bytes, wherever they come from


def test_parquet_with_the_same_columns(tmp_path: Path):
    source = DataSource.model_validate(
        {
            "name": "task",
            "table": "studio.tasks",
            "primary_key": "task_id",
            "fields": {
                "task_id": "integer",
                "due": "date",
                "hours": "decimal(6,1)",
                "seen": "timestamptz",
                "tags": "array(string)",
            },
        }
    )
    table = pa.table(
        {
            "task_id": pa.array([1, 2, None], pa.int32()),
            "due": pa.array([date(2026, 1, 1), None, None]),
            "hours": pa.array([Decimal("1.50"), None, None], pa.decimal128(9, 2)),
            "seen": pa.array([1, None, None], pa.timestamp("ns", "Europe/Oslo")),
            "tags": pa.array([["a"], [], None]),
            "extra": ["x", "y", "z"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    landing = land(tmp_path, tmp_path / "a.parquet", source=source)
    assert landed(tmp_path, "task_id", "due", "hours", "seen", "tags") == [
        (1, date(2026, 1, 1), Decimal("1.5"), datetime(1970, 1, 1, tzinfo=UTC), ["a"]),
        (2, None, None, None, []),
    ]
    assert landing.ignored == ("extra",)
    assert [reject[:2] for reject in rejects(landing)] == [(3, "`task_id` is missing or null")]


def test_many_events_come_in_several_data_files_but_one_snapshot(tmp_path: Path):
    land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 0}))
    catalog = find_catalog(tmp_path, Target())
    assert catalog is not None
    with closing(catalog), catalog.load_table("studio.tasks").transaction() as transaction:
        transaction.set_properties({"write.target-file-size-bytes": "1000000"})
    land(tmp_path, lines(tmp_path / "b.jsonl", *({"task_id": n} for n in range(50_000))))
    assert len(list(log(tmp_path).scan().plan_files())) > 2
    assert len(log(tmp_path).snapshots()) == 2
    positions = [position for (position,) in landed(tmp_path, "_pos")]
    assert positions == list(range(1, 50_002))


@pytest.mark.parametrize("batch", ["", "../x", "a/b", "a b", "é", ".x", "x" * 129])
def test_an_id_that_is_no_name_for_a_file(tmp_path: Path, batch: str):
    with pytest.raises(UsageError, match="cannot be the id of a batch"):
        land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}), batch=batch)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError) as error:
        land(tmp_path, tmp_path / "nothing.jsonl")
    assert error.value.problems[0].code == "unreadable-file"


def test_a_query_takes_no_events(tmp_path: Path):
    query = DataSource.model_validate(
        {"name": "q", "sql": "select 1 as id", "primary_key": "id", "fields": {"id": "integer"}}
    )
    with pytest.raises(EngineError, match="data source `q` is a query"):
        land(tmp_path, lines(tmp_path / "a.jsonl"), source=query)


def test_half_a_gzip_lands_nothing(tmp_path: Path):
    file = tmp_path / "a.gz"
    whole = gzip.compress("".join(f'{{"task_id": {n}}}\n' for n in range(9_999)).encode())
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match=r"`.*a\.gz` cannot be taken: Compressed file ended"):
        land(tmp_path, file)
    assert log(tmp_path).current_snapshot() is None


def test_half_a_parquet_file_lands_nothing(tmp_path: Path):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"task_id": [1]}), file)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(EngineError, match=r"`.*a\.parquet` cannot be taken"):
        land(tmp_path, file)


def test_a_file_that_grows_lands_nothing(tmp_path: Path):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1})

    def grow(step: str) -> None:
        if step == "write":
            lines(file, {"task_id": 1}, {"task_id": 2})

    with pytest.raises(EngineError, match="it grew while it was read"):
        land(tmp_path, file, told=grow)
    assert log(tmp_path).current_snapshot() is None


def test_a_lost_race_is_run_again_with_positions_of_its_own(tmp_path: Path):
    """Two roots have no lock in common, as two machines have none."""
    here, there = tmp_path / "here", tmp_path / "there"
    shared = SqlCatalog(uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"{tmp_path}/tables")
    target = Target(catalog=CatalogConfig(sql=shared))
    steps: list[str] = []

    def told(step: str) -> None:
        steps.append(step)
        if step == "commit" and steps.count("commit") <= 2:
            other = lines(tmp_path / "b.jsonl", {"task_id": len(steps)})
            land(there, other, target=target)

    landing = land(
        here,
        lines(tmp_path / "a.jsonl", {"task_id": 1}, {"task_id": 2}, "nonsense"),
        target=target,
        told=told,
    )
    assert steps.count("commit") == 3
    assert (landing.landed, landing.rejected) == (2, 1)
    assert landed(here, "_pos", "task_id", target=target) == [(1, 4), (2, 7), (3, 1), (4, 2)]
    files = list((tmp_path / "tables").rglob("*.parquet"))
    assert len(files) == 3  # those of the lost races are gone


def test_a_lost_race_reads_any_kind_of_file_again(tmp_path: Path):
    """Here the faster one is another tool, which knows of no lock."""
    pq.write_table(pa.table({"task_id": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b'{"task_id": 2}'))
    races = []

    def told(step: str) -> None:
        if step == "commit" and not races:
            races.append(step)
            catalog = find_catalog(tmp_path, Target())
            assert catalog is not None
            with closing(catalog):
                table = catalog.load_table("studio.tasks")
                row = {"_op": "c", "_ts": NOW, "_pos": 1, "task_id": 9}
                table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))

    assert land(tmp_path, tmp_path / "a.parquet", tmp_path / "b.gz", told=told).landed == 2
    assert landed(tmp_path, "_pos", "task_id") == [(1, 9), (2, 1), (3, 2)]


INGESTING = [sys.executable, str(Path(__file__).with_name("ingesting.py"))]


def test_ingests_at_once_take_turns(tmp_path: Path):
    """Eight processes, one table that none of them has made yet."""
    files = [
        lines(tmp_path / f"{n}.jsonl", *({"task_id": n, "title": str(i)} for i in range(50)))
        for n in range(8)
    ]
    subprocess.run([*INGESTING, "together", tmp_path, *files], check=True)
    rows = landed(tmp_path, "_pos", "task_id", "title")
    assert [position for position, _, _ in rows] == list(range(1, 401))
    assert sorted((task, title) for _, task, title in rows) == sorted(
        (n, str(i)) for n in range(8) for i in range(50)
    )
    assert len(log(tmp_path).snapshots()) == 8


MOMENTS = [
    "step read",
    "before CREATE TABLE",
    "after CREATE TABLE",
    "before INSERT INTO iceberg_namespace_properties",
    "before INSERT INTO iceberg_tables",
    "after INSERT INTO iceberg_tables",
    "step write",
    "file open",
    "step reject",
    "file os.rename",
    "step commit",
    "before UPDATE iceberg_tables",
    "after UPDATE iceberg_tables",
    "step done",
]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A project for each moment, in which an ingest was killed at that moment."""
    roots = {moment: tmp_path_factory.mktemp("killed") for moment in MOMENTS}
    for root in roots.values():
        lines(root / "events.jsonl", {"task_id": 1}, "nonsense", {"task_id": 2})
    arguments = [argument for moment, root in roots.items() for argument in (root, moment)]
    subprocess.run([*INGESTING, "die", *arguments], check=True)
    return roots


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_ingest_that_was_killed_is_made_whole_by_the_next(killed: dict[str, Path], moment: str):
    root = killed[moment]
    landing = land(root, root / "events.jsonl")
    assert landing.already_landed == (moment == "step done")
    assert landed(root, "_pos", "task_id") == [(1, 1), (2, 2)]
    assert [(line, text) for line, _, text in rejects(landing)] == [(2, "nonsense")]
    assert land(root, root / "events.jsonl").already_landed
    assert len(landed(root)) == 2
