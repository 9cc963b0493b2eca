"""Tables of a PostgreSQL, copied into their change logs and followed from there: each change once.

The server keeps changes until they have landed in every table, or are held for one that waits for a person.
So whichever side dies, what is asked for again is told by its place in the server's log. A table that
cannot go on stops alone: the others land, and the server keeps what it is to get. The surprise: the log
of a table names its slot before there is one, so that a death in between leaves no slot that nobody
knows of and that fills the server's disk.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.interfaces import Clock
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
from genesis.lake.changes import (
    PLACE_PROPERTY,
    SLOT_PROPERTY,
    WAY,
    Batch,
    ChangeTaker,
    Past,
    Progress,
    Step,
    Stretch,
    batch_name,
    landed,
)
from genesis.lake.columns import guessed_columns, record_columns
from genesis.lake.declared import Declared, of_table
from genesis.lake.events import Reader
from genesis.lake.growth import declared_property
from genesis.lake.holding import Holding
from genesis.lake.ingest import (
    Landing,
    Terms,
    go_on,
    held_elsewhere,
    pause,
    refuse_query,
    waits,
)
from genesis.lake.pgoutput import NotPgoutput, lsn_number, lsn_text
from genesis.lake.replay import Moment, Ticks, copied, since
from genesis.lake.spool import Spool
from genesis.sources import replication as server
from genesis.sources.postgres import connect
from genesis.spec.data_source import DataSource
from genesis.spec.project import SourceSystem, Target

if TYPE_CHECKING:
    import psycopg

_MESSAGES_AT_ONCE = 100_000
# A log keeps its newest 60 snapshots: at this pace, those of ten minutes.
_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=1)
LONGEST_AWAY = timedelta(minutes=15)
"""How long a server that was followed may be away before whoever follows it gives up."""


@dataclass(frozen=True, slots=True)
class Lake:
    """Where changes land: a project's folder, a target, and the time."""

    root: Path
    target: Target
    clock: Clock


@dataclass(frozen=True, slots=True)
class Origin:
    """Where changes come from: a source system, and the tables there of some data sources.

    `consumed` are the columns of each that somebody reads; by default those of its own definition.
    """

    name: str
    system: SourceSystem
    sources: tuple[DataSource, ...]
    consumed: Mapping[str, frozenset[str]] = field(default_factory=dict)

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

    It ends where the server's log stood when it began. With `keep_going` it does not end, unless the
    server stays away for `LONGEST_AWAY`. `afresh` copies every table. `told` hears of each step before
    it is taken, `warned` of what passes by itself. Raises `EngineError`.
    """
    away = _Away(lake.clock, warned)
    while True:
        try:
            with ExitStack() as stack:
                connection = stack.enter_context(connect(origin.name, origin.system, lake.root))
                catalog = stack.enter_context(closing(make_catalog(lake.root, lake.target)))
                follower = _Follower(origin, lake, connection, catalog, told, warned)
                yield from follower.start(afresh=afresh)
                yield from follower.catch_up()
                while keep_going:
                    away.is_over()
                    afresh = False  # what was copied is not copied again when the server is back
                    lake.clock.sleep(_PAUSE)
                    yield from follower.catch_up()
                return
        except EngineBusy as error:
            away.wait(error)


class _Away:
    """The time for which a server that was followed has been away."""

    def __init__(self, clock: Clock, warned: Callable[[str], None]) -> None:
        self._clock = clock
        self._warned = warned
        self._was_there = False
        self._since: datetime | None = None
        self._pause = _PAUSE

    def is_over(self) -> None:
        """The server is there, and followed."""
        self._was_there, self._since, self._pause = True, None, _PAUSE

    def wait(self, error: EngineBusy) -> None:
        """Wait until it is worth another try; raise the error where it is not, or no longer."""
        now = self._clock.now()
        if not self._was_there or (self._since and now - self._since >= LONGEST_AWAY):
            raise error
        if self._since is None:
            self._since = now
            minutes = LONGEST_AWAY // timedelta(minutes=1)
            self._warned(f"{error.problems[0].message}; it is tried again for {minutes} minutes")
        self._clock.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class _Tracked:
    """A data source and its table there; `shape` is what that is like, `taker` lands what comes."""

    source: DataSource
    name: server.Name
    shape: server.Shape
    taker: ChangeTaker
    holding: Holding

    @property
    def declared(self) -> Declared:
        """The columns that the table there has."""
        return of_table(self.shape.types, self.shape.identity)


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
        self._is_afresh = False
        self._stopped: dict[str, EngineError] = {}
        self._lost: set[str] = set()
        self._told_paused: set[str] = set()

    def start(self, *, afresh: bool) -> Iterator[Landing]:
        """Make what is missing on the server, and copy the tables that are not followed yet."""
        self._is_afresh = afresh
        server.refuse_unfit_server(self._connection, self._name)
        self._tracked = tuple(self._fit_tables())
        states = {each.source.name: Progress.of(self._log(each)) for each in self._tracked}
        self._slot = self._living_slot(states.values()) or f"genesis_{secrets.token_hex(6)}"
        server.hold(self._connection, self._name, self._slot)
        self._publication = self._origin.system.publication or self._slot
        states = {each.source.name: Progress.of(self._log(each)) for each in self._tracked}
        before = server.published(self._connection, self._name, self._publication)
        new = [each for each in self._tracked if afresh or states[each.source.name].place is None]
        self._stop_lost(states, before or frozenset(), new)
        self._prepare(new, before or frozenset())
        if new:
            yield from self._copy(new)

    def catch_up(self) -> Iterator[Landing]:
        """Land what was committed until now; whole transactions, each table for itself."""
        until = server.place_now(self._connection, self._name)
        failed = dict(self._stopped)
        while True:
            # What is not let go comes again from its start, so then all of it is asked for.
            limit = _MESSAGES_AT_ONCE if self._lets_go(failed) else None
            with Spool([each.name for each in self._tracked], self._spool) as spool:
                self._peek(spool, until, limit)
                yield from self._land_all(spool, failed)
                is_all = limit is None or spool.count < limit
                if self._lets_go(failed):
                    self._let_go(until if is_all else lsn_text(spool.end or 0))
            if is_all:
                break
        yield from self._paused()
        if failed:
            _raise(list(failed.values()))

    def _lets_go(self, failed: Mapping[str, EngineError]) -> bool:
        """Whether nobody needs what has landed; to a table whose changes are gone it is of no use."""
        return self._may_let_go and failed.keys() <= self._lost

    @property
    def _going_on(self) -> Iterator[_Tracked]:
        """The tables that nothing has stopped."""
        return (each for each in self._tracked if each.source.name not in self._stopped)

    @property
    def _spool(self) -> Path:
        return self._lake.root / STATE_FOLDER

    def _fit_tables(self) -> Iterator[_Tracked]:
        """The tables as they are there. Raises `EngineError` for all that cannot be copied.

        One that was copied before stops alone: its changes tell what has become of its columns.
        """
        problems: list[Problem] = []
        for source in self._origin.sources:
            refuse_query(source)
            name, columns = self._origin.table(source), record_columns(source)
            is_new = self._is_afresh or not self._is_followed(source)
            key = tuple(column.name for column in columns if column.required)
            payload = tuple(column.name for column in columns if not column.required)
            wanted = server.Wanted(name, key, payload, guessed_columns(source))
            shape = server.find_shape(self._connection, self._name, name)
            found = list(server.unfit(self._connection, self._name, wanted, shape))
            if is_new:
                problems += found
            elif shape is None or not shape.is_followable:
                self._stopped[source.name] = EngineError(tuple(found))
            yield _Tracked(
                source,
                name,
                shape or server.NOTHING,
                self._taker(source),
                Holding(self._lake.root, source.name),
            )
        if problems:
            raise EngineError(tuple(problems))

    def _is_followed(self, source: DataSource) -> bool:
        log = load_table(self._catalog, table_identifier(source.table or ""))
        return log is not None and Progress.of(log).place is not None

    def _taker(self, source: DataSource) -> ChangeTaker:
        terms = Terms(self._origin.consumed.get(source.name))
        root, clock = self._lake.root, self._lake.clock
        return ChangeTaker(source, self._catalog, root, terms, clock.now, self._told)

    def _log(self, each: _Tracked) -> Table:
        """The log of a table; of one that waits, as it is, for its definition may not fit it yet."""
        why = each.holding.pause
        if why is not None and not self._is_afresh:
            log = load_table(self._catalog, table_identifier(each.source.table or ""))
            if log is not None:
                return log
        anew = {change.column for change in why.changes if change.now} if why else ()
        log = change_log(self._catalog, each.source, self._lake.root, anew=anew)
        if why is None and waits(log, each.source) and not self._is_afresh:
            self._stopped[each.source.name] = held_elsewhere(each.source, is_followed=True)
        return log

    def _living_slot(self, states: Iterable[Progress]) -> str | None:
        """The slot that keeps changes for these logs, where there still is one."""
        for slot in dict.fromkeys(state.slot for state in states if state.slot):
            found = server.find_slot(self._connection, self._name, slot)
            if found is not None and not found.is_lost:
                return slot
        return None

    def _stop_lost(
        self,
        states: Mapping[str, Progress],
        published: frozenset[server.Name],
        new: Sequence[_Tracked],
    ) -> None:
        """Stop the tables of which changes are gone. Raises `EngineError` where that is all of them."""
        for each in tuple(self._going_on):
            if each not in new and (lost := self._gap(each, states[each.source.name], published)):
                self._stopped[each.source.name] = lost
                self._lost.add(each.source.name)
        if len(self._lost) == len(self._tracked):
            _raise(list(self._stopped.values()))

    def _gap(
        self, each: _Tracked, state: Progress, published: frozenset[server.Name]
    ) -> EngineError | None:
        """Why changes may be missing since the last that landed."""
        if state.slot != self._slot:
            return server.lost(self._name, state.slot or "")
        place, now = state.place or "", server.place_now(self._connection, self._name)
        if each.name not in published:
            why = f"the publication `{self._publication}` no longer has it"
        elif lsn_number(place) > lsn_number(now):
            why = (
                f"the server's log ends at {now}, before {place}, which has landed: it was restored"
            )
        else:
            return None
        message = f"changes of `{each.name}` may be missing: {why}"
        return EngineError(Problem("not-followed", message, hint=server.SNAPSHOT_HINT))

    def _prepare(self, new: Sequence[_Tracked], published: frozenset[server.Name]) -> None:
        """Name the slot in the new logs, then publish their tables, then make it."""
        self._told("name")
        for each in new:
            self._join(each)
        others = published - {each.name for each in self._tracked}
        if not others and len(new) + len(self._lost) == len(self._tracked):
            # What it keeps is of before the copies. It cannot be read where the publication is made anew.
            server.drop_slot(self._connection, self._name, self._slot)
        self._told("publish")
        if missing := {each.name for each in self._going_on} - published:
            server.publish(self._connection, self._name, self._publication, missing)
        self._told("slot")
        if server.find_slot(self._connection, self._name, self._slot) is None:
            server.make_slot(self._connection, self._name, self._slot)
        self._may_let_go = not others
        if others:
            names = ", ".join(f"`{other}`" for other in sorted(others))
            self._warned(
                f"the server keeps all changes from here on, since {names} of publication `{self._publication}` was not asked for"
            )

    def _join(self, each: _Tracked) -> None:
        log = self._log(each)
        if Progress.of(log)[:2] == (self._slot, None):
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
                    with self._locked(each):
                        landing = each.taker.land(partial(self._copied, each, place, committed))
                        self._forget_held(each)
                    yield landing

    def _copied(self, each: _Tracked, place: str, committed: datetime, log: Table) -> Batch:
        ticks = Ticks(Progress.of(log).time, self._lake.clock.now())
        moment = Moment(ticks.tick(committed), committed, lsn_number(place))
        table = each.taker.followed(str(each.name), log, each.declared)
        there = [column.name for column in table.columns if column.name in each.shape.types]
        rows = server.rows(self._connection, self._name, each.name, there)
        gone = Past(log, table).live_keys() if log.current_snapshot() else ()
        reader = Reader(table.columns, moment.time)
        entries = copied(table, reader, moment, there, rows, gone)
        said = declared_property(each.declared, WAY)
        name = batch_name(self._name, f"copy-{place}")
        return Batch(name, table.columns, entries, landed(self._slot, place, ticks, said))

    def _forget_held(self, each: _Tracked) -> None:
        """What was held is of before the copy."""
        self._stopped.pop(each.source.name, None)
        log = existing_table(self._catalog, table_identifier(each.source.table or ""))
        go_on(log, each.source)
        each.holding.end()

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
                with _misread(self._name), self._locked(each):
                    landing = self._take(each, spool)
            except EngineError as error:
                failed[each.source.name] = error
            else:
                if landing is not None and (landing.landed or landing.rejected):
                    yield landing

    def _take(self, each: _Tracked, spool: Spool) -> Landing | None:
        """Land the changes of a table; or hold them where it waits for a person, or has to from now on."""
        end = lsn_text(spool.end or 0)
        messages = partial(spool.messages, each.name)
        stretch = Stretch(self._name, self._slot, str(each.name), end, messages)
        if each.holding.pause is None:
            landing, evolution = each.taker.take(stretch)
            if not evolution.conflicts:
                return landing
            pause(each.holding, self._log(each), each.source, evolution, self._lake.clock.now())
        held = (one.said["end"] for one in each.holding.newest if "end" in one.said)
        place = next(held, None) or Progress.of(self._log(each)).place
        after = lsn_number(place or end)
        if any(message[0] in b"IUDTM" for message in since(messages, after)):
            self._told("hold")
            each.holding.keep_changes(stretch.to_json(), since(messages, after))
        return None

    def _paused(self) -> Iterator[Landing]:
        """The tables that wait for a person, each told of once by this process."""
        for each in self._tracked:
            name, why = each.source.name, each.holding.pause
            if why is None:
                self._told_paused.discard(name)
            elif name not in self._told_paused:
                self._told_paused.add(name)
                yield Landing(name, "", paused=why)

    def _locked(self, each: _Tracked) -> AbstractContextManager[None]:
        return locked(self._lake.root, ".".join(table_identifier(each.source.table or "")))

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
