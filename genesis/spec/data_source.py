"""`data_source:` one table and what its rows mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, PrivateAttr
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from genesis.document import Path
from genesis.errors import Location
from genesis.spec.model import Checked, Definition, Model
from genesis.spec.values import (
    Duration,
    Items,
    Name,
    OneOrMany,
    OneOrMore,
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
    """The rows its aggregates see: related rows or, in a summary, the source's own; the
    report's rows stay: `where: "tasks.status <> 'DONE'"`.
    """
    distinct: bool = False
    """Aggregate each value once: `distinct: true`."""
    sort: OneOrMany[str] = ()
    """The order in which `list` writes values, and which record is `first` or `last`:
    `sort: [vendors.name]`.
    """
    separator: str = ", "
    """What stands between the values of a `list`: `separator: " / "`."""
    default: Scalar = None
    """What stands instead of NULL: `default: 0`."""


class Field(Aggregated):
    """A column of the table, or an expression over the record."""

    type: TypeName
    """What its values are; the short form `name: type` says it alone: `type: decimal(18,2)`."""
    column: str | None = None
    """The table's column; by default the one of the field's own name: `column: status_code`."""
    sql: str | None = None
    """An expression over fields and joined paths; the field's own name in it is the table's
    column: `sql: "upper(status)"`.
    """
    label: str | None = None
    """The header of its columns; by default its name in words: `label: Shoot start`."""
    format: str | None = None
    """The formatter that shows it, unless an input chooses another: `format: us_date`."""
    labels: dict[str, str] | None = None
    """What people read instead of each value: `labels: {PREP: In preparation, SHOOT: Shooting}`."""
    otherwise: str | None = None
    """What people read for values without a label, and for NULL: `otherwise: "-"`."""
    description: str | None = None
    """What it means, for people: `description: First day of principal photography.`."""
    values: Items[Scalar] | None = None
    """The only values it has, in the data and in filters: `values: [PREP, SHOOT, POST]`."""
    nullable: bool = True
    """Whether it may be NULL; a primary key is not, without saying so: `nullable: false`."""
    hidden: bool = False
    """Kept from catalogs and completions; expressions may use it: `hidden: true`."""
    sensitivity: str | None = None
    """How carefully its values are handled; a refresh's receipts and logs do not show them:
    `sensitivity: confidential`.
    """
    deprecated: str | None = None
    """What to use instead; whoever selects it is warned: `deprecated: use production_id`."""


class Pick(Model):
    """Which of many related rows is the one."""

    sort: OneOrMore[str]
    """The order in which the first related row is the one; it should leave no ties:
    `sort: [created_at desc, note_id desc]`.
    """


class AsOf(Model):
    """The related row whose half-open interval `[from, to)` holds `at`."""

    at: str
    """The moment that is looked up, a field here: `at: start_date`."""
    from_: str = Key(alias="from")
    """Where a related row's interval starts, a field there; a NULL has no start:
    `from: valid_from`.
    """
    to: str | None = None
    """Where it ends, itself not included, a field there; a NULL, or no `to`, is open-ended:
    `to: valid_to`.
    """


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


KeyPairs = Annotated[tuple[tuple[str, str], ...], Key(min_length=1), BeforeValidator(_key_pairs)]


class Join(Checked):
    """A named path to another data source. `by` holds pairs of fields, here and there."""

    data_source: str | None = None
    """Where it leads; by default the data source of the join's own name: `data_source: person`."""
    by: KeyPairs | None = None
    """The fields whose equality relates two rows: one name, a list of names, or `here: there`:
    `by: {line_producer_id: person_id}`.
    """
    sql: str | None = None
    """A condition instead of `by`; the other side's fields carry the join's name:
    `sql: "region = nearby.region"`.
    """
    where: str | None = None
    """Which rows of the other side count; it acts before `pick` and `as_of` choose:
    `where: "vendors.active"`.
    """
    relationship: Relationship | None = None
    """How many rows there are on either side; inferred for a join `by`, and must agree with
    that: `relationship: one_to_many`.
    """
    required: bool = False
    """Records without a match are no records of this data source, wherever it is used:
    `required: true`.
    """
    pick: Pick | None = None
    """Makes a to-one of a to-many join: the first related row in an order:
    `pick: {sort: [created_at desc]}`.
    """
    as_of: AsOf | None = None
    """Makes a to-one of a to-many join: the related row that was valid at a moment:
    `as_of: {at: start_date, from: valid_from, to: valid_to}`.
    """
    description: str | None = None
    """What it means, for people: `description: Who answers for the schedule.`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, "by", "sql")
        if "sql" in data and "by" not in data and "relationship" not in data:
            yield lacking("relationship", hint="a condition does not tell whether it leads to many")
        yield from exclusive(data, "pick", "as_of")


class Measure(Aggregated):
    """A named aggregate over the data source's own rows."""

    sql: str
    """The aggregate, over fields of this data source: `sql: "sum(budget)"`."""
    type: TypeName | None = None
    """What its values are; inferred where it can be: `type: decimal(38,2)`."""
    label: str | None = None
    """The header of its columns; by default its name in words: `label: Total budget`."""
    format: str | None = None
    """The formatter that shows it, unless an input chooses another: `format: usd`."""
    description: str | None = None
    """What it means, for people: `description: Budgets of all productions.`."""
    sensitivity: str | None = None
    """How carefully its values are handled; a refresh's receipts and logs do not show them:
    `sensitivity: confidential`.
    """
    hidden: bool = False
    """Kept from catalogs and completions; expressions may use it: `hidden: true`."""


class Latest(Model):
    """How the newest record of a key is told: raw columns, newest last, later ones breaking ties."""

    order_by: Annotated[tuple[str, ...], Key(strict=False, min_length=1)] = ("_ts", "_pos")
    """Raw columns, newest last; later ones break ties; the first is the time:
    `order_by: [_ts, _pos]`.
    """
    deleted: str | None = "_op = 'd'"
    """The condition, over raw columns, by which a newest record is a delete; with an `order_by`
    of your own, nothing is unless this says so: `deleted: "_op = 'd'"`.
    """
    lateness: Duration = timedelta(days=7)
    """How late an event may arrive; deletes are remembered for as long: `lateness: 7d`."""


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


# What is inherited entry by entry.
ENTRIES = ("fields", "joins", "measures", "sets")


class DataSource(Definition):
    """One table (or query) and what its rows mean."""

    kind: ClassVar[str] = "data_source"
    entries: ClassVar[tuple[str, ...]] = ENTRIES

    description: str | None = None
    """What one row stands for, for people: `description: One row per studio production.`."""
    owner: str | None = None
    """Who answers for it: `owner: studio-data@example.com`."""
    domain: str | None = None
    """The part of the business it belongs to: `domain: production-management`."""
    tags: Items[str] = ()
    """Words to find it by: `tags: [core]`."""
    extends: str | None = None
    """The data source whose keys this one inherits; what is written here wins:
    `extends: production`.
    """
    table: str | None = None
    """The table, dotted; odd parts in double quotes: `table: studio.production_events`."""
    sql: str | None = None
    """A query instead of a table, in the project's dialect: the one place where a whole query
    may stand: `sql: "select * from studio.credit where not is_test"`.
    """
    primary_key: OneOrMany[str] = ()
    """The field, or fields, that tell its rows apart: `primary_key: production_id`."""
    unique_keys: Items[OneOrMore[str]] = ()
    """Other fields that tell its rows apart; joins onto them are to-one:
    `unique_keys: [[movie_id, phase]]`.
    """
    latest: Annotated[Latest | None, BeforeValidator(_latest)] = None
    """The table is an append-only log of changes: only each key's newest record counts. `true`,
    or how the newest is told: `latest: true`.
    """
    opt_in: bool = True
    """Whether a column that its source comes to have is kept too, before a field reads it:
    `opt_in: false`.
    """
    where: str | None = None
    """Which records there are, wherever the data source is used; it acts after `latest`:
    `where: "not is_test"`.
    """
    fields: dict[Name, Annotated[Field, short_form("type")]] = Key(default_factory=dict)
    """The columns and derived values of one record, by name:
    `fields: {production_id: integer, title: string}`.
    """
    joins: dict[Name, Join] = Key(default_factory=dict)
    """Named paths to other data sources: `joins: {movie: {by: movie_id}}`."""
    measures: dict[Name, Measure] = Key(default_factory=dict)
    """Named aggregates over this data source's own rows:
    `measures: {production_count: {sql: "count(*)", type: integer}}`.
    """
    sets: dict[Name, Items[str]] = Key(default_factory=dict)
    """Selections that inputs use by name; only what a report selects is joined:
    `sets: {core: [status, start_date, movie.title]}`.
    """

    _base: DataSource | None = PrivateAttr(default=None)

    def based_on(self, base: DataSource) -> DataSource:
        """The same data source, knowing that what it does not say itself stands in `base`'s file."""
        self._base = base
        return self

    def has_unread(self, name: str) -> bool:
        """Whether an entry of that name could not be read, here or in what this extends."""
        return super().has_unread(name) or (self._base is not None and self._base.has_unread(name))

    def locate(self, *path: str | int, offset: int | None = None, length: int = 1) -> Location:
        """The place of a value, where it was written: here, or in what this extends."""
        if self._base is not None and self._is_inherited(path):
            return self._base.locate(*path, offset=offset, length=length)
        return super().locate(*path, offset=offset, length=length)

    def locate_key(self, *path: str | int) -> Location:
        """The place of a key, where it was written."""
        if self._base is not None and self._is_inherited(path):
            return self._base.locate_key(*path)
        return super().locate_key(*path)

    def _is_inherited(self, path: Path) -> bool:
        """Whether the key that a path starts with, or the entry that it leads into, is not written here."""
        start = path[:2] if path and path[0] in ENTRIES else path[:1]
        return start != () and self._document.spot(*start) is None

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


def own_column(name: str, field: Field) -> str | None:
    """The raw column that a field reads, or `None` where it is derived from others."""
    if field.column is not None:
        return field.column
    if field.sql is None:
        return name
    # The field's own name as a word of its SQL: not in a text, no step of a path, no function.
    # A wrong guess only makes a column that stays NULL, so nothing is parsed.
    without_text = re.sub(r"'(?:[^']|'')*'", "''", field.sql)
    word = rf"(?<![\w.]){re.escape(name)}(?!\w|\"?\s*[.(])"
    return name if re.search(word, without_text, re.IGNORECASE) else None
