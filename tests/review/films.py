"""Films in a DuckDB file, and two versions of a project over them: what a pull request would change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from genesis.cli.diff_rows import Looking
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.load import load_texts
from genesis.review.diff import diff_projects
from genesis.review.reviewed import Review
from genesis.spec.project import Project

SETTINGS = """project: studio
targets: {local: {engine: {duckdb: {database: warehouse.duckdb}}, catalog: {sql: {uri: "sqlite:///none.db", warehouse: none}}}}
"""
FILM = """data_source: film
table: studio.film
primary_key: film_id
fields:
  film_id: integer
  title: string
  status: {type: string, values: [PREP, SHOOT, POST]}
  budget: {type: "decimal(18,2)", format: usd}
  agent: {type: string, sensitivity: confidential}
"""
INPUT = """input: films
title: Films in the making
owner: films@studio.example.com
source: film
fields:
  - title
  - status
  - budget
filters: ["status in ('PREP', 'SHOOT')"]
"""
WORKFLOW = """workflow: films
schedule: {cron: "0 7 * * mon-fri"}
jobs:
  - refresh: films
    to: {google_sheets: {spreadsheet: 1AbC, tab: In the making}}
"""
TEXTS = {
    "genesis.yaml": SETTINGS,
    "definitions/film.yaml": FILM,
    "inputs/films.yaml": INPUT,
    "workflows/films.yaml": WORKFLOW,
}
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def warehouse(folder: Path, films: int = 60) -> None:
    """A third of the films in each state."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as duck:
        duck.execute("CREATE SCHEMA studio")
        duck.execute(
            "CREATE TABLE studio.film AS SELECT n AS film_id, 'Film ' || n AS title,"
            " ['PREP', 'SHOOT', 'POST'][n % 3 + 1] AS status, (n * 1000)::DECIMAL(18,2) AS budget,"
            " 'agent ' || n AS agent FROM range($films) AS t(n)",
            {"films": films},
        )


def edited(*edits: tuple[str, str, str]) -> dict[str, str]:
    """The files, with what stands in one of them replaced."""
    texts = dict(TEXTS)
    for file, old, new in edits:
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new)
    return texts


def project(texts: Mapping[str, str]) -> Project:
    problems = Problems()
    found = load_texts({name: text.encode() for name, text in texts.items()}, problems)
    problems.raise_errors()
    return found


def review(
    before: Mapping[str, str],
    after: Mapping[str, str],
    folder: Path | None = None,
    *,
    limit: int = 1000,
) -> Review:
    """What a reviewer is told; of rows too, where there is a folder with a warehouse."""
    old, new = project(before), project(after)
    diff = diff_projects(old, new, "duckdb")
    if folder is None:
        return Review("origin/main", "the work tree", diff)
    with DuckDBEngine(folder, new.settings.targets["local"]) as engine:
        looked = Looking(old, new, engine, NOW, limit).look(diff)
    return Review("origin/main", "the work tree", diff, looked)
