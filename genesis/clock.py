"""The machine's clock, for those who are handed one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """`Clock` of `genesis.interfaces`, as it really goes."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, length: timedelta) -> None:
        time.sleep(max(length.total_seconds(), 0))
