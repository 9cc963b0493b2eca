"""Alerts and the messages about them, in the state database; who delivers which.

`alert` has a row for each trouble that a receiver knows or will know of, `message` what is sent or waits to be, `mute`
the subjects of which nothing is said for a while. What `genesis.schedule.alerting` decides is written in one transaction
with the messages it makes, so that none is lost or made twice, whichever node ticks. A message is claimed for a while by
the one who delivers it, and one that failed is tried again, for ever. The surprise: a receiver's messages are sent in
their order, so that nobody hears that all is well before they hear what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from genesis.run.audits import Audits
from genesis.run.state import State, Told, metadata
from genesis.schedule.alerting import (
    Alert,
    Id,
    Message,
    Saying,
    Signal,
    Trouble,
    hear,
    tell,
)

_alerts = sa.Table(
    "alert",
    metadata,
    sa.Column("subject", sa.String(300), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("receiver", sa.String(300), primary_key=True),
    sa.Column("signature", sa.String(300), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("text", Told, nullable=False),
    sa.Column("since", sa.String(32), nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("same", sa.Integer, nullable=False),
    sa.Column("news_at", sa.String(32)),
    sa.Column("told", sa.Text, nullable=False),
    sa.Column("spoken_at", sa.String(32)),
    sa.Column("healed_at", sa.String(32)),
)
_messages = sa.Table(
    "message",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(1000), nullable=False, unique=True),
    sa.Column("receiver", sa.String(300), nullable=False),
    sa.Column("saying", sa.String(20), nullable=False),
    sa.Column("title", Told, nullable=False),
    sa.Column("lines", Told, nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("try_at", sa.String(32), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(200)),
    sa.Column("lease_until", sa.String(32)),
    sa.Column("sent_at", sa.String(32)),
    sa.Column("error", Told),
    sa.Index("message_by_receiver", "receiver", "id"),
)
_mutes = sa.Table(
    "mute",
    metadata,
    sa.Column("subject", sa.String(300), primary_key=True),
    sa.Column("until", sa.String(32), nullable=False),
)

# Longer than any delivery takes: nobody sends what somebody else is sending.
LEASE = timedelta(minutes=2)
_AT_ONCE = 500  # names in a query
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


@dataclass(frozen=True)
class Delivery:
    """A message that is its owner's to deliver until the lease ends."""

    id: int
    message: Message
    owner: str
    attempt: int


@dataclass(frozen=True)
class Unsent:
    """A message that waits, and why it was not sent."""

    message: Message
    attempts: int
    try_at: datetime
    error: str | None


class Alerts:
    """The alerts of a project."""

    def __init__(self, state: State) -> None:
        self._state = state

    # ---- hearing and deciding

    def hear(self, signals: Iterable[Signal], *, at: datetime) -> None:
        """Take in what is wrong, or well. Of a subject that was well and is, nothing is written."""
        heard = tuple(signals)
        known = self._known(each.subject for each in heard if not isinstance(each, Trouble))
        matters = [each for each in heard if isinstance(each, Trouble) or each.subject in known]
        if not matters:
            return
        with self._state.transaction() as connection:
            _lock(connection)
            for signal in matters:
                same = _select(connection, _alerts.c.subject == signal.subject)
                _write(connection, hear(same, signal, at))

    def collect(
        self,
        audits: Audits,
        *,
        at: datetime,
        paused: Collection[str] = (),
        owners: Mapping[str, tuple[str, ...]] | None = None,
    ) -> int:
        """Make the messages that are due, those of audits too; how many.

        Args:
            audits: Whose notices nobody was sent yet.
            at: The time.
            paused: Subjects of which nothing is said; muted ones are known here.
            owners: Who is told of an audit, by its name, besides those that it names.
        """
        with self._state.transaction() as connection:
            _lock(connection)
            silent = {*paused, *_muted(connection, at)}
            messages, changed = tell(_select(connection), at, silent)
            _write(connection, changed)
            notices = audits.take_unsent(connection, at)
            told = [each for notice in notices for each in _told(notice, owners or {}, at)]
            for message in (*messages, *told):
                connection.execute(_messages.insert().values(_row_of(message)))
        return len(messages) + len(told)

    def all(self) -> tuple[Alert, ...]:
        """Every trouble that is known, told or not, by subject."""
        with self._state.reading() as connection:
            return _select(connection)

    def open(self) -> tuple[Alert, ...]:
        """What is wrong now."""
        return tuple(alert for alert in self.all() if alert.is_open)

    # ---- silence

    def mute(self, subject: str, *, until: datetime) -> None:
        """Say nothing of a subject for a while. What is wrong then still is told then."""
        with self._state.transaction() as connection:
            connection.execute(_mutes.delete().where(_mutes.c.subject == subject))
            connection.execute(_mutes.insert().values(subject=subject, until=_text(until)))

    def muted(self, *, at: datetime) -> frozenset[str]:
        """The subjects of which nothing is said."""
        with self._state.reading() as connection:
            return _muted(connection, at)

    # ---- delivering

    def post(self, message: Message) -> None:
        """Send a message that no alert makes."""
        with self._state.transaction() as connection:
            connection.execute(_messages.insert().values(_row_of(message)))

    def claim(self, owner: str, *, now: datetime) -> Delivery | None:
        """The next message to deliver, now the owner's; or nothing. Each receiver's oldest comes first."""
        older = _messages.alias()
        waits = sa.exists().where(
            older.c.receiver == _messages.c.receiver,
            older.c.id < _messages.c.id,
            older.c.sent_at.is_(None),
        )
        query = (
            sa.select(_messages)
            .where(_messages.c.sent_at.is_(None), _messages.c.try_at <= _text(now), ~waits)
            .where(_messages.c.lease_until.is_(None) | (_messages.c.lease_until <= _text(now)))
            .order_by(_messages.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._state.transaction() as connection:
            row = connection.execute(query).mappings().first()
            if row is None:
                return None
            attempt = row["attempts"] + 1
            values = {"owner": owner, "attempts": attempt, "lease_until": _text(now + LEASE)}
            same = _messages.c.id == row["id"]
            connection.execute(_messages.update().where(same).values(values))
            return Delivery(row["id"], _message_of(row), owner, attempt)

    def sent(self, delivery: Delivery, *, at: datetime) -> bool:
        """A message arrived; `False` where it is somebody else's by now."""
        return self._end(delivery, sent_at=_text(at), error=None)

    def failed(self, delivery: Delivery, why: str, *, at: datetime) -> bool:
        """A message did not arrive, and is tried again later."""
        pause: timedelta = min(FIRST_PAUSE * 2 ** min(delivery.attempt - 1, 20), LONGEST_PAUSE)
        return self._end(delivery, try_at=_text(at + pause), error=why)

    def unsent(self) -> tuple[Unsent, ...]:
        """What waits to be sent, oldest first."""
        query = sa.select(_messages).where(_messages.c.sent_at.is_(None)).order_by(_messages.c.id)
        with self._state.reading() as connection:
            return tuple(
                Unsent(_message_of(row), row["attempts"], _moment(row["try_at"]), row["error"])
                for row in connection.execute(query).mappings()
            )

    def prune(self, *, before: datetime) -> int:
        """Forget messages that were sent before a moment; how many."""
        old = sa.and_(_messages.c.sent_at.is_not(None), _messages.c.sent_at < _text(before))
        with self._state.transaction() as connection:
            return connection.execute(_messages.delete().where(old)).rowcount

    def _known(self, subjects: Iterable[str]) -> frozenset[str]:
        """Those of the subjects that have alerts."""
        wanted, found = sorted(set(subjects)), set[str]()
        with self._state.reading() as connection:
            for first in range(0, len(wanted), _AT_ONCE):
                some = _alerts.c.subject.in_(wanted[first : first + _AT_ONCE])
                found |= set(connection.execute(sa.select(_alerts.c.subject).where(some)).scalars())
        return frozenset(found)

    def _end(self, delivery: Delivery, **values: Any) -> bool:
        mine = sa.and_(
            _messages.c.id == delivery.id,
            _messages.c.owner == delivery.owner,
            _messages.c.attempts == delivery.attempt,
            _messages.c.sent_at.is_(None),
        )
        ends = _messages.update().where(mine).values(owner=None, lease_until=None, **values)
        with self._state.transaction() as connection:
            return bool(connection.execute(ends).rowcount)


def _lock(connection: sa.Connection) -> None:
    """Let no other node decide meanwhile; SQLite lets nobody else write anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE alert IN EXCLUSIVE MODE"))


def _select(
    connection: sa.Connection, condition: sa.ColumnElement[bool] | None = None
) -> tuple[Alert, ...]:
    query = sa.select(_alerts).order_by(_alerts.c.subject, _alerts.c.kind, _alerts.c.receiver)
    if condition is not None:
        query = query.where(condition)
    return tuple(_alert_of(row) for row in connection.execute(query).mappings())


def _write(connection: sa.Connection, changed: Mapping[Id, Alert | None]) -> None:
    for (subject, kind, receiver), alert in changed.items():
        same = sa.and_(
            _alerts.c.subject == subject, _alerts.c.kind == kind, _alerts.c.receiver == receiver
        )
        connection.execute(_alerts.delete().where(same))
        if alert:
            connection.execute(_alerts.insert().values(_alert_row(alert)))


def _told(
    notice: Mapping[str, Any], owners: Mapping[str, tuple[str, ...]], at: datetime
) -> Iterable[Message]:
    """The messages of an audit's notice, with keys."""
    lines = [f"`{', '.join(map(str, one['key']))}` {one['kind']}" for one in notice.get("keys", ())]
    if more := notice.get("more"):
        lines.append(f"and {more:,} more")
    for receiver in dict.fromkeys([*notice["receivers"], *owners.get(notice.get("audit", ""), ())]):
        key = f"{receiver}|notice|{notice['id']}"
        yield Message(key, receiver, "notice", notice["text"], tuple(lines), at)


def _muted(connection: sa.Connection, at: datetime) -> frozenset[str]:
    query = sa.select(_mutes.c.subject).where(_mutes.c.until > _text(at))
    return frozenset(connection.execute(query).scalars())


def _alert_row(alert: Alert) -> dict[str, Any]:
    return {
        "subject": alert.subject,
        "kind": alert.kind,
        "receiver": alert.receiver,
        "signature": alert.signature,
        "cause": alert.cause,
        "text": alert.text,
        "since": _text(alert.since),
        "times": alert.times,
        "same": alert.same,
        "news_at": _text(alert.news_at) if alert.news_at else None,
        "told": json.dumps(alert.told),
        "spoken_at": _text(alert.spoken_at) if alert.spoken_at else None,
        "healed_at": _text(alert.healed_at) if alert.healed_at else None,
    }


def _alert_of(row: sa.RowMapping) -> Alert:
    values = dict(row)
    for name in ("news_at", "spoken_at", "healed_at"):
        values[name] = _moment(row[name]) if row[name] else None
    return Alert(
        **{**values, "since": _moment(row["since"]), "told": tuple(json.loads(row["told"]))}
    )


def _row_of(message: Message) -> dict[str, Any]:
    return {
        "key": message.key,
        "receiver": message.receiver,
        "saying": message.saying,
        "title": message.title,
        "lines": json.dumps(message.lines, ensure_ascii=False),
        "at": _text(message.at),
        "try_at": _text(message.at),
        "attempts": 0,
    }


def _message_of(row: sa.RowMapping) -> Message:
    saying: Saying = row["saying"]
    lines = tuple(json.loads(row["lines"]))
    return Message(row["key"], row["receiver"], saying, row["title"], lines, _moment(row["at"]))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
