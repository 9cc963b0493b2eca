"""The types of a live table's columns, against those that fields declare.

A whole number is a decimal without digits behind the point, and so the other way round; nothing
else changes its kind unseen.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

from genesis.spec.types import PLAIN, Type


def fits(declared: Type, actual: pa.DataType) -> bool:
    """Whether a column's values are of a declared type."""
    checks: dict[str, Callable[[pa.DataType], bool]] = {
        "integer": lambda type_: types.is_integer(type_) or _is_whole(type_),
        "decimal": lambda type_: types.is_integer(type_) or _has_digits(declared, type_),
        "float": types.is_floating,
        "boolean": types.is_boolean,
        "string": _is_text,
        "json": _is_text,
        "date": types.is_date,
        "time": types.is_time,
        "timestamp": lambda type_: types.is_timestamp(type_) and type_.tz is None,
        "timestamptz": lambda type_: types.is_timestamp(type_) and type_.tz is not None,
        "array": lambda type_: _is_list_of(declared.item, type_),
    }
    return checks[declared.name](actual)


def in_words(actual: pa.DataType) -> str:
    """A column's type as the language names it, where it does."""
    if types.is_decimal(actual):
        return f"decimal({actual.precision},{actual.scale})"
    return next((name for name in PLAIN if fits(Type(name), actual)), str(actual))


def _is_whole(actual: pa.DataType) -> bool:
    return bool(types.is_decimal(actual) and actual.scale == 0)


def _has_digits(declared: Type, actual: pa.DataType) -> bool:
    """Whether a decimal holds no more digits than are declared, on either side of the point."""
    return bool(
        types.is_decimal(actual)
        and actual.scale <= declared.scale
        and actual.precision - actual.scale <= declared.precision - declared.scale
    )


def _is_text(actual: pa.DataType) -> bool:
    stored = getattr(actual, "storage_type", actual)  # of JSON
    stored = stored.value_type if types.is_dictionary(stored) else stored  # of an ENUM
    return any(
        is_text(stored)
        for is_text in (types.is_string, types.is_large_string, types.is_string_view)
    )


def _is_list_of(item: Type | None, actual: pa.DataType) -> bool:
    is_list = types.is_list(actual) or types.is_large_list(actual)
    return is_list and (item is None or fits(item, actual.value_type))
