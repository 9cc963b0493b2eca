"""Jobs that a person, or another scheduler, wants done now: one after another, each a run of the ledger.

They keep to the same leases and permits as scheduled runs, so two of them never work on one place.
Nothing is tried again: whoever asked hears what happened. A run for a logical time is that slot's
run: done once, whoever asks; one that failed is done anew when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from genesis.errors import EngineBusy, Problem
from genesis.interfaces import Clock
from genesis.run.asking import asked_again, run_key, timed_by
from genesis.run.jobs import NamedJob
from genesis.run.lease import Keeper, Lease
from genesis.run.ledger import Ledger, Run
from genesis.run.queue import Asked, owner_name
from genesis.run.runner import Done, Outcome, Runner, in_order, tracker_text
from genesis.run.worker import Beats, Options, Worker


@dataclass
class ByHand:
    """Does jobs now.

    Args:
        runner: Makes what does a job while a lease lasts.
        ledger: Where the runs are written.
        keeper: Keeps the lease of the run that goes on.
        clock: Tells the time.
        at: The slot that is made up for; without one, a run of its own for each job.
    """

    runner: Callable[[Lease, Callable[[str], None]], Runner]
    ledger: Ledger
    keeper: Keeper
    clock: Clock
    at: datetime | None = None

    def run(self, jobs: Iterable[NamedJob]) -> Iterator[Outcome]:
        """Do jobs in order; each outcome as it is known."""
        with Beats(self.keeper):
            yield from in_order(jobs, self._do)

    def _do(self, job: NamedJob) -> Outcome:
        queue, now = self.keeper.queue, self.clock.now()
        queue.take_over(now=now)  # what was killed here holds its place no longer
        if self.at and self.ledger.is_done(job.name, self.at):
            return Outcome(job.name, tracker_text(job), "no_change")
        asked = self._asked(job, now)
        queue.ask([asked], at=now)
        doer = _Doer(job, self.runner)
        worker = Worker(queue, doer, self.keeper, self.clock, owner_name(), is_by_hand=True)
        worker.step(only=asked.key)
        return doer.outcome or self._told_elsewhere(job, asked)

    def _asked(self, job: NamedJob, now: datetime) -> Asked:
        """The run of the slot, or another one for it where that did not succeed; else one of its own."""
        if self.at is None:
            trigger, at = "manual", now
        else:
            trigger, at = timed_by(job.workflow), self.at.astimezone(UTC)
        mark = at.isoformat()
        key = run_key(job.name, trigger, mark)
        if self.at and (run := self.ledger.find(key)) and run.finished_at:
            return asked_again(job, run, at=now)
        slot = f"{job.workflow.name}|{trigger}|{mark}" if self.at else key
        return Asked(key, job.name, trigger, slot, at, min(at, now), job.place)

    def _told_elsewhere(self, job: NamedJob, asked: Asked) -> Outcome:
        """How it stands with a run that somebody else has, or had, or whose place is taken."""
        run = self.ledger.find(asked.key)
        where = tracker_text(job)
        if run and run.finished_at:  # it was cancelled, or given up, while it went on
            return Outcome(job.name, where, run.state, problems=_ended(run), exit_code=1)
        if run and run.trigger in ("manual", "retry"):
            self.keeper.queue.skip([run.id], "its place was taken", at=self.clock.now())
        hint = "`genesis runs` shows what goes on; try again"
        message = f"another run works on `{asked.place}`"
        busy = EngineBusy(Problem("run-busy", message, hint=hint))
        return Outcome(job.name, where, "failed", problems=busy.problems, exit_code=busy.exit_code)


def _ended(run: Run) -> tuple[Problem, ...]:
    told = tuple(Problem(p["code"], p["message"], hint=p["hint"]) for p in run.problems)
    return told or (Problem("skipped-job", f"the run of this time is {run.state}: {run.reason}"),)


@dataclass
class _Doer:
    """The one job that is wanted; its outcome, once it is done."""

    job: NamedJob
    runner: Callable[[Lease, Callable[[str], None]], Runner]
    outcome: Outcome | None = None

    def options(self, _run: Run) -> Options:
        return Options(self.job.job.timeout or self.job.workflow.timeout)

    def do(self, _run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        done = self.runner(lease, phase).do(self.job)
        self.outcome = done.outcome
        return done
