"""Where everything of a tab stands after the changes."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from genesis.sinks.workbook.references import References


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands after the changes."""

    references: References
    header_row: int
    key_column: int
    columns: dict[str, int]
    annotations: dict[str, int]
    rows: dict[str, int]


def stretch_of(column: int, **attributes: str) -> Element:
    """The element that says how wide a column is, and how its cells look."""
    return Element("col", {"min": str(column), "max": str(column), **attributes})
