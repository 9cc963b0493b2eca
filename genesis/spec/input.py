"""`input:` the fields, filters and formatters that make one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.spec.data_source import Aggregated
from genesis.spec.model import Checked, Definition, Model
from genesis.spec.values import (
    Items,
    Name,
    OneOrMany,
    Scalar,
    Timezone,
    TypeName,
    exactly_one,
    mistake,
    short_form,
    together,
)


class Parameter(Model):
    """A typed value that is handed in when the report runs."""

    type: TypeName
    default: Scalar = None
    values: Items[Scalar] | None = None
    description: str | None = None


class Item(Aggregated, Checked):
    """One entry of an input's `fields`: a column, or a set of them."""

    field: str | None = None
    set: str | None = None
    except_: Items[str] = Key(default=(), alias="except")
    name: Name | None = None
    label: str | None = None
    format: str | None = None
    type: TypeName | None = None
    description: str | None = None

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "field", "set")
        yield from together(data, "except", "set")


class Input(Definition):
    """One report: a row per record of `source`, or per group of a summary."""

    kind: ClassVar[str] = "input"

    source: str
    fields: Items[Annotated[Item, short_form("field")]]
    title: str | None = None
    description: str | None = None
    owner: str | None = None
    tags: Items[str] = ()
    shape: Literal["detail", "summary"] = "detail"
    timezone: Timezone | None = None
    parameters: dict[Name, Parameter] = Key(default_factory=dict)
    filters: OneOrMany[str] = ()
    sort: OneOrMany[str] = ()
    limit: Annotated[int, Key(ge=1)] | None = None
    having: OneOrMany[str] = ()

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("fields") == []:
            yield mistake("wrong-type", "`fields` is empty", "list at least one", key="fields")
