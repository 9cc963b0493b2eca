"""Values as the text that people read: the same on every engine, whatever it writes by itself."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.functions.calls import at_zone, operand, own
from genesis.compile.infer import to_sql
from genesis.compile.scope import broken
from genesis.errors import Location, Problems
from genesis.spec.types import DATE, FLOAT, JSON, STRING, TIME, TIMESTAMPTZ, Type


class Shown(NamedTuple):
    """A value as people see it: its SQL, its type, and the pattern for one that stays typed."""

    value: exp.Expr
    type: Type
    pattern: str | None = None


_DATE_WORDS = {
    "yyyy": "%Y", "y": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d",
    "EEEE": "%A", "EEE": "%a", "E": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "ss": "%S", "a": "%p",
}  # fmt: skip
_DATE_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z']+)")
_NUMBER_PATTERN = re.compile(r"([^#0,.%]*)(#,##0|#,###|0)(?:\.(0+))?(%?)([^#0,.%]*)")


def is_text(type_: Type) -> bool:
    """Whether all engines can be made to write a type's values alike."""
    return type_ != JSON and type_.name != "array"


def as_text(shown: Shown, timezone: str, problems: Problems, at: Location) -> exp.Expr:
    """The text that people would read, display formats included."""
    value, type_ = shown.value, shown.type
    if type_ == STRING:
        return value
    if shown.pattern is not None and type_.is_number:
        return _number_text(shown, problems, at)
    if type_ == TIMESTAMPTZ:
        value = at_zone(value, exp.Literal.string(timezone))
    if type_.is_time:
        default = "yyyy-MM-dd" if type_ == DATE else "yyyy-MM-dd HH:mm:ss"
        return _date_text(value, shown.pattern or default, problems, at)
    if type_ == FLOAT:
        return own("float_text", exp.Cast(this=value, to=to_sql(FLOAT)))
    text = exp.Cast(this=value, to=to_sql(STRING))
    if type_ == TIME:
        parts = (exp.Literal.number(1), exp.Literal.number(8))
        return exp.Substring(this=text, start=parts[0], length=parts[1])
    if not is_text(type_):
        message = f"engines write a {type_} differently as text"
        problems.add("not-supported", message, at)
    return text


def _date_text(value: exp.Expr, pattern: str, problems: Problems, at: Location) -> exp.Expr:
    words = []
    for match in _DATE_PATTERN.finditer(pattern):
        quoted, letter, plain = match.groups()
        if letter is None:
            word = plain if quoted is None else quoted.replace("''", "'") or "'"
            words.append(word.replace("%", "%%"))
        elif match.group() in _DATE_WORDS:
            words.append(_DATE_WORDS[match.group()])
        else:
            problems.add(
                "not-supported",
                f"`{match.group()}` in a date format cannot be rendered as text",
                at,
            )
            return broken()
    return exp.TimeToStr(this=value, format=exp.Literal.string("".join(words)))


def _number_text(shown: Shown, problems: Problems, at: Location) -> exp.Expr:
    match = _NUMBER_PATTERN.fullmatch(shown.pattern or "")
    if match is None:
        problems.add(
            "not-supported", f"the number format `{shown.pattern}` cannot be rendered as text", at
        )
        return broken()
    before, whole, fraction, percent, after = match.groups()
    decimals = len(fraction or "")
    value = shown.value
    if percent:
        value = exp.Mul(this=operand(value), expression=exp.Literal.number(100))
    digits = exp.Literal.number(decimals)
    rounded = exp.Cast(
        this=exp.Round(this=value, decimals=digits),
        to=to_sql(Type("decimal", 38, decimals)),
    )
    text: exp.Expr = own(
        "number_text", rounded, digits.copy(), exp.Literal.number(int("," in whole))
    )
    if head := _plain(before):
        # As in a sheet, the sign is first: -$5.
        text = joined(exp.Literal.string(head), text)
        wrong, right = (exp.Literal.string(word) for word in (f"{head}-", f"-{head}"))
        text = exp.Replace(this=text, expression=wrong, replacement=right)
    if tail := _plain(f"{percent}{after}"):
        text = joined(text, exp.Literal.string(tail))
    return text


def _plain(literal: str) -> str:
    """What a pattern writes as it stands, without the marks that say so."""
    return literal.replace("\\", "").replace('"', "")


def joined(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Two texts as one."""
    return exp.DPipe(this=left, expression=right, safe=False)
