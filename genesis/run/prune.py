"""Forgets what is old, so that the state database stays as small as its project.

A run is kept for `KEPT`, and each job's newest, its last success and its last look at the tracker for
ever: status, `no_change` and guards go by them. Runs that others of their slot still wait for have not
ended, and what has not ended stays. Done in small transactions, so that nobody waits for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from genesis.run.ledger import SUCCESSES, runs, text
from genesis.run.rates import forget_rates
from genesis.run.state import State

KEPT = timedelta(days=90)
NEWEST = 100  # runs of a job that stay however old they are
CHUNK = 500  # runs that go in one transaction


def prune(state: State, *, now: datetime, kept: timedelta = KEPT, newest: int = NEWEST) -> int:
    """Delete runs that ended long ago, and rates and questions of nobody; how many runs."""
    before = now - kept
    gone = sum(_prune_job(state, job, before, newest) for job in _jobs(state, before))
    with state.transaction() as connection:
        forget_rates(connection, before=before)
    return gone


def _jobs(state: State, before: datetime) -> tuple[str, ...]:
    """The jobs of which there is something old."""
    old = sa.select(runs.c.job).where(runs.c.finished_at < text(before)).distinct()
    with state.reading() as connection:
        return tuple(connection.execute(old.order_by(runs.c.job)).scalars())


def _prune_job(state: State, job: str, before: datetime, newest: int) -> int:
    of_job = runs.c.job == job
    with state.reading() as connection:
        stays = {
            *connection.execute(_newest(of_job, 1, runs.c.state.in_(SUCCESSES))).scalars(),
            *connection.execute(_newest(of_job, 1, _LOOKED)).scalars(),
        }
        last = connection.execute(_newest(of_job, 1).offset(newest - 1)).scalar()
    if last is None:
        return 0
    old = sa.select(runs.c.id).where(
        of_job, runs.c.id < last, runs.c.finished_at < text(before), runs.c.id.not_in(stays)
    )
    gone = 0
    while True:
        with state.transaction() as connection:
            ids = connection.execute(old.limit(CHUNK)).scalars().all()
            connection.execute(runs.delete().where(runs.c.id.in_(ids)))
        gone += len(ids)
        if len(ids) < CHUNK:
            return gone


_LOOKED = sa.and_(runs.c.state.in_(("succeeded", "no_change")), runs.c.snapshots.is_not(None))


def _newest(
    of_job: sa.ColumnElement[bool], count: int, *more: sa.ColumnElement[bool]
) -> sa.Select[tuple[int]]:
    return sa.select(runs.c.id).where(of_job, *more).order_by(runs.c.id.desc()).limit(count)
