"""A table that waits for a person: what is told, to whom, and how it goes on."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.run.ledger import Ledger
from genesis.schedule.alerting import Alert

SETTINGS = """
project: studio
alerts:
  ops: {webhook: "${env:OPS}"}
  mail: {smtp: "${env:SMTP}"}
"""
PROJECT = Path(__file__).parents[1] / "fixtures" / "errors" / "ingest-paused"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose table waits, since `title` was renamed."""
    root = tmp_path / "project"
    shutil.copytree(PROJECT, root)
    (root / "genesis.yaml").write_text(SETTINGS)
    workflow = root / "workflows" / "movies.yaml"
    workflow.write_text(f"{workflow.read_text()}alerts: {{on_failure: [ops]}}\n")
    monkeypatch.chdir(root)
    assert run_command(["ingest", "movie", "events/monday.jsonl"]) == 0
    assert run_command(["ingest", "movie", "events/tuesday.jsonl"]) == 3
    return root


def alerts(root: Path) -> list[Alert]:
    with closing(Ledger("sqlite:///.genesis/state.db", root)) as ledger:
        return list(ledger.alerts.open())


def test_those_concerned_are_alerted_once(project: Path):
    """Whom the workflows of the readers name, and their owners, since somebody sends mail."""
    run_command(["ingest", "movie", "events/wednesday.jsonl"])
    run_command(["ingest", "--resume"])
    found = alerts(project)
    addresses = ["mailto:films@example.com", "mailto:studio-ops@example.com"]
    assert [(each.subject, each.kind, each.receiver, each.times) for each in found] == [
        ("movie", "ingest", receiver, 1) for receiver in (*addresses, "ops")
    ]
    assert "column `title` is gone; this concerns trackers `movies.refresh_movies`" in found[0].text
    assert found[0].text.endswith("then `genesis ingest --resume movie`")


@pytest.mark.usefixtures("project")
def test_status_tells_what_waits(capsys: pytest.CaptureFixture[str]):
    capsys.readouterr()
    run_command(["status"])
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == [
        "movie",
        "paused",
        "just",
        "now",
        "1",
        "column",
        "`title`",
        "is",
        "gone",
    ]
    run_command(["status", "--format", "json"])
    (paused,) = json.loads(capsys.readouterr().out)["paused"]
    assert (paused["data_source"], paused["held"]) == ("movie", 1)


def test_a_definition_that_follows_the_rename_goes_on(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    file = project / "definitions" / "movie.yaml"
    text = file.read_text().replace("title: string", "title: {type: string, column: name}")
    file.write_text(text)
    capsys.readouterr()
    assert run_command(["ingest", "--resume"]) == 0
    told = "movie: 1 event landed, 0 rejected\nmovie: nothing waits any more\n"
    assert capsys.readouterr().err == told
    assert alerts(project) == []
    run_command(["preview", "movies", "--format", "csv"])
    assert capsys.readouterr().out.splitlines()[1:] == ["1,", "2,Brazil"]


def test_what_is_held_on_another_machine_is_not_passed_over(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.rmtree(project / ".genesis" / "held")
    capsys.readouterr()
    assert run_command(["ingest", "movie", "events/wednesday.jsonl"]) == 3
    assert run_command(["ingest", "--resume", "movie"]) == 3
    said = capsys.readouterr().err
    assert said.count("what is held of it is not on this machine") == 2
    assert run_command(["ingest", "--resume", "movie", "--accept"]) == 0
    assert run_command(["ingest", "movie", "events/monday.jsonl"]) == 0


def test_a_data_source_whose_definition_is_gone_holds_nobody_up(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    """What is held of it is forgotten only by its name, and then nobody is alerted any more."""
    (project / "definitions" / "movie.yaml").unlink()
    capsys.readouterr()
    for resumed in ("--resume", "--resume --accept", "--resume movie"):
        assert run_command(["ingest", *resumed.split()]) == 2
        said = capsys.readouterr().err
        assert "data source `movie` is gone from the definitions, and 1 batch held (" in said
        assert "`genesis ingest --resume movie --accept`" in said
    assert run_command(["ingest", "--resume", "movie", "--accept"]) == 0
    assert alerts(project) == []
    assert run_command(["ingest", "--resume"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "movie: nothing waits any more",
        "nothing is held",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--resume --batch a", "`--resume` takes data sources, no other option than `--accept`"),
        ("movie a.jsonl --accept", "`--accept` needs `--resume`"),
    ],
)
@pytest.mark.usefixtures("project")
def test_options_that_do_not_go_together(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
):
    assert run_command(["ingest", *arguments.split()]) == 64
    assert told in capsys.readouterr().err
