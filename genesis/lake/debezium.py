"""A Debezium envelope -> the plain record that says the same. PURE.

Values stay as they are, except the numbers that only a schema beside them explains: days since
1970, microseconds, the bytes of a decimal. The surprise: a delete keeps nothing but its key, since
`before` holds stand-ins for whatever the database did not write down.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, NamedTuple

Record = Mapping[str, Any]

# What stands in place of a large value that an update of PostgreSQL left as it was.
_UNAVAILABLE = "__debezium_unavailable_value"


class NotAnEvent(Exception):
    """Why a line is no event."""


class Envelope(NamedTuple):
    """An event of Debezium, and the schema that came with it."""

    body: Mapping[str, Any]
    schema: Mapping[str, Any] | None


def find_envelope(record: Record) -> Envelope | None:
    """The envelope that a record is, or holds under `payload`."""
    body, schema = record, None
    if isinstance(payload := record.get("payload"), dict):
        body, schema = payload, record.get("schema")
    if "op" not in body or not ("before" in body or "after" in body):
        return None
    return Envelope(body, schema if isinstance(schema, dict) else None)


def declared_fields(envelope: Envelope) -> list[dict[str, Any]]:
    """The fields that the schema beside an event has for its rows; none where there is no schema."""
    return _fields_of(envelope.schema, "after") if envelope.schema else []


def plain_record(envelope: Envelope, *, key: Collection[str], decimals: Collection[str]) -> Record:
    """The envelope as a plain line would say it. `decimals` are the columns of that type."""
    body = envelope.body
    row = _row(envelope, decimals)
    if body["op"] == "d":
        row = {name: row.get(name) for name in key}
    source = body["source"] if isinstance(body.get("source"), dict) else {}
    said: dict[str, Any] = {"_op": body["op"], "_source_pos": _source_position(source)}
    for name, at in (("_ts", body.get("ts_ms")), ("_source_ts", source.get("ts_ms"))):
        if at is not None:
            said[name] = _instant(at)
    return {**row, **said}


def _row(envelope: Envelope, decimals: Collection[str]) -> dict[str, Any]:
    op = envelope.body["op"]
    side = "before" if op == "d" else "after"
    row = envelope.body.get(side)
    if not isinstance(row, dict):
        raise NotAnEvent(f"an event with the operation `{op}` has no `{side}`")
    if _UNAVAILABLE in row.values():
        raise NotAnEvent(
            "the database did not send a value; its table needs `REPLICA IDENTITY FULL`"
        )
    if envelope.schema is None:
        return row
    return {**row, **_by_schema(row, _fields_of(envelope.schema, side), decimals)}


def _source_position(source: Record) -> str | None:
    """Where the source's own log stood, as text that only the source understands."""
    parts = [source.get(name) for name in ("file", "pos", "lsn", "scn")]
    return ":".join(str(part) for part in parts if part is not None) or None


def _by_schema(
    row: Record, fields: list[dict[str, Any]], decimals: Collection[str]
) -> dict[str, Any]:
    """The values that are not what they look like."""
    values: dict[str, Any] = {}
    for field in fields:
        name = str(field.get("field"))
        value = row.get(name)
        meaning = _MEANINGS.get(str(field.get("name")))
        if value is None:
            continue
        if meaning is None and name in decimals and type(value) is float:
            values[name] = Decimal(repr(value))
        if meaning is not None:
            try:
                values[name] = meaning(value, field)
            except _NO_SUCH_VALUE:
                raise NotAnEvent(f"`{name}` is not what its schema says") from None
    return values


def _fields_of(schema: Mapping[str, Any], side: str) -> list[dict[str, Any]]:
    """The schema's fields of one side of an event."""
    sides = [part for part in _fields(schema) if part.get("field") == side]
    return _fields(sides[0]) if sides else []


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    fields = schema.get("fields")
    return [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []


_NO_SUCH_VALUE = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


def _instant(milliseconds: Any) -> datetime:
    try:
        return _milliseconds(milliseconds).replace(tzinfo=UTC)
    except _NO_SUCH_VALUE:
        raise NotAnEvent(f"`ts_ms` is no time: `{milliseconds}`") from None


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the column says in which zone


def _milliseconds(value: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=value)


def _microseconds(value: Any) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _days(value: Any) -> date:
    return (_EPOCH + timedelta(days=value)).date()


def _unscaled(value: str, scale: Any) -> Decimal:
    """A decimal of Kafka Connect: the bytes of its digits in base 64, and how many are behind the point."""
    digits = int.from_bytes(base64.b64decode(value, validate=True), "big", signed=True)
    return Decimal(digits).scaleb(-int(scale), Context(prec=1_000))


Meaning = Callable[[Any, Mapping[str, Any]], Any]

_MEANINGS: dict[str, Meaning] = {
    "io.debezium.time.Date": lambda value, _: _days(value),
    "io.debezium.time.Timestamp": lambda value, _: _milliseconds(value),
    "io.debezium.time.MicroTimestamp": lambda value, _: _microseconds(value),
    "io.debezium.time.NanoTimestamp": lambda value, _: _microseconds(value // 1_000),
    "io.debezium.time.Time": lambda value, _: _milliseconds(value).time(),
    "io.debezium.time.MicroTime": lambda value, _: _microseconds(value).time(),
    "io.debezium.time.NanoTime": lambda value, _: _microseconds(value // 1_000).time(),
    "io.debezium.time.IsoDate": lambda value, _: value.removesuffix("Z"),
    "io.debezium.time.IsoTime": lambda value, _: value.removesuffix("Z"),
    "io.debezium.data.VariableScaleDecimal": lambda value, _: _unscaled(
        value["value"], value["scale"]
    ),
    "org.apache.kafka.connect.data.Date": lambda value, _: _days(value),
    "org.apache.kafka.connect.data.Timestamp": lambda value, _: _milliseconds(value),
    "org.apache.kafka.connect.data.Time": lambda value, _: _milliseconds(value).time(),
    "org.apache.kafka.connect.data.Decimal": lambda value, field: _unscaled(
        value, field["parameters"]["scale"]
    ),
}
