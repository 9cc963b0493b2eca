"""Definitions -> rows, by loops. A value that is not known is `None`, and logic has three values.

A *view* is what an expression sees: `()` leads to the record, longer paths to the related rows that
an aggregate or a quantifier has gone to. From the nearest of them, a path goes on by to-one joins.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.language import (
    Aggregate,
    AsOf,
    Call,
    CountRows,
    Expression,
    Field,
    Formatter,
    In,
    Item,
    Join,
    Latest,
    Literal,
    Names,
    Options,
    Own,
    Parameter,
    Path,
    Quantifier,
    Report,
    Row,
    Schema,
    SetItem,
    SortKey,
    Source,
    Today,
    as_text,
    fans_out,
    of_one_row,
)


@dataclass(frozen=True)
class Seen:
    """A row of a data source."""

    source: Source
    row: Row


View = dict[Names, Seen]
Line = tuple[Row, View]
NONE = Options()
DAY = timedelta(days=1)


class Meaning:
    """What the definitions of a schema mean in one run of a report."""

    def __init__(self, schema: Schema, formatters: Mapping[str, Formatter], report: Report) -> None:
        self._schema, self._formatters, self._report = schema, formatters, report
        self._parameters = {name: given.value for name, given in report.parameters}
        self._counting: dict[str, list[Seen]] = {}
        self._related: dict[tuple[str, int, str], list[Seen]] = {}
        self._fields: dict[tuple[str, int, str], Any] = {}

    # --- reports --------------------------------------------------------------------------------

    def rows(self) -> tuple[list[str], list[list[Any]]]:
        """The columns of the report and its rows, in order."""
        report = self._report
        source = self._schema[report.source]
        items = [part for item in report.items for part in expanded(item, source)]
        views = [{(): record} for record in self.counting(source)]
        chosen = [
            view
            for view in views
            if all(self.value(condition, view) is True for condition in report.filters)
        ]
        if report.is_summary:
            return self._summary(source, items, chosen)
        return self._detail(source, items, chosen)

    def _detail(
        self, source: Source, items: list[Item], views: list[View]
    ) -> tuple[list[str], list[list[Any]]]:
        """One row for each record. Of its key, what no column shows as it is comes last."""
        shown = [item.field for item in items if self._formatter(item, source) is None]
        hidden = [name for name in source.key if Path((name,)) not in shown]
        lines: list[Line] = [
            ({item.name: self.item(item.field, view, item.options) for item in items}, view)
            for view in views
        ]
        keys = [Path((name,)) for name in source.key]
        names = [*(item.name for item in items), *(f"_key_{name}" for name in hidden)]
        return names, [
            [*self._shown(items, columns, source), *(view[()].row[name] for name in hidden)]
            for columns, view in self._in_asked_order(lines, keys)
        ]

    def _summary(
        self, source: Source, items: list[Item], views: list[View]
    ) -> tuple[list[str], list[list[Any]]]:
        """One row for each combination of what is no aggregate; of aggregates alone, one.

        What is grouped by and shown in other words comes last as it is.
        """
        plain = [item for item in items if not self._aggregates(item.field, source)]
        groups: dict[tuple[Any, ...], list[View]] = {} if plain else {(): []}
        for view in views:
            values = (self.item(item.field, view, item.options) for item in plain)
            groups.setdefault(tuple(values), []).append(view)
        lines: list[Line] = []
        for values, members in groups.items():
            found = dict(zip((item.name for item in plain), values, strict=True))
            columns = {
                item.name: found[item.name] if item in plain else self._over(item, members, source)
                for item in items
            }
            view = {(): columns_as_record(columns)}
            if all(self.value(condition, view) is True for condition in self._report.having):
                lines.append((columns, view))
        keys = [Path((item.name,)) for item in plain]
        hidden = [item.name for item in plain if self._formatter(item, source) is not None]
        names = [*(item.name for item in items), *(f"_key_{name}" for name in hidden)]
        return names, [
            [*self._shown(items, columns, source), *(columns[name] for name in hidden)]
            for columns, _ in self._in_asked_order(lines, keys)
        ]

    def _over(self, item: Item, views: list[View], source: Source) -> Any:
        """An aggregated column over the records of a group."""
        found = self._aggregated(item.field, views, item.options, source)
        return item.options.default if found is None else found

    def _aggregates(self, expression: Expression, source: Source) -> bool:
        """Whether a column aggregates; a quantifier or a derived field is a value of one record."""
        match expression:
            case Aggregate() | CountRows():
                return True
            case Call(_, arguments):
                return any(self._aggregates(argument, source) for argument in arguments)
            case In(value, _):
                return self._aggregates(value, source)
            case Path(names):
                return names[-1] in self._end_of(names[:-1], source).measures
        return False

    def _in_asked_order(self, lines: list[Line], keys: list[Path]) -> list[Line]:
        """By the report's `sort`, then by its key; as many as `limit` says."""
        sort = self._report.sort

        def values(line: Line) -> list[Any]:
            columns, view = line
            asked = [
                columns[str(key)] if str(key) in columns else self.value(key, view)
                for key in (one.expression for one in sort)
            ]
            return [*asked, *(self.value(key, view) for key in keys)]

        directions = [*(key.descending for key in sort), *(False for _ in keys)]
        return in_order(lines, values, directions)[: self._report.limit]

    def item(self, expression: Expression, view: View, options: Options) -> Any:
        """The value of a column, of a derived field, of a measure."""
        found = self.value(expression, view, options)
        return options.default if found is None else found

    # --- formatters -----------------------------------------------------------------------------

    def _shown(self, items: list[Item], columns: Row, source: Source) -> list[Any]:
        found = []
        for item in items:
            value, formatter = columns[item.name], self._formatter(item, source)
            found.append(value if formatter is None else shown(value, formatter))
        return found

    def _formatter(self, item: Item, source: Source) -> Formatter | None:
        """The one beside the column, else that of the field it is."""
        if item.format is not None:
            return self._formatters[item.format]
        if not isinstance(item.field, Path):
            return None
        *joins, last = item.field.names
        spec = self._end_of(tuple(joins), source).fields.get(last)
        return spec.labels if spec else None

    # --- rows that count ------------------------------------------------------------------------

    def counting(self, source: Source) -> list[Seen]:
        """The rows of a data source: those that meet its `where` and have what its joins require."""
        if source.name not in self._counting:
            found = []
            for row in self._newest(source):
                seen = Seen(source, row)
                meets = source.where is None or self.value(source.where, {(): seen}) is True
                if meets and all(
                    self.related(seen, name) for name, join in source.joins.items() if join.required
                ):
                    found.append(seen)
            self._counting[source.name] = found
        return self._counting[source.name]

    def _newest(self, source: Source) -> list[Row]:
        """Of a change log each key's newest record, but deleted ones; before anything is filtered."""
        log = source.latest
        if log is None:
            return source.rows
        order_by = log.order_by or ("_ts", "_pos")
        newest: dict[tuple[Any, ...], Row] = {}
        for row in source.rows:
            if not log.order_by and row["_op"] == "h":
                continue  # a heartbeat is no record
            if self._report.as_of and moment_of(row[order_by[0]]) > self._report.moment:
                continue
            key = tuple(row[name] for name in source.key)
            rank = [row[name] for name in order_by]
            if key not in newest or rank > [newest[key][name] for name in order_by]:
                newest[key] = row
        return [row for row in newest.values() if not is_deleted(row, log)]

    def related(self, seen: Seen, name: str) -> list[Seen]:
        """The rows that a join leads to."""
        at = (seen.source.name, id(seen.row), name)
        if at not in self._related:
            self._related[at] = self._find_related(seen, name, seen.source.joins[name])
        return self._related[at]

    def _find_related(self, seen: Seen, name: str, join: Join) -> list[Seen]:
        target = self._schema[join.source]
        found = [
            other
            for other in self.counting(target)
            if self._matches(seen, name, other, join)
            and (join.where is None or self.value(join.where, {(): seen, (name,): other}) is True)
        ]
        keys = [SortKey(Path((name,))) for name in target.key]
        if join.as_of is not None:
            holding = [other for other in found if self._holds(seen, other, join.as_of)]
            latest = SortKey(Path((join.as_of.start,)), descending=True)
            return self.in_order(holding, [latest, *keys])[:1]
        return self.in_order(found, [*join.pick, *keys])[:1] if join.pick else found

    def _matches(self, here: Seen, name: str, there: Seen, join: Join) -> bool:
        if join.sql is not None:
            return self.value(join.sql, {(): here, (name,): there}) is True
        for mine, theirs in join.by:
            left = self.field(here, mine)
            if left is None or left != self.field(there, theirs):
                return False
        return True

    def _holds(self, here: Seen, there: Seen, as_of: AsOf) -> bool:
        """Whether a half-open interval holds the moment; it may lack a start, an end."""
        at, start = self.field(here, as_of.at), self.field(there, as_of.start)
        end = None if as_of.end is None else self.field(there, as_of.end)
        return at is not None and (start is None or start <= at) and (end is None or at < end)

    # --- expressions ----------------------------------------------------------------------------

    def value(self, expression: Expression, view: View, options: Options = NONE) -> Any:
        match expression:
            case Literal(value):
                return value
            case Parameter(name):
                return self._parameters[name]
            case Today():
                assert self._report.moment is not None
                return self._report.moment.astimezone(ZoneInfo(self._report.timezone)).date()
            case Own(name):
                return view[()].row[name]
            case Path(names):
                if names[-1] in self._end(names[:-1], view).measures:
                    return self._measure(names, [view], options, view[()].source)
                return self._path(names, view)
            case Call(name, arguments):
                return CALLS[name](*(self.value(part, view, options) for part in arguments))
            case In(value, choices):
                given = self.value(value, view, options)
                return None if given is None else given in [choice.value for choice in choices]
            case Quantifier(name, condition):
                met = [self.value(condition, inner) for inner in self._views(condition, view)]
                return {
                    "any": any(one is True for one in met),
                    "none": not any(one is True for one in met),
                    "all": all(one is True for one in met),
                }[name]
            case Aggregate():
                return self._aggregated(expression, [view], options, view[()].source)
            case CountRows():
                raise TypeError("records of their own are counted in measures and summaries")

    def _path(self, names: Names, view: View) -> Any:
        start = max(n for n in range(len(names)) if names[:n] in view)
        seen = view[names[:start]]
        for name in names[start:-1]:
            found = self.related(seen, name)
            if not found:
                return None
            (seen,) = found
        return self.field(seen, names[-1])

    def field(self, seen: Seen, name: str) -> Any:
        """A field of a row: what its column holds, or what it is derived from."""
        spec = seen.source.fields[name]
        if spec.sql is None:
            held = seen.row[name]
            return spec.options.default if held is None else held
        at = (seen.source.name, id(seen.row), name)
        if at not in self._fields:
            self._fields[at] = self.item(spec.sql, {(): seen}, spec.options)
        return self._fields[at]

    # --- related rows ---------------------------------------------------------------------------

    def _end(self, names: Names, view: View) -> Source:
        start = max(n for n in range(len(names) + 1) if names[:n] in view)
        return self._end_of(names[start:], view[names[:start]].source)

    def _end_of(self, names: Names, source: Source) -> Source:
        for name in names:
            source = self._schema[source.joins[name].source]
        return source

    def chain(self, names: Names, view: View) -> Names:
        """The steps of a path up to the last that leads to many rows, from what is seen already."""
        start = max(n for n in range(len(names)) if names[:n] in view)
        source, last = view[names[:start]].source, 0
        for position in range(start, len(names)):
            join = source.joins.get(names[position])
            if join is None:
                break
            if fans_out(self._schema, join):
                last = position + 1
            source = self._schema[join.source]
        return names[:last]

    def _views(self, expression: Expression, view: View) -> list[View]:
        """One view for each related row that an expression speaks of; else what is seen already."""
        chains = [
            self.chain(part.names, view)
            for part in of_one_row(expression)
            if isinstance(part, Path) and part.names not in view
        ]
        return list(self._walk(max(chains, key=len, default=()), view))

    def _walk(self, names: Names, view: View) -> Iterator[View]:
        start = max(n for n in range(len(names) + 1) if names[:n] in view)
        if start == len(names):
            yield view
            return
        for other in self.related(view[names[:start]], names[start]):
            yield from self._walk(names, {**view, names[: start + 1]: other})

    def _among(self, views: Iterable[View], options: Options) -> list[View]:
        return [
            view
            for view in views
            if options.where is None or self.value(options.where, view) is True
        ]

    # --- aggregates -----------------------------------------------------------------------------

    def _aggregated(
        self, expression: Expression, views: list[View], options: Options, source: Source
    ) -> Any:
        """What an expression gives over records of a source, or over the related rows of all of them."""

        def again(part: Expression) -> Any:
            return self._aggregated(part, views, options, source)

        match expression:
            case CountRows():
                return len(self._among(views, options))
            case Aggregate(name, argument):
                inner = [one for view in views for one in self._views(argument, view)]
                return self._aggregate(name, argument, self._among(inner, options), options)
            case Path(names):
                return self._measure(names, views, options, source)
            case Call(name, arguments):
                return CALLS[name](*map(again, arguments))
            case In(value, choices):
                given = again(value)
                return None if given is None else given in [choice.value for choice in choices]
        return self.value(expression, {})

    def _measure(self, names: Names, views: list[View], options: Options, source: Source) -> Any:
        """A measure over the rows that a path leads to from each record."""
        *joins, name = names
        end = self._end_of(tuple(joins), source)
        walked = [inner for view in views for inner in self._walk(tuple(joins), view)]
        rows = [{(): inner[tuple(joins)]} for inner in self._among(walked, options)]
        measure = end.measures[name]
        found = self._aggregated(measure.sql, rows, measure.options, end)
        return measure.options.default if found is None else found

    def _aggregate(
        self, name: str, argument: Expression, views: list[View], options: Options
    ) -> Any:
        if name in ("list", "first", "last"):
            views = self._rows_in_order(views, options)
        if (
            isinstance(argument, Path)
            and (counted := self._joined(argument.names, views)) is not None
        ):
            return len(set(counted)) if name == "count_distinct" else len(counted)
        values = [self.value(argument, view) for view in views]
        if name in ("first", "last"):
            return (values[0] if name == "first" else values[-1]) if values else None
        present = [value for value in values if value is not None]
        if name == "count_distinct" or (options.distinct and name in ("count", "sum", "avg")):
            present = list(dict.fromkeys(present))
        if name == "list":
            if options.distinct:
                descending = bool(options.sort) and options.sort[0].descending
                present = sorted(set(present), reverse=descending)
            return options.separator.join(map(as_text, present)) if present else None
        return AGGREGATES[name](present)

    def _joined(self, names: Names, views: list[View]) -> list[Any] | None:
        """The keys of the rows that a path of joins leads to, where it leads to rows and not to a value."""
        if not views or names[-1] in self._end(names[:-1], views[0]).fields:
            return None
        ends = [end[names] for view in views for end in self._walk(names, view)]
        return [tuple(end.row[key] for key in end.source.key) for end in ends]

    def _rows_in_order(self, views: list[View], options: Options) -> list[View]:
        """As asked, then by the related rows' keys, the last row's first: equal data, equal order."""

        def keys(view: View) -> list[Any]:
            found = [self.value(key.expression, view) for key in options.sort]
            for names in sorted(view, key=len, reverse=True):
                found += [view[names].row[key] for key in view[names].source.key]
            return found

        longest = max((len(keys(view)) for view in views), default=0)
        asked = [key.descending for key in options.sort]
        return in_order(views, keys, [*asked, *[False] * (longest - len(asked))])

    def in_order(self, things: list[Seen], keys: list[SortKey]) -> list[Seen]:
        """Rows by sort keys."""
        return in_order(
            things,
            lambda thing: [self.value(key.expression, {(): thing}) for key in keys],
            [key.descending for key in keys],
        )


def expanded(item: Item | SetItem, source: Source) -> list[Item]:
    """The columns of an item; a member of a set is called as its path."""
    if isinstance(item, Item):
        return [item]
    members = [member for member in source.sets[item.name] if member not in item.but]
    return [
        Item(member.replace(".", "_"), Path(tuple(member.split("."))), is_named=False)
        for member in members
    ]


def columns_as_record(columns: Row) -> Seen:
    """The columns of a summary as `having` sees them: by name."""
    return Seen(Source("columns", (), {name: Field("") for name in columns}, []), columns)


def shown(value: Any, formatter: Formatter) -> Any:
    """A value in a formatter's words."""
    if formatter.sql is not None:
        record = Seen(Source("formatter", (), {"value": Field("")}, []), {"value": value})
        return Meaning({}, {}, Report("", ())).value(formatter.sql, {(): record})
    for label, text in formatter.labels:
        if value is not None and as_text(value) == label:
            return text
    if formatter.otherwise is not None:
        return formatter.otherwise
    return None if value is None else as_text(value)


def moment_of(value: datetime) -> datetime:
    """A moment; without a zone it is one in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def is_deleted(row: Row, log: Latest) -> bool:
    """Whether the newest record of a key says that the key is gone."""
    if not log.order_by:
        return bool(row["_op"] == "d")
    return any(row[name] is True for name in log.deleted)


def in_order(
    things: list[Any], values: Callable[[Any], list[Any]], descending: list[bool]
) -> list[Any]:
    """Things by the values of each; NULLs come last in both directions."""

    def compare(left: list[Any], right: list[Any]) -> int:
        for one, other, is_descending in zip(left, right, descending, strict=True):
            if one == other:
                continue
            if one is None or other is None:
                return 1 if one is None else -1
            return (1 if one > other else -1) * (-1 if is_descending else 1)
        return 0

    decorated = [(values(thing), thing) for thing in things]
    decorated.sort(key=cmp_to_key(lambda left, right: compare(left[0], right[0])))
    return [thing for _, thing in decorated]


# --- operators ------------------------------------------------------------------------------------


def _known(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of what is unknown, the result is unknown."""
    return lambda *given: None if None in given else function(*given)


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


CALLS: dict[str, Callable[..., Any]] = {
    "=": _known(lambda a, b: a == b),
    "<>": _known(lambda a, b: a != b),
    "<": _known(lambda a, b: a < b),
    ">=": _known(lambda a, b: a >= b),
    "between": lambda a, low, high: _and(CALLS[">="](a, low), CALLS[">="](high, a)),
    "same": lambda a, b: a == b,
    "other": lambda a, b: a != b,
    "null": lambda a: a is None,
    "true": lambda a: a is True,
    "untrue": lambda a: a is not True,
    "and": _and,
    "or": lambda a, b: _not(_and(_not(a), _not(b))),
    "not": _not,
    "+": _known(lambda a, b: a + b),
    "-": _known(lambda a, b: a - b),
    "*": _known(lambda a, b: a * b),
    "/": _known(lambda a, b: float(a) / float(b)),
    "int_div": _known(lambda a, b: None if b == 0 else int(a / b)),
    "coalesce": lambda a, b: b if a is None else a,
    "nullif": lambda a, b: None if a == b else a,
    "case": lambda condition, a, b: a if condition is True else b,
    "upper": _known(str.upper),
    "||": _known(lambda a, b: a + b),
    "days": _known(lambda a, b: (b - a).days),
    "next_day": _known(lambda a: a + DAY),
    "year": _known(lambda a: a.year),
}
AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "count_distinct": len,
    "sum": lambda values: sum(values) if values else None,
    "avg": lambda values: float(sum(values)) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "median": lambda values: float(statistics.median(values)) if values else None,
    "bool_and": lambda values: all(values) if values else None,
    "bool_or": lambda values: any(values) if values else None,
}
