"""An input -> a query: every item a column with a name, a label, a type, and its SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from genesis.compile.bind import Binder, Scope, broken, is_broken, split_direction
from genesis.compile.compare import typed_literal
from genesis.compile.expression import Fragment, Step, path_of
from genesis.compile.formats import (
    Shown,
    apply_formatter,
    as_text,
    find_formatter,
    inline_labels,
)
from genesis.compile.functions import aggregate_name, arguments
from genesis.compile.identifiers import words
from genesis.compile.infer import type_of
from genesis.compile.moment import Moment
from genesis.compile.query import Block, Node, Output, Query, ordered
from genesis.compile.run import Run
from genesis.compile.statement import Column
from genesis.errors import Location, Problems, did_you_mean
from genesis.spec.data_source import DataSource, Field, Measure
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input, Item, Parameter
from genesis.spec.project import Project
from genesis.spec.types import STRING, Type


def resolve(definition: Input, project: Project, run: Run, problems: Problems) -> Query | None:
    """The query an input means, or `None` with its problems told."""
    source = _source(definition, project, problems)
    if source is None or not _is_supported(definition, problems):
        return None
    values = _parameter_values(definition, run, problems)
    moment = Moment(project.timezone_of(definition), run.moment, run.as_of)
    binder = Binder(
        project, problems, moment=moment, parameters=definition.parameters, values=values
    )
    return _Resolver(definition, source, binder, run).query()


def _source(definition: Input, project: Project, problems: Problems) -> DataSource | None:
    name = definition.source
    source = project.data_sources.get(name)
    if source is None and ("data_source", name) not in project.broken:
        hint = did_you_mean(name, project.data_sources)
        problems.add(
            "unknown-data-source",
            f"unknown data source `{name}`",
            definition.locate("source"),
            hint=hint,
        )
    return source


def _is_supported(definition: Input, problems: Problems) -> bool:
    if definition.shape == "summary":
        message = "this version does not compile summaries yet"
        problems.add("not-supported", message, definition.locate("shape"))
        return False
    if definition.having:
        hint = "in a detail report, `filters` choose the records"
        problems.add(
            "wrong-sort", "`having` is for summaries", definition.locate_key("having"), hint=hint
        )
        return False
    return True


def _parameter_values(definition: Input, run: Run, problems: Problems) -> Mapping[str, Any] | None:
    """Each parameter's value: as given, else its default."""
    given = dict(run.parameters or {})
    values = {}
    for name, parameter in definition.parameters.items():
        at = definition.locate_key("parameters", name)
        if parameter.default is not None:
            _check_value(
                name,
                parameter.default,
                parameter,
                definition.locate("parameters", name, "default"),
                problems,
            )
        value = given.pop(name, parameter.default)
        if value is None and run.parameters is not None:
            hint = (
                f"`--param {name}=...`, or `parameters:` of the job; a `default` serves everywhere"
            )
            problems.add("wrong-parameter", f"parameter `{name}` has no value", at, hint=hint)
        elif value is not None and value is not parameter.default:
            _check_value(name, value, parameter, at, problems)
        values[name] = value
    for name in given:
        problems.add(
            "unknown-parameter",
            f"input `{definition.name}` has no parameter `{name}`",
            definition.locate_name(),
            hint=did_you_mean(name, definition.parameters),
        )
    return None if run.parameters is None or problems.errors else values


def _check_value(
    name: str, value: Any, parameter: Parameter, at: Location, problems: Problems
) -> None:
    try:
        literal = typed_literal(value, parameter.type)
        allowed = [typed_literal(choice, parameter.type) for choice in parameter.values or ()]
    except ValueError:
        problems.add(
            "wrong-parameter", f"`{value}` is no {parameter.type} for parameter `{name}`", at
        )
        return
    if parameter.values is not None and literal not in allowed:
        listed = ", ".join(f"`{choice}`" for choice in parameter.values)
        hint = did_you_mean(str(value), map(str, parameter.values)) or f"one of {listed}"
        problems.add(
            "wrong-parameter", f"`{value}` is none of parameter `{name}`'s values", at, hint=hint
        )


@dataclass(frozen=True)
class _Wish:
    """One column that is asked for, and where."""

    item: Item
    fragment: Fragment
    at: Location


class _Resolver:
    def __init__(self, definition: Input, source: DataSource, binder: Binder, run: Run) -> None:
        self._definition, self._source, self._binder, self._run = definition, source, binder, run
        self._problems = binder.problems
        self._block = Block()
        self._root = self._block.start(source.name, binder.relations.of(source))
        self._raw: dict[str, exp.Expr] = {}
        self._key_columns: set[str] = set()

    def query(self) -> Query | None:
        outputs = self._outputs()
        filters = [self._filter(position) for position in range(len(self._definition.filters))]
        order = self._order()
        if self._definition.limit is not None and not self._definition.sort:
            message = "a `limit` without a `sort` keeps the rows whose keys come first"
            at = self._definition.locate_key("limit")
            self._problems.warn(
                "limit-without-sort", message, at, hint="say with `sort` which rows matter"
            )
        if self._problems.errors:
            return None
        self._block.where += filters
        limits = [n for n in (self._definition.limit, self._run.limit) if n is not None]
        limit = min(limits, default=None)
        return Query(self._block, tuple(outputs), tuple(order), limit, tuple(filters))

    # --- columns --------------------------------------------------------------------------------

    def _outputs(self) -> list[Output]:
        outputs: list[Output] = []
        taken: dict[str, Location] = {}
        labels: dict[str, Location] = {}
        for wish in self._wishes():
            output = self._output(wish)
            if output is None:
                continue
            column = output.column
            for what, text, seen in (
                ("named", column.name, taken),
                ("labelled", column.label, labels),
            ):
                first = seen.setdefault(text, wish.at)
                if first is not wish.at:
                    hint = "give one a `name`" if what == "named" else "give one a `label`"
                    self._problems.add(
                        "column-clash",
                        f"two columns are {what} `{text}`, the first in line {first.line}",
                        wish.at,
                        hint=hint,
                    )
                    break
            self._raw[column.name] = output.raw
            outputs.append(output)
        return [*outputs, *self._hidden_keys()]

    def _wishes(self) -> Iterator[_Wish]:
        for position, item in enumerate(self._definition.fields):
            if item.set is not None:
                yield from self._set(item, position)
            else:
                fragment = Fragment(
                    item.field or "", self._definition, ("fields", position, "field")
                )
                yield _Wish(item, fragment, fragment.at())

    def _set(self, item: Item, position: int) -> Iterator[_Wish]:
        name = item.set or ""
        if name not in self._source.sets:
            hint = did_you_mean(name, self._source.sets)
            message = f"unknown set `{name}` in data source `{self._source.name}`"
            self._problems.add(
                "unknown-set",
                message,
                self._definition.locate("fields", position, "set"),
                hint=hint,
            )
            return
        members = self._source.sets[name]
        for index, excepted in enumerate(item.except_):
            if excepted not in members:
                at = self._definition.locate("fields", position, "except", index)
                hint = did_you_mean(excepted, members)
                self._problems.add(
                    "unknown-field", f"`{excepted}` is not in set `{name}`", at, hint=hint
                )
        for index, member in enumerate(members):
            if member not in item.except_:
                fragment = Fragment(member, self._source, ("sets", name, index))
                yield _Wish(
                    Item(field=member), fragment, self._definition.locate("fields", position, "set")
                )

    def _output(self, wish: _Wish) -> Output | None:
        item, binder = wish.item, self._binder
        scope = Scope(wish.fragment, {(): self._root}, self._source, item)
        binder.touched.clear()
        raw = binder.with_default(binder.bind(scope), item, wish.fragment)
        tree = binder.parse(wish.fragment)
        if is_broken(raw) or tree is None:
            return None
        path = path_of(tree)
        name = item.name or _derived_name(tree, item)
        type_ = item.type or type_of(raw)
        if name is None:
            hint = "`name: ...` beside the field is the column's name in SQL"
            self._problems.add(
                "name-needed", "a column that is no plain path needs a `name`", wish.at, hint=hint
            )
            return None
        if type_ is None:
            self._problems.add(
                "untyped",
                f"the type of column `{name}` cannot be told",
                wish.at,
                hint="`type: ...` beside the field says it",
            )
            return None
        node, spec = self._plain_field(path, scope)
        self._warn_of_deprecated(wish, path)
        shown = self._shown(wish, raw, type_, node, spec)
        if shown is None:
            return None
        is_key = (
            node is self._root and path is not None and path[-1].name in self._source.primary_key
        )
        value = shown.value
        if self._run.render == "text":
            value = as_text(shown, binder.moment.timezone, self._problems, wish.at)
        elif is_key and shown.value is not raw:
            is_key = False  # a label or a link is no key
        if is_key and path is not None:
            self._key_columns.add(path[-1].name)
        column = Column(
            name=name,
            label=item.label or self._label(path, scope) or words(name),
            type=STRING if self._run.render == "text" else shown.type,
            pattern=None if self._run.render == "text" else shown.pattern,
            key=is_key,
            sensitivity=next((s for s in map(_sensitivity, binder.touched) if s), None),
        )
        return Output(column, value, raw)

    def _plain_field(
        self, path: tuple[Step, ...] | None, scope: Scope
    ) -> tuple[Node | None, str | None]:
        """The node and field of a plain to-one path."""
        shape = self._binder.shape(path, scope) if path else None
        if shape is None or shape.ends_in != "field" or shape.fans_at is not None:
            return None, None
        return self._binder.walk(shape.names[:-1], scope), shape.names[-1]

    def _label(self, path: tuple[Step, ...] | None, scope: Scope) -> str | None:
        shape = self._binder.shape(path, scope) if path else None
        if shape is None:
            return None
        named = _named(shape.source, shape.names[-1])
        return named.label if named else None

    def _warn_of_deprecated(self, wish: _Wish, path: tuple[Step, ...] | None) -> None:
        for source, name in self._binder.touched:
            spec = source.fields.get(name)
            if spec is not None and spec.deprecated is not None:
                at = wish.fragment.at(path[-1].offset, path[-1].length) if path else wish.at
                self._problems.warn(
                    "deprecated-field", f"field `{name}` is deprecated", at, hint=spec.deprecated
                )

    def _shown(
        self, wish: _Wish, raw: exp.Expr, type_: Type, node: Node | None, field_name: str | None
    ) -> Shown | None:
        formatter, at = self._formatter(wish, node, field_name)
        if formatter is None:
            return Shown(raw, type_) if at is None else None
        around = node or (self._root if formatter.sql else None)
        return apply_formatter(
            formatter,
            raw.copy() if formatter.labels or formatter.sql else raw,
            type_,
            self._binder,
            node=around,
            at=at or wish.at,
        )

    def _formatter(
        self, wish: _Wish, node: Node | None, field_name: str | None
    ) -> tuple[Formatter | None, Location | None]:
        """The formatter of a column and where it is asked for; a place alone means it is unknown."""
        if wish.item.format is not None:
            at = wish.fragment.owner.locate(*wish.fragment.path[:-1], "format")
            return find_formatter(self._binder, wish.item.format, at), at
        if node is None or field_name is None:
            return None, None
        spec = node.source.fields[field_name]
        if spec.format is not None:
            at = node.source.locate("fields", field_name, "format")
            return find_formatter(self._binder, spec.format, at), at
        labels = inline_labels(spec)
        return labels, node.source.locate("fields", field_name, "labels") if labels else None

    def _hidden_keys(self) -> Iterator[Output]:
        for name in self._source.primary_key:
            if name in self._source.fields and name not in self._key_columns:
                raw = self._binder.field(self._root, name)
                type_ = self._source.fields[name].type
                shown = Shown(raw, type_)
                at = self._source.locate("primary_key")
                value = raw
                if self._run.render == "text":
                    value = as_text(shown, self._binder.moment.timezone, self._problems, at)
                    type_ = STRING
                column_name = f"_key_{name}"
                yield Output(
                    Column(column_name, column_name, type_, key=True, hidden=True), value, raw
                )

    # --- filters and order ----------------------------------------------------------------------

    def _filter(self, position: int) -> exp.Expr:
        fragment = Fragment(
            self._definition.filters[position], self._definition, ("filters", position)
        )
        bound = self._binder.bind(
            Scope(fragment, {(): self._root}, self._source, is_condition=True)
        )
        type_ = None if is_broken(bound) else type_of(bound)
        if type_ is not None and type_.name != "boolean":
            hint = "compare it with something: a filter is true or not"
            self._problems.add(
                "wrong-literal",
                f"a filter is a condition, this is {type_}",
                fragment.at(),
                hint=hint,
            )
        return bound

    def _order(self) -> list[exp.Ordered]:
        order = []
        for position, text in enumerate(self._definition.sort):
            asked, descending = split_direction(text)
            bound = self._sort_key(asked, position)
            if not is_broken(bound):
                order.append(ordered(bound, descending=descending))
        keys = [
            self._binder.field(self._root, name)
            for name in self._source.primary_key
            if name in self._source.fields
        ]
        return [*order, *(ordered(key) for key in keys if key not in [part.this for part in order])]

    def _sort_key(self, asked: str, position: int) -> exp.Expr:
        if asked in self._raw:
            return self._raw[asked].copy()
        fragment = Fragment(asked, self._definition, ("sort", position))
        tree = self._binder.parse(fragment)
        if tree is None:
            return broken()
        path = path_of(tree)
        if path is None or (len(path) == 1 and path[0].name not in self._source.fields):
            hint = (
                did_you_mean(asked, self._raw)
                or "a sort key is a column of the input, or a to-one path"
            )
            self._problems.add(
                "wrong-sort", f"`{asked}` is not in the report", fragment.at(), hint=hint
            )
            return broken()
        return self._binder.bind(Scope(fragment, {(): self._root}, self._source))


def _sensitivity(touched: tuple[DataSource, str]) -> str | None:
    named = _named(*touched)
    return named.sensitivity if named else None


def _named(source: DataSource, name: str) -> Field | Measure | None:
    """The field or measure of a name."""
    return source.fields.get(name) or source.measures.get(name)


def _derived_name(tree: exp.Expr, item: Item) -> str | None:
    """The name a column has by itself: its path, or its path and its aggregate."""
    path = path_of(tree)
    if path is not None:
        return "_".join(step.name for step in path)
    aggregate = aggregate_name(tree)
    given = arguments(tree) if aggregate else []
    inner = path_of(given[0]) if len(given) == 1 else None
    if inner is None or item.where is not None:
        return None
    return "_".join([*(step.name for step in inner), aggregate or ""])
