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
    number: str | None = None
    labels: dict[str, str] | None = None
    otherwise: str | None = None
    link: str | None = None
    sql: str | None = None
    type: TypeName | None = None
    description: str | None = None

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
