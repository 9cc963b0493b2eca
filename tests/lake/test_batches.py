"""A batch lands once, whatever has become of its events and of its snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog

from genesis.errors import EngineError
from genesis.lake.batches import LIST_PROPERTY, remembered
from genesis.lake.catalog import load_table, make_catalog
from genesis.lake.compact import compact
from genesis.lake.rules import rules_of
from genesis.spec.data_source import Latest
from genesis.spec.project import Target
from tests.lake.test_ingest import NOW, TASKS, land, landed, lines, log

RULES = rules_of(TASKS.model_copy(update={"latest": Latest()}))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(make_catalog(tmp_path, Target())) as made:
        yield made


def expire_all(root: Path, catalog: Catalog) -> None:
    """Leave the newest snapshot alone, as any engine may."""
    table = load_table(catalog, ("studio", "tasks"))
    assert table is not None
    old = [s.snapshot_id for s in table.snapshots()[:-1]]
    table.maintenance.expire_snapshots().by_ids(old).commit()
    assert len(log(root).snapshots()) == 1


def test_batches_whose_events_were_superseded_and_whose_snapshots_expired(
    tmp_path: Path, catalog: Catalog
):
    files = [lines(tmp_path / f"{n}.jsonl", {"task_id": 1, "title": str(n)}) for n in range(5)]
    for file in files[:3]:
        land(tmp_path, file)
    compact(catalog, RULES, now=NOW)
    for file in files[3:]:
        land(tmp_path, file)
    expire_all(tmp_path, catalog)
    compact(catalog, RULES, now=NOW)
    expire_all(tmp_path, catalog)
    assert landed(tmp_path, "title") == [("4",)]
    assert all(land(tmp_path, file).already_landed for file in files)
    assert not land(tmp_path, lines(tmp_path / "new.jsonl", {"task_id": 1})).already_landed
    assert [position for (position,) in landed(tmp_path, "_pos")] == [5, 6]


def test_rejects_of_a_batch_are_told_again(tmp_path: Path, catalog: Catalog):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1}, "no event")
    land(tmp_path, file)
    land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 1}))
    compact(catalog, RULES, now=NOW)
    expire_all(tmp_path, catalog)
    assert land(tmp_path, file).rejected == 1


def test_a_list_is_written_when_it_has_something_to_say(tmp_path: Path, catalog: Catalog):
    land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}))
    assert LIST_PROPERTY not in log(tmp_path).properties
    compact(catalog, RULES, now=NOW)
    first = log(tmp_path).properties[LIST_PROPERTY]
    assert remembered(log(tmp_path))[LIST_PROPERTY] == first
    land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 2}))
    assert remembered(log(tmp_path))[LIST_PROPERTY] != first


def test_a_list_lies_where_no_engine_looks_for_orphans(tmp_path: Path, catalog: Catalog):
    land(tmp_path, lines(tmp_path / "a.jsonl", {"task_id": 1}))
    compact(catalog, RULES, now=NOW)
    table = log(tmp_path)
    assert not table.properties[LIST_PROPERTY].startswith(f"{table.location()}/")


def test_a_list_that_is_gone_is_no_leave_to_land_again(tmp_path: Path, catalog: Catalog):
    file = lines(tmp_path / "a.jsonl", {"task_id": 1})
    land(tmp_path, file)
    land(tmp_path, lines(tmp_path / "b.jsonl", {"task_id": 1, "title": "b"}))
    compact(catalog, RULES, now=NOW)
    expire_all(tmp_path, catalog)
    Path(log(tmp_path).properties[LIST_PROPERTY].removeprefix("file://")).unlink()
    with pytest.raises(EngineError) as refused:
        land(tmp_path, file)
    assert refused.value.problems[0].code == "catalog-failed"
