"""What the columns of a tracker are: their types, and which of them are its key.

It is kept from one refresh to the next, so that a report that changed under its tracker is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from genesis.sync.keys import HIDDEN_PREFIX, key_columns

if TYPE_CHECKING:
    from genesis.compile.statement import Column


@dataclass(frozen=True, slots=True)
class Shape:
    """Types by column, and the names of the key's columns; `None` where nobody wrote those down."""

    types: Mapping[str, str]
    key: tuple[str, ...] | None

    @classmethod
    def of(cls, columns: Iterable[Column]) -> Self:
        """The shape of a report."""
        columns = tuple(columns)
        key = (column.name.removeprefix(HIDDEN_PREFIX) for column in key_columns(columns))
        return cls({column.name: str(column.type) for column in columns}, tuple(key))

    def to_json(self) -> dict[str, Any]:
        return {"types": dict(self.types), "key": None if self.key is None else list(self.key)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` gave, or what was written before keys were: the types alone."""
        if not isinstance(data.get("types"), Mapping):
            return cls(dict(data), None)
        return cls(data["types"], None if data["key"] is None else tuple(data["key"]))
