"""`data_source:` one table and what its rows mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.spec.model import Checked, Definition, Model
from genesis.spec.values import Duration, Items, Name, OneOrMany, Scalar, TypeName, mistake

Relationship = Literal["one_to_one", "many_to_one", "one_to_many", "many_to_many"]


def _short_form(value: Any) -> Any:
    """`name: type` says `name: {type: type}`."""
    return {"type": value} if isinstance(value, str) else value


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
    raise mistake("wrong-type", "`by` is a field, a list of fields, or a mapping `{here: there}`")


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
        if ("by" in data) == ("sql" in data):
            if "by" in data:
                yield mistake("wrong-join", "a join is told by `by` or `sql`, not both")
            else:
                yield mistake("missing-key", "a join is told by `by` or `sql`", key="by")
        if "sql" in data and "relationship" not in data:
            yield mistake("missing-key", "a join by `sql` states its `relationship`")
        if "pick" in data and "as_of" in data:
            yield mistake("wrong-join", "a join has `pick` or `as_of`, not both")


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
    return value


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
    fields: dict[Name, Annotated[Field, BeforeValidator(_short_form)]] = Key(default_factory=dict)
    joins: dict[Name, Join] = Key(default_factory=dict)
    measures: dict[Name, Measure] = Key(default_factory=dict)
    sets: dict[Name, Items[str]] = Key(default_factory=dict)

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("table") and data.get("sql"):
            yield mistake("wrong-join", "a data source has a `table` or `sql`, not both")
        if "extends" in data:
            return
        if not (data.get("table") or data.get("sql")):
            yield _lacks(data, "table", "a `table`, or a query as `sql`")
        for key in ("primary_key", "fields"):
            if not data.get(key):
                yield _lacks(data, key)


def _lacks(data: Mapping[str, Any], key: str, hint: str | None = None) -> PydanticCustomError:
    return mistake("missing-key", f"data source `{data['name']}` lacks `{key}`", hint, key=key)
