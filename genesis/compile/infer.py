"""The type of an expression, and whether it can be NULL, as far as they can be told.

A bound column carries its declared type in `meta`; everything else follows from its parts.
`None` means that nobody can tell, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from genesis.spec.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    JSON,
    MAX_PRECISION,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
)

_TYPE = "genesis_type"
_NOT_NULL = "genesis_not_null"


def typed(node: exp.Expr, type_: Type | None, *, nullable: bool = True) -> exp.Expr:
    """The node, knowing its type."""
    if type_ is not None:
        node.meta[_TYPE] = type_
    if not nullable:
        node.meta[_NOT_NULL] = True
    return node


def is_nullable(node: exp.Expr) -> bool:
    """Whether a value may be NULL, as far as can be told."""
    if node.meta.get(_NOT_NULL):
        return False
    match node:
        case exp.Literal() | exp.Boolean():
            return False
        case exp.Paren() | exp.Cast() | exp.Upper() | exp.Lower() | exp.Trim():
            return is_nullable(node.this)
        case exp.Coalesce():
            return all(is_nullable(part) for part in (node.this, *node.expressions))
    return True


def is_null_of_nulls(node: exp.Expr) -> bool:
    """Whether an expression is surely NULL where all its columns are."""
    match node:
        case exp.Column():
            return True
        case exp.And() | exp.Or() | exp.Coalesce():
            return all(map(is_null_of_nulls, _operands(node)))
        case exp.Case() | exp.If():
            results = [one.args["true"] for one in node.args.get("ifs") or [node]]
            rest = [node.args[key] for key in ("default", "false") if node.args.get(key)]
            return all(
                isinstance(one, exp.Null) or is_null_of_nulls(one) for one in [*results, *rest]
            )
        case exp.Is() | exp.NullSafeEQ() | exp.NullSafeNEQ():
            return False
        case exp.In() | exp.Between() | exp.Nullif() | exp.Cast():
            return is_null_of_nulls(node.this)
    if isinstance(node, (exp.Binary, exp.Unary, *_STRINGS, *_INTEGERS, *_NUMBERS)):
        return any(map(is_null_of_nulls, _operands(node)))
    return False


def _operands(node: exp.Expr) -> list[exp.Expr]:
    return [
        part for part in node.iter_expressions() if not isinstance(part, exp.Var | exp.DataType)
    ]


_STRINGS = (
    exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.Concat, exp.DPipe, exp.Replace, exp.RegexpReplace,
    exp.RegexpExtract, exp.Left, exp.Right, exp.Pad, exp.Reverse, exp.SplitPart, exp.TimeToStr, exp.JSONExtractScalar,
    exp.Chr, exp.Initcap,
)  # fmt: skip
_INTEGERS = (
    exp.Length, exp.DateDiff, exp.Year, exp.Month, exp.Day, exp.Quarter, exp.Week, exp.WeekOfYear, exp.DayOfWeek,
    exp.DayOfWeekIso, exp.DayOfMonth, exp.DayOfYear, exp.Extract, exp.StrPosition, exp.Sign, exp.Count, exp.Hour,
    exp.Minute, exp.Second, exp.Unicode, exp.Levenshtein,
)  # fmt: skip
_FLOATS = (exp.Div, exp.Sqrt, exp.Ln, exp.Log, exp.Exp, exp.Pow, exp.Cbrt, exp.Avg)
_NUMBERS = (exp.Abs, exp.Round, exp.Ceil, exp.Floor, exp.Sqrt, exp.Ln, exp.Exp, exp.Sign)
_BOOLEANS = (
    exp.Predicate, exp.Escape, exp.And, exp.Or, exp.Not, exp.Xor, exp.Boolean, exp.LogicalAnd, exp.LogicalOr, exp.StartsWith,
    exp.EndsWith, exp.RegexpLike, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Contains, exp.IsNan,
)  # fmt: skip
_SAME_AS_FIRST = (
    exp.Paren, exp.Neg, exp.Abs, exp.Nullif, exp.Min, exp.Max, exp.TimestampTrunc, exp.DateTrunc, exp.DateAdd,
    exp.DateSub, exp.Filter,
)  # fmt: skip


def type_of(node: exp.Expr) -> Type | None:
    """The type of a bound expression, or `None` where it cannot be told."""
    if _TYPE in node.meta:
        known: Type = node.meta[_TYPE]
        return known
    match node:
        case exp.Literal():
            return STRING if node.is_string else _number(node.name)
        case exp.Cast():
            return from_sql(node.to)
        case exp.CurrentTimestamp():
            return TIMESTAMPTZ
        case exp.CurrentDate() | exp.Date():
            return DATE
        case exp.Case():
            branches = [part.args["true"] for part in node.args["ifs"]]
            return unify([*branches, node.args.get("default")])
        case exp.If():
            return unify([node.args["true"], node.args.get("false")])
        case exp.Coalesce() | exp.Greatest() | exp.Least():
            return unify([node.this, *node.expressions])
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Mod():
            return _arithmetic(node)
        case exp.Round() | exp.Ceil() | exp.Floor() | exp.Trunc():
            return _rounded(node)
        case exp.Sum():
            return _summed(type_of(node.this))
    if isinstance(node, _BOOLEANS):
        return BOOLEAN
    if isinstance(node, _SAME_AS_FIRST):
        return type_of(node.this)
    for classes, type_ in ((_STRINGS, STRING), (_INTEGERS, INTEGER), (_FLOATS, FLOAT)):
        if isinstance(node, classes):
            return type_
    return None


def unify(nodes: Iterable[exp.Expr | None]) -> Type | None:
    """The one type that holds all the values; NULLs have any."""
    types = [type_of(node) for node in nodes if node is not None and not isinstance(node, exp.Null)]
    return join_types(types) if types else None


def join_types(types: Iterable[Type | None]) -> Type | None:
    """The smallest type that holds values of all the given ones."""
    found: Type | None = None
    for type_ in types:
        if type_ is None:
            return None
        if found is None or found == type_:
            found = type_
        elif found.is_number and type_.is_number:
            found = _wider(found, type_)
        elif {found, type_} == {DATE, TIMESTAMP}:
            found = TIMESTAMP
        else:
            return None
    return found


def _number(text: str) -> Type:
    if "e" in text.lower():
        return FLOAT
    whole, _, fraction = text.partition(".")
    if not fraction:
        return INTEGER
    return Type(
        "decimal", min(MAX_PRECISION, len(whole.lstrip("0")) + len(fraction) or 1), len(fraction)
    )


def _wider(left: Type, right: Type) -> Type:
    if FLOAT in (left, right):
        return FLOAT
    if left == right == INTEGER:
        return INTEGER
    scale = max(left.scale, right.scale)
    whole = max(_whole_digits(left), _whole_digits(right))
    return Type("decimal", min(MAX_PRECISION, whole + scale), scale)


def _whole_digits(type_: Type) -> int:
    return 19 if type_ == INTEGER else type_.precision - type_.scale


def _arithmetic(node: exp.Expr) -> Type | None:
    left, right = type_of(node.this), type_of(node.expression)
    if isinstance(node.expression, exp.Interval) and left and left.is_time:
        return left
    if isinstance(node.this, exp.Interval) and right and right.is_time:
        return right
    if not (left and right and left.is_number and right.is_number):
        return None
    joined = _wider(left, right)
    if joined.name != "decimal":
        return joined
    scale = left.scale + right.scale if isinstance(node, exp.Mul) else joined.scale
    return Type("decimal", MAX_PRECISION, min(scale, MAX_PRECISION))


def _rounded(node: exp.Expr) -> Type | None:
    inner = type_of(node.this)
    if inner and inner.name == "decimal":
        digits = node.args.get("decimals")
        kept = int(digits.name) if isinstance(digits, exp.Literal) and digits.name.isdigit() else 0
        return Type("decimal", inner.precision, min(kept, inner.scale))
    return inner


def _summed(inner: Type | None) -> Type | None:
    if inner and inner.name == "decimal":
        return Type("decimal", MAX_PRECISION, inner.scale)
    return inner if inner and inner.is_number else None


def differs_as_text(type_: Type) -> bool:
    """Whether engines write the values of a type differently when they are cast to text."""
    return type_ in (FLOAT, TIME, TIMESTAMP, TIMESTAMPTZ, JSON) or type_.name == "array"


def to_sql(type_: Type) -> exp.DataType:
    """The SQL type that holds a type's values on every engine."""
    match type_.name:
        case "decimal":
            return _with_digits(exp.DataType.Type.DECIMAL, type_.precision, type_.scale)
        case "array":
            item = to_sql(type_.item or STRING)
            return exp.DataType(this=exp.DataType.Type.ARRAY, expressions=[item], nested=True)
        case "time" | "timestamp" | "timestamptz":
            return _with_digits(_SQL_TYPES[type_], 6)  # Trino rounds to milliseconds if let
    return exp.DataType(this=_SQL_TYPES[type_])


def _with_digits(name: exp.DType, *digits: int) -> exp.DataType:
    numbers = [exp.DataTypeParam(this=exp.Literal.number(number)) for number in digits]
    return exp.DataType(this=name, expressions=numbers)


_SQL_TYPES = {
    STRING: exp.DataType.Type.VARCHAR,
    INTEGER: exp.DataType.Type.BIGINT,
    FLOAT: exp.DataType.Type.DOUBLE,
    BOOLEAN: exp.DataType.Type.BOOLEAN,
    DATE: exp.DataType.Type.DATE,
    TIME: exp.DataType.Type.TIME,
    TIMESTAMP: exp.DataType.Type.TIMESTAMP,
    TIMESTAMPTZ: exp.DataType.Type.TIMESTAMPTZ,
    JSON: exp.DataType.Type.JSON,
}
_FROM_SQL = {
    **{sql: type_ for type_, sql in _SQL_TYPES.items()},
    **dict.fromkeys((exp.DataType.Type.TEXT, exp.DataType.Type.CHAR), STRING),
    **dict.fromkeys(
        (exp.DataType.Type.TINYINT, exp.DataType.Type.SMALLINT, exp.DataType.Type.INT), INTEGER
    ),
    exp.DataType.Type.FLOAT: FLOAT,
    exp.DataType.Type.TIMESTAMPNTZ: TIMESTAMP,  # what DuckDB's dialect reads
}


def from_sql(data_type: exp.DataType) -> Type | None:
    """The language's type for an SQL type, or `None` where it has none."""
    if data_type.this == exp.DataType.Type.DECIMAL:
        precision, scale = [*(int(part.name) for part in data_type.expressions), 0, 0][:2]
        return Type("decimal", precision, scale) if precision else None
    return _FROM_SQL.get(data_type.this)
