"""Which batches a change log has taken.

The snapshot that a batch made says so; when it has expired, the batch's events do; when those are
compacted away, a list does, which the compaction leaves. The surprise: the list lies beside the
table's folder, not in it, since other engines take what they do not know there for an orphan.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import EqualTo
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from genesis.lake.catalog import told_as_problem
from genesis.lake.columns import BATCH

# In the properties of the snapshot that a batch made.
BATCH_PROPERTY = "genesis.batch"
REJECTED_PROPERTY = "genesis.rejected"

# In the properties of a table: the list, and the sequence number up to which it knows every batch.
LIST_PROPERTY = "genesis.batches"
THROUGH_PROPERTY = "genesis.batches-through"

_SCHEMA = pa.schema([("batch", pa.string()), ("rejected", pa.int64())])


def rejected_when_landed(log: Table, batch: str) -> int | None:
    """How many lines of the batch were refused when it landed; `None` where it never did."""
    history = list(ancestors(log))
    for snapshot in history:
        if snapshot_property(snapshot, BATCH_PROPERTY) == batch:
            return _rejected(snapshot)
    if (rejected := _listed(log, batch)) is not None:
        return rejected
    if _is_whole(log, history):
        return None
    with told_as_problem("the warehouse"):
        events = log.scan(selected_fields=(BATCH.name,), limit=1)
        return 0 if events.filter(EqualTo(term=BATCH.name, value=batch)).count() else None


def remembered(log: Table) -> Mapping[str, str]:
    """Table properties by which every batch so far stays known, whatever expires or is compacted."""
    history = list(ancestors(log))
    if not history or BATCH.name not in log.schema().column_names:
        return {}
    listed = _all_listed(log)
    batches = dict(listed)
    if not _is_whole(log, history):
        for batch in _in_events(log):
            batches.setdefault(batch, 0)
    for snapshot in history:
        if landed := snapshot_property(snapshot, BATCH_PROPERTY):
            batches[landed] = _rejected(snapshot)
    known = log.properties.get(LIST_PROPERTY)
    location = known if known and batches == listed else _write(log, batches)
    return {LIST_PROPERTY: location, THROUGH_PROPERTY: str(history[0].sequence_number or 0)}


def lists_location(log: Table) -> str:
    """The folder of the lists of a table."""
    return f"{log.location().rstrip('/')}.batches"


def snapshot_property(snapshot: Snapshot, name: str) -> str | None:
    """A property of a snapshot."""
    value = snapshot.summary[name] if snapshot.summary is not None else None
    return None if value is None else str(value)


def ancestors(log: Table) -> Iterator[Snapshot]:
    """The current snapshot and those that led to it, newest first: as far as they are known.

    pyiceberg's own walk looks through all snapshots for each.
    """
    known = {snapshot.snapshot_id: snapshot for snapshot in log.metadata.snapshots}
    snapshot = log.current_snapshot()
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else known.get(parent)


def _is_whole(log: Table, history: Sequence[Snapshot]) -> bool:
    """Whether the list and the snapshots know every batch: none expired between the two."""
    through = int(log.properties.get(THROUGH_PROPERTY, "0"))
    return not history or (history[-1].sequence_number or 0) <= through + 1


def _rejected(snapshot: Snapshot) -> int:
    return int(snapshot_property(snapshot, REJECTED_PROPERTY) or 0)


def _listed(log: Table, batch: str) -> int | None:
    location = log.properties.get(LIST_PROPERTY)
    if location is None:
        return None
    with (
        told_as_problem(f"the list of batches `{location}`"),
        log.io.new_input(location).open() as f,
    ):
        found = pq.read_table(f, filters=[("batch", "=", batch)])["rejected"].to_pylist()
    return found[0] if found else None


def _all_listed(log: Table) -> dict[str, int]:
    location = log.properties.get(LIST_PROPERTY)
    if location is None:
        return {}
    with (
        told_as_problem(f"the list of batches `{location}`"),
        log.io.new_input(location).open() as f,
    ):
        table = pq.read_table(f)
    return dict(zip(*(table[name].to_pylist() for name in _SCHEMA.names), strict=True))


def _in_events(log: Table) -> Iterator[str]:
    with told_as_problem("the warehouse"):
        for rows in log.scan(selected_fields=(BATCH.name,)).to_arrow_batch_reader():
            yield from (batch for batch in pc.unique(rows.column(0)).to_pylist() if batch)


def _write(log: Table, batches: Mapping[str, int]) -> str:
    location = f"{lists_location(log)}/{uuid.uuid4()}.parquet"
    names = sorted(batches)
    table = pa.table([names, [batches[name] for name in names]], schema=_SCHEMA)
    with told_as_problem("the warehouse"), log.io.new_output(location).create() as f:
        pq.write_table(table, f, compression="zstd", row_group_size=10_000)
    return location
