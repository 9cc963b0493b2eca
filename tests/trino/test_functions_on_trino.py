"""What counts as portable gives on Trino what it gives on DuckDB, in the values in which they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from trino.exceptions import TrinoQueryError

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.errors import DefinitionError
from tests.functions.rows import RUN as RUN_OF_ROWS
from tests.functions.rows import Row, all_rows, different, project_of
from tests.trino.both import AskBoth, both_engines, project_in
from tests.trino.catalogs import Ask, catalog_of

FOLDER = Path(__file__).parent / "functions"
PROJECT = project_in(FOLDER)
RUN = Run(moment=datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=UTC))
SHOWN = "shown"
VALUES = tuple(row for row in all_rows() if not row.fails)
FAILURES = tuple(row for row in all_rows() if row.fails)
TOGETHER = 100  # columns of a query


@pytest.fixture(scope="module")
def ask(trino_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskBoth]:
    events = {"sample": (FOLDER / "sample.jsonl").read_text("utf-8").splitlines()}
    with both_engines(PROJECT, events, trino_server, tmp_path_factory.mktemp("lake")) as both:
        yield both


@pytest.mark.parametrize("name", sorted(PROJECT.inputs))
def test_both_engines_agree(ask: AskBoth, name: str):
    duckdb, trino = ask(name, replace(RUN, render="text") if name == SHOWN else RUN)
    assert trino == duckdb


@pytest.fixture(scope="module")
def ask_trino(trino_server: str) -> Iterator[Ask]:
    with catalog_of({}, trino_server) as trino:
        yield trino


@pytest.mark.parametrize("first", range(0, len(VALUES), TOGETHER))
def test_trino_gives_the_values(ask_trino: Ask, first: int, tmp_path: Path):
    """The values that DuckDB gives, as a person wrote them beside the calls."""
    rows = VALUES[first : first + TOGETHER]
    columns = ask_trino(
        compile_input(project_of(rows, tmp_path), "shown", "trino", RUN_OF_ROWS).sql
    )
    given = [values[0] for values in columns.values()]
    assert not different(rows, given[:-1])  # the key comes last


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row.call)
def test_trino_fails(ask_trino: Ask, row: Row, tmp_path: Path):
    """What has no value is no value of another kind; some of it is told before any query."""
    project = project_of((row,), tmp_path)
    with pytest.raises((TrinoQueryError, DefinitionError)):
        ask_trino(compile_input(project, "shown", "trino", RUN_OF_ROWS).sql)
