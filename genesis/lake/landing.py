"""Events on their way into a change log: positions, data files, one commit; rejects beside them.

What lands is in one snapshot or not at all. The surprise: pyiceberg, when it loses a race, commits
the same files again on top of the winner's. Their positions might then be the winner's too, so here
whoever loses is told, and starts again from its entries.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import pyarrow as pa
from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableUpdate
from pyiceberg.types import LongType

from genesis.errors import EngineError
from genesis.lake.batches import snapshot_property
from genesis.lake.catalog import STATE_FOLDER, catalog_failed, told_as_problem
from genesis.lake.columns import BATCH, POS
from genesis.lake.events import Reader, Reject
from genesis.lake.expire import expire
from genesis.lake.incoming import Entry
from genesis.spec.data_source import DataSource

# In the properties of the snapshot that events came with. A commit that adds no events, such as a
# compaction, hands the position on.
POSITION_PROPERTY = "genesis.position"

# Every commit reads and writes what is known of every snapshot, so there may not be thousands; but a
# query on Trino needs the one that it reads until it ends.
_MOST_SNAPSHOTS, _KEPT_SNAPSHOTS = 120, 60

_EVENTS_AT_ONCE = 20_000
_CHARACTERS_AT_ONCE = 16 * 1024 * 1024


def last_position(log: Table) -> int:
    """The highest position that was ever given in this log, 0 in a new one."""
    snapshot = log.current_snapshot()
    if snapshot is None:
        return 0
    if position := snapshot_property(snapshot, POSITION_PROPERTY):
        return int(position)
    # Another writer was here. Its files say how far they go, or else their rows do.
    field = log.schema().find_field(POS.name).field_id
    with told_as_problem("the warehouse"):
        files = [task.file for task in log.scan().plan_files()]
        bounds = [(file.upper_bounds or {}).get(field) for file in files]
        if None not in bounds:
            return max((int(from_bytes(LongType(), b)) for b in bounds if b), default=0)
        batches = log.scan(selected_fields=(POS.name,)).to_arrow_batch_reader()
        return max((max(batch.column(0).to_pylist(), default=0) for batch in batches), default=0)


def written(log: Table, batches: Iterator[pa.RecordBatch]) -> list[DataFile]:
    """The events in data files that no snapshot refers to yet."""
    schema = _arrow_schema(log)
    try:
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        return list(_dataframe_to_data_files(log.metadata, reader, log.io))
    except (OSError, pa.ArrowException) as error:
        raise catalog_failed("the warehouse", error) from error


class OneCopy(Transaction):
    """A transaction that puts a table's metadata together once for what is staged.

    pyiceberg's own copies all of it, every snapshot with it, each of the fifteen times that an append asks.
    """

    _known: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        """The metadata with what is staged; not to be changed."""
        if not self._updates:
            return self._table.metadata
        if self._known is None or self._known[0] is not self._updates:
            self._known = (self._updates, super().table_metadata)
        return self._known[1]


def commit(
    log: Table,
    files: Sequence[DataFile],
    properties: Mapping[str, str],
    table_properties: Mapping[str, str] | None = None,
) -> None:
    """Make the files part of the log in one snapshot, if it is still as it was when read.

    `properties` are the snapshot's; `table_properties` outlive it. Raises `CommitFailedException`.
    """
    once = {**log.metadata.properties, "commit.retry.num-retries": "0"}
    log.metadata = log.metadata.model_copy(update={"properties": once})
    try:
        with told_as_problem("the catalog"), OneCopy(log) as transaction:
            if table_properties:
                transaction.set_properties(dict(table_properties))
            update = transaction.update_snapshot(snapshot_properties=dict(properties))
            with update.merge_append() as append:
                for file in files:
                    append.append_data_file(file)
    except CommitFailedException:
        for file in files:
            with suppress(OSError):
                log.io.delete(file.file_path)
        raise


def tidy(log: Table) -> None:
    """Forget all but the newest snapshots, once there are many; their files stay until a sweep.

    What has landed has landed: that it could not be done, or another did it, is no failure.
    """
    snapshots = sorted(snapshot.timestamp_ms for snapshot in log.metadata.snapshots)
    if len(snapshots) > _MOST_SNAPSHOTS:
        oldest = datetime.fromtimestamp(snapshots[-_KEPT_SNAPSHOTS] / 1000, UTC)
        with suppress(EngineError, CommitFailedException):
            expire(log, now=oldest, older_than=timedelta())


class Intake:
    """Events on their way into Arrow, with a position each; what is none goes to the rejects."""

    def __init__(self, log: Table, batch: str, reader: Reader, rejects: Rejects) -> None:
        self.landed = 0
        self.position = last_position(log)
        self.ignored: set[str] = set()
        self._batch = batch
        self._rejects = rejects
        self._names = [column.name for column in reader.columns]
        self._schema = _arrow_schema(log)

    def arrow(self, entries: Iterable[Entry]) -> Iterator[pa.RecordBatch]:
        """The events of these entries, some thousand at a time."""
        rows: list[tuple[Any, ...]] = []
        characters = 0
        for entry in entries:
            event = entry.event
            if isinstance(event, Reject):
                self._rejects.add(entry, event)
                continue
            rows.append(event.values)
            characters += entry.size
            self.ignored.update(event.ignored)
            if len(rows) >= _EVENTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
                yield self._record_batch(rows)
                rows, characters = [], 0
        if rows:
            yield self._record_batch(rows)

    def _record_batch(self, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        first = self.position + 1
        self.position += len(rows)
        self.landed += len(rows)
        columns: dict[str, Sequence[Any]] = dict(
            zip(self._names, zip(*rows, strict=True), strict=True)
        )
        columns[POS.name] = range(first, first + len(rows))
        columns[BATCH.name] = [self._batch] * len(rows)
        arrays = [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(len(rows), field.type)
            for field in self._schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def _arrow_schema(log: Table) -> pa.Schema:
    return log.schema().as_arrow()


class Rejects:
    """The refused lines of a batch, in a file that is there when it is complete."""

    def __init__(self, root: Path, source: DataSource, batch: str) -> None:
        # A batch's hash is longer than a file name that people read should be.
        name = batch if len(batch) <= 32 else hashlib.sha256(batch.encode()).hexdigest()[:12]
        self.path = root / STATE_FOLDER / "rejects" / f"{source.name}-{name}.jsonl"
        self.count = 0
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._file: TextIO | None = None

    def start(self) -> None:
        """Forget what an earlier attempt refused."""
        self._close()
        self.count = 0

    def add(self, entry: Entry, reject: Reject) -> None:
        """Write down a line and what is wrong with it."""
        self.count += 1
        said = {
            "file": entry.file,
            "line": entry.line,
            "reason": reject.reason,
            "text": entry.text,
        }
        with told_as_problem(f"the file `{self.path}`"):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # Half of a surrogate pair has no bytes; its escape in JSON has.
                self._file = self._part.open("w", encoding="utf-8", errors="backslashreplace")
            self._file.write(json.dumps(said, ensure_ascii=False) + "\n")

    def publish(self) -> None:
        """Put the file in its place; before the commit, so that no refused line is ever lost."""
        with told_as_problem(f"the file `{self.path}`"):
            if self._file is None:
                self.path.unlink(missing_ok=True)
                return
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk refuses it once more
                self._file.close()
            self._part.unlink(missing_ok=True)
            self._file = None
