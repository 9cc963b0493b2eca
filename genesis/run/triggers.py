"""How far each workflow's schedule has come: the table `trigger`, in the project's state database.

A watermark is the moment up to which every slot of a workflow was asked for or accounted for. It is
moved in the transaction that asks for the slots, and only forwards, so that a clock that goes back
asks for nothing twice. The surprise: a schedule that changed begins anew now, because what it would
have asked for before nobody wanted then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from genesis.run.ledger import text
from genesis.run.state import State, metadata

_triggers = sa.Table(
    "trigger",
    metadata,
    sa.Column("workflow", sa.String(200), primary_key=True),
    sa.Column("schedule", sa.String(300), nullable=False),
    sa.Column("watermark", sa.String(32), nullable=False),
    sa.Column("seen", sa.Text),
)

_paused = sa.Table(
    "pause",
    metadata,
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("until", sa.String(32)),
    sa.Column("reason", sa.Text),
    sa.Column("by", sa.String(200)),
    sa.Column("at", sa.String(32), nullable=False),
)


class Triggers:
    """The watermarks of a project's workflows."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin(self, schedules: Mapping[str, str], *, at: datetime) -> dict[str, datetime]:
        """The watermark of each workflow, given its schedule as text; of one that is new, or has another one, now."""
        with self._state.transaction() as connection:
            found = {
                row.workflow: row
                for row in connection.execute(
                    sa.select(_triggers).where(_triggers.c.workflow.in_(schedules))
                )
            }
            new = [
                {"workflow": name, "schedule": schedule, "watermark": text(at), "seen": None}
                for name, schedule in schedules.items()
                if name not in found or found[name].schedule != schedule
            ]
            if new:
                connection.execute(_upsert(connection), new)
        kept = {name: datetime.fromisoformat(row.watermark) for name, row in found.items()}
        return kept | {row["workflow"]: at for row in new}

    def watermarks(
        self, connection: sa.Connection, schedules: Mapping[str, str]
    ) -> dict[str, datetime]:
        """Where workflows are now, kept from all others until the transaction ends; not those whose schedule is another by now."""
        query = sa.select(_triggers).where(_triggers.c.workflow.in_(schedules)).with_for_update()
        return {
            row.workflow: datetime.fromisoformat(row.watermark)
            for row in connection.execute(query.order_by(_triggers.c.workflow))
            if row.schedule == schedules[row.workflow]
        }

    def advance(self, connection: sa.Connection, watermarks: Mapping[str, datetime]) -> None:
        """Move watermarks forwards."""
        same = _triggers.c.workflow == sa.bindparam("name")
        later = _triggers.update().where(same, _triggers.c.watermark < sa.bindparam("at"))
        rows = [{"name": name, "at": text(at)} for name, at in watermarks.items()]
        if rows:
            connection.execute(later.values(watermark=sa.bindparam("at")), rows)

    def seen(self, connection: sa.Connection, workflow: str) -> dict[str, int | None] | None:
        """The snapshots that a workflow was last asked for; nothing where it never was."""
        query = sa.select(_triggers.c.seen).where(_triggers.c.workflow == workflow)
        found = connection.execute(query.with_for_update()).scalar()
        return json.loads(found) if found else None

    def all_seen(self) -> dict[str, dict[str, int | None]]:
        """What each workflow was last asked for, without keeping it from others."""
        query = sa.select(_triggers.c.workflow, _triggers.c.seen)
        with self._state.reading() as connection:
            rows = connection.execute(query.where(_triggers.c.seen.is_not(None))).all()
        return {row.workflow: json.loads(row.seen) for row in rows}

    def see(
        self, connection: sa.Connection, workflow: str, snapshots: Mapping[str, int | None]
    ) -> None:
        """These are the snapshots that a workflow is asked for."""
        same = _triggers.update().where(_triggers.c.workflow == workflow)
        connection.execute(same.values(seen=json.dumps(snapshots, sort_keys=True)))

    # ---- pauses: state, not definition

    def pause(
        self, name: str, *, at: datetime, until: datetime | None, reason: str | None, by: str
    ) -> None:
        """Let nothing of a workflow, or of one job, be run by its schedule."""
        row = {"name": name, "until": until and text(until), "reason": reason, "by": by}
        with self._state.transaction() as connection:
            connection.execute(_paused.delete().where(_paused.c.name == name))
            connection.execute(_paused.insert().values(**row, at=text(at)))

    def resume(self, name: str) -> bool:
        """Let it be run again; whether it was paused."""
        with self._state.transaction() as connection:
            return bool(connection.execute(_paused.delete().where(_paused.c.name == name)).rowcount)

    def paused(self, now: datetime) -> dict[str, str]:
        """What is paused, and in words why."""
        with self._state.reading() as connection:
            rows = connection.execute(sa.select(_paused)).all()
        return {
            row.name: f"paused by {row.by}" + (f": {row.reason}" if row.reason else "")
            for row in rows
            if row.until is None or row.until > text(now)
        }


def _upsert(connection: sa.Connection) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(_triggers)
    new = {name: insert.excluded[name] for name in ("schedule", "watermark", "seen")}
    return insert.on_conflict_do_update(index_elements=["workflow"], set_=new)
