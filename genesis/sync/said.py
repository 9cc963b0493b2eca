"""What people say in a tracker's annotations: their cells as values, and what is other than before.

Only what differs is told, so that who keeps it knows what was said when. A value that is not of its
column's type, or none of its values, is told to people and counts as not said. The surprise: the
values of a row's key are read from its key text, since the row may have left the report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from genesis.compile.trackers import annotation_table
from genesis.sync.changes import Annotation, Cell, Changes, Formula, Reject, Tracker
from genesis.sync.encode import ENCODINGS, Unfit, typed_part
from genesis.sync.keys import HIDDEN_PREFIX, key_columns, key_parts

if TYPE_CHECKING:
    from genesis.compile.statement import Column

Values = Mapping[str, Any]
"""What people said of one record, by annotation; without what they left empty."""


@dataclass(frozen=True, slots=True)
class Said:
    """What people say of one record now: the values of its key, and of every annotation."""

    key: str
    record: Mapping[str, Any]


def table_of(tracker: Tracker) -> str:
    """The table that keeps what people say in a tracker, as definitions name it."""
    return annotation_table(tracker.name)


def record_key(tracker: Tracker) -> tuple[tuple[str, Column], ...]:
    """The key columns of that table, each with the report's column that it is."""
    columns = key_columns(tracker.columns)
    return tuple((column.name.removeprefix(HIDDEN_PREFIX), column) for column in columns)


def read_back(
    changes: Changes, tracker: Tracker, last: Mapping[str, Values]
) -> tuple[tuple[Said, ...], tuple[Reject, ...]]:
    """What is other than it was read last, and the cells whose values are not those asked for."""
    asked = {each.name: each for each in tracker.annotations}
    found = [asked[column.name] for column in changes.present.annotations if column.name in asked]
    said: list[Said] = []
    rejects: list[Reject] = []
    released = set(changes.releases)
    for row in changes.rows if found else ():
        if row.position in released:
            continue
        before = last.get(row.key, {})
        now = dict(before)
        for each, cell in zip(found, row.annotations, strict=True):
            try:
                now[each.name] = value_of(cell, each, tracker.zone)
            except _NOT_OF_TYPE:
                rejects.append(Reject(row.key, each.name, _reason(cell, each), "value"))
        now = {name: value for name, value in now.items() if value is not None}
        if now == before:
            continue
        try:
            key = _key_values(row.key, tracker)
        except _NOT_OF_TYPE:
            reason = "its key is too long, or has no value: what people put there is not read back"
            rejects.append(Reject(row.key, "", reason, "value"))
        else:
            said.append(Said(row.key, key | {name: now.get(name) for name in asked}))
    return tuple(said), tuple(rejects)


def cells_of(last: Mapping[str, Values], tracker: Tracker) -> Mapping[str, Mapping[str, Cell]]:
    """The cells in which the tracker's sink holds what people said."""
    encoding = ENCODINGS[tracker.place.sink]
    encoders: dict[str, Callable[[Any], Cell | Unfit]] = {
        each.name: encoding.by_column(each.column, tracker)
        if encoding.by_column
        else lambda value: encoding.cell(value, tracker.zone)
        for each in tracker.annotations
    }

    def cells(values: Values) -> Iterator[tuple[str, Cell]]:
        for name, value in values.items():
            cell = encoders[name](value) if name in encoders else None
            if not isinstance(cell, Unfit):
                yield name, cell

    return {key: dict(cells(values)) for key, values in last.items()}


def _key_values(key: str, tracker: Tracker) -> dict[str, Any]:
    columns = record_key(tracker)
    parts = key_parts(key)
    values = {
        name: typed_part(part, column.type, tracker.zone)
        for (name, column), part in zip(columns, parts, strict=True)
    }
    if None in values.values():
        raise ValueError(key)
    return values


def _reason(cell: Cell, each: Annotation) -> str:
    shown = cell.text if isinstance(cell, Formula) else str(cell)
    shown = f"{shown[:60]}…" if len(shown) > 60 else shown
    if each.values:
        return f"`{shown}` is not one of its values, and not read back"
    return f"`{shown}` is no {each.column.type}, and not read back"


# ---- a cell as a value of a type

_NOT_OF_TYPE = (ValueError, TypeError, ArithmeticError, KeyError)
_DIGITS = 15  # of a number, in every program that holds trackers


def value_of(cell: Cell, each: Annotation, zone: ZoneInfo) -> Any:
    """What a person put into a cell, in the annotation's type. Raises where it is no such value."""
    if isinstance(cell, str):
        cell = cell.strip() or None
    if cell is None:
        return None
    if isinstance(cell, Formula | tuple):
        raise TypeError(cell)
    value = _typed(cell, each.column, zone)
    if each.values and value not in [_typed(known, each.column, zone) for known in each.values]:
        raise ValueError(cell)
    return value


def _typed(cell: Any, column: Column, zone: ZoneInfo) -> Any:
    type_ = column.type
    if type_.name == "decimal":
        context = Context(prec=type_.precision, traps=[InvalidOperation, Inexact])
        return _number(cell).quantize(Decimal(1).scaleb(-type_.scale), context=context)
    return _TYPED[type_.name](cell, zone)


def _text(cell: Any) -> str:
    match cell:
        case bool():
            return str(cell).lower()
        case float():
            return format(_number(cell), "f")
        case datetime():
            return cell.isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _number(cell: Any) -> Decimal:
    if isinstance(cell, bool):
        raise TypeError(cell)
    number = Decimal(f"{cell:.{_DIGITS}g}" if isinstance(cell, float) else str(cell))
    if not number.is_finite():
        raise ValueError(cell)
    return number


def _whole(cell: Any) -> int:
    number = _number(cell)
    if number != int(number) or not -(2**63) <= number < 2**63:
        raise ValueError(cell)
    return int(number)


def _float(cell: Any) -> float:
    number = float(cell) if isinstance(cell, float) else float(_number(cell))
    if not math.isfinite(number):
        raise ValueError(cell)
    return number


def _truth(cell: Any) -> bool:
    return cell if isinstance(cell, bool) else {"true": True, "false": False}[str(cell).lower()]


def _moment(cell: Any) -> datetime:
    if isinstance(cell, str):
        return datetime.fromisoformat(cell)
    return cell if isinstance(cell, datetime) else datetime.combine(cell, time())


def _date(cell: Any) -> date:
    moment = _timestamp(cell)
    if moment.time() != time():
        raise ValueError(cell)
    return moment.date()


def _timestamp(cell: Any) -> datetime:
    """A moment of the wall clock, which is in UTC where it has no zone of its own."""
    moment = _moment(cell)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _instant(cell: Any, zone: ZoneInfo) -> datetime:
    moment = _moment(cell)
    return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)


def _clock(cell: Any) -> time:
    found = time.fromisoformat(cell) if isinstance(cell, str) else cell
    if not isinstance(found, time) or found.tzinfo:
        raise TypeError(cell)
    return found


_TYPED: Mapping[str, Callable[[Any, ZoneInfo], Any]] = {
    "string": lambda cell, _: _text(cell),
    "integer": lambda cell, _: _whole(cell),
    "float": lambda cell, _: _float(cell),
    "boolean": lambda cell, _: _truth(cell),
    "date": lambda cell, _: _date(cell),
    "timestamp": lambda cell, _: _timestamp(cell),
    "timestamptz": _instant,
    "time": lambda cell, _: _clock(cell),
}
