"""Reports over a table whose source has changed its columns: now, as of then, before and after a compaction."""

from __future__ import annotations

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from genesis.cli import run_command
from tests.lake.evolving import FIELDS, Parquet, Postgres, movie

DEFINITION = """
data_source: movie
table: studio.movies
primary_key: id
latest: true
fields: {id: integer, title: string, budget: "decimal(10,2)", year: integer, tag: string}
"""
INPUT = """
input: movies
source: movie
fields: [id, title, budget, year, tag]
"""


@pytest.fixture
def evolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parquet:
    """A table that has got a column and a wider one, has lost one, and has another one anew."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("definitions/movie", DEFINITION),
        ("inputs/movies", INPUT),
        ("genesis", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    way = Parquet(tmp_path)
    way.put(id=1, title="Alien", budget=Decimal("1.00"), notes="a")
    way.put(id=2, title="Brazil", budget=Decimal("2.00"), notes="b")
    way.ingest()
    way.add("year", "integer")
    way.add("tag", "integer")
    way.add("budget", "numeric(14,2)")
    way.put(id=1, title="Aliens", budget=Decimal("123456789012.50"), year=1986, tag=7)
    way.ingest()
    way.drop("notes")
    way.drop("tag")
    way.put(id=3, title="Cube", year=1997)
    way.ingest()
    way.add("tag", "text")
    way.definition = movie(
        {**FIELDS, "budget": "decimal(10,2)", "year": "integer", "tag": "string"}
    )
    way.put(id=4, title="Dune", tag="sand")
    assert way.ingest().landed == 1
    return way


NOW = ["1,Aliens,123456789012.50,1986,", "2,Brazil,2.00,,", "3,Cube,,1997,", "4,Dune,,,sand"]
THEN = {"12:01:30": ["1,Alien,1.00,,", "2,Brazil,2.00,,"], "12:03:30": NOW[:3]}


def report(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert run_command(["preview", "movies", "--format", "csv", *options]) == 0
    return capsys.readouterr().out.splitlines()[1:]


@pytest.mark.usefixtures("evolved")
def test_a_report_is_right_now_and_as_of_then(capsys: pytest.CaptureFixture[str]):
    assert report(capsys) == NOW
    for time, rows in THEN.items():
        assert report(capsys, "--as-of", f"2026-11-23T{time}Z") == rows


def test_a_compaction_keeps_what_a_report_says(
    evolved: Parquet, capsys: pytest.CaptureFixture[str]
):
    assert run_command(["compact", "movie"]) == 0
    assert report(capsys) == NOW
    evolved.add("year", "bigint")
    evolved.put(id=2, title="Brasil", year=1985)
    evolved.ingest()
    assert report(capsys) == [NOW[0], "2,Brasil,,1985,", *NOW[2:]]


AUDIT = """
audit: end_to_end
data_source: movie
against: {source: studio_db, table: public.movie, key: id, columns: {title: name}}
"""


def test_an_audit_finds_what_a_renamed_column_has_not_sent_yet(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Older records are NULL in it, until the table is copied anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STUDIO_DB_URL", database)
    with closing(Postgres(tmp_path, database)) as way:
        way.put(id=1, title="Alien")
        way.ingest()
        way.rename("title", "name", "text")
        way.put(id=2, name="Brazil")
        assert way.ingest().paused is not None
        field = {"type": "string", "column": "name"}
        way.definition = movie({**FIELDS, "title": field})
        way.resume()
        for name, text in (("definitions/movie", f"{FOLLOWED}---{AUDIT}"), ("genesis", SOURCES)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / f"{name}.yaml").write_text(text)
        assert differing(capsys) == [["1"]]
        way.ingest(afresh=True)
        assert differing(capsys) == []


FOLLOWED = """
data_source: movie
table: studio.movies
primary_key: id
latest: true
fields: {id: integer, title: {type: string, column: name}, budget: "decimal(10,2)"}
"""
SOURCES = 'sources: {studio_db: {postgres: "${env:STUDIO_DB_URL}"}}'


def differing(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    run_command(["audit", "end_to_end", "--once", "--format", "json"])
    said = json.loads(capsys.readouterr().out)
    return [one["key"] for audit in said["audits"] for one in audit["told"]]
