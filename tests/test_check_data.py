"""`genesis check --data`: the data of a lake against its declarations, by the command line."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import run_command
from genesis.console import progress

ERRORS = Path(__file__).parent / "fixtures" / "errors"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose tasks landed twice under one key, with a second, healthy data source."""
    shutil.copytree(ERRORS / "data-not-unique", tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    healthy = "data_source: newest\ntable: studio.tasks\nprimary_key: task_id\nlatest: true\nfields: {task_id: integer}\n"
    Path("definitions/newest.yaml").write_text(healthy)
    assert run_command(["ingest", "task", "events/task.jsonl"]) == 0
    return tmp_path / "project"


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code and what stands on stdout."""
    capsys.readouterr()
    code = run_command(["check", *arguments])
    return code, capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_without_the_option_no_data_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys, "--format", "json")[0] == 0


@pytest.mark.usefixtures("project")
def test_the_place_is_the_declaration(capsys: pytest.CaptureFixture[str]) -> None:
    """Machines are told what people are told."""
    code, out = check(capsys, "--data", "--format", "json")
    (problem,) = json.loads(out)["problems"]
    assert code == 2
    assert (problem["code"], problem["severity"]) == ("data-not-unique", "error")
    assert (problem["file"], problem["line"], problem["column"]) == ("definitions/task.yaml", 3, 14)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("format_", ["concise", "github", "sarif"])
def test_every_format_tells_it(format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "data-not-unique" in check(capsys, "--data", "--format", format_)[1]


@pytest.mark.usefixtures("project")
def test_paths_say_whose_data(capsys: pytest.CaptureFixture[str]) -> None:
    """What the others' data is like is not asked."""
    assert check(capsys, "--data", "definitions/newest.yaml") == (0, "")
    assert check(capsys, "--data", "definitions/task.yaml")[0] == 2


def test_an_idle_data_source_is_not_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no report reaches may be as it likes."""
    (project / "inputs").mkdir()
    (project / "inputs" / "tasks.yaml").write_text(
        "input: tasks\nsource: newest\nfields: [task_id]\n"
    )
    code, out = check(capsys, "--data", "--format", "concise")
    assert (code, "data-not-unique" in out) == (0, False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_is_for_terminals(
    stream: Any, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, which is gone when the work is done."""
    monkeypatch.setattr(sys, "stderr", stream)
    with progress() as tell:
        tell("task")
    assert stream.getvalue() == ("\r\033[Ktask\r\033[K" if shown else "")
