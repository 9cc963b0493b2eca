"""Copies and changes of a PostgreSQL's tables, landed in their logs or held; the server is elsewhere.

How far a table has come is written with what landed, in one commit, and what comes twice is told by its
place in the server's log. Whatever a log waits for, what has come for it is kept before the server
lets it go. The surprise: what is held lands from here, too, without its server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from genesis.errors import EngineBusy, Problem
from genesis.lake.catalog import change_log, existing_table, table_identifier
from genesis.lake.columns import LogColumn, guessed_columns, record_columns
from genesis.lake.declared import Declared
from genesis.lake.events import Reader
from genesis.lake.evolution import Evolution
from genesis.lake.growth import declared_property, grow, landing_columns, last_declared
from genesis.lake.holding import Held
from genesis.lake.incoming import Entry
from genesis.lake.ingest import Landing, Terms
from genesis.lake.landing import POSITION_PROPERTY, Intake, Rejects, commit, tidy, written
from genesis.lake.pgoutput import lsn_number
from genesis.lake.records import live_keys, newest
from genesis.lake.replay import Followed, Key, Messages, Ticks, declarations, replayed
from genesis.spec.data_source import DataSource

# In the properties of a table: the slot that keeps its changes, the place in the server's log up to
# which they have landed (none before the first copy), and the time of the last.
SLOT_PROPERTY = "genesis.source.slot"
PLACE_PROPERTY = "genesis.source.place"
TIME_PROPERTY = "genesis.source.time"

WAY = "postgres"

Step = Literal["name", "publish", "slot", "snapshot", "copy", "peek", "land", "commit", "hold", "let-go"]  # fmt: skip

_ATTEMPTS = 30


class Progress(NamedTuple):
    """What a log says of how far it has come."""

    slot: str | None
    place: str | None
    time: datetime | None

    @classmethod
    def of(cls, log: Table) -> Progress:
        time = log.properties.get(TIME_PROPERTY)
        return cls(
            log.properties.get(SLOT_PROPERTY),
            log.properties.get(PLACE_PROPERTY),
            datetime.fromisoformat(time) if time else None,
        )


class Stretch(NamedTuple):
    """Messages about one table there: who sent them, the slot that kept them, where they end."""

    origin: str
    slot: str
    table: str
    end: str
    messages: Messages

    def to_json(self) -> dict[str, str]:
        """What is said of it where it is held."""
        return {"origin": self.origin, "slot": self.slot, "table": self.table, "end": self.end}

    @classmethod
    def of(cls, held: Held) -> Stretch:
        """A stretch that was held."""
        said = held.said
        return cls(said["origin"], said["slot"], said["table"], said["end"], held.messages)


class Batch(NamedTuple):
    """What is to land in one table: how it is named, its events, and what is known when they did."""

    name: str
    columns: Sequence[LogColumn]
    entries: Iterable[Entry]
    properties: Callable[[], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Past:
    """The records of a log, as it was loaded."""

    log: Table
    table: Followed

    def live_keys(self) -> Iterable[Key]:
        return live_keys(self.log, self.table.key)

    def newest(self, keys: Sequence[Key]) -> Mapping[Key, Mapping[str, Any]]:
        columns = [column.name for column in self.table.columns if not column.required]
        return newest(self.log, self.table.key, columns, keys)


class ChangeTaker:
    """Whoever lands copies and changes in the log of a data source; the table's lock is theirs."""

    def __init__(
        self,
        source: DataSource,
        catalog: Catalog,
        root: Path,
        terms: Terms,
        now: Callable[[], datetime],
        told: Callable[[Step], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._catalog = catalog
        self._root = root
        self._terms = terms
        self._now = now
        self._told = told
        self._anew = frozenset(change.column for change in terms.accepted if change.now)

    def take(self, stretch: Stretch) -> tuple[Landing, Evolution]:
        """Land changes. Where the table there has changed so that a person must decide, none lands."""
        for _ in range(_ATTEMPTS):
            with suppress(CommitFailedException):
                log = self._log()
                evolution = self._evolution(log, stretch)
                if evolution.conflicts:
                    return Landing(self._source.name, stretch.end), evolution
                added = grow(log, evolution)
                batch = self._changed(log, stretch, evolution.declared)
                return replace(self._committed(log, batch), added=added), evolution
        raise self._lost_races()

    def land(self, made: Callable[[Table], Batch]) -> Landing:
        """Land a batch in one commit, together with how far the log has come then."""
        for _ in range(_ATTEMPTS):
            log = existing_table(self._catalog, table_identifier(self._source.table or ""))
            with suppress(CommitFailedException):
                return self._committed(log, made(log))
        raise self._lost_races()

    def followed(self, name: str, log: Table, declared: Declared | None) -> Followed:
        """The table there, with the columns that land."""
        columns = landing_columns(self._source, log, declared)
        return Followed(name, columns, guessed_columns(self._source))

    def _log(self) -> Table:
        return change_log(self._catalog, self._source, self._root, anew=self._anew)

    def _evolution(self, log: Table, stretch: Stretch) -> Evolution:
        after = lsn_number(Progress.of(log).place or stretch.end)
        found = list(declarations(stretch.messages, after))
        before = last_declared(log, WAY) or (self._assumed(found[0]) if found else None)
        return self._terms.evolution(self._source, before, found)

    def _assumed(self, now: Declared) -> Declared:
        """What a table was before anybody wrote it down: as it is, and with every column that fields name."""
        guessed = guessed_columns(self._source)
        named = (column for column in record_columns(self._source) if column.name not in guessed)
        return Declared({**{column.name: str(column.type) for column in named}, **now.columns})

    def _changed(self, log: Table, stretch: Stretch, declared: Declared | None) -> Batch:
        progress = Progress.of(log)
        if progress.slot != stretch.slot or progress.place is None:
            message = f"`{stretch.table}` is being copied by another process"
            raise EngineBusy(Problem("service-busy", message))
        ticks = Ticks(progress.time, self._now())
        table = self.followed(stretch.table, log, declared)
        entries = replayed(
            table,
            Reader(table.columns, self._now()),
            stretch.messages,
            after=lsn_number(progress.place),
            ticks=ticks,
            past=Past(log, table),
        )
        name = batch_name(stretch.origin, progress.place)
        said = declared_property(declared, WAY)
        return Batch(name, table.columns, entries, landed(stretch.slot, stretch.end, ticks, said))

    def _committed(self, log: Table, batch: Batch) -> Landing:
        with Rejects(self._root, self._source, batch.name) as rejects:
            intake = Intake(log, batch.name, Reader(batch.columns, self._now()), rejects)
            files = written(log, intake.arrow(batch.entries))
            rejects.publish()
            self._told("commit")
            said = batch.properties()
            is_copy = PLACE_PROPERTY not in log.properties
            declares = any(log.properties.get(name) != said[name] for name in said if WAY in name)
            if files or is_copy or declares:
                position = {POSITION_PROPERTY: str(intake.position)}
                commit(log, files, {**position, PLACE_PROPERTY: said[PLACE_PROPERTY]}, said)
            snapshot_id = log.metadata.current_snapshot_id if files else None
            tidy(log)
            return Landing(
                data_source=self._source.name,
                batch=batch.name,
                landed=intake.landed,
                rejected=rejects.count,
                rejects=rejects.path if rejects.count else None,
                snapshot_id=snapshot_id,
            )

    def _lost_races(self) -> EngineBusy:
        message = f"the table `{self._source.table}` changed {_ATTEMPTS} times while events were landing in it"
        return EngineBusy(Problem("catalog-failed", message, hint="try again"))


def batch_name(origin: str, name: str) -> str:
    """How a batch from a source is named; a place in its log has a slash."""
    return f"{origin}-{name}".replace("/", "-")


def landed(
    slot: str, place: str, ticks: Ticks, said: Mapping[str, str]
) -> Callable[[], dict[str, str]]:
    """What a log says once a batch has landed; its last time is known only then."""

    def properties() -> dict[str, str]:
        time = {TIME_PROPERTY: ticks.last.isoformat()} if ticks.last else {}
        return {SLOT_PROPERTY: slot, PLACE_PROPERTY: place, **time, **said}

    return properties
