"""What a source declares of its records: columns with their types, and the key where it tells. PURE.

Parquet files do, and so do Debezium's schemas and PostgreSQL's `Relation` messages; plain lines of JSON
do not. Types are the language's, and three that it does not tell apart or has no word for: `int` of
at most 32 bits, `real`, and a `decimal` of any size. The surprise: `unknown` fits every type, as a
Parquet column with nothing but NULLs has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from genesis.lake.pgoutput import Relation
from genesis.spec.types import FLOAT, INTEGER, MAX_PRECISION, STRING, Type, parse_type

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Declared:
    """The columns of a source's records, each with its type; `key` tells records apart, if it is said."""

    columns: Mapping[str, str]
    key: frozenset[str] | None = None

    def after(self, before: Declared | None) -> Declared:
        """The same, with what it leaves open as it was before."""
        if before is None:
            return self
        known = before.columns
        columns = {n: known.get(n, t) if t == UNKNOWN else t for n, t in self.columns.items()}
        return Declared(columns, before.key if self.key is None else self.key)

    def to_json(self) -> str:
        """It as the property of a table keeps it."""
        key = None if self.key is None else sorted(self.key)
        return json.dumps({"columns": dict(self.columns), "key": key}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Declared:
        """What `to_json` wrote."""
        said = json.loads(text)
        return cls(said["columns"], None if said["key"] is None else frozenset(said["key"]))


def language_type(declared: str) -> Type:
    """The type of a column that holds what a source declares so."""
    match declared:
        case "int":
            return INTEGER
        case "real":
            return FLOAT
        case array if array.startswith("array("):
            return Type("array", item=language_type(array[6:-1]))
        case other:
            return parse_type(other) or STRING


def is_wider(before: str, now: str) -> bool:
    """Whether every value of a type is one of another type too, as Iceberg promotes types."""
    if before.startswith("array(") and now.startswith("array("):
        return is_wider(before[6:-1], now[6:-1])
    if (before, now) in (("int", "integer"), ("real", "float")):
        return True
    one, other = parse_type(before), parse_type(now)
    if one is None or other is None or one.name != "decimal" or other.name != "decimal":
        return False
    return one.scale == other.scale and one.precision < other.precision


# --- Parquet ------------------------------------------------------------------------------------


def of_arrow(schema: pa.Schema) -> Declared:
    """What the schema of a Parquet file declares."""
    return Declared({field.name: _of_arrow_type(field.type) for field in schema})


def _of_arrow_type(type_: pa.DataType) -> str:
    is_ = pa.types
    if is_.is_dictionary(type_):
        return _of_arrow_type(type_.value_type)
    if is_.is_list(type_) or is_.is_large_list(type_) or is_.is_fixed_size_list(type_):
        return f"array({_of_arrow_type(type_.value_type)})"
    if is_.is_decimal(type_):
        return _decimal(type_.precision, type_.scale)
    if is_.is_timestamp(type_):
        return "timestamptz" if type_.tz else "timestamp"
    for is_one, name in _ARROW:
        if is_one(type_):
            return name
    return UNKNOWN if is_.is_null(type_) else "json" if is_.is_nested(type_) else "string"


_ARROW = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_uint64, "decimal(20,0)"),
    (lambda type_: pa.types.is_int64(type_) or pa.types.is_uint32(type_), "integer"),
    (pa.types.is_integer, "int"),
    (pa.types.is_float64, "float"),
    (pa.types.is_floating, "real"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
)


# --- Debezium -----------------------------------------------------------------------------------


def of_debezium(fields: Sequence[Mapping[str, Any]]) -> Declared:
    """What the fields of a schema of Kafka Connect declare."""
    return Declared({str(field.get("field")): _of_connect(field) for field in fields})


def _of_connect(field: Mapping[str, Any]) -> str:
    name, kind = str(field.get("name")), str(field.get("type"))
    parameters = field.get("parameters")
    if name.endswith(".data.Decimal") and isinstance(parameters, Mapping):
        precision = parameters.get("connect.decimal.precision", MAX_PRECISION)
        return _decimal(int(precision), int(parameters.get("scale", 0)))
    if kind == "array" and isinstance(item := field.get("items"), Mapping):
        return f"array({_of_connect(item)})"
    return _CONNECT_NAMES.get(name.rpartition(".")[2], _CONNECT_TYPES.get(kind, "string"))


_CONNECT_NAMES = {
    "Date": "date",
    "Timestamp": "timestamp",
    "MicroTimestamp": "timestamp",
    "NanoTimestamp": "timestamp",
    "ZonedTimestamp": "timestamptz",
    "Time": "time",
    "MicroTime": "time",
    "NanoTime": "time",
    "IsoDate": "date",
    "IsoTime": "time",
    "Json": "json",
    "VariableScaleDecimal": "decimal",
}
_CONNECT_TYPES = {
    "int8": "int",
    "int16": "int",
    "int32": "int",
    "int64": "integer",
    "float": "real",
    "float32": "real",
    "double": "float",
    "float64": "float",
    "boolean": "boolean",
    "struct": "json",
    "map": "json",
}


# --- PostgreSQL ---------------------------------------------------------------------------------


def of_relation(relation: Relation) -> Declared:
    """What a `Relation` message declares; its replica identity is the key, unless that is the whole row."""
    types = {column.name: (column.type, column.modifier) for column in relation.columns}
    return of_table(types, frozenset(each.name for each in relation.columns if each.is_identity))


def of_table(types: Mapping[str, tuple[int, int]], identity: frozenset[str]) -> Declared:
    """The same of a table's columns, each with the number of its type and what that is given along."""
    columns = {name: _of_oid(oid, modifier) for name, (oid, modifier) in types.items()}
    return Declared(columns, None if identity == frozenset(columns) else identity)


def _of_oid(oid: int, modifier: int) -> str:
    """A type of PostgreSQL by its number, which is the same on every server for those that it brings."""
    if oid in _ARRAY_OIDS:
        return f"array({_of_oid(_ARRAY_OIDS[oid], modifier)})"
    if oid == _NUMERIC:
        sizes = modifier - 4  # precision and scale, 16 bits each; the scale has a sign of its own
        scale = ((sizes & 0x7FF) ^ 1024) - 1024
        return "decimal" if modifier < 0 else _decimal(sizes >> 16 & 0xFFFF, scale)
    return _OIDS.get(oid, "string")


_NUMERIC = 1700
_OIDS = {
    16: "boolean",
    20: "integer",
    21: "int",
    23: "int",
    114: "json",
    700: "real",
    701: "float",
    1082: "date",
    1083: "time",
    1114: "timestamp",
    1184: "timestamptz",
    3802: "json",
}
_ARRAY_OIDS = {
    199: 114,
    1000: 16,
    1005: 21,
    1007: 23,
    1009: 25,
    1015: 1043,
    1016: 20,
    1021: 700,
    1022: 701,
    1115: 1114,
    1182: 1082,
    1183: 1083,
    1185: 1184,
    1231: _NUMERIC,
    3807: 3802,
}


def _decimal(precision: int, scale: int) -> str:
    return (
        f"decimal({precision},{scale})" if 0 <= scale <= precision <= MAX_PRECISION else "decimal"
    )
