"""Files of change events: opened, told apart by their first bytes, read event by event.

JSON lines, plain or gzipped, and Parquet files with the same columns. The surprise: a file is read
twice, first for the hash that names its batch, so standard input is kept in a nameless file.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from genesis.errors import EngineError, Problem, UsageError
from genesis.lake.debezium import declared_fields, find_envelope
from genesis.lake.declared import Declared, of_arrow, of_debezium
from genesis.lake.events import Event, Reader, Reject

STANDARD_INPUT = Path("-")

Way = Literal["parquet", "debezium"]
"""The ways in that declare what they bring; plain lines of JSON do not."""
WAYS: tuple[Way, ...] = ("parquet", "debezium")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ROWS_AT_ONCE = 10_000


class Entry(NamedTuple):
    """One line or row of a file: where it stands, what it says, what was made of it.

    `size` is about how much it holds, in characters.
    """

    file: str
    line: int
    text: str
    event: Event | Reject
    size: int


@dataclass(frozen=True)
class Incoming:
    """An open file of events."""

    name: str
    handle: BinaryIO
    size: int

    def entries(self, reader: Reader) -> Iterator[Entry]:
        """The file's lines or rows, in order. Raises `EngineError` where the file is not whole."""
        self.handle.seek(0)
        first = self.handle.read(4)
        self.handle.seek(0)
        try:
            if first == b"PAR1":
                yield from self._rows(reader)
            elif first.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=self.handle) as lines:
                    yield from self._lines(lines, reader)
            else:
                yield from self._lines(self.handle, reader)
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise self._broken(str(error)) from error
        if os.fstat(self.handle.fileno()).st_size != self.size:
            raise self._broken("it grew while it was read")

    def copy_to(self, file: BinaryIO) -> None:
        """Write its bytes into another file."""
        self.handle.seek(0)
        shutil.copyfileobj(self.handle, file)

    def declarations(self) -> Iterator[tuple[Way, Declared]]:
        """What the file declares of its records, again wherever that changes."""
        self.handle.seek(0)
        first = self.handle.read(4)
        self.handle.seek(0)
        try:
            if first == b"PAR1":
                yield "parquet", of_arrow(pq.read_schema(self.handle))
            elif first.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=self.handle) as lines:
                    yield from _declared_in(lines)
            else:
                yield from _declared_in(self.handle)
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise self._broken(str(error)) from error

    def _lines(self, lines: Iterable[bytes], reader: Reader) -> Iterator[Entry]:
        for number, raw in enumerate(lines, start=1):
            line = raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw
            try:
                text = line.decode().strip()
            except UnicodeDecodeError as error:
                reason = f"no UTF-8: byte {error.start + 1} of the line is {line[error.start]:#04x}"
                text = line.decode(errors="backslashreplace").strip()
                yield Entry(self.name, number, text, Reject(reason), len(text))
                continue
            if text:
                yield Entry(self.name, number, text, reader.line(text), len(text))

    def _rows(self, reader: Reader) -> Iterator[Entry]:
        batches = pq.ParquetFile(self.handle).iter_batches(batch_size=_ROWS_AT_ONCE)
        rows = (
            (row, batch.nbytes // batch.num_rows)
            for batch in batches
            for row in _in_microseconds(batch).to_pylist()
        )
        for number, (row, size) in enumerate(rows, start=1):
            event = reader.row(row)
            text = json.dumps(row, default=str) if isinstance(event, Reject) else ""
            yield Entry(self.name, number, text, event, size)

    def _broken(self, said: str) -> EngineError:
        hint = "nothing of the batch has landed; ingest it again when the file is whole"
        message = f"`{self.name}` cannot be taken: {said}"
        return EngineError(Problem("wrong-batch", message, hint=hint))


@contextmanager
def opened(
    paths: Sequence[Path], *, standard_input: BinaryIO | None, spool: Path
) -> Iterator[tuple[Incoming, ...]]:
    """Files of events, open; `-` is standard input, which `spool` has room for."""
    with ExitStack() as stack:
        incoming = []
        for path in paths:
            try:
                if path == STANDARD_INPUT:
                    handle = _kept(standard_input or sys.stdin.buffer, spool)
                else:
                    handle = path.open("rb")
            except OSError as error:
                message = f"`{path}` cannot be read: {error.strerror}"
                raise UsageError(Problem("unreadable-file", message)) from error
            stack.enter_context(handle)
            incoming.append(Incoming(str(path), handle, os.fstat(handle.fileno()).st_size))
        yield tuple(incoming)


def digest(incoming: Iterable[Incoming]) -> str:
    """The id of a batch that has no other: a hash of its bytes."""
    hasher = hashlib.sha256()
    for each in incoming:
        each.handle.seek(0)
        while block := each.handle.read(1 << 20):
            hasher.update(block)
    return hasher.hexdigest()


def _declared_in(lines: Iterable[bytes]) -> Iterator[tuple[Way, Declared]]:
    """What the schemas beside events declare; each is read once, as most lines begin with the one before."""
    known = b""
    for line in lines:
        if b'"schema"' not in line or (known and line.startswith(known)):
            continue
        with suppress(ValueError, RecursionError):  # what is no event is told when it is read
            envelope = (
                find_envelope(record) if isinstance(record := json.loads(line), dict) else None
            )
            if envelope is not None and (fields := declared_fields(envelope)):
                before, payload, _ = line.partition(b'"payload"')
                known = before + payload if b'"schema"' in before else b""
                yield "debezium", of_debezium(fields)


def _kept(stream: BinaryIO, folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    kept = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(stream, kept)
    kept.flush()
    return cast(BinaryIO, kept)


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Nanoseconds have no type of Python's own; what is below a microsecond is dropped."""
    types = [
        pa.timestamp("us", type_.tz) if pa.types.is_timestamp(type_) else type_
        for type_ in batch.schema.types
    ]
    columns = [column.cast(type_, safe=False) for column, type_ in zip(batch, types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
