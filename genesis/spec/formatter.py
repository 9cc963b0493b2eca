"""`formatters:` how values are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from genesis.spec.model import Located
from genesis.spec.values import TypeName, exactly_one, together

KINDS = ("date", "number", "labels", "link", "sql")


class Formatter(Located):
    """One way to show a value.

    `date` and `number` are display formats: the value stays typed and the sink gets the pattern.
    `labels`, `link` and `sql` make another value, in SQL.
    """

    date: str | None = None
    """The pattern of a date or a timestamp; the value stays a date: `date: MM/dd/yyyy`."""
    number: str | None = None
    """The pattern of a number; the value stays a number: `number: "$#,##0.00"`."""
    labels: dict[str, str] | None = None
    """What people read instead of each value: `labels: {true: "Yes", false: "No"}`."""
    otherwise: str | None = None
    """What people read for values without a label, and for NULL; without it such values stay as
    they are: `otherwise: "-"`.
    """
    link: str | None = None
    """An address with `{field}` of the same data source, percent-encoded; with a NULL part it
    is NULL: `link: "https://studio.example.com/movies/{movie_id}"`.
    """
    sql: str | None = None
    """An expression over `value`, the formatted field: `sql: "upper(substr(value, 1, 1))"`."""
    type: TypeName | None = None
    """The type of what `sql` makes: `type: string`."""
    description: str | None = None
    """What it is for, for people: `description: Dates as the studio writes them.`."""

    @classmethod
    def faults(cls, data: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
        yield from exactly_one(data, *KINDS)
        yield from together(data, "otherwise", "labels")


BUILT_IN: Mapping[str, Formatter] = {
    "round": Formatter(sql="round(value)"),
    "upper": Formatter(sql="upper(value)"),
    "lower": Formatter(sql="lower(value)"),
    "trim": Formatter(sql="trim(value)"),
    "iso_date": Formatter(date="yyyy-MM-dd"),
    "us_date": Formatter(date="MM/dd/yyyy"),
    "integer": Formatter(number="0"),
    "percent": Formatter(number="0.0%"),
    "usd": Formatter(number="$#,##0.00"),
    "eur": Formatter(number="€#,##0.00"),
    "yes_no": Formatter(labels={"true": "Yes", "false": "No"}, otherwise="-"),
}
