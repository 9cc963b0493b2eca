"""What a test of a report says, by the types of its project: rows of tables, and rows of the report. PURE.

Given rows are rows of the *table*: newest records, `where` and derived fields do their work on them, so a
derived field cannot be given. Only of a data source that is a query, they are what the query would
answer. The surprise: rows of a change log are its events, in order; what makes one an event may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlglot import exp

from genesis.compile.compare import typed_literal
from genesis.compile.identifiers import identifier, table_parts
from genesis.compile.infer import to_sql
from genesis.compile.latest import log_columns
from genesis.compile.parameters import check_value
from genesis.compile.run import Run
from genesis.compile.statement import Scan
from genesis.compile.trackers import Heading
from genesis.errors import Location, Problems, did_you_mean, suggest
from genesis.spec.data_source import DataSource, own_column
from genesis.spec.input import Input
from genesis.spec.project import Project
from genesis.spec.report_test import ReportTest
from genesis.spec.types import BOOLEAN, FLOAT, INTEGER, STRING, TIMESTAMPTZ, Type, parse_type
from genesis.spec.values import describe

Parts = tuple[str, ...]
Record = Mapping[str, exp.Expr]


@dataclass(frozen=True)
class Expected:
    """The rows that a report should say, of the columns that are compared, in the report's order."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Trial:
    """A test as it can be run: the report, how it is read, what there is, what it should say."""

    name: str
    input: str
    run: Run
    records: Mapping[Parts, tuple[Record, ...]]
    expected: Expected


def without_queries(project: Project) -> Project:
    """The project with a table for each query of a data source: a test gives what it answers."""
    sources = {
        name: source.model_copy(update={"sql": None, "table": f"_given.{identifier(name).sql()}"})
        if source.sql is not None
        else source
        for name, source in project.data_sources.items()
    }
    return replace(project, data_sources=sources)


def read_test(
    project: Project,
    name: str,
    headings: Mapping[str, tuple[Heading, ...] | None],
    problems: Problems,
) -> Trial | None:
    """A test as it can be run, in a project `without_queries`; `None` where something in it is wrong, which is told.

    `headings` are those of the project's inputs; an input that is broken itself has none.
    """
    test = project.tests[name]
    told = problems.told
    definition = _input_of(project, name, problems)
    records = _records(project, test, problems)
    if definition is None:
        return None
    _check_parameters(definition, test, problems)
    columns = headings.get(definition.name)
    if columns is None:
        return None
    expected = _expected(test, definition.name, columns, problems)
    run = Run(dict(test.parameters), moment=_moment(test, project.timezone_of(definition)))
    return Trial(name, definition.name, run, records, expected) if problems.told == told else None


def _moment(test: ReportTest, timezone: str) -> datetime | None:
    if test.now is None:
        return None
    now = test.now if test.now.tzinfo else test.now.replace(tzinfo=ZoneInfo(timezone))
    return now.astimezone(UTC)


def _input_of(project: Project, name: str, problems: Problems) -> Input | None:
    """The input that a test names, or the one in its file."""
    test = project.tests[name]
    if test.input is not None:
        found = project.inputs.get(test.input)
        if found is None and ("input", test.input) not in project.broken:
            at, hint = test.locate("input"), suggest(test.input, project.inputs)
            problems.add("unknown-input", f"unknown input `{test.input}`", at, hint=hint)
        return found
    beside = [each for each in project.inputs.values() if each.file == test.file]
    if len(beside) == 1:
        return beside[0]
    if beside or not any(kind == "input" for kind, _ in project.broken):
        message = f"test `{name}` does not say of which input it is"
        hint = f"`input:` names it: this file holds {len(beside) or 'none'}"
        problems.add("wrong-test", message, test.locate_key(), hint=hint)
    return None


def _check_parameters(definition: Input, test: ReportTest, problems: Problems) -> None:
    for name, value in test.parameters.items():
        if name in definition.parameters and value is not None:
            at = partial(test.locate, "parameters", name)
            check_value(name, value, definition.parameters[name], at, problems)
        elif name not in definition.parameters and not definition.has_unread(name):
            message = f"input `{definition.name}` has no parameter `{name}`"
            hint = suggest(name, definition.parameters)
            at = partial(test.locate_key, "parameters", name)
            problems.add("unknown-parameter", message, at(), hint=hint)
    for name, parameter in definition.parameters.items():
        if parameter.default is None and test.parameters.get(name) is None:
            message = f"parameter `{name}` of input `{definition.name}` has no value"
            hint = f"`parameters: {{{name}: ...}}` of the test"
            problems.add("wrong-parameter", message, test.locate_key(), hint=hint)


# --- rows that are given ----------------------------------------------------------------------------


def tables(project: Project) -> dict[Parts, dict[str, Type | None]]:
    """The columns of each table that data sources speak of; the type of one that no field has is `None`."""
    found: dict[Parts, dict[str, Type | None]] = {}
    for source in project.data_sources.values():
        known = found.setdefault(_table(source), {})
        for column, type_ in _columns(source).values():
            known[column.lower()] = known.get(column.lower()) or type_
    return found


def relation(
    columns: Mapping[str, Type | None], records: Sequence[Record], scans: Iterable[Scan]
) -> exp.Query:
    """What has the rows of a table, with every column that is known of it or read; what is not said is NULL."""
    read = {name.lower(): None for scan in scans for name in scan.columns or ()}
    every = {**read, **columns}
    if not records:
        nothing = exp.select(*_cells(every, {}), copy=False)
        return nothing.where(exp.false(), copy=False)
    rows = [exp.select(*_cells(every, record), copy=False) for record in records]
    return exp.union(*rows, distinct=False, copy=False) if len(rows) > 1 else rows[0]


def _cells(columns: Mapping[str, Type | None], record: Record) -> Iterator[exp.Expr]:
    for name, type_ in columns.items():
        value = record.get(name) or exp.null()
        # A NULL of no type fits whatever a condition compares it with.
        cell = exp.Cast(this=value, to=to_sql(type_)) if type_ else value
        yield exp.Alias(this=cell, alias=identifier(name))


def _table(source: DataSource) -> Parts:
    return tuple(part.lower() for part in table_parts(source.table or ""))


def _columns(source: DataSource) -> dict[str, tuple[str, Type | None]]:
    """The table's columns, with their types, by the names that a row may call them by: fields first."""
    of_field = {name: own_column(name, field) for name, field in source.fields.items()}
    types: dict[str, Type | None] = {}
    for name, field in source.fields.items():
        column = of_field[name]
        if column is not None and (column not in types or field.sql is None):
            types[column] = field.type
    if source.latest is not None:
        for column in sorted(log_columns((), (), source.latest)):
            types.setdefault(column, _OF_EVENTS.get(column))
    by_column = {column: (column, type_) for column, type_ in types.items()}
    return by_column | {n: (c, types[c]) for n, c in of_field.items() if c is not None}


_OF_EVENTS = {"_op": STRING, "_ts": TIMESTAMPTZ, "_pos": INTEGER}


def _records(
    project: Project, test: ReportTest, problems: Problems
) -> dict[Parts, tuple[Record, ...]]:
    found: dict[Parts, tuple[Record, ...]] = {}
    for name in test.given:
        source = project.data_sources.get(name)
        if source is not None:
            before = found.get(_table(source), ())
            found[_table(source)] = (*before, *_Given(source, test, problems).records(len(before)))
        elif ("data_source", name) not in project.broken:
            at, hint = test.locate_key("given", name), suggest(name, project.data_sources)
            problems.add("unknown-data-source", f"unknown data source `{name}`", at, hint=hint)
    return found


class _Given:
    """The rows that a test gives of one data source."""

    def __init__(self, source: DataSource, test: ReportTest, problems: Problems) -> None:
        self._source, self._test, self._problems = source, test, problems
        self._columns = _columns(source)
        self._guessed: dict[str, Type] = {}

    def records(self, before: int) -> Iterator[Record]:
        """Each row by the table's columns; `before` are in the table already."""
        rows = self._test.given[self._source.name]
        for number, row in enumerate(rows):
            yield self._event(before + number + 1) | dict(self._record(number, row))

    def _event(self, position: int) -> dict[str, exp.Expr]:
        """What makes an event of a row, where it does not say so itself: a later one is a newer one."""
        if self._source.latest is None:
            return {}
        event = {"_op": "c", "_ts": "1970-01-01", "_pos": position}
        read = log_columns((), (), self._source.latest) & event.keys()
        return {name: typed_literal(event[name], _OF_EVENTS[name]) for name in read}

    def _record(self, number: int, row: Mapping[str, Any]) -> Iterator[tuple[str, exp.Expr]]:
        taken: dict[str, str] = {}
        for name, given in row.items():
            path = ("given", self._source.name, number, name)
            if name not in self._columns:
                self._tell_unknown(name, self._test.locate_key(*path))
                continue
            column, type_ = self._columns[name]
            if (other := taken.setdefault(column, name)) != name:
                message, at = f"`{other}` and `{name}` are one column", self._test.locate_key(*path)
                self._problems.add("wrong-test", message, at, hint="remove one of them")
            type_ = type_ or self._guess(column, given)
            value = _value(given, type_, self._test.locate(*path), self._problems, _literal)
            if value is not None:
                yield column.lower(), value

    def _guess(self, column: str, given: Any) -> Type:
        """The type of a column that no field reads: that of its first value."""
        kind = next((type_ for kind, type_ in _KINDS if isinstance(given, kind)), STRING)
        return kind if given is None else self._guessed.setdefault(column, kind)

    def _tell_unknown(self, name: str, at: Location) -> None:
        source = self._source
        if name in source.fields:
            message = f"`{name}` is computed, and no column of a table"
            hint = "give the fields that it is computed from"
            self._problems.add("wrong-test", message, at, hint=hint)
        elif not source.has_unread(name):
            message = f"unknown field `{name}` in data source `{source.name}`"
            self._problems.add("unknown-field", message, at, hint=suggest(name, self._columns))


_KINDS = ((bool, BOOLEAN), (int, INTEGER), (float, FLOAT))


# --- rows that are expected -------------------------------------------------------------------------


def _expected(
    test: ReportTest, report: str, headings: Sequence[Heading], problems: Problems
) -> Expected:
    types = {heading.name: parse_type(heading.type) or STRING for heading in headings}
    # Of a report that should say nothing, whatever it says is told.
    named = {name for row in test.expect for name in row} or {h.name for h in headings}
    columns = tuple(name for name in types if name in named)
    rows = []
    for number, row in enumerate(test.expect):
        for name in row.keys() - types.keys():
            at, hint = test.locate_key("expect", number, name), _column_hint(name, headings)
            message = f"input `{report}` has no column `{name}`"
            problems.add("wrong-test", message, at, hint=hint)
        cells = (
            _value(row.get(c), types[c], test.locate("expect", number, c), problems)
            for c in columns
        )
        rows.append(tuple(cells))
    return Expected(columns, tuple(rows))


def _column_hint(name: str, headings: Sequence[Heading]) -> str | None:
    labelled = next((h.name for h in headings if h.label.lower() == name.lower()), None)
    if labelled is not None:
        return f"columns go by their names: `{labelled}`"
    names = [heading.name for heading in headings]
    return did_you_mean(name, names) or suggest(name, names)


def comparable_value(value: Any, type_: Type) -> Any:
    """A value that an engine gives, as those of `Expected` are."""
    return json.loads(value) if type_.name == "json" and isinstance(value, str) else value


# --- values -----------------------------------------------------------------------------------------


def _value(
    given: Any,
    type_: Type,
    at: Location,
    problems: Problems,
    make: Callable[[Any, Type], Any] = lambda value, _: value,
) -> Any:
    """What is made of a YAML value of a type; where it is none, that is told."""
    try:
        return None if given is None else make(_read(given, type_), type_)
    except (ValueError, ArithmeticError):
        message = f"{describe(given)} is no {type_}"
        problems.add("wrong-type", message, at, hint=_hint(given, type_))
        return None


def _read(given: Any, type_: Type) -> Any:
    """A value of a type as Python has it. Raises `ValueError`."""
    if type_.item is not None:
        if not isinstance(given, list):
            raise ValueError(given)
        return [None if each is None else _read(each, type_.item) for each in given]
    if type_.name == "decimal":
        return _decimal(given, type_)
    if type(given) not in _OF_YAML.get(type_.name, (str,)):
        raise ValueError(given)
    match type_.name:
        case "integer" | "float" | "boolean":
            return float(given) if type_.name == "float" else given
        case "date" if _DATE.fullmatch(given):
            return date.fromisoformat(given)
        case "time" if ":" in given:
            return time.fromisoformat(given)
        case "timestamp" | "timestamptz":
            return _timestamp(given, has_zone=type_ == TIMESTAMPTZ)
        case "json":
            return json.loads(given)
        case "string":
            return given
    raise ValueError(given)


# The types whose values YAML has; those of all others are texts.
_OF_YAML: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "float": (int, float),
    "boolean": (bool,),
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _decimal(given: Any, type_: Type) -> Decimal:
    number = Decimal(str(given))
    digits = number.normalize().as_tuple()
    if isinstance(given, bool | list) or not isinstance(digits.exponent, int):
        raise ValueError(given)
    if -digits.exponent > type_.scale or abs(number) >= Decimal(10) ** (
        type_.precision - type_.scale
    ):
        raise ValueError(given)
    if isinstance(given, float) and len(digits.digits) > _SURE:
        raise ValueError(given)
    return number


_SURE = 15  # digits that a float holds whatever they are


def _timestamp(given: str, *, has_zone: bool) -> datetime:
    moment = datetime.fromisoformat(given)
    if has_zone:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.tzinfo is not None:
        raise ValueError(given)
    return moment


def _hint(given: Any, type_: Type) -> str | None:
    is_text = isinstance(given, str)
    match type_.name:
        case "string" if not isinstance(given, list):
            return "put it in quotes"
        case "decimal" if isinstance(given, float):
            return "it has more digits than that; one of more than 15 stands in quotes"
        case "integer" | "decimal" | "float" if is_text:
            return "a number is written without quotes"
        case "boolean":
            return "`true` or `false`, without quotes"
        case "array":
            return "a list: `[a, b]`"
    return _EXAMPLES.get(type_.name)


_EXAMPLES = {
    "date": "a date is written `2026-11-23`",
    "time": "a time is written `09:30`",
    "timestamp": "a timestamp is written `2026-11-23 09:30:00`",
    "timestamptz": "a moment is written `2026-11-23 09:30:00Z`",
    "json": "JSON is written as text: `'{\"a\": 1}'`",
}


def _literal(value: Any, type_: Type) -> exp.Expr:
    """A value that was read, as SQL."""
    if type_.item is not None:
        items: Iterable[exp.Expr] = (
            exp.null() if each is None else _literal(each, type_.item) for each in value
        )
        return exp.Array(expressions=list(items))
    match value:
        case _ if type_.name == "json":
            return exp.Literal.string(json.dumps(value, ensure_ascii=False))
        case datetime() | date() | time():
            return typed_literal(value.isoformat(), type_)
    return typed_literal(value, type_)
