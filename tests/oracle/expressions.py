"""Expressions over what a record can reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.choices import Choices
from tests.oracle.language import (
    Aggregate,
    Call,
    Expression,
    Given,
    In,
    Literal,
    Names,
    Options,
    Parameter,
    Path,
    Quantifier,
    Schema,
    SortKey,
    Source,
    Today,
    fans_out,
)

# Binary fractions, so that no sum depends on its order.
VALUES: dict[str, list[Any]] = {
    "integer": [0, 1, 2, 3],
    "string": ["a", "b", "", "it's"],
    "boolean": [True, False],
    "date": [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 1, 1)],
    "timestamp": [
        datetime.fromisoformat("2024-02-28 12:00:00"),
        datetime.fromisoformat("2024-02-29 00:00:00"),
        datetime.fromisoformat("2024-02-29 00:00:00.000001"),
    ],
    "decimal": [Decimal("0.25"), Decimal("2.00"), Decimal("-1.50"), Decimal("0.00")],
    "float": [0.5, 2.0, -1.5, 0.25],
}
NUMBERS = ("integer", "decimal", "float")
_ORDERED = ["count", "count_distinct", "min", "max", "first", "last"]
AGGREGATES = {
    "rows": ["count", "count_distinct"],
    "rows by several fields": ["count", "count_distinct"],
    "integer": [*_ORDERED, "sum", "avg", "median", "list"],
    "decimal": [*_ORDERED, "sum", "avg", "median", "list"],
    "float": [*_ORDERED, "sum", "avg", "median"],
    "string": [*_ORDERED, "list"],
    "date": [*_ORDERED, "list"],
    "timestamp": _ORDERED,
    "boolean": ["count", "bool_and", "bool_or", "first", "last"],
}
RESULTS = {
    **dict.fromkeys(("count", "count_distinct"), "integer"),
    **dict.fromkeys(("avg", "median"), "float"),
    "list": "string",
}
Typed = tuple[Expression, str]
Aggregated = tuple[Aggregate, Options, str]


def kind(type_: str) -> str:
    """A type without its size."""
    return type_.partition("(")[0]


def some_value(choices: Choices, type_: str) -> Any:
    return choices.pick(VALUES[kind(type_)])


@dataclass(frozen=True)
class Reached:
    """Where a path of a record leads, and its steps up to the last one to many rows."""

    names: Names
    type: str  # of a field; "rows" of a join, "measure"
    chain: Names

    @property
    def is_field(self) -> bool:
        return kind(self.type) in VALUES

    @property
    def path(self) -> Path:
        return Path(self.names)


@dataclass
class Reach:
    """All paths of a record, and the parameters that conditions about it may make up."""

    paths: list[Reached]
    parameters: dict[str, Given] | None = None
    _known: dict[Names, list[Reached]] = field(default_factory=dict)

    def one_valued(self, chain: Names = ()) -> list[Reached]:
        """The paths that have one value for each row that a chain leads to."""
        if chain not in self._known:
            self._known[chain] = [
                path
                for path in self.paths
                if path.is_field and path.chain == chain[: len(path.chain)]
            ]
        return self._known[chain]

    def of(self, kinds: tuple[str, ...], chain: Names = ()) -> list[Reached]:
        """Those of some kinds."""
        return [path for path in self.one_valued(chain) if kind(path.type) in kinds]

    def longer(self, chain: Names) -> list[Names]:
        """The chains that go on from one."""
        chains = {path.chain for path in self.paths if path.is_field}
        return sorted(one for one in chains if len(one) > len(chain) and one[: len(chain)] == chain)


def reach(
    schema: Schema, source: Source, joins: int = 2, parameters: dict[str, Given] | None = None
) -> Reach:
    """All paths of a record with so many joins at most."""
    return Reach(list(_reached(schema, source, (), (), joins)), parameters)


def _reached(
    schema: Schema, here: Source, names: Names, chain: Names, joins: int
) -> Iterator[Reached]:
    for name, spec in here.fields.items():
        yield Reached((*names, name), spec.type, chain)
    for name in here.measures:
        yield Reached((*names, name), "measure", chain)
    for name, join in here.joins.items() if joins else ():
        step = (*names, name)
        further = step if fans_out(schema, join) else chain
        several = len(schema[join.source].key) > 1
        yield Reached(step, "rows by several fields" if several else "rows", further)
        yield from _reached(schema, schema[join.source], step, further, joins - 1)


# --- conditions -----------------------------------------------------------------------------------


def condition(
    c: Choices,
    about: Reach,
    chain: Names = (),
    *,
    quantifiers: int = 0,
    aggregating: bool = False,
    depth: int = 2,
) -> Expression:
    """A condition over the record and the row that a chain leads to."""

    def again() -> Expression:
        return condition(
            c, about, chain, quantifiers=quantifiers, aggregating=aggregating, depth=depth - 1
        )

    match c.number(0, 10):
        case 0 | 1 if depth:
            return Call(c.pick(["and", "or"]), (again(), again()))
        case 2 if depth:
            return Call("not", (again(),))
        case 3 | 4 if quantifiers and (longer := about.longer(chain)):
            return quantifier(c, about, c.pick(longer))
        case 5 | 10 if aggregating and (found := aggregate(c, about, beyond=chain)):
            call, _, type_ = found
            if kind(type_) in NUMBERS and call.name not in ("first", "last"):
                return Call(c.pick(["<", ">="]), (call, Literal(some_value(c, "integer"))))
    return comparison(c, about, about.one_valued(chain))


def quantifier(c: Choices, about: Reach, chain: Names) -> Expression:
    """A question about the rows that a chain leads to, and perhaps about the record with each."""
    ends = [path for path in about.one_valued(chain) if path.chain == chain]
    asked = comparison(c, about, ends)
    if c.flip():
        more = condition(c, about, chain, quantifiers=1, aggregating=True, depth=1)
        asked = Call("and", (asked, more))
    return Quantifier(c.pick(["any", "none", "all"]), asked)


def comparison(c: Choices, about: Reach, paths: list[Reached]) -> Expression:
    """A comparison of one path with a literal, a parameter or another path."""
    path = c.pick(paths)
    type_ = kind(path.type)
    match c.number(0, 7):
        case 0:
            return Call("null", (path.path,))
        case 1 if type_ != "float":
            return In(path.path, tuple(map(Literal, c.several(VALUES[type_], 1, 2))))
        case 2:
            other = c.pick([other for other in paths if kind(other.type) == type_])
            return Call(c.pick(["=", "<>", "same", "other"]), (path.path, other.path))
        case 3 if about.parameters is not None and type_ != "boolean":
            return Call(c.pick(["=", "<"]), (path.path, _parameter(c, path.type, about.parameters)))
        case 4 if type_ == "date":
            return Call(c.pick(["<", ">="]), (path.path, Today()))
        case 5 if type_ in NUMBERS or type_ in ("date", "timestamp"):
            low, high = sorted(some_value(c, type_) for _ in range(2))
            return Call("between", (path.path, Literal(low), Literal(high)))
    if type_ == "boolean":
        return Call(c.pick(["true", "untrue"]), (path.path,)) if c.flip() else path.path
    return Call(c.pick(["=", "<>", "<", ">="]), (path.path, Literal(some_value(c, type_))))


def _parameter(c: Choices, type_: str, known: dict[str, Given]) -> Parameter:
    name = f"p{len(known)}"
    known[name] = Given(type_, some_value(c, type_), is_default=c.flip())
    return Parameter(name)


# --- values ---------------------------------------------------------------------------------------


def value(c: Choices, about: Reach, *, quantifiers: int = 2, aggregating: bool = False) -> Typed:
    """What is computed from one record, and its type."""
    numbers = about.of(NUMBERS)
    integers = about.of(("integer",))
    texts, dates = about.of(("string",)), about.of(("date",))
    match c.number(0, 8):
        case 0:
            asked = condition(c, about, quantifiers=quantifiers, aggregating=aggregating)
            return Call("case", (asked, c.pick(integers).path, Literal(-1))), "integer"
        case 1:
            operator = c.pick(["+", "-", "*", "int_div"])
            return Call(operator, (c.pick(integers).path, c.pick(integers).path)), "integer"
        case 2:
            return Call("/", (c.pick(numbers).path, Literal(4))), "float"
        case 3:
            by = Call("nullif", (c.pick(integers).path, Literal(0)))
            return Call("/", (c.pick(numbers).path, by)), "float"
        case 4 if texts:
            upper = Call("upper", (c.pick(texts).path,))
            return Call("||", (c.pick(texts).path, upper)), "string"
        case 5 if longer := about.longer(()):
            return quantifier(c, about, c.pick(longer)), "boolean"
        case 6 if dates:
            return Call("days", (c.pick(dates).path, c.pick(dates).path)), "integer"
        case 7 if dates:
            return Call("year", (c.pick(dates).path,)), "integer"
    path = c.pick(about.one_valued())
    if c.once_in(3):
        return Call("coalesce", (path.path, Literal(some_value(c, path.type)))), path.type
    return path.path, path.type


# --- aggregates -----------------------------------------------------------------------------------


def aggregate(
    c: Choices, about: Reach, *, own: bool = False, beyond: Names = ()
) -> Aggregated | None:
    """An aggregate over rows beyond a chain (or the record's `own`), with what stands beside it, and its type."""
    fitting = [
        path
        for path in about.paths
        if path.type != "measure"
        and (own or len(path.chain) > len(beyond))
        and path.chain[: len(beyond)] == beyond
    ]
    if not fitting:
        return None
    path = c.pick(fitting)
    type_ = kind(path.type) if path.is_field else path.type
    name = c.pick(AGGREGATES[type_])
    where = condition(c, about, path.chain, quantifiers=1) if c.once_in(3) else None
    distinct = name in ("count", "sum", "avg", "list") and path.is_field and c.once_in(4)
    default = 7 if type_ == "integer" and name not in ("list", "count") and c.once_in(5) else None
    argument: Expression = path.path
    if type_ == "integer" and name in ("sum", "max", "avg") and c.flip():
        argument = Call("*", (argument, c.pick(about.of(("integer",), path.chain)).path))
    options = Options(
        where=where,
        distinct=distinct,
        sort=_sort(c, about, path, name, distinct=distinct),
        separator=c.pick([", ", "'; "]) if name == "list" else ", ",
        default=default,
    )
    found = RESULTS.get(name, path.type)
    if name == "sum" and type_ == "decimal":
        found = "decimal(38,2)"
    return Aggregate(name, argument), options, found


def _sort(
    c: Choices, about: Reach, path: Reached, name: str, *, distinct: bool
) -> tuple[SortKey, ...]:
    if name == "list" and distinct:
        return (SortKey(path.path, c.flip()),) if c.flip() else ()
    if name in ("first", "last") or (name == "list" and c.flip()):
        keys = c.several(about.one_valued(path.chain), 1, 2)
        return tuple(SortKey(key.path, c.flip()) for key in keys)
    return ()


def plain_number(c: Choices, about: Reach, *, own: bool = False) -> Expression | None:
    """An aggregate with nothing beside it, for sums of several."""
    paths = [path for path in about.paths if path.type == "integer" and (path.chain or own)]
    if not paths:
        return None
    return Aggregate(c.pick(["sum", "count", "min", "max", "count_distinct"]), c.pick(paths).path)
