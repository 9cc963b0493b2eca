"""A change log rewritten to its newest records.

One snapshot is pinned and ranked, its winners are written sorted by key, and one commit puts the
new files in the place of that snapshot's; what lands meanwhile stays. Nothing is committed unless
as many events were written as won. The surprise: deletes stay too, for the declared lateness, or
an event that comes late would bring its record back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile

from genesis.errors import EngineError, Problem, did_you_mean
from genesis.lake.batches import remembered, snapshot_property
from genesis.lake.catalog import existing_table
from genesis.lake.history import compacted_through
from genesis.lake.ranking import Ranking, Survivors, microseconds
from genesis.lake.read import Pinned, base_property, pin_table
from genesis.lake.replace import DiskFull, Overtaken, replace
from genesis.lake.rules import Rules
from genesis.lake.write import discarded_on

# In the properties of the snapshot that a compaction made, if nothing landed meanwhile: by what
# rules it was made, and the time of the oldest delete that it kept.
RULES_PROPERTY = "genesis.compacted-by"
OLDEST_DELETE_PROPERTY = "genesis.oldest-delete"

Step = Literal["pin", "rank", "write", "verify", "commit", "done"]

_STARTS = 3


class Rewriting(Protocol):
    """One snapshot's events in the hands of an engine."""

    def rank(self) -> Survivors:
        """How many events are kept."""

    def write(self, run: str) -> list[DataFile]:
        """New files of the survivors, sorted by key, with `run` in their names.

        No snapshot of the log refers to them; whatever fails, a sweep finds what stays.
        """


OpenRewriting = Callable[[Pinned, Rules, datetime], AbstractContextManager[Rewriting]]


@runtime_checkable
class Rewrites(Protocol):
    """An engine that rewrites logs itself; for all others DuckDB does."""

    def rewriting(
        self, pinned: Pinned, rules: Rules, late: datetime
    ) -> AbstractContextManager[Rewriting]:
        """A rewriting that forgets deletes of before `late`."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much a table holds."""

    events: int
    files: int
    bytes: int

    @classmethod
    def of(cls, files: Iterable[DataFile]) -> Size:
        """The size of some data files."""
        files = list(files)
        return cls(
            sum(file.record_count for file in files),
            len(files),
            sum(file.file_size_in_bytes for file in files),
        )

    def to_json(self) -> dict[str, int]:
        """The size as receipts have it."""
        return {"events": self.events, "files": self.files, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did to the files it found. `forgotten` are deletes that were old enough.

    `after` is `None` where it was only foreseen; `snapshot_id` where nothing was, or had to be, done.
    """

    table: str
    before: Size
    kept: int
    forgotten: int = 0
    after: Size | None = None
    snapshot_id: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The compaction as receipts have it."""
        return {
            "table": self.table,
            "before": self.before.to_json(),
            "after": self.after.to_json() if self.after else None,
            "kept": self.kept,
            "forgotten": self.forgotten,
            "snapshot": self.snapshot_id,
        }


def compact(
    catalog: Catalog,
    rules: Rules,
    *,
    now: datetime,
    rewriting: OpenRewriting = Ranking.opened,
    dry_run: bool = False,
    told: Callable[[Step], None] = lambda _: None,
) -> Compaction:
    """Rewrite a change log to its newest records, or tell what that would do.

    `told` hears of each step before it is taken. Raises `EngineError`, and then nothing has changed.
    """
    for _ in range(_STARTS - 1):
        with suppress(Overtaken):
            return _compact(catalog, rules, now - rules.lateness, rewriting, dry_run, told)
    return _compact(catalog, rules, now - rules.lateness, rewriting, dry_run, told)


def _compact(
    catalog: Catalog,
    rules: Rules,
    late: datetime,
    rewriting: OpenRewriting,
    dry_run: bool,
    told: Callable[[Step], None],
) -> Compaction:
    told("pin")
    pinned = _pinned(catalog, rules)
    if _is_compacted(pinned, rules, late):
        size = Size.of(pinned.data_files)
        return Compaction(rules.table, size, kept=size.events, after=size)
    with _told_as_problem(rules), rewriting(pinned, rules, late) as opened:
        told("rank")
        survivors = opened.rank()
        if dry_run:
            return _outcome(rules, pinned, survivors)
        told("write")
        run = str(uuid.uuid4())
        files = opened.write(run)
    with discarded_on(BaseException, pinned.table, files):
        told("verify")
        _verify(rules, survivors, files)
        batches = remembered(pinned.table)
        told("commit")
    with discarded_on((Overtaken, DiskFull), pinned.table, files):
        snapshot_id = replace(
            catalog,
            rules.identifier,
            pinned,
            files,
            run=run,
            if_alone=_said(rules, survivors),
            properties={
                **batches,
                **base_property(pinned.table.schema(), str(rules), run),
                **compacted_through(pinned.table, rules.latest.order_by[0], pinned.data_files),
            },
        )
    told("done")
    return _outcome(rules, pinned, survivors, Size.of(files), snapshot_id)


def _pinned(catalog: Catalog, rules: Rules) -> Pinned:
    pinned = pin_table(existing_table(catalog, rules.identifier))
    present = {name.lower() for name in pinned.columns}
    for name in rules.columns:
        if name.lower() not in present:
            message = f"the table `{rules.table}` has no column `{name}`"
            hint = did_you_mean(name, pinned.columns)
            raise EngineError(Problem("unknown-column", message, hint=hint))
    if not pinned.table.spec().is_unpartitioned():
        message = f"the table `{rules.table}` is partitioned"
        raise EngineError(Problem("not-compacted", message, hint="only tables that are not can be"))
    return pinned


def _is_compacted(pinned: Pinned, rules: Rules, late: datetime) -> bool:
    """Whether nothing landed since the last compaction, and no delete has come of age."""
    snapshot = pinned.table.current_snapshot()
    if snapshot is None or not pinned.tasks:
        return True
    if snapshot_property(snapshot, RULES_PROPERTY) != str(rules):
        return False
    oldest = snapshot_property(snapshot, OLDEST_DELETE_PROPERTY)
    return oldest is None or int(oldest) >= microseconds(late)


def _verify(rules: Rules, survivors: Survivors, files: Iterable[DataFile]) -> None:
    """Refuse what does not add up, by what the new files say of themselves."""
    written = sum(file.record_count for file in files)
    if written != survivors.kept:
        message = f"the table `{rules.table}` was not compacted: {survivors.kept:,} events are to be kept, and {written:,} were written"
        hint = "nothing has changed; does `_pos` repeat in the table?"
        raise EngineError(Problem("not-compacted", message, hint=hint))


def _said(rules: Rules, survivors: Survivors) -> dict[str, str]:
    oldest = survivors.oldest_delete
    said = {} if oldest is None else {OLDEST_DELETE_PROPERTY: str(oldest)}
    return {**said, RULES_PROPERTY: str(rules)}


def _outcome(
    rules: Rules,
    pinned: Pinned,
    survivors: Survivors,
    after: Size | None = None,
    snapshot_id: int | None = None,
) -> Compaction:
    before = Size.of(pinned.data_files)
    return Compaction(rules.table, before, survivors.kept, survivors.forgotten, after, snapshot_id)


@contextmanager
def _told_as_problem(rules: Rules) -> Iterator[None]:
    """What DuckDB or the disk refuse, as a problem with the first line of what is said."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        message = f"the table `{rules.table}` was not compacted: {said}"
        hint = "nothing has changed in it"
        raise EngineError(Problem("not-compacted", message, hint=hint)) from error
