"""What is tried again, how often and when: the one table of it.

A failure belongs to one class. Only what passes by itself is tried again; the rest waits for a person, or for its
next time. Jitter is over the whole pause, so that those who failed together do not come back together; chance is handed in.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from genesis.errors import AuditFailed, EngineBusy, GenesisError, NotSent, RateLimited, SinkBusy

ErrorClass = Literal["rate_limited", "transient", "user", "data", "timeout", "internal"]

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
SHORTEST_PAUSE = timedelta(seconds=1)
MOST_PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Budget:
    """How often a class of failures is tried again, and what it means for the run."""

    retries: float
    meaning: str


BUDGETS: Mapping[ErrorClass, Budget] = {
    "rate_limited": Budget(math.inf, "a service asks for patience: costs nothing"),
    "transient": Budget(10, "passes by itself: a server that is away, a lock, a lost connection"),
    "user": Budget(0, "a definition, a right or a place is wrong: as long as nobody mends it"),
    "data": Budget(0, "held until a person looks: `genesis approve`"),
    "timeout": Budget(0, "took longer than it may: would again"),
    "internal": Budget(0, "a bug in genesis"),
}

# Problems that hold a change, or what an audit found, until a person has looked at it.
HELD = frozenset(
    {"empty-result", "too-few-rows", "too-many-deletes", "held-change", "audit-failed"}
)


def error_class(error: BaseException) -> ErrorClass:
    """What kind of failure an exception is."""
    match error:
        case RateLimited():
            return "rate_limited"
        case SinkBusy() | EngineBusy() | NotSent() | ConnectionError():
            return "transient"
        case AuditFailed():
            return "data"
        case GenesisError():
            is_held = any(problem.code in HELD for problem in error.problems)
            return "data" if is_held else "user"
        case TimeoutError():
            return "timeout"
        case OSError():
            return "user"
        case _:
            return "internal"


def error_class_of(exit_code: int) -> ErrorClass:
    """What kind of failure a command ended with."""
    match exit_code:
        case 75:
            return "transient"
        case 5:
            return "data"
        case 70:
            return "internal"
        case _:
            return "user"


def next_attempt(
    failed: ErrorClass,
    attempt: int,
    seed: str | int,
    *,
    retries: int | None = None,
    waited: timedelta = timedelta(0),
) -> timedelta | None:
    """How long after its `attempt`-th failure of a class a run is tried again; `None` where it is not.

    `retries` is what the job says, for failures that pass by themselves. The seed, a run's key say, makes the jitter.
    Who was asked for patience has spent no attempt, and asks again the more seldom the longer it has `waited`.
    """
    budget = BUDGETS[failed].retries
    if failed == "transient" and retries is not None:
        budget = retries
    if attempt > budget:
        return None
    longest: timedelta = min(FIRST_PAUSE * 2 ** min(attempt - 1, 20), LONGEST_PAUSE)
    if failed == "rate_limited":
        longest = min(max(FIRST_PAUSE, waited / 4), MOST_PATIENCE)
        attempt = round(waited.total_seconds())
    share = random.Random(f"{seed} {attempt}").random()  # noqa: S311  (no secret hangs on it)
    return max(longest * share, SHORTEST_PAUSE)
