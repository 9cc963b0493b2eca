"""An explanation or a lineage as plain data, all of it: `genesis/explain@1` for machines."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from genesis.compile.statement import Scan
from genesis.errors import Location
from genesis.review.explain import Explanation
from genesis.review.lineage import Lineage

SCHEMA = "genesis/explain@1"


def facts(told: Explanation | Lineage) -> dict[str, Any]:
    """The members of an explanation, or of one column's lineage, by their names."""
    data: dict[str, Any] = {"schema": SCHEMA, **_plain(told)}
    if isinstance(told, Lineage):
        data["values"] = _plain(told.values)
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, Location):
        return {"file": value.file, "line": value.line, "column": value.column}
    if isinstance(value, Scan):
        return {"table": value.table, "columns": _plain(value.columns)}
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
