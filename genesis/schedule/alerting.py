"""Who is told what, and when: one alert for each subject, kind of trouble and receiver, decided over values.

Trouble is told once, together with what began with it and has the same cause; again where it becomes another trouble; daily while it
lasts; and once that it is over, if it was ever told. The surprise: what joins a cause that its receiver knows already
waits for an hour, and is never told if it is well by then. An engine that is away for an hour is one message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Literal

Kind = Literal["failing", "late", "long", "definition", "audit", "shared", "heartbeat", "ingest"]
Saying = Literal["alarm", "reminder", "recovery", "notice", "test"]

ROUND = timedelta(minutes=5)  # what begins within it is told together
MORE = timedelta(
    hours=1
)  # how long what joins a known cause, or leaves it first, waits for the others
DAY = timedelta(days=1)
SHOWN = 20  # subjects in a message
LARGEST = 4_000  # bytes of a message

NOBODY = ""
"""The receiver of trouble that nobody is to be told of: it is shown, and not sent."""

# A tracker that fails is late too, sooner or later; whoever knows the one need not hear the other.
_IMPLIED: Mapping[Kind, Kind] = {"late": "failing", "long": "failing"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a subject: a tracker, a job, a file.

    `signature` tells one trouble from another. `cause` is what many subjects may suffer from at once, in words; without
    one each suffers by itself. It is told when it was heard `after` times on end.
    """

    subject: str
    kind: Kind
    signature: str
    text: str
    receivers: tuple[str, ...] = ()
    cause: str = ""
    after: int = 1


@dataclass(frozen=True, slots=True)
class Well:
    """That nothing of some kinds is wrong with a subject any more."""

    subject: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """That a job is no more. What was wrong with it ends, and nobody hears of it again."""

    subject: str


Signal = Trouble | Well | Gone
Id = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """What one receiver knows, or will know, of one trouble."""

    subject: str
    kind: Kind
    receiver: str
    signature: str
    cause: str
    text: str
    since: datetime
    times: int = 1
    same: int = 1
    """How often on end it was this very trouble."""
    news_at: datetime | None = None
    """Since when there is something that its receiver does not know."""
    told: tuple[str, ...] = ()
    """The signatures that its receiver was told of."""
    spoken_at: datetime | None = None
    healed_at: datetime | None = None

    @property
    def id(self) -> Id:
        return (self.subject, self.kind, self.receiver)

    @property
    def is_open(self) -> bool:
        """Whether it is trouble now, and not just something to watch."""
        return self.healed_at is None and bool(self.told or self.news_at)

    @property
    def topic(self) -> tuple[str, str, str, str]:
        """What is told in one message: all of a cause, or what is wrong alike."""
        return (self.receiver, self.kind, self.cause, "" if self.cause else self.signature)

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis alerts --format json`."""
        return {
            "subject": self.subject,
            "kind": self.kind,
            "receiver": self.receiver or None,
            "text": self.text,
            "cause": self.cause or None,
            "since": self.since.isoformat(),
            "times": self.times,
            "told_at": self.spoken_at.isoformat() if self.spoken_at else None,
        }


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is sent; `key` is its identity, so that it is sent once."""

    key: str
    receiver: str
    saying: Saying
    title: str
    lines: tuple[str, ...]
    at: datetime

    @property
    def text(self) -> str:
        """All of it, as long as it fits."""
        return within(self.title, self.lines, LARGEST)


def within(title: str, lines: Sequence[str], largest: int) -> str:
    """A title with as many of its lines as fit into so many bytes, a part of the first one at least."""
    text = title
    for number, line in enumerate(lines):
        longer = f"{text}\n{line}"
        rest = f"\n... {len(lines) - number}"
        if len(longer.encode()) > largest - len(rest):
            if number:
                return f"{text}{rest}"
            others = f"\n... {len(lines) - 1}" if len(lines) > 1 else ""
            return _cut(longer, largest - len(others)) + others
        text = longer
    return _cut(text, largest)


def _cut(text: str, largest: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= largest else encoded[: largest - 3].decode(errors="ignore") + "…"


# ---- hearing


def hear(alerts: Iterable[Alert], signal: Signal, at: datetime) -> dict[Id, Alert | None]:
    """What becomes of the alerts of a subject by a signal: those that change; `None` ends one."""
    known = {alert.id: alert for alert in alerts if alert.subject == signal.subject}
    match signal:
        case Well(_, kinds):
            heard = {id_: _better(old, at) for id_, old in known.items() if old.kind in kinds}
        case Gone():
            heard = {id_: None for id_, old in known.items() if old.kind in OF_JOBS}
        case Trouble(receivers=receivers):
            ids = [(signal.subject, signal.kind, name) for name in receivers or (NOBODY,)]
            heard = {id_: _worse(known.get(id_), signal, id_[2], at) for id_ in ids}
    return {id_: alert for id_, alert in heard.items() if alert != known.get(id_)}


def _better(alert: Alert, at: datetime) -> Alert | None:
    if not alert.told:
        return None
    return alert if alert.healed_at else replace(alert, healed_at=at, news_at=None)


def _worse(alert: Alert | None, trouble: Trouble, receiver: str, at: datetime) -> Alert:
    if alert is None:
        alert = Alert(
            trouble.subject, trouble.kind, receiver, trouble.signature, "", "", at, times=0, same=0
        )
    if trouble.kind in _STATES and alert.is_open and _is_same(alert, trouble):
        return alert
    same = alert.same + 1 if alert.signature == trouble.signature else 1
    alert = replace(
        alert,
        signature=trouble.signature,
        cause=trouble.cause,
        text=trouble.text,
        times=alert.times + 1,
        same=same,
        healed_at=None,
    )
    if trouble.signature in alert.told:
        return replace(alert, news_at=None)
    is_news = (same if alert.told else alert.times) >= trouble.after
    return replace(alert, news_at=alert.news_at or at) if is_news else alert


# What is looked at again and again, so that it says nothing how often it was heard.
_STATES: frozenset[Kind] = frozenset({"late", "long", "definition"})


def _is_same(alert: Alert, trouble: Trouble) -> bool:
    return (alert.signature, alert.cause, alert.text) == (
        trouble.signature,
        trouble.cause,
        trouble.text,
    )


# ---- telling


def tell(
    alerts: Iterable[Alert], now: datetime, silent: Collection[str] = ()
) -> tuple[tuple[Message, ...], dict[Id, Alert | None]]:
    """The messages that are due, and the alerts that change by them; of `silent` subjects nothing is said."""
    known = {alert.id: alert for alert in alerts}
    speaking = [alert for alert in known.values() if alert.subject not in silent]
    speaking = [alert for alert in speaking if alert.receiver != NOBODY]
    messages: list[Message] = []
    changed: dict[Id, Alert | None] = {}
    for _, group in groupby(sorted(speaking, key=_order), key=lambda alert: alert.topic):
        topic = tuple(group)
        for saying, some in _due(topic, known, now):
            messages.append(_message(saying, some, now))
            changed |= {alert.id: _after(saying, alert, now) for alert in some}
    return tuple(messages), changed


def _order(alert: Alert) -> tuple[str, ...]:
    return (*alert.topic, alert.subject)


def _due(
    topic: Sequence[Alert], known: Mapping[Id, Alert], now: datetime
) -> Iterator[tuple[Saying, tuple[Alert, ...]]]:
    """What is to be said of a topic now."""
    healed = tuple(alert for alert in topic if alert.healed_at)
    known_ill = tuple(alert for alert in topic if alert.is_open and not alert.news_at)
    news = tuple(alert for alert in topic if alert.news_at and not _is_implied(alert, known))
    first = min((alert.healed_at for alert in healed if alert.healed_at), default=None)
    is_shared = bool(topic[0].cause)
    if first and not (is_shared and (known_ill or news) and now - first < MORE):
        yield "recovery", healed
    oldest = min((alert.news_at for alert in news if alert.news_at), default=now)
    told = max((alert.spoken_at for alert in known_ill if alert.spoken_at), default=None)
    latest = max((at for at in (told, first) if at), default=None)
    is_known = is_shared and latest is not None and now - latest < MORE
    if news and now - oldest >= ROUND and not is_known:
        yield "alarm", news
    elif any(alert.spoken_at and now - alert.spoken_at >= DAY for alert in known_ill):
        yield "reminder", known_ill


def _is_implied(alert: Alert, known: Mapping[Id, Alert]) -> bool:
    """Whether its receiver knows, or will, of a trouble that this follows from."""
    kind = _IMPLIED.get(alert.kind)
    worse = known.get((alert.subject, kind, alert.receiver)) if kind else None
    return worse is not None and worse.is_open


def _after(saying: Saying, alert: Alert, now: datetime) -> Alert | None:
    if saying == "recovery":
        return None
    told = tuple(sorted({*alert.told, alert.signature}))
    return replace(alert, told=told, spoken_at=now, news_at=None)


# ---- words

_IS: Mapping[Kind, str] = {
    "failing": "is failing",
    "late": "is late",
    "long": "takes much longer than usual",
    "definition": "is broken, and its last good version stays",
    "audit": "differs from its source",
    "shared": "may be read by anyone who has its link",
    "heartbeat": "has a heartbeat that did not arrive",
    "ingest": "takes no events in",
}
_WAS: Mapping[Kind, str] = {
    "failing": "was failing",
    "late": "was late",
    "long": "took much longer than usual",
    "definition": "was broken",
    "audit": "differed from its source",
    "shared": "could be read by anyone who had its link",
    "heartbeat": "had a heartbeat that did not arrive",
    "ingest": "took no events in",
}


def _message(saying: Saying, alerts: Sequence[Alert], now: datetime) -> Message:
    first = alerts[0]
    title = _recovery(alerts) if saying == "recovery" else _title(alerts)
    if saying == "reminder":
        title = f"still, since {first.since:%Y-%m-%d %H:%M} UTC: {title}"
    key = "|".join((*first.topic, first.subject, saying, now.isoformat()))
    key = hashlib.sha256(key.encode()).hexdigest()  # a name may be long
    return Message(key, first.receiver, saying, title, tuple(_lines(saying, alerts)), now)


def _title(alerts: Sequence[Alert]) -> str:
    first, number = alerts[0], len(alerts)
    if number == 1:
        return f"`{first.subject}` {_IS[first.kind]}"
    if first.cause:
        return f"{first.cause}: {number:,} trackers"
    return f"{number:,} trackers, each {_IS[first.kind]}"


def _recovery(alerts: Sequence[Alert]) -> str:
    first, number = alerts[0], len(alerts)
    if number == 1:
        return f"`{first.subject}` is well again; it {_WAS[first.kind]}"
    it = f"it was: {first.cause}" if first.cause else f"each {_WAS[first.kind]}"
    return f"{number:,} trackers are well again; {it}"


def _lines(saying: Saying, alerts: Sequence[Alert]) -> Iterator[str]:
    if len(alerts) == 1:
        (alert,) = alerts
        if saying != "recovery":
            yield alert.text
        if alert.times > 1 and alert.kind == "failing":
            yield f"{alert.times:,} times since {alert.since:%Y-%m-%d %H:%M} UTC"
        return
    is_shared, is_over = bool(alerts[0].cause), saying == "recovery"
    if is_shared and not is_over:
        yield f"the first: {alerts[0].text}"
    for alert in alerts[:SHOWN]:
        yield f"`{alert.subject}`" if is_shared or is_over else f"`{alert.subject}`: {alert.text}"
    if len(alerts) > SHOWN:
        yield f"and {len(alerts) - SHOWN:,} more"


# ---- what runs say


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a job ended, or an attempt of it, and what it needed."""

    job: str
    state: str
    error_class: str | None = None
    code: str = ""
    text: str = ""
    engine: str = ""
    service: str = ""


_WELL = ("succeeded", "no_change", "partial")
_ILL = ("failed", "retrying", "uncertain")
OF_JOBS: tuple[Kind, ...] = ("failing", "late", "long", "shared", "heartbeat")
"""The kinds of trouble whose subject is always a job."""
_KINDS: Mapping[str, Kind] = {
    "open-to-anyone": "shared",
    "heartbeat-late": "heartbeat",
    "not-followed": "ingest",
}
_PATIENCE = {"transient": 3, "rate_limited": 3}


def signal_of(ended: Ended, receivers: tuple[str, ...]) -> Signal | None:
    """What the end of a run means for its subject; nothing where it says neither.

    What an audit found is told by its own notices, since it is told key by key.
    """
    if ended.state in _WELL:
        return Well(ended.job, (*OF_JOBS, "ingest"))
    if ended.state not in _ILL or ended.code == "audit-failed":
        return None
    class_ = ended.error_class or "user"
    return Trouble(
        ended.job,
        _KINDS.get(ended.code, "failing"),
        f"{class_} {ended.code}".strip(),
        ended.text,
        receivers,
        _cause(ended, class_),
        _PATIENCE.get(class_, 1),
    )


def _cause(ended: Ended, class_: str) -> str:
    """The resource that fails, where it is not the tracker's own fault."""
    match ended.code:
        case "query-failed" | "catalog-failed" if class_ == "transient":
            return f"engine `{ended.engine}` cannot be reached"
        case "access-refused" if ended.service:
            return f"`{ended.service}` does not let us in"
        case "service-busy" if ended.service:
            return f"`{ended.service}` does not answer"
        case "state-failed":
            return "the run ledger cannot be used"
        case _:
            return ""


def is_long(length: timedelta, before: Sequence[timedelta]) -> bool:
    """Whether a run takes longer than three times what 19 in 20 took; of few runs nobody can say."""
    if len(before) < 5:
        return False
    usual = sorted(before)[(len(before) * 95 - 1) // 100]
    return length > max(3 * usual, timedelta(minutes=1))


def receivers_of(named: Iterable[str], owner: str | None, *, can_mail: bool) -> tuple[str, ...]:
    """Those that a definition names, and its owner, where that is an address and somebody sends mail."""
    mail = [f"mailto:{owner}"] if owner and can_mail and _is_address(owner) else []
    return tuple(dict.fromkeys([*named, *mail]))


def _is_address(owner: str) -> bool:
    name, at, host = owner.partition("@")
    return bool(name and at and "." in host) and not any(letter.isspace() for letter in owner)
