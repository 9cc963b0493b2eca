"""Names in expressions -> columns of nodes; aggregates and quantifiers -> columns of branches.

Binding makes exactly the joins that a report's paths name, each once. A mistake is told and leaves
a NULL that is known to be broken, so that what follows from it is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from genesis.compile.compare import check_comparison, typed_literal
from genesis.compile.expression import Fragment, Step, parse_expression, path_of, paths_in
from genesis.compile.functions import (
    AGGREGATES,
    CLOCKS,
    NONDETERMINISTIC,
    aggregate_name,
    arguments,
    function_name,
    is_portable,
    listing,
    own,
    quantifier_name,
)
from genesis.compile.identifiers import Names, column
from genesis.compile.infer import to_sql, type_of, typed
from genesis.compile.joins import cardinality_fans_out, find_join, key_pairs, raw_column
from genesis.compile.moment import Moment
from genesis.compile.query import Block, Branch, Node, ordered
from genesis.compile.relations import Relations
from genesis.document import Path
from genesis.errors import Location, Problems, did_you_mean
from genesis.spec.data_source import Aggregated, DataSource
from genesis.spec.input import Parameter
from genesis.spec.project import Project
from genesis.spec.types import BOOLEAN, DATE, FLOAT, INTEGER, STRING, TIMESTAMPTZ

_BROKEN = "genesis_broken"


def broken() -> exp.Expr:
    """What stands where a mistake was told."""
    node = exp.Null()
    node.meta[_BROKEN] = True
    return node


def is_broken(tree: exp.Expr | None) -> bool:
    """Whether a mistake in the expression, or below it, was told already."""
    return tree is None or any(_BROKEN in node.meta for node in tree.find_all(exp.Null))


@dataclass(frozen=True)
class Scope:
    """Where names in a fragment lead.

    `places` maps paths of joins to nodes: `()` is the record itself, longer ones are steps already
    taken. `options` are the `where`, `sort` and so on that stand beside the fragment, at `beside`.
    """

    fragment: Fragment
    places: Mapping[tuple[str, ...], Node]
    source: DataSource
    options: Aggregated = field(default_factory=Aggregated)
    own_field: str | None = None
    is_condition: bool = False
    aggregates_rows: bool = False
    value: exp.Expr | None = None
    stack: tuple[tuple[str, str], ...] = ()

    def beside(self, text: str, *keys: str | int) -> Fragment:
        """A fragment that stands beside this one, as `where` does."""
        return Fragment(text, self.fragment.owner, (*_holder(self.fragment.path), *keys))


def _holder(path: Path) -> Path:
    return path[:-1] if path and path[-1] in ("sql", "field") else path


@dataclass(frozen=True)
class Shape:
    """A path as far as it can be told without joining: how many of its steps lead to the last to-many."""

    steps: tuple[Step, ...]
    ends_in: str  # "field", "measure" or "join"
    source: DataSource
    fans_after: int
    fans_at: Step | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)


class Binder:
    """Binds the fragments of one report; `relations` and `touched` are what it found it needs."""

    def __init__(
        self,
        project: Project,
        problems: Problems,
        *,
        moment: Moment,
        parameters: Mapping[str, Parameter],
        values: Mapping[str, Any] | None,
    ) -> None:
        self.project = project
        self.problems = problems
        self.moment = moment
        self.relations = Relations(self)
        self.touched: list[tuple[DataSource, str]] = []
        self._parameters = parameters
        self._values = values
        self._parsed: dict[tuple[int, Path, str], exp.Expr | None] = {}
        self._fields: dict[tuple[Node, str], exp.Expr] = {}

    # --- expressions ----------------------------------------------------------------------------

    def bind(self, scope: Scope) -> exp.Expr:
        """The fragment of a scope, with every name a column of a node."""
        tree = self.parse(scope.fragment)
        return broken() if tree is None else self._bind(tree.copy(), scope)

    def parse(self, fragment: Fragment) -> exp.Expr | None:
        """The tree of a fragment; it is parsed once, and not to be changed."""
        key = (id(fragment.owner), fragment.path, fragment.text)
        if key not in self._parsed:
            dialect = self.project.settings.dialect
            self._parsed[key] = parse_expression(fragment, dialect, self.problems)
        return self._parsed[key]

    def _bind(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        bound = self._special(node, scope)
        if bound is not None:
            return bound
        for key, value in list(node.args.items()):
            if isinstance(value, exp.Expr):
                node.set(key, self._bind(value, scope))
            elif isinstance(value, list):
                node.set(
                    key, [self._bind(v, scope) if isinstance(v, exp.Expr) else v for v in value]
                )
        return self._finish(node, scope)

    def _special(self, node: exp.Expr, scope: Scope) -> exp.Expr | None:
        path = path_of(node)
        if path is not None:
            return self._path(path, scope)
        if (name := quantifier_name(node)) is not None:
            return self._quantifier(name, node, scope)
        if (name := aggregate_name(node)) is not None:
            return self._aggregate(name, node, scope)
        if isinstance(node, exp.Placeholder | exp.Parameter):
            return self._parameter(node, scope)
        if isinstance(node, exp.Func):
            return self._clock(node, scope)
        return None

    def _finish(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """What every engine should mean by a node whose parts are bound."""
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector | exp.Cast | exp.Case):
            self._check_function(node, scope)
        if isinstance(node, exp.Div):
            # Trino divides integers to an integer, DuckDB does not: `/` is real division everywhere.
            left, right = (
                exp.Cast(this=side, to=to_sql(FLOAT)) for side in (node.this, node.expression)
            )
            return typed(exp.Div(this=left, expression=right, typed=True), FLOAT)
        if isinstance(node, exp.Add | exp.Sub) and type_of(node) == DATE:
            # DuckDB makes a timestamp of a date and an interval.
            return exp.Cast(this=node, to=to_sql(DATE))
        if isinstance(node, exp.Anonymous) and node.name.lower() == "int_div":
            if len(node.expressions) != 2:
                return self._wrong(node, scope, "wrong-aggregate", "`int_div` takes two numbers")
            return typed(own("int_div", *node.expressions), INTEGER)
        return check_comparison(node, scope.fragment, self.problems, in_filter=scope.is_condition)

    def _check_function(self, node: exp.Func, scope: Scope) -> None:
        name = function_name(node)
        if name in NONDETERMINISTIC:
            message = f"`{name}` gives another result every time it runs"
            hint = "a report gives equal rows for equal data"
            self.problems.add("nondeterministic", message, scope.fragment.place(node), hint=hint)
        elif not is_portable(node):
            message = (
                f"`{name}` is passed on as it is: it is not known to agree on DuckDB and Trino"
            )
            self.problems.warn("unportable-function", message, scope.fragment.place(node))

    def _wrong(
        self, node: exp.Expr, scope: Scope, code: str, message: str, hint: str | None = None
    ) -> exp.Expr:
        self.problems.add(code, message, scope.fragment.place(node), hint=hint)
        return broken()

    def _parameter(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        name = node.name
        offset = scope.fragment.text.find(f":{name}")
        at = scope.fragment.at(offset, len(name) + 1) if offset >= 0 else scope.fragment.at()
        parameter = self._parameters.get(name)
        if parameter is None:
            hint = (
                did_you_mean(name, self._parameters) or "declare it under the input's `parameters`"
            )
            self.problems.add("unknown-parameter", f"unknown parameter `:{name}`", at, hint=hint)
            return broken()
        if self._values is None:  # only checking: any value of the type will do
            return typed(exp.Cast(this=exp.Null(), to=to_sql(parameter.type)), parameter.type)
        return typed_literal(self._values.get(name), parameter.type)

    def _clock(self, node: exp.Func, scope: Scope) -> exp.Expr | None:
        name = "today" if isinstance(node, exp.CurrentDate) else function_name(node)
        if isinstance(node, exp.CurrentTimestamp):
            name = "now"
        if name not in CLOCKS:
            return None
        given = arguments(node)
        if name == "now":
            return typed(self.moment.now(), TIMESTAMPTZ, nullable=False)
        if name == "today":
            return typed(self.moment.today(), DATE, nullable=False)
        if len(given) != 1:
            return self._wrong(node, scope, "invalid-sql", "`local_date` takes one timestamp")
        moment = self._bind(given[0], scope)
        if not is_broken(moment) and (known := type_of(moment)) and not known.is_time:
            return self._wrong(
                node, scope, "wrong-literal", f"`local_date` takes a timestamp, not {known}"
            )
        return typed(own("local_date", moment, exp.Literal.string(self.moment.timezone)), DATE)

    # --- paths ----------------------------------------------------------------------------------

    def _path(self, steps: tuple[Step, ...], scope: Scope) -> exp.Expr:
        if scope.value is not None and [step.name for step in steps] == ["value"]:
            return scope.value.copy()
        shape = self.shape(steps, scope)
        if shape is None:
            return broken()
        if shape.fans_at is not None:
            if shape.ends_in == "measure":
                return self._measure(shape, scope)
            self._tell_fan_out(shape, scope)
            return broken()
        if shape.ends_in == "join":
            return self._wrong_step(
                "unknown-field", f"`{shape.names[-1]}` is a join, not a field", steps[-1], scope,
                hint=f"name one of its fields: `{'.'.join((*shape.names, '...'))}`",
            )  # fmt: skip
        if shape.ends_in == "measure":
            self._tell_own_aggregate(
                f"`{'.'.join(shape.names)}` is a measure", self._at(steps[-1], scope)
            )
            return broken()
        node = self.walk(shape.names[:-1], scope)
        if node is None:
            return broken()
        self.touched.append((node.source, shape.names[-1]))
        return self.field(node, shape.names[-1], scope)

    def shape(self, steps: tuple[Step, ...], scope: Scope) -> Shape | None:
        """What a path leads to, or `None` with its first wrong step told."""
        names = tuple(step.name for step in steps)
        start = _longest_place(names[:-1], scope.places)
        if names in scope.places:  # the path of a join that is taken already
            node = scope.places[names]
            return Shape(steps, "join", node.source, 0, None)
        source = (
            scope.places[names[:start]].source if names[:start] in scope.places else scope.source
        )
        fans_after, fans_at = 0, None
        for position in range(start, len(steps)):
            step, is_last = steps[position], position == len(steps) - 1
            if is_last and step.name in source.fields:
                return Shape(steps, "field", source, fans_after, fans_at)
            if is_last and step.name in source.measures:
                return Shape(steps, "measure", source, fans_after, fans_at)
            if step.name not in source.joins:
                self._tell_unknown_step(step, source, scope, is_last=is_last)
                return None
            target = find_join(self.project, source, step.name, self.problems)
            if target is None:
                return None
            if cardinality_fans_out(source, step.name, target):
                fans_after, fans_at = position + 1, step
            source = target
        return Shape(steps, "join", source, fans_after, fans_at)

    def _at(self, step: Step, scope: Scope) -> Location:
        return scope.fragment.at(step.offset, step.length)

    def _wrong_step(
        self, code: str, message: str, step: Step, scope: Scope, *, hint: str | None
    ) -> exp.Expr:
        self.problems.add(code, message, self._at(step, scope), hint=hint)
        return broken()

    def _tell_unknown_step(
        self, step: Step, source: DataSource, scope: Scope, *, is_last: bool
    ) -> None:
        name, where = step.name, f"data source `{source.name}`"
        hint: str | None
        if not is_last:
            if name in source.fields:
                hint = f"`{name}` is a field: nothing follows it"
            else:
                hint = did_you_mean(name, source.joins) or _joins_listed(source)
            self._wrong_step(
                "unknown-join", f"unknown join `{name}` in {where}", step, scope, hint=hint
            )
            return
        hint = did_you_mean(
            name, [*source.fields, *source.joins, *source.measures]
        ) or self._elsewhere(name, source)
        self._wrong_step(
            "unknown-field", f"unknown field `{name}` in {where}", step, scope, hint=hint
        )

    def _elsewhere(self, name: str, source: DataSource) -> str | None:
        """The hint that a joined data source has a field of that name."""
        for join_name, join in source.joins.items():
            target = self.project.data_sources.get(join.data_source or join_name)
            if target and name in target.fields:
                return f"`{join_name}.{name}` is one"
        return None

    def _tell_fan_out(self, shape: Shape, scope: Scope) -> None:
        step = shape.fans_at or shape.steps[0]
        path = ".".join(shape.names)
        message = f"`{path}` has many values for one row: `{step.name}` leads to many"
        if scope.is_condition:
            hint = f"say which: `any({path} ...)`, `none({path} ...)` or `all({path} ...)`, or compare an aggregate"
            self.problems.add("quantifier-needed", message, self._at(step, scope), hint=hint)
            return
        end = shape.source.fields.get(shape.names[-1])
        fitting = _fitting_aggregates(end.type.is_number if end else False)
        hint = f"aggregate it ({fitting}), ask `any`, `none` or `all`, or choose one row with a `pick` join"
        self.problems.add("fans-out", message, self._at(step, scope), hint=hint)

    def _tell_own_aggregate(self, what: str, at: Location) -> None:
        message = f"{what}: it aggregates the report's own rows, and a detail report has one row per record"
        self.problems.add("own-aggregate", message, at, hint="`shape: summary` groups the rows")

    def walk(self, names: Iterable[str], scope: Scope) -> Node | None:
        """The node at a path of to-one joins, joined where it was not yet."""
        names = tuple(names)
        start = _longest_place(names, scope.places)
        if names[:start] not in scope.places:
            message = "a condition two to-many steps away uses the record's own fields"
            self.problems.add("not-supported", message, scope.fragment.at())
            return None
        node: Node | None = scope.places[names[:start]]
        for name in names[start:]:
            node = self.join_to_one(node, name) if node else None
        return node

    def join_to_one(self, node: Node, name: str) -> Node | None:
        """The node that a to-one join of `node` leads to."""
        if name not in node.children:
            relation = self.relations.through(node.source, name)
            if relation is None:
                return None
            child = Node(node.block.aliases.take(_alias(node, name)), relation, node.block)
            child.optional = node.optional or not node.source.joins[name].required
            child.on = self.join_condition(node, name, child)
            node.block.joined.append(child)
            node.children[name] = child
        return node.children[name]

    def join_condition(
        self, node: Node, name: str, child: Node, *, with_where: bool = True
    ) -> exp.Expr:
        """Which rows of `child` belong to a row of `node`."""
        join = node.source.joins[name]
        parts: list[exp.Expr] = [
            exp.EQ(this=self.field(node, here), expression=self.field(child, there))
            for here, there in key_pairs(join)
        ]
        if join.sql is not None:
            parts.append(self._join_fragment(join.sql, "sql", node, name, child))
        if join.where is not None and join.pick is None and with_where:
            parts.append(self._join_fragment(join.where, "where", node, name, child))
        return exp.and_(*parts, copy=False)

    def join_where(self, node: Node, name: str, child: Node) -> list[exp.Expr]:
        """The join's `where`, which speaks of the joined row by the join's name."""
        join = node.source.joins[name]
        return (
            []
            if join.where is None
            else [self._join_fragment(join.where, "where", node, name, child)]
        )

    def _join_fragment(self, text: str, key: str, node: Node, name: str, child: Node) -> exp.Expr:
        fragment = Fragment(text, node.source, ("joins", name, key))
        return self.bind(
            Scope(fragment, {(): node, (name,): child}, node.source, is_condition=True)
        )

    def field(self, node: Node, name: str, scope: Scope | None = None) -> exp.Expr:
        """A field of a node: its column, or its expression over the record."""
        spec = node.source.fields[name]
        is_key = name in node.source.primary_key
        nullable = node.optional or not (is_key or not spec.nullable)
        is_own = scope is not None and scope.own_field == name and scope.source is node.source
        if spec.sql is None or is_own:
            bound: exp.Expr = node.column(raw_column(node.source, name))
            if spec.values is not None:
                bound.meta["genesis_values"] = spec.values
            return typed(bound, spec.type, nullable=nullable)
        stack = scope.stack if scope else ()
        if (node.source.name, name) in stack:
            self._tell_cycle(stack, node.source, name)
            return broken()
        known = self._fields.get((node, name))
        if known is None:
            known = self._derived(node, name, stack)
            self._fields[node, name] = known
        return known.copy()

    def _derived(self, node: Node, name: str, stack: tuple[tuple[str, str], ...]) -> exp.Expr:
        spec = node.source.fields[name]
        fragment = Fragment(spec.sql or "", node.source, ("fields", name, "sql"))
        scope = Scope(
            fragment,
            {(): node},
            node.source,
            spec,
            own_field=name,
            stack=(*stack, (node.source.name, name)),
        )
        bound = self.with_default(self.bind(scope), spec, fragment)
        if isinstance(bound, exp.Binary | exp.Connector | exp.Not | exp.Between | exp.In | exp.Is):
            bound = exp.Paren(this=bound)
        if not is_broken(bound) and spec.values is not None:
            bound.meta["genesis_values"] = spec.values
        return bound if is_broken(bound) else typed(bound, spec.type, nullable=spec.nullable)

    def with_default(self, bound: exp.Expr, options: Aggregated, fragment: Fragment) -> exp.Expr:
        """The expression, or the default that stands beside it where it is NULL."""
        if options.default is None or is_broken(bound):
            return bound
        type_ = type_of(bound)
        literal = typed_literal(options.default, type_) if type_ else None
        if literal is None:
            at = fragment.owner.locate(*_holder(fragment.path), "default")
            self.problems.add(
                "wrong-literal",
                f"the default `{options.default}` is no {type_ or 'value of a known type'}",
                at,
            )
            return broken()
        return typed(exp.Coalesce(this=bound, expressions=[literal]), type_, nullable=False)

    def _tell_cycle(
        self, stack: tuple[tuple[str, str], ...], source: DataSource, name: str
    ) -> None:
        ring = stack[stack.index((source.name, name)) :]
        first = min(range(len(ring)), key=lambda position: ring[position])
        ring = (*ring[first:], *ring[:first])
        around = " -> ".join(f"`{owner}.{field_name}`" for owner, field_name in (*ring, ring[0]))
        owner = self.project.data_sources[ring[0][0]]
        at = owner.locate_key("fields", ring[0][1])
        self.problems.add("cycle", f"fields build on one another: {around}", at)

    # --- aggregates -----------------------------------------------------------------------------

    def _aggregate(self, name: str, node: exp.Expr, scope: Scope) -> exp.Expr:
        given = arguments(node)
        distinct = scope.options.distinct or name == "count_distinct"
        if len(given) == 1 and isinstance(given[0], exp.Distinct):
            given, distinct = list(given[0].expressions), True
        if len(given) != 1:
            return self._wrong(node, scope, "wrong-aggregate", f"`{name}` takes one argument")
        argument = given[0]
        if self._nests(argument):
            hint = "put the inner one into a derived field and aggregate that"
            return self._wrong(
                node, scope, "wrong-aggregate", "an aggregate within an aggregate", hint
            )
        if scope.aggregates_rows:
            return self._call(
                name, node, argument, replace(scope, aggregates_rows=False), distinct=distinct
            )
        branch = self._branch_of(f"`{name}`", argument, node, scope)
        if branch is None:
            return broken()
        inner = self._inside(branch, scope)
        call = self._call(name, node, argument, inner, distinct=distinct)
        if is_broken(call):
            return broken()
        wish = "_".join([*_last_name(argument), name])
        output = typed(branch.output(wish, call), type_of(call))
        return _zero_for_none(output) if name in ("count", "count_distinct") else output

    def _call(
        self, name: str, node: exp.Expr, argument: exp.Expr, scope: Scope, *, distinct: bool
    ) -> exp.Expr:
        """The aggregate call itself, over the rows of a block."""
        if isinstance(argument, exp.Star):
            if name != "count":
                return self._wrong(node, scope, "wrong-aggregate", f"`{name}(*)` has no meaning")
            return self._filtered(exp.Count(this=exp.Star()), scope, INTEGER)
        value = self._counted(argument, scope) if name in ("count", "count_distinct") else None
        if value is None:
            value = self._bind(argument.copy(), replace(scope, is_condition=False))
        if is_broken(value):
            return broken()
        order = self._sort(scope, value, distinct=distinct and name == "list")
        if order is None:
            return broken()
        type_ = type_of(value)
        if name in ("sum", "avg", "median") and type_ is not None and not type_.is_number:
            hint = f"it is {type_}: {_fitting_aggregates(number=False)} fit"
            return self._wrong(node, scope, "wrong-aggregate", f"`{name}` takes numbers", hint)
        if name in ("bool_and", "bool_or") and type_ not in (None, BOOLEAN):
            return self._wrong(
                node, scope, "wrong-aggregate", f"`{name}` takes conditions, not {type_}"
            )
        if name in ("first", "last") and not scope.options.sort:
            return self._wrong(
                node,
                scope,
                "wrong-aggregate",
                f"`{name}` needs a `sort`",
                f"which is the {name}? for example `sort: [...]` beside it",
            )
        each = exp.Distinct(expressions=[value]) if distinct else value
        match name:
            case "count" | "count_distinct":
                whole_row = isinstance(value, exp.Star)
                return self._filtered(exp.Count(this=value if whole_row else each), scope, INTEGER)
            case "sum":
                summed = type_of(exp.Sum(this=value.copy()))
                return self._filtered(exp.Sum(this=each), scope, summed)
            case "avg":
                # Trino's avg of decimals keeps their scale; the mean is a real number everywhere.
                real = exp.Cast(this=value, to=to_sql(FLOAT))
                return self._filtered(
                    exp.Avg(this=exp.Distinct(expressions=[real]) if distinct else real),
                    scope,
                    FLOAT,
                )
            case "min":
                return self._filtered(exp.Min(this=value), scope, type_)
            case "max":
                return self._filtered(exp.Max(this=value), scope, type_)
            case "bool_and":
                return self._filtered(exp.LogicalAnd(this=value), scope, BOOLEAN)
            case "bool_or":
                return self._filtered(exp.LogicalOr(this=value), scope, BOOLEAN)
            case "median":
                return self._filtered(own("median", value), scope, FLOAT)
            case "list":
                return self._filtered(
                    listing(value, scope.options.separator, order, distinct=distinct), scope, STRING
                )
            case _:
                return self._filtered(own(name, value, *order), scope, type_)

    def _filtered(self, call: exp.Expr, scope: Scope, type_: Any) -> exp.Expr:
        """The call, over the rows that the `where` beside it lets through."""
        if scope.options.where is None:
            return typed(call, type_)
        where = scope.beside(scope.options.where, "where")
        condition = self.bind(
            replace(scope, fragment=where, is_condition=True, options=Aggregated())
        )
        if is_broken(condition):
            return broken()
        return typed(exp.Filter(this=call, expression=exp.Where(this=condition)), type_)

    def _counted(self, argument: exp.Expr, scope: Scope) -> exp.Expr | None:
        """What `count(join)` counts: the rows of a to-many step, or the matches of a to-one behind it."""
        steps = path_of(argument)
        shape = self.shape(steps, scope) if steps else None
        if shape is None or shape.ends_in != "join" or shape.fans_at is not None:
            return None
        if shape.names in scope.places:
            return exp.Star()
        node = self.walk(shape.names, scope)
        return self.field(node, node.source.primary_key[0]) if node else broken()

    def _sort(self, scope: Scope, value: exp.Expr, *, distinct: bool) -> list[exp.Ordered] | None:
        """The order in which a list reads: as asked, then by the related rows' key."""
        if distinct:
            asked = [self._sort_key(position, scope) for position in range(len(scope.options.sort))]
            for position, key in enumerate(asked):
                if key is None:
                    return None
                if key.this != value:
                    at = scope.fragment.owner.locate(
                        *_holder(scope.fragment.path), "sort", position
                    )
                    self.problems.add(
                        "wrong-aggregate", "a `distinct` list sorts by the listed value only", at
                    )
                    return None
            return [key for key in asked if key] or [ordered(value.copy())]
        keys = [self._sort_key(position, scope) for position in range(len(scope.options.sort))]
        end = scope.places[max(scope.places, key=len)]
        ties = [
            ordered(self.field(end, name))
            for name in end.source.primary_key
            if name in end.source.fields
        ]
        found = [key for key in keys if key is not None]
        if len(found) < len(keys):
            return None
        return [*found, *(tie for tie in ties if tie.this not in [key.this for key in found])]

    def _sort_key(self, position: int, scope: Scope) -> exp.Ordered | None:
        text, descending = split_direction(scope.options.sort[position])
        fragment = scope.beside(text, "sort", position)
        bound = self.bind(
            replace(scope, fragment=fragment, options=Aggregated(), is_condition=False)
        )
        return None if is_broken(bound) else ordered(bound, descending=descending)

    def _quantifier(self, name: str, node: exp.Expr, scope: Scope) -> exp.Expr:
        given = [part.this if isinstance(part, exp.Paren) else part for part in arguments(node)]
        if len(given) != 1:
            return self._wrong(node, scope, "wrong-aggregate", f"`{name}` takes one condition")
        if self._nests(given[0]):
            hint = "put the inner aggregate into a derived field of the related data source"
            return self._wrong(node, scope, "not-supported", f"an aggregate within `{name}`", hint)
        branch = self._branch_of(f"`{name}`", given[0], node, scope)
        if branch is None:
            return broken()
        inner = replace(self._inside(branch, scope), is_condition=True, options=Aggregated())
        condition = self._bind(given[0].copy(), inner)
        if is_broken(condition):
            return broken()
        if type_of(condition) not in (None, BOOLEAN):
            return self._wrong(
                node,
                scope,
                "wrong-aggregate",
                f"`{name}` takes a condition, this is {type_of(condition)}",
            )
        if name == "all":
            # Unknown is not true: a related row whose condition is NULL does not meet it.
            met = exp.Coalesce(this=condition, expressions=[exp.false()])
            all_met = branch.output("all_met", exp.LogicalAnd(this=met))
            return typed(
                exp.Coalesce(this=all_met, expressions=[exp.true()]), BOOLEAN, nullable=False
            )
        any_met = branch.output("any_met", exp.LogicalOr(this=condition))
        some = typed(exp.Coalesce(this=any_met, expressions=[exp.false()]), BOOLEAN, nullable=False)
        return some if name == "any" else typed(exp.Not(this=some), BOOLEAN, nullable=False)

    def _measure(self, shape: Shape, scope: Scope) -> exp.Expr:
        """A measure of the data source that a to-many path leads to."""
        branch = self._branch(shape.names[:-1], scope, by_parent=False)
        if branch is None:
            return broken()
        name = shape.names[-1]
        measure = shape.source.measures[name]
        self.touched.append((shape.source, name))
        fragment = Fragment(measure.sql, shape.source, ("measures", name, "sql"))
        inside = Scope(fragment, {(): branch.end}, shape.source, measure, aggregates_rows=True)
        bound = self.bind(inside)
        if is_broken(bound):
            return broken()
        value = typed(branch.output(name, bound), measure.type or type_of(bound))
        counts = isinstance(bound.this if isinstance(bound, exp.Filter) else bound, exp.Count)
        return self.with_default(_zero_for_none(value) if counts else value, measure, fragment)

    def _nests(self, argument: exp.Expr) -> bool:
        return any(aggregate_name(part) or quantifier_name(part) for part in argument.walk())

    def _inside(self, branch: Branch, scope: Scope) -> Scope:
        return replace(scope, places=branch.places)

    # --- branches -------------------------------------------------------------------------------

    def _branch_of(
        self, what: str, argument: exp.Expr, node: exp.Expr, scope: Scope
    ) -> Branch | None:
        """The branch whose rows an aggregate or quantifier sees."""
        shapes = [self.shape(steps, scope) for _, steps in paths_in(argument)]
        whole = [shape for shape in shapes if shape is not None]
        if len(whole) < len(shapes):
            return None
        fanning = [shape for shape in whole if shape.fans_at is not None]
        if not fanning:
            through = " over a to-one path" if any(len(shape.steps) > 1 for shape in whole) else ""
            self._tell_own_aggregate(
                f"{what}{through} has no to-many path", scope.fragment.place(node)
            )
            return None
        chain = max((shape.names[: shape.fans_after] for shape in fanning), key=len)
        for shape in fanning:
            if chain[: shape.fans_after] != shape.names[: shape.fans_after]:
                message = f"{what} reaches over two to-many joins, `{'.'.join(chain)}` and `{'.'.join(shape.names[: shape.fans_after])}`"
                hint = "aggregate each by itself"
                self.problems.add(
                    "mixed-branches",
                    message,
                    self._at(shape.fans_at or shape.steps[0], scope),
                    hint=hint,
                )
                return None
        by_parent = len(fanning) < len(whole) or self._options_need_record(scope)
        return self._branch(chain, scope, by_parent=by_parent)

    def _options_need_record(self, scope: Scope) -> bool:
        """Whether the `where` or `sort` beside an aggregate speaks of the record's own fields."""
        options = scope.options
        beside = [scope.beside(options.where, "where")] if options.where else []
        for position, text in enumerate(options.sort):
            beside.append(scope.beside(split_direction(text)[0], "sort", position))
        for fragment in beside:
            tree = self.parse(fragment)
            for _, steps in paths_in(tree) if tree is not None else ():
                shape = self.shape(steps, scope)
                if shape is not None and shape.fans_at is None:
                    return True
        return False

    def _branch(self, chain: tuple[str, ...], scope: Scope, *, by_parent: bool) -> Branch | None:
        """The branch along a chain of joins, made where it was not yet.

        By parent, its rows start from the record itself, so that conditions may use its fields;
        else from the first related row, which knows its record by key.
        """
        start = _longest_place(chain, scope.places)
        before, anchor = chain[:start], scope.places[chain[:start]]
        rest = chain[start:]
        while not by_parent and not self._fans(anchor.source, rest[0]):
            before, rest = (*before, rest[0]), rest[1:]
            found = self.join_to_one(anchor, before[-1])
            if found is None:
                return None
            anchor = found
        by_parent = by_parent or self._join_needs_record(anchor.source, rest[0])
        key = (id(anchor), rest, by_parent)
        if key not in anchor.block.branches:
            branch = self._make_branch(anchor, rest, by_parent=by_parent)
            if branch is None:
                return None
            anchor.block.branches[key] = branch
            anchor.block.joined.append(branch)
        branch = anchor.block.branches[key]
        # The caller's paths start at the record, the branch's at its anchor.
        places = {
            (*before, *path): node for path, node in branch.places.items() if path or not before
        }
        return replace_places(branch, places)

    def _fans(self, source: DataSource, name: str) -> bool:
        target = find_join(self.project, source, name, self.problems)
        return target is not None and cardinality_fans_out(source, name, target)

    def _join_needs_record(self, source: DataSource, name: str) -> bool:
        join = source.joins[name]
        if join.sql is not None:
            return True
        if join.where is None or join.pick is not None:
            return False
        tree = self.parse(Fragment(join.where, source, ("joins", name, "where")))
        return tree is not None and any(steps[0].name != name for _, steps in paths_in(tree))

    def _make_branch(
        self, anchor: Node, chain: tuple[str, ...], *, by_parent: bool
    ) -> Branch | None:
        block = Block()
        names = Names()
        name_in_sql = self.relations.names.take("_".join((*chain, "per", anchor.source.name)))
        alias = anchor.block.aliases.take(name_in_sql)
        places: dict[tuple[str, ...], Node] = {}
        if by_parent:
            relation = self.relations.of(anchor.source)
            places[()] = block.start(anchor.source.name, relation)
            here = [self.field(anchor, name) for name in anchor.source.primary_key]
            there = [self.field(places[()], name) for name in anchor.source.primary_key]
            key_names = anchor.source.primary_key
            rest = chain
        else:
            first = self.relations.through(anchor.source, chain[0])
            if first is None:
                return None
            child = block.start(chain[0], first)
            places[chain[:1]] = child
            pairs = key_pairs(anchor.source.joins[chain[0]])
            here = [self.field(anchor, name) for name, _ in pairs]
            there = [self.field(child, name) for _, name in pairs]
            key_names = tuple(name for _, name in pairs)
            block.where += self.join_where(anchor, chain[0], child)
            rest = chain[1:]
        node = places[chain[: len(chain) - len(rest)]]
        for position, name in enumerate(rest, start=len(chain) - len(rest) + 1):
            relation_there = self.relations.through(node.source, name)
            if relation_there is None:
                return None
            child = Node(block.aliases.take(_alias(node, name)), relation_there, block, inner=True)
            child.on = self.join_condition(node, name, child)
            block.joined.append(child)
            node.children[name] = child
            node = child
            places[chain[:position]] = child
        on = []
        for name, expression, mine in zip(key_names, there, here, strict=True):
            taken = names.take(name)
            block.outputs[taken] = expression
            on.append(exp.EQ(this=mine, expression=column(taken, alias)))
        block.group_by += [expression.copy() for expression in there]
        return Branch(
            name_in_sql,
            alias,
            anchor,
            block,
            places,
            exp.and_(*on, copy=False),
            tuple(here),
            tuple(there),
            names,
        )


def replace_places(branch: Branch, places: Mapping[tuple[str, ...], Node]) -> Branch:
    """The same branch, seen from another record: it shares its block."""
    return branch if branch.places == places else replace(branch, places=places)


def split_direction(text: str) -> tuple[str, bool]:
    """A sort key's expression, and whether it is descending."""
    head, _, last = text.rstrip().rpartition(" ")
    if last.lower() in ("asc", "desc") and head.strip():
        return head.rstrip(), last.lower() == "desc"
    return text, False


def _longest_place(names: tuple[str, ...], places: Mapping[tuple[str, ...], Node]) -> int:
    return next((n for n in range(len(names), 0, -1) if names[:n] in places), 0)


def _alias(node: Node, name: str) -> str:
    """What a joined row is called: its path, without the root's name."""
    is_root = node.block.root is node
    return name if is_root else f"{node.alias}_{name}"


def _last_name(argument: exp.Expr) -> list[str]:
    steps = path_of(argument)
    return [steps[-1].name] if steps else []


def _zero_for_none(count: exp.Expr) -> exp.Expr:
    return typed(
        exp.Coalesce(this=count, expressions=[exp.Literal.number(0)]), INTEGER, nullable=False
    )


def _joins_listed(source: DataSource) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(source.joins))
    return f"its joins are {names}" if names else "it has no joins"


def _fitting_aggregates(number: bool) -> str:
    fitting = [name for name in AGGREGATES if number or name not in ("sum", "avg", "median")]
    return ", ".join(f"`{name}`" for name in fitting if not name.startswith("bool_"))
