"""Operators and what they take: conditions, numbers, text; and branches that are of one type.

Engines differ in what they cast in silence: DuckDB adds a number to a date and joins text to a
number, Trino refuses. Here both do as Trino does, and the place is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.compare import literal_of, plain_value
from genesis.compile.expression import Fragment
from genesis.compile.infer import differs_as_text, from_sql, join_types, type_of
from genesis.errors import Problems
from genesis.spec.types import BOOLEAN, DATE, STRING, TIME, TIMESTAMP, TIMESTAMPTZ, Type

_CONNECTIVES: dict[type[exp.Expr], str] = {exp.And: "and", exp.Or: "or", exp.Not: "not"}
_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.Neg: "-",
}


class _Operand(NamedTuple):
    """A bound operand, and the same one as the fragment has it, whose tokens have places."""

    value: exp.Expr
    written: exp.Expr


class _Mistake(NamedTuple):
    written: exp.Expr
    message: str
    hint: str | None


def check_operands(
    node: exp.Expr, written: exp.Expr, fragment: Fragment, problems: Problems
) -> bool:
    """Whether a bound node can take its operands; if not, that is told.

    `written` is the same node as the fragment has it.
    """
    mistakes = list(_mistakes(node, written))
    for mistake in mistakes:
        at = fragment.place(mistake.written)
        problems.add("wrong-type", mistake.message, at, hint=mistake.hint)
    if isinstance(node, exp.Cast) and _differs_as_text(node):
        message = f"engines write {type_of(node.this)} differently as text"
        problems.warn("unportable-function", message, fragment.place(written))
    return not mistakes


def _differs_as_text(cast: exp.Cast) -> bool:
    given = type_of(cast.this)
    return given is not None and differs_as_text(given) and from_sql(cast.to) == STRING


def _mistakes(node: exp.Expr, written: exp.Expr) -> Iterator[_Mistake]:
    match node:
        case exp.And() | exp.Or() | exp.Not():
            operands = _operands(node, written, "this", "expression")
            yield from _conditions(f"`{_CONNECTIVES[type(node)]}`", operands)
        case exp.Case():
            cases = [
                _Operand(*pair) for pair in zip(node.args["ifs"], written.args["ifs"], strict=True)
            ]
            if not node.this:
                yield from _conditions("`when`", (_operands(*one, "this")[0] for one in cases))
            branches = [_operands(*one, "true")[0] for one in cases]
            yield from _of_one_type([*branches, *_operands(node, written, "default")])
        case exp.If() if not isinstance(written.parent, exp.Case):
            yield from _conditions("`if`", _operands(node, written, "this"))
            yield from _of_one_type(_operands(node, written, "true", "false"))
        case exp.Coalesce() | exp.Greatest() | exp.Least():
            yield from _of_one_type(_operands(node, written, "this", "expressions"))
        case exp.DPipe() | exp.Concat():
            yield from _texts(_operands(node, written, "this", "expression", "expressions"))
        case exp.Like() | exp.ILike():
            yield from _texts(_operands(node, written, "this"))
        case _ if type(node) in _TAKES:
            keys, wanted = _TAKES[type(node)]
            yield from _of_kind(wanted, _operands(node, written, *keys))
            yield from _finer_than_a_day(node, written)
        case _ if type(node) in _ARITHMETIC:
            operands = _operands(node, written, "this", "expression")
            yield from _numbers(_ARITHMETIC[type(node)], operands)


def _operands(node: exp.Expr, written: exp.Expr, *keys: str) -> list[_Operand]:
    """The operands under some keys of a node, those that are there."""
    found = []
    for key in keys:
        value, as_written = node.args.get(key), written.args.get(key)
        if isinstance(value, exp.Expr) and isinstance(as_written, exp.Expr):
            found.append(_Operand(value, as_written))
        elif isinstance(value, list) and isinstance(as_written, list):
            found += map(_Operand, value, as_written)
    return found


def _conditions(what: str, operands: Iterable[_Operand]) -> Iterator[_Mistake]:
    for value, written in operands:
        if (known := type_of(value)) not in (None, BOOLEAN):
            hint = "compare it with something: a condition is true or not"
            yield _Mistake(written, f"{what} takes conditions, this is {known}", hint)


def _texts(operands: Iterable[_Operand]) -> Iterator[_Mistake]:
    for value, written in operands:
        if (known := type_of(value)) not in (None, STRING):
            hint = "`cast(... as varchar)` makes text of it"
            yield _Mistake(written, f"text is expected, this is {known}", hint)


def _of_kind(wanted: _Kind, operands: Iterable[_Operand]) -> Iterator[_Mistake]:
    for value, written in operands:
        if (known := type_of(value)) is not None and not wanted.holds(known):
            yield _Mistake(
                written,
                f"{wanted.name} is expected, this is {known}",
                "`cast(... as ...)` makes one of it",
            )


def _finer_than_a_day(node: exp.Expr, written: exp.Expr) -> Iterator[_Mistake]:
    """Trino refuses to move a date by hours; DuckDB would make a timestamp of it."""
    unit = node.text("unit").lower()
    if unit in ("hour", "minute", "second") and type_of(node.this) == DATE:
        hint = "`cast(... as timestamp)` is its first moment"
        yield _Mistake(written, f"a date has no {unit}s", hint)


class _Kind(NamedTuple):
    """What a function takes."""

    name: str
    holds: Callable[[Type], bool]


_TEXT = _Kind("text", lambda known: known == STRING)
_NUMBER = _Kind("a number", lambda known: known.is_number)
_DAY = _Kind("a date or timestamp", lambda known: known.is_time)
_CLOCK = _Kind("a time or timestamp", lambda known: known in (TIME, TIMESTAMP, TIMESTAMPTZ))
_STAMP = _Kind("a timestamp", lambda known: known in (TIMESTAMP, TIMESTAMPTZ))
_TAKES: dict[type[exp.Expr], tuple[tuple[str, ...], _Kind]] = {
    **dict.fromkeys(
        (
            exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.Reverse, exp.Substring, exp.Left, exp.Right, exp.Pad, exp.Translate,
            exp.RegexpLike, exp.RegexpExtract, exp.RegexpReplace, exp.RegexpCount, exp.StrToTime, exp.FromISO8601Timestamp,
        ),
        (("this",), _TEXT),
    ),
    **dict.fromkeys((exp.StartsWith, exp.EndsWith), (("this", "expression"), _TEXT)),
    exp.Replace: (("this", "expression", "replacement"), _TEXT),
    exp.StrPosition: (("this", "substr"), _TEXT),
    exp.SplitPart: (("this", "delimiter"), _TEXT),
    **dict.fromkeys(
        (exp.Abs, exp.Sign, exp.Round, exp.Ceil, exp.Floor, exp.Trunc, exp.Sqrt, exp.Exp, exp.Ln, exp.Degrees, exp.UnixToTime),
        (("this",), _NUMBER),
    ),
    **dict.fromkeys((exp.Pow, exp.Log), (("this", "expression"), _NUMBER)),
    **dict.fromkeys(
        (
            exp.Year, exp.Quarter, exp.Month, exp.WeekOfYear, exp.YearOfWeek, exp.Day, exp.DayOfMonth, exp.DayOfWeekIso,
            exp.DayOfYear, exp.LastDay, exp.DateTrunc, exp.TimestampTrunc, exp.DateAdd, exp.TimeToStr,
        ),
        (("this",), _DAY),
    ),
    exp.DateDiff: (("this", "expression"), _DAY),
    **dict.fromkeys((exp.Hour, exp.Minute, exp.Second), (("this",), _CLOCK)),
    **dict.fromkeys((exp.TimeToUnix, exp.AtTimeZone), (("this",), _STAMP)),
}  # fmt: skip


def _numbers(operator: str, operands: list[_Operand]) -> Iterator[_Mistake]:
    types = [type_of(value) for value, _ in operands]
    moves_time = any(known and (known.is_time or known == TIME) for known in types)
    if any(isinstance(value, exp.Interval) for value, _ in operands) or (
        moves_time and None in types
    ):
        # A time and an interval; what else is said of intervals, engines know.
        units = [
            value.text("unit").lower() for value, _ in operands if isinstance(value, exp.Interval)
        ]
        if DATE in types and set(units) & {"hour", "minute", "second"}:
            hint = "`cast(... as timestamp)` is its first moment"
            yield _Mistake(operands[0].written, f"a date has no {units[0]}s", hint)
        return
    for (_, written), known in zip(operands, types, strict=True):
        if known is not None and not known.is_number:
            hint = "`date_diff('day', a, b)` counts days, `+ interval '1' day` moves by one"
            message = f"`{operator}` takes numbers, this is {known}"
            yield _Mistake(written, message, hint if known.is_time else None)
            return


def _of_one_type(operands: Iterable[_Operand]) -> Iterator[_Mistake]:
    """Values side by side are of one type, which their literals take."""
    found: Type | None = None
    for value, written in sorted(operands, key=lambda operand: _is_literal(operand.value)):
        known = type_of(value)
        if known is None:
            continue
        joined = join_types([found or known, known])
        plain = plain_value(value)
        fitting = literal_of(plain, found) if found and not joined and plain is not None else None
        if fitting is not None:
            value.replace(fitting)
        elif joined is None:
            message = f"this is {known}, and what stands beside it is {found}"
            yield _Mistake(written, message, "`cast(... as ...)` makes them one type")
            return
        found = joined or found


def _is_literal(value: exp.Expr) -> bool:
    return plain_value(value) is not None
