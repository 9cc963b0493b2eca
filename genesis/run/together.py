"""What several threads ask of the ledger at once, done by one of them, in one transaction.

To wait for the disk takes longer than to write a row, and it takes no longer for ten rows. So who
comes while somebody waits is served with all others that came by then. No call returns before what it
asked for is on disk. The surprise: what would fail for all because of one is done again, each alone;
unless the ledger is away, which is nobody's fault.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from genesis.errors import EngineBusy

Request = TypeVar("Request")


@dataclass
class _Call(Generic[Request]):
    request: Request
    error: BaseException | None = None
    is_done: bool = False
    woken: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.woken.acquire()

    def end(self, error: BaseException | None = None) -> None:
        self.error, self.is_done = error, True


class Together(Generic[Request]):
    """Does requests of any thread; `do` is given all that wait, and does all of them or none."""

    def __init__(self, do: Callable[[Sequence[Request]], None]) -> None:
        self._do = do
        self._lock = threading.Lock()
        self._waiting: list[_Call[Request]] = []
        self._is_led = False
        self._served = 1  # at once, the last time

    def __call__(self, request: Request) -> None:
        """Return when it is done. Raises what `do` raises."""
        call = _Call(request)
        with self._lock:
            self._waiting.append(call)
            leads, self._is_led = not self._is_led, True
        if not leads:
            call.woken.acquire()  # when it is done, or else to lead
        if not call.is_done:
            self._lead()
        if call.error:
            raise call.error

    def _lead(self) -> None:
        # Those who were served together come with their next together, if each has a turn before.
        for _ in range(self._served):
            time.sleep(0)
            if len(self._waiting) >= self._served:
                break
        with self._lock:
            calls, self._waiting = self._waiting, []
        self._served = len(calls)
        try:
            self._serve(calls)
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                woken = [*self._waiting[:1], *calls]
            for call in woken:
                call.woken.release()

    def _serve(self, calls: Sequence[_Call[Request]]) -> None:
        try:
            self._do([call.request for call in calls])
        except BaseException as error:  # noqa: BLE001  # it is raised where it was asked for
            if (
                len(calls) > 1
                and isinstance(error, Exception)
                and not isinstance(error, EngineBusy)
            ):
                for call in calls:
                    self._serve([call])
                return
            for call in calls:
                call.end(error)
        else:
            for call in calls:
                call.end()
