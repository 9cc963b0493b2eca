"""Alerts in the state database: told once, whichever node ticks or dies, and nothing lost on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from genesis.audit.decide import Decision, Difference
from genesis.errors import NotSent, Problem
from genesis.redaction import hide
from genesis.run.alerts import LEASE, LONGEST_PAUSE, Alerts
from genesis.run.audits import Audited, Notice
from genesis.run.delivery import deliver
from genesis.run.ledger import Ledger
from genesis.schedule.alerting import ROUND, Message, Trouble, Well

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HERE, THERE = "here/1/100", "there/1/100"


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, length: timedelta) -> None:
        self.at += length


class Ear:
    """A receiver that hears, or not."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.is_deaf = False

    def send(self, message: Message) -> None:
        if self.is_deaf:
            raise NotSent(Problem("not-sent", "nobody is there"))
        self.heard.append(message)


def down(number: int) -> list[Trouble]:
    cause = "engine `prod` cannot be reached"
    return [
        Trouble(f"w.j{n:03}", "failing", "transient", "no answer", ("ops",), cause)
        for n in range(number)
    ]


def collect(ledger: Ledger, at: datetime) -> int:
    return ledger.alerts.collect(ledger.audits, at=at)


def send_all(alerts: Alerts, ear: Ear, clock: Clock) -> int:
    return deliver(alerts, lambda _: ear, owner=HERE, clock=clock)


def test_300_trackers_of_one_engine_are_one_message_and_one_recovery(ledger: Ledger) -> None:
    """Delivered, with all that was decided kept from node to node."""
    ear, clock = Ear(), Clock()
    ledger.alerts.hear(down(300), at=NOON)
    assert len(ledger.alerts.open()) == 300
    clock.sleep(ROUND)
    assert collect(ledger, clock.now()) == 1
    send_all(ledger.alerts, ear, clock)
    ledger.alerts.hear([Well(each.subject, ("failing",)) for each in down(300)], at=clock.now())
    assert [collect(ledger, clock.now()) for _ in range(2)] == [1, 0]
    send_all(ledger.alerts, ear, clock)
    assert [message.saying for message in ear.heard] == ["alarm", "recovery"]
    assert ledger.alerts.all() == ()


def test_of_nodes_that_tick_at_once_one_makes_the_message(ledger: Ledger) -> None:
    """And what two of them hear of one subject counts twice."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: ledger.alerts.hear([one], at=NOON), down(1) * 6))
        (alert,) = ledger.alerts.all()
        made = list(pool.map(lambda _: collect(ledger, NOON + ROUND), range(6)))
        claims = list(pool.map(lambda n: ledger.alerts.claim(f"n{n}", now=NOON + ROUND), range(6)))
    assert alert.times == 6
    assert sum(made) == 1
    assert sum(claim is not None for claim in claims) == 1


def test_what_does_not_arrive_is_tried_again_with_pauses(ledger: Ledger) -> None:
    """For ever, an hour apart at most; why is known meanwhile."""
    ear, clock = Ear(), Clock()
    ear.is_deaf = True
    ledger.alerts.hear(down(1), at=NOON)
    clock.sleep(ROUND)
    collect(ledger, clock.now())
    pauses = []
    for _ in range(9):
        send_all(ledger.alerts, ear, clock)
        (unsent,) = ledger.alerts.unsent()
        pauses.append(unsent.try_at - clock.now())
        clock.at = unsent.try_at
    assert (unsent.error, unsent.attempts) == ("nobody is there", 9)
    assert pauses[:3] == [timedelta(seconds=30 * n) for n in (1, 2, 4)]
    assert pauses[-1] == LONGEST_PAUSE
    ear.is_deaf = False
    assert send_all(ledger.alerts, ear, clock) == 1
    assert (len(ear.heard), ledger.alerts.unsent()) == (1, ())


def test_a_receiver_hears_in_order(ledger: Ledger) -> None:
    """Nobody hears the end before the beginning; others do not wait for the deaf."""
    clock = Clock()
    for number, receiver in enumerate(("ops", "ops", "team")):
        message = Message(f"k{number}", receiver, "alarm", str(number), (), NOON)
        ledger.alerts.post(message)
    first = ledger.alerts.claim(HERE, now=clock.now())
    assert first
    ledger.alerts.failed(first, "away", at=clock.now())
    ear = Ear()
    assert send_all(ledger.alerts, ear, clock) == 1
    clock.sleep(LONGEST_PAUSE)
    send_all(ledger.alerts, ear, clock)
    assert [message.title for message in ear.heard] == ["2", "0", "1"]


def test_what_a_dead_node_was_sending_is_sent_by_another(ledger: Ledger) -> None:
    """When its claim ends; what the dead one says later counts no more."""
    ledger.alerts.post(Message("k", "ops", "test", "hello", (), NOON))
    dead = ledger.alerts.claim(HERE, now=NOON)
    assert dead
    assert ledger.alerts.claim(THERE, now=NOON + LEASE / 2) is None
    other = ledger.alerts.claim(THERE, now=NOON + LEASE)
    assert other
    assert not ledger.alerts.failed(dead, "late", at=NOON + LEASE)
    assert ledger.alerts.sent(other, at=NOON + LEASE)
    assert not ledger.alerts.sent(dead, at=NOON + LEASE)


def test_notices_of_audits_become_messages_once(ledger: Ledger) -> None:
    """To those that the audit names, and to its owner."""
    difference = Difference(("p1",), "missing", NOON, NOON, 3)
    notice = Notice("end_to_end", "alarm", NOON, ("ops",), (difference,))
    audited = Audited("end_to_end", "production", "failing", NOON, notices=(notice,))
    ledger.audits.keep(audited, Decision({}), after=0)
    owners = {"end_to_end": ("mailto:ann@example.com",)}
    made = [ledger.alerts.collect(ledger.audits, at=NOON, owners=owners) for _ in range(2)]
    assert made == [2, 0]
    assert ledger.audits.unsent() == []
    told = [each.message for each in ledger.alerts.unsent()]
    assert [message.receiver for message in told] == ["ops", "mailto:ann@example.com"]
    assert told[0].lines == ("`p1` missing",)


def test_muted_subjects_wait(ledger: Ledger) -> None:
    """And are told when nobody mutes them any more."""
    ledger.alerts.mute("w.j000", until=NOON + timedelta(hours=2))
    ledger.alerts.hear(down(1), at=NOON)
    assert collect(ledger, NOON + timedelta(hours=1)) == 0
    assert collect(ledger, NOON + timedelta(hours=2)) == 1


def test_a_message_holds_no_secret(ledger: Ledger) -> None:
    """It is cleaned before it is kept."""
    hide("hunter2hunter2")
    ledger.alerts.hear([Trouble("w.j", "failing", "x", "no: hunter2hunter2", ("ops",))], at=NOON)
    collect(ledger, NOON + ROUND)
    (unsent,) = ledger.alerts.unsent()
    assert unsent.message.lines == ("no: ***",)


def test_sent_messages_are_forgotten_some_day(ledger: Ledger) -> None:
    """Those that wait are not."""
    for key in "ab":
        ledger.alerts.post(Message(key, "ops", "test", key, (), NOON))
    delivery = ledger.alerts.claim(HERE, now=NOON)
    assert delivery
    ledger.alerts.sent(delivery, at=NOON)
    assert ledger.alerts.prune(before=NOON + timedelta(days=30)) == 1
    assert len(ledger.alerts.unsent()) == 1
