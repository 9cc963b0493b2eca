"""A claim as its run sees it: it may be lost, cancelled or out of time at any moment.

Before every call of a service a run asks whether it may go on, and a call may take no longer than
the lease is sure to last: what an owner sends, it sends while the run is its own. How long that is
tells a clock that nobody sets, from the moment *before* the ledger was asked. The surprise: a ledger
that cannot be reached stops nobody at once; leases run out by themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from genesis.errors import GenesisError
from genesis.interfaces import Clock, Limit, Rates
from genesis.run.queue import Claim, Queue
from genesis.sync.changes import Month

LEASE = timedelta(seconds=60)
BEATS = 6  # heartbeats in the length of a lease
# What an answer may take at least, or the call is not made; and how far clocks of machines may differ.
_LEAST = timedelta(seconds=5)
_SKEW = timedelta(seconds=2)


class Stopped(Exception):
    """A run may not go on: its lease is `lost`, it was `cancelled`, or its time is up: `timeout`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lease:
    """Whether a run may go on, and for how long."""

    def __init__(
        self,
        claim: Claim,
        length: timedelta,
        *,
        asked: float,
        until: datetime | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claim = claim
        self.until = until
        """When the run's own time is up."""
        self.phase: str | None = None
        """What the run does."""
        self.reason: str | None = None
        self._ticks = ticks
        self._ends = asked + length.total_seconds()
        self._interrupt: Callable[[], None] | None = None

    def check(self, least: timedelta = timedelta(0)) -> None:
        """Raise `Stopped` where the run may not go on, or not for as long as this."""
        if self.reason is None and self.left < least:
            self.stop("lost")
        if self.reason is not None:
            raise Stopped(self.reason)

    @property
    def left(self) -> timedelta:
        """For how long the run is sure to be its owner's."""
        return timedelta(seconds=self._ends - self._ticks())

    def extend(self, length: timedelta, *, asked: float) -> None:
        self._ends = asked + length.total_seconds()

    def stop(self, reason: str) -> None:
        """Let the run go no further; a query that is under way ends."""
        self.reason = self.reason or reason
        if self._interrupt:
            self._interrupt()

    @contextmanager
    def interrupts(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While it holds, a run that may not go on is interrupted in its query."""
        self._interrupt = interrupt
        try:
            self.check()
            yield
        finally:
            self._interrupt = None


@dataclass
class Keeper:
    """Extends the leases of an owner, and tells runs that may not go on."""

    queue: Queue
    clock: Clock
    length: timedelta = LEASE
    ticks: Callable[[], float] = time.monotonic
    _leases: dict[int, Lease] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[Lease]:
        """Keep a lease for as long as its run goes on."""
        with self._lock:
            self._leases[lease.claim.run.id] = lease
        try:
            yield lease
        finally:
            with self._lock:
                del self._leases[lease.claim.run.id]

    def beat(self) -> None:
        """One heartbeat for all."""
        with self._lock:
            leases = dict(self._leases)
        if not leases:
            return
        now, asked = self.clock.now(), self.ticks()
        for lease in leases.values():
            if lease.until and now >= lease.until:
                lease.stop("timeout")
        claims = [lease.claim for lease in leases.values()]
        try:
            phases = [(lease.claim, lease.phase) for lease in leases.values()]
            kept, lost = self.queue.extend(phases, now=now, lease=self.length)
            cancelled = self.queue.cancelled(claims)
        except GenesisError:
            return  # the ledger cannot be reached: leases run out by themselves, unless it comes back
        for claim in kept:
            leases[claim.run.id].extend(self.length, asked=asked)
        for claim in lost:
            leases[claim.run.id].stop("lost")
        for run in cancelled:
            leases[run].stop("cancelled")


class Leased:
    """`Rates` for a run: nobody calls a service without a lease, or waits for longer than it lasts."""

    def __init__(self, rates: Rates, lease: Lease) -> None:
        self.clock = rates.clock
        self._rates = rates
        self._lease = lease

    def wait(self, bucket: str, limit: Limit, *, until: datetime) -> float:
        self._lease.check()
        turn = self._rates.wait(bucket, limit, until=until)
        self._lease.check(_LEAST + _SKEW)
        return turn

    def patience(self, wanted: timedelta) -> timedelta:
        self._lease.check(_LEAST + _SKEW)
        return min(self._rates.patience(wanted), self._lease.left - _SKEW)

    def answered(self, bucket: str, turn: float) -> None:
        self._rates.answered(bucket, turn)

    def freeze(self, bucket: str, length: timedelta) -> None:
        self._rates.freeze(bucket, length)

    def month(self, bucket: str) -> Month:
        return self._rates.month(bucket)

    def is_due(self, question: str) -> bool:
        return self._rates.is_due(question)

    def settle(self, question: str) -> None:
        self._rates.settle(question)
