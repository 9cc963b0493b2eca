"""Worlds on a Trino server."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tests.oracle.language import Source, World
from tests.oracle.running import Difference, Refused, Rows, definitions_of, differing
from tests.trino.catalogs import catalog_of

TYPES = {
    "integer": pa.int64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", tz="UTC"),
    "decimal(18,2)": pa.decimal128(18, 2),
    "float": pa.float64(),
}


def table_of(source: Source) -> pa.Table:
    """Its rows, under the names that the table gives the columns."""
    names = {name: source.column(name) for name in source.columns}
    fields = [(names[name], TYPES[type_]) for name, type_ in source.columns.items()]
    rows = [{names[name]: row[name] for name in names} for row in source.rows]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def playing_on_trino(server: str, world: World) -> Iterator[Difference | Refused | None]:
    """How each report of a world fares on Trino."""
    project = definitions_of(world)
    sources = [source for source in world.schema.values() if source.extends is None]
    with catalog_of({f"data.{one.name}": table_of(one) for one in sources}, server) as query:

        def ask(sql: str) -> Rows:
            columns = query(sql)
            return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]

        for report in world.reports:
            try:
                yield differing(world, report, project, ask, "trino")
            except Refused as refused:
                yield refused
