"""Old snapshots go, and files when nothing has needed them for long; nobody's else do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from genesis.cli import run_command
from genesis.errors import EngineError
from genesis.lake.batches import BATCH_PROPERTY
from genesis.lake.catalog import load_table, make_catalog
from genesis.lake.compact import compact
from genesis.lake.expire import expire
from genesis.lake.sweep import Sweep, sweep
from genesis.spec.project import Target
from tests.lake.logs import NAME, NOW, RULES, append, event, events_in, make_log, view

DAY = timedelta(days=1)
START = datetime.now(UTC)  # snapshots carry the real time


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(make_catalog(tmp_path, Target())) as made:
        make_log(made, tmp_path)
        yield made


def log(catalog: Catalog) -> Table:
    table = load_table(catalog, NAME)
    assert table is not None
    return table


def swept(catalog: Catalog, root: Path, days: float, **options: Any) -> Sweep:
    given = {"root": root, "now": START + timedelta(days=days), "older_than": DAY, **options}
    return sweep(catalog, log(catalog), **given)


def expired(catalog: Catalog, days: float, **options: Any) -> int:
    return expire(log(catalog), now=START + timedelta(days=days), older_than=DAY, **options)


def files(root: Path) -> set[Path]:
    """The files of the table."""
    return {file for file in (root / ".genesis" / "warehouse").rglob("*") if file.is_file()}


def compacted(catalog: Catalog) -> None:
    """A log of three files that were compacted to one."""
    for position in (1, 2, 3):
        append(catalog, [event(position, title=str(position))])
    compact(catalog, RULES, now=NOW)


def test_a_file_goes_a_day_after_it_was_found_unreferenced(catalog: Catalog, tmp_path: Path):
    compacted(catalog)
    assert swept(catalog, tmp_path, 2) == Sweep(0, 0, 0)  # the old snapshots need all of them
    assert expired(catalog, 2) == 3
    before = files(tmp_path)
    first = swept(catalog, tmp_path, 2)
    assert (first.deleted, first.waiting > 3) == (0, True)
    assert swept(catalog, tmp_path, 2.9) == first
    assert files(tmp_path) == before
    second = swept(catalog, tmp_path, 3)
    assert (second.deleted, second.waiting) == (first.waiting, 0)
    assert second.bytes > 0
    assert len(files(tmp_path)) == len(before) - second.deleted
    assert len(list(tmp_path.rglob("data/*.parquet"))) == 1
    assert [row[2] for row in view(catalog)] == ["3"]
    assert swept(catalog, tmp_path, 9) == Sweep(0, 0, 0)


def test_a_dry_run_tells_and_does_nothing(catalog: Catalog, tmp_path: Path):
    compacted(catalog)
    everything = set(tmp_path.rglob("*"))
    assert expired(catalog, 2, dry_run=True) == 3
    assert set(tmp_path.rglob("*")) == everything
    expired(catalog, 2)
    everything = set(tmp_path.rglob("*"))
    foreseen = swept(catalog, tmp_path, 2, dry_run=True)
    assert set(tmp_path.rglob("*")) == everything
    assert swept(catalog, tmp_path, 2) == foreseen
    everything = set(tmp_path.rglob("*"))
    assert swept(catalog, tmp_path, 3, dry_run=True).deleted == foreseen.waiting
    assert set(tmp_path.rglob("*")) == everything


def test_the_newest_snapshot_and_those_with_a_name_stay(catalog: Catalog, tmp_path: Path):
    append(catalog, [event(1, title="kept")])
    tagged = log(catalog).metadata.current_snapshot_id
    assert tagged is not None
    log(catalog).manage_snapshots().create_tag(tagged, "audit").commit()
    append(catalog, [event(2), event(3)])
    compact(catalog, RULES, now=NOW)
    assert expired(catalog, 99) == 1
    swept(catalog, tmp_path, 99)
    swept(catalog, tmp_path, 101)
    found = log(catalog).scan(snapshot_id=tagged).to_arrow().to_pylist()
    assert [row["title"] for row in found] == ["kept"]


def test_what_is_young_stays(catalog: Catalog):
    compacted(catalog)
    assert expired(catalog, 0.5) == 0


def test_what_is_referenced_again_is_no_orphan(catalog: Catalog, tmp_path: Path):
    """A commit on its way looks like an orphan until it is there."""
    append(catalog, [event(1)])
    (task,) = log(catalog).scan().plan_files()
    metadata = log(catalog).metadata_location
    log(catalog).delete("episode = 1")
    expired(catalog, 2)
    assert swept(catalog, tmp_path, 2).waiting > 0
    with (
        log(catalog).transaction() as transaction,
        transaction.update_snapshot().fast_append() as update,
    ):
        update.append_data_file(task.file)
    assert metadata != log(catalog).metadata_location
    assert swept(catalog, tmp_path, 4).deleted > 0
    assert len(events_in(catalog)) == 1


def test_files_of_other_kinds_and_places_stay(catalog: Catalog, tmp_path: Path):
    compacted(catalog)
    folder = tmp_path / ".genesis" / "warehouse" / "studio" / "scenes"
    own = [folder / "README.parquet", folder / "metadata" / "version-hint.text"]
    orphan = folder / "data" / "nobody's.parquet"
    for file in (*own, orphan):
        file.write_text("x")
    swept(catalog, tmp_path, 2)
    assert swept(catalog, tmp_path, 4).deleted == 1
    assert [file.exists() for file in (*own, orphan)] == [True, True, False]


def test_lists_of_batches_that_were_replaced_go(catalog: Catalog, tmp_path: Path):
    for position, batch in enumerate("abc"):
        append(catalog, [event(position)], properties={BATCH_PROPERTY: batch})
        compact(catalog, RULES, now=NOW)
        expired(catalog, 2)
    assert len(list(tmp_path.rglob("*.batches/*.parquet"))) > 1
    swept(catalog, tmp_path, 2)
    swept(catalog, tmp_path, 4)
    assert len(list(tmp_path.rglob("*.batches/*.parquet"))) == 1


def test_a_folder_of_two_tables_is_not_swept(catalog: Catalog, tmp_path: Path):
    inside = f"{log(catalog).location()}/inner"
    catalog.create_table(("studio", "inner"), log(catalog).schema(), location=inside)
    with pytest.raises(EngineError, match="share a folder"):
        swept(catalog, tmp_path, 2)


def test_a_table_whose_name_starts_like_another_is_swept(catalog: Catalog, tmp_path: Path):
    catalog.create_table(("studio", "scenes_old"), log(catalog).schema())
    assert swept(catalog, tmp_path, 2) == Sweep(0, 0, 0)


PROJECT = {
    "workflows/nightly.yaml": """
workflow: nightly
jobs:
  - compact: scene
  - {heartbeat: scene, needs: [compact_scene]}
""",
    "genesis.yaml": "project: studio\n",
    "definitions/scene.yaml": """
data_source: scene
table: studio.scenes
primary_key: scene_id
latest: true
fields: {scene_id: integer, title: string}
""",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        file = tmp_path / "events.jsonl"
        line = {"scene_id": 1, "title": str(number), "_ts": "2026-11-23T09:30:00Z"}
        file.write_text(json.dumps(line) + "\n")
        assert run_command(["ingest", "scene", str(file)]) == 0
    return tmp_path


@pytest.mark.usefixtures("project")
def test_the_command_says_what_it_would_do_and_what_it_did(capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    assert run_command(["compact", "scene", "--dry-run"]) == 0
    assert capsys.readouterr().out == "scene: 3 events -> 1\n"
    assert run_command(["compact", "scene"]) == 0
    assert capsys.readouterr().out.startswith("scene: 3 events -> 1, 3 files -> 1, ")
    assert run_command(["compact", "scene", "--older-than", "0s", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (receipt,) = report["logs"]
    assert (receipt["snapshot"], receipt["expired_snapshots"]) == (None, 3)
    assert run_command(["compact", "scene", "--older-than", "0s"]) == 0
    assert capsys.readouterr().out.startswith("scene: 1 event, nothing to compact")


@pytest.mark.usefixtures("project")
def test_a_length_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]):
    assert run_command(["compact", "scene", "--older-than", "long"]) == 64
    assert "`--older-than long` is no length of time" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_a_workflow_compacts(capsys: pytest.CaptureFixture[str]):
    """What needs it runs after it, and it says when there was nothing to do."""
    capsys.readouterr()
    assert run_command(["run", "nightly.compact_scene", "--dry-run"]) == 0
    assert capsys.readouterr().out == "~ nightly.compact_scene  scene: 3 events -> 1\n"
    assert run_command(["run", "nightly"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ nightly.compact_scene  scene: 3 events -> 1, 3 files -> 1, ")
    assert lines[1].startswith("✓ nightly.heartbeat_scene  scene: sent from the change log, ")
    for outcome in ("succeeded", "no_change"):  # the first finds the heartbeat
        assert run_command(["run", "nightly.compact_scene", "--format", "json"]) == 0
        (job,) = json.loads(capsys.readouterr().out)["jobs"]
        assert (job["outcome"], job["receipt"]["logs"][0]["kept"]) == (outcome, 2)


@pytest.mark.usefixtures("project")
def test_an_unknown_data_source_is_told_before_anything_is_done(
    capsys: pytest.CaptureFixture[str],
):
    capsys.readouterr()
    assert run_command(["compact", "scene", "scen"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "did you mean `scene`?" in told.err


def test_nothing_is_compacted_while_a_definition_is_broken(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    """It may be another reader of the table."""
    (project / "definitions" / "take.yaml").write_text("data_source: take\ntable: studio.scenes\n")
    assert run_command(["compact", "scene"]) == 2
    assert "data source `take` is broken, and may read `studio.scenes`" in capsys.readouterr().err
