"""The run ledger: what ran, when, how it ended, and each refresh's receipt.

One table, `run`, through SQLAlchemy Core, in the project's state database. A run is written before
its first effect and once more when it ends; one that ended never changes. What waits to be run
stands in the same table: `genesis.run.queue` writes it, and this reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from genesis.run.alerts import Alerts
from genesis.run.audits import Audits
from genesis.run.heartbeats import Heartbeats
from genesis.run.held import HeldChanges
from genesis.run.nodes import Nodes
from genesis.run.shapes import Shapes
from genesis.run.state import State, Told, metadata

runs = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_key", sa.String(500), nullable=False, unique=True),
    sa.Column("job", sa.String(300), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("started_at", sa.String(32), nullable=False),
    sa.Column("finished_at", sa.String(32)),
    sa.Column("definition", sa.String(64)),
    sa.Column("snapshots", sa.Text),
    sa.Column("rows", sa.Integer),
    sa.Column("receipt", Told),
    sa.Column("problems", Told),
    # what asked for it, and for when
    sa.Column("trigger", sa.String(20)),
    sa.Column("logical_time", sa.String(32)),
    sa.Column("due_at", sa.String(32)),
    sa.Column("slot", sa.String(400)),
    sa.Column("needs", sa.Text),
    sa.Column("reason", Told),
    # who does it, and until when it is theirs
    sa.Column("try_at", sa.String(32)),
    sa.Column("attempt", sa.Integer),
    sa.Column("takeovers", sa.Integer),
    sa.Column("fence", sa.Integer),
    sa.Column("owner", sa.String(200)),
    sa.Column("lease_until", sa.String(32)),
    sa.Column("cancelled_by", sa.String(200)),
    sa.Column("place", sa.String(600)),
    sa.Column("engine", sa.String(100)),
    sa.Column("credential", sa.String(200)),
    # how it went
    sa.Column("phase", sa.String(20)),
    sa.Column("phases", sa.Text),
    sa.Column("error_class", sa.String(20)),
    sa.Index("run_by_job", "job", "id"),
    sa.Index("run_by_time", "job", "logical_time"),
    sa.Index("run_by_slot", "slot"),
    sa.Index(
        "run_open",
        "state",
        "due_at",
        "id",
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    ),
)

_AT_ONCE = 500  # names in a query
_LAST_NUMBER = 2**31 - 1  # of PostgreSQL's `integer`

SUCCESSES = ("succeeded", "no_change", "partial")
"""States of a run after which its tracker is as it should be, but for rows that were refused."""

SCHEDULED = ("cron", "every", "change")
"""The triggers that are a schedule's, and no person's."""
OPEN = ("queued", "waiting", "running")
"""States of a run that has not ended: it waits for a worker, or for another run; or has one."""


@dataclass(frozen=True)
class Run:
    """One run of a job, as the ledger has it."""

    id: int
    run_key: str
    job: str
    state: str
    started_at: datetime
    """When it started; while it waits, when it was asked for."""
    finished_at: datetime | None
    rows: int | None
    receipt: Mapping[str, Any] | None
    problems: tuple[Mapping[str, Any], ...]
    definition: str | None
    snapshots: Mapping[str, int | None] | None
    trigger: str
    logical_time: datetime | None
    due_at: datetime | None
    try_at: datetime | None
    reason: str | None
    attempt: int
    owner: str | None
    phase: str | None
    phases: Mapping[str, float]
    error_class: str | None
    engine: str = ""
    """The target whose limit it counts for."""

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis runs --format json`."""
        return {
            "id": self.id,
            "key": self.run_key,
            "job": self.job,
            "state": self.state,
            "reason": self.reason,
            "trigger": self.trigger,
            "logical_time": _shown(self.logical_time),
            "due_at": _shown(self.due_at),
            "started_at": _shown(self.started_at) if self.attempt else None,
            "finished_at": _shown(self.finished_at),
            "next_try_at": _shown(self.try_at) if self.state == "queued" else None,
            "attempt": self.attempt,
            "error_class": self.error_class,
            "rows": self.rows,
            "phases": dict(self.phases),
            "receipt": self.receipt,
            "problems": list(self.problems),
        }


class Ledger:
    """The runs of a project, in the database that its `state` names."""

    def __init__(self, url: str, root: Path) -> None:
        self.state = State(url, root)
        self.held = HeldChanges(self.state)
        self.shapes = Shapes(self.state)
        self.audits = Audits(self.state)
        self.alerts = Alerts(self.state)
        self.nodes = Nodes(self.state)
        self.heartbeats = Heartbeats(self.state)

    def close(self) -> None:
        self.state.close()

    def find(self, run_key: str) -> Run | None:
        """The run with a key."""
        return next(iter(self._select(runs.c.run_key == run_key, 1)), None)

    def last_runs(self, job: str, limit: int = 1) -> tuple[Run, ...]:
        """A job's newest runs, newest first."""
        return self._select(runs.c.job == job, limit)

    def last_success(self, job: str) -> Run | None:
        """A job's newest run after which its tracker was as it should be."""
        found = self._select(sa.and_(runs.c.job == job, runs.c.state.in_(SUCCESSES)), 1)
        return found[0] if found else None

    def last_successes(self, jobs: Iterable[str]) -> dict[str, Run]:
        """The same of many jobs, by their names; those that never had one are left out."""
        return self._newest_of_each(jobs, lambda its: its.c.state.in_(SUCCESSES))

    def last_done(self, jobs: Iterable[str]) -> dict[str, Run]:
        """The newest run of each job that somebody began, and that ended; of those that have one."""
        return self._newest_of_each(
            jobs, lambda its: sa.and_(its.c.finished_at.is_not(None), its.c.attempt > 0)
        )

    def last_look(self, job: str) -> Run | None:
        """A job's newest run that read its tracker and left nothing undone."""
        looked = runs.c.state.in_(("succeeded", "no_change")), runs.c.snapshots.is_not(None)
        return next(iter(self._select(sa.and_(runs.c.job == job, *looked), 1)), None)

    def is_done(self, job: str, at: datetime) -> bool:
        """Whether a run of the job for a logical time has succeeded."""
        done = runs.c.job == job, runs.c.logical_time == text(at), runs.c.state.in_(SUCCESSES)
        return bool(self._select(sa.and_(*done), 1))

    def of_id(self, number: int) -> Run | None:
        """The run with a number; there is none of a number that no database has."""
        if number > _LAST_NUMBER:
            return None
        return next(iter(self._select(runs.c.id == number, 1)), None)

    def newest(
        self, limit: int, *, name: str | None = None, states: tuple[str, ...] = ()
    ) -> tuple[Run, ...]:
        """The newest runs, newest first; of a workflow or a job, and in some states, if they are named."""
        wanted: list[sa.ColumnElement[bool]] = [runs.c.state.in_(states)] if states else []
        if name and "." in name:
            wanted.append(runs.c.job == name)
        elif name:
            wanted.append(runs.c.job.startswith(f"{name}.", autoescape=True))
        return self._select(sa.and_(sa.true(), *wanted), limit)

    def _newest_of_each(self, jobs: Iterable[str], condition: _Condition) -> dict[str, Run]:
        names, found = sorted(set(jobs)), dict[str, Run]()
        with self.state.reading() as connection:
            for first in range(0, len(names), _AT_ONCE):
                rows = connection.execute(_newest(names[first : first + _AT_ONCE], condition))
                found |= {row["job"]: run_of(row) for row in rows.mappings()}
        return found

    def _select(self, condition: sa.ColumnElement[bool], limit: int) -> tuple[Run, ...]:
        query = sa.select(runs).where(condition).order_by(runs.c.id.desc()).limit(limit)
        with self.state.reading() as connection:
            return tuple(run_of(row) for row in connection.execute(query).mappings())


_Condition = Callable[[sa.FromClause], sa.ColumnElement[bool]]


def _newest(jobs: list[str], condition: _Condition) -> sa.Select[Any]:
    """By the index of each job's runs, from its end: one that is grouped reads all that ever ran."""
    wanted = sa.values(sa.column("job", sa.String), name="wanted").data([(job,) for job in jobs])
    named = wanted.cte()
    its = runs.alias()
    fitting = its.c.job == named.c.job, condition(its)
    last = sa.select(its.c.id).where(*fitting).order_by(its.c.id.desc()).limit(1)
    return sa.select(runs).join_from(named, runs, runs.c.id == last.scalar_subquery())


def ended(
    definition: str | None,
    snapshots: Mapping[str, int | None] | None,
    rows: int | None,
    receipt: Mapping[str, Any] | None,
    problems: tuple[Mapping[str, Any], ...],
) -> dict[str, Any]:
    """What the ledger keeps of what a run found and did."""
    return {
        "definition": definition,
        "snapshots": json.dumps(snapshots, sort_keys=True) if snapshots is not None else None,
        "rows": rows,
        "receipt": json.dumps(receipt, ensure_ascii=False) if receipt is not None else None,
        "problems": json.dumps(problems, ensure_ascii=False) if problems else None,
    }


def text(moment: datetime) -> str:
    """A moment as the tables have it: as text it sorts as it does in time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str | None) -> datetime | None:
    """What `text` wrote."""
    return datetime.fromisoformat(text) if text else None


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def run_of(row: sa.RowMapping) -> Run:
    """A row of the table as a value."""
    return Run(
        id=row["id"],
        run_key=row["run_key"],
        job=row["job"],
        state=row["state"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=moment(row["finished_at"]),
        rows=row["rows"],
        receipt=json.loads(row["receipt"]) if row["receipt"] else None,
        problems=tuple(json.loads(row["problems"])) if row["problems"] else (),
        definition=row["definition"],
        snapshots=json.loads(row["snapshots"]) if row["snapshots"] else None,
        trigger=row["trigger"] or "manual",
        logical_time=moment(row["logical_time"]),
        due_at=moment(row["due_at"]),
        try_at=moment(row["try_at"]),
        reason=row["reason"],
        attempt=row["attempt"] or 0,
        owner=row["owner"],
        phase=row["phase"],
        phases=json.loads(row["phases"]) if row["phases"] else {},
        error_class=row["error_class"],
        engine=row["engine"] or "",
    )
