"""What is tried again: only what passes by itself, ten times, ever later; a budget for each class."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import pytest

from genesis import errors
from genesis.errors import (
    AuditFailed,
    DefinitionError,
    EngineBusy,
    EngineError,
    GenesisError,
    Problem,
    RateLimited,
    SinkBusy,
    SinkError,
    UsageError,
)
from genesis.schedule.retries import (
    BUDGETS,
    FIRST_PAUSE,
    HELD,
    LONGEST_PAUSE,
    SHORTEST_PAUSE,
    error_class,
    error_class_of,
    next_attempt,
)
from genesis.sync.guards import APPROVABLE


def problem(code: str = "service-busy") -> Problem:
    return Problem(code, "what went wrong")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimited(problem()), "rate_limited"),
        (SinkBusy(problem()), "transient"),
        (EngineBusy(problem("query-failed")), "transient"),
        (ConnectionResetError(), "transient"),
        (EngineError(problem("query-failed")), "user"),
        (SinkError(problem("access-refused")), "user"),
        (DefinitionError(problem("unknown-input")), "user"),
        (UsageError(problem("wrong-usage")), "user"),
        (PermissionError(), "user"),
        (SinkError(problem("too-many-deletes")), "data"),
        (AuditFailed(problem("audit-failed")), "data"),
        (TimeoutError(), "timeout"),
        (KeyError(), "internal"),
    ],
)
def test_classes_of_exceptions(error: Exception, kind: str) -> None:
    assert error_class(error) == kind


def test_a_class_is_what_the_exit_code_says() -> None:
    """For every exception of ours, but for what a code cannot tell."""
    found = [GenesisError]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
        error = kind(problem("query-failed"))
        told = "transient" if kind is RateLimited else error_class(error)
        assert error_class_of(kind.exit_code) == told, kind
    assert error_class_of(70) == "internal"


def test_what_is_held_is_what_may_be_approved() -> None:
    """And what an audit finds."""
    assert {*APPROVABLE, "audit-failed"} == HELD
    assert errors.CODES.keys() >= HELD


def test_what_passes_is_tried_ten_times() -> None:
    """Each pause at random up to twice the one before, an hour at most; then no more."""
    for attempt in range(1, 11):
        pauses = [next_attempt("transient", attempt, seed) for seed in range(200)]
        longest = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
        known = [pause for pause in pauses if pause is not None]
        assert len(known) == 200
        assert min(known) >= SHORTEST_PAUSE
        assert longest * 0.9 < max(known) <= longest
        assert min(known) < longest * 0.1, "the jitter is over the whole pause"
    assert next_attempt("transient", 11, 0) is None


def test_a_job_says_how_often() -> None:
    """For what passes by itself alone."""
    assert next_attempt("transient", 1, 0, retries=0) is None
    assert next_attempt("transient", 20, 0, retries=20) is not None
    assert next_attempt("user", 1, 0, retries=20) is None


def test_patience_costs_nothing() -> None:
    assert next_attempt("rate_limited", 10_000, 0, retries=0) is not None


@pytest.mark.parametrize("kind", ["user", "data", "timeout", "internal"])
def test_the_rest_is_not_tried_again(kind: str) -> None:
    assert next_attempt(kind, 1, 0) is None  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_pauses() -> None:
    """So a failure can be played again; another run pauses otherwise."""
    pauses = [[next_attempt("transient", n, seed) for n in range(1, 6)] for seed in "aab"]
    assert pauses[0] == pauses[1] != pauses[2]


def test_patience_grows_with_what_was_waited() -> None:
    """It spends no attempt, so thousands that wait for one quota would else ask twice a minute each."""
    longest = {
        minutes: max(
            next_attempt("rate_limited", 1, seed, waited=timedelta(minutes=minutes)) or timedelta(0)
            for seed in range(300)
        )
        for minutes in (0, 10, 600)
    }
    assert timedelta(seconds=28) < longest[0] <= timedelta(seconds=30)
    assert timedelta(seconds=140) < longest[10] <= timedelta(seconds=150)
    assert timedelta(minutes=4.7) < longest[600] <= timedelta(minutes=5)


def test_the_documented_table_is_the_table() -> None:
    """`docs/schedule.md` says of each class how often, and why."""
    page = (Path(__file__).parents[2] / "docs" / "schedule.md").read_text(encoding="utf-8")
    for name, budget in BUDGETS.items():
        often = {math.inf: "as often as it takes", 0: "no"}.get(
            budget.retries, f"{budget.retries} times"
        )
        line = next(each for each in page.splitlines() if each.startswith(f"| `{name}`"))
        words = [cell.strip() for cell in line.strip("|").split("|")]
        assert words[1] == often
        assert words[2] in budget.meaning
