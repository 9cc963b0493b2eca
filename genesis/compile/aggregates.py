"""Aggregates, measures and quantifiers -> columns of branches.

Each aggregate call is one column of the branch whose rows it sees; what stands round the calls
(`sum(a) / count(b)`, a default, the zero of a count over nothing) is computed outside, where a record
without related rows has a row too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.branches import Branches
from genesis.compile.expression import Fragment, path_of
from genesis.compile.functions.calls import (
    AGGREGATES,
    aggregate_name,
    arguments,
    listing,
    operand,
    own,
    quantifier_name,
)
from genesis.compile.identifiers import Names
from genesis.compile.infer import differs_as_text, to_sql, type_of, typed
from genesis.compile.joins import is_shared
from genesis.compile.paths import Shape, fitting_aggregates
from genesis.compile.query import Branch, Node, ordered, with_ties
from genesis.compile.scope import NO_OPTIONS, Scope, broken, is_broken, split_direction
from genesis.compile.texts import Shown, as_text, is_text
from genesis.compile.trees import copied
from genesis.spec.types import BOOLEAN, FLOAT, INTEGER, STRING, Type

if TYPE_CHECKING:
    from genesis.compile.bind import Binder

_COUNTS = ("count", "count_distinct")
_OF_NUMBERS = ("sum", "avg", "median")
_OF_CONDITIONS = ("bool_and", "bool_or")
_OF_ONE_ROW = ("first", "last")


class Aggregates:
    """Binds what a report asks of related rows."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._problems = binder.problems
        self._branches = Branches(binder)

    # --- aggregates -----------------------------------------------------------------------------

    def call(self, name: str, node: exp.Expr, scope: Scope) -> exp.Expr:
        """What an aggregate call gives for each record."""
        if scope.value is not None:
            return self._wrong(node, scope, "a formatter sees one value")
        if scope.columns is not None:
            return self._tell_columns(node, scope)
        given = arguments(node)
        distinct = scope.options.distinct or name == "count_distinct"
        if len(given) == 1 and isinstance(given[0], exp.Distinct):
            given, distinct = list(given[0].expressions), True
        if len(given) != 1:
            return self._wrong(node, scope, f"`{name}` takes one argument")
        argument = given[0]
        if any(aggregate_name(part) for part in _outside_quantifiers(argument)):
            hint = "put the inner one into a derived field and aggregate that"
            return self._wrong(node, scope, "an aggregate within an aggregate", hint)
        branch = scope.rows or self._branches.over(f"`{name}`", argument, scope)
        if branch is None:
            return broken()
        inside = scope._replace(rows=None) if scope.rows else _among(branch, scope)
        value = self._argument(name, argument, inside, distinct=distinct)
        if is_broken(value) or not self._takes(name, value, node, scope, distinct=distinct):
            return broken()
        wish = "_".join(_last_name(argument))
        if name == "avg" and type_of(value) not in (None, FLOAT):
            # Exact up to the division: a sum of floats changes with the order in which threads add.
            parts = [
                self._output(part, copied(value), inside, branch, wish, distinct=distinct)
                for part in ("sum", "count")
            ]
            total = exp.Cast(this=parts[0], to=to_sql(FLOAT))
            return typed(operand(exp.Div(this=total, expression=parts[1], typed=True)), FLOAT)
        found = self._output(name, value, inside, branch, wish, distinct=distinct)
        if name == "median":
            return typed(own("median", found), FLOAT)
        if name not in _COUNTS or is_broken(found):
            return found
        if branch.is_complete:
            return typed(found, INTEGER, nullable=False)
        return _zero_for_none(found)

    def _output(
        self, name: str, value: exp.Expr, scope: Scope, branch: Branch, wish: str, *, distinct: bool
    ) -> exp.Expr:
        """A column of a branch that aggregates a value of its rows."""
        call, type_ = self._written(name, value, scope, distinct=distinct)
        call = self._filtered(call, scope)
        if is_broken(call):
            return broken()
        return typed(branch.output(f"{wish}_{name}".strip("_"), typed(call, type_)), type_)

    def _argument(self, name: str, argument: exp.Expr, scope: Scope, *, distinct: bool) -> exp.Expr:
        """What is aggregated: a value of each row, or `*` for the rows themselves."""
        if isinstance(argument, exp.Star):
            if name == "count":
                return exp.Star()
            return self._wrong(argument, scope, f"`{name}(*)` has no meaning")
        if name in _COUNTS:
            counted = self._counted(argument, scope, distinct=distinct)
            if counted is not None:
                return counted
        return self._binder.bind_tree(argument, scope._replace(is_condition=False))

    def _counted(self, argument: exp.Expr, scope: Scope, *, distinct: bool) -> exp.Expr | None:
        """What `count(join)` counts: the rows of a to-many step, or the matches of a to-one behind it."""
        steps = path_of(argument)
        shape = self._binder.paths.shape(steps, scope) if steps else None
        if shape is None or shape.ends_in != "join" or shape.fans_at is not None:
            return None
        is_last = shape.names == max(scope.places, key=len)
        if is_last and not (distinct and len(list(self._rows(scope))) > 1):
            return exp.Star()
        node = self._binder.walk(shape.names, scope)
        if node is None:
            return broken()
        keys = [self._binder.field(node, name) for name in node.source.primary_key]
        return _together(keys) if distinct and len(keys) > 1 else keys[0]

    def _takes(
        self, name: str, value: exp.Expr, node: exp.Expr, scope: Scope, *, distinct: bool
    ) -> bool:
        """Whether an aggregate takes such values and has what it needs beside it; if not, that is told."""
        type_ = type_of(value)
        if name in _OF_NUMBERS and type_ is not None and not type_.is_number:
            hint = f"it is {type_}: {fitting_aggregates(number=False)} fit"
            self._wrong(node, scope, f"`{name}` takes numbers", hint)
        elif name in _OF_CONDITIONS and type_ not in (None, BOOLEAN):
            self._wrong(node, scope, f"`{name}` takes conditions, not {type_}")
        elif name in _OF_ONE_ROW and not scope.options.sort:
            hint = f"which is the {name}? for example `sort: [...]` beside it"
            self._wrong(node, scope, f"`{name}` needs a `sort`", hint)
        elif name in ("median", *_OF_ONE_ROW) and distinct:
            self._wrong(node, scope, f"`{name}` takes no `distinct`")
        elif name == "list" and type_ is not None and not is_text(type_):
            self._binder.wrong(node, scope, "not-supported", f"{type_} is not written as text")
        elif name == "list" and distinct and type_ == FLOAT:
            message = "a list of distinct floats has no order that all engines give"
            hint = "`cast(... as decimal(18,2))` makes them numbers that can be listed"
            self._binder.wrong(node, scope, "not-supported", message, hint)
        else:
            return True
        return False

    def _written(
        self, name: str, value: exp.Expr, scope: Scope, *, distinct: bool
    ) -> tuple[exp.Expr, Type | None]:
        """The call over the rows of a block, and its type."""
        type_ = type_of(value)
        each = exp.Distinct(expressions=[value]) if distinct else value
        match name:
            case "count" | "count_distinct":
                whole_row = isinstance(value, exp.Star)
                return exp.Count(this=value if whole_row else each), INTEGER
            case "sum":
                return exp.Sum(this=each), type_of(exp.Sum(this=copied(value)))
            case "avg":  # of what is no decimal
                real = exp.Cast(this=value, to=to_sql(FLOAT))
                return exp.Avg(this=exp.Distinct(expressions=[real]) if distinct else real), FLOAT
            case "min":
                return exp.Min(this=value), type_
            case "max":
                return exp.Max(this=value), type_
            case "bool_and":
                return exp.LogicalAnd(this=value), BOOLEAN
            case "bool_or":
                return exp.LogicalOr(this=value), BOOLEAN
            case "median":
                return own("sorted_values", value), FLOAT
            case "list":
                order = self._distinct_order(value, scope) if distinct else self._order(scope)
                if any(map(is_broken, order)):
                    return broken(), None
                if type_ is not None and differs_as_text(type_):
                    value = as_text(
                        Shown(value, type_),
                        self._binder.moment.timezone,
                        self._problems,
                        scope.fragment.at(),
                    )
                    if distinct:  # what is listed once is the text
                        order = [ordered(copied(value), descending=bool(order[0].args["desc"]))]
                return listing(value, scope.options.separator, order, distinct=distinct), STRING
            case _:
                order = self._order(scope)
                return broken() if any(map(is_broken, order)) else own(name, value, *order), type_

    def _filtered(self, call: exp.Expr, scope: Scope) -> exp.Expr:
        """The call, over the rows that the `where` beside it lets through."""
        conditions = [*(copied(condition) for condition in scope.among), *self._where(scope)]
        if not conditions or is_broken(call):
            return call
        if any(map(is_broken, conditions)):
            return broken()
        where = exp.Where(this=exp.and_(*conditions, copy=False))
        return exp.Filter(this=call, expression=where)

    def _where(self, scope: Scope) -> list[exp.Expr]:
        """The `where` beside a fragment, bound among the rows of a scope."""
        if scope.options.where is None:
            return []
        fragment = scope.beside(scope.options.where, "where")
        return [
            self._binder.bind(
                scope._replace(fragment=fragment, is_condition=True, options=NO_OPTIONS, among=())
            )
        ]

    def _wrong(
        self, node: exp.Expr, scope: Scope, message: str, hint: str | None = None
    ) -> exp.Expr:
        return self._binder.wrong(node, scope, "wrong-aggregate", message, hint)

    # --- the order in which rows are taken ------------------------------------------------------

    def _order(self, scope: Scope) -> list[exp.Ordered]:
        """As asked, then by the keys that tell the related rows apart."""
        asked = [self._sort_key(position, scope) for position in range(len(scope.options.sort))]
        return with_ties(asked, self._row_keys(scope))

    def _row_keys(self, scope: Scope) -> Iterator[exp.Expr]:
        for node in self._rows(scope):
            for name in node.source.primary_key:
                yield self._binder.field(node, name)

    def _rows(self, scope: Scope) -> Iterator[Node]:
        """The last related row, and those before it that may share it: their keys tell rows apart."""
        chain = max(scope.places, key=len)
        yield scope.places[chain]
        for position in range(len(chain) - 1, -1 if scope.is_paired else 0, -1):
            before = scope.places.get(chain[:position])
            if before is not None and is_shared(before.source, chain[position]):
                yield before

    def _distinct_order(self, value: exp.Expr, scope: Scope) -> list[exp.Ordered]:
        """A list of distinct values has no rows to sort by: only the values themselves."""
        asked = [self._sort_key(position, scope) for position in range(len(scope.options.sort))]
        for position, key in enumerate(asked):
            if not is_broken(key) and key.this != value:
                message = "a `distinct` list sorts by the listed value only"
                self._problems.add(
                    "wrong-aggregate", message, scope.locate_beside("sort", position)
                )
                return [ordered(broken())]
        return asked or [ordered(copied(value))]

    def _sort_key(self, position: int, scope: Scope) -> exp.Ordered:
        text, descending = split_direction(scope.options.sort[position])
        fragment = scope.beside(text, "sort", position)
        bound = self._binder.bind(
            scope._replace(fragment=fragment, options=NO_OPTIONS, is_condition=False)
        )
        return ordered(bound, descending=descending)

    # --- quantifiers ----------------------------------------------------------------------------

    def quantifier(self, name: str, node: exp.Expr, scope: Scope) -> exp.Expr:
        """Whether any, none or all of the related rows meet a condition: never NULL."""
        given = [part.this if isinstance(part, exp.Paren) else part for part in arguments(node)]
        if len(given) != 1:
            return self._wrong(node, scope, f"`{name}` takes one condition")
        if scope.columns is not None:
            return self._tell_columns(node, scope)
        if scope.rows is not None or scope.value is not None or scope.summary is not None:
            where = "a formatter sees one value" if scope.value else "the column aggregates"
            if scope.rows:
                where = "a measure aggregates"
            return self._wrong(node, scope, f"{where}, and `{name}` asks of one record")
        asked = scope._replace(options=NO_OPTIONS)
        shapes = self._branches.shapes(given[0], asked)
        if shapes is not None and not any(shape.chain for shape in shapes):
            message = f"`{name}` asks of related rows, and its condition names none"
            hint = f"name a field behind a to-many join in it, or leave `{name}` out"
            return self._wrong(given[0], scope, message, hint)
        branch = self._branches.over(f"`{name}`", given[0], asked)
        if branch is None:
            return broken()
        condition = self._binder.bind_tree(
            given[0], asked._replace(places=branch.places, is_condition=True)
        )
        if is_broken(condition):
            return broken()
        if (known := type_of(condition)) not in (None, BOOLEAN):
            return self._wrong(node, scope, f"`{name}` takes a condition, this is {known}")
        if name == "all":
            # Unknown is not true: a related row whose condition is NULL does not meet it.
            met = exp.Coalesce(this=condition, expressions=[exp.false()])
            return _known(branch.output("all_met", exp.LogicalAnd(this=met)), exp.true())
        some = _known(branch.output("any_met", exp.LogicalOr(this=condition)), exp.false())
        return some if name == "any" else typed(exp.Not(this=some), BOOLEAN, nullable=False)

    # --- measures -------------------------------------------------------------------------------

    def measure(self, shape: Shape, scope: Scope) -> exp.Expr:
        """A measure of the data source that a to-many path leads to, or of the one whose rows a measure sees."""
        name = shape.names[-1]
        if scope.rows is not None:
            among = (*scope.among, *self._where(scope._replace(rows=None)))
            return self._measure(name, scope.rows, among)
        if scope.summary is not None and len(shape.names) == 1:
            branch: Branch | None = scope.summary.own
        else:
            branch = self._branches.along(shape.names[:-1], scope)
        if branch is None:
            return broken()
        return self._measure(name, branch, tuple(self._where(_among(branch, scope))))

    def is_aggregated(self, shape: Shape, scope: Scope) -> bool:
        """Whether a path leads to a measure that can be told for each record."""
        is_of_many = shape.fans_at or scope.rows or scope.summary
        return shape.ends_in == "measure" and is_of_many is not None

    def own_measure(self, root: Node, name: str) -> exp.Expr:
        """A measure over all the rows of a block's root."""
        rows = Branch("", "", root, root.block, {(): root}, exp.true(), (), (), Names())
        return self._measure(name, rows, ())

    def _measure(self, name: str, rows: Branch, among: tuple[exp.Expr, ...]) -> exp.Expr:
        source = rows.end.source
        measure = source.measures[name]
        self._binder.touched.append((source, name))
        fragment = Fragment(measure.sql, source, ("measures", name, "sql"))
        scope = Scope(fragment, {(): rows.end}, source, measure, rows=rows, among=among)
        with self._binder.underway(source, name) as is_first:
            value = self._binder.bind(scope) if is_first else broken()
        if is_broken(value):
            return value
        return typed(self._binder.with_default(operand(value), scope, measure.type), measure.type)

    # --- options --------------------------------------------------------------------------------

    def check_options(self, tree: exp.Expr, scope: Scope) -> bool:
        """Whether what stands beside a fragment has an aggregate to act on; if not, that is told."""
        options = scope.options
        written = options.model_fields_set
        given = [key for key in _NEEDED_BY if key in written and getattr(options, key)]
        if not given:
            return True
        calls = [part for part in _outside_quantifiers(tree) if aggregate_name(part) is not None]
        names = {aggregate_name(node) for node in calls}
        chains = self._chains(calls, tree, scope)
        for key in given:
            if not (names & _NEEDED_BY[key] or (key == "where" and chains)):
                what = "an aggregate" if key in ("where", "distinct") else _listed(_NEEDED_BY[key])
                message = f"`{key}` goes with {what}, and there is none"
                self._problems.add("wrong-aggregate", message, scope.locate_key_beside(key))
                return False
        if options.where is not None and scope.rows is None:
            for chain, shape in chains[1:]:
                if chain != chains[0][0] and shape is not None:
                    both = (chains[0][0], chain)
                    self._branches.tell_mixture("the `where`", both, shape, scope)
                    return False
        return True

    def _chains(
        self, calls: list[exp.Expr], tree: exp.Expr, scope: Scope
    ) -> list[tuple[tuple[str, ...], Shape | None]]:
        """The chains of joins that the aggregates of a fragment are over, each with a path along it."""
        shapes = self._branches.shapes(tree, scope) or []
        ends = [shape for shape in shapes if self.is_aggregated(shape, scope)]
        chains: list[tuple[tuple[str, ...], Shape | None]] = []
        for call in calls:
            within = self._branches.shapes(call, scope) or []
            if within:
                ends.append(max(within, key=lambda shape: shape.fans_after))
            elif scope.summary is not None:  # `count(*)` is over the report's own rows
                chains.append(((), None))
        return [*chains, *((shape.chain, shape) for shape in ends)]

    def _tell_columns(self, node: exp.Expr, scope: Scope) -> exp.Expr:
        hint = "aggregate in `fields`, and compare that column by its name"
        return self._wrong(node, scope, "`having` compares the summary's columns", hint)


_NEEDED_BY = {
    "where": frozenset(AGGREGATES),
    "distinct": frozenset(AGGREGATES),
    "sort": frozenset(("list", "first", "last")),
    "separator": frozenset(("list",)),
}


def _among(branch: Branch, scope: Scope) -> Scope:
    """The scope of what is bound among the rows of a branch."""
    is_paired = scope.summary is not None
    return scope._replace(places=branch.places, summary=None, is_paired=is_paired)


def _listed(names: frozenset[str]) -> str:
    return " or ".join(f"`{name}`" for name in sorted(names))


def _outside_quantifiers(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The nodes of a tree, without what a quantifier asks of other rows."""
    is_quantifier = quantifier_name(tree) is not None
    yield tree
    for part in () if is_quantifier else tree.iter_expressions():
        yield from _outside_quantifiers(part)


def _together(keys: list[exp.Expr]) -> exp.Expr:
    """Several keys as one value, which is NULL where there is no record: a row of NULLs is not."""
    is_there = exp.Not(this=exp.Is(this=copied(keys[0]), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=is_there, true=exp.Tuple(expressions=keys))])


def _last_name(argument: exp.Expr) -> list[str]:
    steps = path_of(argument)
    return [steps[-1].name] if steps else []


def _zero_for_none(count: exp.Expr) -> exp.Expr:
    return typed(
        exp.Coalesce(this=count, expressions=[exp.Literal.number(0)]), INTEGER, nullable=False
    )


def _known(met: exp.Expr, over_nothing: exp.Expr) -> exp.Expr:
    return typed(exp.Coalesce(this=met, expressions=[over_nothing]), BOOLEAN, nullable=False)
