"""How each dialect writes our own functions, and what it would mean differently.

The tree of a plan is of no dialect: this is the one place that knows how DuckDB and Trino differ,
beyond their spelling, which is sqlglot's.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from genesis.compile.functions import at_zone, operand, own_name
from genesis.compile.infer import from_sql, to_sql, type_of, typed
from genesis.spec.types import DATE, FLOAT, INTEGER, STRING, TIMESTAMP, TIMESTAMPTZ


def to_dialect(node: exp.Expr, dialect: str) -> exp.Expr:
    """The tree with our own functions, and what dialects mean differently, in a dialect's words.

    Parts that are the same in all dialects are taken over, not copied: the tree before is used up.
    """
    call = node.this if isinstance(node, exp.Filter) else node
    if isinstance(call, exp.Anonymous) and (name := own_name(call)):
        arguments = [to_dialect(argument, dialect) for argument in call.expressions]
        condition = None if call is node else to_dialect(node.args["expression"], dialect)
        return typed(_WORDS[dialect][name](arguments, condition), type_of(node))
    changed = _changed_parts(node, dialect)
    rewrite = _REWRITES[dialect].get(type(node))
    if not changed and rewrite is None:
        return node
    copy = node.__class__(**{**node.args, **changed})
    return typed(rewrite(copy) if rewrite else copy, type_of(node))


def _changed_parts(node: exp.Expr, dialect: str) -> dict[str, object]:
    changed: dict[str, object] = {}
    for key, value in node.args.items():
        if isinstance(value, exp.Expr):
            if (part := to_dialect(value, dialect)) is not value:
                changed[key] = part
        elif isinstance(value, list) and value:
            parts = [
                to_dialect(item, dialect) if isinstance(item, exp.Expr) else item for item in value
            ]
            if any(part is not item for part, item in zip(parts, value, strict=True)):
                changed[key] = parts
    return changed


Arguments = list[exp.Expr]
Words = Callable[[Arguments, exp.Expr | None], exp.Expr]


def _call(name: str, *arguments: exp.Expr | str | int) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[_literal(argument) for argument in arguments])


def _literal(value: exp.Expr | str | int) -> exp.Expr:
    if isinstance(value, exp.Expr):
        return value
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _filtered(call: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    return exp.Filter(this=call, expression=condition) if condition is not None else call


def _text(value: exp.Expr) -> exp.Expr:
    return value if type_of(value) == STRING else exp.Cast(this=value, to=to_sql(STRING))


def _sorted(value: exp.Expr, order: Arguments) -> exp.Expr:
    return exp.Order(this=value, expressions=order) if order else value


def _is_present(value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """The condition of a filter, and that the value is not NULL."""
    present = exp.Not(this=exp.Is(this=operand(value.copy()), expression=exp.Null()))
    if condition is None:
        return exp.Where(this=present)
    return exp.Where(this=exp.and_(condition.this, present, copy=False))


def _date(moment: exp.Expr) -> exp.Expr:
    return exp.cast(moment, "DATE")


def _duckdb_list(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    text = value if isinstance(value, exp.Distinct) else _text(value)
    return _filtered(_call("STRING_AGG", text, _sorted(separator, order)), condition)


def _duckdb_list_distinct(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    if type_of(value) == STRING:
        return _duckdb_list([exp.Distinct(expressions=[value]), separator, *order], condition)
    # DuckDB sorts a DISTINCT list by the listed text; an array is sorted by its values.
    return _array_list(
        "ARRAY_TO_STRING", exp.Distinct(expressions=[value]), value, separator, order, condition
    )


def _trino_list(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    # LISTAGG cannot filter out NULLs and fails over a megabyte; an array does neither.
    value, separator, *order = arguments
    return _array_list("ARRAY_JOIN", value, value, separator, order, condition)


def _trino_list_distinct(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, separator, *order = arguments
    return _array_list(
        "ARRAY_JOIN", exp.Distinct(expressions=[value]), value, separator, order, condition
    )


def _array_list(
    join: str,
    collected: exp.Expr,
    value: exp.Expr,
    separator: exp.Expr,
    order: Arguments,
    condition: exp.Expr | None,
) -> exp.Expr:
    array = _filtered(_call("ARRAY_AGG", _sorted(collected, order)), _is_present(value, condition))
    return _call(join, array, separator)


def _duckdb_first(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, *order = arguments
    return _filtered(_call("FIRST", _sorted(value, order)), condition)


def _duckdb_last(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    value, *order = arguments
    return _filtered(_call("LAST", _sorted(value, order)), condition)


def _trino_nth(position: int) -> Words:
    def nth(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
        value, *order = arguments
        return _call(
            "ELEMENT_AT", _filtered(_call("ARRAY_AGG", _sorted(value, order)), condition), position
        )

    return nth


def _duckdb_median(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    return _filtered(_call("MEDIAN", exp.Cast(this=arguments[0], to=to_sql(FLOAT))), condition)


def _trino_median(arguments: Arguments, condition: exp.Expr | None) -> exp.Expr:
    """The mean of the two middle values of the sorted array: Trino has only approximate percentiles."""
    value = exp.Cast(this=arguments[0], to=to_sql(FLOAT))
    ascending = exp.Ordered(this=value.copy(), nulls_first=False)
    array = _filtered(
        _call("ARRAY_AGG", _sorted(value, [ascending])), _is_present(value, condition)
    )
    size = _call("CARDINALITY", array.copy())
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
        this=_call("ELEMENT_AT", array.copy(), low),
        expression=_call("ELEMENT_AT", array.copy(), high),
    )
    return exp.Div(
        this=exp.Paren(this=total),
        expression=exp.Cast(this=exp.Literal.number(2), to=to_sql(FLOAT)),
        typed=True,
    )


def _int_div_duckdb(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return exp.Paren(this=exp.IntDiv(this=_whole(arguments[0]), expression=_divisor(arguments[1])))


def _int_div_trino(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    divided = exp.Div(this=_whole(arguments[0]), expression=_divisor(arguments[1]), typed=True)
    return exp.Paren(this=divided)


def _divisor(value: exp.Expr) -> exp.Expr:
    """A whole number to divide by; by zero there is no result, and no failure."""
    if isinstance(value, exp.Literal) and float(value.name):
        return _whole(value)
    return exp.Nullif(this=_whole(value), expression=exp.Literal.number(0))


def _whole(value: exp.Expr) -> exp.Expr:
    return operand(value) if type_of(value) == INTEGER else exp.Cast(this=value, to=to_sql(INTEGER))


def _today(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return _date(at_zone(exp.CurrentTimestamp(), arguments[0]))


def _duckdb_instant(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return at_zone(arguments[0], exp.Literal.string("UTC"))


def _trino_instant(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return _call("WITH_TIMEZONE", arguments[0], "UTC")


def _local_date(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return _date(at_zone(*arguments))


def _duckdb_url_encode(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return _call("URL_ENCODE", _text(arguments[0]))


def _trino_url_encode(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    # Trino encodes forms, in which a space is `+`; RFC 3986 wants percents, and leaves `~` alone.
    encoded: exp.Expr = _call("URL_ENCODE", _text(arguments[0]))
    for found, wanted in (("+", "%20"), ("*", "%2A"), ("%7E", "~")):
        encoded = _call("REPLACE", encoded, found, wanted)
    return encoded


def _trino_number_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    value, decimals, grouped = arguments
    comma = "," if grouped.name == "1" else ""
    text = _call("FORMAT", f"%{comma}.{decimals.name}f", value)
    # Of NULL, FORMAT writes the first letters of "null".
    is_null = exp.Is(this=operand(value.copy()), expression=exp.Null())
    return exp.Case(ifs=[exp.If(this=exp.Not(this=is_null), true=text)])


def _duckdb_number_text(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    value, decimals, grouped = arguments
    text = exp.Cast(this=value, to=to_sql(STRING))
    if grouped.name != "1":
        return text
    # A comma before each three digits that end the whole part: RE2 cannot look ahead, so from the right.
    reversed_text = _call("REVERSE", text)
    fraction = int(decimals.name) + 1 if decimals.name != "0" else 0
    whole = _call("SUBSTRING", reversed_text, fraction + 1)
    grouped_whole = _call("REGEXP_REPLACE", whole, r"(\d{3})", r"\1,", "g")
    tidy = _call("REGEXP_REPLACE", _call("REVERSE", grouped_whole), r"^(-?),", r"\1")
    if not fraction:
        return tidy
    tail = _call("REVERSE", _call("SUBSTRING", reversed_text.copy(), 1, fraction))
    return exp.DPipe(this=tidy, expression=tail, safe=False)


_SHARED: dict[str, Words] = {"today": _today, "local_date": _local_date}
_DUCKDB: dict[str, Words] = {
    **_SHARED,
    "list": _duckdb_list,
    "list_distinct": _duckdb_list_distinct,
    "first": _duckdb_first,
    "last": _duckdb_last,
    "median": _duckdb_median,
    "int_div": _int_div_duckdb,
    "instant": _duckdb_instant,
    "url_encode": _duckdb_url_encode,
    "number_text": _duckdb_number_text,
}
_TRINO: dict[str, Words] = {
    **_SHARED,
    "list": _trino_list,
    "list_distinct": _trino_list_distinct,
    "first": _trino_nth(1),
    "last": _trino_nth(-1),
    "median": _trino_median,
    "int_div": _int_div_trino,
    "instant": _trino_instant,
    "url_encode": _trino_url_encode,
    "number_text": _trino_number_text,
}
_WORDS = {"duckdb": _DUCKDB, "trino": _TRINO}


# --- what dialects mean differently ---------------------------------------------------------------


def _exact_sum(node: exp.Expr) -> exp.Expr:
    """sum(bigint) overflows on Trino; DuckDB widens by itself."""
    is_distinct = isinstance(node.this, exp.Distinct)
    value = node.this.expressions[0] if is_distinct else node.this
    if type_of(value) == INTEGER:
        value.replace(exp.Cast(this=value.copy(), to=exp.DataType.build("DECIMAL(38, 0)")))
    return node


def _is_boolean(node: exp.Expr) -> exp.Expr:
    """Trino has no `is true`, and sqlglot would write the condition itself, which may be NULL."""
    if not isinstance(node.expression, exp.Boolean):
        return node
    if node.expression.this:
        return exp.Coalesce(this=node.this, expressions=[exp.false()])
    known = exp.Coalesce(this=node.this, expressions=[exp.true()])
    return exp.Paren(this=exp.Not(this=known))


def _whole_units(node: exp.Expr) -> exp.Expr:
    """DuckDB's date_diff counts borders crossed, Trino's whole units, as DuckDB's date_sub does."""
    return _call("DATE_SUB", node.text("unit").lower(), node.expression, node.this)


def _rounded_half_up(node: exp.Expr) -> exp.Expr:
    """Half a unit goes to the even number where DuckDB casts, away from zero where Trino does."""
    if type_of(node.this) == FLOAT and from_sql(node.args["to"]) == INTEGER:
        node.set("this", exp.Round(this=node.this))
    return node


def _part_or_null(node: exp.Expr) -> exp.Expr:
    """Trino has no part after the last one, DuckDB an empty one."""
    parts = _call("STRING_SPLIT", node.this, node.args["delimiter"])
    return _call("LIST_EXTRACT", parts, node.args["part_index"])


def _trimmed(node: exp.Expr) -> exp.Expr:
    """Trino trims all white space, DuckDB only spaces."""
    if node.expression:
        return node
    ends = {"LEADING": r"^\s+", "TRAILING": r"\s+$"}
    space = ends.get(node.text("position").upper(), r"^\s+|\s+$")
    return _call("REGEXP_REPLACE", node.this, space, "", "g")


def _to_the_second(node: exp.Expr) -> exp.Expr:
    """Trino's date_format rounds to milliseconds first, and so into the next second."""
    if type_of(node.this) != DATE:
        node.set("this", _call("DATE_TRUNC", "second", node.this))
    return node


def _with_microseconds(node: exp.Expr) -> exp.Expr:
    """Unless it says otherwise, a timestamp has three digits of a second in Trino."""
    to = node.args["to"]
    if from_sql(to) in (TIMESTAMP, TIMESTAMPTZ) and not to.expressions:
        six = exp.DataTypeParam(this=exp.Literal.number(6))
        node.set("to", exp.DataType(this=to.this, expressions=[six]))
    return node


_Rewrites = dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]]
_IN_DUCKDB: _Rewrites = {
    exp.Cast: _rounded_half_up,
    exp.DateDiff: _whole_units,
    exp.SplitPart: _part_or_null,
    exp.Trim: _trimmed,
    exp.TryCast: _rounded_half_up,
}
_IN_TRINO: _Rewrites = {
    exp.Cast: _with_microseconds,
    exp.Is: _is_boolean,
    exp.Sum: _exact_sum,
    exp.TimeToStr: _to_the_second,
    exp.TryCast: _with_microseconds,
}
_REWRITES = {"duckdb": _IN_DUCKDB, "trino": _IN_TRINO}
