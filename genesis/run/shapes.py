"""The types of each tracker's columns as they were written last, so that another type is told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from genesis.compile.statement import Column
from genesis.run.state import State, metadata

_shapes = sa.Table(
    "shape",
    metadata,
    sa.Column("job", sa.String(300), primary_key=True),
    sa.Column("columns", sa.Text, nullable=False),
)


class Shapes:
    """What is known of the trackers of a project."""

    def __init__(self, state: State) -> None:
        self._state = state

    def last(self, job: str) -> Mapping[str, str]:
        """The types by column; nothing where it was never written."""
        query = sa.select(_shapes.c.columns).where(_shapes.c.job == job)
        with self._state.transaction() as connection:
            found = connection.execute(query).scalar()
        return dict(json.loads(found)) if found else {}

    def keep(self, job: str, columns: Iterable[Column]) -> None:
        """Remember the types of now, where they are others."""
        types = {column.name: str(column.type) for column in columns}
        if types == self.last(job):
            return
        with self._state.transaction() as connection:
            connection.execute(_shapes.delete().where(_shapes.c.job == job))
            connection.execute(_shapes.insert().values(job=job, columns=json.dumps(types)))
