"""Change events from files into a change log: each good line once, each bad one with its reason.

A batch lands in one commit or not at all, and a batch that has landed never does again. The
surprise: a lost race is run again from the lines on, since every event needs a position of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from genesis.errors import EngineBusy, EngineError, Problem, UsageError
from genesis.lake.batches import (
    BATCH_PROPERTY,
    REJECTED_PROPERTY,
    rejected_when_landed,
)
from genesis.lake.catalog import (
    STATE_FOLDER,
    change_log,
    existing_table,
    load_table,
    locked,
    make_catalog,
    table_identifier,
    told_as_problem,
)
from genesis.lake.columns import OWN, record_columns
from genesis.lake.consumers import EVERY
from genesis.lake.declared import Declared
from genesis.lake.events import Reader
from genesis.lake.evolution import Change, Evolution, evolved, way_out
from genesis.lake.growth import declared_property, grow, landing_columns, last_declared
from genesis.lake.holding import Holding, Pause
from genesis.lake.incoming import WAYS, Incoming, Way, digest, opened
from genesis.lake.landing import POSITION_PROPERTY, Intake, Rejects, commit, tidy, written
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

# In the properties of a table, for each data source whose ingest waits for a person: since when. What
# comes is held where it came.
PAUSED_PROPERTY = "genesis.paused"

Step = Literal["read", "write", "reject", "commit", "done", "hold", "held"]

_ATTEMPTS = 30
_OWN = frozenset(column.name for column in OWN)


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a batch. `ignored` are keys of its lines that no column has.

    `added` are columns that the log has from now on. While `paused` says why, the batch is held and
    has not landed.
    """

    data_source: str
    batch: str
    landed: int = 0
    rejected: int = 0
    already_landed: bool = False
    rejects: Path | None = None
    ignored: tuple[str, ...] = ()
    snapshot_id: int | None = None
    added: tuple[str, ...] = ()
    paused: Pause | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a changed source is taken: which columns somebody reads, what a person let pass.

    `None` for those of the data source's own definition.
    """

    consumed: frozenset[str] | None = None
    accepted: tuple[Change, ...] = ()

    def evolution(
        self, source: DataSource, before: Declared | None, declarations: Iterable[Declared]
    ) -> Evolution:
        """What becomes of the log of a data source."""
        columns = record_columns(source)
        read = self.consumed or frozenset(column.name for column in columns)
        if EVERY in read and before is not None:
            read = frozenset(before.columns)
        return evolved(
            before,
            declarations,
            columns,
            consumed=read,
            opt_in=source.opt_in,
            accepted=self.accepted,
        )


def ingest(
    source: DataSource,
    files: Sequence[Path],
    *,
    root: Path,
    target: Target,
    now: datetime,
    batch: str | None = None,
    consumed: frozenset[str] | None = None,
    standard_input: BinaryIO | None = None,
    told: Callable[[Step], None] = lambda _: None,
) -> Landing:
    """Land the events of some files as one batch; `-` is standard input.

    `now` is the time of events that do not say theirs; `batch` is by default a hash of the content.
    `consumed` are the columns that somebody reads: where one of them is gone, or another, the batch
    is held, and those after it. `told` hears of each step before it is taken.
    """
    refuse_query(source)
    with ExitStack() as stack:
        told("read")
        spool = root / STATE_FOLDER
        incoming = stack.enter_context(opened(files, standard_input=standard_input, spool=spool))
        batch = digest(incoming) if batch is None else _checked(batch)
        stack.enter_context(locked(root, ".".join(table_identifier(source.table or ""))))
        catalog = stack.enter_context(closing(make_catalog(root, target)))
        taker = Taker(source, catalog, root, Terms(consumed), told)
        return taker.take(batch, incoming, now)


class Taker:
    """Whoever takes batches of files into the log of a data source, one at a time."""

    def __init__(
        self,
        source: DataSource,
        catalog: Catalog,
        root: Path,
        terms: Terms,
        told: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._identifier = table_identifier(source.table or "")
        self._catalog = catalog
        self._root = root
        self._terms = terms
        self._told = told
        self._holding = Holding(root, source.name)
        self._anew = frozenset(change.column for change in terms.accepted if change.now)

    def take(self, batch: str, incoming: Sequence[Incoming], now: datetime) -> Landing:
        """Land a batch, or hold it where the table waits for a person, or has to from now on."""
        if self._holding.pause is None:
            landing, evolution = self.land(batch, incoming, now)
            if not evolution.conflicts:
                return landing
            self._told("hold")
            log = existing_table(self._catalog, self._identifier)
            pause(self._holding, log, self._source, evolution, now)
        elif (before := self._landed_before_the_pause(batch)) is not None:
            return before
        self._holding.keep_batch(batch, incoming, now)
        self._told("held")
        return Landing(self._source.name, batch, paused=self._holding.pause)

    def _landed_before_the_pause(self, batch: str) -> Landing | None:
        log = load_table(self._catalog, self._identifier)
        rejected = rejected_when_landed(log, batch) if log is not None else None
        if log is None or rejected is None:
            return None
        with Rejects(self._root, self._source, batch) as rejects:
            return _landed_before(self._source, batch, log, rejects, rejected)

    def land(
        self, batch: str, incoming: Sequence[Incoming], now: datetime
    ) -> tuple[Landing, Evolution]:
        """Land a batch. Where the source has changed so that a person must decide, nothing lands."""
        with Rejects(self._root, self._source, batch) as rejects:
            for _ in range(_ATTEMPTS):
                with suppress(CommitFailedException):
                    log = change_log(self._catalog, self._source, self._root, anew=self._anew)
                    if waits(log, self._source) and self._holding.pause is None:
                        raise held_elsewhere(self._source)
                    if (rejected := rejected_when_landed(log, batch)) is not None:
                        before = _landed_before(self._source, batch, log, rejects, rejected)
                        return before, Evolution()
                    evolution, properties = self._evolution(log, incoming)
                    if evolution.conflicts:
                        return Landing(self._source.name, batch), evolution
                    added = grow(log, evolution)
                    columns = landing_columns(self._source, log, evolution.declared)
                    reader = Reader(columns, now)
                    landing = self._land(log, batch, incoming, reader, rejects, properties)
                    return replace(landing, added=added), evolution
        message = f"the table `{self._source.table}` changed {_ATTEMPTS} times while events were landing in it"
        raise EngineBusy(Problem("catalog-failed", message, hint="try again"))

    def _evolution(
        self, log: Table, incoming: Iterable[Incoming]
    ) -> tuple[Evolution, dict[str, str]]:
        """What becomes of the log, all ways in together, and the table's properties that say so."""
        declared = list(self._declared(incoming))
        found, properties = Evolution(), dict[str, str]()
        for way in WAYS:
            if declarations := [each for of, each in declared if of == way]:
                each = self._terms.evolution(self._source, last_declared(log, way), declarations)
                found = found.with_(each)
                properties |= declared_property(each.declared, way)
        return found, properties

    def _declared(self, incoming: Iterable[Incoming]) -> Iterator[tuple[Way, Declared]]:
        """What the files declare of records. One of deletes has the key alone, and says nothing of the rest."""
        key = {column.name for column in record_columns(self._source) if column.required}
        for way, each in (found for file in incoming for found in file.declarations()):
            columns = {name: type_ for name, type_ in each.columns.items() if name not in _OWN}
            if not key.issuperset(columns):
                yield way, replace(each, columns=columns)

    def _land(
        self,
        log: Table,
        batch: str,
        incoming: Iterable[Incoming],
        reader: Reader,
        rejects: Rejects,
        table_properties: Mapping[str, str],
    ) -> Landing:
        """The landing of a new batch. Raises `CommitFailedException` where another commit came first."""
        self._told("write")
        rejects.start()
        intake = Intake(log, batch, reader, rejects)
        entries = (entry for each in incoming for entry in each.entries(reader))
        files = written(log, intake.arrow(entries))
        self._told("reject")
        rejects.publish()
        self._told("commit")
        if files:
            properties = {
                BATCH_PROPERTY: batch,
                POSITION_PROPERTY: str(intake.position),
                REJECTED_PROPERTY: str(rejects.count),
            }
            commit(log, files, properties, table_properties)
        elif any(log.properties.get(name) != said for name, said in table_properties.items()):
            with told_as_problem("the catalog"), log.transaction() as transaction:
                transaction.set_properties(dict(table_properties))
        snapshot_id = log.metadata.current_snapshot_id if files else None
        tidy(log)
        self._told("done")
        return Landing(
            data_source=self._source.name,
            batch=batch,
            landed=intake.landed,
            rejected=rejects.count,
            rejects=rejects.path if rejects.count else None,
            ignored=tuple(sorted(intake.ignored)),
            snapshot_id=snapshot_id,
        )


def pause(
    holding: Holding, log: Table, source: DataSource, evolution: Evolution, now: datetime
) -> None:
    """Have the ingest of a data source wait for a person. The log says so too, for other machines."""
    hint = way_out(evolution, record_columns(source))
    holding.begin(Pause(source.name, now, evolution.conflicts, hint))
    if not waits(log, source):
        with told_as_problem("the catalog"), log.transaction() as transaction:
            transaction.set_properties({f"{PAUSED_PROPERTY}.{source.name}": now.isoformat()})


def waits(log: Table, source: DataSource) -> bool:
    """Whether a log says that the ingest of a data source waits for a person."""
    return f"{PAUSED_PROPERTY}.{source.name}" in log.properties


def go_on(log: Table, source: DataSource) -> None:
    """Have a log say that the ingest of a data source waits for nobody."""
    if waits(log, source):
        with told_as_problem("the catalog"), log.transaction() as transaction:
            transaction.remove_properties(f"{PAUSED_PROPERTY}.{source.name}")


def held_elsewhere(source: DataSource, *, is_followed: bool = False) -> EngineError:
    """The error for a log that waits for a person while nothing of it is held here.

    The server of one that is followed has let go of what was held.
    """
    command = (
        "--from SOURCE {} --snapshot` copies it anew"
        if is_followed
        else "--resume {} --accept` goes on without it"
    )
    hint = f"resume it on the machine that its events came to; if what that held is gone, `genesis ingest {command.format(source.name)}"
    message = f"`{source.name}` waits for a person, and what is held of it is not on this machine"
    return EngineError(Problem("ingest-paused", message, hint=hint))


def refuse_query(source: DataSource) -> None:
    """Raise `EngineError` for a data source that has no log."""
    if not source.table:
        hint = "only a data source with a `table` has a change log"
        message = f"data source `{source.name}` is a query: nothing can be ingested into it"
        raise EngineError(Problem("wrong-batch", message, hint=hint))


def _landed_before(
    source: DataSource, batch: str, log: Table, rejects: Rejects, rejected: int
) -> Landing:
    """The landing of a batch that the log has: nothing is added, its rejects are told again."""
    return Landing(
        data_source=source.name,
        batch=batch,
        landed=0,
        rejected=rejected,
        already_landed=True,
        rejects=rejects.path if rejected and rejects.path.exists() else None,
        ignored=(),
        snapshot_id=log.metadata.current_snapshot_id,
    )


def _checked(batch: str) -> str:
    """A batch id that may be part of a file's name."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=-]{0,127}", batch):
        return batch
    hint = "letters, digits and `_ . : @ + = -`, at most 128 of them"
    raise UsageError(Problem("wrong-batch", f"`{batch}` cannot be the id of a batch", hint=hint))
