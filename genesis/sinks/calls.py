"""Calls of a service: paced with all other processes, timed out, tried again until a deadline.

This is the one layer that tries again; clients are told not to. A refusal for haste freezes the
bucket that all share. What is tried again must be safe to be done twice. The surprise: pauses have
no random part, because the bucket spreads the calls of all processes already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from genesis.errors import Problem, SinkBusy
from genesis.interfaces import Limit, Rates

_PASSING = (500, 502, 503, 504)
_TRIES = 8
_LONGEST_PAUSE = timedelta(seconds=32)
_CONNECT, _ANSWER = 10.0, 60.0  # seconds


@dataclass(frozen=True)
class Service:
    """A service: its bucket, its limit, how long a refusal for haste lasts, and which ones last."""

    bucket: str
    limit: Limit
    locked: timedelta
    is_final: Callable[[requests.Response], bool]


class Calls(requests.Session):
    """A session whose calls keep to a service's limits; it counts them."""

    def __init__(self, service: Service, rates: Rates, *, until: datetime) -> None:
        super().__init__()
        self.reads = self.writes = self.sent = 0
        self._service = service
        self._rates = rates
        self._until = until

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> Any:
        """The answer that stays. Raises `SinkBusy` where none comes before the deadline."""
        pause = timedelta(seconds=1)
        for left in range(_TRIES - 1, -1, -1):
            self._rates.wait(self._service.bucket, self._service.limit, until=self._until)
            try:
                response = self._send(str(method), url, *args, **options)
            except (requests.ConnectionError, requests.Timeout) as error:
                reason, wait = _reason(error), pause
            else:
                if response.status_code == 429 and not self._service.is_final(response):
                    self._rates.freeze(self._service.bucket, self._locked(response))
                    continue
                if response.status_code not in _PASSING:
                    return response
                reason = f"HTTP {response.status_code}"
                wait = _retry_after(response) or pause
            if not left or self._rates.clock.now() + wait > self._until:
                raise self._busy(reason)
            self._rates.clock.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise self._busy("it asks for patience again and again")

    def _send(self, method: str, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        if method.upper() == "GET":
            self.reads += 1
        else:
            self.writes += 1
        left = (self._until - self._rates.clock.now()).total_seconds()
        options["timeout"] = (_CONNECT, max(min(_ANSWER, left), 1.0))
        response = super().request(method, url, *args, **options)
        self.sent += len(response.request.body or b"")
        return response

    def _locked(self, response: requests.Response) -> timedelta:
        return _retry_after(response) or self._service.locked

    def _busy(self, reason: str) -> SinkBusy:
        message = f"`{self._service.bucket}` gave no answer: {reason}"
        hint = "the next refresh goes on from what is there"
        return SinkBusy(Problem("service-busy", message, hint=hint))


def _retry_after(response: requests.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isdigit() else None


def _reason(error: requests.RequestException) -> str:
    return "it took too long" if isinstance(error, requests.Timeout) else "the connection failed"
