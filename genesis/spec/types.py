"""The types of fields, as the language names them."""

from __future__ import annotations

import re
from dataclasses import dataclass

PLAIN = (
    "string",
    "integer",
    "float",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "json",
)
MAX_PRECISION = 38  # of both engines


@dataclass(frozen=True, slots=True)
class Type:
    """One of the language's types; a decimal has precision and scale, an array has items."""

    name: str
    precision: int = 0
    scale: int = 0
    item: Type | None = None

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        return f"array({self.item})" if self.item else self.name

    def __deepcopy__(self, memo: object) -> Type:
        # Every copied expression carries types: a value that never changes is its own copy.
        return self

    @property
    def is_number(self) -> bool:
        return self.name in ("integer", "decimal", "float")

    @property
    def is_time(self) -> bool:
        return self.name in ("date", "timestamp", "timestamptz")


STRING, INTEGER, FLOAT, BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, JSON = map(Type, PLAIN)

_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)")
_ARRAY = re.compile(r"array\((.+)\)")


def parse_type(text: str) -> Type | None:
    """The type a text names, or `None`."""
    text = text.strip()
    if text in PLAIN:
        return Type(text)
    if match := _DECIMAL.fullmatch(text):
        precision, scale = int(match[1]), int(match[2] or 0)
        return (
            Type("decimal", precision, scale)
            if scale <= precision and 1 <= precision <= MAX_PRECISION
            else None
        )
    if match := _ARRAY.fullmatch(text):
        item = parse_type(match[1])
        return Type("array", item=item) if item else None
    return None
