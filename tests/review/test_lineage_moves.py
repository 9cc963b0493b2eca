"""By brute force: a table's column is changed, and whatever moves in the report has it in its lineage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import table_parts
from genesis.compile.joins import raw_column
from genesis.review.lineage import Lineage, lineages
from genesis.spec.project import Project
from tests.review.reports import CASES, of_case
from tests.tables import connect, load_tables, quoted, rows_of

TableColumn = tuple[tuple[str, ...], str]
Columns = dict[str, list[str]]


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_what_moves_has_the_changed_column_in_its_lineage(folder: Path) -> None:
    """Emptied, or its values moved round by one row: by its value, its rows or the records there are."""
    report = of_case(folder)
    sql = compile_input(report.project, report.name, "duckdb", report.run).sql
    found = {one.column: _told(one) for one in lineages(report.project, report.name, report.run)}
    with connect() as duck:
        load_tables(duck, folder / "tables")
        before = _columns(duck, sql)
        for (table, column), after in _changed(duck, sql, list(_keys(report.project))):
            moved = [name for name in before if before[name] != after[name]]
            everything = (table, "*")
            strangers = [name for name in moved if not {(table, column), everything} & found[name]]
            assert strangers == [], f"{'.'.join(table)}.{column}"


def _keys(project: Project) -> Iterator[tuple[str, list[str]]]:
    """Each table with columns whose values, together, are declared to be of one row."""
    for source in project.data_sources.values():
        for key in (source.primary_key, *source.unique_keys):
            if source.table is not None and source.latest is None:
                yield source.table, [raw_column(source, name) for name in key]


def _told(lineage: Lineage) -> set[TableColumn]:
    return {
        (tuple(map(str.lower, table_parts(one.table))), one.column.lower())
        for one in lineage.all_columns
    }


def _changed(
    duck: duckdb.DuckDBPyConnection, sql: str, keys: list[tuple[str, list[str]]]
) -> Iterator[tuple[TableColumn, Columns]]:
    """What the report says after each change of a column of a table, one change at a time.

    Where a key would repeat, a to-one join would multiply rows: that is not a change of one column.
    """
    for schema, table, column in duck.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns ORDER BY ALL"
    ).fetchall():
        place = [] if schema == "main" else [schema]
        name, target = ".".join(map(quoted, [*place, table])), quoted(column)
        rows = duck.execute(f"SELECT rowid, {target} FROM {name} ORDER BY rowid").fetchall()
        values = [value for _, value in rows]
        for changed in ([None] * len(rows), [*values[1:], *values[:1]]):
            duck.begin()
            for (row, _), value in zip(rows, changed, strict=True):
                duck.execute(f"UPDATE {name} SET {target} = ? WHERE rowid = ?", [value, row])
            try:
                if any(_repeats(duck, *key) for key in keys):
                    continue
                said = _columns(duck, sql)
            except duckdb.Error:  # a cast, say, that the change has broken
                continue
            finally:
                duck.rollback()
            yield (tuple(map(str.lower, [*place, table])), column.lower()), said


def _repeats(duck: duckdb.DuckDBPyConnection, table: str, key: list[str]) -> bool:
    columns = ", ".join(map(quoted, key))
    there = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)
    query = f"SELECT 1 FROM {table} WHERE {there} GROUP BY {columns} HAVING count(*) > 1"
    return bool(duck.execute(query).fetchall())


def _columns(duck: duckdb.DuckDBPyConnection, sql: str) -> Columns:
    """The values of each column, in no order: a sort moves whole rows."""
    names, rows = rows_of(duck, sql)
    return {name: sorted(str(row[at]) for row in rows) for at, name in enumerate(names)}
