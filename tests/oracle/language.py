"""Definitions and expressions as plain values, and as the YAML that says them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import yaml

Row = dict[str, Any]
Names = tuple[str, ...]


# --- expressions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    value: Any

    def __str__(self) -> str:
        match self.value:
            case None:
                return "null"
            case bool():
                return str(self.value).lower()
            case str():
                return "'" + self.value.replace("'", "''") + "'"
            case datetime(tzinfo=None):
                return f"timestamp '{self.value}'"
            case datetime():
                return f"timestamp '{self.value.replace(tzinfo=None)} UTC'"
            case date():
                return f"date '{self.value}'"
        return str(self.value)


@dataclass(frozen=True)
class Path:
    """A field, or a measure, or a join itself, reached by join names."""

    names: Names

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True)
class Own:
    """In a field's `sql`, its own name: the table's column of it."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Parameter:
    name: str

    def __str__(self) -> str:
        return f":{self.name}"


@dataclass(frozen=True)
class Today:
    """The run's day in the report's time zone."""

    def __str__(self) -> str:
        return "today()"


@dataclass(frozen=True)
class Call:
    """An operator or a function over its arguments; `WRITTEN` says how it is written."""

    name: str
    arguments: tuple[Expression, ...]

    def __str__(self) -> str:
        return WRITTEN[self.name].format(*self.arguments)


@dataclass(frozen=True)
class In:
    value: Expression
    choices: tuple[Literal, ...]

    def __str__(self) -> str:
        return f"({self.value} in ({', '.join(map(str, self.choices))}))"


@dataclass(frozen=True)
class Aggregate:
    """An aggregate call; what stands beside it in YAML is in `Options`."""

    name: str
    argument: Expression

    def __str__(self) -> str:
        return f"{self.name}({self.argument})"


@dataclass(frozen=True)
class CountRows:
    """`count(*)`, in measures and summaries."""

    def __str__(self) -> str:
        return "count(*)"


@dataclass(frozen=True)
class Quantifier:
    name: str
    condition: Expression

    def __str__(self) -> str:
        return f"{self.name}({self.condition})"


Expression = (
    Literal | Path | Own | Parameter | Today | Call | In | Aggregate | CountRows | Quantifier
)

WRITTEN = {
    "=": "({} = {})", "<>": "({} <> {})", "<": "({} < {})", ">=": "({} >= {})", "between": "({} between {} and {})",
    "same": "({} is not distinct from {})", "other": "({} is distinct from {})", "null": "({} is null)",
    "true": "({} is true)", "untrue": "({} is not true)", "and": "({} and {})", "or": "({} or {})", "not": "(not {})",
    "+": "({} + {})", "-": "({} - {})", "*": "({} * {})", "/": "({} / {})", "int_div": "int_div({}, {})",
    "coalesce": "coalesce({}, {})", "nullif": "nullif({}, {})", "case": "case when {} then {} else {} end",
    "upper": "upper({})", "||": "({} || {})", "days": "date_diff('day', {}, {})", "next_day": "({} + interval '1' day)",
    "year": "year({})",
}  # fmt: skip


def parts(expression: Expression) -> Iterator[Expression]:
    """An expression and all that is in it."""
    yield expression
    match expression:
        case Call(_, arguments):
            for argument in arguments:
                yield from parts(argument)
        case In(value, _):
            yield from parts(value)
        case Aggregate(_, inner) | Quantifier(_, inner):
            yield from parts(inner)


def of_one_row(expression: Expression) -> Iterator[Expression]:
    """An expression and what in it speaks of the same row: aggregates and quantifiers go to rows of their own."""
    yield expression
    match expression:
        case Call(_, arguments):
            for argument in arguments:
                yield from of_one_row(argument)
        case In(value, _):
            yield from of_one_row(value)


# --- definitions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SortKey:
    expression: Expression
    descending: bool = False

    def __str__(self) -> str:
        return f"{self.expression}{' desc' if self.descending else ''}"


@dataclass(frozen=True)
class Options:
    """What stands beside an expression that aggregates."""

    where: Expression | None = None
    distinct: bool = False
    sort: tuple[SortKey, ...] = ()
    separator: str = ", "
    default: Any = None

    def written(self) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if self.where is not None:
            said["where"] = str(self.where)
        if self.distinct:
            said["distinct"] = True
        if self.sort:
            said["sort"] = [str(key) for key in self.sort]
        if self.separator != ", ":
            said["separator"] = self.separator
        if self.default is not None:
            said["default"] = self.default
        return said


@dataclass(frozen=True)
class Formatter:
    """Either `labels`, and perhaps `otherwise`, or `sql` over the path `value`."""

    labels: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    sql: Expression | None = None
    type: str | None = None

    def written(self) -> dict[str, Any]:
        if self.sql is not None:
            return {"sql": str(self.sql), "type": self.type}
        said: dict[str, Any] = {"labels": dict(self.labels)}
        return said if self.otherwise is None else {**said, "otherwise": self.otherwise}


@dataclass(frozen=True)
class Field:
    """A column of the table, or what is derived by `sql`, from a column of its name too where it `is_stored`."""

    type: str
    sql: Expression | None = None
    options: Options = Options()
    column: str | None = None
    nullable: bool = True
    labels: Formatter | None = None
    stored: bool = False

    def written(self) -> Any:
        said: dict[str, Any] = {"type": self.type}
        if self.column is not None:
            said["column"] = self.column
        if not self.nullable:
            said["nullable"] = False
        if self.labels is not None:
            said |= self.labels.written()
        if self.sql is not None:
            said["sql"] = str(self.sql)
        said |= self.options.written()
        return self.type if len(said) == 1 else said

    @property
    def is_stored(self) -> bool:
        return self.sql is None or self.stored


@dataclass(frozen=True)
class Measure:
    sql: Expression
    options: Options = Options()

    def written(self) -> Any:
        return {"sql": str(self.sql), **self.options.written()}


@dataclass(frozen=True)
class AsOf:
    at: str
    start: str
    end: str | None = None

    def written(self) -> dict[str, str]:
        said = {"at": self.at, "from": self.start}
        return said if self.end is None else {**said, "to": self.end}


@dataclass(frozen=True)
class Join:
    """`by` pairs fields here and there, or `sql` says which rows match. Of a `pick`, `sort` chooses the one row."""

    source: str
    by: tuple[tuple[str, str], ...] = ()
    where: Expression | None = None
    required: bool = False
    pick: tuple[SortKey, ...] = ()
    as_of: AsOf | None = None
    sql: Expression | None = None
    relationship: str | None = None

    def written(self) -> Any:
        said: dict[str, Any] = {"data_source": self.source}
        if self.sql is not None:
            said["sql"] = str(self.sql)
        elif all(here == there for here, there in self.by):
            names = [here for here, _ in self.by]
            said["by"] = names if len(names) > 1 else names[0]
        else:
            said["by"] = dict(self.by)
        if self.relationship is not None:
            said["relationship"] = self.relationship
        if self.where is not None:
            said["where"] = str(self.where)
        if self.required:
            said["required"] = True
        if self.pick:
            said["pick"] = {"sort": [str(key) for key in self.pick]}
        if self.as_of is not None:
            said["as_of"] = self.as_of.written()
        return said


@dataclass(frozen=True)
class Latest:
    """A change log. Without `order_by` it is one that genesis ingests."""

    order_by: Names = ()
    deleted: Names = ()  # a raw column that is true, if it says so at all

    def written(self) -> Any:
        if not self.order_by:
            return True
        said: dict[str, Any] = {"order_by": list(self.order_by)}
        return {**said, "deleted": self.deleted[0]} if self.deleted else said

    @property
    def columns(self) -> dict[str, str]:
        """The raw columns that it reads, with their types."""
        if not self.order_by:
            return {"_ts": "timestamptz", "_pos": "integer", "_op": "string"}
        time, *numbers = self.order_by
        return {
            time: "timestamp",
            **dict.fromkeys(numbers, "integer"),
            **dict.fromkeys(self.deleted, "boolean"),
        }


@dataclass
class Source:
    """A data source with its table; it grows while it is made up.

    What it has is all here. Of one that `extends` another, only `own` things are written.
    """

    name: str
    key: Names
    fields: dict[str, Field]
    rows: list[Row]
    joins: dict[str, Join] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    sets: dict[str, tuple[str, ...]] = field(default_factory=dict)
    where: Expression | None = None
    unique_keys: tuple[Names, ...] = ()
    latest: Latest | None = None
    table: str = ""
    extends: str | None = None
    own: set[tuple[str, str]] = field(default_factory=set)

    def written(self) -> Any:
        said: dict[str, Any] = {"data_source": self.name}
        if self.extends is not None:
            said["extends"] = self.extends
        else:
            key = self.key[0] if len(self.key) == 1 else list(self.key)
            said |= {"table": f"data.{self.table or self.name}", "primary_key": key}
            if self.unique_keys:
                said["unique_keys"] = [list(names) for names in self.unique_keys]
            if self.latest is not None:
                said["latest"] = self.latest.written()
        if self.where is not None and self._writes("where", ""):
            said["where"] = str(self.where)
        for kind in ("fields", "joins", "measures"):
            entries = {
                name: thing.written()
                for name, thing in getattr(self, kind).items()
                if self._writes(kind, name)
            }
            if entries:
                said[kind] = entries
        if sets := {n: list(of) for n, of in self.sets.items() if self._writes("sets", n)}:
            said["sets"] = sets
        return said

    def _writes(self, kind: str, name: str) -> bool:
        return self.extends is None or (kind, name) in self.own

    @property
    def columns(self) -> dict[str, str]:
        """The names by which rows hold what is in the table, with their types."""
        stored = {name: spec.type for name, spec in self.fields.items() if spec.is_stored}
        return {**stored, **(self.latest.columns if self.latest else {})}

    def column(self, name: str) -> str:
        """How the table calls it."""
        return (self.fields[name].column if name in self.fields else None) or name


Schema = dict[str, Source]


def fans_out(schema: Schema, join: Join) -> bool:
    """Whether a row may have many rows behind a join."""
    if join.pick or join.as_of is not None:
        return False
    if join.sql is not None:
        return str(join.relationship).endswith("to_many")
    there = {name for _, name in join.by}
    target = schema[join.source]
    return not any(there >= set(key) for key in (target.key, *target.unique_keys))


# --- reports --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """A column. `is_named` where its name is written, and not what its expression gives it."""

    name: str
    field: Expression
    options: Options = Options()
    is_named: bool = True
    format: str | None = None

    def written(self) -> Any:
        said = {"field": str(self.field), **self.options.written()}
        if self.is_named:
            said["name"] = self.name
        if self.format is not None:
            said["format"] = self.format
        return str(self.field) if len(said) == 1 else said


@dataclass(frozen=True)
class SetItem:
    """All members of a set but some."""

    name: str
    but: tuple[str, ...] = ()

    def written(self) -> Any:
        said: dict[str, Any] = {"set": self.name}
        return {**said, "except": list(self.but)} if self.but else said


@dataclass(frozen=True)
class Given:
    """A parameter, and the value it has in this run: handed in, or by default."""

    type: str
    value: Any
    is_default: bool = False

    def written(self) -> Any:
        value = self.value if isinstance(self.value, bool | int | float) else str(self.value)
        return {"type": self.type, **({"default": value} if self.is_default else {})}


@dataclass(frozen=True)
class Report:
    source: str
    items: tuple[Item | SetItem, ...]
    filters: tuple[Expression, ...] = ()
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None
    is_summary: bool = False
    having: tuple[Expression, ...] = ()
    parameters: tuple[tuple[str, Given], ...] = ()
    timezone: str = "UTC"
    moment: datetime | None = None
    as_of: bool = False

    def written(self) -> Any:
        said: dict[str, Any] = {"input": "report", "source": self.source}
        if self.is_summary:
            said["shape"] = "summary"
        if self.timezone != "UTC":
            said["timezone"] = self.timezone
        if self.parameters:
            said["parameters"] = {name: given.written() for name, given in self.parameters}
        said["fields"] = [item.written() for item in self.items]
        for key in ("filters", "having", "sort"):
            if texts := [str(part) for part in getattr(self, key)]:
                said[key] = texts
        return said if self.limit is None else {**said, "limit": self.limit}

    @property
    def handed_in(self) -> dict[str, str]:
        """The parameters' values as a command line gives them."""
        return {name: str(given.value) for name, given in self.parameters if not given.is_default}


@dataclass(frozen=True)
class World:
    """Data sources with their rows, and reports over them."""

    schema: Schema
    formatters: dict[str, Formatter]
    reports: tuple[Report, ...]


def definitions(schema: Schema, formatters: dict[str, Formatter]) -> list[Any]:
    """Data sources and formatters as YAML would give them."""
    shown = {name: formatter.written() for name, formatter in formatters.items()}
    found = [source.written() for source in schema.values()]
    return [*found, {"formatters": shown}] if shown else found


def as_yaml(schema: Schema, formatters: dict[str, Formatter], report: Report) -> str:
    """All definitions as one file."""
    found = [*definitions(schema, formatters), report.written()]
    return yaml.safe_dump_all(found, sort_keys=False, allow_unicode=True, width=1000)


def as_text(value: Any) -> str:
    """A value as `list` and labels write it."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:.2f}"
    return str(value)
