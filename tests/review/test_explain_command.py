"""`genesis explain INPUT`: text, JSON, one column, and what cannot be explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genesis.cli import run_command

MOVIE = """data_source: movie
table: movies
primary_key: movie_id
fields: {movie_id: integer, delivery: date, title: string}
"""
FILM = """data_source: film
table: films
primary_key: film_id
where: not hidden
fields:
  film_id: integer
  movie_id: integer
  wrap: date
  hidden: boolean
  is_late: {type: boolean, sql: wrap > movie.delivery}
joins:
  movie: {by: movie_id, required: true}
  tasks: {data_source: task, by: film_id}
sets:
  core: [film_id, wrap]
"""
TASK = """data_source: task
table: tasks
primary_key: task_id
fields: {task_id: integer, film_id: integer, done: boolean}
"""
FILMS = """input: films
source: film
parameters: {since: {type: date}}
fields:
  - {set: core, except: [wrap]}
  - is_late
  - {field: count(tasks), where: not tasks.done, name: open}
filters: ['wrap >= :since']
sort: movie.title
limit: 10
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("definitions", "inputs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "genesis.yaml").write_text("")
    for name, text in (("movie", MOVIE), ("film", FILM), ("task", TASK)):
        (tmp_path / "definitions" / f"{name}.yaml").write_text(text)
    (tmp_path / "inputs/films.yaml").write_text(FILMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Out = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("project")
def test_an_input_as_a_colleague_would_explain_it(capsys: Out) -> None:
    """Word for word, since people read it."""
    assert run_command(["explain", "films"]) == 0
    assert capsys.readouterr().out == (Path(__file__).parent / "films.txt").read_text("utf-8")


@pytest.mark.usefixtures("project")
def test_a_join_names_its_askers_and_the_fields_between(capsys: Out) -> None:
    """A column that comes to a join by a derived field, and a sort key that names it."""
    assert run_command(["explain", "films", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "genesis/explain@1"
    (movie,) = told["joins"]
    late, title = movie["asked_by"]
    assert (late["kind"], late["name"], late["at"]["line"]) == ("column", "is_late", 6)
    (field,) = late["through"]
    assert (field["name"], field["sql"]) == ("film.is_late", "wrap > movie.delivery")
    assert (field["at"]["file"], field["at"]["line"]) == ("definitions/film.yaml", 10)
    assert (title["kind"], title["name"]) == ("sort key", "movie.title")


@pytest.mark.usefixtures("project")
def test_a_required_join_takes_rows_away_and_asks_for_itself(capsys: Out) -> None:
    """It acts where the records are chosen, not where the report joins."""
    assert run_command(["explain", "films", "--format", "json"]) == 0
    (chosen,) = json.loads(capsys.readouterr().out)["rows"]
    (join,) = chosen["joins"]
    assert (join["kind"], join["effect"]) == (
        "INNER",
        "`required`: without a match it is no record of film",
    )
    assert [asker["kind"] for asker in join["asked_by"]] == ["required join"]
    assert [one["sql"] for one in chosen["where"]] == ["not hidden"]


@pytest.mark.usefixtures("project")
def test_a_columns_values_stand_apart_from_its_rows(capsys: Out) -> None:
    """A count is made of rows; what they are joined by, and which ones count, are reasons for rows."""
    assert run_command(["explain", "films", "--column", "open", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["values"] == []
    assert {(one["kind"], one["sql"]) for one in told["rows"]} == {
        ("where of column", "not tasks.done"),
        ("related rows", "film.film_id = tasks.film_id"),
    }
    assert {one["kind"] for one in told["records"]} == {
        "where of data source", "filter", "required join", "join", "sort key", "order of limit",
    }  # fmt: skip


@pytest.mark.usefixtures("project")
def test_an_unknown_input_or_column_is_told_with_the_nearest(capsys: Out) -> None:
    """As everywhere else."""
    assert run_command(["explain", "filmz"]) == 2
    assert "did you mean `films`?" in capsys.readouterr().err
    assert run_command(["explain", "films", "--column", "is_lat"]) == 64
    assert "did you mean `is_late`?" in capsys.readouterr().err
    assert run_command(["explain", "films", "--column", "zzz"]) == 64
    assert "its columns are film_id, is_late, open" in capsys.readouterr().err
    assert run_command(["explain", "fans-out", "--column", "open"]) == 64


def test_an_input_with_problems_tells_them(project: Path, capsys: Out) -> None:
    """Nothing is explained of what does not compile; a broken neighbour is no hindrance."""
    (project / "inputs/other.yaml").write_text("input: other\nsource: film\nfields: [tasks.done]\n")
    assert run_command(["explain", "other"]) == 2
    out, err = capsys.readouterr()
    assert (out, "error[fans-out]" in err) == ("", True)
    assert run_command(["explain", "films"]) == 0


@pytest.mark.usefixtures("project")
def test_a_parameter_is_read_by_its_type(capsys: Out) -> None:
    """None need be given; one that is given is checked."""
    assert run_command(["explain", "inputs/films.yaml", "--param", "since=2026-01-01"]) == 0
    assert run_command(["explain", "films", "--param", "since=soon"]) == 2
    assert "error[wrong-parameter]" in capsys.readouterr().err
