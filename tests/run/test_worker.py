"""A worker does a run once, writes how it ended, and says nothing of a run that is no longer its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.errors import EngineError, Problem
from genesis.run.lease import Lease
from genesis.run.ledger import SUCCESSES, Ledger, Run
from genesis.run.queue import Asked, Claim, End, Queue
from genesis.run.runner import Done, Outcome
from genesis.run.worker import ELSEWHERE, REMOVED, Options, Pool, UnknownJob
from tests.run.virtual import MONDAY, Node, Places, VirtualClock, busy

MINUTE = timedelta(minutes=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger("sqlite:///state.db", tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture
def places() -> Places:
    return Places(VirtualClock(MONDAY))


@pytest.fixture
def node(ledger: Ledger, places: Places) -> Node:
    return Node(ledger, places)


def ask(node: Node, *jobs: str, **more: object) -> None:
    for job in jobs:
        asked = Asked(f"{job}|cron|1", job, "cron", "w|1", MONDAY, MONDAY, place=job)
        node.queue.ask([replace(asked, **more)], at=MONDAY)  # type: ignore[arg-type]


def run(ledger: Ledger, job: str = "w.a") -> Run:
    (found,) = ledger.last_runs(job)
    return found


def test_a_run_is_done_and_its_phases_are_timed(ledger: Ledger, places: Places, node: Node) -> None:
    places.fail = lambda _, moment: places.clock.sleep(
        MINUTE / 6 if moment == "query" else MINUTE / 60
    )
    ask(node, "w.a")
    assert node.work() == 1
    found = run(ledger)
    assert (found.state, found.attempt) == ("succeeded", 1)
    assert found.phases == {"query": 10.0, "read": 1.0, "write": 2.0}
    assert [job for job, _ in places.writes] == ["w.a"]


def test_a_run_without_phases_ends_too(ledger: Ledger, node: Node) -> None:
    """Compactions, audits and heartbeats have none."""

    class Doer:
        def options(self, _run: Run) -> Options:
            return Options()

        def do(self, run: Run, _lease: Lease, _phase: Callable[[str], None]) -> Done:
            return Done(Outcome(run.job, "", "succeeded"), {})

    node.worker.doer = Doer()
    ask(node, "w.a")
    assert node.work() == 1
    assert (run(ledger).state, run(ledger).phases) == ("succeeded", {})


def test_what_passes_by_itself_is_tried_again_in_the_same_run(
    ledger: Ledger, places: Places, node: Node
) -> None:
    def fail(run: Run, moment: str) -> None:
        if run.attempt < 3 and moment == "read":
            raise busy()

    places.fail = fail
    ask(node, "w.a")
    node.work()
    first = run(ledger)
    assert (first.state, first.error_class) == ("queued", "transient")
    assert first.try_at
    assert first.try_at > MONDAY
    for _ in range(3):
        places.clock.sleep(timedelta(hours=1))
        node.work()
    found = run(ledger)
    assert (found.state, found.attempt, found.problems) == ("succeeded", 3, ())


def test_a_slot_whose_successor_came_first_is_not_done(
    ledger: Ledger, places: Places, node: Node
) -> None:
    """PostgreSQL gives the next slot to one who claims while another one fails to claim the first."""
    ask(node, "w.a", key="first")
    ask(node, "w.a", key="second", slot="w|2", logical_time=MONDAY + MINUTE)
    node.worker.step(only="second")
    node.work()
    assert {run.run_key: run.state for run in ledger.last_runs("w.a", 2)} == {
        "first": "skipped",
        "second": "succeeded",
    }
    assert len(places.writes) == 1


def test_no_slot_is_done_after_its_successor_began(
    ledger: Ledger, places: Places, node: Node
) -> None:
    """What the second one wrote may be there, though nobody heard so."""

    def fail(run: Run, moment: str) -> None:
        if run.attempt == 1 and moment == "written":
            raise busy()

    places.fail = fail
    ask(node, "w.a", key="first")
    node.work()
    ask(node, "w.a", key="second", slot="w|2", logical_time=MONDAY + MINUTE)
    node.work()
    places.clock.sleep(timedelta(hours=1))
    node.work()
    states = {run.run_key: run.state for run in ledger.last_runs("w.a", 2)}
    assert states["first"] == "skipped"
    assert states["second"] in SUCCESSES


def test_a_mistake_is_not_tried_again(ledger: Ledger, places: Places, node: Node) -> None:
    def fail(_: Run, moment: str) -> None:
        if moment == "query":
            raise EngineError(Problem("query-failed", "no column `x`", hint="mend it"))

    places.fail = fail
    ask(node, "w.a")
    node.work()
    found = run(ledger)
    assert (found.state, found.error_class) == ("failed", "user")
    assert found.problems == (
        {"code": "query-failed", "message": "no column `x`", "hint": "mend it"},
    )


def test_a_job_that_is_not_known_here_is_left_to_others(ledger: Ledger, places: Places) -> None:
    """A node that has not read the project again yet claims it first."""
    behind, ahead = Node(ledger, places), Node(ledger, places, owner="there/1/1")
    behind.worker.doer = Behind()
    ask(behind, "w.new")
    assert behind.work() == 1
    assert (run(ledger, "w.new").state, run(ledger, "w.new").error_class) == ("queued", "transient")
    places.clock.sleep(MINUTE)
    assert ahead.work() == 1
    assert run(ledger, "w.new").state == "succeeded"


def test_a_job_that_nobody_knows_is_told_in_the_end(
    ledger: Ledger, places: Places, node: Node
) -> None:
    node.worker.doer = Behind()
    ask(node, "w.gone")
    while node.queue.open_runs():
        node.work()
        places.clock.sleep(MINUTE)
    found = run(ledger, "w.gone")
    assert (found.state, found.reason, found.attempt) == ("skipped", REMOVED, ELSEWHERE + 1)
    assert places.clock.now() < MONDAY + 30 * MINUTE


def test_a_run_whose_workflow_is_broken_everywhere_fails(
    ledger: Ledger, places: Places, node: Node
) -> None:
    node.worker.doer = Behind(is_broken=True)
    ask(node, "w.gone")
    while node.queue.open_runs():
        node.work()
        places.clock.sleep(MINUTE)
    found = run(ledger, "w.gone")
    assert (found.state, found.error_class, found.attempt) == ("failed", "user", ELSEWHERE + 1)
    assert found.problems[0]["message"] == "unknown job `w.gone`"


@dataclass
class Behind:
    """A doer whose project has none of the jobs, or only what is broken."""

    is_broken: bool = False

    def options(self, run: Run) -> Options:
        unknown = Problem("unknown-job", f"unknown job `{run.job}`")
        raise UnknownJob(unknown, is_broken=self.is_broken)

    def do(self, run: Run, _lease: Lease, _phase: Callable[[str], None]) -> Done:
        raise LookupError(run.job)


def test_a_bug_ends_one_run_and_says_where(ledger: Ledger, places: Places, node: Node) -> None:
    def fail(run: Run, _: str) -> None:
        if run.job == "w.a":
            raise ZeroDivisionError("by zero")

    places.fail = fail
    ask(node, "w.a", "w.b")
    node.work()
    assert run(ledger).error_class == "internal"
    assert "a bug in genesis: ZeroDivisionError: by zero (`fail`, line" in str(run(ledger).reason)
    assert run(ledger, "w.b").state == "succeeded"


def test_a_run_that_lost_its_lease_writes_nothing_and_says_nothing(
    ledger: Ledger, places: Places, node: Node
) -> None:
    """It stood still for too long before its write; somebody else had it done meanwhile."""
    other = Node(ledger, places, owner="there/1/1")

    def fail(run: Run, moment: str) -> None:
        if run.attempt == 1 and moment == "write":
            places.clock.sleep(2 * MINUTE)
            node.queue.take_over(now=places.clock.now())
            other.work()

    places.fail = fail
    lost: list[Claim] = []
    node.worker.on_lost = lost.append
    ask(node, "w.a")
    node.work()
    assert len(places.writes) == 1
    assert not node.ended
    assert [(claim.run.job, claim.fence) for claim in lost] == [("w.a", 1)]
    assert [end.state for _, end in other.ended] == ["succeeded"]
    assert run(ledger).owner == "there/1/1"


def test_a_dead_owner_s_write_is_found_and_not_made_again(
    ledger: Ledger, places: Places, node: Node
) -> None:
    places.data = lambda _: 7

    class Killed(BaseException):
        pass

    def fail(run: Run, moment: str) -> None:
        if run.attempt == 1 and moment == "written":
            raise Killed

    places.fail = fail
    ask(node, "w.a")
    with pytest.raises(Killed):
        node.work()
    places.clock.sleep(2 * MINUTE)
    node.queue.take_over(now=places.clock.now())
    Node(ledger, places, owner="there/1/1").work()
    assert places.writes == [("w.a", 7)]
    assert run(ledger).state == "no_change"


def test_a_run_that_takes_too_long_is_ended(ledger: Ledger, places: Places, node: Node) -> None:
    places.options = {"w.a": Options(timeout=MINUTE / 2)}

    def fail(_: Run, moment: str) -> None:
        if moment == "query":
            places.clock.sleep(MINUTE * 0.6)
            node.keeper.beat()

    places.fail = fail
    ask(node, "w.a")
    node.work()
    found = run(ledger)
    assert (found.state, found.error_class) == ("failed", "timeout")
    assert found.reason == "it took longer than its `timeout`"
    assert not places.writes


def test_a_run_that_is_cancelled_ends_at_its_next_step(
    ledger: Ledger, places: Places, node: Node
) -> None:
    def fail(run: Run, moment: str) -> None:
        if moment == "query":
            node.queue.cancel(run.id, by="ada", at=places.clock.now())
            node.keeper.beat()

    places.fail = fail
    ask(node, "w.a")
    node.work()
    assert run(ledger).state == "cancelled"
    assert not places.writes


def test_a_heartbeat_keeps_a_long_run(ledger: Ledger, places: Places, node: Node) -> None:
    def fail(_: Run, moment: str) -> None:
        if moment == "query":
            for _ in range(60):
                places.clock.sleep(MINUTE / 6)
                node.keeper.beat()
                assert not node.queue.take_over(now=places.clock.now())

    places.fail = fail
    ask(node, "w.a")
    node.work()
    assert run(ledger).state == "succeeded"


def test_a_retry_after_the_deadline_is_none(ledger: Ledger, places: Places, node: Node) -> None:
    places.options = {"w.a": Options(deadline=timedelta(0))}

    def fail(_run: Run, _moment: str) -> None:
        raise busy()

    places.fail = fail
    ask(node, "w.a")
    places.clock.sleep(MINUTE)
    node.work()
    assert run(ledger).state == "failed"


def test_a_ledger_that_is_away_stops_nobody_before_the_lease_ends(
    ledger: Ledger, places: Places, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats fail from the query on; the lease of a minute still covers the write."""

    def away(*_: object, **__: object) -> None:
        raise EngineError(Problem("state-failed", "the run ledger cannot be used"))

    def fail(_: Run, moment: str) -> None:
        if moment == "query":
            with monkeypatch.context() as patched:
                patched.setattr(Queue, "extend", away)
                places.clock.sleep(MINUTE / 2)
                node.keeper.beat()

    places.fail = fail
    ask(node, "w.a")
    node.work()
    assert run(ledger).state == "succeeded"


def test_a_thread_outlives_what_goes_wrong_between_runs(ledger: Ledger, node: Node) -> None:
    told: list[str] = []
    done = threading.Event()

    def end(claim: Claim, _: End) -> None:
        if claim.run.job == "w.a":
            raise ZeroDivisionError
        done.set()

    node.worker.on_end = end
    ask(node, "w.a", "w.b")  # with the end of the first the thread has the second
    pool = Pool(node.worker, 1, lambda what, error: told.append(f"{what}: {error!r}"))
    pool.start()
    assert done.wait(30)
    assert pool.stop(MINUTE)
    assert told == ["work: ZeroDivisionError()"]
    assert [run(ledger, job).state for job in ("w.a", "w.b")] == ["succeeded", "succeeded"]
