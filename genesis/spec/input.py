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
    """What its values are, by which a given value is read; the short form `name: type` says it alone:
    `type: string`.
    """
    default: Scalar = None
    """Its value when none is given; without a default, one must be: `default: EMEA`."""
    values: Items[Scalar] | None = None
    """The only values it takes: `values: [EMEA, APAC, UCAN]`."""
    description: str | None = None
    """What it is for, for people: `description: The region of the line producer.`."""


class Item(Aggregated, Checked):
    """One entry of an input's `fields`: a column, or a set of them."""

    field: str | None = None
    """A path or an expression; the short form is the text alone: `field: "sum(vendors.amount)"`."""
    set: str | None = None
    """A set of the source: all its members, as columns: `set: core`."""
    except_: Items[str] = Key(default=(), alias="except")
    """Members of the `set` that are left out: `except: [start_date]`."""
    name: Name | None = None
    """The column's name in SQL; a path or a plain aggregate of one has a name of its own:
    `name: vendor_share`.
    """
    label: str | None = None
    """The column's header; by default the field's label, else the name in words:
    `label: Shoot start`.
    """
    format: str | None = None
    """The formatter that shows it; by default the field's: `format: us_date`."""
    type: TypeName | None = None
    """What its values are; inferred where it can be: `type: float`."""
    description: str | None = None
    """What it means, for people: `description: Vendor costs as a share of the budget.`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "field", "set")
        yield from together(data, "except", "set")


class Input(Definition):
    """One report: a row per record of `source`, or per group of a summary."""

    kind: ClassVar[str] = "input"
    entries: ClassVar[tuple[str, ...]] = ("parameters",)

    source: str
    """The data source whose records are the rows: `source: production`."""
    fields: Items[Annotated[Item, short_form("field")]]
    """The columns, in order: expressions, mappings with one, and sets:
    `fields: [title, {field: count(tasks), name: tasks}]`.
    """
    title: str | None = None
    """What people call the report: `title: Productions at a glance`."""
    description: str | None = None
    """What it is for, for people: `description: Every production in preparation or shooting.`."""
    owner: str | None = None
    """Who answers for it: `owner: studio-ops@example.com`."""
    tags: Items[str] = ()
    """Words to find it by: `tags: [weekly]`."""
    shape: Literal["detail", "summary"] = "detail"
    """`detail`: one row per record of `source`. `summary`: one row per distinct combination of
    the columns that do not aggregate: `shape: summary`.
    """
    timezone: Timezone | None = None
    """What `today()` and `local_date` mean; by default the project's:
    `timezone: America/Los_Angeles`.
    """
    parameters: dict[Name, Annotated[Parameter, short_form("type")]] = Key(default_factory=dict)
    """Typed values that are handed in when the report runs, written `:name` in expressions:
    `parameters: {region: {type: string, default: EMEA}}`.
    """
    filters: OneOrMany[str] = ()
    """Conditions, all of which choose a record: `filters: ["status in ('PREP', 'SHOOT')"]`."""
    sort: OneOrMany[str] = ()
    """Columns, or to-one paths, each with `desc` or not; NULLs come last, and the key breaks
    ties: `sort: [start_date desc, movie.title]`.
    """
    limit: Annotated[int, Key(ge=1)] | None = None
    """How many rows at most, the first in the order of `sort`: `limit: 5000`."""
    having: OneOrMany[str] = ()
    """Conditions over the columns of a summary, all of which choose a row:
    `having: ["production_count > 10"]`.
    """

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        if data.get("fields") == []:
            yield mistake("wrong-type", "`fields` is empty", "list at least one", key="fields")
