"""TPC-H by hand: inputs give the rows of the specification's own SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from genesis.compile.check import check_project
from genesis.compile.run import Run
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.run.prove import prove
from genesis.spec.project import DuckDBTarget, EngineConfig, Target
from tests.tables import connect
from tests.tpch.data import make_tables
from tests.tpch.questions import FOLDER, NAMES, answer, differences, project, question

SCALE_ONE_HUNDREDTH = 100  # suppliers


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """The eight tables, with 60,000 lines of orders."""
    with connect() as made:
        make_tables(made, SCALE_ONE_HUNDREDTH)
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_an_input_answers_as_the_specification_does(
    name: str, duck: duckdb.DuckDBPyConnection
) -> None:
    """Row by row, in order, and there are rows."""
    asked = question(name, "duckdb")
    expected = duck.sql(answer(name)).fetchall()
    assert expected
    assert differences(asked, duck.sql(asked.sql).fetchall(), expected) == []


def test_the_project_has_no_mistake() -> None:
    """It is as a careful analyst would leave it."""
    problems = Problems()
    check_project(project(), problems)
    assert problems.errors == ()


def test_the_data_is_as_declared(tmp_path: Path) -> None:
    """Every key, to-one join and value of the project holds in what is made."""
    with duckdb.connect(str(tmp_path / "tpch.duckdb")) as made:
        make_tables(made, SCALE_ONE_HUNDREDTH)
    target = Target(engine=EngineConfig(duckdb=DuckDBTarget(database="tpch.duckdb")))
    found, problems = project(), Problems()
    with DuckDBEngine(tmp_path, target) as engine:
        sources = list(found.data_sources.values())
        notes = prove(found, sources, engine, Run(staged=True), problems, lambda _: None)
    assert (list(problems), notes) == ([], ())


def test_the_readme_tells_of_every_question() -> None:
    """All twenty-two have a row that says how they are said."""
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    table = "".join(line for line in told.splitlines() if line.startswith("|"))
    assert [number for number in range(1, 23) if f"q{number:02}" not in table] == []
    assert set(NAMES) == {f"q{number:02}" for number in range(1, 23)} | {"q10_detail"}
