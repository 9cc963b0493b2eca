"""Which nodes use the state database, and when each last wrote to it: the proof that it can be written."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from genesis.run.state import State, metadata

_nodes = sa.Table(
    "node",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("seen_at", sa.String(32), nullable=False),
)


class Nodes:
    """The nodes of a project."""

    def __init__(self, state: State) -> None:
        self._state = state

    def beat(self, name: str, *, at: datetime) -> None:
        """Write that a node is there. Raises `EngineError` where nothing can be written."""
        seen = at.astimezone(UTC).isoformat(timespec="microseconds")
        with self._state.transaction() as connection:
            same = _nodes.update().where(_nodes.c.name == name).values(seen_at=seen)
            if not connection.execute(same).rowcount:
                connection.execute(_nodes.insert().values(name=name, seen_at=seen))

    def seen(self) -> dict[str, datetime]:
        """When each node was there last."""
        with self._state.reading() as connection:
            rows = connection.execute(sa.select(_nodes).order_by(_nodes.c.name)).mappings()
            return {row["name"]: datetime.fromisoformat(row["seen_at"]) for row in rows}

    def forget(self, *, before: datetime) -> None:
        """Forget nodes that are long gone."""
        gone = _nodes.c.seen_at < before.astimezone(UTC).isoformat(timespec="microseconds")
        with self._state.transaction() as connection:
            connection.execute(_nodes.delete().where(gone))
