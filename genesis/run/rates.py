"""How fast and how often services may be called, by all processes: kept in the state database.

A bucket is the latest turns that were given out; a new one comes late enough for the limit to hold
in *any* stretch of time, wherever the service's own window begins. A call counts from its answer, since nobody
knows when it came there: the first has a connection to make. A refusal freezes the bucket, not
the job: whoever already has a turn in that time asks for another one.
"""

from __future__ import annotations

import calendar
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from genesis.errors import Problem, RateLimited
from genesis.interfaces import Clock, Limit
from genesis.run.state import State, metadata
from genesis.sync.changes import Month

_rates = sa.Table(
    "rate",
    metadata,
    sa.Column("bucket", sa.String(300), primary_key=True),
    sa.Column("turns", sa.Text, nullable=False),
    sa.Column("frozen_until", sa.Float, nullable=False),
    sa.Column("month", sa.String(7), nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
)

_settled = sa.Table(
    "settled",
    metadata,
    sa.Column("question", sa.String(300), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False),
)

# Nothing can be foretold from less: the first refresh of a month is not one of very many.
_LEAST_SEEN = timedelta(days=1)


@dataclass(frozen=True)
class _Bucket:
    turns: tuple[float, ...] = ()
    frozen_until: float = 0
    month: str = ""
    since: float = 0
    calls: int = 0


class Buckets:
    """The rates of a project; `Rates` of `genesis.interfaces`."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.clock = clock
        self._state = state

    def close(self) -> None:
        self._state.close()

    def wait(self, bucket: str, limit: Limit, *, until: datetime) -> float:
        """Wait for a turn, and count it: its time. Raises `SinkBusy` where none comes up before `until`."""
        turn = self._next_turn(bucket, limit, until, calls=1)
        while (ahead := turn - self.clock.now().timestamp()) > 0:
            self.clock.sleep(timedelta(seconds=ahead))
            if self._read(bucket).frozen_until > turn:
                turn = self._next_turn(bucket, limit, until, calls=0)
        return turn

    def answered(self, bucket: str, turn: float) -> None:
        """The call of a turn has its answer: it may have come to the service as late as now."""
        now = self.clock.now().timestamp()
        with self._state.transaction() as connection:
            turns = list(_lock(connection, bucket).turns)
            if turn in turns:
                turns[turns.index(turn)] = max(turn, now)
                _write(connection, bucket, turns=json.dumps(sorted(turns)))

    def patience(self, wanted: timedelta) -> timedelta:
        """How long an answer may take at most: who calls by hand waits for as long as it wants."""
        return wanted

    def freeze(self, bucket: str, length: timedelta) -> None:
        """Let nobody call for a while; a longer one that holds already stays."""
        until = (self.clock.now() + length).timestamp()
        with self._state.transaction() as connection:
            found = _lock(connection, bucket)
            _write(connection, bucket, frozen_until=max(found.frozen_until, until))

    def month(self, bucket: str) -> Month:
        """What was called in this month, and the forecast for its end."""
        now, found = self.clock.now(), self._read(bucket)
        if found.month != _month(now):
            return Month(0, 0)
        seen = max(now.timestamp() - found.since, _LEAST_SEEN.total_seconds())
        left = max(_end_of_month(now).timestamp() - now.timestamp(), 0)
        return Month(found.calls, found.calls + round(found.calls * left / seen))

    def is_due(self, question: str) -> bool:
        """Whether a question that is asked once a day was not settled today."""
        same = sa.select(_settled.c.day).where(_settled.c.question == question)
        with self._state.transaction() as connection:
            return connection.execute(same).scalar() != self._today

    def settle(self, question: str) -> None:
        """Ask it again tomorrow; days are those of UTC."""
        same = _settled.update().where(_settled.c.question == question).values(day=self._today)
        with self._state.transaction() as connection:
            if connection.execute(same).rowcount:
                return
            new = _settled.insert().values(question=question, day=self._today)
            with suppress(IntegrityError), connection.begin_nested():  # another one settled it
                connection.execute(new)

    @property
    def _today(self) -> str:
        return self.clock.now().astimezone(UTC).date().isoformat()

    def _next_turn(self, bucket: str, limit: Limit, until: datetime, *, calls: int) -> float:
        now = self.clock.now()
        with self._state.transaction() as connection:
            found = _lock(connection, bucket)
            turn = max(now.timestamp(), found.frozen_until)
            if len(found.turns) >= limit.calls:
                turn = max(turn, found.turns[-limit.calls] + limit.per.total_seconds())
            if turn > until.timestamp():
                raise _too_late(bucket, turn, until)
            _write(
                connection,
                bucket,
                turns=json.dumps((*found.turns, turn)[-limit.calls :]),
                **_counted(found, now, calls),
            )
        return turn

    def _read(self, bucket: str) -> _Bucket:
        with self._state.transaction() as connection:
            return _select(connection, bucket)


def forget_rates(connection: sa.Connection, *, before: datetime) -> None:
    """Forget buckets that nobody has called since, and questions that nobody asks any more."""
    is_unused = sa.and_(_rates.c.month < _month(before), _rates.c.frozen_until < before.timestamp())
    connection.execute(_rates.delete().where(is_unused))
    day = before.astimezone(UTC).date().isoformat()
    connection.execute(_settled.delete().where(_settled.c.day < day))


def _lock(connection: sa.Connection, bucket: str) -> _Bucket:
    """The bucket, kept from all others until the transaction ends; it is made where it is new."""
    # A write comes first: SQLite refuses a transaction that read an older state before it writes.
    same = _rates.update().where(_rates.c.bucket == bucket).values(bucket=bucket)
    if connection.execute(same).rowcount == 0:
        new = {"turns": "[]", "frozen_until": 0, "month": "", "since": 0, "calls": 0}
        try:
            with connection.begin_nested():
                connection.execute(_rates.insert().values(bucket=bucket, **new))
        except IntegrityError:  # another process was first, which only PostgreSQL lets happen
            connection.execute(same)
    return _select(connection, bucket)


def _select(connection: sa.Connection, bucket: str) -> _Bucket:
    row = connection.execute(sa.select(_rates).where(_rates.c.bucket == bucket)).one_or_none()
    if row is None:
        return _Bucket()
    return _Bucket(tuple(json.loads(row.turns)), row.frozen_until, row.month, row.since, row.calls)


def _write(connection: sa.Connection, bucket: str, **values: object) -> None:
    connection.execute(_rates.update().where(_rates.c.bucket == bucket).values(**values))


def _counted(found: _Bucket, now: datetime, calls: int) -> dict[str, object]:
    if found.month == _month(now):
        return {"calls": found.calls + calls}
    return {"month": _month(now), "since": now.timestamp(), "calls": calls}


def _too_late(bucket: str, turn: float, until: datetime) -> RateLimited:
    at = datetime.fromtimestamp(turn, UTC)
    return RateLimited(
        Problem(
            "service-busy",
            f"`{bucket}` can be called again at {at:%H:%M:%S} UTC, after the refresh's deadline of"
            f" {until.astimezone(UTC):%H:%M:%S}",
            hint="the next refresh goes on from what is there; a longer `timeout` waits longer",
        )
    )


def _month(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m")


def _end_of_month(now: datetime) -> datetime:
    now = now.astimezone(UTC)
    days = calendar.monthrange(now.year, now.month)[1]
    return datetime(now.year, now.month, days, tzinfo=UTC) + timedelta(days=1)
