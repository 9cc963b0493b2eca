"""Calls of a service: paced with all other processes, timed out, tried again until a deadline.

This is the one layer that tries again; clients are told not to. A refusal for haste freezes the
bucket that all share. A call that cannot be done twice, and may have been done once, is not tried
again: `Unanswered` says so. The surprise: pauses have no random part, because the bucket spreads
the calls of all processes already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from genesis.errors import Problem, RateLimited, SinkBusy
from genesis.interfaces import Limit, Rates

_PASSING = (500, 502, 503, 504)
_NO_CONNECTION = "the connection failed"
_TRIES = 8
_LONGEST_PAUSE = timedelta(seconds=32)
_CONNECT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to be made; `method` is in capitals."""

    method: str
    url: str


class Service(Protocol):
    """A service: how fast it may be called, and what its answers mean."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def limit(self) -> Limit:
        """How fast each of its buckets may be called."""

    @property
    def patience(self) -> timedelta:
        """How long an answer may take."""

    def bucket(self, call: Call) -> str:
        """What the call is counted in."""

    def is_read(self, call: Call) -> bool:
        """Whether the call changes nothing."""

    def is_repeatable(self, call: Call) -> bool:
        """Whether the call, made twice, does what it does made once."""

    def is_haste(self, response: requests.Response) -> bool:
        """Whether a refusal is for haste, and passes."""

    def lockout(self, now: datetime) -> timedelta:
        """How long a refusal for haste lasts that does not say so itself."""


class Unsent(requests.ConnectionError):
    """A call that never left: whatever it is, it may be made again."""


class Unanswered(SinkBusy):
    """A write that landed or did not; which one has to be read before it is made again."""


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
        call, service = Call(str(method).upper(), str(url)), self._service
        bucket, pauses = service.bucket(call), Pauses(self._rates, self._until)
        asked_of = _Asked(service.name, call.url)
        for _ in range(_TRIES):
            turn = self._rates.wait(bucket, service.limit, until=self._until)
            try:
                response = self._send(call, *args, **options)
                self._rates.answered(bucket, turn)
            except (requests.ConnectionError, requests.Timeout) as error:
                asked_of = asked_of.at(error.request)
                reason, asked, landed = _reason(error), None, not _never_left(error)
            else:
                asked_of = asked_of.at(response.request)
                if service.is_haste(response):
                    freeze = _retry_after(response) or service.lockout(self._rates.clock.now())
                    self._rates.freeze(bucket, freeze)
                    continue
                if response.status_code not in _PASSING:
                    return response
                reason, asked, landed = (
                    f"HTTP {response.status_code}",
                    _retry_after(response),
                    True,
                )
            if landed and not service.is_repeatable(call):
                raise asked_of.unanswered(reason)
            if not pauses.pause(asked):
                raise asked_of.busy(reason)
        raise RateLimited(asked_of.busy("it asks for patience again and again").problems)

    def _send(self, call: Call, *args: Any, **options: Any) -> requests.Response:
        if self._service.is_read(call):
            self.reads += 1
        else:
            self.writes += 1
        left = (self._until - self._rates.clock.now()).total_seconds()
        patience = self._rates.patience(self._service.patience).total_seconds()
        options["timeout"] = (_CONNECT, max(min(patience, left), 1.0))
        response = super().request(call.method, call.url, *args, **options)
        self.sent += len(response.request.body or b"")
        return response


class Pauses:
    """Pauses between tries, each twice as long as the one before, as many as there are tries."""

    def __init__(self, rates: Rates, until: datetime) -> None:
        self._rates = rates
        self._until = until
        self._next = timedelta(seconds=1)
        self._left = _TRIES - 1

    def pause(self, asked: timedelta | None = None) -> bool:
        """Wait, as long as was asked for or the pause is; not where no try is left, or no time."""
        length = asked or self._next
        if not self._left or self._rates.clock.now() + length > self._until:
            return False
        self._rates.clock.sleep(length)
        self._next = min(2 * self._next, _LONGEST_PAUSE)
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Asked:
    """A service, and the address that is called: an endpoint's, where one stands for it."""

    service: str
    url: str

    def at(self, request: requests.PreparedRequest | requests.Request | None) -> _Asked:
        """The same, at the address to which a call went."""
        return replace(self, url=str(getattr(request, "url", None) or self.url))

    def busy(self, reason: str) -> SinkBusy:
        message = f"{self} gave no answer: {reason}"
        hint = "the next refresh goes on from what is there"
        return SinkBusy(Problem("service-busy", message, hint=self._way(reason, hint)))

    def unanswered(self, reason: str) -> Unanswered:
        message = f"{self} gave no answer to a write, which may have landed: {reason}"
        hint = "the next refresh reads what is there, and goes on from it"
        return Unanswered(Problem("service-busy", message, hint=self._way(reason, hint)))

    def __str__(self) -> str:
        place = urlsplit(self.url)
        return f"{self.service} at `{place.scheme}://{place.netloc}`"

    def _way(self, reason: str, hint: str) -> str:
        if reason != _NO_CONNECTION:
            return hint
        return f"check the network, and `endpoint` below `sinks` in `genesis.yaml` if it has one; {hint}"


def _never_left(error: requests.RequestException) -> bool:
    """Whether the service cannot have seen the call: no connection was made."""
    if isinstance(error, (Unsent, requests.ConnectTimeout)):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _retry_after(response: requests.Response) -> timedelta | None:
    text = response.headers.get("Retry-After", "")
    return timedelta(seconds=int(text)) if text.isdigit() else None


def _reason(error: requests.RequestException) -> str:
    return "it took too long" if isinstance(error, requests.Timeout) else _NO_CONNECTION
