"""Field types: what each takes, how it keeps it, what it refuses.

Values are kept as they are given back. Empty ones and `false` are kept as nothing at all, since
Airtable leaves them out of every answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from genesis.testing.airtable.refusals import bad_value, computed, new_option, no_such_record

if TYPE_CHECKING:
    from genesis.testing.airtable.model import Field

LONGEST_TEXT = 100_000
COMPUTED = ("createdTime", "lastModifiedTime", "autoNumber", "createdBy", "lastModifiedBy")


def stored(field: Field, value: Any, *, typecast: bool) -> Any:
    """The value as the field keeps it, `None` for nothing. Raises `Refusal`."""
    if field.type in COMPUTED or field.inverse_of:
        raise computed(field.name)
    if value is None or value in ("", []) or value is False:
        return None
    if typecast and field.type in ("singleSelect", "multipleSelects"):
        for name in value if isinstance(value, list) else [value]:
            field.add_choice(name)
    return _TAKES[field.type](field, value)


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise bad_value(field.name)
    return value


def _number(field: Field, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_value(field.name)
    rounded = round(value, field.options["precision"])
    return int(rounded) if rounded == int(rounded) else rounded


def _checkbox(field: Field, value: Any) -> bool:
    if value is not True:
        raise bad_value(field.name)
    return True


def _date(field: Field, value: Any) -> str:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        raise bad_value(field.name)
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise bad_value(field.name) from None


def _moment(field: Field, value: Any) -> str:
    """An instant in UTC, to the millisecond."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise bad_value(field.name) from None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _choice(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise bad_value(field.name)
    if value not in field.choices:
        raise new_option(value)
    return value


def _choices(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise bad_value(field.name)
    return [_choice(field, name) for name in value]


def _links(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(id_, str) for id_ in value):
        raise bad_value(field.name)
    for id_ in value:
        if id_ not in field.linked.by_id:
            raise no_such_record(id_)
    return list(value)


_TAKES: dict[str, Callable[[Field, Any], Any]] = {
    **dict.fromkeys(
        ("singleLineText", "multilineText", "richText", "email", "url", "phoneNumber"), _text
    ),
    **dict.fromkeys(("number", "currency", "percent"), _number),
    "checkbox": _checkbox,
    "date": _date,
    "dateTime": _moment,
    "singleSelect": _choice,
    "multipleSelects": _choices,
    "multipleRecordLinks": _links,
}

TYPES = (*_TAKES, *COMPUTED)
# Types of fields that a request may make, and that may come first in a table.
CREATABLE = tuple(_TAKES)
PRIMARY = (
    "singleLineText",
    "multilineText",
    "email",
    "url",
    "phoneNumber",
    "number",
    "currency",
    "percent",
    "date",
    "dateTime",
)
# Fields that an upsert may find records by.
MERGEABLE = (
    "number",
    "singleLineText",
    "multilineText",
    "singleSelect",
    "multipleSelects",
    "date",
)
