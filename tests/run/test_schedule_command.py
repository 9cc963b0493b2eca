"""`genesis schedule` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import run_command
from tests.run.virtual import project_of

FILMS = """
data_source: film
table: film
primary_key: film_id
latest: true
fields: {film_id: integer, title: string}
---
input: films
source: film
fields: [title]
---
workflow: films
schedule: {every: 1s}
jobs: [{refresh: films, to: {csv: {file: films.csv}}}]
"""


def runs(root: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    arguments = ["-C", str(root), "runs", "-n", "1000", "--format", "json"]
    assert run_command(arguments) == 0
    return list(json.loads(capsys.readouterr().out)["runs"])


def wait_for(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.1)


def test_it_runs_until_it_is_told_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tracker a second; it ends within seconds, with 0, and every second has its run."""
    (tmp_path / "genesis.yaml").write_text("project: films\n")
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.yaml").write_text(FILMS)
    (tmp_path / "events.jsonl").write_text('{"film_id": 1, "title": "A", "_op": "u"}\n')
    assert run_command(["-C", str(tmp_path), "ingest", "film", str(tmp_path / "events.jsonl")]) == 0
    program = "import sys; from genesis.cli import run_command; sys.exit(run_command(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-C", str(tmp_path), "schedule"]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: (tmp_path / "films.csv").exists())
        time.sleep(1.5)
        assert run_command(["-C", str(tmp_path), "state", "rebuild"]) == 75, "it is in use"
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert time.monotonic() - began < 10
    capsys.readouterr()
    found = runs(tmp_path, capsys)
    times = sorted(datetime.fromisoformat(run["logical_time"]) for run in found)
    assert times == [times[0] + timedelta(seconds=n) for n in range(len(times))]
    assert len(times) >= 2
    done = {"succeeded", "no_change"}
    assert all(run["state"] in done or run["reason"] or run["state"] == "queued" for run in found)
    assert "succeeded" in {run["state"] for run in found}
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("nobody=2", "no target or service is called `nobody`"),
        ("local", "is no limit"),
        ("local=0", "is no limit"),
        ("local=two", "is no limit"),
    ],
)
def test_a_limit_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str, told: str
) -> None:
    project_of(tmp_path, "")
    assert run_command(["-C", str(tmp_path), "schedule", "--limit", limit]) == 64
    assert told in capsys.readouterr().err


def test_settings_that_cannot_be_read_end_it_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project_of(tmp_path, "")
    (tmp_path / "genesis.yaml").write_text("project: films\nstat: sqlite:///state.db\n")
    assert run_command(["-C", str(tmp_path), "schedule"]) == 2
    assert "did you mean `state`" in capsys.readouterr().err
