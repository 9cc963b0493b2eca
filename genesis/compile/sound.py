"""Reports looked at for problems alone: what is known to be sound in one is not bound again in another.

A column, a filter or a sort key of which nothing was told rests on its data source, the time zone, the
words beside it and, where it names one, the parameters. It is told nothing of in any other detail
report either. A report that is made of such parts alone has its headings without a tree being built;
any other is resolved as for a run, so that what is told of it never depends on what is known. The
surprise: whether a column is the key depends on the columns before it, so that the field that it may
be the key of is what is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.bind import Binder
from genesis.compile.expression import path_of
from genesis.compile.query import Output
from genesis.compile.resolve import Resolver, Wish, hidden_key, resolve
from genesis.compile.run import Run
from genesis.compile.scope import is_broken, split_direction
from genesis.compile.trackers import Heading, headings_of
from genesis.errors import Problems
from genesis.spec.data_source import DataSource, Field
from genesis.spec.input import Input, Item
from genesis.spec.project import Project


class Sound:
    """What is known to be sound in the detail reports of one project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._parts: dict[tuple[str, str], _Parts] = {}

    def check(self, definition: Input, problems: Problems) -> tuple[Heading, ...] | None:
        """The headings of a report, or `None`; what is wrong with it is told."""
        run = Run(parameters=None)
        if definition.shape != "detail":
            query = resolve(definition, self._project, run, problems)
            return None if query is None else headings_of(query)
        rests_on = definition.source, self._project.timezone_of(definition)
        parts = self._parts.setdefault(rests_on, _Parts())
        source = self._project.data_sources.get(definition.source)
        known = None if source is None else parts.headings(definition, source)
        if known is not None:
            return known
        query = resolve(definition, self._project, run, problems, partial(_Checker, parts=parts))
        if query is None:
            return None
        if not problems.told and not problems.passes_over:
            parts.frames.add(_parameters(definition))
        return headings_of(query)


class _Column(NamedTuple):
    """A column that is sound, and the field of which it is the key, unless one before it is."""

    output: Output
    key: str | None


@dataclass(frozen=True)
class _Parts:
    """What is sound in the reports of one data source in one time zone.

    `frames` are the parameters of whole reports: with them stands all that is no column, filter or sort key.
    """

    frames: set[str] = field(default_factory=set)
    columns: dict[tuple[object, ...], _Column] = field(default_factory=dict)
    filters: set[tuple[str, str]] = field(default_factory=set)
    sort_keys: set[tuple[str, str]] = field(default_factory=set)

    def headings(self, definition: Input, source: DataSource) -> tuple[Heading, ...] | None:
        """The headings of a report of which all is known to be sound; `None` of any other."""
        parameters = _parameters(definition)
        if parameters not in self.frames or definition.having:
            return None
        if definition.limit is not None and not definition.sort:
            return None
        if any(_condition(text, parameters) not in self.filters for text in definition.filters):
            return None
        found = self._headings(definition, source, parameters)
        if found is None:
            return None
        names = {heading.name for heading in found}
        asked = (split_direction(text)[0] for text in definition.sort)
        others = [_condition(text, parameters) for text in asked if text not in names]
        return found if self.sort_keys.issuperset(others) else None

    def _headings(
        self, definition: Input, source: DataSource, parameters: str
    ) -> tuple[Heading, ...] | None:
        found: list[Heading] = []
        keys: set[str] = set()
        for item, is_of_set in _items(definition, source):
            known = self.columns.get(_rests_on(item, parameters, is_of_set)) if item else None
            if item is None or known is None:
                return None
            (column, key), label = (known.output.column, known.key), item.label
            found.append(
                Heading(
                    column.name,
                    label or column.label,
                    key is not None and key not in keys,
                    False,
                    str(column.type),
                )
            )
            keys |= {key} if key else set()
        for each in (0, 1):  # names, labels
            if len({heading[each] for heading in found}) < len(found):
                return None
        hidden = [name for name in source.primary_key if name not in keys]
        if not source.fields.keys() >= set(hidden):
            return None
        return (*found, *(_hidden(name, source.fields[name]) for name in hidden))


def _hidden(name: str, key: Field) -> Heading:
    return Heading(hidden_key(name), hidden_key(name), True, True, str(key.type))


def _items(definition: Input, source: DataSource) -> Iterator[tuple[Item | None, bool]]:
    """The items of a report, sets as their members; `None` for a set of which something may be told."""
    for item in definition.fields:
        if item.set is None:
            yield item, False
            continue
        members = source.sets.get(item.set, ())
        is_plain = item.model_fields_set <= {"set", "except_"}
        if members and is_plain and set(members).issuperset(item.except_):
            yield from ((_member(text), True) for text in members if text not in item.except_)
        else:
            yield None, True


@cache
def _member(text: str) -> Item:
    return Item(field=text)


def _parameters(definition: Input) -> str:
    return repr(definition.parameters) if definition.parameters else ""


def _condition(text: str, parameters: str) -> tuple[str, str]:
    return text, parameters if ":" in text else ""


def _rests_on(item: Item, parameters: str, is_of_set: bool) -> tuple[object, ...]:
    """An item's expressions and all that stands beside them, with the parameters that they may name."""
    texts = (item.field or "", item.where or "", *item.sort)
    return (
        *texts,
        parameters if ":" in "".join(texts) else "",
        is_of_set,
        item.name,
        item.label is None,
        item.distinct,
        item.separator,
        repr(item.default),  # 1 is `true` to a tuple
        item.format,
        item.type,
    )


class _Checker(Resolver):
    """Looks for problems: what is known to be sound is not bound again."""

    def __init__(
        self, definition: Input, source: DataSource, binder: Binder, run: Run, *, parts: _Parts
    ) -> None:
        self._parts = parts
        self._parameters = _parameters(definition)
        super().__init__(definition, source, binder, run)

    def _output(self, wish: Wish) -> Output | None:
        label = wish.item.label
        key = _rests_on(wish.item, self._parameters, wish.is_of_set)
        known = self._parts.columns.get(key)
        if known is None or known.key in self._key_columns:
            told = self._problems.told
            output = super()._output(wish)
            if output is not None and self._problems.told == told:
                self._keep(key, wish, output)
            return output
        if known.key is not None:
            self._key_columns.add(known.key)
        output = known.output
        if label is None:
            return output
        return output._replace(column=replace(output.column, label=label))

    def _keep(self, key: tuple[object, ...], wish: Wish, output: Output) -> None:
        tree = self._binder.parse(wish.fragment)
        path = path_of(tree) if tree is not None else None
        may_be_key = path is not None and path[-1].name in self._source.primary_key
        if output.column.key or not may_be_key:
            name = path[-1].name if path and output.column.key else None
            self._parts.columns[key] = _Column(output, name)

    def _filter(self, position: int) -> exp.Expr:
        known = _condition(self._definition.filters[position], self._parameters)
        if known in self._parts.filters:
            return exp.true()
        told = self._problems.told
        condition = super()._filter(position)
        if self._problems.told == told and not is_broken(condition):
            self._parts.filters.add(known)
        return condition

    def _sort_key(self, asked: str, position: int) -> exp.Expr:
        told = self._problems.told
        key = super()._sort_key(asked, position)
        if asked not in self._raw and self._problems.told == told and not is_broken(key):
            self._parts.sort_keys.add(_condition(asked, self._parameters))
        return key
