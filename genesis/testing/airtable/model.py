"""Bases, tables, fields and records, and what people do to them.

Methods of people (`edit`, `add`, `duplicate`, `rename_field`, ...) take the names that people see and
keep no limits. The surprise: a record holds its values by field id, so that fields can be renamed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genesis.testing.airtable import values
from genesis.testing.airtable.refusals import (
    Refusal,
    duplicate_field,
    duplicate_table,
    full_base,
    invalid,
    no_such_record,
    not_done,
    not_permitted,
    record_gone,
    several_matches,
    unknown_field,
)

Values = dict[str, Any]
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "number": ("precision",),
    "percent": ("precision",),
    "currency": ("precision", "symbol"),
    "checkbox": ("icon", "color"),
    "date": ("dateFormat",),
    "dateTime": ("dateFormat", "timeFormat", "timeZone"),
    "singleSelect": ("choices",),
    "multipleSelects": ("choices",),
    "multipleRecordLinks": ("linkedTableId",),
}


@dataclass
class Field:
    """A field of a table."""

    id: str
    name: str
    type: str
    table: Table
    description: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    inverse_of: Field | None = None

    @property
    def choices(self) -> list[str]:
        return [choice["name"] for choice in self.options["choices"]]

    @property
    def linked(self) -> Table:
        return self.table.base.table(self.options["linkedTableId"])

    def add_choice(self, name: str) -> None:
        if name not in self.choices:
            self.options["choices"].append({"id": self.table.base.new_id("sel"), "name": name})

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"id": self.id, "name": self.name, "type": self.type}
        if self.description:
            told["description"] = self.description
        return told | ({"options": self.options} if self.options else {})


@dataclass
class Record:
    """A record; `values` go by field id, and hold nothing that is empty."""

    id: str
    created: str
    values: Values = field(default_factory=dict)


class Finder:
    """Records by what they hold in some fields; it looks again only at those that were touched."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self._fields = [one.id for one in fields]
        self._held: dict[str, str] = {}
        self._holders: dict[str, dict[str, Record]] = {}

    def find(self, goal: Sequence[Any]) -> list[Record]:
        return list(self._holders.get(repr(list(goal)), {}).values())

    def look_again(self, touched: Iterable[str], by_id: Mapping[str, Record]) -> None:
        for id_ in touched:
            if (held := self._held.pop(id_, None)) is not None:
                del self._holders[held][id_]
            if record := by_id.get(id_):
                held = repr([record.values.get(one) for one in self._fields])
                self._held[id_] = held
                self._holders.setdefault(held, {})[id_] = record


@dataclass
class Table:
    """A table of a base."""

    id: str
    name: str
    base: Base
    description: str = ""
    fields: list[Field] = field(default_factory=list)
    by_id: dict[str, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._finders: dict[tuple[str, ...], Finder] = {}
        self._touched: set[str] = set()

    # ---- what people do

    @property
    def rows(self) -> list[Values]:
        """The records as people see them: by field name, without what is empty."""
        return [self.row(record) for record in self.records]

    @property
    def records(self) -> list[Record]:
        return list(self.by_id.values())

    def row(self, record: Record) -> Values:
        return {f.name: v for f in self.fields if (v := self._value(record, f)) is not None}

    def find(self, **seen: Any) -> Record:
        """The one record with these values; spaces in names of fields are written `_`."""
        named = {name.replace("_", " "): value for name, value in seen.items()}
        found = [r for r in self.records if all(self.row(r).get(n) == v for n, v in named.items())]
        (record,) = found
        return record

    def edit(self, record: Record, **new: Any) -> None:
        """Type into cells."""
        self._set(record, {n.replace("_", " "): v for n, v in new.items()}, typecast=True)

    def write(self, record: Record, new: Mapping[str, Any]) -> None:
        """Type into cells of fields whose names are no Python names."""
        self._set(record, new, typecast=True)

    def add(self, **new: Any) -> Record:
        """Make a record."""
        record = self._new_record()
        self.edit(record, **new)
        return record

    def duplicate(self, record: Record) -> Record:
        """Copy a record with all that it holds."""
        copy = self._new_record()
        copy.values = dict(record.values)
        return copy

    def remove(self, record: Record) -> None:
        """Delete a record; links to it go with it."""
        del self.by_id[record.id]
        self._touched.add(record.id)
        for table in self.base.tables:
            for one in table.fields:
                if one.type == "multipleRecordLinks" and not one.inverse_of and one.linked is self:
                    for other in table.records:
                        left = [i for i in other.values.get(one.id, []) if i != record.id]
                        table._keep(other, one, left or None)

    def add_field(self, name: str, type_: str = "singleLineText", **options: Any) -> Field:
        """Make a field."""
        return self.create_field({"name": name, "type": type_, "options": options or None})

    def rename_field(self, old: str, new: str) -> None:
        self.field(old).name = new

    def remove_field(self, name: str) -> None:
        gone = self.field(name)
        self.fields.remove(gone)
        self._finders.clear()
        for record in self.records:
            record.values.pop(gone.id, None)

    def retype_field(self, name: str, type_: str, **options: Any) -> None:
        """Change a field's type; text that is chosen from becomes its options."""
        found = self.field(name)
        texts = [r.values[found.id] for r in self.records if found.id in r.values]
        found.type, found.options = type_, dict(options)
        self._finders.clear()
        if type_ in ("singleSelect", "multipleSelects"):
            found.options.setdefault("choices", [])
            for text in texts:
                found.add_choice(text)
            if type_ == "multipleSelects":
                for record in self.records:
                    if found.id in record.values:
                        record.values[found.id] = [record.values[found.id]]

    # ---- what requests do

    def field(self, name_or_id: str) -> Field:
        for one in self.fields:
            if name_or_id in (one.id, one.name):
                return one
        raise unknown_field(name_or_id)

    def create_field(self, asked: Mapping[str, Any]) -> Field:
        """A new field. Raises `Refusal`."""
        new = self._check_field(asked)
        self.fields.append(new)
        if new.type == "multipleRecordLinks":
            inverse = Field(
                self.base.new_id("fld"), self._free_name(new.linked), new.type, new.linked
            )
            inverse.options = {"linkedTableId": self.id, "isReversed": False}
            inverse.options |= {"prefersSingleRecordLink": False, "inverseLinkFieldId": new.id}
            inverse.inverse_of = new
            new.options["inverseLinkFieldId"] = inverse.id
            new.linked.fields.append(inverse)
        return new

    def create(self, asked: Iterable[Values], *, typecast: bool) -> list[Record]:
        """New records, all or none of them. Raises `Refusal`."""
        new = [self._checked(fields, typecast=typecast) for fields in asked]
        self.base.check_room(len(new))
        records = [self._new_record() for _ in new]
        for record, checked in zip(records, new, strict=True):
            self._merge(record, checked)
        return records

    def update(
        self, asked: Iterable[tuple[str, Values]], *, typecast: bool, replace: bool
    ) -> list[Record]:
        """Changed records, all or none of them. Raises `Refusal`."""
        found = []
        for id_, fields in asked:
            if id_ not in self.by_id:
                raise no_such_record(id_)
            found.append((self.by_id[id_], self._checked(fields, typecast=typecast)))
        for record, checked in found:
            if replace:
                kept = [f.id for f in self.fields if f.type in values.COMPUTED]
                record.values = {i: v for i, v in record.values.items() if i in kept}
                self._touched.add(record.id)
            self._merge(record, checked)
        return [record for record, _ in found]

    def matches(self, asked: Iterable[Values], merge_on: list[str]) -> list[Record | None]:
        """The record that each upsert means, `None` where it makes a new one. Raises `Refusal`."""
        keys = [self.field(name) for name in merge_on]
        if wrong := [key for key in keys if key.type not in values.MERGEABLE]:
            raise invalid(f'Field "{wrong[0].name}" cannot be used to merge records')
        finder = self._finder(keys)
        return [self._match(fields, keys, finder) for fields in asked]

    def _finder(self, keys: list[Field]) -> Finder:
        """Who holds what in these fields, now; of finders of others nobody has need any more."""
        ids = tuple(key.id for key in keys)
        touched = self._touched if ids in self._finders else self.by_id
        self._finders = {ids: self._finders.get(ids) or Finder(keys)}
        self._finders[ids].look_again(touched, self.by_id)
        self._touched.clear()
        return self._finders[ids]

    def _match(self, fields: Values, keys: list[Field], finder: Finder) -> Record | None:
        named = {self.field(name).id: value for name, value in fields.items()}
        if any(key.id not in named for key in keys):
            raise invalid("fieldsToMergeOn must be present in every record")
        goal = [values.stored(key, named[key.id], typecast=False) for key in keys]
        found = finder.find(goal)
        if len(found) > 1:
            raise several_matches()
        return found[0] if found else None

    def check(self, fields: Values, *, typecast: bool) -> None:
        """Whether a record could be given these values. Raises `Refusal`."""
        self._checked(fields, typecast=typecast)

    def delete(self, ids: Iterable[str]) -> None:
        """Delete records, all or none of them. Raises `Refusal`."""
        ids = list(ids)
        if any(id_ not in self.by_id for id_ in ids):
            raise record_gone()
        for id_ in ids:
            self.remove(self.by_id[id_])

    def record_to_json(
        self, record: Record, fields: list[Field] | None, *, by_id: bool
    ) -> dict[str, Any]:
        told = {
            (one.id if by_id else one.name): value
            for one in fields or self.fields
            if (value := self._value(record, one)) is not None
        }
        return {"id": record.id, "createdTime": record.created, "fields": told}

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "primaryFieldId": self.fields[0].id,
            "fields": [one.to_json() for one in self.fields],
            "views": [{"id": self.id.replace("tbl", "viw"), "name": "Grid view", "type": "grid"}],
        }

    def _value(self, record: Record, one: Field) -> Any:
        if one.type in ("createdTime", "lastModifiedTime"):
            return record.created
        if one.inverse_of:
            there = one.inverse_of
            linking = [o.id for o in there.table.records if record.id in o.values.get(there.id, [])]
            return linking or None
        return record.values.get(one.id)

    def _set(self, record: Record, new: Mapping[str, Any], *, typecast: bool) -> None:
        self._merge(record, self._checked(dict(new), typecast=typecast))

    def _checked(self, fields: Values, *, typecast: bool) -> list[tuple[Field, Any]]:
        if not isinstance(fields, dict):
            raise invalid("Invalid request: parameter validation failed. Check your request data.")
        named = [(self.field(name), value) for name, value in fields.items()]
        return [(one, values.stored(one, value, typecast=typecast)) for one, value in named]

    def _merge(self, record: Record, checked: Iterable[tuple[Field, Any]]) -> None:
        for one, value in checked:
            self._keep(record, one, value)

    def _keep(self, record: Record, one: Field, value: Any) -> None:
        self._touched.add(record.id)
        if value is None:
            record.values.pop(one.id, None)
        else:
            record.values[one.id] = value

    def _new_record(self) -> Record:
        record = Record(self.base.new_id("rec"), self.base.now())
        self.by_id[record.id] = record
        self._touched.add(record.id)
        return record

    def _check_field(self, asked: Mapping[str, Any]) -> Field:
        name, type_ = asked.get("name"), asked.get("type")
        options = dict(asked.get("options") or {})
        if not isinstance(name, str) or not name.strip() or self._has(name):
            raise duplicate_field()
        if type_ not in values.CREATABLE:
            raise not_done(f"fields of type `{type_}`")
        for option in _OPTIONS.get(type_, ()):
            if option not in options:
                raise invalid(f"Invalid options for {self.name}.{name}: missing {option}")
        if not 0 <= options.get("precision", 0) <= 8:
            raise invalid(f"Invalid options for {self.name}.{name}: precision must be 0 to 8")
        if unknown := set(options) - {*_OPTIONS.get(type_, ()), "prefersSingleRecordLink"}:
            raise invalid(f"Invalid options for {self.name}.{name}: unknown {min(unknown)}")
        new = Field(self.base.new_id("fld"), name, type_, self, asked.get("description") or "")
        new.options = self._complete(type_, options)
        return new

    def _complete(self, type_: str, options: dict[str, Any]) -> dict[str, Any]:
        """The options as Airtable tells them: every choice with an id, formats with their patterns."""
        if "choices" in options:
            choices = options["choices"]
            ids = ((self.base.new_id("sel"), choice["name"]) for choice in choices)
            options["choices"] = [{"id": id_, "name": name} for id_, name in ids]
        for key in ("dateFormat", "timeFormat"):
            if key in options:
                options[key] = {"format": options[key]["name"], **options[key]}
        if type_ == "multipleRecordLinks":
            self.base.table(options["linkedTableId"])
            options = {"isReversed": False, "prefersSingleRecordLink": False, **options}
        return options

    def _has(self, name: str) -> bool:
        return name.casefold() in {one.name.casefold() for one in self.fields}

    def _free_name(self, linked: Table) -> str:
        names = itertools.chain([self.name], (f"{self.name} {n}" for n in itertools.count(2)))
        return next(name for name in names if not linked._has(name))


@dataclass
class Base:
    """A base; `max_records` is its plan's."""

    id: str
    name: str
    max_records: int
    ids: Iterator[int]
    now: Any
    tables: list[Table] = field(default_factory=list)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self.ids):014d}"

    def table(self, name_or_id: str) -> Table:
        for table in self.tables:
            if name_or_id in (table.id, table.name):
                return table
        raise not_permitted()

    def create_table(self, asked: Mapping[str, Any]) -> Table:
        """A new table. Raises `Refusal`."""
        name, fields = asked.get("name"), asked.get("fields")
        if not isinstance(name, str) or not name or not fields:
            raise invalid("A table needs a name and at least one field")
        if name.casefold() in {table.name.casefold() for table in self.tables}:
            raise duplicate_table()
        table = Table(self.new_id("tbl"), name, self, asked.get("description") or "")
        if fields[0].get("type") not in values.PRIMARY:
            raise invalid(f"{fields[0].get('type')} cannot be the type of a primary field")
        self.tables.append(table)
        try:
            for one in fields:
                table.create_field(one)
        except Refusal:
            self.tables.remove(table)
            raise
        return table

    def add_table(self, name: str, *fields: str) -> Table:
        """What a person makes: a table of text fields."""
        asked = [{"name": one, "type": "singleLineText"} for one in fields or ("Name",)]
        return self.create_table({"name": name, "fields": asked})

    def check_room(self, more: int) -> None:
        if sum(len(table.by_id) for table in self.tables) + more > self.max_records:
            raise full_base(self.max_records)


__all__ = ["Base", "Field", "Record", "Table"]
