"""`data_source:` one table and what its rows mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.spec.model import Checked, Definition, Model
from genesis.spec.values import (
    Duration,
    Items,
    Name,
    OneOrMany,
    Scalar,
    TypeName,
    describe,
    exactly_one,
    exclusive,
    lacking,
    mistake,
    short_form,
)

Relationship = Literal["one_to_one", "many_to_one", "one_to_many", "many_to_many"]


class Aggregated(Model):
    """What may stand beside an expression that aggregates."""

    where: str | None = None
    distinct: bool = False
    sort: OneOrMany[str] = ()
    separator: str = ", "
    default: Scalar = None


class Field(Aggregated):
    """A column of the table, or an expression over the record."""

    type: TypeName
    column: str | None = None
    sql: str | None = None
    label: str | None = None
    format: str | None = None
    labels: dict[str, str] | None = None
    otherwise: str | None = None
    description: str | None = None
    values: Items[Scalar] | None = None
    nullable: bool = True
    hidden: bool = False
    sensitivity: str | None = None
    deprecated: str | None = None


class Pick(Model):
    """Which of many related rows is the one."""

    sort: OneOrMany[str]


class AsOf(Model):
    """The related row whose half-open interval `[from, to)` holds `at`."""

    at: str
    from_: str = Key(alias="from")
    to: str | None = None


def _key_pairs(value: Any) -> Any:
    """`by` in its three forms, as pairs of here and there."""
    match value:
        case str():
            return ((value, value),)
        case list() if all(isinstance(item, str) for item in value):
            return tuple((item, item) for item in value)
        case dict() if all(isinstance(item, str) for item in value.values()):
            return tuple(value.items())
    message = (
        f"{{it}} should be a field, a list of fields, or `{{here: there}}`, not {describe(value)}"
    )
    raise mistake("wrong-type", message)


KeyPairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_key_pairs)]


class Join(Checked):
    """A named path to another data source. `by` holds pairs of fields, here and there."""

    data_source: str | None = None
    by: KeyPairs | None = None
    sql: str | None = None
    where: str | None = None
    relationship: Relationship | None = None
    required: bool = False
    pick: Pick | None = None
    as_of: AsOf | None = None
    description: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "by", "sql")
        if "sql" in data and "by" not in data and "relationship" not in data:
            yield lacking("relationship", hint="a condition does not tell whether it leads to many")
        yield from exclusive(data, "pick", "as_of")


class Measure(Aggregated):
    """A named aggregate over the data source's own rows."""

    sql: str
    type: TypeName | None = None
    label: str | None = None
    format: str | None = None
    description: str | None = None
    sensitivity: str | None = None
    hidden: bool = False


class Latest(Model):
    """How the newest record of a key is told: raw columns, newest last, later ones breaking ties."""

    order_by: Items[str] = ("_ts", "_pos")
    deleted: str | None = "_op = 'd'"
    lateness: Duration = timedelta(days=7)


def _latest(value: Any) -> Any:
    match value:
        case True:
            return {}
        case False:
            return None
        case {"order_by": _} if "deleted" not in value:
            return {**value, "deleted": None}  # a log of another make says itself what a delete is
        case dict():
            return value
    message = f"{{it}} should be `true`, or a mapping (`key: value`), not {describe(value)}"
    raise mistake("wrong-type", message)


class DataSource(Definition):
    """One table (or query) and what its rows mean."""

    kind: ClassVar[str] = "data_source"

    description: str | None = None
    owner: str | None = None
    domain: str | None = None
    tags: Items[str] = ()
    extends: str | None = None
    table: str | None = None
    sql: str | None = None
    primary_key: OneOrMany[str] = ()
    unique_keys: Items[OneOrMany[str]] = ()
    latest: Annotated[Latest | None, BeforeValidator(_latest)] = None
    where: str | None = None
    fields: dict[Name, Annotated[Field, short_form("type")]] = Key(default_factory=dict)
    joins: dict[Name, Join] = Key(default_factory=dict)
    measures: dict[Name, Measure] = Key(default_factory=dict)
    sets: dict[Name, Items[str]] = Key(default_factory=dict)

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exclusive(data, "table", "sql")
        if "extends" in data:
            return
        if "table" not in data and "sql" not in data:
            yield lacking("table", "sql")
        empty: dict[str, object] = {"primary_key": [], "fields": {}}
        for key, nothing in empty.items():
            if key not in data:
                yield lacking(key)
            elif data[key] == nothing:
                yield mistake("wrong-type", f"`{key}` is empty", key=key)
