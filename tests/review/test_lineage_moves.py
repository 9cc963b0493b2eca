"""By brute force: a table's column is changed, and whatever moves in the report has it in its lineage."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import table_parts
from genesis.review.lineage import Lineage, lineages
from tests.review.moves import Rows, changed, keys_of
from tests.review.reports import CASES, of_case
from tests.tables import connect, load_tables, rows_of

TableColumn = tuple[tuple[str, ...], str]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_moves_has_the_changed_column_in_its_lineage(folder: Path) -> None:
    """Emptied, or its values moved round by one row: by its value, its rows or the records there are."""
    report = of_case(folder)
    sql = compile_input(report.project, report.name, "duckdb", report.run).sql
    found = {one.column: _told(one) for one in lineages(report.project, report.name, report.run)}
    with connect() as duck:
        load_tables(duck, folder / "tables")
        before = _columns(rows_of(duck, sql))
        for (*table, column), said in changed(duck, sql, list(keys_of(report.project))):
            after = _columns(said)
            moved = [name for name in before if before[name] != after[name]]
            place = tuple(map(str.lower, table))
            read = {(place, column.lower()), (place, "*")}
            assert [name for name in moved if not read & found[name]] == [], (*table, column)


def _told(lineage: Lineage) -> set[TableColumn]:
    return {
        (tuple(map(str.lower, table_parts(one.table))), one.column.lower())
        for one in lineage.all_columns
    }


def _columns(said: Rows) -> dict[str, list[str]]:
    """The values of each column, in no order: a sort moves whole rows."""
    names, rows = said
    return {name: sorted(str(row[at]) for row in rows) for at, name in enumerate(names)}
