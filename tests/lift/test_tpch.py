"""The specification's own SQL of TPC-H, taken over into the definitions that are there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genesis.engines.copies import CopiesEngine
from genesis.run.importing import Outcome, Script
from tests.lift.taking import take_over
from tests.tpch.data import make_tables
from tests.tpch.questions import FOLDER, answer

PROVEN_HERE = (
    "q04",
    "q11",
    "q16",
    "q22",
)  # `genesis import sql tests/tpch/answers/*.sql` proves the others too


@pytest.fixture(scope="module")
def engine() -> Iterator[CopiesEngine]:
    """The eight tables."""
    with CopiesEngine() as made:
        make_tables(made._duck, 100)
        yield made


def _taken(names: list[str], engine: CopiesEngine) -> dict[str, Outcome]:
    scripts = [Script(f"{name}.sql", answer(name)) for name in names]
    definitions = FOLDER / "definitions"
    done = take_over(scripts, engine, definitions=definitions, dialect="duckdb", most_copied=500)
    return {outcome.file.removesuffix(".sql"): outcome for outcome in done.outcomes}


def test_what_is_lifted_is_proven(engine: CopiesEngine) -> None:
    """EXISTS, a comparison with the whole table in HAVING and in WHERE, NOT IN."""
    found = _taken(list(PROVEN_HERE), engine)
    assert {name: one.status for name, one in found.items()} == dict.fromkeys(PROVEN_HERE, "proven")


def test_groups_of_groups_are_by_hand(engine: CopiesEngine) -> None:
    """The language has them as a field that aggregates, which somebody has to name."""
    outcome = _taken(["q13"], engine)["q13"]
    assert outcome.status == "by hand"
    assert "groups rows before" in outcome.reasons[0]
