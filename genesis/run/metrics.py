"""What a node knows of itself and its project, as Prometheus and people read it.

`Meter` counts what happens in this process, `Facts` are one moment of all of it, `metrics` and `status` write them down.
The surprise: a tracker is a label of two gauges only, and of none where a project has more than 2,000 of them, since
each label is a series that somebody stores.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from genesis.redaction import redact_data

MOST_TRACKERS = 2_000
BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How lengths in seconds are spread: how many are in each bucket of `BUCKETS`, or beyond."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    total: float = 0.0

    def with_(self, seconds: float) -> Spread:
        """It with one length more."""
        counts = list(self.counts)
        counts[bisect_left(BUCKETS, seconds)] += 1
        return Spread(tuple(counts), self.total + seconds)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a process counted since it began."""

    runs: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """Ends of runs, by kind, state and class of error."""
    durations: Mapping[tuple[str, str], Spread] = field(default_factory=dict)
    """How long runs took, by kind and phase."""
    lags: Spread = Spread()
    """From when runs were due until somebody had them."""
    ticks: Spread = Spread()
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Slots that nobody ran, by reason."""
    sent: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Messages, by channel and result."""
    clock_jumps: int = 0
    leases_lost: int = 0
    pings_failed: int = 0


@dataclass(frozen=True, slots=True)
class TrackerFacts:
    """What is known of one tracker."""

    name: str
    state: str
    last_success: datetime | None = None
    data_at: datetime | None = None
    """As of when its data is."""
    next_at: datetime | None = None
    paused: str | None = None
    """Why it is paused, if it is."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One moment of a node."""

    version: str
    node: str
    at: datetime
    started_at: datetime
    last_tick: datetime | None = None
    oldest_due: datetime | None = None
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Runs that have not ended, by state."""
    permits: Mapping[str, int] = field(default_factory=dict)
    """How many permits are taken, by kind of resource."""
    alerts: Mapping[str, int] = field(default_factory=dict)
    """What is wrong now, by kind."""
    unsent: int = 0
    trackers: Sequence[TrackerFacts] = ()
    counts: Counts = Counts()


class Meter:
    """Counts what happens; any thread may tell it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[tuple[str, str], Spread] = {}
        self._lags = Spread()
        self._ticks = Spread()
        self._skipped: Counter[str] = Counter()
        self._sent: Counter[tuple[str, str]] = Counter()
        self._single: Counter[str] = Counter()

    def ended(
        self, kind: str, state: str, error_class: str | None, phases: Mapping[str, float]
    ) -> None:
        """A run ended, or an attempt of it."""
        with self._lock:
            self._runs[kind, state, error_class or ""] += 1
            for phase, seconds in phases.items():
                before = self._durations.get((kind, phase), Spread())
                self._durations[kind, phase] = before.with_(seconds)

    def claimed(self, lag: timedelta) -> None:
        """A run found its worker so long after it was due."""
        with self._lock:
            self._lags = self._lags.with_(max(lag.total_seconds(), 0))

    def ticked(self, length: timedelta) -> None:
        """A tick was done wholly."""
        with self._lock:
            self._ticks = self._ticks.with_(length.total_seconds())

    def skipped(self, reason: str, number: int = 1) -> None:
        """Slots that are not run. A reason is one of few: what stands in back-ticks is left out."""
        with self._lock:
            self._skipped[_general(reason)] += number

    def sent(self, receiver: str, arrived: bool) -> None:
        """A message arrived, or did not."""
        channel = "owner" if receiver.startswith("mailto:") else receiver
        with self._lock:
            self._sent[channel, "sent" if arrived else "failed"] += 1

    def jumped(self) -> None:
        """The clock was set."""
        self._count("clock_jumps")

    def lost(self) -> None:
        """A lease ended while its run went on."""
        self._count("leases_lost")

    def ping_failed(self) -> None:
        """Nobody answered a ping."""
        self._count("pings_failed")

    def _count(self, name: str) -> None:
        with self._lock:
            self._single[name] += 1

    def counts(self) -> Counts:
        """All of it, at one moment."""
        with self._lock:
            return Counts(
                dict(self._runs),
                dict(self._durations),
                self._lags,
                self._ticks,
                dict(self._skipped),
                dict(self._sent),
                self._single["clock_jumps"],
                self._single["leases_lost"],
                self._single["pings_failed"],
            )


def _general(reason: str) -> str:
    """A reason without the names in it: each would be a series of its own."""
    parts = reason.split("`")
    return "`...`".join(parts[::2])[:80] if len(parts) % 2 else reason[:80]


# ---- Prometheus


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    kind: str
    about: str
    samples: tuple[tuple[str, Labels, float], ...]


def metrics(facts: Facts) -> str:
    """The facts in Prometheus's text format."""
    return "".join(line for family in _families(facts) for line in _written(family))


def _families(facts: Facts) -> Iterator[_Family]:
    counts, now = facts.counts, facts.at
    yield _gauge("build_info", "What runs here", [({"version": facts.version}, 1)])
    yield _gauge("start_time_seconds", "When the node began", [({}, facts.started_at.timestamp())])
    if facts.last_tick:
        yield _gauge(
            "last_tick_timestamp_seconds", "The last tick", [({}, facts.last_tick.timestamp())]
        )
    oldest = _age(facts.oldest_due, now) if facts.oldest_due else 0
    yield _gauge(
        "oldest_due_age_seconds", "How long the run that waits longest is due", [({}, oldest)]
    )
    runs = [
        ({"kind": kind, "state": state, "error_class": error}, number)
        for (kind, state, error), number in sorted(counts.runs.items())
    ]
    yield _counter("runs_total", "Runs and attempts that ended", runs)
    yield _histogram(
        "run_duration_seconds",
        "How long phases of runs took",
        [
            ({"kind": kind, "phase": phase}, spread)
            for (kind, phase), spread in sorted(counts.durations.items())
        ],
    )
    yield _histogram("schedule_lag_seconds", "From due to claimed", [({}, counts.lags)])
    yield _histogram("tick_duration_seconds", "How long ticks took", [({}, counts.ticks)])
    skipped = [({"reason": reason}, number) for reason, number in sorted(counts.skipped.items())]
    yield _counter("slots_skipped_total", "Slots that were not run", skipped)
    yield _counter("clock_jumps_total", "How often the clock was set", [({}, counts.clock_jumps)])
    yield _counter(
        "leases_lost_total", "Leases that ended while their run went on", [({}, counts.leases_lost)]
    )
    waiting = [({"state": state}, number) for state, number in sorted(facts.waiting.items())]
    yield _gauge("runs_open", "Runs that have not ended", waiting)
    permits = [({"resource": name}, number) for name, number in sorted(facts.permits.items())]
    yield _gauge("permits", "Permits that are taken", permits)
    alerts = [({"kind": kind}, number) for kind, number in sorted(facts.alerts.items())]
    yield _gauge("alerts_open", "What is wrong now", alerts)
    yield _gauge("alerts_unsent", "Messages that wait to be sent", [({}, facts.unsent)])
    sent = [
        ({"channel": channel, "result": result}, number)
        for (channel, result), number in sorted(counts.sent.items())
    ]
    yield _counter("alerts_sent_total", "Messages that arrived, or did not", sent)
    yield _counter("pings_failed_total", "Pings that nobody answered", [({}, counts.pings_failed)])
    yield from _of_trackers(facts)


def _of_trackers(facts: Facts) -> Iterator[_Family]:
    states = Counter(tracker.state for tracker in facts.trackers)
    numbers = [({"state": state}, number) for state, number in sorted(states.items())]
    yield _gauge("trackers", "Trackers, by state", numbers)
    if len(facts.trackers) > MOST_TRACKERS:
        return
    trackers = sorted(facts.trackers, key=lambda tracker: tracker.name)
    yield _gauge(
        "tracker_last_success_timestamp_seconds",
        "When a tracker was last as it should be",
        [({"tracker": t.name}, t.last_success.timestamp()) for t in trackers if t.last_success],
    )
    yield _gauge(
        "tracker_data_age_seconds",
        "How old a tracker's data is",
        [({"tracker": t.name}, _age(t.data_at, facts.at)) for t in trackers if t.data_at],
    )


def _gauge(name: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> _Family:
    return _family(name, "gauge", about, samples)


def _counter(name: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> _Family:
    return _family(name, "counter", about, samples)


def _family(
    name: str, kind: str, about: str, samples: Iterable[tuple[Mapping[str, str], float]]
) -> _Family:
    name = f"genesis_{name}"
    return _Family(
        name, kind, about, tuple((name, tuple(labels.items()), value) for labels, value in samples)
    )


def _histogram(
    name: str, about: str, spreads: Iterable[tuple[Mapping[str, str], Spread]]
) -> _Family:
    name, samples = f"genesis_{name}", []
    for labels, spread in spreads:
        own, number = tuple(labels.items()), 0
        for limit, count in zip((*map(str, BUCKETS), "+Inf"), spread.counts, strict=True):
            number += count
            samples.append((f"{name}_bucket", (*own, ("le", limit)), float(number)))
        samples.append((f"{name}_sum", own, spread.total))
        samples.append((f"{name}_count", own, float(number)))
    return _Family(name, "histogram", about, tuple(samples))


def _written(family: _Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.about}\n# TYPE {family.name} {family.kind}\n"
    for name, labels, value in family.samples:
        said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{said}}} {value!r}\n" if said else f"{name} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _age(since: datetime, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0)


# ---- people and programs


def status(facts: Facts) -> dict[str, Any]:
    """The facts as `/status.json` gives them, without secrets."""
    told: dict[str, Any] = redact_data(
        {
            "schema": "genesis/node@1",
            "version": facts.version,
            "node": facts.node,
            "at": facts.at.isoformat(),
            "started_at": facts.started_at.isoformat(),
            "last_tick": _shown(facts.last_tick),
            "oldest_due": _shown(facts.oldest_due),
            "runs": dict(facts.waiting),
            "alerts": dict(facts.alerts),
            "unsent": facts.unsent,
            "trackers": [_tracker(tracker, facts.at) for tracker in facts.trackers],
        }
    )
    return told


def _tracker(tracker: TrackerFacts, now: datetime) -> dict[str, Any]:
    return {
        "tracker": tracker.name,
        "state": tracker.state,
        "last_success": _shown(tracker.last_success),
        "data_at": _shown(tracker.data_at),
        "data_age_seconds": round(_age(tracker.data_at, now), 3) if tracker.data_at else None,
        "next_at": _shown(tracker.next_at),
        "paused": tracker.paused,
    }


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
