"""A column of a table is changed in two ways; what a report says before and after."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from genesis.compile.joins import raw_column
from genesis.spec.project import Project
from tests.tables import quoted, rows_of

Key = tuple[str, list[str]]
Rows = tuple[list[str], list[list[str | None]]]


def keys_of(project: Project) -> Iterator[Key]:
    """Each table with columns whose values, together, are declared to be of one row."""
    for source in project.data_sources.values():
        for key in (source.primary_key, *source.unique_keys):
            if source.table is not None and source.latest is None:
                yield source.table, [raw_column(source, name) for name in key]


def changed(
    duck: duckdb.DuckDBPyConnection, sql: str, keys: list[Key]
) -> Iterator[tuple[tuple[str, ...], Rows]]:
    """What the report says after each change of a column of a table: emptied, or moved round by one row.

    Where a key would repeat, a to-one join would multiply rows: that is not a change of one column.
    """
    for schema, table, column, kind in duck.execute(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        " ORDER BY ALL"
    ).fetchall():
        place = [] if schema == "main" else [schema]
        name, target = ".".join(map(quoted, [*place, table])), quoted(column)
        first = f"(SELECT {target} FROM {name} ORDER BY rowid LIMIT 1)"
        following = f"lead({target}, 1, {first}) OVER (ORDER BY rowid)"
        for value in (f"CAST(NULL AS {kind})", following):
            after = f"(SELECT rowid AS row, {value} AS value FROM {name}) AS after"
            duck.begin()
            try:
                duck.execute(
                    f"UPDATE {name} SET {target} = after.value FROM {after} WHERE {name}.rowid = after.row"
                )
                if any(_repeats(duck, *key) for key in keys if column in key[1]):
                    continue
                said = rows_of(duck, sql)
            except duckdb.Error:  # a cast, say, that the change has broken
                continue
            finally:
                duck.rollback()
            yield (*place, table, column), said


def _repeats(duck: duckdb.DuckDBPyConnection, table: str, key: list[str]) -> bool:
    columns = ", ".join(map(quoted, key))
    there = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in key)
    query = f"SELECT 1 FROM {table} WHERE {there} GROUP BY {columns} HAVING count(*) > 1"
    return bool(duck.execute(query).fetchall())
