"""Small schemas with all that makes reports go wrong (NULLs, orphans, shared rows), and reports over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.oracle.language import (
    Aggregate,
    Call,
    CountRows,
    Expression,
    Field,
    In,
    Item,
    Join,
    Literal,
    Measure,
    Names,
    Options,
    Path,
    Quantifier,
    Report,
    Schema,
    SortKey,
    Source,
    fans_out,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]

SOURCES = ("movie", "production", "task", "note")
VALUES = {
    "integer": st.none() | st.integers(0, 3),
    "string": st.none() | st.sampled_from(["", "a", "b", "it's"]),
    "boolean": st.none() | st.booleans(),
}
LITERALS = {
    "integer": st.integers(0, 3).map(Literal),
    "string": st.sampled_from(["", "a", "it's"]).map(Literal),
    "boolean": st.booleans().map(Literal),
}
AGGREGATES = {
    "rows": ["count", "count_distinct"],
    "rows by several fields": ["count"],
    "integer": ["count", "count_distinct", "sum", "avg", "min", "max", "median", "list", "first", "last"],
    "string": ["count", "count_distinct", "min", "max", "list", "first", "last"],
    "boolean": ["count", "bool_and", "bool_or", "first", "last"],
}  # fmt: skip
RESULTS = {
    **dict.fromkeys(("count", "count_distinct", "sum"), "integer"),
    **dict.fromkeys(("avg", "median"), "float"),
    "list": "string",
}


@dataclass(frozen=True)
class Reached:
    """Where a path of a record leads, and its steps up to the last one to many rows."""

    names: Names
    type: str  # of a field; "rows" of a join, "measure"
    chain: Names

    @property
    def is_field(self) -> bool:
        return self.type in VALUES


def reached(schema: Schema, source: Source, most_joins: int = 2) -> list[Reached]:
    """All paths of a record with so many joins at most."""
    found: list[Reached] = []

    def go(here: Source, names: Names, chain: Names) -> None:
        found.extend(
            Reached((*names, field), spec.type, chain) for field, spec in here.fields.items()
        )
        if chain == names and chain:
            found.extend(Reached((*names, measure), "measure", chain) for measure in here.measures)
        for name, join in here.joins.items():
            if len(names) < most_joins:
                step = (*names, name)
                further = step if fans_out(schema, join) else chain
                if further:
                    by_one = len(schema[join.source].key) == 1
                    rows = "rows" if by_one else "rows by several fields"
                    found.append(Reached(step, rows, further))
                go(schema[join.source], step, further)

    go(source, (), ())
    return found


def one_valued(paths: list[Reached], chain: Names) -> list[Reached]:
    """The paths that have one value for each row that a chain leads to."""
    return [path for path in paths if path.is_field and path.chain == chain[: len(path.chain)]]


# --- schemas --------------------------------------------------------------------------------------


@st.composite
def schemas(draw: Draw) -> Schema:
    schema: Schema = {}
    for name in SOURCES[: draw(st.integers(2, 4))]:
        schema[name] = draw(_sources(name))
    for number in range(draw(st.integers(1, 4))):
        parent = schema[draw(st.sampled_from(sorted(schema)))]
        child = schema[draw(st.sampled_from(sorted(schema)))]
        _relate(draw, parent, child, number)
    for source in schema.values():
        _derive(draw, schema, source)
    for source in schema.values():
        if draw(st.integers(0, 8)) == 0:
            paths = reached(schema, source, most_joins=1)
            source.where = draw(conditions(paths, quantifiers=1))
    return schema


@st.composite
def _sources(draw: Draw, name: str) -> Source:
    key = ("id", "part") if draw(st.integers(0, 4)) == 0 else ("id",)
    size = draw(st.sampled_from([0, 2, 4, 5, 5]))
    numbers = st.tuples(*(st.integers(1, 5) for _ in key))
    keys = draw(st.lists(numbers, unique=True, min_size=size, max_size=size))
    fields = {**dict.fromkeys(key, Field("integer")), "a": Field("integer"), "b": Field("integer"),
              "t": Field("string"), "f": Field("boolean")}  # fmt: skip
    rows = [
        dict(zip(key, values, strict=True))
        | {field: draw(VALUES[spec.type]) for field, spec in fields.items() if field not in key}
        for values in keys
    ]
    measures = {"rows": Measure(CountRows())}
    if draw(st.booleans()):
        where = draw(st.sampled_from([None, Path(("f",)), Call("=", (Path(("a",)), Literal(1)))]))
        measures["total"] = Measure(Aggregate("sum", Path(("a",))), Options(where=where))
        sum_or_zero = Call("coalesce", (Aggregate("sum", Path(("b",))), Literal(0)))
        measures["mixed"] = Measure(Call("+", (sum_or_zero, CountRows())))
    return Source(name, key, fields, rows, measures=measures)


def _relate(draw: Draw, parent: Source, child: Source, number: int) -> None:
    """Join two data sources both ways: by the parent's key, or by what is no key on either side."""
    to_parent, to_child = f"{parent.name}{number}", f"{child.name}s{number}"
    if draw(st.integers(0, 3)) == 0:
        child.joins[f"like_{to_parent}"] = Join(parent.name, (("a", "b"),))
        return
    pairs = []
    # Few parents, so that each has several rows; and an orphan and a NULL among them.
    keys = [tuple(row[name] for name in parent.key) for row in parent.rows[:2]] * 2
    for name in parent.key:
        column = f"{to_parent}_{name}"
        child.fields[column] = Field("integer")
        pairs.append((column, name))
    for row in child.rows:
        values = draw(st.sampled_from([*keys, *[(nothing,) * len(pairs) for nothing in (None, 9)]]))
        row.update(dict(zip((column for column, _ in pairs), values, strict=True)))
    back = tuple((there, here) for here, there in pairs)
    required = draw(st.integers(0, 9)) == 0
    child.joins[to_parent] = Join(
        parent.name, tuple(pairs), _join_where(draw, to_parent), required=required
    )
    parent.joins[to_child] = Join(child.name, back, _join_where(draw, to_child))
    if draw(st.booleans()):
        key = SortKey(Path((draw(st.sampled_from(["a", "t", "f"])),)), draw(st.booleans()))
        name = f"one_{to_child}"
        parent.joins[name] = Join(child.name, back, _picked_where(draw, name), pick=(key,))


def _join_where(draw: Draw, name: str) -> Expression | None:
    if draw(st.integers(0, 3)):
        return None
    there = Path((name, "a"))
    return draw(
        st.sampled_from(
            [Path((name, "f")), Call(">=", (there, Literal(1))), Call("=", (there, Path(("b",))))]
        )
    )


def _picked_where(draw: Draw, name: str) -> Expression | None:
    return draw(st.sampled_from([None, None, Call("<>", (Path((name, "a")), Literal(2)))]))


def _derive(draw: Draw, schema: Schema, source: Source) -> None:
    """Fields that build on other rows."""
    paths = reached(schema, source, most_joins=2)
    if draw(st.booleans()):
        source.fields["sum_of_both"] = Field("integer", Call("+", (Path(("a",)), Path(("b",)))))
    if draw(st.booleans()):
        item, type_ = draw(aggregates(paths)) or (None, None)
        if item is not None and type_ in VALUES:
            source.fields["of_many"] = Field(type_, *item)
    if draw(st.booleans()):
        source.fields["is_so"] = Field("boolean", draw(conditions(paths, quantifiers=1)))


# --- expressions ----------------------------------------------------------------------------------


@st.composite
def conditions(
    draw: Draw, paths: list[Reached], chain: Names = (), quantifiers: int = 0, depth: int = 2
) -> Expression:
    """A condition over the record and the row that a chain leads to."""
    match draw(st.integers(0, 9)):
        case 0 | 1 if depth:
            both = [draw(conditions(paths, chain, quantifiers, depth - 1)) for _ in range(2)]
            return Call(draw(st.sampled_from(["and", "or"])), tuple(both))
        case 2 if depth:
            return Call("not", (draw(conditions(paths, chain, quantifiers, depth - 1)),))
        case 3 | 4 if quantifiers and (longer := _longer_chains(paths, chain)):
            return draw(_quantifiers(paths, draw(st.sampled_from(longer))))
        case 5 if quantifiers and not chain and (found := draw(aggregates(paths))):
            (call, options), type_ = found
            if type_ == "integer" and options == Options():
                return Call(draw(st.sampled_from(["<", ">="])), (call, draw(LITERALS["integer"])))
    usable = one_valued(paths, chain)
    return draw(_comparisons(usable, usable))


@st.composite
def _quantifiers(draw: Draw, paths: list[Reached], chain: Names) -> Expression:
    """A question about the rows that a chain leads to, and perhaps about the record with each."""
    ends = [path for path in one_valued(paths, chain) if path.chain == chain]
    condition = draw(_comparisons(ends, ends))
    if draw(st.booleans()):
        condition = Call("and", (condition, draw(conditions(paths, chain, depth=1))))
    return Quantifier(draw(st.sampled_from(["any", "none", "all"])), condition)


def _longer_chains(paths: list[Reached], chain: Names) -> list[Names]:
    chains = {path.chain for path in paths if path.is_field}
    return sorted(one for one in chains if len(one) > len(chain) and one[: len(chain)] == chain)


@st.composite
def _comparisons(draw: Draw, paths: list[Reached], others: list[Reached]) -> Expression:
    path = draw(st.sampled_from(paths))
    value = Path(path.names)
    match draw(st.integers(0, 5)):
        case 0:
            return Call("null", (value,))
        case 1:
            choices = draw(st.lists(LITERALS[path.type], min_size=1, max_size=2))
            return In(value, tuple(choices))
        case 2 if same := [other for other in others if other.type == path.type]:
            other = Path(draw(st.sampled_from(same)).names)
            return Call(draw(st.sampled_from(["=", "<>", "same"])), (value, other))
    if path.type == "boolean":
        return Call("true", (value,)) if draw(st.booleans()) else value
    operators = ["=", "<>", "<", ">="] if path.type == "integer" else ["=", "<>"]
    return Call(draw(st.sampled_from(operators)), (value, draw(LITERALS[path.type])))


Aggregated = tuple[tuple[Expression, Options], str]


@st.composite
def aggregates(draw: Draw, paths: list[Reached]) -> Aggregated | None:
    """An aggregate over related rows with what stands beside it, and its type."""
    many = [path for path in paths if path.chain and path.type != "measure"]
    if not many:
        return None
    path = draw(st.sampled_from(many))
    name = draw(st.sampled_from(AGGREGATES[path.type]))
    usable = one_valued(paths, path.chain)
    where = draw(conditions(paths, path.chain, 1)) if draw(st.integers(0, 2)) == 0 else None
    may_differ = name in ("count", "sum", "avg", "list") and path.is_field
    distinct = may_differ and draw(st.integers(0, 3)) == 0
    sort: tuple[SortKey, ...] = ()
    if name in ("first", "last") or (name == "list" and not distinct and draw(st.booleans())):
        key = draw(st.sampled_from(usable))
        sort = (SortKey(Path(key.names), draw(st.booleans())),)
    elif name == "list" and distinct and draw(st.booleans()):
        sort = (SortKey(Path(path.names), draw(st.booleans())),)
    separator = draw(st.sampled_from([", ", "'; "])) if name == "list" else ", "
    type_ = RESULTS.get(name, path.type)
    default = 7 if type_ == "integer" and draw(st.integers(0, 4)) == 0 else None
    argument: Expression = Path(path.names)
    if path.type == "integer" and name in ("sum", "max") and draw(st.booleans()):
        argument = Call("*", (argument, Path(draw(_of_type(usable, "integer")).names)))
    return (Aggregate(name, argument), Options(where, distinct, sort, separator, default)), type_


def _of_type(paths: list[Reached], type_: str) -> st.SearchStrategy[Reached]:
    return st.sampled_from([path for path in paths if path.type == type_])


# --- reports --------------------------------------------------------------------------------------


@st.composite
def reports(draw: Draw, schema: Schema) -> Report:
    full = [name for name, source in schema.items() if len(source.rows) > 2]
    source = schema[draw(st.sampled_from(full or sorted(schema)))]
    paths = reached(schema, source)
    items = tuple(draw(_items(paths, f"c{number}")) for number in range(draw(st.integers(2, 6))))
    filters = tuple(
        draw(conditions(paths, quantifiers=2))
        for _ in range(draw(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2])))
    )
    columns = [Path((item.name,)) for item in items]
    to_one = [Path(path.names) for path in one_valued(paths, ())]
    keys = st.builds(SortKey, st.sampled_from([*columns, *to_one]), st.booleans())
    sort = tuple(draw(st.lists(keys, max_size=2)))
    limit = draw(st.none() | st.integers(1, 3)) if sort else None
    return Report(source.name, items, filters, sort, limit)


@st.composite
def _items(draw: Draw, paths: list[Reached], name: str) -> Item:
    to_one = one_valued(paths, ())
    numbers = _of_type(to_one, "integer")
    match draw(st.integers(0, 12)):
        case 0 | 1 | 2 | 3 if found := draw(aggregates(paths)):
            (call, options), type_ = found
            if type_ == "integer" and options.default is None and draw(st.integers(0, 3)) == 0:
                call = Call("+", (Call("coalesce", (call, Literal(0))), Literal(1)))
            return Item(name, call, options)
        case 4 if measures := [path for path in paths if path.type == "measure"]:
            path = draw(st.sampled_from(measures))
            where = draw(_comparisons(*2 * [one_valued(paths, path.chain)]))
            return Item(name, Path(path.names), Options(where=draw(st.sampled_from([None, where]))))
        case 5:
            condition = draw(conditions(paths, quantifiers=2))
            values = (Path(draw(numbers).names), Literal(-1))
            return Item(name, Call("case", (condition, *values)))
        case 6:
            left, right = Path(draw(numbers).names), Path(draw(numbers).names)
            operator = draw(st.sampled_from(["+", "-", "*", "int_div"]))
            return Item(name, Call(operator, (left, right)))
        case 7:
            return Item(name, Call("/", (Path(draw(numbers).names), Literal(4))))
        case 8:
            texts = _of_type(to_one, "string")
            joined = Call(
                "||", (Path(draw(texts).names), Call("upper", (Path(draw(texts).names),)))
            )
            return Item(name, joined)
        case 9 if chains := _longer_chains(paths, ()):
            return Item(name, draw(_quantifiers(paths, draw(st.sampled_from(chains)))))
    joined_fields = [path for path in to_one if len(path.names) > 1] or to_one
    return Item(name, Path(draw(st.sampled_from(joined_fields)).names))
