"""DuckDB's words for our own functions, and for what DuckDB would mean differently than the list."""

from __future__ import annotations

import re

from sqlglot import exp

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
    local_date,
    today,
    when,
    whole,
    whole_number,
)
from genesis.compile.functions.calls import at_zone, operand
from genesis.compile.functions.patterns import with_groups_of_re2
from genesis.compile.infer import from_sql, to_sql, type_of
from genesis.spec.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    JSON,
    STRING,
    TIMESTAMP,
    Type,
)


def _list(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    text = value if isinstance(value, exp.Distinct) else as_text(value)
    return filtered(call("STRING_AGG", text, in_order(separator, order)), condition)


def _list_distinct(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    if type_of(value) == STRING:
        return _list([exp.Distinct(expressions=[value]), separator, *order], condition)
    # DuckDB sorts a DISTINCT list by the listed text; an array is sorted by its values.
    return array_list(
        "ARRAY_TO_STRING", exp.Distinct(expressions=[value]), value, separator, order, condition
    )


def _first(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, *order = arguments
    return filtered(call("FIRST", in_order(value, order)), condition)


def _last(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, *order = arguments
    return filtered(call("LAST", in_order(value, order)), condition)


def _sorted_values(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    """The median itself: nothing is left for `_median` to do."""
    return filtered(call("MEDIAN", exp.Cast(this=arguments[0], to=to_sql(FLOAT))), condition)


def _median(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return arguments[0]


def _int_div(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return exp.Paren(this=exp.IntDiv(this=whole(arguments[0]), expression=divisor(arguments[1])))


def _instant(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return at_zone(arguments[0], exp.Literal.string("UTC"))


def _url_encode(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return call("URL_ENCODE", as_text(arguments[0]))


def _number_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    value, decimals, grouped = arguments
    text = exp.Cast(this=value, to=to_sql(STRING))
    if grouped.name != "1":
        return text
    # A comma before each three digits that end the whole part: RE2 cannot look ahead, so from the right.
    reversed_text = call("REVERSE", text)
    fraction = int(decimals.name) + 1 if decimals.name != "0" else 0
    whole = call("SUBSTRING", reversed_text, fraction + 1)
    grouped_whole = call("REGEXP_REPLACE", whole, r"(\d{3})", r"\1,", "g")
    tidy = call("REGEXP_REPLACE", call("REVERSE", grouped_whole), r"^(-?),", r"\1")
    if not fraction:
        return tidy
    tail = call("REVERSE", call("SUBSTRING", reversed_text.copy(), 1, fraction))
    return exp.DPipe(this=tidy, expression=tail, safe=False)


def _float_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return exp.Cast(this=arguments[0], to=to_sql(STRING))


def _whole_units(node: exp.Expr) -> exp.Expr:
    """DuckDB's date_diff counts borders crossed, Trino's whole units, as DuckDB's date_sub does."""
    return call("DATE_SUB", node.text("unit").lower(), node.expression, node.this)


def _wall(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return at_zone(*arguments)


def _with_timezone(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """Of the two moments in the night when clocks go back, DuckDB takes the second; Trino the first."""
    clock, zone = arguments
    moment = at_zone(clock, zone)
    hour = exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="HOUR"))
    earlier = exp.Paren(this=exp.Sub(this=operand(moment.copy()), expression=hour))
    is_the_same = exp.EQ(this=at_zone(earlier, zone.copy()), expression=operand(clock.copy()))
    return when(is_the_same, earlier.copy(), moment)


def _codepoint(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return whole(call("UNICODE", exp.Nullif(this=arguments[0], expression=exp.Literal.string(""))))


def _millisecond(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    counted = call("MILLISECOND", arguments[0])
    return exp.Paren(this=exp.Mod(this=counted, expression=exp.Literal.number(1000)))


def _json_array_length(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    document = arguments[0]
    is_array = exp.EQ(this=call("JSON_TYPE", document), expression=exp.Literal.string("ARRAY"))
    length = whole(call("JSON_ARRAY_LENGTH", document.copy()))
    return _of_valid(document, [exp.If(this=is_array, true=length)])


def _iso_moment(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    text = _of_shape(arguments[0], _ISO_MOMENT, "moment")
    return exp.Cast(this=text, to=to_sql(Type("timestamptz")))


WORDS: dict[str, Words] = {
    "today": today,
    "local_date": local_date,
    "list": _list,
    "list_distinct": _list_distinct,
    "first": _first,
    "last": _last,
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


# --- what DuckDB means differently ----------------------------------------------------------------

_DIGITS = r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_CLOCK = r"([01]?\d|2[0-3]):\d{2}(:\d{2}(\.\d+)?)?"
_ZONE = r"(Z|[+-]\d{2}:?\d{2})"
_ISO_MOMENT = rf"\d{{4}}-\d{{2}}-\d{{2}}T{_CLOCK}{_ZONE}?"
# What Trino reads as a value of a type; DuckDB rounds '4.7', cuts '2026-11-23 10:00:00' and more.
_SHAPES = {
    INTEGER: r"\s*[+-]?\d+\s*",
    FLOAT: rf"\s*([+-]?{_DIGITS}|NaN|[+-]?Infinity)\s*",
    BOOLEAN: "(?i)true|t|1|false|f|0",
    DATE: rf"\s*{_DAY}\s*",
    TIMESTAMP: rf"{_DAY}( {_CLOCK}( ?({_ZONE}|UTC))?)?",
}
_SHAPE_OF_DECIMALS = f"[+-]?{_DIGITS}"


def _cast(node: exp.Expr) -> exp.Expr:
    """Text as strictly as Trino reads it, halves away from zero, floats by the digits they show."""
    given, wanted = type_of(node.this), from_sql(node.args["to"])
    if given == FLOAT and wanted == INTEGER:
        node.set("this", exp.Round(this=node.this))
    elif given == FLOAT and wanted and wanted.name == "decimal":
        if not isinstance(node.this, exp.Round):
            node.set("this", exp.Cast(this=node.this, to=to_sql(STRING)))
    elif given == STRING and wanted:
        shape = _SHAPE_OF_DECIMALS if wanted.name == "decimal" else _SHAPES.get(wanted)
        if shape:
            what = None if isinstance(node, exp.TryCast) else wanted.name
            node.set("this", _of_shape(node.this, shape, what))
    return node


def _of_shape(text: exp.Expr, shape: str, what: str | None) -> exp.Expr:
    """The text if it has a shape; else NULL, or where `what` says what it is not, one that no cast takes."""
    if isinstance(text, exp.Literal) and re.fullmatch(shape, text.name, re.ASCII):
        return text
    wrong = what and exp.DPipe(
        this=exp.Literal.string(f"no {what}: "), expression=operand(text.copy()), safe=False
    )
    return when(call("REGEXP_FULL_MATCH", text, shape), text.copy(), wrong or None)


def _as_whole(node: exp.Expr) -> exp.Expr:
    """Of an integer, DuckDB's floor and ceil are floats, and its sign has eight bits."""
    return node.this if type_of(node.this) == INTEGER else node


def _character(node: exp.Expr) -> exp.Expr:
    """DuckDB takes no number of eight bytes."""
    number = node.expressions[0]
    if whole_number(number) is None:
        node.set("expressions", [exp.Cast(this=number, to=exp.DataType.build("INT"))])
    return node


def _eight_bytes(node: exp.Expr) -> exp.Expr:
    return exp.Cast(this=node, to=to_sql(INTEGER))


def _wide_product(node: exp.Expr) -> exp.Expr:
    """Of two decimals of 18 digits, DuckDB's product has no more."""
    left, right = node.this, node.expression
    types = type_of(left), type_of(right)
    if FLOAT in types or not any(known and known.name == "decimal" for known in types):
        return node
    side, known = ("this", types[0]) if types[0] != INTEGER else ("expression", types[1])
    if known is None or known.name != "decimal":
        return node
    value = node.args[side]
    if not (isinstance(value, exp.Column) and known.precision > 18):
        wide = to_sql(Type("decimal", max(known.precision, 19), known.scale))
        node.set(side, exp.Cast(this=value, to=wide))
    return node


def _part_or_null(node: exp.Expr) -> exp.Expr:
    """Trino has no part after the last one, DuckDB an empty one; split by NULL, it has one part."""
    delimiter, index = node.args.get("delimiter"), node.args.get("part_index")
    if delimiter is None or index is None:
        return node  # the engine tells what it takes
    part = call("LIST_EXTRACT", call("STRING_SPLIT", node.this, delimiter), index)
    return part if isinstance(delimiter, exp.Literal) else when(is_there(delimiter), part)


_SPACE = (
    r"[\t-\r\x{1c}- \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}]+"
)


def _trimmed(node: exp.Expr) -> exp.Expr:
    """Trino trims line breaks and tabs too."""
    if node.expression:
        return node
    ends = {"LEADING": f"^{_SPACE}", "TRAILING": f"{_SPACE}$"}
    space = ends.get(node.text("position").upper(), f"^{_SPACE}|{_SPACE}$")
    return call("REGEXP_REPLACE", node.this, space, "", "g")


def _substring(node: exp.Expr) -> exp.Expr:
    """Nothing starts at 0 or before the text, and nothing has a negative length."""
    text, start, length = node.this, node.args["start"], node.args.get("length")
    first = whole_number(start)
    if length is not None and (whole_number(length) or -1) < 0 and whole_number(length) != 0:
        zero = exp.LT(this=operand(length.copy()), expression=exp.Literal.number(0))
        node.set("length", when(zero, exp.Literal.number(0), length))
    if first is not None and first > 0:
        return node
    nothing = exp.Substring(
        this=text.copy(), start=exp.Literal.number(1), length=exp.Literal.number(0)
    )
    before = exp.LT(
        this=operand(start.copy()),
        expression=exp.Neg(this=exp.Length(this=text.copy())),
    )
    is_zero = exp.EQ(this=operand(start.copy()), expression=exp.Literal.number(0))
    return when(exp.or_(is_zero, before, copy=False), nothing, node)


def _ends(node: exp.Expr) -> exp.Expr:
    """DuckDB takes a negative number of characters for all but so many."""
    count = node.expression
    if (whole_number(count) or 0) > 0:
        return node
    below = exp.LT(this=operand(count.copy()), expression=exp.Literal.number(0))
    node.set("expression", when(below, exp.Literal.number(0), count))
    return node


def _reversed(node: exp.Expr) -> exp.Expr:
    """DuckDB keeps what people see as one character together, Trino turns code points."""
    letters = call("REGEXP_EXTRACT_ALL", node.this, "(?s).")
    return call("ARRAY_TO_STRING", call("LIST_REVERSE", letters), "")


def _regexp_extract(node: exp.Expr) -> exp.Expr:
    """DuckDB gives empty text where nothing matches."""
    text, pattern = node.this, node.expression
    group = node.args.get("group") or exp.Literal.number(0)
    found = call("REGEXP_EXTRACT", text.copy(), pattern.copy(), group)
    return when(call("REGEXP_MATCHES", text, pattern), found)


def _regexp_replace(node: exp.Expr) -> exp.Expr:
    instead = node.args.get("replacement") or exp.Literal.string("")
    if isinstance(instead, exp.Literal):
        instead = exp.Literal.string(with_groups_of_re2(instead.name))
    return call("REGEXP_REPLACE", node.this, node.expression, instead, "g")


def _regexp_count(node: exp.Expr) -> exp.Expr:
    return call("LEN", call("REGEXP_EXTRACT_ALL", node.this, node.expression))


def _json_text(node: exp.Expr) -> exp.Expr:
    """DuckDB fails on text that is no JSON, and writes objects and arrays as text."""
    document, path = node.this, node.expression
    kind = call("JSON_TYPE", document.copy(), path.copy())
    composed = exp.In(
        this=kind, expressions=[exp.Literal.string(name) for name in ("OBJECT", "ARRAY")]
    )
    value = exp.JSONExtractScalar(this=operand(document), expression=path, only_json_types=False)
    return _of_valid(document, [exp.If(this=composed, true=exp.Null())], exp.Paren(this=value))


def _of_valid(document: exp.Expr, cases: list[exp.Expr], rest: exp.Expr | None = None) -> exp.Expr:
    """What a document gives; text that is no JSON gives NULL."""
    if type_of(document) != JSON:
        wrong = exp.Not(this=call("JSON_VALID", document.copy()))
        cases = [exp.If(this=wrong, true=exp.Null()), *cases]
    return exp.Case(ifs=cases, default=rest)


def _part(node: exp.Expr) -> exp.Expr:
    """DuckDB counts Sunday as 0, and calls the years of ISO weeks otherwise."""
    name = _PARTS.get(node.name.lower())
    return exp.Extract(this=exp.Var(this=name), expression=node.expression) if name else node


_PARTS = {
    "dow": "ISODOW",
    "dayofweek": "ISODOW",
    "day_of_week": "ISODOW",
    "dayofweekiso": "ISODOW",
    "yow": "ISOYEAR",
    "yearofweek": "ISOYEAR",
    "year_of_week": "ISOYEAR",
    "dayofyear": "DOY",
    "day_of_year": "DOY",
    "day_of_month": "DAY",
}


def _to_milliseconds(node: exp.Expr) -> exp.Expr:
    """Trino's from_unixtime has no more."""
    if type_of(node.this) == INTEGER:
        return node
    return call("TO_TIMESTAMP", exp.Round(this=node.this, decimals=exp.Literal.number(3)))


def _logarithm(node: exp.Expr) -> exp.Expr:
    known = {2: "LOG2", 10: "LOG10"}.get(whole_number(node.this) or 0)
    return call(known, node.expression) if known else node


REWRITES: Rewrites = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Ceil: _as_whole,
    exp.Chr: _character,
    exp.Floor: _as_whole,
    exp.Trunc: _as_whole,
    exp.Sign: _eight_bytes,
    exp.Mul: _wide_product,
    exp.DateDiff: _whole_units,
    exp.Extract: _part,
    exp.JSONExtractScalar: _json_text,
    exp.Left: _ends,
    exp.Right: _ends,
    exp.Log: _logarithm,
    exp.RegexpCount: _regexp_count,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.Reverse: _reversed,
    exp.SplitPart: _part_or_null,
    exp.Substring: _substring,
    exp.Trim: _trimmed,
    exp.UnixToTime: _to_milliseconds,
}
