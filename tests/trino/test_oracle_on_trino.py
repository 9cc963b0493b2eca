"""Reports that nobody thought of: Trino gives the rows that loops over the definitions give."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from hypothesis import given

from tests.oracle.language import Report, Schema, Source
from tests.oracle.meaning import Meaning
from tests.test_compile_properties import _compiled, _settings, worlds
from tests.trino.catalogs import catalog_of

ARROW_TYPES = {"integer": pa.int64(), "string": pa.string(), "boolean": pa.bool_()}


@given(worlds())
@_settings(20)
def test_rows_are_those_of_the_oracle(trino_server: str, world: tuple[Schema, Report]):
    schema, report = world
    statement = _compiled(schema, report, "trino")
    tables = {f"data.{source.name}": table_of(source) for source in schema.values()}
    with catalog_of(tables, trino_server) as ask:
        columns = ask(statement.sql)
    rows = [
        [int(value) if isinstance(value, Decimal) else value for value in row]
        for row in zip(*columns.values(), strict=True)
    ]
    assert rows == Meaning(schema).rows(report)


def table_of(source: Source) -> pa.Table:
    types = [(name, ARROW_TYPES[type_]) for name, type_ in source.columns.items()]
    return pa.Table.from_pylist(source.rows, pa.schema(types))
