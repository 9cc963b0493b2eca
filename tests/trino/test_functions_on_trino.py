"""What counts as portable gives on Trino what it gives on DuckDB, in the values in which they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genesis.compile.run import Run
from genesis.errors import Problems
from genesis.load import load_project
from tests.trino.both import AskBoth, both_engines

FOLDER = Path(__file__).parent / "functions"
PROJECT = load_project(FOLDER, Problems())
RUN = Run(moment=datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=UTC))
SHOWN = "shown"


@pytest.fixture(scope="module")
def ask(trino_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskBoth]:
    events = {"sample": (FOLDER / "sample.jsonl").read_text("utf-8").splitlines()}
    with both_engines(PROJECT, events, trino_server, tmp_path_factory.mktemp("lake")) as both:
        yield both


@pytest.mark.parametrize("name", sorted(PROJECT.inputs))
def test_both_engines_agree(ask: AskBoth, name: str):
    duckdb, trino = ask(name, replace(RUN, render="text") if name == SHOWN else RUN)
    assert trino == duckdb
