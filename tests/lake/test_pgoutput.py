"""Messages of `pgoutput` are read as they were written, and whatever is none is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.lake.pgoutput import (
    UNSENT,
    Begin,
    Column,
    Commit,
    Delete,
    Heartbeat,
    Insert,
    Message,
    NotPgoutput,
    Relation,
    Row,
    Truncate,
    Update,
    Value,
    decode,
    lsn_number,
    lsn_text,
)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

lsns = st.integers(0, 2**64 - 1)
ids = st.integers(0, 2**32 - 1)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
times = st.datetimes(timezones=st.just(UTC))
values = st.one_of(st.none(), st.just(UNSENT), st.text(st.characters(exclude_categories=["Cs"])))
rows = st.lists(values, max_size=5).map(tuple)
modifiers = st.integers(-1, 2**31 - 1)
columns = st.lists(st.builds(Column, texts, st.booleans(), ids, modifiers), max_size=4).map(tuple)
updates = st.one_of(
    st.builds(Update, ids, st.none(), rows, st.just(False)),
    st.builds(Update, ids, rows, rows, st.booleans()),
)
messages = st.one_of(
    st.builds(Begin, lsns, times, ids),
    st.builds(Commit, lsns, lsns, times),
    st.builds(Relation, ids, texts, texts, st.sampled_from("dnfi"), columns),
    st.builds(Insert, ids, rows),
    updates,
    st.builds(Delete, ids, rows),
    st.builds(Truncate, st.lists(ids, max_size=3).map(tuple)),
    st.builds(Heartbeat, texts, texts, times),
)


def encode(message: Message) -> bytes:
    """The bytes of a message, by PostgreSQL's description of the protocol."""
    match message:
        case Begin(commit, at, xid):
            return b"B" + struct.pack(">Qqi", commit, _micros(at), _signed(xid))
        case Commit(commit, end, at):
            return b"C\0" + struct.pack(">QQq", commit, end, _micros(at))
        case Relation(id_, schema, name, identity, held):
            head = b"R" + struct.pack(">I", id_) + _name(schema) + _name(name) + identity.encode()
            return head + struct.pack(">H", len(held)) + b"".join(map(_column, held))
        case Insert(relation, new):
            return b"I" + struct.pack(">I", relation) + b"N" + _row(new)
        case Update(relation, None, new):
            return b"U" + struct.pack(">I", relation) + b"N" + _row(new)
        case Update(relation, old, new, whole):
            mark = b"O" if whole else b"K"
            return b"U" + struct.pack(">I", relation) + mark + _row(old or ()) + b"N" + _row(new)
        case Delete(relation, old):
            return b"D" + struct.pack(">I", relation) + b"K" + _row(old)
        case Heartbeat(schema, relation, at):
            said = {"schema": schema, "table": relation, "at": at.isoformat()}
            content = json.dumps(said).encode()
            head = b"M\1" + bytes(8) + _name("genesis.heartbeat")
            return head + struct.pack(">I", len(content)) + content
        case Truncate(relations):
            some = struct.pack(f">{len(relations)}I", *relations)
            return b"T" + struct.pack(">IB", len(relations), 0) + some


def _micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


def _name(text: str) -> bytes:
    return text.encode() + b"\0"


def _column(column: Column) -> bytes:
    flag = b"\1" if column.is_identity else b"\0"
    return flag + _name(column.name) + struct.pack(">Ii", column.type, column.modifier)


def _row(row: Row) -> bytes:
    return struct.pack(">H", len(row)) + b"".join(map(_value, row))


def _value(value: Value) -> bytes:
    if value is None:
        return b"n"
    if value is UNSENT:
        return b"u"
    text = str(value).encode()
    return b"t" + struct.pack(">I", len(text)) + text


@given(messages)
def test_what_was_written_is_read(message: Message):
    assert decode(encode(message)) == message


@given(messages, st.data())
def test_what_is_cut_short_is_refused(message: Message, data: st.DataObject):
    whole = encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(NotPgoutput):
        decode(whole[:cut])


@given(messages)
def test_what_is_too_long_is_refused(message: Message):
    with pytest.raises(NotPgoutput, match="longer than it says"):
        decode(encode(message) + b"n")


@given(st.binary())
def test_any_bytes_are_read_or_refused(noise: bytes):
    with suppress(NotPgoutput):
        decode(noise)


@pytest.mark.parametrize(
    "message",
    [
        b"Y" + b"\0" * 9,
        b"O" + b"\0" * 8 + b"x\0",
        b"M\1" + b"\0" * 8 + b"other\0\0\0\0\1\xff",
        b"M\1" + b"\0" * 8 + b"genesis.heartbeat\0\0\0\0\2[]",
        b"M\0" + b"\0" * 8 + b"genesis.heartbeat\0\0\0\0\2{}",
    ],
)
def test_what_says_nothing_about_rows(message: bytes):
    assert decode(message) is None


@pytest.mark.parametrize("message", [b"S\0\0\0\1\1", b"I\0\0\0\1X\0\0", b"I\0\0\0\1N\0\1b\0\0\0\0"])
def test_what_another_protocol_has_is_refused(message: bytes):
    with pytest.raises(NotPgoutput):
        decode(message)


@given(lsns)
def test_places_in_the_log_are_text_and_number(lsn: int):
    assert lsn_number(lsn_text(lsn)) == lsn


def test_a_place_is_written_as_postgresql_does():
    assert lsn_text(0x16B3748) == "0/16B3748"
    assert lsn_number("A/1") == (10 << 32) + 1


@pytest.fixture
def server(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection
        connection.execute("SELECT pg_drop_replication_slot('s')")


def test_a_real_server_writes_the_same(server: psycopg.Connection[tuple[bytes]]):
    for statement in (
        "CREATE TABLE movie (id integer PRIMARY KEY, title text, notes text)",
        "ALTER TABLE movie ALTER notes SET STORAGE EXTERNAL",
        "CREATE PUBLICATION p FOR TABLE movie",
        "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
        "INSERT INTO movie VALUES (1, 'ü', repeat('x', 9000))",
        "UPDATE movie SET id = 2",
        "UPDATE movie SET title = NULL",
        "DELETE FROM movie",
        "TRUNCATE movie",
    ):
        server.execute(statement)
    query = "SELECT data FROM pg_logical_slot_peek_binary_changes('s', NULL, NULL, 'proto_version', '1', 'publication_names', 'p')"
    raw = [row[0] for row in server.execute(query)]
    found = [decode(message) for message in raw]
    changes = [m for m in found if isinstance(m, Insert | Update | Delete | Truncate)]
    (relation,) = {m for m in found if isinstance(m, Relation)}
    assert [encode(m) for m in found if m is not None and not isinstance(m, Relation)] == [
        message for message in raw if message[:1] != b"R"
    ]
    assert (relation.schema, relation.name, relation.identity) == ("public", "movie", "d")
    assert [(c.name, c.is_identity) for c in relation.columns] == [
        ("id", True),
        ("title", False),
        ("notes", False),
    ]
    id_ = relation.id
    assert changes == [
        Insert(id_, ("1", "ü", "x" * 9000)),
        Update(id_, ("1", None, None), ("2", "ü", UNSENT), old_is_whole=False),
        Update(id_, None, ("2", None, UNSENT), old_is_whole=False),
        Delete(id_, ("2", None, None)),
        Truncate((id_,)),
    ]
