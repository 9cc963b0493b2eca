"""The columns of a change log: its own, then the key, then the payload. PURE.

Names here are raw ones, as the table has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from genesis.spec.data_source import DataSource, own_column
from genesis.spec.types import INTEGER, STRING, TIMESTAMPTZ, Type


@dataclass(frozen=True, slots=True)
class LogColumn:
    """A column of a change log; a required one is never NULL.

    A spare one is kept though no field reads it: a value that its type cannot hold is NULL there.
    """

    name: str
    type: Type
    required: bool = False
    is_spare: bool = False


OP = LogColumn("_op", STRING, required=True)
TS = LogColumn("_ts", TIMESTAMPTZ, required=True)
POS = LogColumn("_pos", INTEGER, required=True)
SOURCE_TS = LogColumn("_source_ts", TIMESTAMPTZ)
SOURCE_POS = LogColumn("_source_pos", STRING)
BATCH = LogColumn("_batch", STRING)

OWN = (OP, TS, POS, SOURCE_TS, SOURCE_POS, BATCH)


def reserved_key(columns: Iterable[LogColumn]) -> dict[str, Any]:
    """The key that heartbeats have. A record may have the same one: the two never meet."""
    return {column.name: _RESERVED[column.type.name] for column in columns if column.required}


_RESERVED: dict[str, Any] = {
    "string": "_heartbeat",
    "json": "{}",
    "integer": -(2**63),
    "decimal": Decimal(0),
    "float": 0.0,
    "boolean": False,
    "date": date(1970, 1, 1),
    "time": time(0),
    "timestamp": datetime(1970, 1, 1, tzinfo=UTC),
    "timestamptz": datetime(1970, 1, 1, tzinfo=UTC),
    "array": [],
}


def record_columns(source: DataSource) -> tuple[LogColumn, ...]:
    """The columns of a data source's records: its key, then what a delete may leave out."""
    types = _types_by_column(source)
    fields = {name: source.fields[name] for name in source.primary_key if name in source.fields}
    key = [column for name, field in fields.items() if (column := own_column(name, field))]
    return (
        *(LogColumn(name, types[name], required=True) for name in key),
        *(LogColumn(name, type_) for name, type_ in types.items() if name not in key),
    )


def guessed_columns(source: DataSource) -> frozenset[str]:
    """Those of `record_columns` that no field names: the table may not have them."""
    fields = source.fields.items()
    named = {own_column(name, field) for name, field in fields if field.column or not field.sql}
    return frozenset(column.name for column in record_columns(source)) - named


def _types_by_column(source: DataSource) -> dict[str, Type]:
    """A field with `sql` has the type of its result; where a plain field reads the same column, it knows better."""
    columns = {name: own_column(name, field) for name, field in source.fields.items()}
    own = {column.name for column in OWN}
    types: dict[str, Type] = {}
    for name, field in source.fields.items():
        column = columns[name]
        if column is not None and column not in own and (column not in types or field.sql is None):
            types[column] = field.type
    return types
