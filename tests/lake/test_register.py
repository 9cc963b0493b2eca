"""A lake goes from one catalog to another: its tables are known there, and nothing was copied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genesis.cli import run_command

PROJECT = """\
targets:
  local: {}
  shared: {catalog: {sql: {uri: "sqlite:///shared.db"}}}
"""
TASK = """\
data_source: task
table: studio.tasks
primary_key: task_id
latest: true
fields: {task_id: integer, title: string}
---
input: titles
source: task
fields: [title]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "genesis.yaml").write_text(PROJECT)
    (tmp_path / "definitions" / "task.yaml").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ingest(number: int, target: str) -> None:
    Path("events.jsonl").write_text(json.dumps({"task_id": number, "title": f"title {number}"}))
    assert run_command(["--target", target, "ingest", "task", "events.jsonl"]) == 0


def files(project: Path) -> set[str]:
    return {str(path) for path in (project / ".genesis" / "warehouse").rglob("*")}


def test_tables_are_known_and_nothing_is_copied(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lands later lands behind what was there."""
    ingest(1, "local")
    before = files(project)
    assert run_command(["register", "--from", "local", "--target", "shared"]) == 0
    assert capsys.readouterr().out.endswith("+ studio.tasks\n")
    assert files(project) == before
    ingest(2, "shared")
    capsys.readouterr()
    assert run_command(["preview", "titles", "--target", "shared", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "title,_key_task_id\ntitle 1,1\ntitle 2,2\n"


@pytest.mark.usefixtures("project")
def test_a_table_that_is_there_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Its newer rows too: a second call undoes nothing."""
    ingest(1, "local")
    run_command(["register", "--from", "local", "--target", "shared"])
    ingest(2, "shared")
    capsys.readouterr()
    assert run_command(["register", "--from", "local", "--target", "shared"]) == 0
    assert capsys.readouterr().out == "= studio.tasks\n"
    run_command(["preview", "titles", "--target", "shared", "--format", "csv"])
    assert "title 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("register --from local", 64, "the targets `local` and `local` have one catalog"),
        ("register --from locl --target shared", 64, "unknown target `locl`"),
        ("register --from local --target shared", 3, "there is no catalog to take from"),
    ],
)
def test_what_makes_no_sense_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, told: str
) -> None:
    assert run_command(line.split()) == code
    assert told in capsys.readouterr().err
    assert not (project / "shared.db").exists()
