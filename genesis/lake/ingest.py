"""Change events from files into a change log: each good line once, each bad one with its reason.

A batch lands in one commit or not at all, and a batch that has landed never does again. The
surprise: a lost race is run again from the lines on, since every event needs a position of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from genesis.errors import EngineBusy, EngineError, Problem, UsageError
from genesis.lake.batches import (
    BATCH_PROPERTY,
    REJECTED_PROPERTY,
    rejected_when_landed,
)
from genesis.lake.catalog import (
    STATE_FOLDER,
    change_log,
    locked,
    make_catalog,
    table_identifier,
)
from genesis.lake.columns import record_columns
from genesis.lake.events import Reader
from genesis.lake.incoming import Incoming, digest, opened
from genesis.lake.landing import POSITION_PROPERTY, Intake, Rejects, commit, tidy, written
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

Step = Literal["read", "write", "reject", "commit", "done"]

_ATTEMPTS = 30


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
        rejects = stack.enter_context(Rejects(root, source, batch))
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
    rejects: Rejects,
    told: Callable[[Step], None],
) -> Landing:
    """The landing of a new batch. Raises `CommitFailedException` where another commit came first."""
    told("write")
    rejects.start()
    intake = Intake(log, batch, reader, rejects)
    files = written(log, intake.arrow(entry for each in incoming for entry in each.entries(reader)))
    told("reject")
    rejects.publish()
    told("commit")
    if files:
        properties = {
            BATCH_PROPERTY: batch,
            POSITION_PROPERTY: str(intake.position),
            REJECTED_PROPERTY: str(rejects.count),
        }
        commit(log, files, properties)
    snapshot_id = log.metadata.current_snapshot_id if files else None
    tidy(log)
    told("done")
    return Landing(
        data_source=source.name,
        batch=batch,
        landed=intake.landed,
        rejected=rejects.count,
        already_landed=False,
        rejects=rejects.path if rejects.count else None,
        ignored=tuple(sorted(intake.ignored)),
        snapshot_id=snapshot_id,
    )


def _landed_before(
    source: DataSource, batch: str, log: Table, rejects: Rejects, rejected: int
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
