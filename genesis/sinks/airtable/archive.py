"""The table `... archive`: records that left the report, with people's fields too.

Fields that hold values go along as they are, with their options; what Airtable computes or links goes
as text. The surprise: archived records are known by the id of the record they were, so that a refresh
that dies between archiving and deleting archives nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genesis.errors import Problem, SinkError
from genesis.sinks.airtable.fields import KEY, PRIMARY, STAMP, find_table
from genesis.sinks.airtable.service import BATCH

if TYPE_CHECKING:
    from pyairtable import Base
    from pyairtable.models.schema import FieldSchema, TableSchema

RECORD = "_genesis_record"

# Types whose values can be written as they were read, and what of their options is kept.
_AS_THEY_ARE: Mapping[str, tuple[str, ...]] = {
    "singleLineText": (),
    "multilineText": (),
    "richText": (),
    "email": (),
    "url": (),
    "phoneNumber": (),
    "number": ("precision",),
    "percent": ("precision",),
    "currency": ("precision", "symbol"),
    "checkbox": ("icon", "color"),
    "date": ("dateFormat",),
    "dateTime": ("dateFormat", "timeFormat", "timeZone"),
    "singleSelect": ("choices",),
    "multipleSelects": ("choices",),
}

Request = Callable[[str, str, dict[str, Any]], None]


def archive_records(
    base: Base, source: TableSchema, table: str, records: Sequence[Mapping[str, Any]], ask: Request
) -> None:
    """Copy records to the archive, each once. Raises `SinkError` where a person has such a table."""
    fields = [one for one in source.fields if one.name not in (KEY, STAMP)]
    archive = _made(base, f"{table} archive", fields, ask)
    ids = {one.name: one.id for one in archive.fields}
    rows = [
        {ids[RECORD]: record["id"]}
        | {ids[one.name]: _value(one, record["fields"].get(one.id)) for one in fields}
        for record in records
    ]
    for at in range(0, len(rows), BATCH):
        batch = [
            {"fields": {k: v for k, v in row.items() if v is not None}}
            for row in rows[at : at + BATCH]
        ]
        base.table(archive.id).batch_upsert(batch, key_fields=[ids[RECORD]], typecast=True)


def _made(base: Base, name: str, fields: Sequence[FieldSchema], ask: Request) -> TableSchema:
    """The archive, with a field for each of the tracker's."""
    found = find_table(base.schema(force=True), name)
    wanted = [*map(_asked, fields), _record_field()]
    if found is None:
        first = next(one for one in wanted if one["type"] in PRIMARY)
        ordered = [first, *(one for one in wanted if one is not first)]
        ask("POST", "", {"name": name, "fields": ordered})
    else:
        names = {one.name for one in found.fields}
        if RECORD not in names:
            message = f"base `{base.id}` has a table `{name}` that genesis did not make"
            hint = "rename that table: the next refresh makes an archive"
            raise SinkError(Problem("tracker-not-ours", message, hint=hint))
        missing = [one for one in wanted if one["name"] not in names]
        if not missing:
            return found
        for one in missing:
            ask("POST", f"{found.id}/fields", one)
    made = find_table(base.schema(force=True), name)
    if made is None:
        raise SinkError(Problem("tracker-unwritable", f"the archive `{name}` could not be made"))
    return made


def _record_field() -> dict[str, Any]:
    text = "Which record of the tracker it was. Hide this field."
    return {"name": RECORD, "type": "singleLineText", "description": text}


def _asked(one: FieldSchema) -> dict[str, Any]:
    """A field like this one, or one of text."""
    kept = _AS_THEY_ARE.get(one.type)
    if kept is None:
        return {"name": one.name, "type": "multilineText"}
    options = one.model_dump(by_alias=True).get("options") or {}
    options = dict(_options(options, kept))
    return {"name": one.name, "type": one.type} | ({"options": options} if options else {})


def _options(options: Mapping[str, Any], kept: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name in kept:
        if name == "choices":
            yield name, [{"name": choice["name"]} for choice in options.get(name) or ()]
        elif options.get(name) is not None:
            yield name, options[name]


def _value(one: FieldSchema, value: Any) -> Any:
    """A value as the archive takes it."""
    if value is None or one.type in _AS_THEY_ARE:
        return value
    items = value if isinstance(value, list) else [value]
    return ", ".join(map(_text, items))


def _text(item: Any) -> str:
    """What people call a thing: a person's address, an attachment's link, else the thing itself."""
    if isinstance(item, dict):
        known = (item.get(name) for name in ("email", "url", "name", "text"))
        return next((str(text) for text in known if text), json.dumps(item, ensure_ascii=False))
    return str(item)
