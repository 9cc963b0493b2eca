"""What the sink of Airtable relies on, asked of a base.

All is tried on the records of one table, `genesis probe`, which is made where it is missing. The
surprise: Airtable's API deletes no tables, so it stays, without records, and serves the next time.
How Airtable says that it was called too often is not provoked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from genesis.errors import Problem, SinkError
from genesis.secrets import resolve_references
from genesis.sinks.airtable.fields import find_table
from genesis.sinks.airtable.service import BaseService, client, is_gone, message_of, missing_token
from genesis.sinks.calls import Calls
from genesis.sinks.probing import Fact, expects, put_all

if TYPE_CHECKING:
    from pyairtable import Base, Table

    from genesis.interfaces import Rates
    from genesis.spec.project import AirtableAccess

TABLE = "genesis probe"
_ABOUT = "Made by `genesis sinks probe`; its records come and go. It may be deleted."
_ISO: dict[str, Any] = {"dateFormat": {"name": "iso"}}
_FIELDS: list[dict[str, Any]] = [
    {"name": "Key", "type": "singleLineText"},
    {"name": "Text", "type": "multilineText"},
    {"name": "Number", "type": "number", "options": {"precision": 8}},
    {"name": "Done", "type": "checkbox", "options": {"icon": "check", "color": "greenBright"}},
    {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "open"}]}},
    {"name": "Day", "type": "date", "options": _ISO},
    {
        "name": "Moment",
        "type": "dateTime",
        "options": {**_ISO, "timeFormat": {"name": "24hour"}, "timeZone": "utc"},
    },
]


def open_base(
    access: AirtableAccess, base: str, *, rates: Rates, until: datetime, root: Path
) -> Base:
    """A base; nothing is called yet. Raises `DefinitionError` without a token."""
    if access.token is None and access.endpoint is None:
        raise missing_token()
    token = resolve_references(access.token or "any", root)
    return client(token, access.endpoint, Calls(BaseService(base), rates, until=until)).base(base)


def probe(base: Base) -> Iterator[Fact]:
    """The facts, one after another; records that were made for them are deleted. Raises `SinkError`."""
    try:
        scratch = Scratch(_table(base))
        try:
            yield from put_all(QUESTIONS, scratch)
        finally:
            scratch.fresh()
    except requests.HTTPError as error:
        message = f"Airtable refuses a probe of base `{base.id}`: {message_of(error)}"
        hint = "the token needs access to the base, and the scopes `data.records:read`,"
        hint += " `data.records:write`, `schema.bases:read` and `schema.bases:write`"
        raise SinkError(Problem("access-refused", message, hint=hint)) from error


def _table(base: Base) -> Table:
    found = find_table(base.schema(force=True), TABLE)
    if found is None:
        return base.create_table(TABLE, _FIELDS, description=_ABOUT)
    if found.description != _ABOUT:
        message = f"base `{base.id}` has a table `{TABLE}` that a probe did not make"
        hint = "rename it, or probe another base"
        raise SinkError(Problem("tracker-not-ours", message, hint=hint))
    return base.table(found.id)


class Scratch:
    """A table to try things on."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def fresh(self, *records: dict[str, Any]) -> list[str]:
        """The ids of records, which are all that the table holds."""
        old = [record["id"] for record in self.table.all()]
        if old:
            self.table.batch_delete(old)
        return [self.table.create(fields)["id"] for fields in records]

    def rows(self) -> list[dict[str, Any]]:
        """The fields of all records, by name, in the order of their keys."""
        found = [dict(record["fields"]) for record in self.table.all(use_field_ids=False)]
        return sorted(found, key=lambda fields: str(fields.get("Key")))

    def patch(self, body: dict[str, Any]) -> Any:
        """The answer to a PATCH of records, just as it is given here."""
        return self.table.api.request("PATCH", self.table.urls.records, json=body)


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except requests.HTTPError as error:
        return f"refused with {error.response.status_code}"
    return "taken"


def _upsert(*fields: dict[str, Any]) -> dict[str, Any]:
    records = [{"fields": one} for one in fields]
    return {"records": records, "performUpsert": {"fieldsToMergeOn": ["Key"]}}


_REFUSED = "refused with 422"


@expects("an upsert changes the record that has the key, and makes one where none has", (1, 1))
def _upsert_merges(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a"})
    done = scratch.patch(_upsert({"Key": "a", "Text": "x"}, {"Key": "b"}))
    return len(done["createdRecords"]), len(done["updatedRecords"])


@expects("an upsert that two records match is refused", _REFUSED)
def _upsert_twice(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a"}, {"Key": "a"})
    return _outcome(lambda: scratch.patch(_upsert({"Key": "a"})))


@expects("empty texts, false and null are left out when records are read", [{"Key": "a"}])
def _empty(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a", "Text": "", "Done": False, "Number": None})
    return scratch.rows()


@expects("an update leaves the fields that it does not name", [{"Key": "a", "Text": "x"}])
def _others_stay(scratch: Scratch) -> Any:
    (record,) = scratch.fresh({"Key": "a", "Text": "t"})
    scratch.patch({"records": [{"id": record, "fields": {"Text": "x"}}]})
    return scratch.rows()


@expects("a null clears a field", [{"Key": "a"}])
def _clear(scratch: Scratch) -> Any:
    (record,) = scratch.fresh({"Key": "a", "Text": "t", "Number": 1, "Status": "open"})
    cleared = {"Text": None, "Number": None, "Status": None}
    scratch.patch({"records": [{"id": record, "fields": cleared}]})
    return scratch.rows()


@expects("ten records are taken in one call", "taken")
def _ten(scratch: Scratch) -> Any:
    scratch.fresh()
    return _outcome(lambda: scratch.patch(_upsert(*({"Key": str(n)} for n in range(10)))))


@expects("eleven records are refused", _REFUSED)
def _eleven(scratch: Scratch) -> Any:
    scratch.fresh()
    return _outcome(lambda: scratch.patch(_upsert(*({"Key": str(n)} for n in range(11)))))


@expects("an option that the field lacks is refused without typecast", _REFUSED)
def _option(scratch: Scratch) -> Any:
    scratch.fresh()
    return _outcome(lambda: scratch.patch(_upsert({"Key": "a", "Status": "never heard of"})))


@expects("one wrong record refuses all of its call", (_REFUSED, []))
def _all_or_none(scratch: Scratch) -> Any:
    scratch.fresh()
    both = _upsert({"Key": "a"}, {"Key": "b", "Number": "no number"})
    return _outcome(lambda: scratch.patch(both)), scratch.rows()


@expects("a record that is gone is known by what its deletion says", "known")
def _gone(scratch: Scratch) -> Any:
    (record,) = scratch.fresh({"Key": "a"})
    scratch.table.delete(record)
    try:
        scratch.table.batch_delete([record])
    except requests.HTTPError as error:
        is_known = is_gone(error)
        return "known" if is_known else f"{error.response.status_code}: {message_of(error)}"
    return "taken"


@expects("pages of a list lead on to one another", ["a", "b", "c"])
def _pages(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a"}, {"Key": "b"}, {"Key": "c"})
    records = scratch.table.all(page_size=1, use_field_ids=False)
    return sorted(record["fields"]["Key"] for record in records)


@expects("fields are told by their ids when asked", True)
def _ids(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a"})
    (record,) = scratch.table.all(use_field_ids=True)
    return all(name.startswith("fld") for name in record["fields"])


@expects(
    "values come back as they were written",
    [{"Key": "a", "Text": "=1\nä", "Number": 0.1, "Done": True, "Status": "open"}],
)
def _values(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a", "Text": "=1\nä", "Number": 0.1, "Done": True, "Status": "open"})
    return scratch.rows()


@expects(
    "days and moments come back in ISO, in UTC",
    [{"Key": "a", "Day": "2026-11-23", "Moment": "2026-11-23T12:30:00.000Z"}],
)
def _moments(scratch: Scratch) -> Any:
    scratch.fresh({"Key": "a", "Day": "2026-11-23", "Moment": "2026-11-23T14:30:00+02:00"})
    return scratch.rows()


QUESTIONS = (
    _upsert_merges,
    _upsert_twice,
    _empty,
    _others_stay,
    _clear,
    _ten,
    _eleven,
    _option,
    _all_or_none,
    _gone,
    _pages,
    _ids,
    _values,
    _moments,
)
