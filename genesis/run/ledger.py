"""The run ledger: what ran, when, how it ended, and each refresh's receipt.

One table, `run`, through SQLAlchemy Core, in the project's state database. A run is written before
its first effect and once more when it ends; one that has no end was cut off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from genesis.run.audits import Audits
from genesis.run.heartbeats import Heartbeats
from genesis.run.held import HeldChanges
from genesis.run.shapes import Shapes
from genesis.run.state import State, metadata

_runs = sa.Table(
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
    sa.Column("receipt", sa.Text),
    sa.Column("problems", sa.Text),
    sa.Index("run_by_job", "job", "id"),
)

SUCCESSES = ("succeeded", "no_change", "partial")


@dataclass(frozen=True)
class Run:
    """One run of a job, as the ledger has it."""

    id: int
    job: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    rows: int | None
    receipt: Mapping[str, Any] | None
    problems: tuple[Mapping[str, Any], ...]


class Ledger:
    """The runs of a project, in the database that its `state` names."""

    def __init__(self, url: str, root: Path) -> None:
        self._state = State(url, root)
        self.held = HeldChanges(self._state)
        self.shapes = Shapes(self._state)
        self.audits = Audits(self._state)
        self.heartbeats = Heartbeats(self._state)

    def close(self) -> None:
        self._state.close()

    def start(self, *, run_key: str, job: str, at: datetime) -> int:
        """Write that a run starts; its id. Raises `EngineError` where the key ran before."""
        with self._state.transaction() as connection:
            row = {"run_key": run_key, "job": job, "state": "running", "started_at": _text(at)}
            result = connection.execute(_runs.insert().values(row))
            return int(result.inserted_primary_key[0])  # type: ignore[index]  # a single insert has one

    def finish(
        self,
        run: int,
        *,
        state: str,
        at: datetime,
        definition: str | None = None,
        snapshots: Mapping[str, int | None] | None = None,
        rows: int | None = None,
        receipt: Mapping[str, Any] | None = None,
        problems: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        """Write how a run ended; a run that ended never changes."""
        values = {
            "state": state,
            "finished_at": _text(at),
            "definition": definition,
            "snapshots": json.dumps(snapshots, sort_keys=True) if snapshots is not None else None,
            "rows": rows,
            "receipt": json.dumps(receipt, ensure_ascii=False) if receipt is not None else None,
            "problems": json.dumps(problems, ensure_ascii=False) if problems else None,
        }
        with self._state.transaction() as connection:
            ends = _runs.update().where(_runs.c.id == run, _runs.c.finished_at.is_(None))
            connection.execute(ends.values(values))

    def last_runs(self, job: str, limit: int = 1) -> tuple[Run, ...]:
        """A job's newest runs, newest first."""
        return self._select(_runs.c.job == job, limit)

    def last_success(self, job: str) -> Run | None:
        """A job's newest run after which its tracker was as it should be."""
        found = self._select(sa.and_(_runs.c.job == job, _runs.c.state.in_(SUCCESSES)), 1)
        return found[0] if found else None

    def _select(self, condition: sa.ColumnElement[bool], limit: int) -> tuple[Run, ...]:
        query = sa.select(_runs).where(condition).order_by(_runs.c.id.desc()).limit(limit)
        with self._state.transaction() as connection:
            return tuple(_run(row) for row in connection.execute(query).mappings())


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _run(row: sa.RowMapping) -> Run:
    return Run(
        id=row["id"],
        job=row["job"],
        state=row["state"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(row["finished_at"]) if row["finished_at"] else None,
        rows=row["rows"],
        receipt=json.loads(row["receipt"]) if row["receipt"] else None,
        problems=tuple(json.loads(row["problems"])) if row["problems"] else (),
    )
