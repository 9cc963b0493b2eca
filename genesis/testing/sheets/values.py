"""What a cell's value looks like: numbers by their format, dates as serials, text that people type.

A number format that is not understood is refused with 501 rather than shown wrongly. The surprise:
a date is a number, the days since 1899-12-30 in the spreadsheet's own time zone; only its format
says that it is a date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import assert_never

from genesis.testing.sheets.answers import Json, unimplemented
from genesis.testing.sheets.formulas import Error, Formula, Plain

EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's serials have no zone

Value = Plain | Formula | None


@dataclass(frozen=True, slots=True)
class Locale:
    """How a locale writes numbers and dates where a format leaves it open."""

    decimal: str
    thousands: str
    date: str
    order: str

    @property
    def patterns(self) -> dict[str, str]:
        """The pattern that a type of format has when it names none."""
        return {
            "DATE": self.date,
            "TIME": "h:mm:ss AM/PM",
            "DATE_TIME": f"{self.date} h:mm:ss",
            "NUMBER": "#,##0.00",
            "PERCENT": "0.00%",
            "CURRENCY": "$#,##0.00",
            "SCIENTIFIC": "0.00E+00",
        }


LOCALES = {
    "en_US": Locale(".", ",", "m/d/yyyy", "mdy"),
    "en_GB": Locale(".", ",", "dd/mm/yyyy", "dmy"),
    "de_DE": Locale(",", ".", "dd.mm.yyyy", "dmy"),
}

_DATES = {"DATE", "TIME", "DATE_TIME"}
_DATE_TOKEN = re.compile(
    r'yyyy|yy|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|ss|s|AM/PM|am/pm|"[^"]*"|\\.|[-/.:, ]|.',
)
_NUMBER = re.compile(
    r'(?P<before>(?:[^#0?";\\@*_]|"[^"]*"|\\.)*?)(?P<whole>[#0,]+)(?:\.(?P<part>[#0]+))?'
    r'(?P<power>E\+0+)?(?P<after>(?:[^#0?";\\@*_]|"[^"]*"|\\.)*)'
)
_TYPED_NUMBER = re.compile(r"[-+]?\$?((\d{1,3}(,\d{3})+|\d+)(\.\d*)?|\.\d+)([eE][-+]?\d+)?%?")
_TYPED_DATE = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[ T](\d{1,2}):(\d\d)(?::(\d\d))?)?"
)


def serial(moment: date | datetime) -> float:
    """The number that stands for a date, or for a time on the spreadsheet's own clock."""
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return (moment.replace(tzinfo=None) - EPOCH) / timedelta(days=1)


def moment_of(number: float) -> datetime:
    """The date and time that a serial number stands for, to the millisecond."""
    return EPOCH + timedelta(milliseconds=round(number * 86_400_000))


def is_date(number_format: Json | None) -> bool:
    """Whether numbers of this format are dates or times."""
    return number_format is not None and number_format.get("type") in _DATES


def shown(value: Plain | Error | None, number_format: Json | None, locale: Locale) -> str:
    """The text that people see in a cell."""
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return value
        case Error():
            return value.text
        case float():
            return _number(value, number_format or {}, locale)
        case _:
            assert_never(value)


def _number(value: float, number_format: Json, locale: Locale) -> str:
    kind = number_format.get("type", "NUMBER_FORMAT_TYPE_UNSPECIFIED")
    pattern = number_format.get("pattern") or locale.patterns.get(kind)
    if kind == "TEXT" or not pattern or pattern in ("@", "General"):
        return _general(value, locale)
    return dated(value, pattern) if kind in _DATES else _patterned(value, pattern, locale)


def _general(value: float, locale: Locale) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.10g}"
    if "e" in text:
        digits, _, power = text.partition("e")
        text = f"{digits}E{power[0]}{power[1:].lstrip('0').rjust(2, '0')}"
    return text.replace(".", locale.decimal)


def _patterned(value: float, pattern: str, locale: Locale) -> str:
    match = _NUMBER.fullmatch(pattern)
    if not match:
        raise unimplemented(f"the number format `{pattern}`")
    before, whole, part, power, after = match.group("before", "whole", "part", "power", "after")
    if power:
        digits, _, exponent = f"{value:.{len(part or '')}e}".partition("e")
        return f"{_literal(before)}{digits}E{exponent}{_literal(after)}"
    percent = "%" in before + after
    number = Decimal(repr(value)) * (100 if percent else 1)
    places = len(part or "")
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    digits, _, decimals = f"{abs(rounded):f}".partition(".")
    digits = digits.rjust(whole.replace(",", "").count("0"), "0")
    if "," in whole:
        digits = f"{int(digits):,}".replace(",", locale.thousands)
    optional = len(part or "") - len((part or "").rstrip("#"))
    while optional and decimals.endswith("0"):
        decimals, optional = decimals[:-1], optional - 1
    sign = "-" if rounded < 0 else ""
    return f"{sign}{_literal(before)}{digits}{locale.decimal + decimals if decimals else ''}{_literal(after)}"


def _literal(text: str) -> str:
    return re.sub(r'"([^"]*)"|\\(.)', lambda match: match[1] or match[2] or "", text)


def dated(value: float, pattern: str) -> str:
    """A serial number by a pattern such as `yyyy-mm-dd hh:mm:ss`."""
    moment = moment_of(value)
    tokens = _DATE_TOKEN.findall(pattern)
    half = any(token.lower() == "am/pm" for token in tokens)
    return "".join(
        _date_part(token, moment, half, _is_minute(tokens, at)) for at, token in enumerate(tokens)
    )


def _is_minute(tokens: list[str], at: int) -> bool:
    """Whether an m means minutes: it comes next after hours or next before seconds."""
    letters = [(place, token) for place, token in enumerate(tokens) if token[0] in "ymdhs"]
    places = [place for place, _ in letters]
    if at not in places:
        return False
    index = places.index(at)
    before = letters[index - 1][1] if index else ""
    after = letters[index + 1][1] if index + 1 < len(letters) else ""
    return before.startswith("h") or after.startswith("s")


def _date_part(token: str, moment: datetime, half: bool, minute: bool) -> str:
    hour = (moment.hour % 12 or 12) if half else moment.hour
    match token:
        case "yyyy":
            return f"{moment.year:04d}"
        case "yy":
            return f"{moment.year % 100:02d}"
        case "mmmm":
            return moment.strftime("%B")
        case "mmm":
            return moment.strftime("%b")
        case "mm" | "m":
            return str(moment.minute if minute else moment.month).rjust(len(token), "0")
        case "dddd":
            return moment.strftime("%A")
        case "ddd":
            return moment.strftime("%a")
        case "dd" | "d":
            return str(moment.day).rjust(len(token), "0")
        case "hh" | "h":
            return str(hour).rjust(len(token), "0")
        case "ss" | "s":
            return str(moment.second).rjust(len(token), "0")
        case "AM/PM" | "am/pm":
            return "AM" if moment.hour < 12 else "PM"
        case "-" | "/" | "." | ":" | "," | " " | "T":
            return token
    if token[0] in '"\\':
        return _literal(token)
    raise unimplemented(f"`{token}` in a date format")


@dataclass(frozen=True, slots=True)
class Typed:
    """What a text means that a person typed: a value, and the format that it brings along."""

    value: Plain | None
    number_format: Json | None = None
    formula: bool = False


def typed(text: str, locale: Locale, *, as_text: bool) -> Typed:
    """Text as people type it, or as `USER_ENTERED` sends it: numbers, dates, TRUE, formulas."""
    if not text:
        return Typed(None)
    if text.startswith("="):
        return Typed(text, formula=True)
    if text.startswith("'"):
        return Typed(text[1:])
    if as_text:
        return Typed(text)
    if text.upper() in ("TRUE", "FALSE"):
        return Typed(text.upper() == "TRUE")
    return _typed_number(text, locale) or _typed_date(text, locale) or Typed(text)


def _typed_number(text: str, locale: Locale) -> Typed | None:
    plain = text.strip()
    if locale.decimal == ",":
        plain = plain.translate({ord(","): ".", ord("."): ","})
    if not _TYPED_NUMBER.fullmatch(plain):
        return None
    number = float(plain.replace(",", "").replace("$", "").replace("%", ""))
    if plain.endswith("%"):
        whole = "." not in plain
        return Typed(number / 100, {"type": "PERCENT", "pattern": "0%" if whole else "0.00%"})
    if "$" in plain:
        return Typed(number, {"type": "CURRENCY", "pattern": "$#,##0.00"})
    return Typed(number)


def _typed_date(text: str, locale: Locale) -> Typed | None:
    match = _TYPED_DATE.fullmatch(text.strip())
    if not match:
        return None
    first, _, second, third, hour, minute, seconds = match.groups()
    if len(first) == 4:
        year, month, day = first, second, third
    elif locale.order == "mdy":
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    try:
        clock = (int(hour or 0), int(minute or 0), int(seconds or 0))
        moment = datetime(int(year), int(month), int(day), *clock)  # noqa: DTZ001
    except ValueError:
        return None
    if moment.year < 1900:
        return None
    kind = "DATE_TIME" if hour else "DATE"
    pattern = "yyyy-mm-dd" + (" h:mm:ss" if hour else "") if len(first) == 4 else None
    return Typed(serial(moment), {"type": kind, "pattern": pattern or locale.patterns[kind]})
