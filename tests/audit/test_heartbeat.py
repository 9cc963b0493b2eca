"""Heartbeats travel the whole path of a data source, are seen at its end, and by no report."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from genesis.cli import run_command
from genesis.compile.identifiers import table
from genesis.compile.latest import newest_by_rank, newest_in_phases
from genesis.lake.catalog import existing_table, find_catalog
from genesis.lake.columns import record_columns, reserved_key
from genesis.run.heartbeats import Health, Heartbeats, beat
from genesis.run.state import State
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

DEFINITIONS = """
data_source: task
table: studio.tasks
primary_key: [task_id, part]
latest: true
fields: {task_id: integer, part: string, title: string}
---
input: tasks
source: task
fields: [task_id, part, title]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genesis.yaml").write_text("project: studio\n", encoding="utf-8")
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.yaml").write_text(DEFINITIONS, encoding="utf-8")
    return tmp_path


def events(root: Path) -> list[str]:
    catalog = find_catalog(root, Target())
    assert catalog is not None
    with closing(catalog):
        log = existing_table(catalog, ("studio", "tasks"))
        return sorted(log.scan().to_arrow()["_op"].to_pylist())


def preview(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run_command(["preview", "tasks", "--format", "csv"]) == 0
    return capsys.readouterr().out


def test_no_report_sees_one_before_and_after_a_compaction(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even one with the key of a record; a compaction keeps the last."""
    key = reserved_key(record_columns(_source()))
    (project / "e.jsonl").write_text(json.dumps({**key, "title": "Edit"}) + "\n", encoding="utf-8")
    assert run_command(["ingest", "task", "e.jsonl"]) == 0
    before = preview(capsys)
    assert [run_command(["heartbeat", "task"]) for _ in range(2)] == [0, 0]
    assert preview(capsys) == before
    assert events(project) == ["h", "h", "u"]
    assert run_command(["compact", "task"]) == 0
    assert preview(capsys) == before
    assert events(project) == ["h", "u"]


@pytest.mark.parametrize("staged", [True, False])
def test_every_plan_leaves_them_out_before_it_ranks(staged: bool) -> None:
    latest = _source().latest
    assert latest is not None
    log, key = table("studio.tasks"), ("task_id", "part")
    if staged:
        (_, winners), select = newest_in_phases(log, ("title",), key, latest, winners="w")
        assert "_op IS DISTINCT FROM 'h'" in winners.sql("duckdb")
        assert "_op IS DISTINCT FROM 'h'" in select.sql("duckdb")
    else:
        ranked = newest_by_rank(log, ("title",), key, latest)
        assert "_op IS DISTINCT FROM 'h'" in ranked.sql("trino")


def _source() -> DataSource:
    return DataSource.model_validate(
        {
            "name": "task",
            "table": "studio.tasks",
            "primary_key": ["task_id", "part"],
            "latest": True,
            "fields": {"task_id": "integer", "part": "string", "title": "string"},
        }
    )


def test_a_table_that_somebody_reads_as_it_is_gets_none(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be a record there."""
    raw = DEFINITIONS.split("---")[0].replace("data_source: task", "data_source: raw")
    text = DEFINITIONS + "---" + raw.replace("latest: true\n", "")
    (project / "definitions" / "all.yaml").write_text(text, encoding="utf-8")
    assert run_command(["heartbeat", "task"]) == 2
    assert "would be a record of data source `raw`" in capsys.readouterr().err


def test_a_job_sends_them(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "workflows").mkdir()
    workflow = "workflow: w\njobs: [{heartbeat: task}]\n"
    (project / "workflows" / "w.yaml").write_text(workflow, encoding="utf-8")
    assert run_command(["run", "w"]) == 0
    assert "✓ w.heartbeat_task  task: sent from the change log" in capsys.readouterr().out
    assert events(project) == ["h"]


def test_they_come_from_the_source_through_its_log(
    project: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No table there is written to; they arrive with the changes, and those stay right."""
    monkeypatch.setenv("STUDIO_DB_URL", database)
    (project / "genesis.yaml").write_text(
        'sources: {studio_db: {postgres: "${env:STUDIO_DB_URL}", tables: {task: public.task}}}\n',
        encoding="utf-8",
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE task (task_id bigint, part text, title text, PRIMARY KEY (task_id, part))"
        )
        connection.execute("INSERT INTO task VALUES (1, 'a', 'Edit')")
        assert run_command(["ingest", "--from", "studio_db", "task"]) == 0
        assert run_command(["heartbeat", "task"]) == 0
        assert run_command(["heartbeat", "task", "--late", "0s"]) == 5
        connection.execute("SELECT pg_logical_emit_message(true, 'genesis.heartbeat', 'nonsense')")
        connection.execute("SELECT pg_logical_emit_message(false, 'other', '\\xff'::bytea)")
        connection.execute("UPDATE task SET title = 'Cut'")
        assert events(project) == ["r"]
        assert run_command(["ingest", "--from", "studio_db", "task"]) == 0
        assert events(project) == ["h", "h", "r", "u"]
        assert preview(capsys).splitlines()[1] == "1,a,Cut"
        assert run_command(["heartbeat", "task", "--format", "json"]) == 0
        (path,) = json.loads(capsys.readouterr().out)["paths"]
        assert path["sent_from"] == "studio_db"
        assert path["age_seconds"] < 600
        rows = connection.execute("SELECT count(*) FROM task").fetchone()
        assert rows == (1,)


class Pipe:
    """A path out of which comes what a test lets out."""

    def __init__(self) -> None:
        self.arrived: datetime | None = None

    def send(self, at: datetime) -> str:
        assert at
        return "studio_db"

    def last_seen(self, since: datetime) -> datetime | None:
        return self.arrived if self.arrived and self.arrived >= since else None


def test_a_beat_that_does_not_arrive_in_time_is_told(tmp_path: Path) -> None:
    """`heartbeat-late`, with exit code 5, until a later one is there; silence of ours is not its fault."""
    pipe, beats = Pipe(), Heartbeats(State("sqlite:///state.db", tmp_path))

    def at(minutes: int) -> Health:
        return beat("task", pipe, beats, now=NOON + minutes * MINUTE, limit=10 * MINUTE)

    assert not at(0).is_late
    late = at(11)
    assert (late.is_late, late.exit_code, late.waiting_since) == (True, 5, NOON)
    assert [problem.code for problem in late.problems] == ["heartbeat-late"]
    pipe.arrived = NOON + 11 * MINUTE
    assert not at(12).is_late
    pipe.arrived = NOON + 12 * MINUTE
    healthy = at(600)
    assert (healthy.is_late, healthy.last_seen) == (False, NOON + 12 * MINUTE)
