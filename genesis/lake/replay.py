"""The rows and changes of a PostgreSQL table, as events of its change log.

What an update left out is looked up: in the old row if that was sent, else in the record that the log
has. A TRUNCATE, or a copy of the whole table, first deletes every record that is there. The surprise:
`_ts` is the time of the commit, unless that is before the last event's or in our future: clocks are
set back, and a key's newest record must be the one that was committed last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from genesis.errors import EngineError, Problem
from genesis.lake.columns import LogColumn, reserved_key
from genesis.lake.declared import Declared, of_relation
from genesis.lake.events import Event, Reader, Reject
from genesis.lake.incoming import Entry
from genesis.lake.pgoutput import (
    UNSENT,
    Begin,
    Delete,
    Heartbeat,
    Insert,
    Relation,
    Row,
    Truncate,
    Unsent,
    Update,
    decode,
    lsn_text,
)
from genesis.lake.pgtext import parser

Key = tuple[Any, ...]
Record = dict[str, Any]
Messages = Callable[[], Iterable[bytes]]


class Past(Protocol):
    """The records of a log, as they were before what is landing."""

    def live_keys(self) -> Iterable[Key]:
        """The keys of all records."""

    def newest(self, keys: Sequence[Key]) -> Mapping[Key, Mapping[str, Any]]:
        """The values of the records with these keys, without the keys."""


class Moment(NamedTuple):
    """What the events of one transaction, or of a copy, say of themselves."""

    time: datetime
    source_time: datetime
    place: int

    def said(self, operation: str) -> Record:
        """It as an event has it."""
        return {
            "_op": operation,
            "_ts": self.time,
            "_source_ts": self.source_time,
            "_source_pos": lsn_text(self.place),
        }


class Ticks:
    """The times of a table's events: never before the last one's, nor after `now`."""

    def __init__(self, last: datetime | None, now: datetime) -> None:
        self.last = last
        self._now = now

    def tick(self, committed: datetime) -> datetime:
        """The time of the events that were committed then."""
        time = min(committed, self._now)
        self.last = time if self.last is None else max(time, self.last)
        return self.last


@dataclass(frozen=True, slots=True)
class Followed:
    """A table that is followed: its name there, and the columns of its log.

    `optional` are columns that it may lack; they stay NULL.
    """

    name: str
    columns: tuple[LogColumn, ...]
    optional: frozenset[str] = frozenset()

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart."""
        return tuple(column.name for column in self.columns if column.required)


def copied(
    table: Followed,
    reader: Reader,
    moment: Moment,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    gone: Iterable[Key],
) -> Iterator[Entry]:
    """The events of a copy of the table: what was there is `gone`, what there is now is read."""
    for key in gone:
        record = {**dict(zip(table.key, key, strict=True)), **moment.said("d")}
        yield Entry(table.name, 0, "", reader.row(record), 0)
    types = {column.name: column.type for column in table.columns}
    parsers = [(name, parser(types[name])) for name in columns]
    said = moment.said("r")
    for number, row in enumerate(rows, start=1):
        record = {
            name: None if text is None else parse(text)
            for (name, parse), text in zip(parsers, row, strict=True)
        }
        size = sum(len(text) for text in row if text is not None)
        yield _entry(table, number, {**record, **said}, reader, size)


def replayed(
    table: Followed, reader: Reader, messages: Messages, *, after: int, ticks: Ticks, past: Past
) -> Iterator[Entry]:
    """The events of the transactions that committed from `after` on, in their order.

    `messages` are those about the table, and the transactions' own; they are read three times. Raises
    `EngineError` for a change that does not say what it should.
    """
    state = _State(table, reader, past, *_survey(table, reader, messages, after))
    last: Begin | None = None
    number = 0
    for begin, layout, message, size in _changes(table, messages, after):
        if begin is not last:
            moment = Moment(ticks.tick(begin.at), begin.at, begin.commit)
            last = begin
        for record in _records(table, layout, message, moment, state):
            number += 1
            entry = _entry(table, number, record, reader, size)
            state.keep(entry.event)
            yield entry
    for begin, beat in _heartbeats(messages, after):
        moment = Moment(ticks.tick(begin.at), beat.at, begin.commit)
        number += 1
        yield _entry(table, number, {**reserved_key(table.columns), **moment.said("h")}, reader, 0)


def declarations(messages: Messages, after: int) -> Iterator[Declared]:
    """What the table there declares of the changes that are still to land, again wherever that differs."""
    begin: Begin | None = None
    relations: dict[int, Declared] = {}
    last: Declared | None = None
    for raw in messages():
        if raw[0] in b"BR":
            match decode(raw):
                case Begin() as message:
                    begin = message if message.commit >= after else None
                case Relation() as message:
                    relations[message.id] = of_relation(message)
        elif raw[0] in b"IUD" and begin is not None:
            found = relations.get(int.from_bytes(raw[1:5]))
            if found is not None and found is not last and found != last:
                yield (last := found)


def since(messages: Messages, after: int) -> Iterator[bytes]:
    """The messages of the transactions that committed from `after` on, and what is needed to read them."""
    is_after = False
    for raw in messages():
        if raw[0] in b"B":
            begin = decode(raw)
            is_after = isinstance(begin, Begin) and begin.commit >= after
        if is_after or raw[0] in b"R":
            yield raw


def _heartbeats(messages: Messages, after: int) -> Iterator[tuple[Begin, Heartbeat]]:
    """The heartbeats that are still to land. They mean nothing to rows, so they may come last."""
    begin: Begin | None = None
    for raw in messages():
        found = decode(raw) if raw[0] in b"BM" else None
        if isinstance(found, Begin):
            begin = found if found.commit >= after else None
        elif isinstance(found, Heartbeat) and begin is not None:
            yield begin, found


Change = Insert | Update | Delete | Truncate


class _Layout:
    """Where the columns of a relation's rows are; one that it lacks is NULL."""

    def __init__(self, table: Followed, relation: Relation) -> None:
        self._table = table
        self.key_names = table.key
        self._parsers = {column.name: parser(column.type) for column in table.columns}
        self._at = {column.name: at for at, column in enumerate(relation.columns)}
        self._identity = {column.name for column in relation.columns if column.is_identity}

    def record(self, row: Row) -> Record:
        """The values of a row, by column; `UNSENT` where one was not sent."""
        return {name: self._value(name, row) for name in self._parsers if name in self._at}

    def key(self, row: Row) -> Record:
        """The values that tell a row apart, of an old one."""
        for name in self.key_names:
            if name not in self._identity:
                hint = f"ALTER TABLE {self._table.name} REPLICA IDENTITY FULL, then ingest with `--snapshot`"
                message = f"deletes in `{self._table.name}` no longer tell `{name}`"
                raise EngineError(Problem("not-followed", message, hint=hint))
        return {name: self._value(name, row) for name in self.key_names}

    def filled(self, new: Record, old: Row | None) -> Record:
        """A new row with what was not sent of it, as far as the old one tells."""
        if old is None or UNSENT not in new.values():
            return new
        told = {name for name, value in new.items() if value is UNSENT} & self._identity
        return {**new, **{name: self._value(name, old) for name in told}}

    def _value(self, name: str, row: Row) -> Any:
        text = row[self._at[name]]
        return text if text is None or isinstance(text, Unsent) else self._parsers[name](text)


def _changes(
    table: Followed, messages: Messages, after: int, kinds: bytes = b"IUDT"
) -> Iterator[tuple[Begin, _Layout, Change, int]]:
    """The changes that are still to land, each with its transaction and the layout of its rows."""
    begin: Begin | None = None
    relations: dict[int, Relation] = {}
    layouts: dict[int, _Layout] = {}
    for raw in messages():
        if raw[0] not in b"BR" and (begin is None or raw[0] not in kinds):
            continue
        match decode(raw):
            case Begin() as message:
                begin = message if message.commit >= after else None
            case Relation() as message:
                relations[message.id] = message
                layouts.pop(message.id, None)
            case Insert() | Update() | Delete() | Truncate() as message if begin is not None:
                ids = message.relations if isinstance(message, Truncate) else (message.relation,)
                id_ = next(id_ for id_ in ids if id_ in relations)
                if id_ not in layouts:
                    layouts[id_] = _Layout(table, relations[id_])
                yield begin, layouts[id_], message, len(raw)


def _survey(
    table: Followed, reader: Reader, messages: Messages, after: int
) -> tuple[tuple[Key, ...], bool]:
    """The keys of records that updates do not wholly tell, and whether the table is emptied on the way."""
    keys: dict[Key, None] = {}
    is_emptied = False
    for _, layout, message, _ in _changes(table, messages, after, b"UT"):
        if isinstance(message, Truncate):
            is_emptied = True
        elif isinstance(message, Update):
            new = layout.filled(layout.record(message.new), message.old)
            if UNSENT in new.values():
                event = reader.row({**_key_before(layout, message, new), "_op": "d"})
                if isinstance(event, Event):
                    keys[reader.key_of(event)] = None
    return tuple(keys), is_emptied


def _key_before(layout: _Layout, update: Update, new: Record) -> Record:
    if update.old is not None:
        return layout.key(update.old)
    return {name: new[name] for name in layout.key_names}


def _records(
    table: Followed, layout: _Layout, change: Change, moment: Moment, state: _State
) -> Iterator[Record]:
    """The plain records that a change comes to."""
    match change:
        case Insert(new=new):
            yield {**layout.record(new), **moment.said("c")}
        case Delete(old=old):
            yield {**layout.key(old), **moment.said("d")}
        case Update(old=old):
            record = layout.filled(layout.record(change.new), old)
            before = _key_before(layout, change, record)
            record = state.completed(record, before)
            is_moved = any(before[name] != record[name] for name in table.key)
            if is_moved:
                yield {**before, **moment.said("d")}
            yield {**record, **moment.said("c" if is_moved else "u")}
        case Truncate():
            for key in state.emptied():
                yield {**dict(zip(table.key, key, strict=True)), **moment.said("d")}


class _State:
    """What has to be known of the records while changes are replayed over them."""

    def __init__(
        self,
        table: Followed,
        reader: Reader,
        past: Past,
        wanted: Sequence[Key],
        is_emptied: bool,
    ) -> None:
        self._reader = reader
        self._past = past
        self._key = table.key
        self._wanted = frozenset(wanted)
        self._known = dict(past.newest(wanted)) if wanted else {}
        self._alive: dict[Key, bool] | None = {} if is_emptied else None
        self._is_past_gone = False

    def completed(self, new: Record, before: Record) -> Record:
        """A row with what was not sent of it, since it did not change."""
        if UNSENT not in new.values():
            return new
        event = self._reader.row({**before, "_op": "d"})
        known = self._known.get(self._reader.key_of(event), {}) if isinstance(event, Event) else {}
        return {
            name: known.get(name, UNSENT) if value is UNSENT else value
            for name, value in new.items()
        }

    def emptied(self) -> Iterator[Key]:
        """The keys of all records there are; from here on there are none."""
        alive = self._alive or {}
        there = () if self._is_past_gone else self._past.live_keys()
        rest = dict.fromkeys(key for key, is_alive in alive.items() if is_alive)
        for key in there:
            if alive.get(key, True):
                rest.pop(key, None)
                yield key
        yield from rest
        self._alive, self._known, self._is_past_gone = {}, {}, True

    def keep(self, event: Event | Reject) -> None:
        """Remember what an event made of its record."""
        if isinstance(event, Reject) or (self._alive is None and not self._wanted):
            return
        key = self._reader.key_of(event)
        is_there = event.values[0] != "d"
        if self._alive is not None:
            self._alive[key] = is_there
        if key in self._wanted:
            names = [column.name for column in self._reader.columns]
            values = dict(zip(names, event.values, strict=True)) if is_there else {}
            self._known[key] = {n: v for n, v in values.items() if n not in self._key}


_NOT_SENT = "`{}` was not sent, since it did not change, and the record is not here; `REPLICA IDENTITY FULL` makes the table send it"


def _entry(table: Followed, number: int, record: Record, reader: Reader, size: int) -> Entry:
    unsent = [name for name, value in record.items() if value is UNSENT]
    if unsent:
        spare = {column.name for column in table.columns if column.is_spare}
        record.update(dict.fromkeys(spare.intersection(unsent)))
        unsent = [name for name in unsent if name not in spare]
    event = Reject(_NOT_SENT.format("`, `".join(unsent))) if unsent else reader.row(record)
    text = json.dumps(record, default=str) if isinstance(event, Reject) else ""
    return Entry(table.name, number, text, event, size)
