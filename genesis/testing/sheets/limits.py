"""What Google allows: quotas by the minute, sizes, counts. All of it may be set lower in a test."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from genesis.testing.sheets.answers import quota_exceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """Google's published limits, and two that were seen in live errors (`requests`, `tabs`).

    Google publishes no hard limit for a payload, only the advice; `payload` is ours, so that a
    client that does not split is noticed. Characters are Python's; Google may count otherwise.
    """

    reads_per_user: int = 60
    writes_per_user: int = 60
    reads_per_project: int = 300
    writes_per_project: int = 300
    payload_advised: int = 2_000_000
    payload: int = 10_000_000
    processing: timedelta = timedelta(seconds=180)
    cells: int = 10_000_000
    cell_characters: int = 50_000
    columns: int = 18_278
    tabs: int = 200
    requests: int = 100_000
    metadata_characters: int = 30_000


class Quota:
    """Calls counted by the minute of the clock, as Google refills: every minute, wholly."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._minute: datetime | None = None
        self._counts: Counter[tuple[str, str]] = Counter()

    def spend(self, user: str, kind: str, now: datetime) -> None:
        """Count one call of a kind (Read or Write). Raises `ApiError` 429 when it is too many."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._counts = minute, Counter()
        per_user, per_project = self._allowed(kind)
        if self._counts[kind, user] >= per_user:
            raise quota_exceeded(kind, "User", per_user)
        if self._counts[kind, ""] >= per_project:
            raise quota_exceeded(kind, "Project", per_project)
        self._counts[kind, user] += 1
        self._counts[kind, ""] += 1

    def _allowed(self, kind: str) -> tuple[int, int]:
        limits = self._limits
        if kind == "Read":
            return limits.reads_per_user, limits.reads_per_project
        return limits.writes_per_user, limits.writes_per_project
