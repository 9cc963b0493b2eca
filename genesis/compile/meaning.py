"""What a bound node means on every engine, where its dialect alone would leave it open."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp, parse_one

from genesis.compile.compare import as_instant, timestamp_literal
from genesis.compile.functions.calls import own
from genesis.compile.functions.portable import BY_NAME
from genesis.compile.infer import from_sql, to_sql, type_of, typed
from genesis.spec.types import DATE, FLOAT, PLAIN, TIME, TIMESTAMP, TIMESTAMPTZ, Type

# The types of what is listed, where they are always the same.
_RESULTS = {name: Type(listed.result) for name, listed in BY_NAME.items() if listed.result in PLAIN}


def meant(node: exp.Expr, name: str | None) -> exp.Expr:
    """The node in words that `dialects` understands; `name` is that of a listed function."""
    rewrite = _REWRITES.get(type(node))
    found = rewrite(node) if rewrite else node
    known = _RESULTS.get(name) if name else None
    return found if known is None else typed(found, known)


def as_listed(call: exp.Anonymous) -> exp.Expr:
    """A call that the project's dialect does not know, read as the list's own dialect reads it."""
    given = call.expressions
    texts = [
        value.sql("trino") if isinstance(value, exp.Literal) else f"_{number}"
        for number, value in enumerate(given)
    ]
    read = parse_one(f"{call.name}({', '.join(texts)})", read="trino")
    for place in list(read.find_all(exp.Column)):
        place.replace(given[int(place.name[1:])])
    return read


def _division(node: exp.Expr) -> exp.Expr:
    # Trino divides integers to an integer, DuckDB does not; by zero there is no number to report.
    left = exp.Cast(this=node.this, to=to_sql(FLOAT))
    right: exp.Expr = exp.Cast(this=node.expression, to=to_sql(FLOAT))
    if not _is_surely_not_zero(node.expression):
        right = exp.Nullif(this=right, expression=exp.Literal.number(0))
    return typed(exp.Div(this=left, expression=right, typed=True), FLOAT)


def _is_surely_not_zero(value: exp.Expr) -> bool:
    match value:
        case exp.Paren():
            return _is_surely_not_zero(value.this)
        case exp.Literal():
            return not value.is_string and float(value.name) != 0
        case exp.Nullif(expression=exp.Literal() as excluded):
            return not excluded.is_string and float(excluded.name) == 0
    return False


def _rest(node: exp.Expr) -> exp.Expr:
    """Engines fail where they divide by zero, or give NaN."""
    known = type_of(node)
    if not _is_surely_not_zero(node.expression):
        zero = exp.Literal.number(0)
        node.set("expression", exp.Nullif(this=node.expression, expression=zero))
    return typed(node, known)


def _still_a_date(node: exp.Expr) -> exp.Expr:
    # DuckDB makes a timestamp of a date and an interval, and of a date cut to its month.
    return exp.Cast(this=node, to=to_sql(DATE)) if type_of(node) == DATE else node


def _day(node: exp.Expr) -> exp.Expr:
    return exp.Cast(this=node.this, to=to_sql(DATE))


def _literal_time(node: exp.Expr) -> exp.Expr:
    """`timestamp '2026-11-23 10:00:00'` has as many digits as are written, here all have six; with a
    zone behind it, it is a moment, which the parser does not see."""
    to, text = node.args["to"], node.this
    if not to.expressions or not isinstance(text, exp.Literal):
        return node
    known = from_sql(to)
    if known == TIMESTAMP and (match := _ZONED.fullmatch(text.name)):
        moment = _moment(*match.groups())
        return (
            node if moment is None else typed(timestamp_literal(moment, TIMESTAMPTZ), TIMESTAMPTZ)
        )
    if known in (TIME, TIMESTAMP, TIMESTAMPTZ):
        node.set("to", to_sql(known))
    return node


_ZONED = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}[\d:.]*) ?([A-Z][A-Za-z_/]*|[+-]\d{2}:\d{2})")


def _moment(clock: str, zone: str) -> datetime | None:
    try:
        if zone[0] in "+-Z":
            return datetime.fromisoformat(clock + zone)
        return datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):
        return None


def _wall(node: exp.Expr) -> exp.Expr:
    moment = node.this
    if type_of(moment) == TIMESTAMP:
        moment = as_instant(moment)
    return typed(own("wall", moment, node.args["zone"]), TIMESTAMP)


def _iso_moment(node: exp.Expr) -> exp.Expr:
    return own("from_iso8601_timestamp", node.this)


_OWN = ("with_timezone", "codepoint", "millisecond", "json_array_length", "url_encode", "int_div")


def _by_name(node: exp.Expr) -> exp.Expr:
    name = node.name.lower()
    if name == "yow":
        return exp.YearOfWeek(this=node.expressions[0])
    return own(name, *node.expressions) if name in _OWN else node


def _from_monday(node: exp.Expr) -> exp.Expr:
    return exp.DayOfWeekIso(this=node.this)


def _null_of_null(node: exp.Expr) -> exp.Expr:
    """A fragment of DuckDB's dialect means by these what the list says, too."""
    for key in ("ignore_nulls", "coalesce"):
        if node.args.get(key):
            node.set(key, False)
    return node


def _left_out(node: exp.Expr) -> exp.Expr:
    if not node.args.get("replacement"):
        node.set("replacement", exp.Literal.string(""))
    return node


_REWRITES: dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]] = {
    exp.Add: _still_a_date,
    exp.Anonymous: _by_name,
    exp.AtTimeZone: _wall,
    exp.Cast: _literal_time,
    exp.Concat: _null_of_null,
    exp.Date: _day,
    exp.DateAdd: _still_a_date,
    exp.DateSub: _still_a_date,
    exp.DateTrunc: _still_a_date,
    exp.DayOfWeek: _from_monday,
    exp.Div: _division,
    exp.FromISO8601Timestamp: _iso_moment,
    exp.Greatest: _null_of_null,
    exp.Least: _null_of_null,
    exp.Mod: _rest,
    exp.Replace: _left_out,
    exp.Sub: _still_a_date,
    exp.TimestampTrunc: _still_a_date,
}
