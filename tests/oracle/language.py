"""Definitions and expressions as plain values, and as the YAML that says them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
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
        return str(self.value)


@dataclass(frozen=True)
class Path:
    """A field, or a measure, or a join itself, reached by join names."""

    names: Names

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True)
class Call:
    """An operator or a function over its arguments; `sql` is how it is written, `{}` for each."""

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
    """`count(*)`, in measures."""

    def __str__(self) -> str:
        return "count(*)"


@dataclass(frozen=True)
class Quantifier:
    name: str
    condition: Expression

    def __str__(self) -> str:
        return f"{self.name}({self.condition})"


Expression = Literal | Path | Call | In | Aggregate | CountRows | Quantifier

WRITTEN = {
    "=": "({} = {})", "<>": "({} <> {})", "<": "({} < {})", ">=": "({} >= {})",
    "same": "({} is not distinct from {})", "null": "({} is null)", "true": "({} is true)",
    "and": "({} and {})", "or": "({} or {})", "not": "(not {})",
    "+": "({} + {})", "-": "({} - {})", "*": "({} * {})", "/": "({} / {})", "int_div": "int_div({}, {})",
    "coalesce": "coalesce({}, {})", "case": "case when {} then {} else {} end", "upper": "upper({})",
    "||": "({} || {})",
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
class Field:
    type: str
    sql: Expression | None = None
    options: Options = Options()

    def written(self) -> Any:
        if self.sql is None:
            return self.type
        return {"type": self.type, "sql": str(self.sql), **self.options.written()}


@dataclass(frozen=True)
class Measure:
    sql: Expression
    options: Options = Options()

    def written(self) -> Any:
        return {"sql": str(self.sql), **self.options.written()}


@dataclass(frozen=True)
class Join:
    """`by` pairs fields here and there. Of a `pick`, `sort` chooses the one row."""

    source: str
    by: tuple[tuple[str, str], ...]
    where: Expression | None = None
    required: bool = False
    pick: tuple[SortKey, ...] = ()

    def written(self) -> Any:
        said: dict[str, Any] = {"data_source": self.source, "by": dict(self.by)}
        if self.where is not None:
            said["where"] = str(self.where)
        if self.required:
            said["required"] = True
        if self.pick:
            said["pick"] = {"sort": [str(key) for key in self.pick]}
        return said


@dataclass
class Source:
    """A data source with its table; it grows while it is made up."""

    name: str
    key: Names
    fields: dict[str, Field]
    rows: list[Row]
    joins: dict[str, Join] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    where: Expression | None = None

    def written(self) -> Any:
        said: dict[str, Any] = {
            "data_source": self.name,
            "table": f"data.{self.name}",
            "primary_key": list(self.key),
        }
        if self.where is not None:
            said["where"] = str(self.where)
        for kind in ("fields", "joins", "measures"):
            said[kind] = {name: thing.written() for name, thing in getattr(self, kind).items()}
        return said

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns with their types."""
        return {name: spec.type for name, spec in self.fields.items() if spec.sql is None}


Schema = dict[str, Source]


def fans_out(schema: Schema, join: Join) -> bool:
    """Whether a row may have many rows behind a join."""
    return not join.pick and not {there for _, there in join.by} >= set(schema[join.source].key)


@dataclass(frozen=True)
class Item:
    name: str
    field: Expression
    options: Options = Options()

    def written(self) -> Any:
        return {"name": self.name, "field": str(self.field), **self.options.written()}


@dataclass(frozen=True)
class Report:
    source: str
    items: tuple[Item, ...]
    filters: tuple[Expression, ...] = ()
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None

    def written(self) -> Any:
        said: dict[str, Any] = {
            "input": "report",
            "source": self.source,
            "fields": [item.written() for item in self.items],
            "filters": [str(condition) for condition in self.filters],
            "sort": [str(key) for key in self.sort],
        }
        return said if self.limit is None else {**said, "limit": self.limit}


def as_yaml(schema: Schema, report: Report) -> str:
    """All definitions as one file."""
    documents = [*(source.written() for source in schema.values()), report.written()]
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=1000)
