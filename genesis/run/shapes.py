"""The shape of each tracker as it was written last, so that another one is noticed."""

from __future__ import annotations

import json

import sqlalchemy as sa

from genesis.run.state import State, metadata
from genesis.sync.shape import Shape

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

    def last(self, job: str) -> Shape | None:
        """The shape that was written last, if one ever was."""
        query = sa.select(_shapes.c.columns).where(_shapes.c.job == job)
        with self._state.transaction() as connection:
            found = connection.execute(query).scalar()
        return Shape.from_json(json.loads(found)) if found else None

    def keep(self, job: str, shape: Shape) -> None:
        """Remember the shape of now, where it is another."""
        if shape == self.last(job):
            return
        with self._state.transaction() as connection:
            connection.execute(_shapes.delete().where(_shapes.c.job == job))
            connection.execute(
                _shapes.insert().values(job=job, columns=json.dumps(shape.to_json()))
            )
