"""Which functions the engines have: lists that the engines wrote, the first line says how.

Only what is not portable is looked up here. What engines write in a syntax of its own, such as
`coalesce`, is in none of their lists.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

TITLES = {"duckdb": "DuckDB", "trino": "Trino"}
_SYNTAX = frozenset(
    [
        "case", "cast", "coalesce", "extract", "if", "json_array", "json_exists", "json_object", "json_query",
        "json_value", "normalize", "nullif", "overlay", "position", "row", "struct_pack", "substring", "trim", "try",
        "try_cast", "grouping", "array", "map", "exists",
    ]
)  # fmt: skip


@functools.cache
def functions_of(engine: str) -> frozenset[str]:
    """The names of an engine's functions."""
    text = (Path(__file__).parent / f"{engine}.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def engines_with(node: exp.Func) -> tuple[str, ...]:
    """The engines that have the function of a call, under the name that it has there."""
    return tuple(engine for engine in sorted(TITLES) if _has(engine, node))


def _has(engine: str, node: exp.Func) -> bool:
    try:
        written = node.sql(engine, unsupported_level=ErrorLevel.IGNORE)
    except (SqlglotError, TypeError, ValueError, AttributeError, LookupError):
        return False  # sqlglot's writers fail on arguments that they do not know
    match = re.match(r"(\w+)\(", written)
    if match is None:
        return True
    name = match[1].lower()
    return name in functions_of(engine) or name in _SYNTAX
