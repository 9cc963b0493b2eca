"""Changes that guards hold back, one a job, until a person approves them or they are no more.

The table `held`, in the project's state database. A later run that holds another change takes the
place of the earlier one, approval and all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from genesis.run.state import State, metadata
from genesis.sync.guards import Held

_held = sa.Table(
    "held",
    metadata,
    sa.Column("job", sa.String(300), primary_key=True),
    sa.Column("held_at", sa.String(32), nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("approved_at", sa.String(32)),
)


@dataclass(frozen=True)
class Waiting:
    """A change of a job that waits for a person, or is approved and waits for the next run."""

    job: str
    held_at: datetime
    change: Held
    approved_at: datetime | None

    @property
    def approved(self) -> Held | None:
        return self.change if self.approved_at else None

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis approve --format json`."""
        return {
            "job": self.job,
            "held_at": self.held_at.isoformat(),
            "approved_at": self.approved_at.isoformat() if self.approved_at else None,
            "reasons": list(self.change.reasons),
            "rows": self.change.rows,
            "deletes": len(self.change.deletes),
            "human_edits": len(self.change.edits),
            "sample": list(self.change.sample),
        }


class HeldChanges:
    """What is held in a project."""

    def __init__(self, state: State) -> None:
        self._state = state

    def hold(self, job: str, change: Held, *, at: datetime) -> None:
        """Keep what a job's guards hold back now, for a person to approve."""
        row = {"job": job, "held_at": _text(at), "change": json.dumps(change.to_json())}
        with self._state.transaction() as connection:
            connection.execute(_held.delete().where(_held.c.job == job))
            connection.execute(_held.insert().values(row))

    def find(self, job: str) -> Waiting | None:
        """What is held of a job."""
        return next(iter(self._select(_held.c.job == job)), None)

    def all(self) -> tuple[Waiting, ...]:
        """All that is held, by job."""
        return self._select(sa.true())

    def approve(self, waiting: Waiting, *, at: datetime) -> bool:
        """Let just this change through, once; `False` where another one is held by now."""
        is_it = sa.and_(_held.c.job == waiting.job, _held.c.held_at == _text(waiting.held_at))
        with self._state.transaction() as connection:
            found = connection.execute(
                _held.update().where(is_it).values({"approved_at": _text(at)})
            )
            return found.rowcount == 1

    def release(self, job: str) -> None:
        """Nothing is held of a job any more: it went through, or is gone."""
        with self._state.transaction() as connection:
            connection.execute(_held.delete().where(_held.c.job == job))

    def _select(self, condition: sa.ColumnElement[bool]) -> tuple[Waiting, ...]:
        query = sa.select(_held).where(condition).order_by(_held.c.job)
        with self._state.transaction() as connection:
            return tuple(_waiting(row) for row in connection.execute(query).mappings())


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _waiting(row: sa.RowMapping) -> Waiting:
    approved_at = row["approved_at"]
    return Waiting(
        row["job"],
        datetime.fromisoformat(row["held_at"]),
        Held.from_json(json.loads(row["change"])),
        datetime.fromisoformat(approved_at) if approved_at else None,
    )
