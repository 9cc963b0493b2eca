"""Calls of an engine's own functions, node by node: what `duckdb` and `trino` write with."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from genesis.compile.functions.calls import at_zone, operand
from genesis.compile.infer import to_sql, type_of
from genesis.spec.types import DATE, INTEGER, STRING

Arguments = list[exp.Expr]
Words = Callable[[Arguments, exp.Expr | None], exp.Expr]
Rewrites = dict[type[exp.Expr], Callable[[exp.Expr], exp.Expr]]


def call(name: str, *arguments: exp.Expr | str | int) -> exp.Anonymous:
    """A function of the engine, called."""
    return exp.Anonymous(this=name, expressions=[literal(argument) for argument in arguments])


def literal(value: exp.Expr | str | int) -> exp.Expr:
    """A text or number as a literal; what is SQL already stays."""
    if isinstance(value, exp.Expr):
        return value
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def filtered(aggregate: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """An aggregate over the rows of a condition."""
    return exp.Filter(this=aggregate, expression=condition) if condition is not None else aggregate


def as_text(value: exp.Expr) -> exp.Expr:
    """A value as text, which text is already."""
    return value if type_of(value) == STRING else exp.Cast(this=value, to=to_sql(STRING))


def in_order(value: exp.Expr, order: Arguments) -> exp.Expr:
    """An aggregate's argument, with the order in which it takes the rows."""
    return exp.Order(this=value, expressions=order) if order else value


def where_present(value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
    """The condition of a filter, and that the value is not NULL."""
    present = is_there(value)
    if condition is None:
        return exp.Where(this=present)
    return exp.Where(this=exp.and_(condition.this, present, copy=False))


def is_there(value: exp.Expr) -> exp.Expr:
    """Whether a value is not NULL."""
    return exp.Not(this=exp.Is(this=operand(value.copy()), expression=exp.Null()))


def when(condition: exp.Expr, then: exp.Expr, otherwise: exp.Expr | None = None) -> exp.Case:
    """One of two values."""
    return exp.Case(ifs=[exp.If(this=condition, true=then)], default=otherwise)


def whole_number(node: exp.Expr | None) -> int | None:
    """The value of a literal integer, or `None` where the node is none."""
    if isinstance(node, exp.Paren):
        return whole_number(node.this)
    if isinstance(node, exp.Neg):
        inner = whole_number(node.this)
        return None if inner is None else -inner
    is_whole = isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()
    return int(node.name) if node is not None and is_whole else None


def _date(moment: exp.Expr) -> exp.Expr:
    return exp.Cast(this=moment, to=to_sql(DATE))


def array_list(
    join: str,
    collected: exp.Expr,
    value: exp.Expr,
    separator: exp.Expr,
    order: Arguments,
    condition: exp.Expr | None,
) -> exp.Expr:
    """The values of a group that are there, as one text."""
    array = filtered(call("ARRAY_AGG", in_order(collected, order)), where_present(value, condition))
    return call(join, array, separator)


def divisor(value: exp.Expr) -> exp.Expr:
    """A whole number to divide by; by zero there is no result, and no failure."""
    if isinstance(value, exp.Literal) and float(value.name):
        return whole(value)
    return exp.Nullif(this=whole(value), expression=exp.Literal.number(0))


def whole(value: exp.Expr) -> exp.Expr:
    """A value as an integer, which an integer is already."""
    return operand(value) if type_of(value) == INTEGER else exp.Cast(this=value, to=to_sql(INTEGER))


def today(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """The day of the engine's clock in a zone."""
    return _date(at_zone(exp.CurrentTimestamp(), arguments[0]))


def local_date(arguments: Arguments, _: exp.Expr | None) -> exp.Expr:
    """The day of an instant in a zone."""
    return _date(at_zone(*arguments))
