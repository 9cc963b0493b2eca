"""A clock that goes only when somebody sleeps: limits and lock-outs are tested without waiting."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class HandClock:
    """A clock moved by hand, or by those who wait for it; threads may share it."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)) -> None:
        self._now = now
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, length: timedelta) -> None:
        """Move on at once."""
        with self._lock:
            self._now += max(length, timedelta())
