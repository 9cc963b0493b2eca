"""The studio's own reports: Trino gives the rows that DuckDB gives, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from genesis.compile.run import Run
from genesis.demo import hard_cases
from genesis.demo.catalogue import films, places
from genesis.demo.dates import Calendar
from genesis.demo.history import studio_history
from genesis.demo.records import Change
from genesis.demo.studio import SEED
from genesis.demo.wire import lines
from genesis.engines.duckdb import DuckDBEngine
from genesis.engines.trino import TrinoEngine
from genesis.lake.ingest import ingest
from tests.postgres import Postgres
from tests.trino.both import NOW, AskBoth, ask_both, project_in
from tests.trino.lakes import shared_lake

PROJECT = project_in(Path(__file__).parents[2])
INPUTS = sorted(PROJECT.inputs)
TODAY = date(2026, 11, 23)
RUN = Run(moment=datetime(2026, 11, 23, 20, tzinfo=UTC))

ONE_IN = 60  # generated productions
OF_A_PRODUCTION = ("production", "credit", "note", "schedule_day", "task", "vendor_contract")
NAMED_BY_THEM = {
    "invoice": "contract_id",
    "location": "location_id",
    "movie": "movie_id",
    "person": "person_id",
    "vendor": "vendor_id",
}


def some_changes() -> dict[str, list[Change]]:
    """A few productions with all that belongs to them, and every case that is written by hand."""
    calendar = Calendar(TODAY)
    changes = studio_history(SEED, calendar, films(), places())
    theirs = {
        source: [each for each in changes[source] if each.record.production_id % ONE_IN == 0]
        for source in OF_A_PRODUCTION
    }
    named = {
        value
        for found in theirs.values()
        for each in found
        for field, value in each.record._asdict().items()
        if field.endswith("_id")
    }
    others = {
        source: [each for each in changes[source] if getattr(each.record, field) in named]
        for source, field in NAMED_BY_THEM.items()
    }
    by_hand = hard_cases.planted(calendar, places())
    return {source: [*by_hand[source], *found] for source, found in (theirs | others).items()}


@pytest.fixture(scope="module")
def ask(
    trino_server: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AskBoth]:
    """Both engines over one lake, as they run reports and trackers."""
    folder = tmp_path_factory.mktemp("lake")
    with shared_lake(trino_server, postgres.new_database(), folder) as (duckdb, trino):
        for source, changes in some_changes().items():
            file = folder / f"{source}.jsonl"
            file.write_text("".join(f"{line}\n" for line in lines(source, changes)), "utf-8")
            ingest(PROJECT.data_sources[source], [file], root=folder, target=trino, now=NOW)
        with DuckDBEngine(folder, duckdb) as first, TrinoEngine(folder, trino) as second:
            yield partial(ask_both, PROJECT, first, second)


@pytest.mark.parametrize("name", INPUTS)
def test_equal_rows_in_equal_order(ask: AskBoth, name: str):
    duckdb, trino = ask(name, RUN)
    assert trino == duckdb


@pytest.mark.parametrize("name", ["production_tracker", "shooting_schedule", "vendor_contracts"])
def test_equal_texts(ask: AskBoth, name: str):
    duckdb, trino = ask(name, replace(RUN, render="text"))
    assert trino == duckdb


def test_the_servers_own_clock(ask: AskBoth):
    """Committed SQL has no moment in it; it asks the engine what day it is at headquarters."""
    duckdb, trino = ask("shooting_schedule", Run())
    assert trino.schema == duckdb.schema
