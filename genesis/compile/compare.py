"""Literals and what they are compared with: typed, within the allowed values, never silently cast."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlglot import exp

from genesis.compile.expression import Fragment
from genesis.compile.functions.calls import own, own_name
from genesis.compile.infer import is_nullable, to_sql, type_of, typed
from genesis.compile.scope import is_broken
from genesis.errors import Location, Problems, nearest
from genesis.spec.types import DATE, STRING, TIME, TIMESTAMP, TIMESTAMPTZ, Type
from genesis.spec.values import describe, parse_moment

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_VALUES, _PARAMETER = "genesis_values", "genesis_parameter"


def typed_literal(value: Any, type_: Type) -> exp.Expr:
    """A value as SQL of a type; raises `ValueError` where it is none of that type."""
    if value is None:
        return typed(exp.Cast(this=exp.Null(), to=to_sql(type_)), type_)
    if type_.name not in _LITERALS:
        raise ValueError(value)
    return typed(_LITERALS[type_.name](value, type_), type_, nullable=False)


def _string(value: Any, _: Type) -> exp.Expr:
    return exp.Literal.string(value if isinstance(value, str) else str(value))


def _integer(value: Any, type_: Type) -> exp.Expr:
    number = _decimal_of(value)
    if number != number.to_integral_value() or not -(2**63) <= number < 2**63:
        raise ValueError(value)
    return _number(str(int(number)), type_)


def _decimal(value: Any, type_: Type) -> exp.Expr:
    number = _decimal_of(value)
    if abs(number) >= Decimal(10) ** (type_.precision - type_.scale):
        raise ValueError(value)
    return exp.Cast(this=exp.Literal.string(f"{number:f}"), to=to_sql(type_))


def _float(value: Any, type_: Type) -> exp.Expr:
    number = float(_decimal_of(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return exp.Cast(this=exp.Literal.string(repr(number)), to=to_sql(type_))


def _decimal_of(value: Any) -> Decimal:
    """A finite number, as it is written; raises `ValueError` for what is none."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(value) from None
    # Python reads `1_000` as a number, and `1e999999` as one that nothing holds.
    if (
        isinstance(value, bool)
        or "_" in str(value)
        or not number.is_finite()
        or abs(number.adjusted()) > 400
    ):
        raise ValueError(value)
    return number


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
    moment = time.fromisoformat(str(value))
    if moment.tzinfo is not None:
        raise ValueError(value)
    return exp.Cast(this=exp.Literal.string(moment.isoformat()), to=to_sql(type_))


def _timestamp(value: Any, type_: Type) -> exp.Expr:
    return timestamp_literal(parse_moment(str(value)), type_)


def timestamp_literal(moment: datetime, type_: Type) -> exp.Expr:
    """A moment as SQL; of a `timestamp` its UTC wall time."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    if type_ == TIMESTAMPTZ:
        text += " UTC"
    return exp.Cast(this=exp.Literal.string(text), to=to_sql(type_))


_LITERALS: dict[str, Callable[[Any, Type], exp.Expr]] = {
    "string": _string,
    "integer": _integer,
    "decimal": _decimal,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
}


def parameter_literal(value: Any, type_: Type) -> exp.Expr:
    """A parameter's value: of the parameter's own type, whatever it is compared with."""
    node = typed_literal(value, type_)
    node.meta[_PARAMETER] = True
    return node


def allow_values(node: exp.Expr, values: tuple[Any, ...] | None) -> exp.Expr:
    """The node, knowing the only values that it may have."""
    if values is not None:
        node.meta[_VALUES] = values
    return node


def allowed_values(node: exp.Expr) -> tuple[Any, ...] | None:
    """The only values that a node may have, where there are any."""
    values: tuple[Any, ...] | None = node.meta.get(_VALUES)
    return values


def check_comparison(
    node: exp.Expr, written: exp.Expr, fragment: Fragment, problems: Problems, *, in_filter: bool
) -> None:
    """Give the literals of a bound node the type that they are compared with.

    `written` is the same node as the fragment has it, whose tokens have places.
    """
    compare = _Comparison(fragment, problems)
    match node:
        case exp.Nullif():
            compare.both(node, written)
        case exp.In():
            compare.each(
                node.this, zip(node.expressions, written.expressions, strict=True), written
            )
        case exp.Between():
            compare.each(
                node.this, ((node.args[key], written.args[key]) for key in ("low", "high")), written
            )
        case exp.Case() if node.this:
            cases = zip(node.args["ifs"], written.args["ifs"], strict=True)
            compare.each(
                node.this, ((one.this, as_written.this) for one, as_written in cases), written
            )
        case exp.Cast(this=exp.Literal(is_string=True) as text) if type(node) is exp.Cast:
            compare.written_out(text.name, type_of(node), written)
        case exp.Not(this=exp.In() as inner) if in_filter:
            compare.warn_of_nulls([inner.this], "not in", written)
        case _ if isinstance(node, _COMPARISONS):
            compare.both(node, written)
            if isinstance(node, exp.NEQ) and in_filter:
                compare.warn_of_nulls([node.this, node.expression], "<>", written)


@dataclass(frozen=True)
class _Comparison:
    fragment: Fragment
    problems: Problems

    def both(self, node: exp.Expr, written: exp.Expr) -> None:
        """Fit the two sides of a node to one another."""
        left, right = node.this, node.expression
        if any(map(_is_null, (left, right))) and not _is_null_safe(node):
            self._warn_of_null("is not null" if isinstance(node, exp.NEQ) else "is null", written)
        if plain_value(left) is None and plain_value(right) is None:
            if type_of(left) == TIMESTAMP and type_of(right) == TIMESTAMPTZ:
                left = as_instant(left.copy())
                node.set("this", left)
            self._pair(right, written.expression, left)
        else:
            self._literal(right, written.expression, left)
            self._literal(left, written.this, right)

    def each(
        self, one: exp.Expr, others: Iterable[tuple[exp.Expr, exp.Expr]], written: exp.Expr
    ) -> None:
        """Fit several values to the one they are compared with."""
        others = list(others)
        if any(_is_null(value) for value, _ in others) and isinstance(
            written, exp.In | exp.Between
        ):
            self._warn_of_null("is null", written)
        for value, as_written in others:
            if plain_value(value) is None:
                self._pair(value, as_written, one)
            else:
                self._literal(value, as_written, one)

    def written_out(self, text: str, type_: Type | None, written: exp.Expr) -> None:
        """A date or moment that is written out (`date '2026-11-23'`) is in the calendar."""
        if type_ is not None and type_.is_time and not _is_day(text):
            hint = _EXAMPLES[type_.name]
            at = self.fragment.place(written)
            self.problems.add("wrong-literal", f"`{text}` is no {type_}", at, hint=hint)

    def _pair(self, value: exp.Expr, written: exp.Expr, other: exp.Expr) -> None:
        """Two values that are no literals are of comparable types."""
        given, wanted = type_of(value), type_of(other)
        if given is None or wanted is None or _comparable(given, wanted):
            return
        if given == TIMESTAMP and wanted == TIMESTAMPTZ:
            value.replace(as_instant(value.copy()))
            return
        message = f"{given} is compared with {wanted}"
        hint = "`cast(... as ...)` makes them one type"
        if {given, wanted} == {DATE, TIMESTAMPTZ}:
            hint = "`local_date(...)` is the day of an instant"
        self.problems.add("wrong-literal", message, self.fragment.place(written), hint=hint)

    def _literal(self, value: exp.Expr, written: exp.Expr, other: exp.Expr) -> None:
        """A literal is one of the other side's type, and of its allowed values."""
        plain, wanted, given = plain_value(value), type_of(other), type_of(value)
        if plain is None or wanted is None or given is None or isinstance(other, exp.Literal):
            return
        allowed = allowed_values(other)
        if allowed is not None and plain not in allowed:
            listed = ", ".join(map(describe, allowed))
            close = nearest(
                str(plain), map(str, allowed)
            )  # a value is not mended: `NONE` is no `DONE`
            hint: str | None = f"did you mean `{close}`?" if close else f"one of {listed}"
            message = f"{describe(plain)} is none of the field's values"
            self.problems.add("wrong-literal", message, self.fragment.place(written), hint=hint)
            return
        if wanted == given or (wanted.is_number and given.is_number):
            return
        fitting = literal_of(plain, wanted)
        if fitting is not None:
            value.replace(fitting)
            return
        at = self.fragment.place(written)
        hint = f"write `'{plain}'`" if wanted == STRING else _EXAMPLES.get(wanted.name)
        self.problems.add("wrong-literal", f"`{plain}` is no {wanted}", at, hint=hint)

    def _warn_of_null(self, way_out: str, written: exp.Expr) -> None:
        message, hint = "a comparison with NULL is never true", f"`{way_out}` asks for NULL"
        at = self.fragment.place(written)
        self.problems.warn("nullable-comparison", message, at, hint=hint)

    def warn_of_nulls(self, sides: list[exp.Expr], operator: str, written: exp.Expr) -> None:
        if (
            any(map(is_broken, sides))
            or any(map(_is_null, sides))
            or not any(map(is_nullable, sides))
        ):
            return
        message = f"`{operator}` drops the rows in which the value is NULL"
        hint = (
            "`is distinct from` keeps them"
            if operator == "<>"
            else "add `or ... is null` to keep them; `nullable: false` on the field says that there are none"
        )
        at = self.fragment.place(written)
        self.problems.warn("nullable-comparison", message, at, hint=hint)


_DAY = re.compile(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")


def _is_day(text: str) -> bool:
    """Whether a text starts with a day of the calendar, or a year beyond those that Python knows."""
    if re.match(r"\s*[+-]?\d{5}", text):
        return True
    match = _DAY.match(text)
    try:
        return match is not None and bool(date(*map(int, match.groups())))
    except ValueError:
        return False


def _is_null(value: exp.Expr) -> bool:
    """Whether NULL is written there."""
    return isinstance(value, exp.Null) and not is_broken(value)


def _is_null_safe(node: exp.Expr) -> bool:
    return isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ)


def comparable(
    left: exp.Expr, right: exp.Expr, at: Location, problems: Problems
) -> tuple[exp.Expr, exp.Expr]:
    """Two values that are compared by the language itself; of types that differ, that is told."""
    types = type_of(left), type_of(right)
    if types == (TIMESTAMP, TIMESTAMPTZ):
        return as_instant(left), right
    if types == (TIMESTAMPTZ, TIMESTAMP):
        return left, as_instant(right)
    if None not in types and not _comparable(*types):  # type: ignore[arg-type]
        hint = "a derived field can cast one of them"
        problems.add("wrong-literal", f"{types[0]} is compared with {types[1]}", at, hint=hint)
    return left, right


def as_instant(value: exp.Expr) -> exp.Expr:
    """A timestamp without zone as the instant it is in UTC, whatever zone an engine's session has.

    What the clocks of a zone show at an instant is that instant again.
    """
    if own_name(value) == "wall":
        shown: exp.Expr = value.expressions[0]
        return shown
    return typed(own("instant", value), TIMESTAMPTZ, nullable=is_nullable(value))


def literal_of(plain: str | int | float | bool, wanted: Type) -> exp.Expr | None:
    """A plain value as a literal of a type, or `None` where it is written as none of that type."""
    if isinstance(plain, str) != (wanted in (STRING, DATE, TIME, TIMESTAMP, TIMESTAMPTZ)):
        return None
    try:
        return typed_literal(plain, wanted)
    except ValueError:
        return None


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


def plain_value(node: exp.Expr) -> str | int | float | bool | None:
    """The value of a literal, or `None` where the node is none."""
    if _PARAMETER in node.meta:
        return None
    match node:
        case exp.Literal():
            if node.is_string:
                return str(node.name)
            return int(node.name) if node.name.isdigit() else float(node.name)
        case exp.Boolean():
            return bool(node.this)
        case exp.Neg(this=exp.Literal() as inner) if not inner.is_string:
            return -(int(inner.name) if inner.name.isdigit() else float(inner.name))
    return None


def _comparable(left: Type, right: Type) -> bool:
    if left.is_time and right.is_time:  # of an instant, the zone of the session would decide
        return (left == TIMESTAMPTZ) == (right == TIMESTAMPTZ)
    return left == right or (left.is_number and right.is_number)
