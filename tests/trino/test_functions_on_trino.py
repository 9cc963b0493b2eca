"""What counts as portable gives on Trino what it gives on DuckDB, in the values in which they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from genesis.compile.functions import _PORTABLE_NODES
from genesis.compile.run import Run
from tests.trino.both import AskBoth, both_engines, project_in

FOLDER = Path(__file__).parent / "functions"
PROJECT = project_in(FOLDER)
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


def test_every_portable_function_is_among_them():
    """A function that is added to the list is tried on both engines, or is not portable."""
    written = [item.field for definition in PROJECT.inputs.values() for item in definition.fields]
    used = {type(node) for text in written if text for node in parse_one(text, read="trino").walk()}
    untried = {node for node in _PORTABLE_NODES if not any(issubclass(one, node) for one in used)}
    assert untried == {exp.DateTrunc}  # what DuckDB's dialect reads for a TimestampTrunc
