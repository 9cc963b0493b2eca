"""The messages of `pgoutput`, sorted by table: small ones in memory, many of them in nameless files.

A table is read more often than it is peeked at: once to see what updates left out, and again when
another writer was faster.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from genesis.lake.pgoutput import Commit, Heartbeat, Relation, Truncate, decode

_IN_MEMORY = 8 * 1024 * 1024

TableName = tuple[str, str]


class Spool:
    """Whole transactions, as they come, for some tables; the others' changes are passed over."""

    def __init__(self, tables: Iterable[TableName], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = ExitStack()
        self._files: Mapping[TableName, IO[bytes]] = {
            table: self._stack.enter_context(_file(folder)) for table in tables
        }
        self._by_relation: dict[int, TableName] = {}
        self._begin = b""
        self._begun: set[TableName] = set()
        self.count = 0
        self.end: int | None = None

    def add(self, message: bytes) -> None:
        """Take a message to the tables that it is about."""
        self.count += 1
        match message[:1]:
            case b"B":
                self._begin = message
                self._begun.clear()
            case b"C":
                commit = decode(message)
                self.end = commit.end if isinstance(commit, Commit) else self.end
            case b"R":
                self._meet(message)
            case b"M":
                beat = decode(message)
                if isinstance(beat, Heartbeat):
                    self._put((beat.schema, beat.relation), message)
            case b"I" | b"U" | b"D":
                self._write(int.from_bytes(message[1:5]), message)
            case b"T":
                truncate = decode(message)
                for relation in truncate.relations if isinstance(truncate, Truncate) else ():
                    self._write(relation, message)

    def has(self, table: TableName) -> bool:
        """Whether there is a change of the table."""
        return self._files[table].tell() > 0

    def messages(self, table: TableName) -> Iterator[bytes]:
        """The messages about a table, and the start of each transaction that has any."""
        file = self._files[table]
        file.seek(0)
        while length := file.read(4):
            yield file.read(int.from_bytes(length))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _meet(self, message: bytes) -> None:
        relation = decode(message)
        if isinstance(relation, Relation):
            table = (relation.schema, relation.name)
            if table in self._files:
                self._by_relation[relation.id] = table
                self._frame(table, message)

    def _write(self, relation: int, message: bytes) -> None:
        table = self._by_relation.get(relation)
        if table is not None:
            self._put(table, message)

    def _put(self, table: TableName, message: bytes) -> None:
        if table not in self._files:
            return
        if table not in self._begun:
            self._begun.add(table)
            self._frame(table, self._begin)
        self._frame(table, message)

    def _frame(self, table: TableName, message: bytes) -> None:
        self._files[table].write(len(message).to_bytes(4) + message)


def _file(folder: Path) -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder))  # noqa: SIM115 - the stack closes it
    return cast(IO[bytes], file)
