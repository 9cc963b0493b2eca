"""A world that shows a difference -> a small one that shows it too: what is not needed goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import duckdb

from genesis.errors import DefinitionError
from tests.oracle.language import (
    Aggregate,
    Call,
    Expression,
    Formatter,
    In,
    Item,
    Join,
    Options,
    Parameter,
    Quantifier,
    Report,
    Schema,
    Source,
    World,
    parts,
)
from tests.oracle.running import Difference, playing

NONE = Options()


def shrunk(world: World, shows: Callable[[World], bool], within: timedelta) -> World:
    """The smallest world found in that time that still `shows` what is sought; it has one report."""
    end = time.monotonic() + within.total_seconds()
    found, again = world, True
    while again:
        again = False
        for kind in (_without_parts, _with_less, _without_rows):
            # Each smaller world is tried once, from the last one that showed it.
            position = 0
            while (smaller := _nth(kind(found), position)) is not None:
                if time.monotonic() > end:
                    return found
                if shows(smaller):
                    found, again = smaller, True
                else:
                    position += 1
    return found


def shrink(
    duck: duckdb.DuckDBPyConnection, difference: Difference, within: timedelta
) -> Difference:
    """The difference in a smaller world."""

    def shown_by(world: World) -> Difference | None:
        try:
            (found,) = playing(duck, world)
        except DefinitionError:
            return None
        is_same = isinstance(found, Difference) and found.kind == difference.kind
        return found if is_same else None  # type: ignore[return-value]

    world = shrunk(difference.world, lambda one: shown_by(one) is not None, within)
    return shown_by(world) or difference


def _nth(worlds: Iterator[World], position: int) -> World | None:
    return next((world for number, world in enumerate(worlds) if number == position), None)


# --- what can go whole ----------------------------------------------------------------------------


def _without_parts(world: World) -> Iterator[World]:
    (report,) = world.reports
    for smaller in _reports_without(report):
        yield replace(world, reports=(smaller,))
    for name in world.schema.keys() - {source.extends for source in world.schema.values()}:
        yield replace(world, schema={n: s for n, s in world.schema.items() if n != name})
    for name, source in world.schema.items():
        for less in _sources_without(source):
            yield replace(world, schema={**world.schema, name: less})
    for name in world.formatters:
        rest: dict[str, Formatter] = {n: f for n, f in world.formatters.items() if n != name}
        yield replace(world, formatters=rest)


def _reports_without(report: Report) -> Iterator[Report]:
    for key in ("items", "filters", "having", "sort"):
        things = getattr(report, key)
        for position in range(len(things)):
            yield replace(report, **{key: things[:position] + things[position + 1 :]})
    if report.limit is not None:
        yield replace(report, limit=None)
    if report.as_of:
        yield replace(report, as_of=False)
    if report.timezone != "UTC":
        yield replace(report, timezone="UTC")
    used = {part.name for one in _expressions(report) for part in parts(one) if isinstance(part, Parameter)}  # fmt: skip
    if any(name not in used for name, _ in report.parameters):
        kept = tuple(pair for pair in report.parameters if pair[0] in used)
        yield replace(report, parameters=kept)


def _expressions(report: Report) -> Iterator[Expression]:
    yield from (*report.filters, *report.having)
    for item in report.items:
        if isinstance(item, Item):
            yield item.field
            if item.options.where is not None:
                yield item.options.where


def _sources_without(source: Source) -> Iterator[Source]:
    if source.where is not None:
        yield replace(source, where=None)
    if source.latest is not None:
        yield replace(source, latest=None)
    if source.unique_keys:
        yield replace(source, unique_keys=())
    for kind in ("joins", "measures", "sets", "fields"):
        things = getattr(source, kind)
        for name in things:
            if name not in source.key:
                rest = {n: thing for n, thing in things.items() if n != name}
                yield replace(source, **{kind: rest})


# --- what can be less -----------------------------------------------------------------------------


def _with_less(world: World) -> Iterator[World]:
    (report,) = world.reports
    for key in ("filters", "having"):
        things = getattr(report, key)
        for position, thing in enumerate(things):
            for less in smaller(thing):
                changed = (*things[:position], less, *things[position + 1 :])
                yield replace(world, reports=(replace(report, **{key: changed}),))
    for position, item in enumerate(report.items):
        if isinstance(item, Item):
            for plainer in _items_with_less(item):
                items = (*report.items[:position], plainer, *report.items[position + 1 :])
                yield replace(world, reports=(replace(report, items=items),))
    for name, source in world.schema.items():
        for plainer_source in _sources_with_less(source):
            yield replace(world, schema={**world.schema, name: plainer_source})


def _items_with_less(item: Item) -> Iterator[Item]:
    if item.format is not None:
        yield replace(item, format=None)
    for less in smaller(item.field):
        yield replace(item, field=less)
    for options in _options_with_less(item.options):
        yield replace(item, options=options)


def _options_with_less(options: Options) -> Iterator[Options]:
    for key in ("where", "distinct", "sort", "separator", "default"):
        if getattr(options, key) != getattr(NONE, key):
            yield replace(options, **{key: getattr(NONE, key)})
    if options.where is not None:
        for less in smaller(options.where):
            yield replace(options, where=less)
    if len(options.sort) > 1:
        yield replace(options, sort=options.sort[:1])


def _sources_with_less(source: Source) -> Iterator[Source]:
    if source.where is not None:
        for less in smaller(source.where):
            yield replace(source, where=less)
    for name, spec in source.fields.items():
        plainer = replace(spec, labels=None, nullable=True, column=None)
        if plainer != spec:
            yield replace(source, fields={**source.fields, name: plainer})
        for less in smaller(spec.sql) if spec.sql is not None else ():
            fields = {**source.fields, name: replace(spec, sql=less)}
            yield replace(source, fields=fields)
        for options in _options_with_less(spec.options):
            yield replace(source, fields={**source.fields, name: replace(spec, options=options)})
    for name, join in source.joins.items():
        for plainer_join in _joins_with_less(join):
            yield replace(source, joins={**source.joins, name: plainer_join})


def _joins_with_less(join: Join) -> Iterator[Join]:
    if join.where is not None:
        yield replace(join, where=None)
        for less in smaller(join.where):
            yield replace(join, where=less)
    if join.required:
        yield replace(join, required=False)
    if join.relationship is not None and join.sql is None:
        yield replace(join, relationship=None)
    if len(join.pick) > 1:
        yield replace(join, pick=join.pick[:1])


def smaller(expression: Expression) -> Iterator[Expression]:
    """An expression with less in it."""
    match expression:
        case Call(name, arguments):
            yield from arguments
            for position, argument in enumerate(arguments):
                for less in smaller(argument):
                    yield Call(name, (*arguments[:position], less, *arguments[position + 1 :]))
        case In(value, choices) if len(choices) > 1:
            yield In(value, choices[:1])
        case Quantifier(name, condition):
            yield from (Quantifier(name, less) for less in smaller(condition))
        case Aggregate(name, argument):
            yield from (Aggregate(name, less) for less in smaller(argument))


# --- rows -----------------------------------------------------------------------------------------


def _without_rows(world: World) -> Iterator[World]:
    tables: Schema = {n: s for n, s in world.schema.items() if s.extends is None}
    for name, source in tables.items():
        for position in range(len(source.rows)):
            rows = source.rows[:position] + source.rows[position + 1 :]
            yield replace(world, schema=_with_rows(world.schema, name, rows))


def _with_rows(schema: Schema, table: str, rows: list[dict[str, object]]) -> Schema:
    return {
        name: replace(source, rows=rows) if (source.table or name) == table else source
        for name, source in schema.items()
    }
