"""Forget old snapshots of a table; its files stay until a sweep finds that nothing refers to them.

The newest snapshot and what branches and tags name stay. The surprise: what batches have landed is
written down first, since the snapshots were the quickest to say so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import ExpireSnapshots

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.lake.batches import remembered
from genesis.lake.catalog import told_as_problem

_ATTEMPTS = 10


def expire(log: Table, *, now: datetime, older_than: timedelta, dry_run: bool = False) -> int:
    """Forget the snapshots of before `now - older_than`; how many they were, or would be."""
    for _ in range(_ATTEMPTS):
        old = _old_snapshots(log, now - older_than)
        if not old or dry_run:
            return len(old)
        batches = remembered(log)
        try:
            with told_as_problem("the catalog"), log.transaction() as transaction:
                if batches:
                    transaction.set_properties(dict(batches))
                ExpireSnapshots(transaction).by_ids(old).commit()
            return len(old)
        except (CommitFailedException, EngineError) as error:
            if isinstance(error, EngineError) and not isinstance(error.__cause__, ValueError):
                raise  # a ValueError says that another process has expired the same snapshots
            with told_as_problem("the catalog"):
                log.refresh()
    message = f"the table `{'.'.join(log.name())}` changed {_ATTEMPTS} times while snapshots were being expired"
    raise EngineBusy(Problem("not-compacted", message, hint="try again"))


def _old_snapshots(log: Table, before: datetime) -> list[int]:
    named = {ref.snapshot_id for ref in log.metadata.refs.values()}
    moment = before.timestamp() * 1000
    return [
        snapshot.snapshot_id
        for snapshot in log.metadata.snapshots
        if snapshot.timestamp_ms < moment and snapshot.snapshot_id not in named
    ]
