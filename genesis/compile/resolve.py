"""An input -> a query: every item a column with a name, a label, a type, and its SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.bind import Binder
from genesis.compile.expression import Fragment, path_of
from genesis.compile.formats import apply_formatter, find_formatter, inline_labels
from genesis.compile.functions.calls import aggregate_name, arguments, quantifier_name
from genesis.compile.identifiers import Names, words
from genesis.compile.infer import join_types, type_of, typed
from genesis.compile.moment import Moment
from genesis.compile.parameters import parameter_values
from genesis.compile.paths import Shape
from genesis.compile.query import Block, Node, Output, Query, no_position, ordered, with_ties
from genesis.compile.run import Run
from genesis.compile.scope import Scope, broken, is_broken, split_direction
from genesis.compile.statement import Column
from genesis.compile.summary import Grouped, Summary
from genesis.compile.survey import Looks, survey
from genesis.compile.texts import Shown, as_text
from genesis.compile.trees import copied
from genesis.errors import Location, Problems, did_you_mean, suggest
from genesis.spec.data_source import DataSource, Field, Measure
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input, Item
from genesis.spec.project import Project
from genesis.spec.types import STRING, Type


def resolve(
    definition: Input,
    project: Project,
    run: Run,
    problems: Problems,
    resolver: Callable[[Input, DataSource, Binder, Run], Resolver] | None = None,
) -> Query | None:
    """The query an input means, or `None` with its problems told."""
    source = _source(definition, project, problems)
    if source is None or not _is_supported(definition, problems):
        return None
    values = parameter_values(definition, run, problems)
    moment = Moment(project.timezone_of(definition), run.moment, run.as_of)
    binder = Binder(
        project,
        problems,
        moment=moment,
        parameters=definition.parameters,
        values=values,
        dialect=run.dialect,
    )
    if not binder.is_sound(source):
        return None
    return (resolver or Resolver)(definition, source, binder, run).query()


def _source(definition: Input, project: Project, problems: Problems) -> DataSource | None:
    name = definition.source
    source = project.data_sources.get(name)
    if source is None and ("data_source", name) not in project.broken:
        hint = suggest(name, project.data_sources)
        problems.add(
            "unknown-data-source",
            f"unknown data source `{name}`",
            definition.locate("source"),
            hint=hint,
        )
    return source


def _is_supported(definition: Input, problems: Problems) -> bool:
    if definition.having and definition.shape == "detail":
        hint = "in a detail report, `filters` choose the records"
        problems.add(
            "wrong-having", "`having` is for summaries", definition.locate_key("having"), hint=hint
        )
        return False
    return True


class Wish(NamedTuple):
    """One column that is asked for, where, and the name it has or that its expression gives it."""

    item: Item
    fragment: Fragment
    place: Fragment
    name: str | None

    @property
    def at(self) -> Location:
        return self.place.at()

    @property
    def is_of_set(self) -> bool:
        """Whether a set asks for it, and no item of its own."""
        return self.fragment.path[0] == "sets"


class Resolver:
    """Resolves one input."""

    def __init__(self, definition: Input, source: DataSource, binder: Binder, run: Run) -> None:
        self._definition, self._source, self._binder, self._run = definition, source, binder, run
        self._problems = binder.problems
        self._survey = survey(binder.project)
        self._wishes = list(self._all_wishes())
        # Trino's ORDER BY takes `movie.title` for a part of the column `movie`, where there is one.
        self._block = Block(
            aliases=Names(frozenset(wish.name for wish in self._wishes if wish.name))
        )
        self._root = self._block.start(source.name, binder.relations.of(source))
        self._raw: dict[str, exp.Expr] = {}
        self._key_columns: set[str] = set()
        self._summary: Summary | None = None

    def query(self) -> Query | None:
        """The query, or `None` with its problems told."""
        outputs = self._outputs()
        filters = [self._filter(position) for position in range(len(self._definition.filters))]
        order = self._order()
        if self._definition.limit is not None and not self._definition.sort:
            message = "a `limit` without a `sort` keeps the rows whose keys come first"
            at = self._definition.locate_key("limit")
            self._problems.warn(
                "limit-without-sort", message, at, hint="say with `sort` which rows matter"
            )
        having = [self._having(position) for position in range(len(self._definition.having))]
        if self._problems.errors:
            return None
        self._block.where += filters
        limits = [n for n in (self._definition.limit, self._run.limit) if n is not None]
        query = Query(
            self._block,
            tuple(outputs),
            tuple(order),
            min(limits, default=None),
            tuple(filters),
            self._binder.relations.names,
        )
        return query if self._summary is None else _grouped(query, self._summary.finish(), having)

    # --- columns --------------------------------------------------------------------------------

    def _outputs(self) -> list[Output]:
        if self._definition.shape == "detail":
            found = [self._output(wish) for wish in self._wishes]
            return [*self._without_clashes(found), *self._hidden_keys()]
        return [*self._without_clashes(self._summarized()), *self._hidden_groups()]

    def _summarized(self) -> list[Output | None]:
        """The columns of a summary: first those that group, which the others may use."""
        aggregating = [self._is_aggregating(wish) for wish in self._wishes]
        found = [
            None if later else self._output(wish)
            for wish, later in zip(self._wishes, aggregating, strict=True)
        ]
        groups = {output.column.name: output.raw for output in found if output is not None}
        self._summary = Summary(
            self._block,
            groups,
            self._binder.relations.names,
            Names(frozenset(wish.name for wish in self._wishes if wish.name)),
        )
        for position, wish in enumerate(self._wishes):
            if aggregating[position]:
                found[position] = self._output(wish)
            elif (output := found[position]) is not None:
                found[position] = self._determined(output, wish)
        return found

    def _is_aggregating(self, wish: Wish) -> bool:
        """Whether a column of a summary aggregates: by a call, or by a measure."""
        tree = self._binder.parse(wish.fragment)
        if tree is None:
            return False
        scope = Scope(wish.fragment, {(): self._root}, self._source)
        for part in tree.walk(prune=lambda node: bool(path_of(node) or quantifier_name(node))):
            if aggregate_name(part) is not None:
                return True
            path = path_of(part)
            shape = self._binder.paths.shape(path, scope) if path else None
            if shape is not None and shape.ends_in == "measure":
                return True
        return False

    def _determined(self, output: Output, wish: Wish) -> Output | None:
        """A column that groups; what it shows must be the same for all records of a group."""
        other = self._summary.ungrouped(output.shown) if self._summary else None
        if other is None:
            return output
        message = f"the format shows `{other.name}`, which may differ within a group"
        hint = f"select `{other.name}` as a column of its own to group by it"
        self._problems.add("wrong-format", message, wish.at, hint=hint)
        return None

    def _without_clashes(self, found: Iterable[Output | None]) -> Iterator[Output]:
        """The columns that could be told; two of one name or label are told."""
        names: dict[str, Wish] = {}
        labels: dict[str, Wish] = {}
        for wish, output in zip(self._wishes, found, strict=True):
            if output is None:
                continue
            column = output.column
            first = names.setdefault(column.name, wish)
            if first is not wish:
                self._tell_clash("name", column.name, first, wish)
            elif (first := labels.setdefault(column.label, wish)) is not wish:
                self._tell_clash("label", column.label, first, wish)
            self._raw[column.name] = output.raw
            yield output

    def _tell_clash(self, key: str, text: str, first: Wish, second: Wish) -> None:
        """Tell two columns of one name or label, where the second says or implies it."""
        at = second.at
        if key in second.item.model_fields_set:
            at = second.fragment.owner.locate(*second.fragment.path[:-1], key)
        hint = f"give one a `{key}`"
        if of_set := next((wish for wish in (second, first) if wish.is_of_set), None):
            hint = f"leave it out of the set: `except: [{of_set.fragment.text}]`"
        message = f"two columns have the {key} `{text}`, the first in line {first.at.line}"
        self._problems.add("column-clash", message, at, hint=hint)

    def _all_wishes(self) -> Iterator[Wish]:
        for position, item in enumerate(self._definition.fields):
            if item.set is not None:
                yield from self._set(item, position)
            else:
                path = ("fields", position, "field")
                fragment = Fragment(item.field or "", self._definition, path)
                yield self._wish(item, fragment, fragment)

    def _wish(self, item: Item, fragment: Fragment, place: Fragment) -> Wish:
        tree = self._binder.parse(fragment)
        name = item.name or (_derived_name(tree, item) if tree is not None else None)
        return Wish(item, fragment, place, name)

    def _set(self, item: Item, position: int) -> Iterator[Wish]:
        name = item.set or ""
        if name not in self._source.sets and self._source.has_unread(name):
            self._problems.passes_over = True
            return
        if name not in self._source.sets:
            hint = suggest(name, self._source.sets)
            message = f"unknown set `{name}` in data source `{self._source.name}`"
            self._problems.add(
                "unknown-set",
                message,
                self._definition.locate("fields", position, "set"),
                hint=hint,
            )
            return
        for key in sorted(item.model_fields_set - {"set", "except_"}):
            at = self._definition.locate_key("fields", position, key)
            self._problems.add("conflicting-keys", f"`{key}` goes with `field`", at)
        members = self._source.sets[name]
        for index, excepted in enumerate(item.except_):
            if excepted not in members:
                at = self._definition.locate("fields", position, "except", index)
                hint = suggest(excepted, members)
                self._problems.add(
                    "unknown-field", f"`{excepted}` is not in set `{name}`", at, hint=hint
                )
        for index, member in enumerate(members):
            if member not in item.except_:
                fragment = Fragment(member, self._source, ("sets", name, index))
                place = Fragment(name, self._definition, ("fields", position, "set"))
                yield self._wish(Item(field=member), fragment, place)

    def _output(self, wish: Wish) -> Output | None:
        item, binder = wish.item, self._binder
        scope = Scope(wish.fragment, {(): self._root}, self._source, item, summary=self._summary)
        binder.touched.clear()
        told = self._problems.told
        raw = no_position(binder.with_default(binder.bind(scope), scope, item.type))
        key = self._looks_rest_on(wish)
        known = self._survey.looks.get(key) if key is not None else None
        if known is None or is_broken(raw):
            output = self._anew(wish, scope, raw)
            if output is not None and key is not None and self._problems.told == told:
                self._keep_looks(key, wish, output)
        else:
            output = Output(known.column, raw, raw, wish.place, wish.fragment.text, *known[1:])
        return None if output is None else self._as_rendered(output)

    def _looks_rest_on(self, wish: Wish) -> tuple[object, ...] | None:
        """All that gives a column of a detail report its type and looks; `None` where there is more."""
        item, text, source = wish.item, wish.fragment.text, self._source
        if self._is_summary or item.format is not None or item.type is not None or ":" in text:
            return None
        if self._binder.project.data_sources.get(source.name) is not source:
            return None  # a copy, with which somebody tries something out
        options = item.where, item.sort, item.distinct, item.separator, item.label
        return (source.name, text, wish.name, *options)

    def _keep_looks(self, key: tuple[object, ...], wish: Wish, output: Output) -> None:
        tree = self._binder.parse(wish.fragment)
        path = path_of(tree) if tree is not None else None
        # Whether a column is the key depends on the columns before it.
        may_be_key = path is not None and path[-1].name in self._source.primary_key
        if output.shown is output.raw and not may_be_key:
            self._survey.keep_looks(key, Looks(output.column, output.formatter, output.format_at))

    def _anew(self, wish: Wish, scope: Scope, raw: exp.Expr) -> Output | None:
        """The column of a bound expression, as it looks."""
        item, binder = wish.item, self._binder
        tree = binder.parse(wish.fragment)
        if is_broken(raw) or tree is None:
            return None
        path = path_of(tree)
        shape = binder.paths.shape(path, scope) if path else None
        name, type_ = wish.name, self._type(wish, raw)
        if name is None or type_ is None:
            return None
        if type_of(raw) is None:
            typed(raw, type_)
        plain = binder.plain_field(shape, scope) if shape else None
        formatter = self._formatter(wish, plain, shape)
        shown = self._shown(wish, raw, type_, plain, *formatter)
        if shown is None:
            return None
        # A label or a link is no key.
        is_key = shown.value is raw and self._is_key(shape, plain)
        if is_key:
            self._key_columns.add(shape.names[-1] if shape and not self._is_summary else name)
        named = _named(shape.source, shape.names[-1]) if shape else None
        column = Column(
            name=name,
            label=item.label or (named.label if named else None) or words(name),
            type=shown.type,
            pattern=shown.pattern,
            key=is_key,
            sensitivity=next((s for s in map(_sensitivity, binder.touched) if s), None),
        )
        return Output(column, shown.value, raw, wish.place, wish.fragment.text, *formatter)

    def _type(self, wish: Wish, raw: exp.Expr) -> Type | None:
        """The type of a column, or `None` with the problem told."""
        found, declared = type_of(raw), wish.item.type
        if wish.name is None:
            message = "a column that is no plain path needs a `name`"
            hint = "`name: ...` beside the field is the column's name in SQL"
            self._problems.add("name-needed", message, wish.at, hint=hint)
        elif found is None and declared is None:
            message = f"the type of column `{wish.name}` cannot be told"
            hint = "`type: ...` beside the field says it"
            self._problems.add("untyped", message, wish.at, hint=hint)
        elif found is not None and declared is not None and not join_types([found, declared]):
            at = wish.fragment.owner.locate(*wish.fragment.path[:-1], "type")
            message = f"column `{wish.name}` is declared {declared}, its expression is {found}"
            self._problems.add("wrong-literal", message, at)
            return None
        return declared or found

    @property
    def _is_summary(self) -> bool:
        return self._definition.shape == "summary"

    def _is_key(self, shape: Shape | None, plain: tuple[Node, Field] | None) -> bool:
        if self._is_summary:
            return self._summary is None  # what groups is bound before there is a summary
        if shape is None or plain is None or plain[0] is not self._root:
            return False
        name = shape.names[-1]
        return name in self._source.primary_key and name not in self._key_columns

    def _as_rendered(self, output: Output) -> Output:
        """The output as the run wants it: typed with a pattern beside it, or as text."""
        if self._run.render == "native":
            return output
        shown = Shown(output.shown, output.column.type, output.column.pattern)
        text = as_text(shown, self._binder.moment.timezone, self._problems, output.at)
        column = replace(output.column, type=STRING, pattern=None)
        return output._replace(column=column, shown=text)

    def _shown(
        self,
        wish: Wish,
        raw: exp.Expr,
        type_: Type,
        plain: tuple[Node, Field] | None,
        formatter: Formatter | None,
        at: Location | None,
    ) -> Shown | None:
        if formatter is None:
            return Shown(raw, type_) if at is None else None
        node = plain[0] if plain else self._root if formatter.sql else None
        value = copied(raw) if formatter.labels or formatter.sql else raw
        return apply_formatter(formatter, value, type_, self._binder, node=node, at=at or wish.at)

    def _formatter(
        self, wish: Wish, plain: tuple[Node, Field] | None, shape: Shape | None
    ) -> tuple[Formatter | None, Location | None]:
        """The formatter of a column and where it is asked for; a place alone means it is unknown."""
        if wish.item.format is not None:
            at = wish.fragment.owner.locate(*wish.fragment.path[:-1], "format")
            return find_formatter(self._binder, wish.item.format, at), at
        is_measure = shape is not None and shape.ends_in == "measure"
        if shape is None or not (plain or is_measure):
            return None, None
        source, name = shape.source, shape.names[-1]
        kind, named = (
            ("measures", source.measures[name]) if is_measure else ("fields", source.fields[name])
        )
        if named.format is not None:
            at = source.locate(kind, name, "format")
            return find_formatter(self._binder, named.format, at), at
        labels = inline_labels(source, name) if plain else None
        return labels, source.locate("fields", name, "labels") if labels else None

    def _hidden_keys(self) -> Iterator[Output]:
        for name in self._source.primary_key:
            if name not in self._key_columns:
                raw = self._binder.field(self._root, name)
                hidden = hidden_key(name)
                type_ = self._source.fields[name].type
                column = Column(hidden, hidden, type_, key=True, hidden=True)
                place = Fragment(name, self._source, ("primary_key",))
                yield self._as_rendered(Output(column, raw, raw, place))

    def _hidden_groups(self) -> Iterator[Output]:
        for name, raw in self._summary.groups.items() if self._summary else ():
            if name not in self._key_columns:
                type_ = type_of(raw)
                hidden = hidden_key(name)
                column = Column(hidden, hidden, type_ or STRING, key=True, hidden=True)
                place = Fragment(name, self._definition, ("fields",))
                yield self._as_rendered(Output(column, raw, raw, place))

    # --- filters and order ----------------------------------------------------------------------

    def _filter(self, position: int) -> exp.Expr:
        text = self._definition.filters[position]
        fragment = Fragment(text, self._definition, ("filters", position))
        scope = Scope(fragment, {(): self._root}, self._source, is_condition=True)
        return self._binder.bind(scope)

    def _order(self) -> list[exp.Ordered]:
        order = []
        for position, text in enumerate(self._definition.sort):
            asked, descending = split_direction(text)
            order.append(ordered(self._sort_key(asked, position), descending=descending))
        if self._summary is not None:
            return with_ties(order, self._summary.groups.values())
        keys = (self._binder.field(self._root, name) for name in self._source.primary_key)
        return with_ties(order, keys)

    def _having(self, position: int) -> exp.Expr:
        text = self._definition.having[position]
        fragment = Fragment(text, self._definition, ("having", position))
        wished = {wish.name: broken() for wish in self._wishes if wish.name}
        columns = {**wished, **self._raw}  # what is wrong with a column is told
        scope = Scope(fragment, {(): self._root}, self._source, is_condition=True, columns=columns)
        return self._binder.bind(scope)

    def _sort_key(self, asked: str, position: int) -> exp.Expr:
        if asked in self._raw:
            return copied(self._raw[asked])
        if asked in [wish.name for wish in self._wishes]:
            return broken()  # what is wrong with the column is told
        fragment = Fragment(asked, self._definition, ("sort", position))
        tree = self._binder.parse(fragment)
        if tree is None:
            return broken()
        path = None if self._is_summary else path_of(tree)
        if path is None or (len(path) == 1 and path[0].name not in self._source.fields):
            if path is not None and self._source.has_unread(path[0].name):
                self._problems.passes_over = True
                return broken()
            hint = did_you_mean(asked, self._raw) or "a sort key is a column of the input" + (
                "" if self._is_summary else ", or a to-one path"
            )
            self._problems.add(
                "wrong-sort",
                f"`{asked}` is not in the report",
                fragment.at(0, len(asked)),
                hint=hint,
            )
            return broken()
        return self._binder.bind(Scope(fragment, {(): self._root}, self._source))


def hidden_key(name: str) -> str:
    """The name of the column that holds a key which the report does not show."""
    return f"_key_{name}"


def _grouped(query: Query, summary: Grouped, having: list[exp.Expr]) -> Query:
    """The query of a summary: all that was bound among its records, seen among its groups."""
    seen, block = summary.seen, summary.block
    summary.kept.extend(map(seen, having))
    return query._replace(
        root=block,
        outputs=tuple(
            output._replace(shown=seen(output.shown), raw=seen(output.raw))
            for output in query.outputs
        ),
        order=tuple(
            ordered(seen(key.this), descending=bool(key.args.get("desc"))) for key in query.order
        ),
        filters=query.filters if block is query.root else (),
    )


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
