"""A table that waited for a person goes on: what was held lands in order, each thing once.

The definition is read anew, so whoever edited it has decided by that; what it still cannot take is told
again, and held on. `accepted` are the changes that were told and that somebody lets pass; one that
nobody was told of holds the rest. The surprise: a column whose type changed is only then replaced by one
of the type that its field has now, and older records are NULL there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from genesis.lake.catalog import (
    existing_table,
    load_table,
    locked,
    make_catalog,
    table_identifier,
)
from genesis.lake.changes import ChangeTaker, Progress, Stretch
from genesis.lake.evolution import Evolution
from genesis.lake.holding import Held, Holding, Pause
from genesis.lake.ingest import (
    Landing,
    Taker,
    Terms,
    go_on,
    held_elsewhere,
    pause,
    refuse_query,
    waits,
)
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target


def resume(
    source: DataSource,
    *,
    root: Path,
    target: Target,
    consumed: frozenset[str] | None = None,
    accept: bool = False,
) -> Iterator[Landing]:
    """Land what was held for a data source; where a person has to decide again, the last landing says why.

    `consumed` are the columns that somebody reads. With `accept`, the changes that were told pass.
    """
    refuse_query(source)
    identifier = table_identifier(source.table or "")
    with (
        locked(root, ".".join(identifier)),
        closing(make_catalog(root, target)) as catalog,
    ):
        holding = Holding(root, source.name)
        why = holding.pause
        if why is None:
            log = load_table(catalog, identifier)
            if log is not None and waits(log, source):
                _go_on_without(source, log, accept=accept)
            return
        terms = Terms(consumed, why.changes if accept else ())
        for held in holding.held:
            landing, evolution = _land(source, catalog, root, terms, held)
            if evolution.conflicts:
                yield _paused_again(source, catalog, holding, why, evolution)
                return
            holding.drop(held)
            yield landing
        if (log := load_table(catalog, identifier)) is not None:
            go_on(log, source)
        holding.end()


def _land(
    source: DataSource, catalog: Catalog, root: Path, terms: Terms, held: Held
) -> tuple[Landing, Evolution]:
    """The landing of one thing that was held: a batch of files, or changes of a PostgreSQL."""
    if "batch" not in held.said:
        return _land_changes(source, catalog, root, terms, Stretch.of(held))
    with held.files() as incoming:
        at = datetime.fromisoformat(held.said["at"])
        return Taker(source, catalog, root, terms).land(held.said["batch"], incoming, at)


def _land_changes(
    source: DataSource, catalog: Catalog, root: Path, terms: Terms, stretch: Stretch
) -> tuple[Landing, Evolution]:
    log = load_table(catalog, table_identifier(source.table or ""))
    # A log of another slot has been copied since, or a new one will be.
    if log is None or Progress.of(log).slot != stretch.slot:
        return Landing(source.name, stretch.end), Evolution()
    taker = ChangeTaker(source, catalog, root, terms, partial(datetime.now, UTC))
    return taker.take(stretch)


def _paused_again(
    source: DataSource, catalog: Catalog, holding: Holding, why: Pause, evolution: Evolution
) -> Landing:
    """What was told is told again only in a line; what is new to people is told in full."""
    log = existing_table(catalog, table_identifier(source.table or ""))
    pause(holding, log, source, evolution, why.since)
    if (now := holding.pause) is not None and set(now.changes) == set(why.changes):
        holding.begin(replace(now, is_told=why.is_told))
    return Landing(source.name, "", paused=holding.pause)


def _go_on_without(source: DataSource, log: Table, *, accept: bool) -> None:
    """Forget what was held elsewhere, if that is accepted. Raises `EngineError` where it is not."""
    is_followed = Progress.of(log).place is not None
    if is_followed or not accept:
        raise held_elsewhere(source, is_followed=is_followed)
    go_on(log, source)
