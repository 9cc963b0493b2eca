"""Which heartbeats were sent and which of them arrived, in the state database; whether a path is late.

The surprise: a path is late when a beat that was sent has not arrived in time, and not when the last
one is old: nobody may have sent one since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa

from genesis.errors import AuditFailed, Problem
from genesis.run.state import State, metadata

LATE = timedelta(hours=1)

_beats = sa.Table(
    "heartbeat",
    metadata,
    sa.Column("data_source", sa.String(300), primary_key=True),
    sa.Column("sent_at", sa.String(32), primary_key=True),
    sa.Column("from", sa.String(300), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Health:
    """How a path is: when the last beat that arrived was sent, and since when one is on its way."""

    data_source: str
    at: datetime
    sent_from: str
    last_seen: datetime | None
    waiting_since: datetime | None
    limit: timedelta

    @property
    def is_late(self) -> bool:
        """Whether a beat is on its way for longer than it may be."""
        return self.waiting_since is not None and self.at - self.waiting_since > self.limit

    @property
    def exit_code(self) -> int:
        return AuditFailed.exit_code if self.is_late else 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is to be told of a path that is late."""
        if not self.is_late or self.waiting_since is None:
            return ()
        age = _length(self.at - self.waiting_since)
        message = f"a heartbeat of `{self.data_source}` was sent {age} ago and has not arrived"
        hint = f"is `genesis ingest --from {self.sent_from} --follow` running?"
        return (Problem("heartbeat-late", message, hint=hint),)

    def to_json(self) -> dict[str, Any]:
        """The receipt."""
        last, waiting = self.last_seen, self.waiting_since
        return {
            "data_source": self.data_source,
            "at": self.at.isoformat(),
            "sent_from": self.sent_from,
            "last_seen": last.isoformat() if last else None,
            "age_seconds": round((self.at - last).total_seconds(), 3) if last else None,
            "waiting_since": waiting.isoformat() if waiting else None,
            "limit_seconds": self.limit.total_seconds(),
            "late": self.is_late,
        }

    def __str__(self) -> str:
        last = f"{_length(self.at - self.last_seen)} old" if self.last_seen else "none yet"
        told = f"{self.data_source}: sent from {self.sent_from}, the last that arrived is {last}"
        if self.waiting_since and self.waiting_since != self.at:
            told += f", one is on its way for {_length(self.at - self.waiting_since)}"
        return told


class Path(Protocol):
    """The path of a data source: heartbeats go in at one end and come out at the other."""

    def send(self, at: datetime) -> str:
        """Send one; where from."""

    def last_seen(self, since: datetime) -> datetime | None:
        """When the newest that arrived was sent."""


class Heartbeats:
    """The heartbeats of a project that have not arrived yet."""

    def __init__(self, state: State) -> None:
        self._state = state

    def sent(self, data_source: str, sent_from: str, at: datetime) -> None:
        """Remember one that was sent."""
        row = {"data_source": data_source, "sent_at": _text(at), "from": sent_from}
        with self._state.transaction() as connection:
            connection.execute(_beats.insert().values(row))

    def waiting(self, data_source: str) -> Sequence[datetime]:
        """When those were sent that did not arrive yet, oldest first."""
        query = sa.select(_beats.c.sent_at).where(_beats.c.data_source == data_source)
        with self._state.transaction() as connection:
            found = connection.execute(query.order_by(_beats.c.sent_at)).scalars()
            return [datetime.fromisoformat(text) for text in found]

    def arrived(self, data_source: str, until: datetime) -> None:
        """Forget those that were sent until a moment: one of it has arrived, and they come in order."""
        gone = sa.and_(_beats.c.data_source == data_source, _beats.c.sent_at <= _text(until))
        with self._state.transaction() as connection:
            connection.execute(_beats.delete().where(gone))


def beat(
    data_source: str, path: Path, heartbeats: Heartbeats, *, now: datetime, limit: timedelta = LATE
) -> Health:
    """Send a heartbeat, see which have arrived, and tell how the path is. Raises what the path raises."""
    sent_from = path.send(now)
    heartbeats.sent(data_source, sent_from, now)
    waiting = heartbeats.waiting(data_source)
    seen = path.last_seen(min(waiting))
    if seen is not None:
        heartbeats.arrived(data_source, seen)
        waiting = [at for at in waiting if at > seen]
    return Health(data_source, now, sent_from, seen, min(waiting, default=None), limit)


def _length(length: timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
