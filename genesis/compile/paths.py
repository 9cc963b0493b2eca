"""Where a dotted path leads, told before anything is joined; and why it may not stand where it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from genesis.compile.expression import Step
from genesis.compile.functions.calls import AGGREGATES, CLOCKS
from genesis.compile.joins import fans_out, target_name
from genesis.compile.query import Node
from genesis.compile.scope import Scope
from genesis.compile.survey import survey
from genesis.errors import Location, did_you_mean, suggest
from genesis.spec.data_source import DataSource
from genesis.spec.input import Input

if TYPE_CHECKING:
    from genesis.compile.bind import Binder


class Shape(NamedTuple):
    """A path as far as it can be told without joining.

    `source` is the one that its last name is of, or that it leads to. `fans_at` is its last step to
    many rows, `fans_after` the number of steps up to there. `through` are the data sources that its
    joins lead to, as far as they are not taken already.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    ends_in: Literal["field", "measure", "join"]
    source: DataSource
    fans_after: int = 0
    fans_at: Step | None = None
    through: tuple[DataSource, ...] = ()

    @property
    def chain(self) -> tuple[str, ...]:
        """The joins up to the last step to many rows."""
        return self.names[: self.fans_after]


class Paths:
    """The shapes of a report's paths."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._problems = binder.problems
        self._shapes = survey(binder.project).shapes

    def shape(self, steps: tuple[Step, ...], scope: Scope) -> Shape | None:
        """What a path leads to, or `None` with its first wrong step told."""
        name = scope.source.name
        if self._binder.project.data_sources.get(name) is not scope.source:
            return self._shape(steps, scope)  # a copy, with which somebody tries something out
        key = (steps, name, *scope.places)
        known = self._shapes.get(key)
        if known is None:
            known = self._shape(steps, scope)
            if known is not None:
                self._shapes[key] = known
        else:
            for source in known.through:  # what is wrong with them is told in each report
                self._binder.is_sound(source)
        return known

    def _shape(self, steps: tuple[Step, ...], scope: Scope) -> Shape | None:
        names = tuple(step.name for step in steps)
        if names in scope.places:  # the path of a join that is taken already
            return Shape(steps, names, "join", scope.places[names].source)
        start = scope.longest_place(names[:-1])
        source = scope.places[names[:start]].source if start else scope.source
        fans_after, fans_at = 0, None
        through: tuple[DataSource, ...] = ()
        for position in range(start, len(steps)):
            step, is_last = steps[position], position == len(steps) - 1
            if is_last and step.name in source.fields:
                return Shape(steps, names, "field", source, fans_after, fans_at, through)
            if is_last and step.name in source.measures:
                return Shape(steps, names, "measure", source, fans_after, fans_at, through)
            if step.name not in source.joins:
                self._tell_unknown_step(step, source, scope, is_last=is_last)
                return None
            target = self._binder.target(source, step.name)
            if target is None:
                return None
            if fans_out(source, step.name, target):
                fans_after, fans_at = position + 1, step
            source, through = target, (*through, target)
        return Shape(steps, names, "join", source, fans_after, fans_at, through)

    def place(self, names: tuple[str, ...], scope: Scope) -> Node | None:
        """The node of a path that is taken already; `()` is the record, which may be out of reach."""
        node = scope.places.get(names)
        if node is None:
            message = "a condition two to-many steps away uses the record's own fields"
            self._problems.add("not-supported", message, scope.fragment.at())
        return node

    def is_one_value(self, shape: Shape, scope: Scope) -> bool:
        """Whether a path is one value of the record; if not, that is told."""
        last = shape.steps[-1]
        if shape.fans_at is not None:
            self._tell_fan_out(shape, shape.fans_at, scope)
        elif shape.ends_in == "join":
            path = ".".join((*shape.names, "..."))
            message = f"`{last.name}` is a join, not a field"
            self._tell("unknown-field", message, last, scope, f"name one of its fields: `{path}`")
        elif shape.ends_in == "measure":
            self.tell_own_aggregate(
                f"`{'.'.join(shape.names)}` is a measure", at(last, scope), scope
            )
        elif scope.rows is not None:
            message = f"a measure aggregates, and `{last.name}` stands outside an aggregate"
            hint = f"for example `sum({last.name})`, `max({last.name})`"
            self._tell("wrong-aggregate", message, last, scope, hint)
        else:
            return True
        return False

    def tell_own_aggregate(self, what: str, at: Location, scope: Scope) -> None:
        """Tell that a value of one record does not aggregate the records."""
        owner = scope.fragment.owner
        if isinstance(owner, DataSource):
            message = "it aggregates the data source's own rows, and this is a value of one record"
            hint = "make it one of the `measures`"
        elif isinstance(owner, Input) and owner.shape == "summary":
            message = "it aggregates the report's own rows, and this is asked of one record"
            hint = "`having` compares the columns of a summary"
        else:
            message = (
                "it aggregates the report's own rows, and a detail report has one row per record"
            )
            hint = "`shape: summary` groups the rows"
        self._problems.add("own-aggregate", f"{what}: {message}", at, hint=hint)

    def _tell(self, code: str, message: str, step: Step, scope: Scope, hint: str | None) -> None:
        self._problems.add(code, message, at(step, scope), hint=hint)

    def _tell_unknown_step(
        self, step: Step, source: DataSource, scope: Scope, *, is_last: bool
    ) -> None:
        name, where = step.name, f"data source `{source.name}`"
        if source.has_unread(name):
            self._problems.passes_over = True
            return
        if is_last:
            known = [*source.fields, *source.joins, *source.measures]
            hint = (
                f"text stands in single quotes: `'{name}'`"
                if step.is_quoted and len(scope.fragment.text) > step.length
                else did_you_mean(name, known)
                or self._elsewhere(name, source)
                or _called(step)
                or suggest(name, (n for n, field in source.fields.items() if not field.hidden))
            )
            self._tell("unknown-field", f"unknown field `{name}` in {where}", step, scope, hint)
            return
        hint = (
            f"`{name}` is a field: nothing follows it"
            if name in source.fields
            else did_you_mean(name, source.joins) or _joins_listed(source)
        )
        self._tell("unknown-join", f"unknown join `{name}` in {where}", step, scope, hint)

    def _elsewhere(self, name: str, source: DataSource) -> str | None:
        """The hint that a joined data source has a field of that name."""
        for join_name in source.joins:
            target = self._binder.project.data_sources.get(target_name(source, join_name))
            if target and name in target.fields:
                return f"`{join_name}.{name}` is one"
        return None

    def _tell_fan_out(self, shape: Shape, step: Step, scope: Scope) -> None:
        path = ".".join(shape.names)
        message = f"`{path}` has many values for one row: `{step.name}` leads to many"
        if scope.is_condition:
            hint = f"say which: `any({path} ...)`, `none({path} ...)` or `all({path} ...)`, or compare an aggregate"
            self._tell("quantifier-needed", message, step, scope, hint)
            return
        end = shape.source.fields.get(shape.names[-1])
        fitting = fitting_aggregates(number=end.type.is_number if end else False)
        hint = f"aggregate it ({fitting}), ask `any`, `none` or `all`, or choose one row with a `pick` join"
        self._tell("fans-out", message, step, scope, hint)


def at(step: Step, scope: Scope) -> Location:
    """The place of a step of a path."""
    return scope.fragment.at(step.offset, step.length)


def fitting_aggregates(*, number: bool) -> str:
    """The aggregates that take numbers, or that take anything."""
    fitting = [name for name in AGGREGATES if number or name not in ("sum", "avg", "median")]
    return ", ".join(f"`{name}`" for name in fitting if not name.startswith("bool_"))


def _called(step: Step) -> str | None:
    """The hint that a function without arguments has parentheses all the same."""
    is_clock = step.name in CLOCKS and step.offset == 0
    return f"a function is called with parentheses: `{step.name}()`" if is_clock else None


def _joins_listed(source: DataSource) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(source.joins))
    return f"its joins are {names}" if names else "it has no joins"
