"""Literals and what they are compared with: typed, within the allowed values, never silently cast."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp

from genesis.compile.expression import Fragment
from genesis.compile.infer import is_nullable, to_sql, type_of, typed
from genesis.errors import Problems, did_you_mean
from genesis.spec.types import DATE, STRING, TIME, TIMESTAMP, TIMESTAMPTZ, Type

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def typed_literal(value: Any, type_: Type) -> exp.Expr:
    """A value as SQL of a type; raises `ValueError` where it is none of that type."""
    if value is None:
        return typed(exp.Cast(this=exp.Null(), to=to_sql(type_)), type_)
    return typed(_LITERALS[type_.name](value, type_), type_, nullable=False)


def _string(value: Any, _: Type) -> exp.Expr:
    return exp.Literal.string(str(value))


def _integer(value: Any, type_: Type) -> exp.Expr:
    if (
        isinstance(value, bool)
        or not -(2**63) <= int(value) < 2**63
        or (isinstance(value, float) and value != int(value))
    ):
        raise ValueError(value)
    return _number(str(int(value)), type_)


def _decimal(value: Any, type_: Type) -> exp.Expr:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(value) from None
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError(value)
    return exp.Cast(this=exp.Literal.string(f"{number:f}"), to=to_sql(type_))


def _float(value: Any, type_: Type) -> exp.Expr:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise ValueError(value)
    return exp.Cast(this=exp.Literal.string(repr(float(value))), to=to_sql(type_))


def _number(text: str, _: Type) -> exp.Expr:
    literal = exp.Literal.number(text.removeprefix("-"))
    return exp.Neg(this=literal) if text.startswith("-") else literal


def _boolean(value: Any, _: Type) -> exp.Expr:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(value)
    return exp.Boolean(this=text == "true")


def _date(value: Any, type_: Type) -> exp.Expr:
    return exp.Cast(
        this=exp.Literal.string(date.fromisoformat(str(value)).isoformat()), to=to_sql(type_)
    )


def _time(value: Any, type_: Type) -> exp.Expr:
    return exp.Cast(
        this=exp.Literal.string(time.fromisoformat(str(value)).isoformat()), to=to_sql(type_)
    )


def _timestamp(value: Any, type_: Type) -> exp.Expr:
    return timestamp_literal(parse_moment(str(value)), type_)


def parse_moment(text: str) -> datetime:
    """An ISO moment in UTC; without a zone it is UTC. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def timestamp_literal(moment: datetime, type_: Type) -> exp.Expr:
    """A moment as SQL; of a `timestamp` its UTC wall time."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    if type_ == TIMESTAMPTZ:
        text += " UTC"
    return exp.Cast(this=exp.Literal.string(text), to=to_sql(type_))


_LITERALS: dict[str, Callable[[Any, Type], exp.Expr]] = {
    "string": _string,
    "json": _string,
    "integer": _integer,
    "decimal": _decimal,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
}


def check_comparison(
    node: exp.Expr, fragment: Fragment, problems: Problems, *, in_filter: bool
) -> exp.Expr:
    """The node with its literals of the type they are compared with; any other node as it is."""
    if isinstance(node, _COMPARISONS):
        left, right = node.this, node.expression
        node.set("expression", _fit(right, left, fragment, problems))
        node.set("this", _fit(left, right, fragment, problems))
        if isinstance(node, exp.NEQ) and in_filter:
            _warn_of_nulls(left, right, "<>", fragment, problems)
    elif isinstance(node, exp.In) and node.expressions:
        node.set(
            "expressions",
            [_fit(value, node.this, fragment, problems) for value in node.expressions],
        )
    elif isinstance(node, exp.Between):
        for key in ("low", "high"):
            node.set(key, _fit(node.args[key], node.this, fragment, problems))
    elif isinstance(node, exp.Not) and isinstance(node.this, exp.In) and in_filter:
        _warn_of_nulls(node.this.this, None, "not in", fragment, problems)
    return node


def _fit(value: exp.Expr, other: exp.Expr, fragment: Fragment, problems: Problems) -> exp.Expr:
    """A literal as the type of what it is compared with."""
    wanted, given = type_of(other), type_of(value)
    if wanted is None or given is None or isinstance(other, exp.Literal):
        return value
    plain = _plain_value(value)
    if plain is None:
        if not _comparable(given, wanted):
            problems.add(
                "wrong-literal",
                f"{given} is compared with {wanted}",
                fragment.place(value),
                hint="`cast(... as ...)` makes them one type",
            )
        return value
    at = fragment.place(value)
    allowed = other.meta.get("genesis_values")
    if allowed is not None and plain not in allowed:
        listed = ", ".join(f"`{choice}`" for choice in allowed)
        hint: str | None = did_you_mean(str(plain), map(str, allowed)) or f"one of {listed}"
        problems.add("wrong-literal", f"`{plain}` is none of the field's values", at, hint=hint)
        return value
    if wanted == given or (wanted.is_number and given.is_number):
        return value
    try:
        if isinstance(plain, str) != (wanted in (STRING, DATE, TIME, TIMESTAMP, TIMESTAMPTZ)):
            raise ValueError(plain)
        return typed_literal(plain, wanted)
    except ValueError:
        hint = f"write `'{plain}'`" if wanted == STRING else _EXAMPLES.get(wanted.name)
        problems.add("wrong-literal", f"`{plain}` is no {wanted}", at, hint=hint)
        return value


_EXAMPLES = {
    "date": "a date is written '2026-11-23'",
    "time": "a time is written '09:30:00'",
    "timestamp": "a timestamp is written '2026-11-23 09:30:00'",
    "timestamptz": "a moment is written '2026-11-23 09:30:00Z'",
    "integer": "a number is written without quotes",
    "decimal": "a number is written without quotes",
    "float": "a number is written without quotes",
    "boolean": "`true` or `false`, without quotes",
}


def _plain_value(node: exp.Expr) -> str | int | float | bool | None:
    """The value of a literal, or `None` where the node is none."""
    match node:
        case exp.Literal():
            if node.is_string:
                return str(node.name)
            return int(node.name) if node.name.isdigit() else float(node.name)
        case exp.Boolean():
            return bool(node.this)
        case exp.Neg(this=exp.Literal() as inner) if not inner.is_string:
            return -float(inner.name)
    return None


def _comparable(left: Type, right: Type) -> bool:
    return left == right or (left.is_number and right.is_number) or (left.is_time and right.is_time)


def _warn_of_nulls(
    left: exp.Expr, right: exp.Expr | None, operator: str, fragment: Fragment, problems: Problems
) -> None:
    if not is_nullable(left) and (right is None or not is_nullable(right)):
        return
    message = f"`{operator}` drops the rows in which the value is NULL"
    hint = (
        "`is distinct from` keeps them"
        if operator == "<>"
        else "add `or ... is null` to keep them; `nullable: false` on the field says that there are none"
    )
    problems.warn("nullable-comparison", message, fragment.place(left), hint=hint)
