"""What reviewers and those who move ask of a Trino target: `genesis diff --rows`, `genesis import sql`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path
from typing import Any

import duckdb
import pytest

from genesis.cli import run_command
from genesis.compile.statement import Statement
from tests.lift.studio import FIXTURES, TABLES, studio
from tests.trino.catalogs import Ask, catalog_of

FILMS = {
    "definitions/film.yaml": """\
data_source: film
table: studio.film
primary_key: film_id
fields: {film_id: integer, title: string, status: string}
""",
    "inputs/films.yaml": "input: films\nsource: film\nfields: [film_id, title]\nfilters: [status != 'WRAP']\n",
    "workflows/daily.yaml": "workflow: daily\njobs: [{refresh: films, to: {csv: {file: films.csv}}}]\n",
}

REPORTS = {
    **dict.fromkeys(
        ("not_in_nulls", "production_status", "pinned_note", "region_parameter"), "proven"
    ),
    "vendor_spend": "drafted",
}
CHANGED = """\
input: films
source: film
fields:
  - film_id
  - {field: "concat(title, '!')", name: title}
filters: [status != 'PREP']
"""


def write(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def settings(server: str, ask: Ask) -> str:
    host, _, port = server.rpartition(":")
    [catalog] = ask("SELECT current_catalog AS name")["name"]
    engine = f"{{host: {host}, port: {port}, catalog: {catalog}, schema: main, user: genesis}}"
    return f"targets:\n  default: {{engine: {{trino: {engine}}}}}\n"


@pytest.fixture(scope="module")
def films(trino_server: str) -> Iterator[tuple[str, Ask]]:
    """A catalog with 300 films."""
    with duckdb.connect() as duck:
        drawn = "SELECT i AS film_id, 'Film ' || i AS title, ['PREP', 'SHOOT', 'WRAP'][1 + i % 3] AS status"
        table = duck.sql(f"{drawn} FROM range(300) t(i)").to_arrow_table()
    with catalog_of({"studio.film": table}, trino_server) as ask:
        yield trino_server, ask


def diff(
    root: Path, films: tuple[str, Ask], capsys: pytest.CaptureFixture[str], *words: str
) -> Any:
    """What the command says, as data, of a filter that lets other films through, under another title."""

    def git(*command: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
        subprocess.run(["git", "-C", str(root), *who, *command], check=True, capture_output=True)

    write(root, {**FILMS, "genesis.yaml": settings(*films)})
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    write(root, {"inputs/films.yaml": CHANGED})
    code = run_command(["-C", str(root), "diff", "--rows", "--format", "json", *words])
    said, errors = capsys.readouterr()
    assert (code, errors) == (0, "")
    (change,) = json.loads(said)["changes"]
    return change["rows"]


def test_rows_are_compared_by_key(
    films: tuple[str, Ask], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in preparation go, those that are wrapped come, and all that stay have another title."""
    rows = diff(tmp_path, films, capsys)
    counts = {name: rows[name] for name in ("before", "after", "added", "removed", "changed")}
    assert counts == {"before": 200, "after": 200, "added": 100, "removed": 100, "changed": 100}


def test_a_sample_is_of_the_same_films_on_both_sides(
    films: tuple[str, Ask], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So none of those that stay seems to go or to come: a film is in it by the hash of its key."""
    rows = diff(tmp_path, films, capsys, "--limit", "60")
    bound = f"{int(60 / 200 * 16**6):06x}"
    drawn = [
        n % 3
        for n in range(300)
        if md5(str(n).encode(), usedforsecurity=False).hexdigest()[:6] < bound
    ]
    assert 60 < len(drawn) < 120
    counts = [rows[name] for name in ("before", "after", "removed", "changed", "added")]
    assert counts == [200, 200, *(drawn.count(status) for status in (0, 1, 2))]


def test_reports_are_proven_on_the_target(
    trino_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the dialect that they were written in, and no others: its average of decimals is rounded, ours is not."""
    with studio() as made:
        names = (*TABLES, "studio.credit", "studio.production_events")
        tables = {name: made.query(Statement(f"FROM {name}", (), ())) for name in names}
    files = [str(FIXTURES / f"{name}.sql") for name in REPORTS]
    with catalog_of(tables, trino_server) as ask:
        write(tmp_path, {"genesis.yaml": settings(trino_server, ask)})
        shutil.copytree(FIXTURES / "definitions", tmp_path / "definitions")
        words = ["import", "sql", *files, "--format", "json", "--param", "region=EMEA"]
        assert run_command(["-C", str(tmp_path), *words]) == 1
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert {Path(one["file"]).stem: one["status"] for one in reports} == REPORTS
    assert reports[-1]["reasons"] == [
        "differs on the data: 4 rows of the SQL alone, 4 of the input alone"
    ]
