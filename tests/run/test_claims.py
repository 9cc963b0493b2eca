"""Claims by the dozen are what as many claims one after another are, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.run.ledger import Ledger
from genesis.run.queue import Asked, Claim, Queue
from tests.run.virtual import MONDAY

MINUTE = timedelta(minutes=1)
LIMITED = ("local", "trino", "docs")


@st.composite
def herds(draw: st.DrawFn) -> list[Asked]:
    """Runs that want the same few places, engines and accounts, most of them due."""
    wanted = st.tuples(
        st.integers(0, 5),
        st.sampled_from(["", "local", "trino", "other"]),
        st.sampled_from(["", "docs"]),
        st.integers(-5, 1),
    )
    return [
        Asked(
            f"{n}", f"w.{n}", "cron", f"{n}", MONDAY, MONDAY + due * MINUTE, f"p{place}", engine, account
        )
        for n, (place, engine, account, due) in enumerate(draw(st.lists(wanted, max_size=14)))
    ]  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    asked=herds(),
    limits=st.dictionaries(st.sampled_from(LIMITED), st.integers(1, 3)),
    before=st.integers(0, 3),
    count=st.integers(1, 12),
)
def test_many_claims_are_as_many_as_one_by_one(
    ledger: Ledger, asked: list[Asked], limits: dict[str, int], before: int, count: int
) -> None:
    queue = Queue(ledger.state)

    def claim(connection: sa.Connection, owner: str, count: int) -> list[Claim]:
        return queue.claim_within(connection, owner, count, now=MONDAY, lease=MINUTE, limits=limits)

    with ledger.state.transaction() as connection:
        everything = connection.begin_nested()
        queue.ask_within(connection, asked, at=MONDAY)
        claim(connection, "there/1/1", before)
        undone = connection.begin_nested()
        together = claim(connection, "here/1/1", count)
        undone.rollback()
        one_by_one = [each for _ in range(count) for each in claim(connection, "here/1/1", 1)]
        everything.rollback()
    assert together == one_by_one
