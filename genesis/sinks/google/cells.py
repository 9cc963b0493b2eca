"""Cells as Google Sheets holds them: typed values, dates as days since 1899-12-30, formats.

A value is never handed to Sheets to be understood, so text that looks like a formula, a number or a
date stays text. The surprise: an instant stands there as the wall clock of the spreadsheet's time
zone, and an hour that the clock strikes twice is told by what was written, its fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from genesis.sinks.workbook.patterns import excel_pattern
from genesis.sync.changes import Cell, Formula
from genesis.sync.stamps import fingerprint

if TYPE_CHECKING:
    from genesis.compile.statement import Column

Json = dict[str, Any]
Raw = bool | int | float | str | Formula | None

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # a wall clock
_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_CUSTOM_ZONE = re.compile(r"GMT([+-])(\d\d):?(\d\d)")


def zone_of(name: str) -> tzinfo:
    """The time zone that a spreadsheet names."""
    if match := _CUSTOM_ZONE.fullmatch(name):
        length = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(length if match[1] == "+" else -length)
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return UTC


# Languages that write 0.5; the others write 0,5. Of some countries it is the other way round.
_WITH_POINT = frozenset(
    [
        "bn",
        "cy",
        "en",
        "fil",
        "ga",
        "gu",
        "he",
        "hi",
        "iw",
        "ja",
        "kn",
        "ko",
        "ml",
        "mr",
        "ms",
        "pa",
        "ta",
        "te",
        "th",
        "ur",
        "zh",
    ]
)
_OTHERWISE = frozenset(
    [
        "de_CH",
        "de_LI",
        "en_ZA",
        "es_GT",
        "es_HN",
        "es_MX",
        "es_NI",
        "es_PA",
        "es_PE",
        "es_PR",
        "es_SV",
        "es_US",
        "it_CH",
    ]
)


def decimal_mark(locale: str) -> str:
    """What stands before the decimals where people of a locale type a number."""
    has_point = locale.partition("_")[0] in _WITH_POINT or not locale
    return "." if has_point != (locale in _OTHERWISE) else ","


# ---- to Sheets


def raw_of(cell: Cell, zone: tzinfo) -> Raw:
    """What Sheets is to hold: a boolean, a number or text."""
    match cell:
        case None | bool() | int() | float() | str():
            return cell
        case datetime():
            return _serial(cell.astimezone(zone).replace(tzinfo=None) - _EPOCH)
        case date():
            return (cell - _EPOCH.date()).days
        case time():
            return _serial(datetime.combine(_EPOCH, cell) - _EPOCH)
        case _:
            raise TypeError(f"no cell of a sheet: {cell!r}")


def _serial(length: timedelta) -> int | float:
    days = length / _DAY
    return int(days) if days.is_integer() else days


def cell_data(raw: Raw) -> Json:
    """A value as `updateCells` takes it; without one the cell is cleared."""
    match raw:
        case None | "":
            return {}
        case bool():
            return {"userEnteredValue": {"boolValue": raw}}
        case str():
            return {"userEnteredValue": {"stringValue": raw}}
        case Formula(text):
            return {"userEnteredValue": {"formulaValue": text}}
        case _:
            return {"userEnteredValue": {"numberValue": raw}}


# ---- from Sheets


class _Noted(NamedTuple):
    """A cell with a note."""

    raw: Raw
    note: str


class Collapse:
    """A parsed object, or the value that it does nothing but wrap: for one `json.loads`.

    A hundred thousand rows are millions of wrappers, which never have to be alive all at once. The
    notes of a row's cells are put beside them, as `notes`, by column.
    """

    def __init__(self) -> None:
        self._is_noted = False

    def __call__(self, found: Json) -> Any:
        if len(found) == 1:
            for name, value in found.items():
                if name in ("userEnteredValue", "numberValue", "stringValue", "boolValue"):
                    return value
                if name == "formulaValue":
                    return Formula(value)
        if "note" in found:
            self._is_noted = True
            return _Noted(found.get("userEnteredValue"), found["note"])
        if self._is_noted and "values" in found:
            self._is_noted = False
            return _with_notes(found)
        return found or None


def _with_notes(row: Json) -> Json:
    cells = row["values"]
    return {
        "values": [cell.raw if isinstance(cell, _Noted) else cell for cell in cells],
        "notes": {at: cell.note for at, cell in enumerate(cells) if isinstance(cell, _Noted)},
    }


Reader = Callable[[Raw], Cell]


def reader(type_name: str, zone: tzinfo) -> Reader:
    """How a value of a column reads: a number as a date where the column holds dates."""

    def day(raw: Raw) -> Cell:
        moment = _moment(raw)
        if moment is None:
            return raw
        return moment.date() if moment.time() == time() else moment.replace(tzinfo=UTC)

    def instant(raw: Raw) -> Cell:
        moment = _moment(raw)
        return raw if moment is None else _utc(moment.replace(tzinfo=zone))

    def clock(raw: Raw) -> Cell:
        moment = _moment(raw)
        return raw if moment is None or moment.date() != _EPOCH.date() else moment.time()

    # `True == 1` to Python, not to people.
    def number(raw: Raw) -> Cell:
        if isinstance(raw, float) and raw.is_integer():
            return int(raw)
        return str(raw).upper() if isinstance(raw, bool) else raw

    def truth(raw: Raw) -> Cell:
        return str(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else raw

    return {
        "date": day,
        "timestamp": instant,
        "timestamptz": instant,
        "time": clock,
        "integer": number,
        "decimal": number,
        "float": number,
        "boolean": truth,
    }.get(type_name, lambda raw: raw)


def _moment(raw: Raw) -> datetime | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        return _EPOCH + round(raw * _DAY / _MILLISECOND) * _MILLISECOND
    except OverflowError:
        return None


def _utc(moment: datetime) -> Cell:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def as_written(cell: Cell, print_: str, zone: tzinfo) -> Cell:
    """The cell, or the instant an hour later that shows alike, where that is what was written."""
    if isinstance(cell, datetime) and fingerprint(cell) != print_:
        local = cell.astimezone(zone)
        later = local.replace(fold=1).astimezone(UTC)
        if fingerprint(later) == print_:
            return later
    return cell


# ---- how it is shown

_TYPES = {"date": "DATE", "time": "TIME", "timestamp": "DATE_TIME", "timestamptz": "DATE_TIME"}
_TEXTS = ("string", "json", "array", "struct")


def number_format(column: Column) -> Json | None:
    """The number format of a column, or `None` where values are shown as they come."""
    if column.type.name in _TEXTS:
        return {"type": "TEXT", "pattern": "@"}
    pattern = excel_pattern(column)
    if pattern is None:
        return None
    return {"type": _TYPES.get(column.type.name) or _number_type(pattern), "pattern": pattern}


def _number_type(pattern: str) -> str:
    if "%" in pattern:
        return "PERCENT"
    return "CURRENCY" if re.search(r'[$"]', pattern) else "NUMBER"
