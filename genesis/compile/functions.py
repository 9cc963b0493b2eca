"""Functions: which aggregate, which agree on all engines, and which are our own.

What the engines lack or mean differently is bound as a function named `genesis_...` (see `own`);
`dialects` gives it an engine's words when the SQL is rendered.
"""

from __future__ import annotations

from sqlglot import exp

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

# What each gives another time, and what gives it another way: every run's own clock is ours.
NONDETERMINISTIC = {
    **dict.fromkeys(
        ("rand", "random", "randn", "uuid", "shuffle", "gen_random_uuid", "setseed"),
        "a report gives equal rows for equal data",
    ),
    **dict.fromkeys(
        ("current_user", "session_user", "current_role", "current_catalog", "current_schema"),
        "a report gives equal rows to everyone",
    ),
    **dict.fromkeys(
        ("current_time", "localtime", "localtimestamp", "current_datetime", "sysdate"),
        "`now()` and `today()` are the run's own clock",
    ),
}
CLOCKS = frozenset({"now", "today", "local_date", "current_timestamp", "current_date"})

_PORTABLE_NODES = (
    exp.Abs, exp.And, exp.Or, exp.Not, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Ceil, exp.Coalesce, exp.Concat, exp.DPipe,
    exp.Date, exp.DateDiff, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.Exp, exp.Floor, exp.Greatest, exp.Least,
    exp.Left, exp.Length, exp.Ln, exp.Lower, exp.Mod, exp.Month, exp.Nullif, exp.Pow, exp.Quarter,
    exp.RegexpLike, exp.Replace, exp.Reverse, exp.Round, exp.Sign, exp.SplitPart, exp.Sqrt, exp.StartsWith,
    exp.StrPosition, exp.Substring, exp.Trim, exp.Upper, exp.Year, exp.CurrentDate, exp.CurrentTimestamp, exp.Pad,
    exp.TimestampTrunc, exp.DateTrunc, exp.Connector, exp.Interval,
)  # fmt: skip


# Of the sqlglot classes that aggregate, those above are ours; of the names it has no class for, these aggregate too.
_FOREIGN_AGGREGATES = frozenset(
    {"every", "histogram", "checksum", "geometric_mean", "map_agg", "multimap_agg", "map_union", "reduce_agg", "numeric_histogram", "quantile_cont", "quantile_disc", "product", "sumif", "fsum", "favg"}
)  # fmt: skip


def is_foreign_aggregate(node: exp.Expr) -> bool:
    """Whether a call aggregates in an engine, and not in the language."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _FOREIGN_AGGREGATES
    return isinstance(node, exp.AggFunc) and aggregate_name(node) is None


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
    match node:
        case exp.Anonymous():
            return node.name.lower() in ("int_div", *CLOCKS)
        case exp.Extract():  # engines count days of a week from other days
            return node.name.lower() in (
                "year",
                "quarter",
                "month",
                "day",
                "hour",
                "minute",
                "second",
            )
        case exp.Date():
            return not node.expressions and node.args.get("zone") is None
    return isinstance(node, _PORTABLE_NODES)


def function_name(node: exp.Func) -> str:
    """A function as people write it."""
    return node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()


def own(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    """A call of one of our own functions."""
    return exp.Anonymous(this=f"genesis_{name}", expressions=list(arguments))


def operand(value: exp.Expr) -> exp.Expr:
    """The value, in parentheses where an operator round it could take it apart."""
    is_apart = isinstance(value, _APART) and not isinstance(value, _TOGETHER)
    return exp.Paren(this=value) if is_apart else value


_APART = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.AtTimeZone, exp.Interval)
_TOGETHER = (exp.Paren, exp.Dot)


def at_zone(moment: exp.Expr, zone: exp.Expr) -> exp.Expr:
    """An instant on the clocks of a zone."""
    return exp.AtTimeZone(this=operand(moment), zone=zone)


def listing(
    value: exp.Expr, separator: str, order: list[exp.Ordered], *, distinct: bool
) -> exp.Expr:
    """The values of a group as one text, NULLs left out."""
    kind = "list_distinct" if distinct else "list"
    return own(kind, value, exp.Literal.string(separator), *order)


def own_name(node: exp.Expr) -> str | None:
    """Which of our own functions a call names, or `None`."""
    is_own = isinstance(node, exp.Anonymous) and node.name.startswith("genesis_")
    return node.name.removeprefix("genesis_") if is_own else None
