"""Columns as fields: which field is which column's, what its values are in JSON, how it is made.

A field is known by its id and, across refreshes, by a line in its description; people may rename it.
The surprise: Airtable's API deletes no field, so a column that left the report leaves its field to
people, values and all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from genesis.errors import Problem, SinkError
from genesis.sync.changes import Annotation, Cell, Formula, Tracker
from genesis.sync.compare import recognise
from genesis.sync.encode import AIRTABLE_PRECISION, AirtableKind, airtable_kind, managed_columns

if TYPE_CHECKING:
    from pyairtable.models.schema import BaseSchema, FieldSchema, TableSchema

    from genesis.compile.statement import Column

KEY = "_genesis_key"
STAMP = "_genesis"

_MARK = re.compile(r"Kept in step by genesis: (\S+) \| (.+)", re.DOTALL)
_ASKED = re.compile(r"Filled in by people, read by genesis: (\S+) \| (.+)", re.DOTALL)
_TEXTS = ("singleLineText", "multilineText", "email", "url", "phoneNumber")

# The first field type of each kind is the one that is made.
FITTING: Mapping[AirtableKind, tuple[str, ...]] = {
    "text": ("multilineText", "singleLineText", *_TEXTS[2:], "singleSelect"),
    "number": ("number", "currency", "percent"),
    "checkbox": ("checkbox",),
    "date": ("date",),
    "moment": ("dateTime",),
    "choice": ("singleSelect",),
    "choices": ("multipleSelects",),
    "links": ("multipleRecordLinks",),
}
PRIMARY = (*_TEXTS, "number", "date", "dateTime")


class Unresolved(Exception):
    """A name that its field has no option or record for; the message says so."""


@dataclass(frozen=True)
class Linked:
    """The records of a linked table, by name and by id."""

    id: str
    table: str
    ids: Mapping[str, Sequence[str]] = field(repr=False)
    names: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, id_: str, table: str, records: Iterable[tuple[str, str]]) -> Linked:
        names = dict(records)
        ids: dict[str, list[str]] = {}
        for record, name in names.items():
            ids.setdefault(name, []).append(record)
        return cls(id_, table, ids, names)

    def resolve(self, name: str) -> str:
        """The id of the one record of a name. Raises `Unresolved`."""
        found = self.ids.get(name, ())
        if len(found) != 1:
            count = f"{len(found):,} records" if found else "no record"
            raise Unresolved(f"table `{self.table}` has {count} called `{name}`")
        return found[0]


@dataclass(frozen=True)
class Kept:
    """A column and the field that it is kept in; `label` is the name that genesis gave it."""

    column: str
    kind: AirtableKind
    label: str
    id: str
    name: str
    type: str
    options: frozenset[str] | None = None
    linked: Linked | None = None

    def cell(self, value: Any) -> Cell:
        """What a value in JSON stands for."""
        if value is None:
            return None
        try:
            return self._cell(value)
        except (TypeError, ValueError):
            return Formula(str(value))

    def _cell(self, value: Any) -> Cell:
        match self.kind:
            case "date":
                return date.fromisoformat(value)
            case "moment":
                return datetime.fromisoformat(value)
            case "choices":
                return tuple(value) or None
            case "links":
                names = self.linked.names if self.linked else {}
                return tuple(names.get(id_, id_) for id_ in value) or None
            case "number" if isinstance(value, dict):
                raise TypeError
            case _:
                return value  # type: ignore[no-any-return]

    def json(self, cell: Cell, *, new_options: bool) -> Any:
        """A cell as Airtable takes it. Raises `Unresolved`."""
        match cell:
            case None:
                return None
            case datetime():
                return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            case date():
                return cell.isoformat()
        if self.linked and isinstance(cell, tuple):
            return [self.linked.resolve(str(name)) for name in cell]
        if self.options is not None and not new_options:
            self._refuse_new(cell)
        return list(cell) if isinstance(cell, tuple) else cell

    def is_new_option(self, cell: Cell) -> bool:
        names = cell if isinstance(cell, tuple) else (cell,)
        return self.options is not None and not self.options >= set(names) - {None}

    def _refuse_new(self, cell: Cell) -> None:
        for name in cell if isinstance(cell, tuple) else (cell,):
            if name not in (self.options or ()):
                raise Unresolved(
                    f"field `{self.name}` has no option `{name}`; `new_options: true` makes it"
                )


@dataclass(frozen=True)
class Layout:
    """Which field of a table is whose. `doubtful` columns have fields that only bear their names.

    `asked` are the fields of annotations.
    """

    table: str
    key: str | None
    stamp: str | None
    kept: Mapping[str, Kept]
    asked: Mapping[str, Kept] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()
    left: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The fields that are read; what people added unasked is not."""
        ours = [id_ for id_ in (self.key, self.stamp) if id_]
        return [*ours, *(kept.id for kept in (*self.kept.values(), *self.asked.values()))]


def find_table(schema: BaseSchema, name_or_id: str) -> TableSchema | None:
    return next((t for t in schema.tables if name_or_id in (t.name, t.id)), None)


def tracker_table(schema: BaseSchema, name_or_id: str, tracker: str) -> TableSchema | None:
    """The table of a tracker; one that was renamed says on its key field whose it is."""
    marked = [
        table
        for table in schema.tables
        for one in table.fields
        if one.name == KEY and (one.description or "").endswith(_owner(tracker))
    ]
    return find_table(schema, name_or_id) or (marked[0] if len(marked) == 1 else None)


def _owner(tracker: str) -> str:
    return f"Tracker: {tracker}"


def layout_of(table: TableSchema, tracker: Tracker, linked: Mapping[str, Linked]) -> Layout:
    """The layout of a table. Raises `tracker-unwritable` for a field of a type that does not fit."""
    by_name = {one.name: one for one in table.fields}
    columns = managed_columns(tracker)
    marked = _marked(table, columns, _mark)
    labelled = {one.name.casefold(): one for one in table.fields if not _mark(one)}
    kept: dict[str, Kept] = {}
    doubtful = set()
    for column in columns:
        found = marked.get(column.name)
        if found is None and (bare := labelled.get(column.label.casefold())):
            found = (bare, bare.name)
            doubtful.add(column.name)
        if found:
            kept[column.name] = _kept(column, *found, tracker, linked)
    asked = _asked(table, tracker, {one.id for one in kept.values()})
    ids = {one.id for one in (*kept.values(), *asked.values())}
    others = [one for one in table.fields if one.id not in ids and one.name not in (KEY, STAMP)]
    return Layout(
        table.id,
        by_name[KEY].id if KEY in by_name else None,
        by_name[STAMP].id if STAMP in by_name else None,
        kept,
        asked,
        frozenset(doubtful),
        left=tuple(one.name for one in others if _mark(one)),
        own=tuple(one.name for one in others),
    )


def _asked(table: TableSchema, tracker: Tracker, taken: set[str]) -> dict[str, Kept]:
    """The fields of annotations. People's own of such a name are taken for them, whatever their type."""
    columns = [each.column for each in tracker.annotations]
    marked = _marked(table, columns, _asked_mark)
    others = {
        one.name.casefold(): (one, one.name)
        for one in table.fields
        if one.id not in taken and not _mark(one) and not _asked_mark(one)
    }
    found = {}
    for each in tracker.annotations:
        if known := marked.get(each.name) or others.get(each.label.casefold()):
            one, label = known
            kind = asked_kind(each, tracker)
            options: Any = getattr(one, "options", None)
            names = (
                frozenset(choice.name for choice in options.choices)
                if one.type == "singleSelect"
                else None
            )
            found[each.name] = Kept(each.name, kind, label, one.id, one.name, one.type, names)
    return found


def asked_kind(each: Annotation, tracker: Tracker) -> AirtableKind:
    """The kind of an annotation's field."""
    return "choice" if each.values else airtable_kind(each.column, tracker)


_Mark = Callable[["FieldSchema"], tuple[str, str] | None]


def _marked(
    table: TableSchema, columns: Sequence[Column], mark_of_field: _Mark
) -> dict[str, tuple[FieldSchema, str]]:
    """Column -> its field and the label it was given; of copies, the one that kept its label."""
    marks = [(one, mark) for one in table.fields if (mark := mark_of_field(one))]
    marks.sort(key=lambda pair: pair[0].name != pair[1][1])
    names = recognise([mark for _, mark in marks], columns)
    found: dict[str, tuple[FieldSchema, str]] = {}
    for name, (one, (_, label)) in zip(names, marks, strict=True):
        found.setdefault(name, (one, label))
    return found


def _mark(one: FieldSchema) -> tuple[str, str] | None:
    match = _MARK.match(one.description or "")
    return (match[1], match[2]) if match else None


def _asked_mark(one: FieldSchema) -> tuple[str, str] | None:
    match = _ASKED.match(one.description or "")
    return (match[1], match[2]) if match else None


def mark_of(column: Column, tracker: Tracker) -> str:
    """The line in a field's description that says whose it is."""
    is_asked = any(column.name == each.name for each in tracker.annotations)
    whose = "Filled in by people, read by genesis" if is_asked else "Kept in step by genesis"
    return f"{whose}: {column.name} | {column.label}"


def _kept(
    column: Column,
    one: FieldSchema,
    label: str,
    tracker: Tracker,
    linked: Mapping[str, Linked],
) -> Kept:
    kind = airtable_kind(column, tracker)
    if one.type not in FITTING[kind]:
        raise SinkError(_wrong_type(column, one, kind, tracker))
    options: Any = getattr(one, "options", None)
    return Kept(
        column.name,
        kind,
        label,
        one.id,
        one.name,
        one.type,
        frozenset(choice.name for choice in options.choices)
        if one.type in ("singleSelect", "multipleSelects")
        else None,
        linked.get(column.name),
    )


def _wrong_type(column: Column, one: FieldSchema, kind: AirtableKind, tracker: Tracker) -> Problem:
    way = {"singleSelect": "selects", "multipleSelects": "selects", "multipleRecordLinks": "links"}
    hint = f"make it a field of type `{FITTING[kind][0]}`, or rename it: the next refresh makes one"
    if one.type in way:
        hint += f"; or name the column in `{way[one.type]}` of the tracker's place"
    return Problem(
        "tracker-unwritable",
        f"field `{one.name}` of tracker `{tracker.name}` is of type `{one.type}`, column"
        f" `{column.name}` does not fit it",
        hint=hint,
    )


# ---- fields that are made


def new_field(
    column: Column,
    tracker: Tracker,
    *,
    kind: AirtableKind | None = None,
    linked_table: str | None = None,
    options: Iterable[str] = (),
) -> dict[str, Any]:
    """What Airtable is asked for."""
    kind = kind or airtable_kind(column, tracker)
    asked: dict[str, Any] = {
        "name": column.label,
        "type": "singleLineText" if kind == "text" and column.key else FITTING[kind][0],
        "description": mark_of(column, tracker),
    }
    details = _options(column, kind, tracker.timezone, linked_table, options)
    return asked | ({"options": details} if details else {})


def hidden_fields(tracker: str) -> list[dict[str, Any]]:
    """The fields by which rows are known; Airtable's API cannot hide them."""
    texts = {
        KEY: "What genesis knows the record by. Hide this field; without it the record is yours. "
        + _owner(tracker),
        STAMP: "What genesis wrote last, so that it notices what you change. Hide this field.",
    }
    return [
        {"name": name, "type": "multilineText" if name == STAMP else "singleLineText"}
        | {"description": text}
        for name, text in texts.items()
    ]


def _options(
    column: Column,
    kind: AirtableKind,
    timezone: str,
    linked_table: str | None,
    options: Iterable[str],
) -> dict[str, Any]:
    iso = {"dateFormat": {"name": "iso"}}
    match kind:
        case "number":
            scale = {"integer": 0, "decimal": column.type.scale}
            return {"precision": scale.get(column.type.name, AIRTABLE_PRECISION)}
        case "checkbox":
            return {"icon": "check", "color": "greenBright"}
        case "date":
            return iso
        case "moment":
            zone = "utc" if timezone == "UTC" else timezone
            return {**iso, "timeFormat": {"name": "24hour"}, "timeZone": zone}
        case "choice" | "choices":
            return {"choices": [{"name": name} for name in options]}
        case "links":
            return {"linkedTableId": linked_table}
        case _:
            return {}
