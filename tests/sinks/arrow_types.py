"""What the columns of a report are in Arrow, for tests that make up reports."""

from __future__ import annotations

import pyarrow as pa

from genesis.spec.types import Type


def arrow_type(type_: Type) -> pa.DataType:
    """The Arrow type of a column of a report."""
    match type_.name:
        case "integer":
            return pa.int64()
        case "decimal":
            return pa.decimal128(type_.precision, type_.scale)
        case "float":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "date":
            return pa.date32()
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", tz="UTC")
        case "array":
            return pa.list_(pa.string())
        case _:
            return pa.string()
