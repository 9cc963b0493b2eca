"""A worker: claims a run, does it, writes how it ended; as many side by side as there are threads.

The run is written as claimed before its first effect. While it goes on its lease is extended; what
may not go on ends at its next step, and writes nothing. A failure that passes by itself is tried
again later, in the same run; so is a job that is not known here: another node may have read the
project again before this one. The surprise: a run that lost its lease is left without a word, since
another owner speaks for it by now.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from genesis.errors import DefinitionError, GenesisError, Problem
from genesis.interfaces import Clock
from genesis.run.lease import BEATS, Keeper, Lease, Stopped
from genesis.run.ledger import SCHEDULED, Run
from genesis.run.queue import WRITE, Claim, End, Queue
from genesis.run.runner import Done, told
from genesis.schedule.due import is_too_late
from genesis.schedule.order import SUPERSEDED
from genesis.schedule.retries import ErrorClass, error_class, next_attempt

ELSEWHERE = 5  # tries until nobody will know a job: some minutes
REMOVED = "no node knows its job any more"


class UnknownJob(DefinitionError):
    """The project has no such job, as this node has read it; or the job's workflow is broken."""

    def __init__(self, problems: Problem | tuple[Problem, ...], *, is_broken: bool = False) -> None:
        super().__init__(problems)
        self.is_broken = is_broken


@dataclass(frozen=True)
class Options:
    """What a job says of its runs: how long one may take, how often one is tried again, until when."""

    timeout: timedelta | None = None
    retries: int | None = None
    deadline: timedelta | None = None


class Doer(Protocol):
    """What does the job of a run, with everything real that it needs."""

    def options(self, run: Run) -> Options:
        """What its job says of its runs. Raises `UnknownJob`."""

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        """Do it. Raises `Stopped` where the lease ends it, `GenesisError`, `UnknownJob` as `options` does."""


@dataclass
class Hand:
    """One of those that work for a worker, and the run that it has got and not begun."""

    wants_more: Callable[[], bool]
    lease: Lease | None = None


@dataclass
class Worker:
    """Does the runs of a queue, one after another, as one owner.

    Args:
        owner: Who it is, as `owner_name` gives it.
        limits: How many runs at once may use an engine or a credential, by its name.
        on_lost: Told of every run that was somebody else's before it ended here.
        on_end: Told of every run that ended, or will be tried again, here.
        is_by_hand: Whether a person waits: nothing is tried again, and a bug is theirs to see.
    """

    queue: Queue
    doer: Doer
    keeper: Keeper
    clock: Clock
    owner: str
    limits: Mapping[str, int] = field(default_factory=dict)
    on_end: Callable[[Claim, End], None] = lambda _claim, _end: None
    is_by_hand: bool = False
    on_lost: Callable[[Claim], None] = lambda _claim: None

    def step(self, only: str | None = None) -> End | None:
        """Do the next run that is due; how it ended, or nothing where none is."""
        lease = self._claim(only)
        return self._do(lease, Hand(lambda: False)) if lease else None

    def go_on(self, hand: Hand) -> bool:
        """Do the run that a thread has, or else the next one that is due; whether there was one."""
        lease, hand.lease = hand.lease or self._claim(), None
        if lease:
            self._do(lease, hand)
        return lease is not None

    def _claim(self, only: str | None = None) -> Lease | None:
        asked, now, length = self.keeper.ticks(), self.clock.now(), self.keeper.length
        claim = self.queue.claim(self.owner, now=now, lease=length, limits=self.limits, only=only)
        return self._lease(claim, asked) if claim else None

    def _lease(self, claim: Claim, asked: float) -> Lease:
        return Lease(claim, self.keeper.length, asked=asked, ticks=self.keeper.ticks)

    def _do(self, lease: Lease, hand: Hand) -> End | None:
        claim, keeper, phases = lease.claim, self.keeper, _Phases(self.keeper.ticks)

        def enter(phase: str) -> None:
            lease.check()
            lease.phase = phase
            phases.enter(phase)
            # Heartbeats tell of phases; that something may be half done has to be known before it is.
            if phase == WRITE and not self.queue.note(claim, phase):
                lease.stop("lost")
                lease.check()

        options = Options()
        with keeper.keeping(lease):
            try:
                if claim.is_superseded and self._may_be_late(claim.run):
                    return self._write(claim, End("skipped", reason=SUPERSEDED), options, hand)
                options = self.doer.options(claim.run)
                if options.timeout:
                    lease.until = self.clock.now() + options.timeout
                end = _end(self.doer.do(claim.run, lease, enter), lease)
            except Stopped as stopped:
                end = _stopped(stopped.reason)
            except UnknownJob as error:
                options, end = Options(retries=ELSEWHERE), _unknown(error, claim.run)
            except GenesisError as error:
                end = _failed(error)
            except Exception as error:  # one run's bug may not end the others
                end = _broken(error)
                if self.is_by_hand:
                    self._write(claim, end, options, hand)
                    raise
            except KeyboardInterrupt:
                self._write(claim, End("cancelled", reason="interrupted"), options, hand)
                raise
            return self._write(claim, replace(end, phases=phases.lengths()), options, hand)

    def _may_be_late(self, run: Run) -> bool:
        """Whether a later run may have come first: of those that claim at once, one may get the second slot."""
        return run.attempt > 1 or (run.trigger in SCHEDULED and not self.is_by_hand)

    def _write(self, claim: Claim, end: End, options: Options, hand: Hand) -> End | None:
        """Write how it ended, or when it is tried again; nothing of a run that is no longer ours."""
        if end.state == "lost":
            self.on_lost(claim)
            return None
        again = self._try_again(claim, end, options)
        if again is not None:
            spends = end.error_class != "rate_limited"
            is_ours = self.queue.retry(claim, end, at=again, spends=spends)
            end = replace(end, state="retrying")
        else:
            is_ours = self._finish(claim, end, hand)
        if not is_ours:
            self.on_lost(claim)
            return None
        self.on_end(claim, end)
        return end

    def _finish(self, claim: Claim, end: End, hand: Hand) -> bool:
        """Write how it ended, and take the next one in the same go, if more is wanted."""
        asked, now, length = self.keeper.ticks(), self.clock.now(), self.keeper.length
        if not hand.wants_more():
            return self.queue.finish(claim, end, at=now)
        is_ours, following = self.queue.finish_and_claim(
            claim, end, at=now, lease=length, limits=self.limits
        )
        hand.lease = self._lease(following, asked) if following else None
        return is_ours

    def _try_again(self, claim: Claim, end: End, options: Options) -> datetime | None:
        """When the run is tried again; nothing where it is not, or where that would be after its deadline."""
        if end.error_class is None or self.is_by_hand:
            return None
        run = claim.run
        now, due_at = self.clock.now(), run.due_at or run.started_at
        pause = next_attempt(
            end.error_class, run.attempt, run.run_key, retries=options.retries, waited=now - due_at
        )
        if pause is None:
            return None
        again = now + pause
        return None if is_too_late(due_at, options.deadline, again) else again


class Pool:
    """Threads that work side by side, woken when there may be something to do.

    `tell` hears of what went wrong between runs: a thread goes on whatever it was.
    """

    def __init__(
        self,
        worker: Worker,
        size: int,
        tell: Callable[[str, Exception], None],
        *,
        idle: timedelta = timedelta(seconds=1),
    ) -> None:
        self._worker = worker
        self._tell = tell
        self._idle = idle
        self._wake = threading.Condition()
        self._ends = False
        self._threads = [
            threading.Thread(target=self._work, name=f"worker {n}", daemon=True)
            for n in range(size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        with self._wake:
            self._wake.notify_all()

    def stop(self, patience: timedelta) -> bool:
        """Claim no more; whether all that is under way ended in time."""
        with self._wake:
            self._ends = True
            self._wake.notify_all()
        ends = time.monotonic() + patience.total_seconds()
        for thread in self._threads:
            thread.join(max(ends - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        hand = Hand(lambda: not self._ends)
        while hand.lease or not self._ends:
            try:
                found = self._worker.go_on(hand)
            except GenesisError:  # the ledger cannot be reached; the tick tells so
                found = False
            except Exception as error:  # noqa: BLE001  # a bug between runs may not end the thread
                self._tell("work", error)
                found = False
            if not found and not hand.lease:
                with self._wake:
                    if not self._ends:
                        self._wake.wait(self._idle.total_seconds())


class Beats:
    """A thread that keeps the leases of its owner."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._every = keeper.length / BEATS
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Beats:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ends.wait(self._every.total_seconds()):
            self._keeper.beat()


@dataclass
class _Phases:
    """How long each phase of a run took, in seconds."""

    ticks: Callable[[], float]
    _entered: list[tuple[str, float]] = field(default_factory=list)

    def enter(self, phase: str) -> None:
        self._entered.append((phase, self.ticks()))

    def lengths(self) -> dict[str, float]:
        ends = [*self._entered, ("", self.ticks())]
        return {phase: round(end - at, 3) for (phase, at), (_, end) in pairwise(ends)}


def _end(done: Done, lease: Lease) -> End:
    """How a run ended; what failed because it was to stop, was stopped."""
    outcome = done.outcome
    if done.error and lease.reason:
        return _stopped(lease.reason)
    return End(
        state=outcome.state,
        error_class=_class(done),
        receipt=outcome.written(),
        problems=told(outcome.problems),
        **done.facts,
    )


def _class(done: Done) -> ErrorClass | None:
    """Why it failed; an audit that tells, or a heartbeat that is late, says so about the data."""
    if done.error:
        return error_class(done.error)
    return "data" if done.outcome.state == "failed" else None


def _stopped(reason: str) -> End:
    if reason == "timeout":
        return End("failed", reason="it took longer than its `timeout`", error_class="timeout")
    return End(reason, reason=reason)


def _failed(error: GenesisError) -> End:
    return End("failed", error_class=error_class(error), problems=told(error.problems))


def _unknown(error: UnknownJob, run: Run) -> End:
    """Left to a node that knows the job, as long as there may be one; after that it was removed."""
    end = _failed(error)
    if run.attempt <= ELSEWHERE:
        return replace(end, error_class="transient")
    return end if error.is_broken else End("skipped", reason=REMOVED)


def _broken(error: Exception) -> End:
    """A bug of ours, with the place where it showed."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = f"{type(error).__name__}: {error} (`{place.name}`, line {place.lineno})"
    return End("failed", reason=f"a bug in genesis: {said}", error_class="internal")
