"""Changes become events whose order is that of the commits, whatever the clocks say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.errors import EngineError
from genesis.lake.columns import LogColumn
from genesis.lake.events import Event, Reader, Reject
from genesis.lake.pgoutput import (
    UNSENT,
    Begin,
    Column,
    Delete,
    Insert,
    Message,
    Relation,
    Row,
    Truncate,
    Update,
)
from genesis.lake.replay import Followed, Key, Ticks, replayed
from genesis.spec.types import INTEGER, STRING
from tests.lake.test_pgoutput import encode

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
COLUMNS = (LogColumn("id", INTEGER, required=True), LogColumn("a", STRING), LogColumn("b", STRING))
MOVIE = Followed("public.movie", COLUMNS)
RELATION = Relation(
    7, "public", "movie", "d", (Column("id", True, 23), Column("a", False, 25), Column("b", False, 25))
)  # fmt: skip
HOUR = timedelta(hours=1)

Table = dict[int, tuple[Any, Any]]


@dataclass
class Log:
    """The records of a log before the changes."""

    records: Table = field(default_factory=dict)

    def live_keys(self) -> Iterable[Key]:
        return [(key,) for key in self.records]

    def newest(self, keys: Sequence[Key]) -> Mapping[Key, Mapping[str, Any]]:
        there = [key for (key,) in keys if key in self.records]
        return {(key,): dict(zip("ab", self.records[key], strict=True)) for key in there}


def events(
    *messages: Message, log: Log | None = None, after: int = 0, last: datetime | None = None
) -> list[Event | Reject]:
    raw = [encode(message) for message in messages]
    reader = Reader(COLUMNS, NOW)
    entries = replayed(
        MOVIE, reader, lambda: raw, after=after, ticks=Ticks(last, NOW), past=log or Log()
    )
    return [entry.event for entry in entries]


def times(found: list[Event | Reject]) -> list[datetime]:
    return [event.values[1] for event in found if isinstance(event, Event)]


def test_a_clock_that_is_set_back_reorders_nothing():
    found = events(
        Begin(10, NOW - HOUR, 1),
        RELATION,
        Insert(7, ("1", "x", None)),
        Begin(20, NOW - 3 * HOUR, 2),
        Insert(7, ("2", "y", None)),
        Begin(30, NOW - HOUR / 2, 3),
        Insert(7, ("3", "z", None)),
    )
    assert times(found) == [NOW - HOUR, NOW - HOUR, NOW - HOUR / 2]
    said = [event.values[2] for event in found if isinstance(event, Event)]
    assert said == [NOW - HOUR, NOW - 3 * HOUR, NOW - HOUR / 2]  # the source's own time stays


def test_what_landed_before_is_not_overtaken():
    found = events(
        Begin(10, NOW - HOUR, 1), RELATION, Insert(7, ("1", "x", None)), last=NOW - HOUR / 2
    )
    assert times(found) == [NOW - HOUR / 2]


def test_a_clock_that_is_ahead_does_not_date_events_into_the_future():
    found = events(Begin(10, NOW + 9 * HOUR, 1), RELATION, Insert(7, ("1", "x", None)))
    assert times(found) == [NOW]


def test_what_has_landed_is_passed_over():
    messages = [Begin(10, NOW, 1), RELATION, Insert(7, ("1", "x", None))]
    messages += [Begin(20, NOW, 2), Insert(7, ("2", "y", None))]
    assert len(events(*messages, after=10)) == 2
    assert len(events(*messages, after=11)) == 1
    assert len(events(*messages, after=21)) == 0


def test_a_delete_without_its_key_is_refused():
    identity = RELATION._replace(
        columns=tuple(c._replace(is_identity=c.name == "a") for c in RELATION.columns)
    )
    with pytest.raises(EngineError, match=r"deletes in `public\.movie` no longer tell `id`"):
        events(Begin(10, NOW, 1), identity, Delete(7, (None, "x", None)))


keys = st.integers(1, 4)
texts = st.one_of(st.none(), st.sampled_from("xyz"))
changes = st.one_of(
    st.tuples(st.just("put"), keys, texts, texts),
    st.tuples(st.just("set"), keys, texts, st.none()),
    st.tuples(st.just("move"), keys, keys, st.none()),
    st.tuples(st.just("drop"), keys, st.none(), st.none()),
    st.tuples(st.just("empty"), st.none(), st.none(), st.none()),
)


def message(table: Table, change: tuple[Any, ...], *, whole: bool) -> Message | None:
    """What PostgreSQL says of a change that it makes to a table; `b` is never sent where it stays."""
    kind, key, one, two = change
    if kind == "empty":
        table.clear()
        return Truncate((7,))
    old = row(key, *table[key]) if key in table else None
    if kind == "put" and old is None:
        table[key] = (one, two)
        return Insert(7, row(key, one, two))
    if old is None or (kind == "move" and one in table):
        return None
    identity = old if whole else (old[0], None, None)
    if kind == "drop":
        del table[key]
        return Delete(7, identity)
    target, a = (one, table[key][0]) if kind == "move" else (key, one)
    table[target] = (a, table.pop(key)[1])
    is_told = whole or target != key
    return Update(7, identity if is_told else None, (str(target), a, UNSENT), whole)


def row(key: int, a: str | None, b: str | None) -> Row:
    return (str(key), a, b)


@given(
    st.dictionaries(keys, st.tuples(texts, texts), max_size=3),
    st.lists(st.lists(changes, max_size=4), max_size=4),
    st.booleans(),
)
def test_the_newest_events_are_the_table(before: Table, transactions: list[Any], whole: bool):
    """Whatever transactions did, with or without whole old rows; each event is of its transaction."""
    table = dict(before)
    is_identity = [Column(c.name, whole or c.is_identity, c.type) for c in RELATION.columns]
    messages: list[Message] = []
    for number, transaction in enumerate(transactions, start=1):
        messages += [Begin(number, NOW, number), RELATION._replace(columns=tuple(is_identity))]
        messages += [m for c in transaction if (m := message(table, c, whole=whole)) is not None]
    state: Table = dict(before)
    for event in events(*messages, log=Log(before)):
        assert isinstance(event, Event)
        op, key, a, b = event.values[0], *event.values[4:]
        if op == "d":
            del state[key]  # only what is there is deleted
        else:
            assert (op == "c") == (key not in state)
            state[key] = (a, b)
    assert state == table
