"""The messages of PostgreSQL's `pgoutput`, protocol 1 -> values. PURE.

Values stay the text that PostgreSQL wrote. What says nothing about rows (types, origins, messages of
applications) is `None`; what is cut short or unknown is refused, for a change that is misread is worse
than one that is late. The surprise: an update leaves out a large value that it did not touch
(`UNSENT`), which is not the same as NULL.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, Literal, NamedTuple


class Unsent(Enum):
    """What stands for a value that was not sent."""

    UNSENT = "unsent"


UNSENT: Final = Unsent.UNSENT

Value = str | None | Literal[Unsent.UNSENT]
Row = tuple[Value, ...]


class NotPgoutput(ValueError):
    """Bytes that are no message, and why."""


class Begin(NamedTuple):
    """A transaction starts: where its commit stands in the log, and when that was."""

    commit: int
    at: datetime
    xid: int


class Commit(NamedTuple):
    """A transaction is complete; the log goes on at `end`."""

    commit: int
    end: int
    at: datetime


class Column(NamedTuple):
    """A column of a relation, and whether deletes and updates tell its old value.

    `modifier` is what its type is given along, such as a length; -1 for nothing.
    """

    name: str
    is_identity: bool
    type: int
    modifier: int = -1


class Relation(NamedTuple):
    """What the rows of a relation hold from here on; sent before the first of them."""

    id: int
    schema: str
    name: str
    identity: str
    columns: tuple[Column, ...]


class Insert(NamedTuple):
    """A new row."""

    relation: int
    new: Row


class Update(NamedTuple):
    """A changed row. `old` is there where its identity changed, or where that is the whole row."""

    relation: int
    old: Row | None
    new: Row
    old_is_whole: bool


class Delete(NamedTuple):
    """A row that is gone; of `old` only the identity counts."""

    relation: int
    old: Row


class Truncate(NamedTuple):
    """Relations that have no rows any more."""

    relations: tuple[int, ...]


class Heartbeat(NamedTuple):
    """A message of ours in the server's log, about a relation, and when it was sent."""

    schema: str
    relation: str
    at: datetime


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate | Heartbeat

HEARTBEAT = "genesis.heartbeat"
"""What such a message begins with."""


def decode(message: bytes) -> Message | None:
    """The message that some bytes are; `None` for one that says nothing about rows."""
    found = _Bytes(message)
    try:
        decoded = _decoded(found)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise NotPgoutput(f"a message of `pgoutput` is cut short or damaged: {error}") from error
    if decoded is not None and not found.is_at_end:
        raise NotPgoutput("a message of `pgoutput` is longer than it says")
    return decoded


def lsn_text(lsn: int) -> str:
    """A place in PostgreSQL's log as it writes it: `0/16B3748`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """The place in PostgreSQL's log that a text names."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class _Bytes:
    """A message that is read from the left."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._message)

    def byte(self) -> str:
        return chr(self._number(">B"))

    def int16(self) -> int:
        return self._number(">H")

    def int32(self) -> int:
        return self._number(">I")

    def signed32(self) -> int:
        return self._number(">i")

    def int64(self) -> int:
        return self._number(">Q")

    def instant(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._number(">q"))

    def name(self) -> str:
        end = self._message.find(0, self._at)
        if end < 0:
            raise NotPgoutput("a name in a message of `pgoutput` has no end")
        text = self._message[self._at : end].decode()
        self._at = end + 1
        return text

    def text(self) -> str:
        length = self.int32()
        end = self._at + length
        if end > len(self._message):
            raise NotPgoutput("a value in a message of `pgoutput` is cut short")
        text = self._message[self._at : end].decode()
        self._at = end
        return text

    def _number(self, form: str) -> int:
        (number,) = struct.unpack_from(form, self._message, self._at)
        self._at += struct.calcsize(form)
        return int(number)


def _decoded(message: _Bytes) -> Message | None:
    match message.byte():
        case "B":
            return Begin(message.int64(), message.instant(), message.int32())
        case "C":
            message.byte()  # flags, of which there are none
            return Commit(message.int64(), message.int64(), message.instant())
        case "R":
            return _relation(message)
        case "I":
            return Insert(message.int32(), _marked(message, "N"))
        case "U":
            return _update(message)
        case "D":
            relation = message.int32()
            _expect(message, "KO")
            return Delete(relation, _row(message))
        case "T":
            count = message.int32()
            message.byte()  # options: CASCADE has become relations of their own
            return Truncate(tuple(message.int32() for _ in range(count)))
        case "M":
            return _heartbeat(message)
        case "Y" | "O":
            return None
        case other:
            raise NotPgoutput(f"`pgoutput` has no message `{other}` in protocol 1")


def _heartbeat(message: _Bytes) -> Heartbeat | None:
    """Ours, if it is; others may hold anything."""
    is_transactional = message.byte() == "\x01"
    message.int64()  # its place
    if message.name() != HEARTBEAT or not is_transactional:
        return None
    content = message.text()
    try:
        said = json.loads(content)
        return Heartbeat(said["schema"], said["table"], datetime.fromisoformat(said["at"]))
    except (ValueError, TypeError, KeyError):
        return None


def _relation(message: _Bytes) -> Relation:
    id_, schema, name = message.int32(), message.name(), message.name()
    identity = message.byte()
    return Relation(id_, schema, name, identity, tuple(_columns(message)))


def _columns(message: _Bytes) -> Iterator[Column]:
    for _ in range(message.int16()):
        is_identity = message.byte() == "\x01"
        yield Column(message.name(), is_identity, message.int32(), message.signed32())


def _update(message: _Bytes) -> Update:
    relation = message.int32()
    mark = _expect(message, "KON")
    if mark == "N":
        return Update(relation, None, _row(message), old_is_whole=False)
    old = _row(message)
    return Update(relation, old, _marked(message, "N"), old_is_whole=mark == "O")


def _marked(message: _Bytes, mark: str) -> Row:
    _expect(message, mark)
    return _row(message)


def _expect(message: _Bytes, marks: str) -> str:
    mark = message.byte()
    if mark not in marks:
        raise NotPgoutput(f"`{mark}` stands where a message of `pgoutput` has one of `{marks}`")
    return mark


def _row(message: _Bytes) -> Row:
    return tuple(_value(message) for _ in range(message.int16()))


def _value(message: _Bytes) -> Value:
    match message.byte():
        case "t":
            return message.text()
        case "n":
            return None
        case "u":
            return UNSENT
        case other:
            raise NotPgoutput(f"`pgoutput` has no kind of value `{other}` in protocol 1")
