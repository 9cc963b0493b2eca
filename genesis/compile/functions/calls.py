"""Functions: which aggregate, which agree on all engines, and which are our own.

What the engines lack or mean differently is bound as a function named `genesis_...` (see `own`);
`dialects` gives it an engine's words when the SQL is rendered.
"""

from __future__ import annotations

from sqlglot import exp

from genesis.compile.functions.portable import NAMES

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

# What has no name of its own in a tree, or is read by a syntax of its own.
_UNNAMED: dict[type[exp.Expr], str] = {
    exp.Cast: "cast",
    exp.TryCast: "try_cast",
    exp.Ceil: "ceil",
    exp.Chr: "chr",
    exp.Extract: "extract",
    exp.If: "if",
    exp.StrPosition: "position",
    exp.Substring: "substr",
    exp.Trim: "trim",
    exp.CurrentDate: "current_date",
    exp.CurrentTimestamp: "current_timestamp",
}
OPERATORS = (exp.And, exp.Or, exp.Case, exp.Interval, exp.Like, exp.ILike)


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


def is_portable(name: str, node: exp.Expr) -> bool:
    """Whether a function of a name is listed."""
    return name in NAMES or isinstance(node, OPERATORS)


def written_name(node: exp.Expr, text: str) -> str:
    """A function as it is called in the text that its tree was read from."""
    start = node.meta.get("start")
    if start is not None:
        return text[start : node.meta["end"] + 1].lower()
    return _UNNAMED.get(type(node)) or function_name(node)


def function_name(node: exp.Expr) -> str:
    """A function as people write it."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return str(node.sql_name() if isinstance(node, exp.Func) else node.key).lower()


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
