"""Views of newest records in a database file: written once, told when they are no longer right."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from genesis.cli import run_command

SETTINGS = """\
targets:
  warehouse: {engine: {duckdb: {database: warehouse.duckdb}}}
  local: {}
"""
TASK = """\
data_source: task
table: studio.task_events
primary_key: task_id
latest: {order_by: [changed_at], deleted: "state = 'gone'"}
fields:
  task_id: integer
  headline: {type: string, column: title}
  is_late: {type: boolean, sql: "due < date '2026-11-23'"}
  due: date
---
data_source: film
table: studio.films
primary_key: film_id
fields: {film_id: integer}
"""


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "genesis.yaml").write_text(SETTINGS)
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "task.yaml").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as duck:
        duck.execute("CREATE SCHEMA studio")
        duck.execute(
            "CREATE TABLE studio.task_events AS SELECT * FROM (VALUES"
            " (1, 'cast', DATE '2026-11-30', 'open', 1), (1, 'recast', NULL, 'open', 2),"
            " (2, 'light', NULL, 'open', 1), (2, 'light', NULL, 'gone', 2)"
            ") AS t (task_id, title, due, state, changed_at)"
        )
    return tmp_path / "warehouse.duckdb"


def test_a_view_has_the_newest_record_of_every_key(warehouse: Path) -> None:
    """With the columns of the table that its data source names, and no key that is gone."""
    assert run_command(["views", "apply"]) == 0
    with duckdb.connect(str(warehouse)) as duck:
        found = duck.sql("FROM studio.task_events_latest")
        assert found.columns == ["task_id", "title", "due"]
        assert found.fetchall() == [(1, "recast", None)]


@pytest.mark.usefixtures("warehouse")
def test_what_would_change_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """New, the same, and changed where the definition has changed; nothing is written by showing."""

    def told(*line: str) -> tuple[int, str]:
        code = run_command(["views", *line])
        return code, capsys.readouterr().out.splitlines()[0]

    assert told("diff") == told("diff") == (1, "+ studio.task_events_latest")
    assert told("apply", "task") == (0, "+ studio.task_events_latest")
    assert told("diff") == told("apply") == (0, "= studio.task_events_latest")
    Path("definitions/task.yaml").write_text(TASK.replace("'gone'", "'deleted'"))
    assert told("diff") == (1, "~ studio.task_events_latest")
    assert told("apply") == (0, "~ studio.task_events_latest")
    assert told("diff") == (0, "= studio.task_events_latest")


READER = """\
data_source: deadline
table: studio.task_events
primary_key: task_id
latest: {order_by: [changed_at], deleted: "state = 'gone'"}
fields: {task_id: integer, state: string}
"""


def test_data_sources_that_read_one_log_have_one_view(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the columns of both; which records are newest they agree on."""
    reader = Path("definitions/deadline.yaml")
    reader.write_text(READER)
    assert run_command(["views", "apply"]) == 0
    assert run_command(["views", "diff", "deadline"]) == run_command(["views", "diff", "task"]) == 0
    with duckdb.connect(str(warehouse)) as duck:
        columns = duck.sql("FROM studio.task_events_latest").columns
        assert sorted(columns) == ["due", "state", "task_id", "title"]
    reader.write_text(READER.replace("changed_at", "due"))
    assert run_command(["views", "diff"]) == 2
    assert "tell the newest records of `studio.task_events` apart" in capsys.readouterr().err


def test_a_view_that_its_table_has_outgrown_is_no_longer_the_same(
    warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its text is; and of what cannot be written all else is written all the same."""
    Path("definitions/deadline.yaml").write_text(READER.replace("task_events", "deadlines"))
    assert run_command(["views", "apply"]) == 3
    assert "+ studio.task_events_latest" in (told := capsys.readouterr()).out
    assert "deadlines" in told.err
    with duckdb.connect(str(warehouse)) as duck:
        duck.execute("ALTER TABLE studio.task_events RENAME title TO name")
    assert run_command(["views", "diff", "task"]) == 1
    assert capsys.readouterr().out.startswith("~ studio.task_events_latest")


@pytest.mark.usefixtures("warehouse")
@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("apply film", 64, "data source `film` has no `latest`"),
        ("apply tsk", 64, "unknown data source `tsk`"),
        (
            "apply --target local",
            3,
            "DuckDB keeps views in a database file, and the target has none",
        ),
    ],
)
def test_what_makes_no_sense_is_told(
    capsys: pytest.CaptureFixture[str], line: str, code: int, told: str
) -> None:
    assert run_command(["views", *line.split()]) == code
    assert told in capsys.readouterr().err


REPORT = """\
input: tasks
source: task
fields: [task_id, headline, is_late]
sort: task_id
"""


@pytest.fixture
def report(warehouse: Path) -> Path:
    folder = warehouse.parent / "inputs"
    folder.mkdir()
    (folder / "tasks.yaml").write_text(REPORT)
    return warehouse


@pytest.mark.usefixtures("report")
def test_a_report_that_reads_views_has_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    def told(*line: str) -> str:
        assert run_command([*line]) == 0
        return capsys.readouterr().out

    told("views", "apply")
    rows = told("preview", "tasks", "--format", "csv")
    assert rows.splitlines()[1:] == ["1,recast,"]
    assert told("preview", "tasks", "--format", "csv", "--views") == rows
    assert "FROM studio.task_events_latest\n" in told("compile", "tasks", "--views")
    assert "ROW_NUMBER" not in told("compile", "tasks", "--views", "--dialect", "trino")


@pytest.mark.usefixtures("report")
def test_a_view_that_is_not_what_the_definitions_mean_is_not_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nor one that is not there, nor one for a day that has passed."""

    def refused(*line: str) -> str:
        assert run_command(["preview", "tasks", "--views", *line]) != 0
        return capsys.readouterr().err

    assert "the view `studio.task_events_latest` does not exist" in refused()
    assert run_command(["views", "apply"]) == 0
    Path("definitions/task.yaml").write_text(TASK.replace("'gone'", "'deleted'"))
    assert "is not what the definitions mean\n" in refused()
    assert "`--as-of` is not for `--views`" in refused("--as-of", "2026-11-01")
    assert "DuckDB keeps views in a database file" in refused("--target", "local")
