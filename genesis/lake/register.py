"""Tables of one catalog made known to another, where they are: no file is copied or moved.

So a lake goes from the embedded catalog to one that others share. The surprise: from then on each
catalog knows its own newest snapshot, so only one of them may be written to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from genesis.errors import EngineError, Problem
from genesis.lake.catalog import (
    existing_table,
    find_catalog,
    load_table,
    locked,
    make_catalog,
    table_identifier,
    tables,
    told_as_problem,
)
from genesis.spec.project import Target


@dataclass(frozen=True)
class Registered:
    """A table by its name, and whether it was new to the catalog."""

    table: str
    is_new: bool


def register(root: Path, *, origin: Target, target: Target) -> Iterator[Registered]:
    """Make every table of one target known to another, as it is now; those that it has stay as they are."""
    known = find_catalog(root, origin)
    if known is None:
        hint = "`genesis ingest DATA_SOURCE FILE...` makes it, with the table of a data source"
        raise EngineError(Problem("catalog-failed", "there is no catalog to take from", hint=hint))
    with closing(known), closing(make_catalog(root, target)) as catalog, locked(root, "catalog"):
        for name in tables(known):
            place = table_identifier(name)
            is_new = load_table(catalog, place) is None
            if is_new:
                found = existing_table(known, place)
                with told_as_problem(f"the table `{name}`"):
                    for depth in range(1, len(place)):
                        catalog.create_namespace_if_not_exists(place[:depth])
                    catalog.register_table(place, found.metadata_location)
            yield Registered(name, is_new)
