"""Definitions -> rows, by loops. A value that is not known is `None`, and logic has three values.

A *view* is what an expression sees: `()` leads to the record, longer paths to the related rows that
an aggregate or a quantifier has gone to. From the nearest of them, a path goes on by to-one joins.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any

from tests.oracle.language import (
    Aggregate,
    Call,
    CountRows,
    Expression,
    In,
    Join,
    Literal,
    Measure,
    Names,
    Options,
    Path,
    Quantifier,
    Report,
    Row,
    Schema,
    SortKey,
    Source,
    fans_out,
    parts,
)


@dataclass(frozen=True)
class Seen:
    """A row of a data source."""

    source: Source
    row: Row


View = dict[Names, Seen]
NONE = Options()


class Meaning:
    """What the definitions of a schema mean."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._counting: dict[str, list[Seen]] = {}

    # --- reports --------------------------------------------------------------------------------

    def rows(self, report: Report) -> list[list[Any]]:
        """The rows of a detail report: one for each record that the filters keep.

        Of its key, what no column shows comes last.
        """
        source = self._schema[report.source]
        shown = [item.field for item in report.items]
        hidden = [name for name in source.key if Path((name,)) not in shown]
        kept = []
        for record in self.counting(source):
            view = {(): record}
            if all(self.value(condition, view) is True for condition in report.filters):
                values = [self.item(item.field, view, item.options) for item in report.items]
                kept.append((dict(zip((i.name for i in report.items), values, strict=True)), view))

        def sort_values(line: tuple[Row, View]) -> list[Any]:
            columns, view = line
            asked = [
                columns[key.expression.names[0]]
                if isinstance(key.expression, Path) and key.expression.names[0] in columns
                else self.value(key.expression, view)
                for key in report.sort
            ]
            return [*asked, *(view[()].row[name] for name in source.key)]

        directions = [*(key.descending for key in report.sort), *(False for _ in source.key)]
        ordered = in_order(kept, sort_values, directions)[: report.limit]
        return [
            [*columns.values(), *(view[()].row[name] for name in hidden)]
            for columns, view in ordered
        ]

    def item(self, expression: Expression, view: View, options: Options) -> Any:
        """The value of a column, of a derived field, of a measure."""
        found = self.value(expression, view, options)
        return options.default if found is None else found

    # --- rows that count ------------------------------------------------------------------------

    def counting(self, source: Source) -> list[Seen]:
        """The rows of a data source: those that meet its `where` and have what its joins require."""
        if source.name not in self._counting:
            found = []
            for row in source.rows:
                seen = Seen(source, row)
                meets = source.where is None or self.value(source.where, {(): seen}) is True
                if meets and all(
                    self.related(seen, name) for name, join in source.joins.items() if join.required
                ):
                    found.append(seen)
            self._counting[source.name] = found
        return self._counting[source.name]

    def related(self, seen: Seen, name: str) -> list[Seen]:
        """The rows that a join leads to."""
        join = seen.source.joins[name]
        found = [
            other
            for other in self.counting(self._schema[join.source])
            if self._matches(seen, other, join)
            and (join.where is None or self.value(join.where, {(): seen, (name,): other}) is True)
        ]
        if not join.pick:
            return found
        target = self._schema[join.source]
        keys = [*join.pick, *(SortKey(Path((name,))) for name in target.key)]
        return self.in_order(found, keys, lambda other: {(): other})[:1]

    def _matches(self, here: Seen, there: Seen, join: Join) -> bool:
        for mine, theirs in join.by:
            left = self.value(Path((mine,)), {(): here})
            if left is None or left != self.value(Path((theirs,)), {(): there}):
                return False
        return True

    # --- expressions ----------------------------------------------------------------------------

    def value(self, expression: Expression, view: View, options: Options = NONE) -> Any:
        match expression:
            case Literal(value):
                return value
            case Path(names):
                return self._path(names, view, options)
            case Call(name, arguments):
                return CALLS[name](*(self.value(part, view, options) for part in arguments))
            case In(value, choices):
                given = self.value(value, view, options)
                return None if given is None else given in [choice.value for choice in choices]
            case Quantifier(name, condition):
                met = [self.value(condition, inner) for inner in self._views([condition], view)]
                return {
                    "any": any(one is True for one in met),
                    "none": not any(one is True for one in met),
                    "all": all(one is True for one in met),
                }[name]
            case Aggregate(name, argument):
                inner = self._among(self._views([argument], view), options)
                return self._aggregate(name, argument, inner, options)
            case CountRows():
                raise TypeError("only a measure counts rows")

    def _path(self, names: Names, view: View, options: Options) -> Any:
        if names[-1] in self._end(names[:-1], view).measures:
            return self._measure(names, view, options)
        start = max(n for n in range(len(names)) if names[:n] in view)
        seen = view[names[:start]]
        for name in names[start:-1]:
            related = self.related(seen, name)
            if not related:
                return None
            (seen,) = related
        return self.field(seen, names[-1])

    def field(self, seen: Seen, name: str) -> Any:
        """A field of a row: what its column holds, or what it is derived from."""
        spec = seen.source.fields[name]
        if spec.sql is None:
            return seen.row[name]
        return self.item(spec.sql, {(): seen}, spec.options)

    def _measure(self, names: Names, view: View, options: Options) -> Any:
        views = list(self._walk(names[:-1], view))
        kept = [inner[names[:-1]] for inner in self._among(views, options)]
        source = self._end(names[:-1], view)
        measure: Measure = source.measures[names[-1]]
        rows = [
            seen
            for seen in kept
            if measure.options.where is None
            or self.value(measure.options.where, {(): seen}) is True
        ]
        found = self._of_rows(measure.sql, rows, measure.options)
        return measure.options.default if found is None else found

    def _of_rows(self, expression: Expression, rows: list[Seen], options: Options) -> Any:
        match expression:
            case CountRows():
                return len(rows)
            case Aggregate(name, argument):
                return self._aggregate(name, argument, [{(): seen} for seen in rows], options)
            case Call(name, arguments):
                return CALLS[name](*(self._of_rows(part, rows, options) for part in arguments))
        return self.value(expression, {})

    # --- related rows ---------------------------------------------------------------------------

    def _end(self, names: Names, view: View) -> Source:
        start = max(n for n in range(len(names) + 1) if names[:n] in view)
        source = view[names[:start]].source
        for name in names[start:]:
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

    def _views(self, expressions: Iterable[Expression], view: View) -> list[View]:
        """One view for each related row that the expressions speak of together."""
        chains = [
            self.chain(part.names, view)
            for expression in expressions
            for part in parts(expression)
            if isinstance(part, Path) and part.names not in view
        ]
        return list(self._walk(max(chains, key=len), view))

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
            return options.separator.join(map(str, present)) if present else None
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

    def in_order(
        self, things: list[Seen], keys: list[SortKey], view: Callable[[Seen], View]
    ) -> list[Seen]:
        """Rows by sort keys."""
        return in_order(
            things,
            lambda thing: [self.value(key.expression, view(thing)) for key in keys],
            [key.descending for key in keys],
        )


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
    "same": lambda a, b: a == b,
    "null": lambda a: a is None,
    "true": lambda a: a is True,
    "and": _and,
    "or": lambda a, b: _not(_and(_not(a), _not(b))),
    "not": _not,
    "+": _known(lambda a, b: a + b),
    "-": _known(lambda a, b: a - b),
    "*": _known(lambda a, b: a * b),
    "/": _known(lambda a, b: a / b),
    "int_div": _known(lambda a, b: None if b == 0 else int(a / b)),
    "coalesce": lambda a, b: b if a is None else a,
    "case": lambda condition, a, b: a if condition is True else b,
    "upper": _known(str.upper),
    "||": _known(lambda a, b: a + b),
}
AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "count_distinct": len,
    "sum": lambda values: sum(values) if values else None,
    "avg": lambda values: sum(values) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "median": lambda values: float(statistics.median(values)) if values else None,
    "bool_and": lambda values: all(values) if values else None,
    "bool_or": lambda values: any(values) if values else None,
}
