"""Functions: which aggregate, which agree on all engines, and how each engine writes ours.

What the engines lack or mean differently is bound as a function named `genesis_...` (see `own`) and
becomes the engine's own words only when the SQL is rendered.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from genesis.compile.infer import to_sql, type_of
from genesis.spec.types import FLOAT, INTEGER, STRING, TIMESTAMP

AGGREGATES = (
    "count", "count_distinct", "sum", "avg", "min", "max", "median", "list", "first", "last", "bool_and", "bool_or",
)  # fmt: skip
QUANTIFIERS = ("any", "none", "all")

_AGGREGATE_NODES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Median: "median",
    exp.List: "list",
    exp.First: "first",
    exp.Last: "last",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
}

NONDETERMINISTIC = frozenset(
    {"rand", "random", "randn", "uuid", "shuffle", "gen_random_uuid", "setseed"}
)
CLOCKS = frozenset({"now", "today", "local_date", "current_timestamp", "current_date"})

_PORTABLE_NODES = (
    exp.Abs, exp.And, exp.Or, exp.Not, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Ceil, exp.Coalesce, exp.Concat, exp.DPipe,
    exp.DateDiff, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.Exp, exp.Extract, exp.Floor, exp.Greatest, exp.Least,
    exp.Left, exp.Length, exp.Ln, exp.Lower, exp.Mod, exp.Month, exp.Nullif, exp.Pow, exp.Quarter,
    exp.RegexpLike, exp.Replace, exp.Reverse, exp.Round, exp.Sign, exp.SplitPart, exp.Sqrt, exp.StartsWith,
    exp.StrPosition, exp.Substring, exp.Trim, exp.Upper, exp.Year, exp.CurrentDate, exp.CurrentTimestamp, exp.Pad,
    exp.TimestampTrunc, exp.DateTrunc, exp.Connector, exp.Interval,
)  # fmt: skip


def aggregate_name(node: exp.Expr) -> str | None:
    """The aggregate a call names, or `None`."""
    if isinstance(node, exp.Anonymous):
        name = node.name.lower()
        return name if name in AGGREGATES else None
    if type(node) in (exp.Max, exp.Min) and node.expressions:
        return None  # `max(a, b)` is no aggregate
    return _AGGREGATE_NODES.get(type(node))


def quantifier_name(node: exp.Expr) -> str | None:
    """`any`, `none` or `all`, or `None`."""
    if isinstance(node, exp.Any):
        return "any"
    if isinstance(node, exp.All):
        return "all"
    if isinstance(node, exp.Anonymous) and node.name.lower() in QUANTIFIERS:
        return node.name.lower()
    return None


def arguments(node: exp.Expr) -> list[exp.Expr]:
    """The arguments of a call, in order."""
    first = node.args.get("this")
    found = [first] if isinstance(first, exp.Expr) else []
    return [*found, *node.expressions]


def is_portable(node: exp.Func) -> bool:
    """Whether a function is known to agree on every engine."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in ("int_div", *CLOCKS)
    return isinstance(node, _PORTABLE_NODES)


def function_name(node: exp.Func) -> str:
    """A function as people write it."""
    return node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()


# --- our own functions ----------------------------------------------------------------------------


def own(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of one of our own functions."""
    return exp.Anonymous(this=f"genesis_{name}", expressions=list(arguments))


def listing(
    value: exp.Expr, separator: str, order: list[exp.Ordered], *, distinct: bool
) -> exp.Expr:
    """The values of a group as one text, NULLs left out."""
    kind = "list_distinct" if distinct else "list"
    return own(kind, value, exp.Literal.string(separator), *order)


def to_dialect(tree: exp.Expr, dialect: str) -> exp.Expr:
    """The tree with our own functions in the words of a dialect."""
    return tree.transform(_rewrite, dialect, copy=True)


def _rewrite(node: exp.Expr, dialect: str) -> exp.Expr:
    condition = None
    call = node
    if isinstance(node, exp.Filter) and _own_name(node.this):
        call, condition = node.this, node.expression
    name = _own_name(call)
    if name:
        words = _TRINO if dialect == "trino" else _DUCKDB
        return to_dialect(words[name](call.expressions, condition), dialect)
    if dialect == "trino" and isinstance(node, exp.Sum) and type_of(node.this) == INTEGER:
        # sum(bigint) overflows on Trino; DuckDB widens by itself.
        exact = exp.cast(to_dialect(node.this, dialect), "DECIMAL(38, 0)")
        return exp.Sum(this=exact)
    if dialect == "duckdb" and isinstance(node, exp.DateDiff):
        # DuckDB's date_diff counts borders crossed, Trino's whole units; DuckDB's date_sub is the same as Trino's.
        parts = [exp.Literal.string(node.text("unit").lower()), node.expression, node.this]
        return exp.Anonymous(
            this="DATE_SUB", expressions=[to_dialect(part, dialect) for part in parts]
        )
    return node


def _own_name(node: exp.Expr) -> str | None:
    is_own = isinstance(node, exp.Anonymous) and node.name.startswith("genesis_")
    return node.name.removeprefix("genesis_") if is_own else None


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


def _at_zone(moment: exp.Expr, zone: exp.Expr) -> exp.Expr:
    return exp.AtTimeZone(this=moment, zone=zone)


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
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    both = exp.and_(condition.this, present, copy=False) if condition is not None else present
    array = _filtered(
        exp.Anonymous(this="ARRAY_AGG", expressions=[_sorted(collected, order)]),
        exp.Where(this=both),
    )
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
    present = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
    both = exp.and_(condition.this, present, copy=False) if condition is not None else present
    array = _filtered(
        _call("ARRAY_AGG", _sorted(value, [exp.Ordered(this=value.copy(), nulls_first=False)])),
        exp.Where(this=both),
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
    return exp.IntDiv(this=_bigint(arguments[0]), expression=_bigint(arguments[1]))


def _int_div_trino(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    # Trino fails on a division by zero, DuckDB gives NULL; NULL it is.
    divisor = exp.Nullif(this=_bigint(arguments[1]), expression=exp.Literal.number(0))
    return exp.Paren(this=exp.Div(this=_bigint(arguments[0]), expression=divisor, typed=True))


def _bigint(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=to_sql(INTEGER))


def _today(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    return _date(_at_zone(exp.CurrentTimestamp(), arguments[0]))


def _duckdb_local_date(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    moment, zone = arguments
    if type_of(moment) == TIMESTAMP:
        moment = _at_zone(moment, exp.Literal.string("UTC"))
    return _date(_at_zone(moment, zone))


def _trino_local_date(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    moment, zone = arguments
    if type_of(moment) == TIMESTAMP:
        moment = _call("WITH_TIMEZONE", moment, "UTC")
    return _date(_at_zone(moment, zone))


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
    return _call("FORMAT", f"%{comma}.{decimals.name}f", value)


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


_SHARED: dict[str, Words] = {"today": _today}
_DUCKDB: dict[str, Words] = {
    **_SHARED,
    "list": _duckdb_list,
    "list_distinct": _duckdb_list_distinct,
    "first": _duckdb_first,
    "last": _duckdb_last,
    "median": _duckdb_median,
    "int_div": _int_div_duckdb,
    "local_date": _duckdb_local_date,
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
    "local_date": _trino_local_date,
    "url_encode": _trino_url_encode,
    "number_text": _trino_number_text,
}
