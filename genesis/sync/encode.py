"""Report rows -> rows as a sink holds them: what a value becomes in each kind of place.

Each kind of sink has its own small table of values below. A value that a cell cannot hold refuses
its row, never the others; NaN and infinity are shown as empty and reported. The surprise: text that
looks like a formula stays text everywhere, and in CSV, which knows no types, by a leading `'`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from genesis.compile.statement import Column
from genesis.errors import Problems, SinkError
from genesis.spec.types import BOOLEAN, Type
from genesis.sync.changes import Cell, Reject, Tracker, Wanted, WantedRow
from genesis.sync.keys import a_few, is_missing, key_columns, key_text

if TYPE_CHECKING:
    import pyarrow as pa

# The column by which `on_delete: mark` says that a row is no longer in the report.
REMOVED = Column("_removed", "Removed", BOOLEAN)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a value cannot be in a cell, and what that refuses."""

    reason: str
    refused: Literal["row", "value"] = "row"


@dataclass(frozen=True, slots=True)
class Encoding:
    """What values become in one kind of sink, and whether hidden key columns stand there too.

    `by_column` is for sinks whose columns have one type each: there the declared type decides.
    """

    cell: Callable[[Any, ZoneInfo], Cell | Unfit]
    shows_keys: bool
    by_column: Callable[[Column, Tracker], Callable[[Any], Cell | Unfit]] | None = None


def encode(rows: pa.Table, tracker: Tracker) -> Wanted:
    """The rows a tracker should hold. Raises `wrong-keys` where they cannot be told apart."""
    encoding = ENCODINGS[tracker.place.sink]
    keys = _keys(rows, tracker)
    columns = managed_columns(tracker)
    encoded = [_encode(rows, column, encoding, tracker) for column in columns]
    all_fit = not any(Unfit in map(type, cells) for cells in encoded)
    landed: list[WantedRow] = []
    rejects: list[Reject] = []
    for key, cells in zip(keys, zip(*encoded, strict=True), strict=True):
        unfit = () if all_fit else tuple(_rejects(key, columns, cells))
        rejects += unfit
        if not any(reject.refused == "row" for reject in unfit):
            landed.append(WantedRow(key, _emptied(cells) if unfit else cells))
    (mark,) = _emptied([encoding.cell(True, tracker.zone)])
    return Wanted(tracker.name, columns, tuple(landed), tuple(rejects), mark, tracker.annotations)


def managed_columns(tracker: Tracker) -> tuple[Column, ...]:
    """The columns that genesis keeps in the tracker."""
    shown = ENCODINGS[tracker.place.sink].shows_keys
    columns = tuple(column for column in tracker.columns if shown or not column.hidden)
    return (*columns, REMOVED) if tracker.on_delete == "mark" else columns


def _encode(
    rows: pa.Table, column: Column, encoding: Encoding, tracker: Tracker
) -> list[Cell | Unfit]:
    if column is REMOVED:
        return [None] * rows.num_rows
    values, zone = rows.column(column.name).to_pylist(), tracker.zone
    if encoding.by_column:
        return list(map(encoding.by_column(column, tracker), values))
    return [encoding.cell(value, zone) for value in values]


def _rejects(
    key: str, columns: Sequence[Column], cells: Sequence[Cell | Unfit]
) -> Iterator[Reject]:
    for column, cell in zip(columns, cells, strict=True):
        if isinstance(cell, Unfit):
            yield Reject(key, column.name, cell.reason, cell.refused)


def _emptied(cells: Sequence[Cell | Unfit]) -> tuple[Cell, ...]:
    return tuple(None if isinstance(cell, Unfit) else cell for cell in cells)


def _keys(rows: pa.Table, tracker: Tracker) -> list[str]:
    """The key of each row; of a tracker that is replaced, its number."""
    if tracker.mode == "replace":
        return [key_text([number]) for number in range(1, rows.num_rows + 1)]
    columns = key_columns(tracker.columns)
    values = [rows.column(column.name).to_pylist() for column in columns]
    parts = list(zip(*values, strict=True)) if values else [()] * rows.num_rows
    keys = [key_text(key) for key in parts]
    problems = Problems()
    missing = [key_text(part) for part in parts if any(map(is_missing, part))]
    if missing and not tracker.is_summary:
        names = ", ".join(f"`{column.name}`" for column in columns)
        problems.add(
            "wrong-keys",
            f"{len(missing):,} of {len(keys):,} rows of tracker `{tracker.name}` have no key:"
            f" {a_few(list(dict.fromkeys(missing)))}",
            hint=f"{names} should never be NULL; look for such records with `genesis preview`",
        )
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        problems.add(
            "wrong-keys",
            f"keys of tracker `{tracker.name}` repeat: {a_few(twice)}",
            hint="the primary key is not unique in the data; declare the one that is, or use"
            " `mode: replace`, which needs no keys",
        )
    if problems:
        raise SinkError(tuple(problems))
    return keys


# ---- what a value becomes, per kind of sink


def typed_cell(value: Any, zone: ZoneInfo) -> Cell | Unfit:
    """The value itself: Parquet and DuckDB hold every type."""
    match value:
        case list() | tuple():
            return tuple(typed_cell(item, zone) for item in value)
        case dict():
            return _json(value)
        case datetime() if value.tzinfo:
            return value.astimezone(UTC)
        case float() if math.isnan(value):
            return math.nan  # the one NaN, which is identical to itself
        case _:
            return value  # type: ignore[no-any-return]


def csv_cell(value: Any, zone: ZoneInfo) -> Cell | Unfit:
    """Text, as a person and any program reads it: ISO dates, instants with their offset."""
    match value:
        case None | "":
            return None
        case str():
            return guarded(value)
        case bool():
            return "true" if value else "false"
        case float():
            return repr(value) if math.isfinite(value) else _not_a_number(value)
        case Decimal():
            return format(value, "f") if value.is_finite() else _not_a_number(value)
        case datetime():
            return (value.astimezone(zone) if value.tzinfo else value).isoformat(" ")
        case date() | time():
            return value.isoformat()
        case list() | tuple() | dict():
            return _json(value)
        case _:
            return str(value)


_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula: one more `'` where it looks like one."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if _GUARDED.match(text) else text


# Excel keeps 15 digits and counts days from 1900, with a 29 February that never was.
XLSX_DIGITS = 15
XLSX_FIRST_DATE = date(1900, 3, 1)
XLSX_LONGEST_TEXT = 32_767  # UTF-16 units
_XLSX_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def xlsx_cell(value: Any, zone: ZoneInfo) -> Cell | Unfit:
    """A typed cell; instants are the wall clock of the tracker's time zone."""
    match value:
        case None | "":
            return None
        case bool():
            return value
        case str():
            return _xlsx_text(value)
        case int():
            return value if abs(value) < 10**XLSX_DIGITS else str(value)
        case float():
            return value if math.isfinite(value) else _not_a_number(value)
        case Decimal():
            return _xlsx_decimal(value) if value.is_finite() else _not_a_number(value)
        case datetime():
            return _xlsx_datetime(value, zone)
        case date():
            return value if value >= XLSX_FIRST_DATE else value.isoformat()
        case time():
            return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=None)
        case list() | tuple() | dict():
            return _xlsx_text(_json(value))
        case _:
            return _xlsx_text(str(value))


def _xlsx_text(text: str) -> Cell | Unfit:
    # A carriage return does not survive XML, so it would differ at every refresh.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if found := _XLSX_ILLEGAL.search(text):
        return Unfit(f"a workbook cannot hold the character U+{ord(found.group()):04X}")
    units = len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
    if units > XLSX_LONGEST_TEXT:
        return Unfit(f"{units:,} characters, a workbook's cell holds {XLSX_LONGEST_TEXT:,}")
    return text or None


def _xlsx_decimal(value: Decimal) -> Cell:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    digits = len(text.lstrip("-").replace(".", "").strip("0"))
    if digits > XLSX_DIGITS or abs(value) >= 10**XLSX_DIGITS:
        return text
    return float(text) if "." in text else int(text)


def _xlsx_datetime(value: datetime, zone: ZoneInfo) -> Cell:
    try:
        local = value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:  # the first and last days of the calendar have no other zone
        return value.isoformat(" ")
    if local.date() < XLSX_FIRST_DATE:
        return local.isoformat(" ")
    return local.replace(
        microsecond=local.microsecond // 1000 * 1000
    )  # a serial number has no more


# ---- Google Sheets, whose numbers are doubles and whose dates count from 1899-12-30

SHEETS_FIRST_DATE = date(1899, 12, 30)
SHEETS_LONGEST_TEXT = 50_000
_SHEETS_ILLEGAL = re.compile("[\x00\ud800-\udfff]")


def sheets_cell(value: Any, _: ZoneInfo) -> Cell | Unfit:
    """A typed cell; an instant stays one, since only the spreadsheet knows its time zone."""
    match value:
        case None | "":
            return None
        case bool():
            return value
        case str():
            return _sheets_text(value)
        case int():
            return value if abs(value) < 10**XLSX_DIGITS else str(value)
        case float():
            return value if math.isfinite(value) else _not_a_number(value)
        case Decimal():
            return _xlsx_decimal(value) if value.is_finite() else _not_a_number(value)
        case datetime():
            moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
            if not SHEETS_FIRST_DATE < moment.date() < date.max:  # in every time zone
                return moment.isoformat(" ")
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        case date():
            return value if value >= SHEETS_FIRST_DATE else value.isoformat()
        case time():
            return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=None)
        case list() | tuple() | dict():
            return _sheets_text(_json(value))
        case _:
            return _sheets_text(str(value))


def _sheets_text(text: str) -> Cell | Unfit:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if found := _SHEETS_ILLEGAL.search(text):
        return Unfit(f"a sheet cannot hold the character U+{ord(found.group()):04X}")
    if len(text) > SHEETS_LONGEST_TEXT:
        return Unfit(f"{len(text):,} characters, a cell holds {SHEETS_LONGEST_TEXT:,}")
    return text or None


def _not_a_number(value: float | Decimal) -> Unfit:
    return Unfit(f"{value} is no number that a cell can hold, the cell is left empty", "value")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_json_value)


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)


# ---- Airtable, whose fields have one type

AirtableKind = Literal["text", "number", "checkbox", "date", "moment", "choice", "choices", "links"]
AIRTABLE_LONGEST_TEXT = 100_000
AIRTABLE_PRECISION = 8  # digits after the point


def airtable_kind(column: Column, tracker: Tracker) -> AirtableKind:
    """What kind of field a column is kept in."""
    place, type_ = tracker.place.airtable, column.type
    if place and column.name in place.links:
        return "links"
    if place and column.name in place.selects:
        return "choices" if type_.name == "array" else "choice"
    match type_.name:
        case "integer" | "float":
            return "number"
        case "decimal":
            fits = type_.precision <= XLSX_DIGITS and type_.scale <= AIRTABLE_PRECISION
            return "number" if fits else "text"
        case "boolean":
            return "checkbox"
        case "date":
            return "date"
        case "timestamp" | "timestamptz":
            return "moment"
        case _:
            return "text"


def airtable_column(column: Column, tracker: Tracker) -> Callable[[Any], Cell | Unfit]:
    """What a column's values become; nothing at all where Airtable tells nothing, as of `false`."""
    encode_value = _AIRTABLE[airtable_kind(column, tracker)]
    return lambda value: None if value is None else encode_value(value)


def _airtable_text(value: Any) -> Cell | Unfit:
    match value:
        case str():
            text = value.replace("\r\n", "\n").replace("\r", "\n")
        case Decimal():
            text = format(value, "f")
        case date() | time():
            text = value.isoformat()
        case list() | tuple() | dict():
            text = _json(value)
        case _:
            text = str(value)
    if len(text) > AIRTABLE_LONGEST_TEXT:
        return Unfit(f"{len(text):,} characters, a field holds {AIRTABLE_LONGEST_TEXT:,}")
    return text or None


def _airtable_number(value: Any) -> Cell | Unfit:
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return _not_a_number(value)
    if abs(value) >= 10**XLSX_DIGITS:
        return Unfit(f"{value:f} has more than the {XLSX_DIGITS} digits that a number field holds")
    rounded = round(float(value), AIRTABLE_PRECISION) if not isinstance(value, int) else value
    return int(rounded) if rounded == int(rounded) else rounded


def _airtable_moment(value: datetime) -> Cell:
    moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _airtable_names(value: Any) -> Cell:
    """Each name once: a field holds an option, or a link, no second time."""
    names = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(str(name) for name in names if name not in (None, ""))) or None


_AIRTABLE: Mapping[AirtableKind, Callable[[Any], Cell | Unfit]] = {
    "text": _airtable_text,
    "number": _airtable_number,
    "checkbox": lambda value: value or None,
    "date": lambda value: value,
    "moment": _airtable_moment,
    "choice": lambda value: str(value) or None,
    "choices": _airtable_names,
    "links": _airtable_names,
}


ENCODINGS: Mapping[str, Encoding] = {
    "google_sheets": Encoding(sheets_cell, shows_keys=False),
    "airtable": Encoding(typed_cell, shows_keys=False, by_column=airtable_column),
    "xlsx": Encoding(xlsx_cell, shows_keys=False),
    "csv": Encoding(csv_cell, shows_keys=True),
    "parquet": Encoding(typed_cell, shows_keys=True),
    "duckdb": Encoding(typed_cell, shows_keys=True),
}


# ---- and back, where a row's key stands only in its cells


def key_of_cells(cells: Mapping[str, Cell], tracker: Tracker) -> str | None:
    """The key of a row that is known by its visible cells alone, or `None` where it has none."""
    columns = key_columns(tracker.columns)
    values = [_value(cells.get(column.name), column.type, tracker.zone) for column in columns]
    missing = not tracker.is_summary and any(map(is_missing, values))
    return None if missing else key_text(values)


def typed_part(part: str | None, type_: Type, zone: ZoneInfo) -> object:
    """What a part of a key's text stands for; `None` where it is missing or of no such type."""
    return _value(part, type_, zone)


def _value(cell: Cell, type_: Type, zone: ZoneInfo) -> object:
    try:
        return _READ[type_.name](cell, zone) if cell is not None else None
    except (ValueError, ArithmeticError, AttributeError, TypeError, KeyError):
        return None


def _whole(cell: Any, _: ZoneInfo) -> int:
    number = Decimal(str(cell))
    if number != int(number):
        raise ValueError
    return int(number)


def _moment(cell: Any, _: ZoneInfo) -> datetime:
    return datetime.fromisoformat(cell) if isinstance(cell, str) else cell.replace()


def _instant(cell: Any, zone: ZoneInfo) -> datetime:
    moment = _moment(cell, zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


_READ: Mapping[str, Callable[[Any, ZoneInfo], object]] = {
    "string": lambda cell, _: str(cell),
    "json": lambda cell, _: str(cell),
    "integer": _whole,
    "decimal": lambda cell, _: Decimal(str(cell)),
    "float": lambda cell, _: float(cell),
    "boolean": lambda cell, _: {"true": True, "false": False}[str(cell).lower()],
    "date": lambda cell, _: date.fromisoformat(cell) if isinstance(cell, str) else cell,
    "time": lambda cell, _: time.fromisoformat(cell) if isinstance(cell, str) else cell,
    "timestamp": _moment,
    "timestamptz": _instant,
}
