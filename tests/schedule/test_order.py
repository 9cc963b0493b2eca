"""Which runs may start: one at a time, the newest only; jobs after those that they need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from genesis.schedule.due import Catchup
from genesis.schedule.order import OVERLAPS, SUPERSEDED, Admission, Overlap, Ready, admit, ready

ONE, TWO, THREE = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 2, 3))


def test_only_the_newest_waits() -> None:
    """While one runs, the others are superseded; then it starts."""
    assert admit([TWO, THREE], [ONE]) == Admission(wait=(THREE,), skipped={TWO: SUPERSEDED})
    assert admit([TWO, THREE], []) == Admission(start=(THREE,), skipped={TWO: SUPERSEDED})
    assert admit([], [ONE]) == Admission()


def test_whoever_catches_up_with_all_runs_them_in_order() -> None:
    """One at a time, and none is superseded."""
    assert admit([TWO, ONE], [], catchup="all") == Admission((ONE,), (TWO,))
    assert admit([TWO, THREE], [ONE], catchup="all") == Admission(wait=(TWO, THREE))


def test_none_waits_where_overlaps_are_skipped() -> None:
    """It is due and still runs: that moment is passed over."""
    assert admit([TWO], [ONE], overlap="skip") == Admission(skipped={TWO: OVERLAPS})
    assert admit([ONE, TWO], [], overlap="skip") == Admission((TWO,), skipped={ONE: SUPERSEDED})


def test_side_by_side() -> None:
    """All of them start."""
    assert admit([THREE, TWO], [ONE], overlap="parallel") == Admission((TWO, THREE))


@given(
    st.sets(st.sampled_from([ONE, TWO, THREE])),
    st.booleans(),
    st.sampled_from(get_args(Overlap)),
    st.sampled_from(get_args(Catchup)),
)
def test_each_run_has_one_fate(
    waiting: set[datetime], is_running: bool, overlap: Overlap, catchup: Catchup
) -> None:
    """It starts, waits or is skipped; but side by side, no second one starts."""
    before = [datetime(2025, 1, 1, tzinfo=UTC)] if is_running else []
    found = admit(waiting, before, overlap=overlap, catchup=catchup)
    assert sorted([*found.start, *found.wait, *found.skipped]) == sorted(waiting)
    if overlap != "parallel":
        assert len(found.start) <= (0 if is_running else 1)


NEEDS = {"load": [], "compact": ["load"], "tracker": ["compact"], "audit": []}


def test_jobs_start_after_what_they_need() -> None:
    """Side by side otherwise."""
    assert ready(NEEDS, {}) == Ready(("load", "audit"), {})
    assert ready(NEEDS, {"load": "running"}) == Ready(("audit",), {})
    done = {"load": "no_change", "audit": "failed"}
    assert ready(NEEDS, done) == Ready(("compact",), {})


def test_what_needs_a_failure_is_skipped() -> None:
    """By whatever way, each with the one that it waited for."""
    found = ready(NEEDS, {"load": "failed", "audit": "running"})
    assert found == Ready(
        (),
        {
            "compact": "needs: `load` did not succeed",
            "tracker": "needs: `compact` did not succeed",
        },
    )


def test_what_is_not_part_of_a_run_is_not_waited_for() -> None:
    """A job that is run by hand, alone."""
    assert ready({"tracker": ["compact"]}, {}) == Ready(("tracker",), {})


def test_an_uncertain_need_did_not_succeed() -> None:
    """Nobody will ever know: its owners died in a write, one after another."""
    found = ready(NEEDS, {"load": "uncertain", "audit": "succeeded"})
    assert "compact" in found.skipped
