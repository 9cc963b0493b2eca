"""What a log held at a moment, although compactions have rewritten it since.

A compaction takes away what is superseded when it runs, and that may be what was newest at an earlier moment. Such
a moment is read from the snapshot before it, with what has landed since. Refused is a moment whose
snapshot has expired. The surprise: an append that landed beside a compaction is in both of those snapshots, so
files are told apart by their paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import DateType, TimestampType, TimestamptzType

from genesis.errors import EngineError, Problem
from genesis.lake.batches import snapshot_property
from genesis.lake.catalog import table_name, told_as_problem

# In the properties of a table: the time of the newest event that a compaction found, in microseconds since
# 1970. In those of a compaction's snapshot: what it was before.
THROUGH_PROPERTY = "genesis.compacted-through"
BEFORE_PROPERTY = "genesis.compacted-before"
# In the properties of a snapshot: which compaction made it.
COMPACTION_PROPERTY = "genesis.compaction"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN = 2**63 - 1  # a file does not say how far it goes
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A snapshot, and which of its files; the log is the rows of all parts."""

    snapshot_id: int
    tasks: tuple[FileScanTask, ...]
    is_whole: bool

    @property
    def paths(self) -> tuple[str, ...]:
        """Where its files are."""
        return tuple(task.file.file_path for task in self.tasks)


def compacted_through(log: Table, order: str, files: Iterable[DataFile]) -> Mapping[str, str]:
    """What a compaction of these files writes into the log's properties; `order` is what tells newer from older."""
    field = log.schema().find_field(order, case_sensitive=False)
    if not isinstance(field.field_type, DateType | TimestampType | TimestamptzType):
        return {}
    unit = _DAY if isinstance(field.field_type, DateType) else 1
    newest = int(log.properties.get(THROUGH_PROPERTY, -_UNKNOWN))
    for file in files:
        bound = (file.upper_bounds or {}).get(field.field_id)
        newest = max(newest, int(from_bytes(field.field_type, bound)) * unit if bound else _UNKNOWN)
    return {THROUGH_PROPERTY: str(newest)}


def compacted_before(log: Table) -> Mapping[str, str]:
    """What the snapshot of a compaction says of the log's properties, which it overwrites."""
    through = log.properties.get(THROUGH_PROPERTY)
    return {} if through is None else {BEFORE_PROPERTY: through}


def parts_as_of(log: Table, moment: datetime) -> tuple[Part, ...] | None:
    """What the log held, for newest records of a moment; `None` where its snapshot says it all.

    Raises `EngineError` where nobody knows any more.
    """
    known = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    at = (known - _EPOCH) // timedelta(microseconds=1)
    history = list(_snapshots_as_of(log, at))
    if len(history) == 1:
        return None
    written = {run for _, run in history if run}
    taken: set[str] = set()
    parts = []
    for snapshot, _ in history:
        with told_as_problem(f"the table `{table_name(log.name())}`"):
            found = list(log.scan(snapshot_id=snapshot.snapshot_id).plan_files())
        tasks = tuple(
            task
            for task in found
            if task.file.file_path not in taken
            and not any(run in task.file.file_path for run in written)
        )
        taken.update(task.file.file_path for task in tasks)
        parts.append(Part(snapshot.snapshot_id, tasks, len(tasks) == len(found)))
    return tuple(part for part in parts if part.tasks)


def _snapshots_as_of(log: Table, at: int) -> Iterator[tuple[Snapshot, str | None]]:
    """The current snapshot and those before compactions that went too far, each with the compaction that was undone."""
    snapshot = log.current_snapshot()
    through = log.properties.get(THROUGH_PROPERTY)
    known = {each.snapshot_id: each for each in log.metadata.snapshots}
    while snapshot is not None:
        if through is None or int(through) <= at:
            yield snapshot, None
            return
        made = next((s for s in _from(snapshot, known) if _run(s)), None)
        before = known.get(made.parent_snapshot_id) if made and made.parent_snapshot_id else None
        if made is None or before is None:
            raise _forgotten(log, at, int(through))
        yield snapshot, _run(made)
        snapshot, through = before, snapshot_property(made, BEFORE_PROPERTY)


def _from(snapshot: Snapshot, known: Mapping[int, Snapshot]) -> Iterator[Snapshot]:
    """A snapshot and those that led to it, as far as they are known."""
    found: Snapshot | None = snapshot
    while found is not None:
        yield found
        found = known.get(found.parent_snapshot_id) if found.parent_snapshot_id else None


def _run(snapshot: Snapshot) -> str | None:
    return snapshot_property(snapshot, COMPACTION_PROPERTY)


def _forgotten(log: Table, at: int, through: int) -> EngineError:
    name = table_name(log.name())
    message = f"what the table `{name}` held at {_shown(at)} is no longer known: it was compacted, and the snapshot before it has expired"
    hint = "ask for a later moment"
    if through < _UNKNOWN:
        hint = f"newest records are known again from {_shown(through)} on"
    return EngineError(Problem("query-failed", message, hint=hint))


def _shown(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat(sep=" ").replace("+00:00", " UTC")
