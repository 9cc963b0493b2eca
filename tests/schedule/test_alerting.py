"""Who is told what: over random outcomes, with a plain account of what a receiver should know."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genesis.schedule.alerting import (
    DAY,
    MORE,
    ROUND,
    SHOWN,
    Alert,
    Ended,
    Id,
    Kind,
    Message,
    Trouble,
    Well,
    hear,
    is_long,
    receivers_of,
    signal_of,
    tell,
    within,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Desk:
    """Alerts as a scheduler keeps them, with a clock of its own and all that was said."""

    def __init__(self) -> None:
        self.now = NOON
        self.alerts: dict[Id, Alert] = {}
        self.said: list[Message] = []

    def hear(self, *signals: Trouble | Well) -> None:
        for signal in signals:
            self._keep(hear(self.alerts.values(), signal, self.now))

    def wait(self, length: timedelta = ROUND, silent: frozenset[str] = frozenset()) -> list[str]:
        """What is said at the end of a while."""
        self.now += length
        messages, changed = tell(self.alerts.values(), self.now, silent)
        self._keep(changed)
        self.said += messages
        return [f"{message.saying}: {message.title}" for message in messages]

    def _keep(self, changed: dict[Id, Alert | None]) -> None:
        for id_, alert in changed.items():
            if alert is None:
                del self.alerts[id_]
            else:
                self.alerts[id_] = alert


@pytest.fixture
def desk() -> Desk:
    return Desk()


def trouble(subject: str = "w.j", signature: str = "user", **more: object) -> Trouble:
    said = {"kind": "failing", "text": "the SQL is wrong", "receivers": ("ops",), **more}
    return Trouble(subject, signature=signature, **said)  # type: ignore[arg-type]


def well(subject: str = "w.j", kind: Kind = "failing") -> Well:
    return Well(subject, (kind,))


def down(subject: str, **more: object) -> Trouble:
    return trouble(
        subject, "transient query-failed", cause="engine `prod` cannot be reached", **more
    )


ALARM = "alarm: `w.j` is failing"
RECOVERY = "recovery: `w.j` is well again; it was failing"


def test_trouble_is_told_once_and_once_that_it_is_over(desk: Desk) -> None:
    """However often it happens in between."""
    desk.hear(trouble())
    assert desk.wait() == [ALARM]
    desk.hear(trouble(), trouble())
    assert desk.wait() == []
    desk.hear(well(), well())
    assert desk.wait() == [RECOVERY]
    assert desk.wait(DAY) == []
    assert not desk.alerts


def test_what_was_well_before_it_was_told_is_never_told(desk: Desk) -> None:
    """Nobody hears of a hiccup, nor of its end."""
    desk.hear(trouble(), well())
    assert desk.wait() == []


def test_passing_trouble_is_told_after_some_times_on_end(desk: Desk) -> None:
    """A server that was away twice comes back by itself."""
    patient = trouble(after=3)
    desk.hear(patient, patient, well(), patient, patient)
    assert desk.wait() == []
    desk.hear(patient)
    assert desk.wait() == [ALARM]


def test_it_is_reminded_of_daily(desk: Desk) -> None:
    """Until it is over; the message says since when it lasts."""
    desk.hear(trouble())
    desk.wait()
    assert desk.wait(DAY - MINUTE) == []
    assert desk.wait(MINUTE) == [f"reminder: still, since 2026-11-23 12:00 UTC: {ALARM[7:]}"]
    assert desk.wait(DAY / 2) == []


def test_other_trouble_of_the_same_subject_is_news(desk: Desk) -> None:
    """Once; what comes back to the first is none."""
    desk.hear(trouble())
    desk.wait()
    desk.hear(trouble(signature="data"))
    assert desk.wait() == [ALARM]
    desk.hear(trouble(), trouble(signature="data"))
    assert desk.wait() == []


@pytest.mark.parametrize("number", [2, 300])
def test_one_cause_is_one_message(desk: Desk, number: int) -> None:
    """And one when all of it is over, to each receiver."""
    names = [f"w.j{n:03}" for n in range(number)]
    desk.hear(*(down(name, receivers=("ops", "team")) for name in names))
    title = f"engine `prod` cannot be reached: {number} trackers"
    assert desk.wait() == [f"alarm: {title}"] * 2
    assert {message.receiver for message in desk.said} == {"ops", "team"}
    (message, _) = desk.said
    assert sum(line.startswith("`") for line in message.lines) == min(number, SHOWN)
    assert number <= SHOWN or message.lines[-1] == f"and {number - SHOWN} more"
    desk.hear(*(well(name) for name in names[1:]))
    assert desk.wait() == []
    desk.hear(well(names[0]))
    over = f"{number} trackers are well again; it was: engine `prod` cannot be reached"
    assert desk.wait() == [f"recovery: {over}"] * 2


def test_an_engine_away_for_an_hour_is_one_message_and_one_recovery(desk: Desk) -> None:
    """Of 300 trackers that come upon it one after another, and that get late of it."""
    names = [f"w.j{n:03}" for n in range(300)]
    said = []
    for minute in range(60):
        desk.hear(*(down(name) for name in names[: 1 + minute * 6]))
        if minute > 45:
            desk.hear(*(trouble(name, "late", kind="late") for name in names))
        said += desk.wait(MINUTE)
    for name in names:
        desk.hear(Well(name, ("failing", "late")))
        said += desk.wait(timedelta(seconds=5))
    assert [text.partition(":")[0] for text in said] == ["alarm", "recovery"]
    assert not desk.alerts


def test_what_fails_alike_by_itself_is_told_together_and_waits_for_nobody(desk: Desk) -> None:
    """What begins at once is one message; what comes or goes later is told by itself."""
    desk.hear(trouble("a"), trouble("b"))
    assert desk.wait() == ["alarm: 2 trackers, each is failing"]
    assert desk.said[0].lines == ("`a`: the SQL is wrong", "`b`: the SQL is wrong")
    desk.hear(trouble("c"), well("a"))
    assert desk.wait() == [
        "recovery: `a` is well again; it was failing",
        "alarm: `c` is failing",
    ]
    desk.hear(well("b"), well("c"))
    assert desk.wait() == ["recovery: 2 trackers are well again; each was failing"]


def test_what_is_looked_at_again_is_not_heard_again(desk: Desk) -> None:
    """A tracker that is late still is nothing to write down."""
    late = trouble(kind="late", signature="late")
    desk.hear(late)
    before = dict(desk.alerts)
    assert hear(desk.alerts.values(), late, NOON + MINUTE) == {}
    assert desk.alerts == before


def test_what_stays_ill_keeps_nobody_from_hearing_of_the_others(desk: Desk) -> None:
    """After an hour those that are well are told."""
    desk.hear(down("a"), down("b"))
    desk.wait()
    desk.hear(well("a"))
    assert desk.wait() == []
    assert desk.wait(MORE) == ["recovery: `a` is well again; it was failing"]


def test_of_what_is_silent_nothing_is_said(desk: Desk) -> None:
    """What is wrong still is told when it speaks again."""
    desk.hear(trouble())
    assert desk.wait(silent=frozenset({"w.j"})) == []
    assert desk.wait(DAY, silent=frozenset({"w.j"})) == []
    assert desk.wait() == [ALARM]


def test_who_knows_that_it_fails_is_not_told_that_it_is_late(desk: Desk) -> None:
    """Others are."""
    late = trouble(kind="late", signature="late", receivers=("ops", "team"))
    desk.hear(trouble(), late)
    desk.wait()
    told = {(message.receiver, message.title) for message in desk.said}
    assert told == {("ops", "`w.j` is failing"), ("team", "`w.j` is late")}


def test_trouble_of_nobody_is_open_and_unsaid(desk: Desk) -> None:
    """A workflow need not name receivers for its alerts to be shown."""
    desk.hear(trouble(receivers=()))
    assert desk.wait() == []
    assert [alert.is_open for alert in desk.alerts.values()] == [True]


outcomes = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["well", "user", "transient", "data"]),
        st.integers(0, 90),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(outcomes, st.booleans())
def test_nothing_is_told_twice_and_nothing_that_lasts_goes_untold(
    steps: list[tuple[str, str, int]], grouped: bool
) -> None:
    """Each trouble once for its signature, one recovery for each that was told, none for others."""
    desk = Desk()
    knows: dict[str, Counter[str]] = {}
    last: dict[str, str] = {}
    for subject, outcome, pause in steps:
        last[subject] = outcome
        cause = "one cause" if grouped else ""
        desk.hear(well(subject) if outcome == "well" else trouble(subject, outcome, cause=cause))
        assert len({(id_[0], id_[1]) for id_ in desk.alerts}) == len(desk.alerts)
        _read(desk, timedelta(minutes=pause), knows)
    for _ in range(30):
        _read(desk, MORE / 4, knows)
    for subject, outcome in last.items():
        assert (subject in knows) == (outcome != "well")
        assert outcome == "well" or outcome in knows[subject]
    assert {alert.subject for alert in desk.alerts.values()} == set(knows)


def _read(desk: Desk, pause: timedelta, knows: dict[str, Counter[str]]) -> None:
    """What a receiver learns in a while."""
    before = dict(desk.alerts)
    silent_since = len(desk.said)
    desk.wait(pause)
    for message in desk.said[silent_since:]:
        about = [each for each in before.values() if f"`{each.subject}`" in _words(message)]
        assert about
        for alert in about:
            if message.saying == "recovery":
                assert alert.subject in knows, "the end of what was never told"
                del knows[alert.subject]
            elif message.saying == "alarm":
                seen = knows.setdefault(alert.subject, Counter())
                seen[alert.signature] += 1
                assert seen[alert.signature] == 1, "the same trouble twice"
            else:
                assert alert.subject in knows


def _words(message: Message) -> str:
    return "\n".join((message.title, *message.lines))


@pytest.mark.parametrize(
    ("ended", "kind", "cause", "after"),
    [
        (Ended("w.j", "failed", "user", "unknown-input"), "failing", "", 1),
        (
            Ended("w.j", "retrying", "transient", "query-failed", engine="prod"),
            "failing",
            "engine `prod` cannot be reached",
            3,
        ),
        (Ended("w.j", "failed", "user", "query-failed", engine="prod"), "failing", "", 1),
        (
            Ended("w.j", "failed", "user", "access-refused", service="airtable"),
            "failing",
            "`airtable` does not let us in",
            1,
        ),
        (Ended("w.j", "failed", "user", "open-to-anyone"), "shared", "", 1),
        (Ended("w.j", "failed", "data", "heartbeat-late"), "heartbeat", "", 1),
    ],
)
def test_what_an_end_means(ended: Ended, kind: str, cause: str, after: int) -> None:
    """Its kind, what else fails of the same, and how often it is heard before it is told."""
    signal = signal_of(ended, ("ops",))
    assert isinstance(signal, Trouble)
    assert (signal.kind, signal.cause, signal.after) == (kind, cause, after)


def test_ends_that_say_nothing() -> None:
    """A slot that was skipped or cancelled is neither; an audit's differences are told key by key."""
    for ended in (Ended("w.j", "skipped"), Ended("w.j", "failed", "data", "audit-failed")):
        assert signal_of(ended, ("ops",)) is None
    assert isinstance(signal_of(Ended("w.j", "no_change"), ()), Well)


def test_a_run_is_long_against_what_most_took() -> None:
    """Three times of it, a minute at least, and never where there are few."""
    usual = [timedelta(minutes=n % 5 + 1) for n in range(40)]
    assert is_long(timedelta(minutes=16), usual)
    assert not is_long(timedelta(minutes=15), usual)
    assert not is_long(timedelta(hours=9), usual[:4])
    assert not is_long(timedelta(seconds=50), [timedelta(seconds=1)] * 9)


def test_an_owner_is_told_where_somebody_sends_mail() -> None:
    """And where the owner is an address."""
    assert receivers_of(["ops"], "ann@example.com", can_mail=True) == (
        "ops",
        "mailto:ann@example.com",
    )
    assert receivers_of(["ops"], "ann@example.com", can_mail=False) == ("ops",)
    assert receivers_of(["ops"], "the studio", can_mail=True) == ("ops",)


@example("a title of more than fifty bytes, since there are such titles", [""], 50)
@given(st.text(max_size=300), st.lists(st.text(max_size=300)), st.integers(50, 2_000))
def test_a_message_fits(title: str, lines: list[str], largest: int) -> None:
    """In bytes, whatever is in it."""
    assert len(within(title, lines, largest).encode("utf-8", "replace")) <= largest
