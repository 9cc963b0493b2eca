"""What Trino's protocol brings (JSON) as Arrow: the types that DuckDB gives for the same columns.

The client could make Python's values of it; by way of Arrow that takes a tenth of the time. The
surprise: a moment comes as text in the zone that it was made in, and leaves here in UTC.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlglot
from pyarrow import types
from sqlglot import exp

_TYPES = {
    exp.DType.BOOLEAN: pa.bool_(),
    exp.DType.TINYINT: pa.int8(),
    exp.DType.SMALLINT: pa.int16(),
    exp.DType.INT: pa.int32(),
    exp.DType.BIGINT: pa.int64(),
    exp.DType.FLOAT: pa.float32(),
    exp.DType.DOUBLE: pa.float64(),
    exp.DType.VARCHAR: pa.string(),
    exp.DType.CHAR: pa.string(),
    exp.DType.JSON: pa.string(),
    exp.DType.DATE: pa.date32(),
    exp.DType.TIME: pa.time64("us"),
    exp.DType.TIMESTAMP: pa.timestamp("us"),
    exp.DType.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
    exp.DType.UNKNOWN: pa.null(),
}
_MICROSECONDS = len("0000-00-00 00:00:00.000000")
_OF_A_DAY = len("00:00:00.000000")


class Described(Protocol):
    """A column as the client describes it: `type_code` is its type in Trino's words."""

    @property
    def name(self) -> str: ...
    @property
    def type_code(self) -> Any: ...


def table_of(columns: Sequence[Described], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as a table."""
    values = list(zip(*rows, strict=True)) or [() for _ in columns]
    arrays = [
        _array(of_column, arrow_type(column.type_code))
        for column, of_column in zip(columns, values, strict=True)
    ]
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


@functools.lru_cache(maxsize=512)
def arrow_type(text: str) -> pa.DataType:
    """A type of Trino's as Arrow has it; one that no report can hold may be bytes."""
    try:
        return _arrow_type(exp.DataType.build(text, dialect="trino"))
    except (sqlglot.errors.SqlglotError, ValueError):
        return pa.binary()


def _arrow_type(type_: exp.DataType) -> pa.DataType:
    parts = type_.expressions
    match type_.this:
        case exp.DType.DECIMAL if parts:
            return pa.decimal128(*(int(part.name) for part in parts))
        case exp.DType.ARRAY:
            return pa.list_(_arrow_type(parts[0]))
        case exp.DType.MAP:
            return pa.map_(*map(_arrow_type, parts))
        case exp.DType.STRUCT:
            named = [part for part in parts if isinstance(part, exp.ColumnDef)]
            if len(named) < len(parts):  # `row(integer, date)`
                return pa.binary()
            return pa.struct([(part.name, _arrow_type(part.args["kind"])) for part in named])
        case known:
            return _TYPES.get(known, pa.binary())


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if types.is_list(type_):
        return _lists(values, type_)
    if types.is_struct(type_):
        return _structs(values, type_)
    if types.is_floating(type_):  # what is no number comes as text
        return pa.array([None if v is None else float(v) for v in values], type_)
    if types.is_binary(type_):
        return pa.array([None if v is None else base64.b64decode(v) for v in values], type_)
    if types.is_timestamp(type_) and type_.tz is not None:
        texts = [None if v is None else _in_utc(v) for v in values]
        return pa.array(texts, pa.string()).cast(pa.timestamp("us")).cast(type_)
    if types.is_timestamp(type_):
        return pa.array([v and v[:_MICROSECONDS] for v in values], pa.string()).cast(type_)
    if types.is_time(type_):
        return pa.array([v and time.fromisoformat(v[:_OF_A_DAY]) for v in values], type_)
    if types.is_decimal(type_) or types.is_date(type_):
        return pa.array(values, pa.string()).cast(type_)
    return pa.array(values, type_)


def _lists(values: Sequence[Sequence[Any] | None], type_: pa.ListType) -> pa.Array:
    """Lists, of the values of all of them: so that theirs are read as any column's are."""
    offsets: list[int | None] = []
    items: list[Any] = []
    for value in values:
        offsets.append(None if value is None else len(items))
        items += value or ()
    starts = pa.array([*offsets, len(items)], pa.int32())
    return pa.ListArray.from_arrays(starts, _array(items, type_.value_type), type=type_)


def _structs(values: Sequence[Sequence[Any] | None], type_: pa.StructType) -> pa.Array:
    fields = [
        _array([None if value is None else value[number] for value in values], field.type)
        for number, field in enumerate(type_)
    ]
    missing = pa.array([value is None for value in values], pa.bool_())
    return pa.StructArray.from_arrays(fields, fields=list(type_), mask=missing)


def _in_utc(text: str) -> str:
    """`2026-11-23 09:30:00.000 Europe/Berlin` without its zone, in UTC."""
    local, _, zone = text.rpartition(" ")
    local = local[:_MICROSECONDS]
    if zone == "UTC":
        return local
    moment = datetime.fromisoformat(local).replace(tzinfo=_zone(zone)).astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(sep=" ")


@functools.lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name[0] not in "+-":
        return ZoneInfo(name)
    hours, _, minutes = name[1:].partition(":")
    length = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-length if name[0] == "-" else length)
