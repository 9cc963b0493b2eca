"""Reports that nobody thought of: DuckDB gives the rows that loops over the definitions give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings

from tests.oracle.choices import by_seed, strategy
from tests.oracle.examples import world
from tests.oracle.language import World, as_yaml
from tests.oracle.running import (
    Difference,
    Refused,
    a_duckdb,
    create_tables,
    differing,
    on_duckdb,
    playing,
)
from tests.oracle.shrinking import shrink

WORLDS = strategy(world)
SEEDS = [range(start, start + 100) for start in range(0, 600, 100)]  # worlds of three reports
# A difference is made small by `shrink`, which knows what worlds are made of.
_BY_HYPOTHESIS = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with a_duckdb() as connection:
        yield connection


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"seeds_from_{seeds[0]}")
def test_rows_are_those_of_the_oracle(duck: duckdb.DuckDBPyConnection, seeds: range) -> None:
    """DuckDB gives, in order, the rows that loops over the definitions give."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        for found in playing(duck, world(by_seed(seed), reports=3)):
            if isinstance(found, Difference):
                pytest.fail(f"seed {seed}\n{shrink(duck, found, timedelta(seconds=20))}")
            counts["refused" if isinstance(found, Refused) else "equal"] += 1
    assert counts["equal"] > 4 * counts["refused"]


@given(WORLDS)
@_BY_HYPOTHESIS
def test_rows_are_those_of_the_oracle_by_yaml(duck: duckdb.DuckDBPyConnection, made: World) -> None:
    """The same where all is written and read, and where hypothesis chooses."""
    (report,) = made.reports
    text = as_yaml(made.schema, made.formatters, report)
    create_tables(duck, made.schema)
    try:
        found = differing(made, report, text, partial(on_duckdb, duck))
    except Refused as refused:
        event(f"refused: {refused}")
        assume(False)
    if found is not None:
        pytest.fail(f"{shrink(duck, found, timedelta(seconds=20))}")
