"""A line of JSON -> one change event with typed values, or the reason why it is none. PURE.

A line is a plain object whose keys are columns, or a Debezium envelope. Nothing is guessed: what
a type does not say is refused, and the clock is handed in. The surprise: a value may also be
Python's own (a `date`, a `Decimal`), as the rows of Parquet files and the numbers of an envelope
with a schema are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, NamedTuple

from genesis.lake.columns import OP, SOURCE_POS, SOURCE_TS, TS, LogColumn
from genesis.lake.debezium import NotAnEvent, Record, find_envelope, plain_record
from genesis.spec.types import STRING, Type
from genesis.spec.values import describe

OPERATIONS = {"c": "create", "u": "update", "d": "delete", "r": "snapshot read", "h": "heartbeat"}

SAID = (OP, TS, SOURCE_TS, SOURCE_POS)  # what an event says of itself


class Event(NamedTuple):
    """One change: values of the reader's columns, in their order, and the keys that are none."""

    values: tuple[Any, ...]
    ignored: tuple[str, ...] = ()


class Reject(NamedTuple):
    """Why a line is no event."""

    reason: str


class Reader:
    """Reads the events of one change log; `columns` are those of `SAID`, then the record's.

    `now` is the time of the events that do not say theirs.
    """

    def __init__(self, record_columns: Sequence[LogColumn], now: datetime) -> None:
        self.columns = (*SAID, *record_columns)
        self._checks = [(column.name, _check_of_column(column)) for column in self.columns]
        self._known = frozenset(column.name for column in self.columns)
        self._key = tuple(column.name for column in record_columns if column.required)
        self._key_ends = len(SAID) + len(self._key)
        self._decimals = frozenset(c.name for c in record_columns if c.type.name == "decimal")
        self._now = now

    def line(self, text: str) -> Event | Reject:
        """The event that a line of JSON holds."""
        try:
            record = _object(text)
            if ("op" in record or "payload" in record) and (envelope := find_envelope(record)):
                plain = plain_record(envelope, key=self._key, decimals=self._decimals)
                return self._event(plain)
            return self._event(record)
        except NotAnEvent as why:
            return Reject(str(why))

    def row(self, row: Record) -> Event | Reject:
        """The event that a row of a table holds."""
        try:
            return self._event(row)
        except NotAnEvent as why:
            return Reject(str(why))

    def key_of(self, event: Event) -> tuple[Any, ...]:
        """The values that tell the event's record from all others."""
        return event.values[len(SAID) : self._key_ends]

    def _event(self, record: Record) -> Event:
        get = record.get
        try:
            values = [
                None if (value := get(name)) is None else check(value)
                for name, check in self._checks
            ]
        except _NOT_OF_TYPE:
            raise NotAnEvent("; ".join(self._wrong_types(record))) from None
        if "_op" not in record:
            values[0] = "u"
        if "_ts" not in record:
            values[1] = self._now
        if values[0] not in OPERATIONS or values[1] is None or None in values[4 : self._key_ends]:
            raise NotAnEvent("; ".join(self._missing(values)))
        if self._known.issuperset(record):
            return Event(tuple(values))
        return Event(tuple(values), tuple(name for name in record if name not in self._known))

    def _wrong_types(self, record: Record) -> Iterator[str]:
        for column, (name, check) in zip(self.columns, self._checks, strict=True):
            value = record.get(name)
            try:
                if value is not None:
                    check(value)
            except _NOT_OF_TYPE:
                yield f"`{name}` should be {_expected(column.type)}, not {_shown(value)}"

    def _missing(self, values: Sequence[Any]) -> Iterator[str]:
        for column, value in zip(self.columns, values, strict=True):
            if column.required and value is None:
                yield f"`{column.name}` is missing or null"
        if values[0] is not None and values[0] not in OPERATIONS:
            known = ", ".join(f"`{op}` ({meaning})" for op, meaning in OPERATIONS.items())
            yield f"`_op` is `{values[0]}`, not one of {known}"


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is no value in JSON")


# One decoder for all lines: `json.loads` with an argument makes a new one each time.
_decode = json.JSONDecoder(parse_constant=_no_constant).decode


def _object(text: str) -> dict[str, Any]:
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise NotAnEvent(f"no JSON: {error.msg} (character {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"no JSON that can be read: {error}") from None
    if not isinstance(value, dict):
        raise NotAnEvent(f"a line holds one JSON object, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value as JSON has it, so that a text is told from a number."""
    if isinstance(value, dict | list):
        return describe(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= 80 else f"`{text[:76]}...`"


def _expected(type_: Type) -> str:
    match type_.name:
        case "array":
            return f"a list ({type_})"
        case "decimal":
            return f"a {type_} as text"
        case name:
            return _EXPECTED[name]


_EXPECTED = {
    "string": "text",
    "integer": "a whole number of 64 bits",
    "float": "a number",
    "boolean": "`true` or `false`",
    "date": "a date as text (`2026-11-23`)",
    "time": "a time as text (`09:30:00`)",
    "timestamp": "a timestamp as text (`2026-11-23T09:30:00`)",
    "timestamptz": "an instant as text (`2026-11-23T09:30:00Z`)",
    "json": "JSON",
}

Check = Callable[[Any], Any]

# What a check may raise: ours and `fromisoformat`'s, a decimal that does not fit, an instant
# whose year in UTC is none, JSON that is nested too deeply to be written.
_NOT_OF_TYPE = (ValueError, TypeError, ArithmeticError, RecursionError)


def _check_of(type_: Type) -> Check:
    """What brings a value to a type, or raises one of `_NOT_OF_TYPE`."""
    match type_:
        case Type(name="decimal", precision=precision, scale=scale):
            return _decimal_check(precision, scale)
        case Type(name="array", item=Type() as item):
            return _array_check(_check_of(item))
        case _:
            return _CHECKS[type_.name]


def _check_of_column(column: LogColumn) -> Check:
    check = _check_of(column.type)
    if not column.is_spare:
        return check

    def check_spare(value: Any) -> Any:
        with suppress(*_NOT_OF_TYPE):
            return check(_as_text(value) if column.type == STRING else value)
        return None

    return check_spare


def _as_text(value: Any) -> Any:
    """A value as text, of a source whose type has no word here."""
    if type(value) is str or value is None:
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _string(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    if not value.isascii():
        value.encode()  # half of a surrogate pair is JSON, but no text
    return value


def _integer(value: Any) -> int:
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    raise TypeError


def _float(value: Any) -> float:
    if type(value) not in (float, int):
        raise TypeError
    number = float(value)
    if math.isfinite(number):
        return number
    raise ValueError


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise TypeError


def _date(value: Any) -> date:
    return value if type(value) is date else date.fromisoformat(value)


def _time(value: Any) -> time:
    clock = value if type(value) is time else time.fromisoformat(value)
    if clock.tzinfo is None:
        return clock
    raise ValueError


def _timestamptz(value: Any) -> datetime:
    """An instant; one without a zone is in UTC, as everywhere in the language."""
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _timestamp(value: Any) -> datetime:
    return _timestamptz(value).replace(tzinfo=None)


def _json(value: Any) -> str:
    """The text of a JSON value. A text must be JSON itself: databases send their JSON as text."""
    if type(value) is str:
        _decode(value)
        return _string(value)
    return _string(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


_CHECKS: dict[str, Check] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "json": _json,
}

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)


def _decimal_check(precision: int, scale: int) -> Check:
    unit = Decimal(1).scaleb(-scale)
    context = Context(prec=precision, traps=[InvalidOperation, Inexact])

    def check(value: Any) -> Decimal:
        # A float is refused, since whoever wrote it may have rounded it; a whole number is exact.
        if type(value) not in (str, int, Decimal):
            raise TypeError
        if type(value) is str and not _NUMBER.fullmatch(value):
            raise ValueError
        return Decimal(value).quantize(unit, context=context)

    return check


def _array_check(check: Check) -> Check:
    def check_all(values: Any) -> list[Any]:
        if type(values) is not list:
            raise TypeError
        return [None if value is None else check(value) for value in values]

    return check_all
