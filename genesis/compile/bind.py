"""Names in expressions -> columns of nodes, with exactly the joins that the paths name, each once.

A mistake is told and leaves a NULL that is known to be broken, so that what follows from it is not
told again. The surprise: names, joins and rows need one another (a derived field joins, a join's
`where` has names, the rows behind a join have a `where` of their own), so the binder holds those who
make relations and aggregates, and they hold it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlglot import exp

from genesis.compile.aggregates import Aggregates
from genesis.compile.compare import (
    allow_values,
    allowed_values,
    as_instant,
    check_comparison,
    parameter_literal,
    typed_literal,
)
from genesis.compile.expression import (
    Fragment,
    Step,
    parse_expression,
    path_of,
    written_in,
)
from genesis.compile.functions.calls import (
    CLOCKS,
    NONDETERMINISTIC,
    aggregate_name,
    arguments,
    function_name,
    operand,
    own,
    quantifier_name,
    written_name,
)
from genesis.compile.functions.known import refusal_of
from genesis.compile.functions.portable import NAMES
from genesis.compile.identifiers import column
from genesis.compile.infer import (
    is_null_of_nulls,
    is_nullable,
    join_types,
    to_sql,
    type_of,
    typed,
)
from genesis.compile.joins import find_join, key_pairs, raw_column
from genesis.compile.meaning import as_listed, meant
from genesis.compile.moment import Moment
from genesis.compile.operands import check_operands
from genesis.compile.paths import Paths, Shape, at
from genesis.compile.query import Node
from genesis.compile.relations import Relations
from genesis.compile.scope import Scope, broken, is_broken
from genesis.compile.survey import Bound, BoundKey, survey
from genesis.compile.trees import copied
from genesis.errors import Problems, did_you_mean
from genesis.spec.data_source import DataSource, Field
from genesis.spec.input import Input, Parameter
from genesis.spec.project import Project
from genesis.spec.types import BOOLEAN, DATE, INTEGER, TIMESTAMP, TIMESTAMPTZ, Type

# Derived fields are written out where they are used; these bound what a small file can blow up to.
MAX_STACKED = 30
MAX_NODES = 5_000
MAX_DEPTH = 100


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
        dialect: str | None = None,
    ) -> None:
        self.dialect = dialect
        self._is_foreign = project.settings.dialect != "trino"
        self.project = project
        self.problems = problems
        self.moment = moment
        self.relations = Relations(self)
        self.paths = Paths(self)
        self.touched: list[tuple[DataSource, str]] = []
        self.aggregates = Aggregates(self)
        self._parameters = parameters
        self._values = values
        self._survey = survey(project)
        self._sound: dict[str, bool] = {}
        self._fields: dict[tuple[Node, str], tuple[exp.Expr, list[tuple[DataSource, str]]]] = {}
        self._underway: list[tuple[str, str]] = []

    # --- expressions ----------------------------------------------------------------------------

    def bind(self, scope: Scope) -> exp.Expr:
        """The fragment of a scope, with every name a column of a node."""
        tree = self.parse(scope.fragment)
        if tree is None or not self.aggregates.check_options(tree, scope):
            return broken()
        key = self._rests_on(tree, scope)
        known = self._survey.bound.get(key) if key is not None else None
        if known is not None:
            bound = self._again(known, scope.places[()])
        else:
            told, outer, self.touched = self.problems.told, self.touched, []
            bound = self._anew(tree, scope)
            mine, self.touched = self.touched, [*outer, *self.touched]
            if is_broken(bound):
                return bound
            if key is not None and self.problems.told == told:
                self._keep(key, bound, mine, scope.places[()])
        return written_in(bound, scope.fragment)

    def _anew(self, tree: exp.Expr, scope: Scope) -> exp.Expr:
        try:
            bound = self.bind_tree(tree, scope)
        except RecursionError:  # derived fields stack what each fragment may nest
            message = "the expression cannot be read: it is nested too deeply"
            self.problems.add("invalid-sql", message, scope.fragment.at())
            return broken()
        known = "an interval" if isinstance(bound.unnest(), exp.Interval) else type_of(bound)
        if scope.is_condition and known not in (None, BOOLEAN):
            hint = "compare it with something: a condition is true or not"
            message = f"a condition is expected, this is {known}"
            self.problems.add("wrong-literal", message, scope.fragment.at(), hint=hint)
            return broken()
        return bound

    # --- expressions over one record's own columns, which other reports have too ----------------

    def _rests_on(self, tree: exp.Expr, scope: Scope) -> BoundKey | None:
        """All that gives an expression over one record its meaning; `None` where there may be more."""
        if isinstance(tree, exp.Column) or ":" in scope.fragment.text or len(scope.places) > 1:
            return None  # a path is no sooner found than followed; a parameter is the input's
        if scope.value or scope.rows or scope.columns is not None or scope.summary:
            return None
        node, source, fragment = scope.places.get(()), scope.source, scope.fragment
        if node is None or self.project.data_sources.get(source.name) is not source:
            return None  # a copy, with which somebody tries something out
        return BoundKey(
            fragment.text,
            source.name,
            node.alias,
            node.optional,
            scope.own_field,
            scope.is_condition,
            self._is_asked_for(fragment),
            len(self._underway),
            self.moment,
            self.dialect,
        )

    def _again(self, known: Bound, node: Node) -> exp.Expr:
        for name in known.columns:
            node.relation.need(name)
        self.touched += known.touched
        return copied(known.tree)

    def _keep(
        self, key: BoundKey, bound: exp.Expr, touched: list[tuple[DataSource, str]], node: Node
    ) -> None:
        columns = list(bound.find_all(exp.Column))
        if all(column.table == node.alias for column in columns):  # else something was joined
            names = tuple(dict.fromkeys(column.name for column in columns))
            self._survey.keep_bound(key, Bound(copied(bound), names, tuple(touched)))

    def parse(self, fragment: Fragment) -> exp.Expr | None:
        """The tree of a fragment, which is not to be changed, or `None` with its problem told."""
        dialect = self.project.settings.dialect
        return parse_expression(fragment, dialect, self._survey.words, self.problems)

    def bind_tree(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        """A part of the scope's fragment, bound; the part itself stays as it is."""
        special = self._special(node, scope)
        if special is not None:
            return special
        parts = {key: self._bind_part(value, scope) for key, value in node.args.items()}
        return self._finish(node.__class__(**parts), node, scope)

    def _bind_part(self, part: object, scope: Scope) -> object:
        if isinstance(part, exp.Expr):
            return self.bind_tree(part, scope)
        return [self._bind_part(item, scope) for item in part] if isinstance(part, list) else part

    def _special(self, node: exp.Expr, scope: Scope) -> exp.Expr | None:
        path = path_of(node)
        if path is not None:
            return self._path(path, scope)
        if (name := quantifier_name(node)) is not None:
            return self.aggregates.quantifier(name, node, scope)
        if (name := aggregate_name(node)) is not None:
            return self.aggregates.call(name, node, scope)
        if isinstance(node, exp.Placeholder):
            return self._parameter(node.name, scope)
        if isinstance(node, exp.Func):
            return self._clock(node, scope)
        return None

    def _finish(self, node: exp.Expr, written: exp.Expr, scope: Scope) -> exp.Expr:
        """What every engine should mean by a node whose parts are bound."""
        name = None
        if isinstance(node, (exp.Func, exp.AtTimeZone)):
            name = written_name(written, scope.fragment.text)
            if isinstance(node, exp.Anonymous) and name in NAMES and self._is_foreign:
                node = as_listed(node)
            if not self._is_known(name, node, written, scope):
                return broken()
        fragment, in_filter = scope.fragment, scope.is_condition
        if not check_operands(node, written, fragment, self.problems):
            return broken()
        check_comparison(node, written, fragment, self.problems, in_filter=in_filter)
        if name == "int_div" and not self._is_int_div(node.expressions, written, scope):
            return broken()
        return meant(node, name)

    def _is_int_div(self, given: list[exp.Expr], written: exp.Expr, scope: Scope) -> bool:
        if len(given) != 2:
            self.wrong(written, scope, "wrong-aggregate", "`int_div` takes two numbers")
            return False
        for value, as_written in zip(given, written.expressions, strict=True):
            if (known := type_of(value)) not in (None, INTEGER):
                message = f"`int_div` takes whole numbers, this is {known}"
                hint = "`/` divides all numbers"
                self.wrong(as_written, scope, "wrong-type", message, hint)
                return False
        return True

    def _is_known(self, name: str, node: exp.Expr, written: exp.Expr, scope: Scope) -> bool:
        """Whether a function gives the same every time, and an engine has it.

        Of one that engines may not agree on, that is told.
        """
        same = next((one for one in (name, function_name(node)) if one in NONDETERMINISTIC), None)
        if same is not None:
            message = f"`{name}` gives another result every time it runs"
            self.wrong(written, scope, "nondeterministic", message, NONDETERMINISTIC[same])
            return False
        refusal = refusal_of(name, node, self.dialect)
        if refusal is None:
            return True
        at = scope.fragment.place(written)
        tell = self.problems.add if refusal.is_error else self.problems.warn
        tell(refusal.code, refusal.message, at, hint=refusal.hint)
        return not refusal.is_error

    def wrong(
        self, node: exp.Expr, scope: Scope, code: str, message: str, hint: str | None = None
    ) -> exp.Expr:
        """Tell a mistake at a node of the scope's fragment; what stands for it."""
        self.problems.add(code, message, scope.fragment.place(node), hint=hint)
        return broken()

    def _parameter(self, name: str, scope: Scope) -> exp.Expr:
        offset = scope.fragment.text.find(f":{name}")
        at = scope.fragment.at(offset, len(name) + 1) if offset >= 0 else scope.fragment.at()
        is_of_input = isinstance(scope.fragment.owner, Input)
        parameter = self._parameters.get(name) if is_of_input else None
        if parameter is None and scope.fragment.owner_has_unread(name):
            self.problems.passes_over = True
            return broken()
        if parameter is None:
            hint = (
                did_you_mean(name, self._parameters) or "declare it under the input's `parameters`"
                if is_of_input
                else "only an input has parameters"
            )
            self.problems.add("unknown-parameter", f"unknown parameter `:{name}`", at, hint=hint)
            return broken()
        if self._values is None:  # only checking: any value of the type will do
            return typed(exp.Cast(this=exp.Null(), to=to_sql(parameter.type)), parameter.type)
        return parameter_literal(self._values.get(name), parameter.type)

    def _clock(self, node: exp.Func, scope: Scope) -> exp.Expr | None:
        name = "today" if isinstance(node, exp.CurrentDate) else function_name(node)
        if isinstance(node, exp.CurrentTimestamp):
            name = "now"
        if name not in CLOCKS:
            return None
        given = arguments(node)
        if given and name == "today":
            return self.wrong(node, scope, "invalid-sql", f"`{name}` takes nothing")
        if name == "now":
            return typed(self.moment.now(), TIMESTAMPTZ, nullable=False)
        if name == "today":
            return typed(self.moment.today(), DATE, nullable=False)
        if len(given) != 1:
            return self.wrong(node, scope, "invalid-sql", "`local_date` takes one timestamp")
        moment = self.bind_tree(given[0], scope)
        known = type_of(moment)
        if known not in (None, TIMESTAMP, TIMESTAMPTZ):
            message = f"`local_date` takes a timestamp, not {known}"
            return self.wrong(node, scope, "wrong-literal", message)
        instant = as_instant(moment) if known == TIMESTAMP else moment
        return typed(own("local_date", instant, exp.Literal.string(self.moment.timezone)), DATE)

    # --- paths ----------------------------------------------------------------------------------

    def _path(self, steps: tuple[Step, ...], scope: Scope) -> exp.Expr:
        if scope.value is not None:
            return self._value(steps, scope.value, scope)
        if scope.columns is not None:
            return self._column(steps, scope.columns, scope)
        shape = self.paths.shape(steps, scope)
        if shape is None:
            return broken()
        if self.aggregates.is_aggregated(shape, scope):
            return self.aggregates.measure(shape, scope)
        if not self.paths.is_one_value(shape, scope):
            return broken()
        node = self.walk(shape.names[:-1], scope)
        if node is None:
            return broken()
        self.touched.append((node.source, shape.names[-1]))
        self._warn_of_deprecated(node.source, steps[-1], scope)
        is_own = shape.names == (scope.own_field,)
        found = self.field(node, shape.names[-1], is_own=is_own)
        if scope.summary is not None and scope.summary.ungrouped(found) is not None:
            return self._tell_ungrouped(shape, scope)
        return found

    def _warn_of_deprecated(self, source: DataSource, step: Step, scope: Scope) -> None:
        """Tell it to those who ask for the field; how a data source itself is made is its owner's affair."""
        hint = source.fields[step.name].deprecated
        if hint is not None and self._is_asked_for(scope.fragment):
            message = f"field `{step.name}` is deprecated"
            self.problems.warn("deprecated-field", message, at(step, scope), hint=hint)

    def _is_asked_for(self, fragment: Fragment) -> bool:
        return isinstance(fragment.owner, Input) or fragment.path[0] == "sets"

    def _value(self, steps: tuple[Step, ...], value: exp.Expr, scope: Scope) -> exp.Expr:
        if [step.name for step in steps] == ["value"]:
            return copied(value)
        message = f"a formatter knows no `{steps[0].name}`"
        hint = "`value` is what it formats"
        self.problems.add("unknown-field", message, at(steps[0], scope), hint=hint)
        return broken()

    def _column(
        self, steps: tuple[Step, ...], columns: Mapping[str, exp.Expr], scope: Scope
    ) -> exp.Expr:
        name = ".".join(step.name for step in steps)
        if name in columns:
            value = copied(columns[name])
            return typed(operand(value), type_of(value), nullable=is_nullable(value))
        message = f"`{name}` is no column of the summary"
        hint = did_you_mean(name, columns) or "`having` compares the columns in `fields`"
        self.problems.add("unknown-field", message, at(steps[0], scope), hint=hint)
        return broken()

    def _tell_ungrouped(self, shape: Shape, scope: Scope) -> exp.Expr:
        path = ".".join(shape.names)
        message = f"`{path}` may differ within a group, and the column aggregates"
        hint = f"aggregate it, or select `{path}` as a column of its own to group by it"
        self.problems.add("wrong-aggregate", message, at(shape.steps[-1], scope), hint=hint)
        return broken()

    def target(self, source: DataSource, name: str) -> DataSource | None:
        """The data source that a join leads to, or `None` with the problem told."""
        found = find_join(self.project, source, name, self.problems)
        return found if found is not None and self.is_sound(found) else None

    def is_sound(self, source: DataSource) -> bool:
        """Whether a data source can be used at all; what is wrong with it is told."""
        if source.name not in self._sound:
            self._sound[source.name] = self._survey.is_sound(source, self.problems)
        return self._sound[source.name]

    def plain_field(self, shape: Shape, scope: Scope) -> tuple[Node, Field] | None:
        """The node and field of a plain to-one path."""
        if shape.ends_in != "field" or shape.fans_at is not None:
            return None
        node = self.walk(shape.names[:-1], scope)
        return (node, node.source.fields[shape.names[-1]]) if node else None

    def walk(self, names: Iterable[str], scope: Scope) -> Node | None:
        """The node at a path of to-one joins, joined where it was not yet."""
        names = tuple(names)
        start = scope.longest_place(names)
        node = self.paths.place(names[:start], scope)
        for name in names[start:]:
            node = self.join_to_one(node, name) if node else None
        return node

    # --- joins ----------------------------------------------------------------------------------

    def join_to_one(self, node: Node, name: str) -> Node | None:
        """The node that a to-one join of `node` leads to."""
        if name in node.children:
            return node.children[name]
        child = self.join(node, name)
        if child is not None and (node.optional or not node.source.joins[name].required):
            child.may_be_missing()
        return child

    def join(self, node: Node, name: str) -> Node | None:
        """A new node behind a join of `node`, or `None` with the problem told."""
        relation = self.relations.through(node.source, name)
        if relation is None:
            return None
        child = node.start_join(name, relation)
        node.finish_join(name, child, self._join_condition(node, name, child))
        return child

    def _join_condition(self, node: Node, name: str, child: Node) -> exp.Expr:
        """Which rows of `child` belong to a row of `node`."""
        if record_key := child.relation.record_key:
            return exp.and_(
                *(
                    exp.EQ(this=self.field(node, here), expression=column(there, child.alias))
                    for here, there in zip(node.source.primary_key, record_key, strict=True)
                ),
                copy=False,
            )
        parts = self.key_condition(node, name, child)
        if node.source.joins[name].pick is None:
            parts += self.join_where(node, name, child)
        return exp.and_(*parts, copy=False)

    def key_condition(self, node: Node, name: str, child: Node) -> list[exp.Expr]:
        """By which keys, or by which `sql`, a join leads from one row to another."""
        join = node.source.joins[name]
        parts: list[exp.Expr] = [
            exp.EQ(this=self.field(node, here), expression=self.field(child, there))
            for here, there in key_pairs(join)
        ]
        if join.sql is not None:
            parts.append(self._join_fragment("sql", join.sql, node, name, child))
        return parts

    def join_where(self, node: Node, name: str, child: Node) -> list[exp.Expr]:
        """The join's `where`, which speaks of the joined row by the join's name."""
        where = node.source.joins[name].where
        return [] if where is None else [self._join_fragment("where", where, node, name, child)]

    def _join_fragment(self, key: str, text: str, node: Node, name: str, child: Node) -> exp.Expr:
        fragment = Fragment(text, node.source, ("joins", name, key))
        places = {(): node, (name,): child}
        with self.underway(node.source, name) as is_first:
            scope = Scope(fragment, places, node.source, is_condition=True)
            return self.bind(scope) if is_first else broken()

    # --- fields ---------------------------------------------------------------------------------

    def field(self, node: Node, name: str, *, is_own: bool = False) -> exp.Expr:
        """A field of a node: its column, or its expression over the record.

        In a field's own expression (`is_own`) its name means the column.
        """
        spec = node.source.fields[name]
        if is_own or (spec.sql is None and spec.default is None):
            is_null = spec.nullable and name not in node.source.primary_key
            bound = node.column(raw_column(node.source, name))
            typed(bound, spec.type, nullable=node.optional or is_null)
            return allow_values(bound, spec.values)
        if (node, name) not in self._fields:
            before = len(self.touched)
            derived = self._derived(node, name, spec)
            self._fields[node, name] = derived, self.touched[before:]
        known, touched = self._fields[node, name]
        self.touched += [one for one in touched if one not in self.touched]
        return self._of_record(node, copied(known)) if node.optional else copied(known)

    def _of_record(self, node: Node, value: exp.Expr) -> exp.Expr:
        """A derived field of a record that may be missing: then there is no value, whatever the expression."""
        if is_null_of_nulls(value) or is_broken(value):
            return value
        key = self.field(node, node.source.primary_key[0])
        is_there = exp.Not(this=exp.Is(this=key, expression=exp.Null()))
        guarded = typed(exp.Case(ifs=[exp.If(this=is_there, true=value)]), type_of(value))
        return allow_values(guarded, allowed_values(value))

    def _derived(self, node: Node, name: str, spec: Field) -> exp.Expr:
        text = name if spec.sql is None else spec.sql  # a plain column with a default
        fragment = Fragment(text, node.source, ("fields", name, "sql"))
        scope = Scope(fragment, {(): node}, node.source, spec, own_field=name)
        if len(self._underway) >= MAX_STACKED:
            return self._too_large(node.source, name)
        with self.underway(node.source, name) as is_first:
            bound = self.bind(scope) if is_first else broken()
        if is_broken(bound):
            return bound
        if _is_too_large(bound):
            return self._too_large(node.source, name)
        bound = operand(self.with_default(bound, scope, spec.type))
        if is_broken(bound):
            return bound
        found = type_of(bound)
        if found is not None and join_types([found, spec.type]) is None:
            message = f"field `{name}` is declared {spec.type}, its expression is {found}"
            at = node.source.locate("fields", name, "type")
            self.problems.add("wrong-literal", message, at)
            return broken()
        typed(bound, spec.type, nullable=spec.nullable)
        return allow_values(bound, spec.values)

    def _too_large(self, source: DataSource, name: str) -> exp.Expr:
        message = f"field `{name}` is too large: too many derived fields build on one another"
        hint = "compute part of it upstream, in the table"
        self.problems.add("yaml-limit", message, source.locate_key("fields", name), hint=hint)
        return broken()

    @contextmanager
    def underway(self, source: DataSource, name: str) -> Iterator[bool]:
        """Whether a field, measure or join may be bound now: not while it is, since that is a circle."""
        here = (source.name, name)
        if here in self._underway:
            self._tell_cycle(self._underway[self._underway.index(here) :])
            yield False
            return
        self._underway.append(here)
        try:
            yield True
        finally:
            self._underway.pop()

    def _tell_cycle(self, ring: list[tuple[str, str]]) -> None:
        first = ring.index(min(ring))
        ring = [*ring[first:], *ring[:first]]
        around = " -> ".join(f"`{owner}.{name}`" for owner, name in (*ring, ring[0]))
        source, name = self.project.data_sources[ring[0][0]], ring[0][1]
        kinds = ("fields", "measures", "joins")
        kind = next(kind for kind in kinds if name in getattr(source, kind))
        through_joins = any(name in self.project.data_sources[owner].joins for owner, name in ring)
        what = "fields and joins" if through_joins else "fields"
        message = f"{what} build on one another: {around}"
        self.problems.add("cycle", message, source.locate_key(kind, name))

    def with_default(self, bound: exp.Expr, scope: Scope, declared: Type | None) -> exp.Expr:
        """The expression, or the default that stands beside it where it is NULL."""
        default = scope.options.default
        if default is None or is_broken(bound):
            return bound
        type_ = declared or type_of(bound)
        try:
            literal = typed_literal(default, type_) if type_ else None
        except ValueError:
            literal = None
        if literal is None:
            message = f"the default `{default}` is no {type_ or 'value of a known type'}"
            self.problems.add("wrong-literal", message, scope.locate_beside("default"))
            return broken()
        return typed(exp.Coalesce(this=bound, expressions=[literal]), type_, nullable=False)


def _is_too_large(tree: exp.Expr) -> bool:
    """Whether an expression, its derived fields written out, is more than an engine should be given."""
    waiting, size = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        size += 1
        if size > MAX_NODES or depth > MAX_DEPTH:
            return True
        waiting += [(child, depth + 1) for child in node.iter_expressions()]
    return False
