"""Tables of a PostgreSQL, copied into their change logs and followed from there: each change once.

How far a table has landed is written with what landed, in one commit; the server keeps changes until
they have landed in every table. So whichever side dies, what is asked for again is told by its place in
the server's log. A table that cannot go on stops alone: the others land, and the server keeps what it
is to get. The surprise: the log of a table names its slot before there is one, so that a
death in between leaves no slot that nobody knows of and that fills the server's disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.interfaces import Clock
from genesis.lake.catalog import (
    STATE_FOLDER,
    change_log,
    existing_table,
    locked,
    make_catalog,
    table_identifier,
    told_as_problem,
)
from genesis.lake.columns import guessed_columns, record_columns
from genesis.lake.events import Reader
from genesis.lake.incoming import Entry
from genesis.lake.ingest import Landing, refuse_query
from genesis.lake.landing import POSITION_PROPERTY, Intake, Rejects, commit, tidy, written
from genesis.lake.pgoutput import NotPgoutput, lsn_number, lsn_text
from genesis.lake.records import live_keys, newest
from genesis.lake.replay import Followed, Key, Moment, Ticks, copied, replayed
from genesis.lake.spool import Spool
from genesis.sources import replication as server
from genesis.sources.postgres import connect
from genesis.spec.data_source import DataSource
from genesis.spec.project import SourceSystem, Target

if TYPE_CHECKING:
    import psycopg

# In the properties of a table: the slot that keeps its changes, the place in the server's log up to
# which they have landed (none before the first copy), and the time of the last.
SLOT_PROPERTY = "genesis.source.slot"
PLACE_PROPERTY = "genesis.source.place"
TIME_PROPERTY = "genesis.source.time"

Step = Literal["name", "publish", "slot", "snapshot", "copy", "peek", "land", "commit", "let-go"]

_ATTEMPTS = 30
_MESSAGES_AT_ONCE = 100_000
_PAUSE = timedelta(seconds=10)  # times the snapshots that are kept: ten minutes of them


@dataclass(frozen=True, slots=True)
class Lake:
    """Where changes land: a project's folder, a target, and the time."""

    root: Path
    target: Target
    clock: Clock


@dataclass(frozen=True, slots=True)
class Origin:
    """Where changes come from: a source system, and the tables there of some data sources."""

    name: str
    system: SourceSystem
    sources: tuple[DataSource, ...]

    def table(self, source: DataSource) -> server.Name:
        """Where the table of a data source is: as the settings say, else by its own name."""
        return server.Name.of(self.system.tables.get(source.name, source.name))


def follow(
    origin: Origin,
    lake: Lake,
    *,
    afresh: bool = False,
    keep_going: bool = False,
    told: Callable[[Step], None] = lambda _: None,
    warned: Callable[[str], None] = lambda _: None,
) -> Iterator[Landing]:
    """Copy the tables that were not, land what has changed since, and tell of each batch.

    It ends where the server's log stood when it began, or with `keep_going` never. `afresh` copies
    every table. `told` hears of each step before it is taken. Raises `EngineError`.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(connect(origin.name, origin.system, lake.root))
        catalog = stack.enter_context(closing(make_catalog(lake.root, lake.target)))
        follower = _Follower(origin, lake, connection, catalog, told, warned)
        yield from follower.start(afresh=afresh)
        yield from follower.catch_up()
        while keep_going:
            lake.clock.sleep(_PAUSE)
            yield from follower.catch_up()


class _State(NamedTuple):
    """What a log says of how far it has come."""

    slot: str | None
    place: str | None
    time: datetime | None

    @classmethod
    def of(cls, log: Table) -> _State:
        time = log.properties.get(TIME_PROPERTY)
        return cls(
            log.properties.get(SLOT_PROPERTY),
            log.properties.get(PLACE_PROPERTY),
            datetime.fromisoformat(time) if time else None,
        )


@dataclass(frozen=True, slots=True)
class _Tracked:
    """A data source and its table there; `columns` are those that it has of the log's."""

    source: DataSource
    name: server.Name
    table: Followed
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Past:
    """The records of a log, as it was loaded."""

    log: Table
    table: Followed

    def live_keys(self) -> Iterable[Key]:
        return live_keys(self.log, self.table.key)

    def newest(self, keys: Sequence[Key]) -> Mapping[Key, Mapping[str, Any]]:
        columns = [column.name for column in self.table.columns if not column.required]
        return newest(self.log, self.table.key, columns, keys)


class _Batch(NamedTuple):
    """What is to land in one table: how it is named, its events, and what is known when they did."""

    name: str
    entries: Iterable[Entry]
    properties: Callable[[], dict[str, str]]


class _Follower:
    """One process that follows a source."""

    def __init__(
        self,
        origin: Origin,
        lake: Lake,
        connection: psycopg.Connection[Any],
        catalog: Catalog,
        told: Callable[[Step], None],
        warned: Callable[[str], None],
    ) -> None:
        self._origin = origin
        self._lake = lake
        self._connection = connection
        self._catalog = catalog
        self._told = told
        self._warned = warned
        self._name = origin.name
        self._slot = ""
        self._publication = ""
        self._tracked: tuple[_Tracked, ...] = ()
        self._may_let_go = True

    def start(self, *, afresh: bool) -> Iterator[Landing]:
        """Make what is missing on the server, and copy the tables that are not followed yet."""
        server.refuse_unfit_server(self._connection, self._name)
        self._tracked = self._fit_tables()
        states = {each.source.name: _State.of(self._log(each)) for each in self._tracked}
        self._slot = self._living_slot(states.values()) or f"genesis_{secrets.token_hex(6)}"
        server.hold(self._connection, self._name, self._slot)
        self._publication = self._origin.system.publication or self._slot
        states = {each.source.name: _State.of(self._log(each)) for each in self._tracked}
        before = server.published(self._connection, self._name, self._publication)
        if not afresh:
            for each in self._tracked:
                self._refuse_gap(each, states[each.source.name], before or frozenset())
        new = [each for each in self._tracked if afresh or states[each.source.name].place is None]
        self._prepare(new, before)
        if new:
            yield from self._copy(new)

    def catch_up(self) -> Iterator[Landing]:
        """Land what was committed until now; whole transactions, each table for itself."""
        until = server.place_now(self._connection, self._name)
        failed: dict[str, EngineError] = {}
        while True:
            # What is not let go comes again from its start, so then all of it is asked for.
            limit = _MESSAGES_AT_ONCE if self._may_let_go and not failed else None
            with Spool([each.name for each in self._tracked], self._spool) as spool:
                self._peek(spool, until, limit)
                yield from self._land_all(spool, failed)
                is_all = limit is None or spool.count < limit
                if self._may_let_go and not failed:
                    self._let_go(until if is_all else lsn_text(spool.end or 0))
            if is_all:
                break
        if failed:
            _raise(list(failed.values()))

    @property
    def _spool(self) -> Path:
        return self._lake.root / STATE_FOLDER

    def _fit_tables(self) -> tuple[_Tracked, ...]:
        """The tables as they are there. Raises `EngineError` for all that cannot be followed."""
        problems: list[Problem] = []
        tracked = []
        for source in self._origin.sources:
            refuse_query(source)
            name, columns = self._origin.table(source), record_columns(source)
            table = Followed(str(name), columns, guessed_columns(source))
            payload = tuple(column.name for column in columns if not column.required)
            wanted = server.Wanted(name, table.key, payload, table.optional)
            shape = server.find_shape(self._connection, self._name, name)
            problems += server.unfit(self._connection, self._name, wanted, shape)
            there = shape.columns if shape else ()
            present = tuple(column.name for column in columns if column.name in there)
            tracked.append(_Tracked(source, name, table, present))
        if problems:
            raise EngineError(tuple(problems))
        return tuple(tracked)

    def _log(self, each: _Tracked) -> Table:
        return change_log(self._catalog, each.source, self._lake.root)

    def _living_slot(self, states: Iterable[_State]) -> str | None:
        """The slot that keeps changes for these logs, where there still is one."""
        for slot in dict.fromkeys(state.slot for state in states if state.slot):
            found = server.find_slot(self._connection, self._name, slot)
            if found is not None and not found.is_lost:
                return slot
        return None

    def _refuse_gap(self, each: _Tracked, state: _State, published: frozenset[server.Name]) -> None:
        """Raise `EngineError` where changes may be missing since the last that landed."""
        if state.place is None:
            return
        if state.slot != self._slot:
            raise server.lost(self._name, state.slot or "")
        now = server.place_now(self._connection, self._name)
        if each.name not in published:
            why = f"the publication `{self._publication}` no longer has it"
        elif lsn_number(state.place) > lsn_number(now):
            why = f"the server's log ends at {now}, before {state.place}, which has landed: it was restored"
        else:
            return
        message = f"changes of `{each.name}` may be missing: {why}"
        raise EngineError(Problem("not-followed", message, hint=server.SNAPSHOT_HINT))

    def _prepare(self, new: Sequence[_Tracked], before: frozenset[server.Name] | None) -> None:
        """Name the slot in the new logs, then publish their tables, then make it."""
        self._told("name")
        for each in new:
            self._join(each)
        self._told("publish")
        missing = {each.name for each in self._tracked} - (before or frozenset())
        if missing:
            server.publish(self._connection, self._name, self._publication, missing)
        self._told("slot")
        if server.find_slot(self._connection, self._name, self._slot) is None:
            server.make_slot(self._connection, self._name, self._slot)
        others = (before or frozenset()) - {each.name for each in self._tracked}
        self._may_let_go = not others
        if others:
            names = ", ".join(f"`{other}`" for other in sorted(others))
            self._warned(
                f"the server keeps all changes from here on, since {names} of publication `{self._publication}` was not asked for"
            )

    def _join(self, each: _Tracked) -> None:
        log = self._log(each)
        if _State.of(log)[:2] == (self._slot, None):
            return
        with told_as_problem("the catalog"), log.transaction() as transaction:
            if PLACE_PROPERTY in log.properties:
                transaction.remove_properties(PLACE_PROPERTY)
            transaction.set_properties({SLOT_PROPERTY: self._slot})

    def _copy(self, new: Sequence[_Tracked]) -> Iterator[Landing]:
        """Copy tables as they were at one place in the server's log."""
        self._told("snapshot")
        replication = connect(self._name, self._origin.system, self._lake.root, replication=True)
        with replication:
            at = server.snapshot(self._connection, replication, self._name)
            with at as place:
                committed = server.clock(self._connection, self._name)
                for each in new:
                    self._told("copy")
                    yield self._land(each, partial(self._copied, each, place, committed))

    def _copied(self, each: _Tracked, place: str, committed: datetime, log: Table) -> _Batch:
        ticks = Ticks(_State.of(log).time, self._lake.clock.now())
        moment = Moment(ticks.tick(committed), committed, lsn_number(place))
        rows = server.rows(self._connection, self._name, each.name, each.columns)
        gone = _Past(log, each.table).live_keys() if log.current_snapshot() else ()
        reader = Reader(each.table.columns, moment.time)
        entries = copied(each.table, reader, moment, each.columns, rows, gone)
        return self._batch(f"copy-{place}", entries, place, ticks)

    def _peek(self, spool: Spool, until: str, limit: int | None) -> None:
        self._told("peek")
        asked = server.changes(
            self._connection, self._name, self._slot, self._publication, until, limit
        )
        with asked as messages, _misread(self._name):
            for message in messages:
                spool.add(message)

    def _land_all(self, spool: Spool, failed: dict[str, EngineError]) -> Iterator[Landing]:
        for each in self._tracked:
            if each.source.name in failed or not spool.has(each.name):
                continue
            self._told("land")
            try:
                with _misread(self._name):
                    landing = self._land(each, partial(self._changed, each, spool))
            except EngineError as error:
                failed[each.source.name] = error
            else:
                if landing.landed or landing.rejected:
                    yield landing

    def _changed(self, each: _Tracked, spool: Spool, log: Table) -> _Batch:
        state = _State.of(log)
        if state.slot != self._slot or state.place is None:
            raise EngineBusy(
                Problem("service-busy", f"`{each.name}` is being copied by another process")
            )
        ticks = Ticks(state.time, self._lake.clock.now())
        reader = Reader(each.table.columns, self._lake.clock.now())
        entries = replayed(
            each.table,
            reader,
            lambda: spool.messages(each.name),
            after=lsn_number(state.place),
            ticks=ticks,
            past=_Past(log, each.table),
        )
        return self._batch(state.place, entries, lsn_text(spool.end or 0), ticks)

    def _batch(self, name: str, entries: Iterable[Entry], place: str, ticks: Ticks) -> _Batch:
        def properties() -> dict[str, str]:
            time = {TIME_PROPERTY: ticks.last.isoformat()} if ticks.last else {}
            return {SLOT_PROPERTY: self._slot, PLACE_PROPERTY: place, **time}

        return _Batch(f"{self._name}-{name}".replace("/", "-"), entries, properties)

    def _land(self, each: _Tracked, made: Callable[[Table], _Batch]) -> Landing:
        """Land a batch in one commit, together with how far the log has come then."""
        identifier = table_identifier(each.source.table or "")
        with locked(self._lake.root, ".".join(identifier)):
            for _ in range(_ATTEMPTS):
                log = existing_table(self._catalog, identifier)
                with suppress(CommitFailedException):
                    return self._committed(each, log, made(log))
        message = f"the table `{each.source.table}` changed {_ATTEMPTS} times while events were landing in it"
        raise EngineBusy(Problem("catalog-failed", message, hint="try again"))

    def _committed(self, each: _Tracked, log: Table, batch: _Batch) -> Landing:
        with Rejects(self._lake.root, each.source, batch.name) as rejects:
            reader = Reader(each.table.columns, self._lake.clock.now())
            intake = Intake(log, batch.name, reader, rejects)
            files = written(log, intake.arrow(batch.entries))
            rejects.publish()
            self._told("commit")
            said = batch.properties()
            is_copy = PLACE_PROPERTY not in log.properties
            if files or is_copy:
                position = {POSITION_PROPERTY: str(intake.position)}
                commit(log, files, {**position, PLACE_PROPERTY: said[PLACE_PROPERTY]}, said)
            snapshot_id = log.metadata.current_snapshot_id if files else None
            tidy(log)
            return Landing(
                data_source=each.source.name,
                batch=batch.name,
                landed=intake.landed,
                rejected=rejects.count,
                already_landed=False,
                rejects=rejects.path if rejects.count else None,
                ignored=(),
                snapshot_id=snapshot_id,
            )

    def _let_go(self, place: str) -> None:
        self._told("let-go")
        server.let_go(self._connection, self._name, self._slot, place)


@contextmanager
def _misread(name: str) -> Iterator[None]:
    try:
        yield
    except NotPgoutput as error:
        message = f"source `{name}` sent what cannot be read: {error}"
        raise EngineError(Problem("not-followed", message)) from error


def _raise(errors: Sequence[EngineError]) -> None:
    problems = tuple(problem for error in errors for problem in error.problems)
    if all(isinstance(error, EngineBusy) for error in errors):
        raise EngineBusy(problems)
    raise EngineError(problems)
