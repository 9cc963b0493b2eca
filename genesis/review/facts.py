"""What was told as plain data, all of it, for machines: `genesis/explain@1` and others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

from genesis.compile.statement import Scan
from genesis.errors import Location
from genesis.review.explain import Explanation
from genesis.review.impact import Impact
from genesis.review.lineage import Lineage, ReportLineage
from genesis.review.trackers import Tracker

SCHEMA = "genesis/explain@1"


def facts(told: Explanation | Lineage) -> dict[str, Any]:
    """The members of an explanation, or of one column's lineage, by their names."""
    data: dict[str, Any] = {"schema": SCHEMA, **_plain(told)}
    if isinstance(told, Lineage):
        data["values"] = _plain(told.values)
    return data


def lineage_facts(told: Iterable[tuple[ReportLineage, tuple[Tracker, ...]]]) -> dict[str, Any]:
    """The lineage of whole reports, each with the trackers that show it."""
    inputs = [
        {
            **_plain(report),
            "trackers": _plain(trackers),
            "columns": list(map(_column, report.columns)),
        }
        for report, trackers in told
    ]
    return {"schema": "genesis/lineage@1", "inputs": inputs}


def impact_facts(told: Impact) -> dict[str, Any]:
    """What a part of a project reaches."""
    owners = {"owners": list(told.owners)}
    return {"schema": "genesis/impact@1", **_plain(told), **owners}


def _column(told: Lineage) -> dict[str, Any]:
    data = {"column": told.column, "values": told.values, "value": told.value, "rows": told.rows}
    return {name: _plain(value) for name, value in data.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Location):
        return {"file": value.file, "line": value.line, "column": value.column}
    if isinstance(value, Scan):
        return {"table": value.table, "columns": _plain(value.columns)}
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.compare}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
