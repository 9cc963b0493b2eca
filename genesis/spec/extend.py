"""`extends`: a data source inherits everything but the name, and what is written in it wins.

Entries of `fields`, `joins`, `measures` and `sets` are inherited one by one; one that is written
anew replaces the inherited one whole. The surprise: what is inherited keeps its place in the file it
was written in, so that a mistake is told where it can be mended.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from genesis.errors import Problems, suggest
from genesis.spec.data_source import ENTRIES, DataSource


def inherit(
    sources: Mapping[str, DataSource], broken: Container[tuple[str, str]], problems: Problems
) -> dict[str, DataSource]:
    """The data sources with what they inherit; one whose base is unknown or broken is left out."""
    whole: dict[str, DataSource] = {}

    def made(name: str, heirs: tuple[str, ...]) -> DataSource | None:
        source = sources[name]
        if name in whole or source.extends is None:
            return whole.setdefault(name, source)
        if name in heirs:
            _tell_cycle(sources, heirs[heirs.index(name) :], problems)
            return None
        if source.extends not in sources:
            if ("data_source", source.extends) not in broken:
                message = f"unknown data source `{source.extends}`"
                hint = suggest(source.extends, sources)
                problems.add("unknown-data-source", message, source.locate("extends"), hint=hint)
            return None
        base = made(source.extends, (*heirs, name))
        return None if base is None else whole.setdefault(name, _heir(source, base))

    for name in sources:
        made(name, ())
    return {name: whole[name] for name in sources if name in whole}


def _heir(source: DataSource, base: DataSource) -> DataSource:
    """A data source with all that its base has and it does not say itself."""
    written = source.model_fields_set | ({"table", "sql"} if source.table or source.sql else set())
    update: dict[str, object] = {
        key: getattr(base, key)
        for key in DataSource.model_fields
        if key not in written and key not in ("name", "extends", *ENTRIES)
    }
    for key in ENTRIES:
        update[key] = {**getattr(base, key), **getattr(source, key)}
    return source.model_copy(update=update).based_on(base)


def _tell_cycle(
    sources: Mapping[str, DataSource], ring: tuple[str, ...], problems: Problems
) -> None:
    start = ring.index(min(ring))
    ring = (*ring[start:], *ring[:start])
    around = " -> ".join(f"`{name}`" for name in (*ring, ring[0]))
    message = f"data sources extend one another: {around}"
    problems.add("cycle", message, sources[ring[0]].locate("extends"))
