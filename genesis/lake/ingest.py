"""Change events from files into a change log: each good line once, each bad one with its reason.

A batch lands in one commit or not at all, and a batch that has landed never does again. The
surprise: pyiceberg, when it loses a race, commits the same files again on top of the winner's.
Their positions might then be the winner's too, so here a lost race is run again from the lines on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, TextIO

import pyarrow as pa
from pyiceberg.conversions import from_bytes
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.types import LongType

from genesis.errors import EngineBusy, EngineError, Problem, UsageError
from genesis.lake.batches import (
    BATCH_PROPERTY,
    REJECTED_PROPERTY,
    rejected_when_landed,
    snapshot_property,
)
from genesis.lake.catalog import (
    STATE_FOLDER,
    catalog_failed,
    change_log,
    locked,
    make_catalog,
    table_identifier,
    told_as_problem,
)
from genesis.lake.columns import BATCH, POS, record_columns
from genesis.lake.events import Reader, Reject
from genesis.lake.incoming import Entry, Incoming, digest, opened
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

# In the properties of the snapshot that a batch made. A commit that adds no events, such as a
# compaction, hands the position on.
POSITION_PROPERTY = "genesis.position"

Step = Literal["read", "write", "reject", "commit", "done"]

_ATTEMPTS = 30
_EVENTS_AT_ONCE = 20_000
_CHARACTERS_AT_ONCE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a batch. `ignored` are keys of its lines that no column has."""

    data_source: str
    batch: str
    landed: int
    rejected: int
    already_landed: bool
    rejects: Path | None
    ignored: tuple[str, ...]
    snapshot_id: int | None


def ingest(
    source: DataSource,
    files: Sequence[Path],
    *,
    root: Path,
    target: Target,
    now: datetime,
    batch: str | None = None,
    standard_input: BinaryIO | None = None,
    told: Callable[[Step], None] = lambda _: None,
) -> Landing:
    """Land the events of some files as one batch; `-` is standard input.

    `now` is the time of events that do not say theirs; `batch` is by default a hash of the content.
    `told` hears of each step before it is taken.
    """
    if not source.table:
        hint = "only a data source with a `table` has a change log"
        message = f"data source `{source.name}` is a query: nothing can be ingested into it"
        raise EngineError(Problem("wrong-batch", message, hint=hint))
    with ExitStack() as stack:
        told("read")
        spool = root / STATE_FOLDER
        incoming = stack.enter_context(opened(files, standard_input=standard_input, spool=spool))
        batch = digest(incoming) if batch is None else _checked(batch)
        stack.enter_context(locked(root, ".".join(table_identifier(source.table))))
        catalog = stack.enter_context(closing(make_catalog(root, target)))
        rejects = stack.enter_context(_Rejects(root, source, batch))
        for _ in range(_ATTEMPTS):
            log = change_log(catalog, source, root)
            if (rejected := rejected_when_landed(log, batch)) is not None:
                return _landed_before(source, batch, log, rejects, rejected)
            with suppress(CommitFailedException):
                reader = Reader(record_columns(source), now)
                return _land(source, batch, log, incoming, reader, rejects, told)
    message = (
        f"the table `{source.table}` changed {_ATTEMPTS} times while events were landing in it"
    )
    raise EngineBusy(Problem("catalog-failed", message, hint="try again"))


def _land(
    source: DataSource,
    batch: str,
    log: Table,
    incoming: Iterable[Incoming],
    reader: Reader,
    rejects: _Rejects,
    told: Callable[[Step], None],
) -> Landing:
    """The landing of a new batch. Raises `CommitFailedException` where another commit came first."""
    told("write")
    rejects.start()
    intake = _Intake(log, batch, reader, rejects)
    files = _written(
        log, intake.arrow(entry for each in incoming for entry in each.entries(reader))
    )
    told("reject")
    rejects.publish()
    told("commit")
    if files:
        properties = {
            BATCH_PROPERTY: batch,
            POSITION_PROPERTY: str(intake.position),
            REJECTED_PROPERTY: str(rejects.count),
        }
        _commit(log, files, properties)
    told("done")
    return Landing(
        data_source=source.name,
        batch=batch,
        landed=intake.landed,
        rejected=rejects.count,
        already_landed=False,
        rejects=rejects.path if rejects.count else None,
        ignored=tuple(sorted(intake.ignored)),
        snapshot_id=log.metadata.current_snapshot_id if files else None,
    )


def _landed_before(
    source: DataSource, batch: str, log: Table, rejects: _Rejects, rejected: int
) -> Landing:
    """The landing of a batch that the log has: nothing is added, its rejects are told again."""
    return Landing(
        data_source=source.name,
        batch=batch,
        landed=0,
        rejected=rejected,
        already_landed=True,
        rejects=rejects.path if rejected and rejects.path.exists() else None,
        ignored=(),
        snapshot_id=log.metadata.current_snapshot_id,
    )


def _checked(batch: str) -> str:
    """A batch id that may be part of a file's name."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=-]{0,127}", batch):
        return batch
    hint = "letters, digits and `_ . : @ + = -`, at most 128 of them"
    raise UsageError(Problem("wrong-batch", f"`{batch}` cannot be the id of a batch", hint=hint))


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


def _written(log: Table, batches: Iterator[pa.RecordBatch]) -> list[DataFile]:
    """The events in data files that no snapshot refers to yet."""
    schema = _arrow_schema(log)
    try:
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        return list(_dataframe_to_data_files(log.metadata, reader, log.io))
    except (OSError, pa.ArrowException) as error:
        raise catalog_failed("the warehouse", error) from error


def _commit(log: Table, files: Sequence[DataFile], properties: Mapping[str, str]) -> None:
    """Make the files part of the log in one snapshot, if it is still as it was when read."""
    once = {**log.metadata.properties, "commit.retry.num-retries": "0"}
    log.metadata = log.metadata.model_copy(update={"properties": once})
    try:
        with told_as_problem("the catalog"), log.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties=dict(properties))
            with update.merge_append() as append:
                for file in files:
                    append.append_data_file(file)
    except CommitFailedException:
        for file in files:
            with suppress(OSError):
                log.io.delete(file.file_path)
        raise


class _Intake:
    """Events on their way into Arrow, with a position each; what is none goes to the rejects."""

    def __init__(self, log: Table, batch: str, reader: Reader, rejects: _Rejects) -> None:
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
            characters += len(entry.text)
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


class _Rejects:
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
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Half of a surrogate pair has no bytes; its escape in JSON has.
            self._file = self._part.open("w", encoding="utf-8", errors="backslashreplace")
        self.count += 1
        said = {
            "file": entry.file,
            "line": entry.line,
            "reason": reject.reason,
            "text": entry.text,
        }
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
            self._file.close()
            self._part.unlink(missing_ok=True)
            self._file = None
