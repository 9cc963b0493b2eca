"""Worlds with all that makes reports go wrong: NULLs, orphans, shared rows, rows that changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.oracle.choices import Choices
from tests.oracle.expressions import (
    VALUES,
    Reach,
    aggregate,
    comparison,
    condition,
    kind,
    plain_number,
    reach,
    some_value,
    value,
)
from tests.oracle.language import (
    Aggregate,
    AsOf,
    Call,
    CountRows,
    Expression,
    Field,
    Formatter,
    Given,
    Item,
    Join,
    Latest,
    Literal,
    Measure,
    Names,
    Options,
    Own,
    Path,
    Report,
    Row,
    Schema,
    SetItem,
    SortKey,
    Source,
    World,
    as_text,
    fans_out,
)

SOURCES = ("movie", "production", "task", "note", "vendor", "rate")
MOMENTS = tuple(datetime(2024, 2, 29, 7, tzinfo=UTC) + timedelta(hours=n) for n in (0, 1, 3))
ORPHANS = {"integer": 9, "string": "zz"}


def world(c: Choices, reports: int = 1) -> World:
    """Data sources and so many reports over them."""
    made = schema(c)
    shown = formatters(c)
    return World(made, shown, tuple(report(c, made, shown) for _ in range(reports)))


def schema(c: Choices) -> Schema:
    """Data sources that are joined in many ways."""
    found: Schema = {}
    number = c.pick([2, 2, 3, 3, 4, 5, 6])
    for name in SOURCES[:number]:
        found[name] = _source(c, name)
    sources = list(found.values())
    for position in range(c.number(1, number + 1)):
        _relate(c, c.pick(sources), c.pick(sources), position)
    if c.once_in(3):
        _bridge(c, *(c.pick(sources) for _ in range(3)))
    for source in sources:
        _derive(c, found, source)
    for source in sources:
        if c.once_in(9):
            source.where = condition(c, reach(found, source, 1), quantifiers=1)
        if c.once_in(8) and source.joins:
            _ask_in_join(c, found, source)
    if c.once_in(4):
        found["heir"] = _heir(c, found, c.pick(sources))
        sources.append(found["heir"])
    for source in sources:
        paths = c.several(reach(found, source, 1).one_valued(), 1, 4)
        if c.flip():
            source.sets["core"] = tuple(str(path.path) for path in paths)
            source.own.add(("sets", "core"))
    return found


# --- tables ---------------------------------------------------------------------------------------

KEYS: list[dict[str, str]] = [
    {"id": "integer"}, {"id": "integer"}, {"id": "integer"}, {"id": "integer", "part": "integer"}, {"code": "string"}
]  # fmt: skip
EXTRAS = {
    "d": Field("date"),
    "s": Field("timestamp"),
    "m": Field("decimal(18,2)"),
    "x": Field("float"),
    "n": Field("integer", nullable=False),
    "up": Field("string", Call("upper", (Own("up"),)), stored=True),
    "z": Field("integer", options=Options(default=2)),
    "odd": Field("integer", column="Order"),
}


def _source(c: Choices, name: str) -> Source:
    key = c.pick(KEYS)
    fields = {field: Field(type_) for field, type_ in key.items()}
    fields |= {"a": Field("integer"), "b": Field("integer"), "t": Field("string"), "f": Field("boolean")}  # fmt: skip
    fields |= {extra: EXTRAS[extra] for extra in c.several(list(EXTRAS), 0, 3)}
    if c.once_in(6):
        fields["a"] = replace(fields["a"], labels=labels(c, "integer"))
    source = Source(name, tuple(key), fields, [])
    if c.once_in(3):
        source.unique_keys = (c.pick([("u",), ("u", "v")]),)
        fields |= {field: Field("integer") for field in source.unique_keys[0]}
    if c.once_in(5):
        source.latest = c.pick(LATEST)
    keys = c.several(_all_keys(key), *[c.pick([0, 2, 4, 5, 5])] * 2)
    source.rows = [row for values in keys for row in _records(c, source, values)]
    _fill_unique_keys(c, source)
    if c.flip():
        for number, row in enumerate(source.rows):
            row["n"] = number % 3
    _measure(c, source)
    return source


def _all_keys(key: dict[str, str]) -> list[tuple[Any, ...]]:
    if len(key) > 1:
        return [(one, other) for one in range(1, 4) for other in range(1, 4)]
    return [(number if key.get("id") else f"k{number}",) for number in range(1, 6)]


LATEST = (
    Latest(),
    Latest(),
    Latest(("changed", "version"), ("gone",)),
    Latest(("changed", "version")),
)


def _records(c: Choices, source: Source, key: tuple[Any, ...]) -> list[Row]:
    """The one row of a key, or its events in a change log."""
    times = c.pick([1, 1, 2, 3]) if source.latest else 1
    return [
        {name: _cell(c, spec) for name, spec in source.fields.items() if spec.is_stored}
        | dict(zip(source.key, key, strict=True))
        | _event(c, source.latest, len(source.rows) + number)
        for number in range(times)
    ]


def _cell(c: Choices, spec: Field) -> Any:
    if spec.nullable and c.once_in(4):
        return None
    return some_value(c, spec.type)


def _event(c: Choices, log: Latest | None, number: int) -> Row:
    """Raw columns of an event; times are often equal, positions never."""
    if log is None:
        return {}
    time = c.pick(MOMENTS)
    if not log.order_by:
        operation = c.pick(["c", "u", "u", "u", "d", "h"])
        return {"_ts": time, "_pos": c.number(0, 9) * 10 + number, "_op": operation}
    version = {"changed": time.replace(tzinfo=None), "version": c.number(0, 9) * 10 + number}
    return version | {name: c.pick([None, False, False, True]) for name in log.deleted}


def _fill_unique_keys(c: Choices, source: Source) -> None:
    """By the primary key, so that no change of a record takes another's."""
    keys = sorted({tuple(row[name] for name in source.key) for row in source.rows})
    for names in source.unique_keys:
        for row in source.rows:
            number = keys.index(tuple(row[name] for name in source.key))
            values = (number,) if len(names) == 1 else (number % 2, number // 2)
            row |= dict(zip(names, values, strict=True))
            if c.once_in(5):
                row[names[-1]] = None


def _measure(c: Choices, source: Source) -> None:
    source.measures["rows"] = Measure(CountRows())
    if c.flip():
        where = c.pick([None, Path(("f",)), Call("=", (Path(("a",)), Literal(1)))])
        source.measures["total"] = Measure(Aggregate("sum", Path(("a",))), Options(where=where))
        sum_or_zero = Call("coalesce", (Aggregate("sum", Path(("b",))), Literal(0)))
        source.measures["mixed"] = Measure(Call("+", (sum_or_zero, CountRows())))
    if c.once_in(4):
        source.measures["both"] = Measure(Call("+", (Path(("rows",)), CountRows())))


# --- joins ----------------------------------------------------------------------------------------


def _relate(c: Choices, parent: Source, child: Source, number: int) -> None:
    """Join two data sources: by a key, both ways, or by what is no key on either side."""
    match c.number(0, 9):
        case 0 | 1:
            _join_alike(c, parent, child, number)
        case 2 if parent.unique_keys:
            _join_by_key(c, parent, child, number, parent.unique_keys[0])
        case 3:
            _join_in_time(c, parent, child, number)
        case 4 if set(parent.key) == set(child.key) and _types(parent) == _types(child):
            stated = c.pick([None, "one_to_one", "many_to_one"])
            pairs = tuple((name, name) for name in parent.key)
            child.joins[f"same{number}"] = Join(parent.name, pairs, relationship=stated)
        case _:
            _join_by_key(c, parent, child, number, parent.key)


def _types(source: Source) -> list[str]:
    return [source.fields[name].type for name in source.key]


def _join_alike(c: Choices, parent: Source, child: Source, number: int) -> None:
    name = f"like{number}"
    mine, theirs = Path(("a",)), Path((name, c.pick(["a", "b"])))
    match c.number(0, 3):
        case 0:
            child.joins[name] = Join(parent.name, (("a", "b"),), _join_where(c, name))
        case 1:
            child.joins[name] = Join(parent.name, (("a", "a"),))
        case 2:
            child.joins[name] = Join(parent.name, (("a", "b"), ("t", "t")))
        case _:
            asked = Call(c.pick(["=", "<", "same"]), (mine, theirs))
            if c.flip():
                asked = Call("and", (asked, Path((name, "f"))))
            child.joins[name] = Join(parent.name, sql=asked, relationship="many_to_many")


def _foreign_key(c: Choices, parent: Source, child: Source, name: str, key: Names) -> list[str]:
    """Columns of the child that name the parent's rows."""
    columns = [f"{name}_{part}" for part in key]
    for column, part in zip(columns, key, strict=True):
        child.fields[column] = Field(parent.fields[part].type)
    # Few parents, so that each has several rows; and an orphan and a NULL among them.
    keys = list(dict.fromkeys(tuple(row[part] for part in key) for row in parent.rows))[:2] * 2
    orphan = tuple(ORPHANS[parent.fields[part].type] for part in key)
    for row in child.rows:
        values = c.pick([*keys, orphan, (None,) * len(key)])
        row |= dict(zip(columns, values, strict=True))
    return columns


def _join_by_key(c: Choices, parent: Source, child: Source, number: int, key: Names) -> None:
    to_parent, to_child = f"{parent.name}{number}", f"{child.name}s{number}"
    columns = _foreign_key(c, parent, child, to_parent, key)
    pairs = list(zip(columns, key, strict=True))
    if c.once_in(4):
        pairs.reverse()
    back = tuple((there, here) for here, there in pairs)
    required = c.once_in(10)
    where = _join_where(c, to_parent)
    child.joins[to_parent] = Join(
        parent.name, tuple(pairs), where, required, relationship=c.pick([None, None, "many_to_one"])
    )
    parent.joins[to_child] = Join(
        child.name,
        back,
        _join_where(c, to_child),
        relationship=c.pick([None, None, "one_to_many"]),
    )
    if c.once_in(8):
        equal = [Call("=", (Path((to_parent, there)), Path((here,)))) for here, there in pairs]
        child.joins[to_parent] = Join(
            parent.name, sql=_all(equal), relationship="many_to_one", where=where, required=required
        )
    if c.flip():
        name = f"one_{to_child}"
        keys = c.several([name for name in child.fields if name not in child.key], 1, 2)
        pick = tuple(SortKey(Path((key,)), c.flip()) for key in keys)
        parent.joins[name] = Join(
            child.name, back, _picked_where(c, name), required=c.once_in(10), pick=pick
        )


def _all(conditions: list[Call]) -> Expression:
    found: Expression = conditions[0]
    for one in conditions[1:]:
        found = Call("and", (found, one))
    return found


def _join_where(c: Choices, name: str) -> Expression | None:
    if not c.once_in(4):
        return None
    there = Path((name, "a"))
    wheres = [
        Path((name, "f")),
        Call(">=", (there, Literal(1))),
        Call("=", (there, Path(("b",)))),
    ]
    return c.pick(wheres)


def _picked_where(c: Choices, name: str) -> Expression | None:
    return c.pick([None, None, Call("<>", (Path((name, "a")), Literal(2)))])


def _join_in_time(c: Choices, parent: Source, child: Source, number: int) -> None:
    """From each parent to the child's row that holds at its moment."""
    type_ = c.pick(["date", "timestamp"])
    at, start, end = f"at{number}", f"start{number}", f"end{number}"
    for source, names in ((parent, [at]), (child, [start, end])):
        for name in names:
            source.fields[name] = Field(type_)
            for row in source.rows:
                row[name] = None if c.once_in(5) else some_value(c, type_)
    to_parent = f"{parent.name}{number}"
    pairs = [(part, column) for part, column in zip(parent.key, _foreign_key(c, parent, child, to_parent, parent.key), strict=True)]  # fmt: skip
    by = tuple(pairs) if c.flip() else (("a", "a"),)
    name = f"then{number}"
    interval = AsOf(at, start, c.pick([end, end, None]))
    where = _picked_where(c, name)
    parent.joins[name] = Join(child.name, by, where, required=c.once_in(10), as_of=interval)


def _bridge(c: Choices, left: Source, bridge: Source, right: Source) -> None:
    """Many to many: a row of the bridge has one on either side."""
    for source, name in ((left, "left"), (right, "right")):
        columns = _foreign_key(c, source, bridge, name, source.key)
        pairs = tuple(zip(columns, source.key, strict=True))
        bridge.joins[name] = Join(source.name, pairs)
        back = tuple((there, here) for here, there in pairs)
        source.joins[f"by_{name}"] = Join(bridge.name, back)


def _ask_in_join(c: Choices, schema: Schema, source: Source) -> None:
    """A join whose `where` asks of what lies behind it."""
    name = c.pick(sorted(source.joins))
    join = source.joins[name]
    if join.where is None and not join.pick and join.as_of is None:
        chain = (name,) if fans_out(schema, join) else ()
        behind = [p for p in reach(schema, source, 2).paths if p.names[0] == name]
        where = condition(c, Reach(behind), chain, quantifiers=1, depth=1)
        source.joins[name] = replace(join, where=where)


# --- what is derived ------------------------------------------------------------------------------


def _derive(c: Choices, schema: Schema, source: Source, prefix: str = "") -> None:
    """Fields that build on other rows, and on such fields."""
    about = reach(schema, source, 2)
    made: dict[str, Field] = {}
    if c.once_in(3):
        both = Call("+", (Path(("a",)), Path(("b",))))
        made["sum_of_both"] = Field("integer", both, Options(default=c.pick([None, 0])))
    if c.flip() and (found := aggregate(c, about)):
        call, options, type_ = found
        made["of_many"] = Field(type_, call, options)
    if c.once_in(3):
        asked = condition(c, about, quantifiers=1, aggregating=True)
        made["is_so"] = Field("boolean", asked)
    if c.once_in(4):
        expression, type_ = value(c, about, quantifiers=1)
        made["so_much"] = Field(type_, expression)
    source.fields |= {prefix + name: spec for name, spec in made.items()}
    source.own |= {("fields", prefix + name) for name in made}


def _heir(c: Choices, schema: Schema, parent: Source) -> Source:
    """A data source that is another one, but for some of it."""
    heir = replace(
        parent,
        name="heir",
        extends=parent.name,
        table=parent.table or parent.name,
        own=set(),
        fields=dict(parent.fields),
        joins=dict(parent.joins),
        measures=dict(parent.measures),
        sets={},
    )
    schema["heir"] = heir
    if c.once_in(3):
        heir.fields["f"] = Field("boolean", Call("null", (Path(("a",)),)))
        heir.own.add(("fields", "f"))
    if c.once_in(3):
        heir.measures["rows"] = Measure(Aggregate("count", Path(("b",))))
        heir.own.add(("measures", "rows"))
    if c.once_in(3):
        heir.where = condition(c, reach(schema, heir, 1), quantifiers=1)
        heir.own.add(("where", ""))
    if heir.joins and c.once_in(3):
        name = c.pick(sorted(heir.joins))
        kept = heir.joins[name]
        if kept.sql is None and not kept.pick and kept.as_of is None:
            heir.joins[name] = Join(kept.source, kept.by, _join_where(c, name))
            heir.own.add(("joins", name))
    _derive(c, schema, heir, "h_")
    for source in list(schema.values()):
        for name, join in list(source.joins.items()):
            plain = join.where is None and join.sql is None and not join.pick
            if join.source == parent.name and plain and c.once_in(3):
                source.joins[f"{name}_heir"] = replace(join, source="heir")
                source.own.add(("joins", f"{name}_heir"))
    return heir


# --- formatters -----------------------------------------------------------------------------------


def labels(c: Choices, type_: str) -> Formatter:
    known = c.several(VALUES[type_], 1, 2)
    words = tuple((as_text(one), c.pick(["same", "other"])) for one in known)
    return Formatter(words, c.pick([None, "-"]))


def formatters(c: Choices) -> dict[str, Formatter]:
    """One for each of some types, by its name."""
    more = Call("+", (Call("coalesce", (Path(("value",)), Literal(0))), Literal(1)))
    return {
        **{f"{type_}_words": labels(c, type_) for type_ in ("integer", "string", "boolean")},
        "one_more": Formatter(sql=more, type="integer"),
    }


# --- reports --------------------------------------------------------------------------------------


def report(c: Choices, schema: Schema, shown: dict[str, Formatter]) -> Report:
    """A report of either shape over one of the data sources."""
    full = [name for name, source in schema.items() if len(source.rows) > 2]
    source = schema[c.pick(full or sorted(schema))]
    parameters: dict[str, Given] = {}
    about = reach(schema, source, c.pick([1, 2, 2, 2, 3]), parameters)
    is_summary = c.flip()
    columns = _Columns(c, source, about, shown, is_summary=is_summary)
    for _ in range(c.number(1, 5)):
        columns.add()
    asked = c.pick([0, 0, 0, 0, 0, 1, 1, 2])
    filters = [condition(c, about, quantifiers=2, aggregating=True) for _ in range(asked)]
    having = []
    if is_summary and c.once_in(3):
        having = [columns.condition() for _ in range(c.number(1, 2))]
    keys: list[Path] = [Path((name,)) for name in columns.types]
    if not is_summary:
        keys += [path.path for path in about.one_valued()]
    sort = tuple(SortKey(key, c.flip()) for key in c.several(keys, 0, 2)) if c.flip() else ()
    return Report(
        source.name,
        tuple(columns.items),
        tuple(filters),
        sort,
        c.pick([None, None, 1, 2, 3]) if sort else None,
        is_summary,
        tuple(having),
        tuple(parameters.items()),
        c.pick(["UTC", "America/Los_Angeles", "Asia/Tokyo"]),
        c.pick(MOMENTS),
        as_of=c.once_in(4),
    )


class _Columns:
    """The columns of a report while it is made up, by name and type."""

    def __init__(
        self,
        c: Choices,
        source: Source,
        about: Reach,
        shown: dict[str, Formatter],
        *,
        is_summary: bool,
    ) -> None:
        self._c, self._source, self._about, self._shown = c, source, about, shown
        self._is_summary = is_summary
        self.items: list[Item | SetItem] = []
        self.types: dict[str, str] = {}

    def add(self) -> None:
        """One more column, or a set of them."""
        c = self._c
        if c.once_in(9) and "core" in self._source.sets and self._add_set():
            return
        if self._is_summary:
            made = self._aggregated() if c.number(0, 4) > 1 else self._plain()
        else:
            made = self._related() if c.number(0, 12) < 6 else self._plain()
        expression, options, type_ = made
        name = _own_name(expression, options) if c.once_in(4) else None
        named = name is None or name in self.types
        if named or name is None:
            name = f"c{len(self.types)}"
        format_ = f"{kind(type_)}_words" if c.once_in(6) else None
        if kind(type_) == "integer" and c.once_in(12):
            format_ = "one_more"
        if format_ not in self._shown:
            format_ = None
        self.items.append(Item(name, expression, options, named, format_))
        self.types[name] = type_

    def _add_set(self) -> bool:
        members = self._source.sets["core"]
        but = tuple(self._c.several(members, 0, len(members) - 1))
        names = [member.replace(".", "_") for member in members if member not in but]
        if set(names) & set(self.types) or len(set(names)) < len(names):
            return False
        types = {str(path.path): path.type for path in self._about.one_valued()}
        self.items.append(SetItem("core", but))
        self.types |= {m.replace(".", "_"): types[m] for m in members if m not in but}
        return True

    def _plain(self) -> tuple[Expression, Options, str]:
        """What is one value of the record."""
        c, about = self._c, self._about
        if c.once_in(3):
            expression, type_ = value(c, about, aggregating=not self._is_summary)
        else:
            to_one = about.one_valued()
            path = c.pick([path for path in to_one if len(path.names) > 1] or to_one)
            expression, type_ = path.path, path.type
        is_key = isinstance(expression, Path) and expression.names[0] in self._source.key
        default = 7 if kind(type_) == "integer" and not is_key and c.once_in(8) else None
        return expression, Options(default=default), type_

    def _related(self) -> tuple[Expression, Options, str]:
        """What is aggregated over related rows of one record."""
        c, about = self._c, self._about
        measures = [path for path in about.paths if path.type == "measure" and path.chain]
        if measures and c.once_in(5):
            path = c.pick(measures)
            where = comparison(c, about, about.one_valued(path.chain)) if c.once_in(3) else None
            return path.path, Options(where=where), "integer"
        return self._sums() or self._one_aggregate() or self._plain()

    def _aggregated(self) -> tuple[Expression, Options, str]:
        """What is aggregated over a group of records."""
        c, about = self._c, self._about
        if c.once_in(5):
            where = condition(c, about, quantifiers=1) if c.once_in(3) else None
            return CountRows(), Options(where=where), "integer"
        measures = [path for path in about.paths if path.type == "measure"]
        if c.once_in(4):
            path = c.pick(measures)
            where = comparison(c, about, about.one_valued(path.chain)) if c.once_in(3) else None
            return path.path, Options(where=where), "integer"
        return self._sums() or self._one_aggregate() or self._plain()

    def _sums(self) -> tuple[Expression, Options, str] | None:
        """Of several aggregates, perhaps over different rows."""
        c, own = self._c, self._is_summary
        if not c.once_in(5):
            return None
        found = [plain_number(c, self._about, own=own) for _ in range(2)]
        if None in found:
            return None
        left, right = (Call("coalesce", (one, Literal(0))) for one in found if one is not None)
        if c.flip():
            return Call("/", (left, Call("nullif", (right, Literal(0))))), Options(), "float"
        return Call(c.pick(["+", "-"]), (left, right)), Options(), "integer"

    def _one_aggregate(self) -> tuple[Expression, Options, str] | None:
        c = self._c
        found = aggregate(c, self._about, own=self._is_summary)
        if found is None:
            return None
        call, options, type_ = found
        if type_ == "integer" and options.default is None and c.once_in(4):
            more = Call("+", (Call("coalesce", (call, Literal(0))), Literal(1)))
            return more, options, type_
        return call, options, type_

    def condition(self) -> Expression:
        """What `having` asks of the columns."""
        c = self._c
        name = c.pick(sorted(self.types))
        type_ = kind(self.types[name])
        if c.once_in(4):
            return Call(c.pick(["null", "null"]), (Path((name,)),))
        asked = Path((name,))
        if type_ == "boolean":
            return Call(c.pick(["true", "untrue"]), (asked,))
        literal = Literal(some_value(c, type_))
        return Call(c.pick(["=", "<>", "<", ">="]), (asked, literal))


def _own_name(expression: Expression, options: Options) -> str | None:
    """The name that a column has without being given one."""
    match expression:
        case Path(names) if options.where is None:
            return "_".join(names)
        case Aggregate(name, Path(names)) if options.where is None:
            return "_".join((*names, name))
    return None
