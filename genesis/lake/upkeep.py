"""What keeps a change log cheap: a compaction, then old snapshots go, then files that nothing needs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genesis.errors import DefinitionError, EngineError, Problem, suggest
from genesis.lake.catalog import existing_table, find_catalog
from genesis.lake.compact import Compaction, Rewrites, compact
from genesis.lake.expire import expire
from genesis.lake.ranking import Ranking
from genesis.lake.rules import rules_of
from genesis.lake.staging import forget_abandoned
from genesis.lake.sweep import Sweep, sweep
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project, Target

LONGEST_READER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done for a data source's log, or would be."""

    data_source: str
    compaction: Compaction
    expired: int
    sweep: Sweep

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to do."""
        return self.compaction.snapshot_id is None and self.expired == 0 and self.sweep.deleted == 0

    def to_json(self) -> dict[str, Any]:
        """The receipt."""
        return {
            "data_source": self.data_source,
            **self.compaction.to_json(),
            "expired_snapshots": self.expired,
            "swept": self.sweep.to_json(),
        }

    def __str__(self) -> str:
        return f"{self.data_source}: {'; '.join(_described(self))}"


def find_source(project: Project, name: str) -> DataSource:
    """A data source by its name. Raises `DefinitionError` where none has it."""
    if name in project.data_sources:
        return project.data_sources[name]
    if ("data_source", name) in project.broken:
        message, hint = f"data source `{name}` is broken", "`genesis check` says why"
    else:
        message, hint = f"unknown data source `{name}`", suggest(name, project.data_sources) or ""
    raise DefinitionError(Problem("unknown-data-source", message, hint=hint or None))


def keep_up(
    project: Project,
    name: str,
    *,
    root: Path,
    target: Target,
    engine: object = None,
    older_than: timedelta = LONGEST_READER,
    dry_run: bool = False,
) -> Upkeep:
    """Compact the log of the data source `name`, by the target's engine if it can; clear away what is `older_than`.

    Raises `DefinitionError` where the log may not be compacted, `EngineError` where it cannot be.
    """
    source = find_source(project, name)
    _refuse_unknown_readers(project, source)
    readers = project.data_sources.values()
    rules = rules_of(source, readers, dialect=project.settings.dialect)
    catalog = find_catalog(root, target)
    if catalog is None:
        message = "there is no catalog, so there is nothing to compact"
        hint = "`genesis ingest DATA_SOURCE FILE...` makes it, with the table of a data source"
        raise EngineError(Problem("catalog-failed", message, hint=hint))
    now = datetime.now(UTC)
    with closing(catalog):
        rewriting = engine.rewriting if isinstance(engine, Rewrites) else Ranking.opened
        done = compact(catalog, rules, now=now, rewriting=rewriting, dry_run=dry_run)
        log = existing_table(catalog, rules.identifier)
        if not dry_run:
            forget_abandoned(catalog, log, now=now, older_than=older_than)
        expired = expire(log, now=now, older_than=older_than, dry_run=dry_run)
        swept = sweep(catalog, log, root=root, now=now, older_than=older_than, dry_run=dry_run)
    return Upkeep(name, done, expired, swept)


def _refuse_unknown_readers(project: Project, source: DataSource) -> None:
    """Refuse while a definition is broken: nobody knows what it reads of the table."""
    broken = sorted(name for kind, name in project.broken if kind == "data_source")
    if broken:
        message = f"data source `{broken[0]}` is broken, and may read `{source.table}` too"
        hint = "`genesis check` says why"
        raise DefinitionError(Problem("not-compacted", message, hint=hint))


def _described(done: Upkeep) -> Iterable[str]:
    found = done.compaction
    if found.before.events == found.kept and found.snapshot_id is None and found.after:
        yield f"{_counted(found.kept, 'event')}, nothing to compact"
    else:
        files = (
            f", {_counted(found.before.files, 'file')} -> {found.after.files:,}"
            if found.after
            else ""
        )
        sizes = (
            f", {_size(found.before.bytes)} -> {_size(found.after.bytes)}" if found.after else ""
        )
        yield f"{_counted(found.before.events, 'event')} -> {found.kept:,}{files}{sizes}"
    if found.forgotten:
        yield f"{_counted(found.forgotten, 'old delete')} forgotten"
    if done.expired:
        yield f"{_counted(done.expired, 'snapshot')} expired"
    if done.sweep.deleted:
        yield f"{_counted(done.sweep.deleted, 'file')} swept ({_size(done.sweep.bytes)})"
    if done.sweep.waiting:
        yield f"{_counted(done.sweep.waiting, 'unreferenced file')} to be swept later"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e6:,.1f} MB" if bytes_ >= 1e5 else f"{bytes_ / 1e3:,.1f} kB"
