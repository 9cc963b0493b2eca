"""Who reads a column: data sources, inputs, trackers, and whom to tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.errors import Problems
from genesis.lake.consumers import EVERY, consumed_columns, consumers, consumers_of
from genesis.load import load_project
from genesis.spec.project import Project

PROJECT = {
    "genesis.yaml": "alerts: {ops: {webhook: '${env:HOOK}'}}",
    "definitions/movie.yaml": """
        data_source: movie
        owner: films@example.com
        table: studio.movies
        primary_key: movie_id
        latest: true
        fields:
          movie_id: {type: integer, column: id}
          title: string
          shouted: {type: string, sql: "upper(title)"}
          budget: {type: float, sql: "budget / 100"}
          unread: string
    """,
    "definitions/task.yaml": """
        data_source: task
        table: studio.tasks
        primary_key: task_id
        fields: {task_id: integer, movie_id: integer}
        joins: {movie: {by: movie_id}}
    """,
    "definitions/top.yaml": """
        data_source: top
        sql: "select id, rating from studio.movies where rating > 8"
        primary_key: id
        fields: {id: integer, rating: float}
    """,
    "inputs/tasks.yaml": """
        input: tasks
        owner: tasks@example.com
        source: task
        parameters: {least: {type: float}}
        fields: [movie.shouted]
        filters: ["movie.budget > :least"]
    """,
    "workflows/tasks.yaml": """
        workflow: daily
        owner: daily@example.com
        schedule: {every: 1d}
        alerts: {on_failure: [ops]}
        jobs:
          - {refresh: tasks, to: {csv: {file: tasks.csv}}}
    """,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    problems = Problems()
    project = load_project(tmp_path, problems)
    assert list(problems) == []
    return project


def test_data_sources_read_raw_columns_of_fields_key_and_rules(project: Project):
    read = {"id", "title", "budget", "unread", "_ts", "_pos", "_op", "rating"}
    assert consumed_columns(project, "studio.movies") == read


def test_a_report_reads_what_its_sql_does(project: Project):
    """Through joins, derived fields and filters."""
    known = consumers(project, "studio.movies")
    assert known["title"].to_json() == {
        "data_sources": ["movie"],
        "inputs": ["tasks"],
        "trackers": ["daily.refresh_tasks"],
        "owners": ["daily@example.com", "films@example.com", "tasks@example.com"],
        "receivers": ["ops"],
    }
    assert list(known["budget"].inputs) == ["tasks"]
    assert list(known["unread"].inputs) == []
    assert list(known["rating"].data_sources) == ["top"]


def test_several_columns_have_readers_together(project: Project):
    found = consumers_of(project, "studio.movies", ["unread", "rating", "title"])
    assert sorted(found.data_sources) == ["movie", "top"]


@pytest.mark.usefixtures("project")
def test_a_query_may_read_every_column(tmp_path: Path):
    (tmp_path / "definitions/top.yaml").write_text(
        PROJECT["definitions/top.yaml"].replace("id, rating", "*")
    )
    starred = load_project(tmp_path, Problems())
    assert EVERY in consumed_columns(starred, "studio.movies")
    assert list(consumers_of(starred, "studio.movies", ["other"]).data_sources) == ["top"]
