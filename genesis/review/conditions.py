"""Whether one condition is true only where another is: what can be proven, and nothing else.

Conditions are compared by form: lists of values, bounds, `and`, `or`. What is not understood is
proven of nothing. The surprise: a NULL makes a condition unknown, which is not true, so that a proof
about `a` says nothing about `not a`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.functions.calls import own_name


def implies(one: exp.Expr, other: exp.Expr) -> bool:
    """Whether `other` is surely true of every record that `one` is true of."""
    one, other = one.unnest(), other.unnest()
    if one == other:
        return True
    if isinstance(other, exp.And):
        return all(implies(one, part) for part in _sides(other))
    if isinstance(one, exp.Or):
        return all(implies(part, other) for part in _sides(one))
    if isinstance(other, exp.Or) and any(implies(one, part) for part in _sides(other)):
        return True
    if isinstance(one, exp.And):
        return any(implies(part, other) for part in _sides(one))
    left, right = _limit(one), _limit(other)
    return left is not None and right is not None and left.is_within(right)


def subject(condition: exp.Expr) -> exp.Expr | None:
    """What a condition limits the values of, where it is one that is understood."""
    found = _limit(condition.unnest())
    return found.subject if found is not None else None


def _sides(node: exp.Connector) -> tuple[exp.Expr, exp.Expr]:
    return node.this, node.expression


class Value(NamedTuple):
    """A literal: values of one `kind` are in an order."""

    kind: str
    at: Decimal | str | bool | date | datetime | int


class End(NamedTuple):
    """An end of an interval, itself in it or not."""

    at: Value
    is_in: bool


@dataclass(frozen=True)
class Limit:
    """The values that something may have: those listed, all but those, or those between two ends.

    With none of these it may have every value but NULL.
    """

    subject: exp.Expr
    among: frozenset[Value] | None = None
    without: frozenset[Value] = frozenset()
    low: End | None = None
    high: End | None = None

    def is_within(self, other: Limit) -> bool:
        """Whether every value allowed here is surely allowed there."""
        if self.subject != other.subject:
            return False
        if self.among is not None:
            return all(other.allows(value) for value in self.among)
        if other.among is not None:
            return False
        return (
            all(value in self.without or self._is_outside(value) for value in other.without)
            and _is_inside(self.low, other.low, 1)
            and _is_inside(self.high, other.high, -1)
        )

    def allows(self, value: Value) -> bool:
        """Whether a value is surely one of them."""
        if self.among is not None:
            return value in self.among
        ends = ((self.low, 1), (self.high, -1))
        return all(_differ(value, one) for one in self.without) and all(
            end is None or _is_inside(End(value, True), end, sign) for end, sign in ends
        )

    def _is_outside(self, value: Value) -> bool:
        """Whether a value is surely beyond an end."""
        for end, sign in ((self.low, 1), (self.high, -1)):
            order = _order(value, end.at) if end is not None else None
            if (
                end is not None
                and order is not None
                and (order * sign < 0 or (order == 0 and not end.is_in))
            ):
                return True
        return False


def _is_inside(end: End | None, other: End | None, sign: int) -> bool:
    """Whether what begins at one end lies within what begins at another; upper ends have sign -1."""
    if other is None:
        return True
    order = _order(end.at, other.at) if end is not None else None
    if end is None or order is None:
        return False
    return order * sign > 0 or (order == 0 and (other.is_in or not end.is_in))


def _differ(one: Value, other: Value) -> bool:
    if one.kind == "text" == other.kind:
        return one.at != other.at
    return _order(one, other) in (-1, 1)


def _order(one: Value, other: Value) -> int | None:
    """-1, 0 or 1; `None` where nothing says which comes first."""
    if one.kind != other.kind:
        return None
    if one.at == other.at:
        return 0
    left, right = one.at, other.at
    match left, right:
        case (Decimal(), Decimal()):
            # Numbers that are one as floats may be told apart by an engine, or not.
            return None if float(left) == float(right) else _sign(left < right)
        case (date(), date()):
            return _sign(left < right)
        case (int(), int()) if not isinstance(left, bool):
            return _sign(left < right)
    return None  # how texts are ordered is the engine's business


def _sign(is_less: bool) -> int:
    return -1 if is_less else 1


# --- reading ------------------------------------------------------------------------------------

_ENDS: dict[type[exp.Expr], tuple[str, bool]] = {
    exp.GT: ("low", False),
    exp.GTE: ("low", True),
    exp.LT: ("high", False),
    exp.LTE: ("high", True),
}


def _limit(condition: exp.Expr) -> Limit | None:
    match condition:
        case exp.In() if condition.expressions:
            values = [_read(one) for one in condition.expressions]
            known = frozenset(value for value in values if value is not None)
            return Limit(condition.this, among=known) if len(known) == len(set(values)) else None
        case exp.EQ():
            value = _read(condition.expression)
            return Limit(condition.this, among=frozenset([value])) if value is not None else None
        case exp.NEQ():
            value = _read(condition.expression)
            return Limit(condition.this, without=frozenset([value])) if value is not None else None
        case exp.Between():
            ends = [_read(condition.args[key]) for key in ("low", "high")]
            low, high = (None if end is None else End(end, True) for end in ends)
            return Limit(condition.this, low=low, high=high) if low and high else None
        case exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
            value, (end, is_in) = _read(condition.expression), _ENDS[type(condition)]
            if value is None:
                return None
            ends_at = End(value, is_in)
            return Limit(condition.this, **{end: ends_at})  # type: ignore[arg-type]
        case exp.Not():
            return _negated(condition.this.unnest())
    return None


def _negated(condition: exp.Expr) -> Limit | None:
    match condition:
        case exp.Is(expression=exp.Null()):
            return Limit(condition.this)
        case exp.In() | exp.EQ():
            found = _limit(condition)
            return Limit(found.subject, without=found.among or frozenset()) if found else None
    return None


def _read(node: exp.Expr) -> Value | None:
    """A literal's value; a bound that moves with the day is a number of days from it."""
    node = node.unnest()
    match node:
        case exp.Literal():
            return (
                Value("text", node.name) if node.is_string else Value("number", Decimal(node.name))
            )
        case exp.Neg(this=exp.Literal() as number) if not number.is_string:
            return Value("number", -Decimal(number.name))
        case exp.Boolean():
            return Value("boolean", bool(node.this))
        case exp.Cast():
            return _cast(node)
    return _moving(node)


def _cast(node: exp.Cast) -> Value | None:
    text, to = node.this, node.to.this
    if not isinstance(text, exp.Literal) or not text.is_string:
        moving = _moving(text)
        return moving if to == exp.DType.DATE else None
    try:
        match to:
            case exp.DType.DATE:
                return Value("date", date.fromisoformat(text.name))
            case exp.DType.TIMESTAMP | exp.DType.TIMESTAMPTZ:
                return Value(to.value, datetime.fromisoformat(text.name.removesuffix(" UTC")))
            case exp.DType.DECIMAL | exp.DType.DOUBLE:
                return Value("number", Decimal(text.name))
    except (ValueError, ArithmeticError):
        pass
    return None


_DAYS = {"DAY": 1, "DAYS": 1, "WEEK": 7, "WEEKS": 7}


def _moving(node: exp.Expr) -> Value | None:
    """Today, some days before it or after it."""
    if own_name(node) == "today":
        return Value(f"days from {node.sql()}", 0)
    if not isinstance(node, exp.Add | exp.Sub):
        return None
    start, interval = _read(node.this), node.expression
    if not isinstance(interval, exp.Interval) or start is None or not isinstance(start.at, int):
        return None
    unit = _DAYS.get(str(interval.args.get("unit") or "").upper())
    number = interval.this.name if isinstance(interval.this, exp.Literal) else ""
    if unit is None or not number.isdigit() or isinstance(start.at, bool):
        return None
    days = timedelta(days=int(number) * unit).days
    return Value(start.kind, start.at + (days if isinstance(node, exp.Add) else -days))
