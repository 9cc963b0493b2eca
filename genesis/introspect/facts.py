"""What a place says of its tables: columns with their types, declared keys; and how it is asked. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlglot
from sqlglot import exp

from genesis.compile.infer import from_sql
from genesis.spec.types import MAX_PRECISION, STRING, TIMESTAMP, TIMESTAMPTZ, Type

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column, with the language's type for it; one that it has no type for has none."""

    name: str
    declared: str
    type: Type | None
    nullable: bool = True


@dataclass(frozen=True)
class ForeignKey:
    """Columns that are declared to name a row of another table."""

    columns: tuple[str, ...]
    table: Parts
    there: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table and what is declared of it. `called` is its name in a definition, `origin` where it was found.

    A log has the columns of events beside these: several rows may be of one record.
    """

    parts: Parts
    called: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    origin: str | None = None
    is_log: bool = False
    source: exp.Expr | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The table's own name, without its schema."""
        return self.parts[-1]

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


class Place(Protocol):
    """Where tables are."""

    dialect: str

    def tables(self) -> list[Table]:
        """All of them, in the order of their names. Raises `EngineError`."""

    def ask(self, query: exp.Query) -> Sequence[Sequence[Any]]:
        """The rows of a query. Raises `EngineError`."""


def read_type(declared: str, dialect: str) -> Type | None:
    """The language's type for what a place calls one, or `None` where there is none."""
    try:
        return _read(exp.DataType.build(declared, dialect=dialect))
    except (sqlglot.ParseError, sqlglot.TokenError, ValueError):
        return None


def _read(declared: exp.DataType) -> Type | None:
    kind = exp.DataType.Type
    if declared.this in (kind.ARRAY, kind.LIST):
        inner = declared.expressions[0] if declared.expressions else None
        item = _read(inner) if isinstance(inner, exp.DataType) else None
        return Type("array", item=item) if item else None
    if declared.this == kind.DECIMAL and not declared.expressions:
        return Type("decimal", MAX_PRECISION, 9)
    return from_sql(declared) or _OTHERS.get(declared.this)


_OTHERS = {
    exp.DataType.Type.UINT: Type("integer"),
    exp.DataType.Type.USMALLINT: Type("integer"),
    exp.DataType.Type.UTINYINT: Type("integer"),
    exp.DataType.Type.UBIGINT: Type("decimal", 20),
    exp.DataType.Type.INT128: Type("decimal", MAX_PRECISION),
    exp.DataType.Type.UINT128: Type("decimal", MAX_PRECISION),
    exp.DataType.Type.UUID: STRING,
    exp.DataType.Type.ENUM: STRING,
    exp.DataType.Type.NCHAR: STRING,
    exp.DataType.Type.NVARCHAR: STRING,
    exp.DataType.Type.BPCHAR: STRING,
    exp.DataType.Type.JSONB: Type("json"),
    exp.DataType.Type.TIMESTAMP_S: TIMESTAMP,
    exp.DataType.Type.TIMESTAMP_MS: TIMESTAMP,
    exp.DataType.Type.TIMESTAMP_NS: TIMESTAMP,
    exp.DataType.Type.DATETIME: TIMESTAMP,
    exp.DataType.Type.TIMESTAMPLTZ: TIMESTAMPTZ,
}
