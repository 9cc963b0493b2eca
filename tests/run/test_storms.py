"""Services that ask for patience, and thousands of trackers due at once: nobody else waits, nobody starves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import Problem, RateLimited
from genesis.interfaces import Limit
from genesis.run.lease import Lease, Leased
from genesis.run.ledger import Ledger, Run
from genesis.run.queue import Asked, Claim, Queue
from genesis.run.rates import Buckets
from genesis.run.runner import Done, Outcome
from genesis.run.worker import Options
from tests.run.virtual import MONDAY, Node, Places, VirtualClock

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
QUOTA = Limit(60, MINUTE)


@dataclass
class Office:
    """A service with accounts: calls of each are counted, and one of them is refused for a while."""

    rates: Buckets
    stormy: str = ""
    ends: datetime = MONDAY
    calls: list[tuple[str, datetime]] = field(default_factory=list)
    refused: list[tuple[datetime, datetime]] = field(default_factory=list)
    """When it was refused, and until when nobody was to call."""

    def options(self, _run: Run) -> Options:
        return Options()

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        phase("write")
        account, leased = account_of(run), Leased(self.rates, lease)
        now = leased.clock.now()
        leased.wait(account, QUOTA, until=now + SECOND)
        self.calls.append((account, now))
        if account == self.stormy and now < self.ends:
            self.refused.append((now, now + MINUTE))
            leased.freeze(account, MINUTE)
            raise RateLimited(Problem("service-busy", f"`{account}` asks for patience"))
        return Done(Outcome(run.job, "", "succeeded"), {})


def account_of(run: Run) -> str:
    return run.job.partition(".")[0]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger("sqlite:///state.db", tmp_path)
    yield ledger
    ledger.close()


def node_at(office: Office, ledger: Ledger) -> Node:
    clock = office.rates.clock
    assert isinstance(clock, VirtualClock)
    node = Node(ledger, Places(clock))
    node.worker.doer = office
    return node


def ask(node: Node, account: str, trackers: int) -> None:
    asked = [
        Asked(f"{account}.t{n}|cron|1", f"{account}.t{n}", "cron", f"{account}{n}", MONDAY, MONDAY,
              place=f"{account} {n}", credential=account)
        for n in range(trackers)
    ]  # fmt: skip
    node.queue.ask(asked, at=MONDAY)


def live(node: Node, *, until: datetime, step: timedelta) -> None:
    while node.queue.open_runs() and node.places.clock.at < until:
        node.work()
        node.places.clock.sleep(step)


def test_a_storm_on_one_account_is_nobody_else_s(ledger: Ledger) -> None:
    """Ten minutes of refusals: no call while nobody may, no try is spent, all is done soon after."""
    ends = MONDAY + 10 * MINUTE
    office = Office(Buckets(ledger.state, VirtualClock()), stormy="docs", ends=ends)
    node = node_at(office, ledger)
    ask(node, "docs", 15)
    ask(node, "bases", 15)
    live(node, until=ends + 5 * MINUTE, step=5 * SECOND)
    ended = ledger.newest(100)
    assert [(run.state, run.attempt) for run in ended] == [("succeeded", 1)] * 30
    done = {name: [run.finished_at for run in ended if account_of(run) == name and run.finished_at] for name in ("docs", "bases")}  # fmt: skip
    assert max(done["bases"]) < MONDAY + MINUTE
    assert ends <= max(done["docs"]) < ends + 4 * MINUTE
    assert 2 < len(office.refused) < 12
    called = [at for account, at in office.calls if account == "docs"]
    assert not [at for at in called for start, end in office.refused if start < at < end]


def test_five_thousand_due_at_once_are_given_out_in_turn(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By eight threads: each once, the first that were due first, and no more on an engine than may be."""
    herd, threads, most = 5_000, 8, 6
    doer = Crowd()
    node = Node(ledger, Places(VirtualClock()), limits={"local": most})
    node.worker.doer = doer
    given: list[str] = []

    def given_out(*wanted: Any, **more: Any) -> list[Claim]:
        claims = Queue.claim_within(node.queue, *wanted, **more)
        given.extend(claim.run.job for claim in claims)
        return claims

    monkeypatch.setattr(node.queue, "claim_within", given_out)
    asked = [
        Asked(f"{n}", f"w.t{n}", "cron", f"{n}", MONDAY, MONDAY - n * SECOND, f"csv {n}", "local")
        for n in range(herd)
    ]
    node.queue.ask(asked, at=MONDAY)
    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(lambda _: node.work(), range(threads)))
    assert sum(done) == herd
    assert 1 < doer.most <= most
    assert given == [f"w.t{n}" for n in reversed(range(herd))]
    assert Counter(doer.begun) == Counter(given)


@dataclass
class Crowd:
    """A doer that knows which runs began, and how many went on at once; the first two do."""

    begun: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    pair: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def options(self, _run: Run) -> Options:
        return Options()

    def do(self, run: Run, _lease: Lease, _phase: Callable[[str], None]) -> Done:
        with self.lock:
            self.begun.append(run.job)
            self.now += 1
            self.most = max(self.most, self.now)
            is_early = len(self.begun) <= self.pair.parties
        if is_early:
            self.pair.wait(timeout=60)
        with self.lock:
            self.now -= 1
        return Done(Outcome(run.job, "", "no_change"), {})


def test_a_herd_is_done_at_the_pace_of_its_quota(ledger: Ledger) -> None:
    """All due at one moment: the quota holds in any minute, and the first come are the first done."""
    trackers = 150
    office = Office(Buckets(ledger.state, VirtualClock()))
    node = node_at(office, ledger)
    ask(node, "docs", trackers)
    live(node, until=MONDAY + 20 * MINUTE, step=5 * SECOND)
    moments = sorted(at for _, at in office.calls)
    assert len(moments) == trackers
    assert all(b - a >= MINUTE for a, b in zip(moments, moments[60:], strict=False))
    assert Counter(end.state for _, end in node.ended)["succeeded"] == trackers
    assert moments[-1] < MONDAY + 6 * MINUTE
