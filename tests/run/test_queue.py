"""Runs that wait, on SQLite and on PostgreSQL: one owner each, permits that cannot leak, fences that hold."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from genesis.run import queue as module
from genesis.run.ledger import Ledger
from genesis.run.queue import MOST_TAKEOVERS, Asked, Claim, End, Queue, owner_name

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SOON = timedelta(seconds=1)
HERE, THERE, DEAD = "here/1/100", "there/1/100", "dead/1/100"
DONE = End("succeeded")


@pytest.fixture
def queue(ledger: Ledger) -> Queue:
    return Queue(ledger.state)


def ask(job: str, *, at: datetime = NOON, place: str = "", **more: object) -> Asked:
    asked = Asked(
        key=f"{job}|cron|{at.isoformat()}",
        job=job,
        trigger="cron",
        slot=f"w|cron|{at.isoformat()}",
        logical_time=at,
        due_at=at,
        place=place or f"place of {job}",
    )
    return replace(asked, **more)  # type: ignore[arg-type]


def claim(queue: Queue, owner: str = HERE, *, now: datetime = NOON, **more: object) -> Claim:
    claimed = queue.claim(owner, now=now, lease=LEASE, **more)  # type: ignore[arg-type]
    assert claimed
    return claimed


def states(ledger: Ledger) -> dict[str, str]:
    return {run.job: run.state for run in ledger.newest(100)}


def test_what_is_asked_for_twice_is_one_run(queue: Queue, ledger: Ledger) -> None:
    assert queue.ask([ask("w.a"), ask("w.b")], at=NOON) == 2
    assert queue.ask([ask("w.a"), ask("w.c")], at=NOON) == 1
    assert len(ledger.newest(100)) == 3


def test_the_run_that_was_due_first_is_given_out_first(queue: Queue) -> None:
    queue.ask([ask("w.late", at=NOON), ask("w.early", at=NOON - SOON)], at=NOON)
    assert [claim(queue).run.job, claim(queue).run.job] == ["w.early", "w.late"]
    assert queue.claim(HERE, now=NOON, lease=LEASE) is None


def test_what_is_due_later_is_not_given_out(queue: Queue) -> None:
    queue.ask([ask("w.a", at=NOON + SOON)], at=NOON)
    assert queue.claim(HERE, now=NOON, lease=LEASE) is None
    assert claim(queue, now=NOON + SOON).run.job == "w.a"


def test_a_place_has_room_for_one_run(queue: Queue) -> None:
    queue.ask([ask("w.a", place="sheet"), ask("v.a", place="sheet", slot="v")], at=NOON)
    first = claim(queue)
    assert queue.claim(THERE, now=NOON, lease=LEASE) is None
    queue.finish(first, DONE, at=NOON)
    assert claim(queue, THERE).run.job == "v.a"


def test_an_engine_has_room_for_as_many_runs_as_its_limit(queue: Queue) -> None:
    queue.ask([ask(f"w.{n}", engine="trino") for n in range(5)], at=NOON)
    queue.ask([ask("w.other", engine="local", at=NOON + SOON)], at=NOON)
    limits = {"trino": 2}
    later = NOON + SOON
    claims = [claim(queue, now=later, limits=limits) for _ in range(3)]
    assert [each.run.job for each in claims] == ["w.0", "w.1", "w.other"]
    assert queue.claim(HERE, now=later, lease=LEASE, limits=limits) is None


def test_permits_of_a_dead_owner_are_free_when_its_lease_ends(queue: Queue) -> None:
    queue.ask([ask("w.a", place="sheet"), ask("v.a", place="sheet", slot="v")], at=NOON)
    claim(queue, DEAD)
    assert claim(queue, THERE, now=NOON + LEASE + SOON).run.job == "v.a"


def test_a_lease_that_is_extended_stays(queue: Queue) -> None:
    queue.ask([ask("w.a")], at=NOON)
    mine = claim(queue)
    (kept,), lost = queue.extend([(mine, "read")], now=NOON + LEASE / 2, lease=LEASE)
    assert kept.lease_until == NOON + LEASE * 1.5
    assert not lost
    assert not queue.take_over(now=NOON + LEASE + SOON)


def test_who_lost_its_lease_changes_nothing_more(queue: Queue, ledger: Ledger) -> None:
    queue.ask([ask("w.a")], at=NOON)
    zombie = claim(queue, DEAD)
    later = NOON + LEASE + SOON
    assert [run.job for run in queue.take_over(now=later)] == ["w.a"]
    mine = claim(queue, THERE, now=later)
    assert mine.fence > zombie.fence
    assert queue.extend([(zombie, None)], now=later, lease=LEASE) == ((), (zombie,))
    assert not queue.note(zombie, "write")
    assert not queue.retry(zombie, End("failed"), at=later)
    assert not queue.finish(zombie, End("failed"), at=later)
    assert queue.finish(mine, DONE, at=later)
    assert states(ledger) == {"w.a": "succeeded"}


def test_who_lost_its_place_ends_nothing(queue: Queue, ledger: Ledger) -> None:
    """Its lease ended, and another run works there: what it did may not be the last word."""
    queue.ask([ask("w.a", place="sheet"), ask("v.a", place="sheet", slot="v")], at=NOON)
    slow, later = claim(queue), NOON + LEASE + SOON
    claim(queue, THERE, now=later)
    assert not queue.finish(slow, DONE, at=later)
    assert not queue.retry(slow, End("failed"), at=later)
    assert queue.extend([(slow, None)], now=later, lease=LEASE) == ((), (slow,))
    assert states(ledger) == {"w.a": "running", "v.a": "running"}


def test_the_end_of_a_run_makes_room_for_the_next(queue: Queue, ledger: Ledger) -> None:
    """In one transaction; who lost its run gets another one all the same."""
    queue.ask([ask(f"w.{n}", place="sheet", slot=f"{n}") for n in range(3)], at=NOON)
    first = claim(queue)
    is_own, second = queue.finish_and_claim(first, DONE, at=NOON, lease=LEASE)
    assert is_own
    assert second
    assert (second.run.job, second.owner) == ("w.1", HERE)
    queue.finish(second, DONE, at=NOON)
    is_own, third = queue.finish_and_claim(second, End("failed"), at=NOON, lease=LEASE)
    assert not is_own
    assert third
    assert states(ledger) == {"w.0": "succeeded", "w.1": "succeeded", "w.2": "running"}


def test_a_run_that_ended_never_changes(queue: Queue, ledger: Ledger) -> None:
    queue.ask([ask("w.a")], at=NOON)
    mine = claim(queue)
    assert queue.finish(mine, DONE, at=NOON)
    assert not queue.finish(mine, End("failed"), at=NOON)
    assert not queue.retry(mine, End("failed"), at=NOON)
    assert queue.cancel(mine.run.id, by="me", at=NOON) is None
    assert states(ledger) == {"w.a": "succeeded"}


def test_what_ends_while_it_is_taken_over_has_ended(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner was late, and not dead; on SQLite nobody comes in between."""
    with closing(Ledger(database, tmp_path)) as ledger:
        queue = Queue(ledger.state)
        queue.ask([ask("w.a")], at=NOON)
        mine = claim(queue, DEAD)
        monkeypatch.setattr(module, "_is_dead", lambda _: queue.finish(mine, DONE, at=NOON))
        assert queue.take_over(now=NOON) == ()
        assert states(ledger) == {"w.a": "succeeded"}


def test_a_run_that_kills_its_owners_is_given_up(queue: Queue, ledger: Ledger) -> None:
    queue.ask([ask("w.a")], at=NOON)
    now = NOON
    for number in range(MOST_TAKEOVERS + 1):
        mine = claim(queue, f"dead/{number}/0", now=now)
        queue.note(mine, "query")
        now += LEASE + SOON
        queue.take_over(now=now)
    (run,) = ledger.newest(1)
    assert (run.state, run.error_class) == ("failed", "internal")
    assert run.reason == "4 owners died while they had it, the last in `query`"


def test_a_run_whose_owners_died_in_a_write_is_uncertain(queue: Queue, ledger: Ledger) -> None:
    queue.ask([ask("w.a")], at=NOON)
    now = NOON
    for number in range(MOST_TAKEOVERS + 1):
        queue.note(claim(queue, f"dead/{number}/0", now=now), "write")
        now += LEASE + SOON
        queue.take_over(now=now)
    assert states(ledger) == {"w.a": "uncertain"}


def test_an_owner_that_is_dead_on_this_machine_is_not_waited_for(queue: Queue) -> None:
    program = "from genesis.run.queue import owner_name; print(owner_name())"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    queue.ask([ask("w.a"), ask("w.b")], at=NOON)
    claim(queue, told.stdout.strip())
    claim(queue, owner_name())
    assert [run.job for run in queue.take_over(now=NOON)] == ["w.a"]


def test_a_number_that_another_process_has_by_now_is_no_owner(queue: Queue) -> None:
    machine, process, began = owner_name(os.getpid()).split("/")
    queue.ask([ask("w.a")], at=NOON)
    claim(queue, f"{machine}/{process}/{int(began) - 1}")
    assert queue.take_over(now=NOON)


def test_a_retry_comes_when_it_is_time(queue: Queue) -> None:
    queue.ask([ask("w.a")], at=NOON)
    busy = End("failed", error_class="transient")
    assert queue.retry(claim(queue), busy, at=NOON + LEASE)
    assert queue.claim(HERE, now=NOON, lease=LEASE) is None
    again = claim(queue, now=NOON + LEASE)
    assert again.run.attempt == 2
    queue.retry(again, busy, at=NOON + LEASE, spends=False)
    assert claim(queue, now=NOON + LEASE).run.attempt == 2


def test_a_run_waits_for_those_it_needs(queue: Queue) -> None:
    first = ask("w.first")
    queue.ask([ask("w.second", needs=(first.key,), at=NOON), first], at=NOON)
    mine = claim(queue)
    assert mine.run.job == "w.first"
    assert queue.claim(HERE, now=NOON, lease=LEASE) is None
    queue.finish(mine, End("no_change"), at=NOON)
    assert claim(queue).run.job == "w.second"


def test_two_that_end_at_once_let_go_what_needs_both(queue: Queue, ledger: Ledger) -> None:
    """Each on a node of its own: neither thinks that the other goes on."""
    pairs = [(ask(f"v{n}.a", slot=f"{n}"), ask(f"v{n}.b", slot=f"{n}")) for n in range(10)]
    both = [ask(f"v{n}.both", slot=f"{n}", needs=(a.key, b.key)) for n, (a, b) in enumerate(pairs)]
    queue.ask([*(each for pair in pairs for each in pair), *both], at=NOON)
    claims = {(mine := claim(queue)).run.job: mine for _ in range(20)}
    turns = threading.Barrier(2)

    def end(name: str) -> None:
        node = Queue(ledger.state)
        for n in range(10):
            turns.wait(10)
            assert node.finish(claims[f"v{n}.{name}"], DONE, at=NOON)

    with ThreadPoolExecutor(2) as nodes:
        list(nodes.map(end, "ab"))
    assert {run.state for run in queue.open_runs()} == {"queued"}


def test_what_was_done_by_hand_before_it_was_asked_for_is_waited_for_no_more(
    queue: Queue, ledger: Ledger
) -> None:
    """As `genesis run w.first --at` does while no scheduler runs."""
    first = ask("w.first")
    queue.ask([first], at=NOON)
    queue.finish(claim(queue), DONE, at=NOON)
    second = ask("w.second", needs=(first.key,))
    assert queue.ask([first, second, ask("w.third", needs=(second.key,))], at=NOON) == 2
    assert states(ledger) == {"w.first": "succeeded", "w.second": "queued", "w.third": "waiting"}


def test_what_needs_a_failed_run_is_skipped_to_the_last(queue: Queue, ledger: Ledger) -> None:
    first = ask("w.first")
    second = ask("w.second", needs=(first.key,))
    queue.ask([first, second, ask("w.third", needs=(second.key,))], at=NOON)
    queue.finish(claim(queue), End("failed"), at=NOON)
    assert states(ledger) == {"w.first": "failed", "w.second": "skipped", "w.third": "skipped"}
    assert ledger.newest(1)[0].reason == "needs: `w.second` did not succeed"


def test_what_needs_a_run_that_is_passed_over_is_too(queue: Queue, ledger: Ledger) -> None:
    first = ask("w.first", reason="paused by ada")
    queue.ask([first, ask("w.second", needs=(first.key,))], at=NOON)
    assert states(ledger) == {"w.first": "skipped", "w.second": "skipped"}


def test_what_waits_is_cancelled_at_once_and_what_runs_is_told(queue: Queue) -> None:
    queue.ask([ask("w.a"), ask("w.b")], at=NOON)
    mine = claim(queue)
    waiting = next(run for run in queue.open_runs() if run.state == "queued")
    assert queue.cancel(waiting.id, by="ada", at=NOON) == "cancelled"
    assert queue.cancel(mine.run.id, by="ada", at=NOON) == "running"
    assert queue.cancelled([mine]) == {mine.run.id}


def test_what_is_skipped_has_its_reason(queue: Queue, ledger: Ledger) -> None:
    queue.ask([ask("w.a", reason="paused by ada")], at=NOON)
    assert queue.claim(HERE, now=NOON, lease=LEASE) is None
    queue.ask([ask("w.b")], at=NOON)
    assert queue.skip([run.id for run in queue.open_runs()], "superseded", at=NOON) == 1
    assert [(run.state, run.reason) for run in ledger.newest(2)] == [
        ("skipped", "superseded"),
        ("skipped", "paused by ada"),
    ]


def test_many_owners_at_once_claim_each_run_once(queue: Queue, ledger: Ledger) -> None:
    """Sixty runs at ten places, eight owners: never two at a place, each run once."""
    queue.ask([ask(f"w.{n}", place=f"sheet {n % 10}", engine="e") for n in range(60)], at=NOON)

    def work(owner: str) -> list[str]:
        done = []
        while any(run.state == "queued" for run in queue.open_runs()):
            if mine := queue.claim(owner, now=NOON, lease=LEASE, limits={"e": 5}):
                running = [run for run in queue.open_runs() if run.state == "running"]
                assert len(running) <= 5
                assert mine.run.id in {run.id for run in running}
                done.append(mine.run.job)
                assert queue.finish(mine, DONE, at=NOON)
        return done

    with ThreadPoolExecutor(8) as owners:
        done = [job for jobs in owners.map(work, [f"node/{n}/0" for n in range(8)]) for job in jobs]
    assert sorted(done) == sorted(f"w.{n}" for n in range(60))
    assert {run.attempt for run in ledger.newest(100)} == {1}


def test_an_older_ledger_has_the_columns_and_indexes_that_it_lacks(tmp_path: Path) -> None:
    older = sa.create_engine(f"sqlite:///{tmp_path}/state.db")
    with older.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE run (id INTEGER PRIMARY KEY, run_key VARCHAR(500) NOT NULL UNIQUE,"
            " job VARCHAR(300) NOT NULL, state VARCHAR(20) NOT NULL, started_at VARCHAR(32) NOT NULL,"
            " finished_at VARCHAR(32), definition VARCHAR(64), snapshots TEXT, rows INTEGER,"
            " receipt TEXT, problems TEXT)"
        )
        connection.exec_driver_sql(
            "INSERT INTO run (run_key, job, state, started_at, finished_at)"
            " VALUES ('k', 'w.a', 'succeeded', '2026-11-23T12:00:00.000000+00:00', '2026-11-23T12:00:01.000000+00:00')"
        )
    older.dispose()
    ledger = Ledger("sqlite:///state.db", tmp_path)
    queue = Queue(ledger.state)
    queue.ask([ask("w.b")], at=NOON)
    assert claim(queue).run.job == "w.b"
    assert states(ledger) == {"w.a": "succeeded", "w.b": "running"}
    with ledger.state.reading() as connection:
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("run")}
    assert indexes == {"run_by_job", "run_by_slot", "run_by_time", "run_open"}
    ledger.close()
