"""Trino gives the rows of every case folder, as a person wrote them down, in their order."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.tables import as_text, load_tables, quoted, rows_of_file
from tests.trino.catalogs import catalog_of

FOLDERS = sorted((Path(__file__).parents[1] / "fixtures" / "cases").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_rows_are_what_the_definitions_mean(folder: Path, trino_server: str):
    sql = (folder / "expected.trino.sql").read_text("utf-8")
    with catalog_of(tables_in(folder / "tables"), trino_server) as ask:
        columns = ask(sql)
    names, *expected = rows_of_file(folder / "rows.csv")
    assert list(columns) == names
    rows = [[as_text(value) for value in row] for row in zip(*columns.values(), strict=True)]
    assert rows == expected


def tables_in(folder: Path) -> dict[str, pa.Table]:
    """The tables of a case, under their dotted names."""
    with duckdb.connect() as duck:
        load_tables(duck, folder)
        names = duck.sql("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        dotted = [f"{quoted(schema)}.{quoted(table)}" for schema, table in names]
        return {name: duck.sql(f"FROM {name}").to_arrow_table() for name in dotted}
