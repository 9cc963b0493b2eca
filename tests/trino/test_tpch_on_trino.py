"""TPC-H by hand on a real Trino: the answers are the specification's SQL on DuckDB over the same rows."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.tables import connect
from tests.tpch.data import make_tables
from tests.tpch.questions import NAMES, TABLES, answer, differences, question
from tests.trino.catalogs import Ask, catalog_of

SUPPLIERS = 20  # 12,000 lines of orders: loading them takes longer than asking


@pytest.fixture(scope="module")
def both(trino_server: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Ask]]:
    """The same tables on both engines."""
    with connect() as duck:
        make_tables(duck, SUPPLIERS)
        tables = {name: duck.sql(f"FROM {name}").to_arrow_table() for name in TABLES}
        with catalog_of(
            {f"main.{name}": rows for name, rows in tables.items()}, trino_server
        ) as ask:
            yield duck, ask


@pytest.mark.parametrize("name", NAMES)
def test_trino_answers_as_the_specification_does(
    name: str, both: tuple[duckdb.DuckDBPyConnection, Ask]
) -> None:
    """Row by row, in order."""
    duck, ask = both
    asked = question(name, "trino")
    rows = list(zip(*ask(asked.sql).values(), strict=True))
    assert differences(asked, rows, duck.sql(answer(name)).fetchall()) == []
