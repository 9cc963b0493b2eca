"""The time by which leases are judged: the ledger's, where several machines share one.

Clocks of machines differ; one that is fast would take runs from owners whose lease has not ended. So
nodes of a PostgreSQL go by its clock: asked for at the start and with every heartbeat, and counted on
in between by a clock that nobody sets. Processes that share a SQLite file share a machine and its clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from genesis.clock import SystemClock
from genesis.run.state import State

APART = timedelta(seconds=5)  # what is told
_ROUND_TRIP = timedelta(seconds=1)  # an answer that took longer says little about now


class LedgerClock(SystemClock):
    """`Clock` that goes as the state database's does.

    Args:
        state: Whose time it is.
        tell: Told once when this machine's clock is far off.
        local: This machine's clock.
        ticks: A clock that nobody sets, in seconds.
    """

    def __init__(
        self,
        state: State,
        tell: Callable[[str], None] = lambda _: None,
        *,
        local: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state, self._tell, self._local, self._ticks = state, tell, local, ticks
        self._known: tuple[datetime, float] | None = None
        self._is_told = False
        self.measure()

    def now(self) -> datetime:
        if self._known is None:
            return self._local()
        at, ticks = self._known
        return at + timedelta(seconds=self._ticks() - ticks)

    def measure(self) -> None:
        """Ask for the time again. Raises `EngineError`; until it is answered, the clock goes on."""
        if not self._state.is_shared:
            return
        asked = self._ticks()
        at = self._state.now()
        answered = self._ticks()
        if self._known is None or timedelta(seconds=answered - asked) < _ROUND_TRIP:
            self._known = (at, (asked + answered) / 2)
            self._compare(self._local() - self.now())

    def _compare(self, ahead: timedelta) -> None:
        is_off = abs(ahead) > APART
        if is_off and not self._is_told:
            way = "ahead of" if ahead > timedelta(0) else "behind"
            seconds = abs(ahead).total_seconds()
            self._tell(f"this machine's clock is {seconds:.0f} s {way} the ledger's, which counts")
        self._is_told = is_off
