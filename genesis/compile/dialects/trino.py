"""Trino's words for our own functions, and for what Trino would mean differently than the list."""

from __future__ import annotations

import functools

from sqlglot import exp, parse_one

from genesis.compile.dialects.writing import (
    Arguments,
    Rewrites,
    Words,
    array_list,
    as_text,
    call,
    divisor,
    filtered,
    in_order,
    is_there,
    literal,
    local_date,
    today,
    when,
    where_present,
    whole,
    whole_number,
)
from genesis.compile.functions.calls import at_zone, operand
from genesis.compile.functions.patterns import pattern_of_trino
from genesis.compile.infer import from_sql, to_sql, type_of
from genesis.compile.trees import copied, rebuilt
from genesis.spec.types import DATE, FLOAT, INTEGER, TIME, TIMESTAMP, TIMESTAMPTZ, Type


def _list(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    # LISTAGG cannot filter out NULLs and fails over a megabyte; an array does neither.
    value, separator, *order = arguments
    return array_list("ARRAY_JOIN", value, value, separator, order, condition)


def _list_distinct(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    return array_list(
        "ARRAY_JOIN", exp.Distinct(expressions=[value]), value, separator, order, condition
    )


def _nth(position: int) -> Words:
    def nth(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
        value, *order = arguments
        return call(
            "ELEMENT_AT", filtered(call("ARRAY_AGG", in_order(value, order)), condition), position
        )

    return nth


def _sorted_values(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value = exp.Cast(this=arguments[0], to=to_sql(FLOAT))
    ascending = exp.Ordered(this=value.copy(), nulls_first=False)
    return filtered(
        call("ARRAY_AGG", in_order(value, [ascending])), where_present(value, condition)
    )


def _median(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """The mean of the two middle values of a sorted array: Trino has only approximate percentiles."""
    array = arguments[0]
    size = call("CARDINALITY", array.copy())
    low = exp.Div(
        this=exp.Paren(this=exp.Add(this=size, expression=exp.Literal.number(1))),
        expression=exp.Literal.number(2),
        typed=True,
    )
    high = exp.Add(
        this=exp.Div(this=size.copy(), expression=exp.Literal.number(2), typed=True),
        expression=exp.Literal.number(1),
    )
    total = exp.Add(
        this=call("ELEMENT_AT", array.copy(), low),
        expression=call("ELEMENT_AT", array.copy(), high),
    )
    return exp.Div(
        this=exp.Paren(this=total),
        expression=exp.Cast(this=exp.Literal.number(2), to=to_sql(FLOAT)),
        typed=True,
    )


def _int_div(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    divided = exp.Div(this=whole(arguments[0]), expression=divisor(arguments[1]), typed=True)
    return exp.Paren(this=divided)


def _instant(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return call("WITH_TIMEZONE", arguments[0], "UTC")


def _url_encode(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    # Trino encodes forms, in which a space is `+`; RFC 3986 wants percents, and leaves `~` alone.
    encoded: exp.Expr = call("URL_ENCODE", as_text(arguments[0]))
    for found, wanted in (("+", "%20"), ("*", "%2A"), ("%7E", "~")):
        encoded = call("REPLACE", encoded, found, wanted)
    return encoded


def _number_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    value, decimals, grouped = arguments
    comma = "," if grouped.name == "1" else ""
    text = call("FORMAT", f"%{comma}.{decimals.name}f", value)
    # Of NULL, FORMAT writes the first letters of "null".
    is_null = exp.Is(this=operand(value.copy()), expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=exp.Not(this=is_null), true=text)])


_FLOAT_TEXT = r"""CASE
  WHEN NOT IS_FINITE(x) THEN REPLACE(LOWER(CAST(x AS VARCHAR)), 'infinity', 'inf')
  WHEN ABS(x) = 0 THEN REPLACE(REPLACE(CAST(x AS VARCHAR), '.0', ''), 'E0', '.0')
  WHEN ABS(x) >= 1e-4 AND ABS(x) < 1e16
    THEN REGEXP_REPLACE(CAST(CAST(x AS DECIMAL(38, 21)) AS VARCHAR), '(\.\d+?)0*$', '$1')
  ELSE REPLACE(REGEXP_REPLACE(REGEXP_REPLACE(
    REPLACE(CAST(x AS VARCHAR), '.0E', 'E'), 'E(\d)', 'e+$1'), 'E-(\d)$', 'e-0$1'), 'E', 'e')
END"""


def _float_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """Trino writes every float with an exponent, 7.25 as `7.25E0`; this is what DuckDB writes."""
    value = arguments[0]
    return rebuilt(
        _float_pattern(), lambda node: copied(value) if isinstance(node, exp.Column) else None
    )


@functools.cache
def _float_pattern() -> exp.Expr:
    return parse_one(_FLOAT_TEXT, dialect="trino")


def _exact_sum(node: exp.Expr) -> exp.Expr:
    """sum(bigint) overflows on Trino; DuckDB widens by itself."""
    distinct = node.this if isinstance(node.this, exp.Distinct) else None
    value = distinct.expressions[0] if distinct else node.this
    if type_of(value) != INTEGER:
        return node
    wide = exp.Cast(this=value, to=to_sql(Type("decimal", 38, 0)))
    return exp.Sum(this=exp.Distinct(expressions=[wide]) if distinct else wide)


def _is_boolean(node: exp.Expr) -> exp.Expr:
    """Trino has no `is true`, and sqlglot would write the condition itself, which may be NULL."""
    if not isinstance(node.expression, exp.Boolean):
        return node
    if node.expression.this:
        return exp.Coalesce(this=node.this, expressions=[exp.false()])
    known = exp.Coalesce(this=node.this, expressions=[exp.true()])
    return exp.Paren(this=exp.Not(this=known))


def _to_the_second(node: exp.Expr) -> exp.Expr:
    """Trino's date_format rounds to milliseconds first, and so into the next second."""
    if type_of(node.this) != DATE:
        node.set("this", call("DATE_TRUNC", "second", node.this))
    return node


def _wall(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return exp.Cast(this=at_zone(*arguments), to=to_sql(TIMESTAMP))


def _with_timezone(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return call("WITH_TIMEZONE", *arguments)


def _codepoint(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """Trino's takes a text of one character's type, and no empty one."""
    first = call("SUBSTR", arguments[0], 1, 1)
    there = exp.Nullif(this=first, expression=exp.Literal.string(""))
    return whole(call("CODEPOINT", exp.Cast(this=there, to=exp.DataType.build("VARCHAR(1)"))))


def _millisecond(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return call("MILLISECOND", arguments[0])


def _json_array_length(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return call("JSON_ARRAY_LENGTH", arguments[0])


def _iso_moment(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return exp.Cast(this=call("FROM_ISO8601_TIMESTAMP_NANOS", arguments[0]), to=to_sql(TIMESTAMPTZ))


WORDS: dict[str, Words] = {
    "today": today,
    "local_date": local_date,
    "list": _list,
    "list_distinct": _list_distinct,
    "first": _nth(1),
    "last": _nth(-1),
    "sorted_values": _sorted_values,
    "median": _median,
    "int_div": _int_div,
    "instant": _instant,
    "url_encode": _url_encode,
    "number_text": _number_text,
    "float_text": _float_text,
    "wall": _wall,
    "with_timezone": _with_timezone,
    "codepoint": _codepoint,
    "millisecond": _millisecond,
    "json_array_length": _json_array_length,
    "from_iso8601_timestamp": _iso_moment,
}


# --- what Trino means differently -----------------------------------------------------------------


def _with_microseconds(node: exp.Expr) -> exp.Expr:
    """Unless it says otherwise, a timestamp has three digits of a second in Trino."""
    to = node.args["to"]
    if from_sql(to) in (TIME, TIMESTAMP, TIMESTAMPTZ) and not to.expressions:
        six = exp.DataTypeParam(this=exp.Literal.number(6))
        node.set("to", exp.DataType(this=to.this, expressions=[six]))
    return node


def _upper(node: exp.Expr) -> exp.Expr:
    """Trino leaves the one small letter that is left behind."""
    if isinstance(node.this, exp.Literal) and "ß" not in node.this.name:
        return node
    return call("REPLACE", node, "ß", "ẞ")


def _replaced(node: exp.Expr) -> exp.Expr:
    """Trino finds empty text between all characters, DuckDB nowhere."""
    found = node.expression
    if isinstance(found, exp.Literal) and found.name:
        return node
    is_empty = exp.EQ(this=operand(found.copy()), expression=exp.Literal.string(""))
    instead, unchanged = node.args["replacement"], node.this.copy()
    if not isinstance(instead, exp.Literal):
        unchanged = when(is_there(instead), unchanged)
    return when(is_empty, unchanged, node)


def _right(node: exp.Expr) -> exp.Expr:
    start = exp.Add(
        this=exp.Sub(this=exp.Length(this=node.this.copy()), expression=operand(node.expression)),
        expression=exp.Literal.number(1),
    )
    return call("SUBSTR", node.this, call("GREATEST", start, 1))


def _ends_with(node: exp.Expr) -> exp.Expr:
    end = node.expression
    last = call("SUBSTR", node.this, exp.Neg(this=exp.Length(this=end)))
    return exp.Paren(this=exp.EQ(this=last, expression=operand(end.copy())))


def _rounded(node: exp.Expr) -> exp.Expr:
    """Trino leaves zeros behind the digits that are kept; seen as text, they would show."""
    given, digits = type_of(node.this), whole_number(node.args.get("decimals"))
    if given and given.name == "decimal" and digits is not None and digits < given.scale:
        rounded = type_of(node)
        return exp.Cast(this=node, to=to_sql(rounded)) if rounded else node
    return node


def _sign(node: exp.Expr) -> exp.Expr:
    if type_of(node.this) == INTEGER:
        return node
    return exp.Cast(this=node, to=to_sql(INTEGER))


def _pattern(node: exp.Expr) -> exp.Expr:
    """`$` and `\\s` as RE2 reads them."""
    if isinstance(node.expression, exp.Literal):
        text = pattern_of_trino(node.expression.name)
        node.set("expression", literal(node.expression.name if text is None else text))
    return node


def _regexp_extract(node: exp.Expr) -> exp.Expr:
    """A group that took no part is NULL on Trino, and empty on DuckDB, which cannot tell."""
    node = _pattern(node)
    if not node.args.get("group"):
        return node
    found = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
    return exp.Coalesce(this=node, expressions=[when(found, literal(""))])


def _seconds(node: exp.Expr) -> exp.Expr:
    """Trino adds the fraction to the seconds, and so an error to the last of 17 digits."""
    return exp.Round(this=node, decimals=exp.Literal.number(6))


def _logarithm(node: exp.Expr) -> exp.Expr:
    known = {2: "LOG2", 10: "LOG10"}.get(whole_number(node.this) or 0)
    return call(known, node.expression) if known else node


REWRITES: Rewrites = {
    exp.Cast: _with_microseconds,
    exp.TryCast: _with_microseconds,
    exp.EndsWith: _ends_with,
    exp.Is: _is_boolean,
    exp.Log: _logarithm,
    exp.RegexpCount: _pattern,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpLike: _pattern,
    exp.RegexpReplace: _pattern,
    exp.Replace: _replaced,
    exp.Right: _right,
    exp.Round: _rounded,
    exp.Sign: _sign,
    exp.Sum: _exact_sum,
    exp.TimeToStr: _to_the_second,
    exp.TimeToUnix: _seconds,
    exp.Upper: _upper,
}
