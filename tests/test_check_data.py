"""`genesis check --data`: the data of a lake against its declarations, by the command line."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
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


DATABASE = "targets: {local: {engine: {duckdb: {database: warehouse.duckdb}}}}\n"


def test_intervals_of_a_join_by_sql_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no key fields by which those of overlapping intervals could be named."""
    monkeypatch.chdir(tmp_path)
    Path("genesis.yaml").write_text(DATABASE)
    Path("definitions").mkdir()
    Path("definitions/rates.yaml").write_text(
        "data_source: rate\ntable: rates\nprimary_key: rate_id\n"
        "fields: {rate_id: integer, kind: string, since: date}\n---\n"
        "data_source: hire\ntable: hires\nprimary_key: hire_id\n"
        "fields: {hire_id: integer, kind: string, made_on: date}\n"
        "joins:\n  rate: {sql: kind = rate.kind, relationship: one_to_many, as_of: {at: made_on, from: since}}\n"
    )
    with duckdb.connect("warehouse.duckdb") as database:
        database.execute("CREATE TABLE rates AS SELECT 1 AS rate_id, 'a' AS kind, NULL::DATE AS since UNION ALL SELECT 2, 'a', NULL")  # fmt: skip
        database.execute("CREATE TABLE hires AS SELECT 1 AS hire_id, 'a' AS kind, DATE '2026-01-01' AS made_on")  # fmt: skip
    _, out = check(capsys, "--data", "--format", "json")
    assert [problem["message"] for problem in json.loads(out)["problems"]] == [
        "intervals of `rate` that join `rate` chooses among overlap"
    ]


def test_a_table_shows_arrays_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("genesis.yaml").write_text(DATABASE)
    Path("films.yaml").write_text(
        "data_source: film\ntable: films\nprimary_key: id\nfields: {id: integer, tags: array(string)}\n---\n"
        "input: films\nsource: film\nfields: [tags]\n"
    )
    with duckdb.connect("warehouse.duckdb") as database:
        database.execute("CREATE TABLE films AS SELECT 1 AS id, ['a', NULL] AS tags")
    assert run_command(["preview", "films", "--definitions", "films.yaml", "--format", "csv"]) == 0
    assert capsys.readouterr().out == 'tags,_key_id\n"[""a"", null]",1\n'
