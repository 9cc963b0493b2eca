"""Key text: which tracker row is which, as text that survives any program.

Different keys always give different texts: `TT001` is a string, `17` a number, `"17"` a string
again, `2026-03-01` a date, `17,"a,b"` a key of two parts. The surprise: parts stand in the order
of their columns' names, not of the report, so that a reordered report keeps its rows.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genesis.compile.statement import Column

HIDDEN_PREFIX = "_key_"
MISSING = "null"

# A key of a report whose rows have none: one row of totals.
NO_PARTS = "total"

# Words that stay bare: they start with a letter, as no number or date does.
_BARE = re.compile(r"(?!(?:null|true|false|total)$)[A-Za-z][A-Za-z0-9_.:/#@+-]*")

_NAMED = 5

# Longer keys would weigh a tracker down; what is cut off is told apart by its hash.
_LONGEST = 200


def key_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns whose values say which row is which, in the order of a key's parts."""
    keys = (column for column in columns if column.key)
    return tuple(sorted(keys, key=lambda column: column.name.removeprefix(HIDDEN_PREFIX)))


def key_text(values: Sequence[object]) -> str:
    """The text of a key; values that are equal as keys give equal text."""
    text = ",".join(map(_part, values)) if values else NO_PARTS
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[: _LONGEST - 40]}~{digest}"


def is_missing(value: object) -> bool:
    """Whether a value cannot be a key: NULL, or a number that equals nothing."""
    return value is None or (isinstance(value, float | Decimal) and math.isnan(value))


def _part(value: object) -> str:
    if is_missing(value):
        return MISSING
    match value:
        case str():
            return value if _BARE.fullmatch(value) else _quoted(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case Decimal():
            text = format(value, "f")
            return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
        case datetime():
            at = value.astimezone(UTC) if value.tzinfo else value
            return at.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case _:
            return _quoted(json.dumps(value, default=str, sort_keys=True))


def _quoted(text: str) -> str:
    """JSON text; what cannot be printed, and so not be kept in every file, is escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def a_few(keys: Sequence[str]) -> str:
    """The first keys of some, for a sentence."""
    named = ", ".join(f"`{key}`" for key in keys[:_NAMED])
    return f"{named} and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else named


# ---- and back

_CUT_OFF = re.compile(r".*~[0-9a-f]{32}", re.DOTALL)

# A part: JSON text, or what stands up to the next comma.
_PART = re.compile(r'("(?:[^"\\]|\\.)*"|[^,"]*)(?:,|$)')


def key_parts(text: str) -> tuple[str | None, ...]:
    """The texts of a key's parts, `None` for one that is missing. Raises `ValueError` for a long key.

    What type a part is of, the text does not say.
    """
    if _CUT_OFF.fullmatch(text):
        raise ValueError(text)
    parts: list[str | None] = []
    at = 0
    while match := _PART.match(text, at):
        part = match[1]
        parts.append(json.loads(part) if part[:1] == '"' else None if part == MISSING else part)
        at = match.end()
        if not match[0].endswith(","):
            break
    if at != len(text):
        raise ValueError(text)
    return tuple(parts)
