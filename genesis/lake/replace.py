"""Put new data files in the place of a snapshot's, whatever lands meanwhile.

The surprise: a lost race is run again here and not in pyiceberg. Its retry would hand on the
position of the old snapshot, and then events would land on positions that others have.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Iterable, Mapping, Sequence

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.lake.batches import ancestors, snapshot_property
from genesis.lake.catalog import Identifier, existing_table, table_name, told_as_problem
from genesis.lake.columns import POS
from genesis.lake.history import COMPACTION_PROPERTY, compacted_before
from genesis.lake.landing import POSITION_PROPERTY, OneCopy, last_position
from genesis.lake.read import Pinned

_ATTEMPTS = 30
_FIRST_WAIT, _LONGEST_WAIT = 0.02, 2.0  # seconds between two attempts
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Overtaken(EngineBusy):
    """The new files are not part of the table, for certain: other commits came first."""


class DiskFull(EngineError):
    """The new files are not part of the table, for certain: what refers to them found no room."""


def replace(
    catalog: Catalog,
    table: Identifier,
    pinned: Pinned,
    files: Sequence[DataFile],
    *,
    run: str,
    if_alone: Mapping[str, str],
    properties: Mapping[str, str],
) -> int:
    """Put `files` in the place of the pinned ones; the snapshot that did it.

    `run` is the name of doing so, known to nobody else. `properties` become the table's; `if_alone` the
    snapshot's, where nothing has landed since.
    Raises `Overtaken` or `DiskFull`; after any other error only the table knows whether it was done.
    """
    for attempt in range(_ATTEMPTS):
        head = existing_table(catalog, table)
        if (landed := _landed(head, run)) is not None:
            return landed
        if not _has_pinned(head, pinned):
            raise _overtaken(table)
        summary = {COMPACTION_PROPERTY: run, **compacted_before(head)}
        if head.metadata.current_snapshot_id == pinned.snapshot_id:
            summary |= if_alone
        if POS.name in head.schema().column_names:
            summary[POSITION_PROPERTY] = str(last_position(head))
        try:
            return _commit(head, pinned, files, summary, properties)
        except CommitFailedException:
            wait = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT)
            time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - no secret
    # An answer may have been lost on the way, and the files be part of the table.
    if (landed := _landed(existing_table(catalog, table), run)) is not None:
        return landed
    raise _overtaken(table)


def _commit(
    head: Table,
    pinned: Pinned,
    files: Sequence[DataFile],
    summary: Mapping[str, str],
    properties: Mapping[str, str],
) -> int:
    once = {**head.metadata.properties, "commit.retry.num-retries": "0"}
    head.metadata = head.metadata.model_copy(update={"properties": once})
    try:
        with told_as_problem("the catalog"), OneCopy(head) as transaction:
            if properties:
                transaction.set_properties(dict(properties))
            with transaction.update_snapshot(
                snapshot_properties=dict(summary)
            ).overwrite() as update:
                for task in pinned.tasks:
                    update.delete_data_file(task.file)
                for file in files:
                    update.append_data_file(file)
            return update.snapshot_id
    except EngineError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _FULL:  # the catalog is told last
            raise DiskFull(error.problems) from cause
        raise


def _landed(head: Table, run: str) -> int | None:
    for snapshot in ancestors(head):
        if snapshot_property(snapshot, COMPACTION_PROPERTY) == run:
            return snapshot.snapshot_id
    return None


def _overtaken(table: Identifier) -> Overtaken:
    message = f"the table `{table_name(table)}` changed while it was being compacted"
    return Overtaken(Problem("not-compacted", message, hint="try again"))


def _has_pinned(head: Table, pinned: Pinned) -> bool:
    """Whether the pinned files are all there still, and nobody deleted more of their rows."""
    with told_as_problem("the catalog"):
        present = _deletes_by_file(head.scan().plan_files())
    return all(
        present.get(path) == deletes for path, deletes in _deletes_by_file(pinned.tasks).items()
    )


def _deletes_by_file(tasks: Iterable[FileScanTask]) -> dict[str, frozenset[str]]:
    return {
        task.file.file_path: frozenset(file.file_path for file in task.delete_files)
        for task in tasks
    }
