"""Whether a node lives, over HTTP: `/livez`, `/readyz`, `/metrics`, `/status.json`; and pings to who watches it.

It serves this machine alone unless it is told otherwise, and then asks for a token where there is more to read than yes
or no. It refuses what is no GET, and hosts it was not told of: a page in somebody's browser may have its name lead here. The
surprise: a scheduler that is dead can tell nobody, so one that lives pings an address that misses it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from genesis.errors import GenesisError, Problem, UsageError
from genesis.redaction import redact
from genesis.run.metrics import Facts, metrics, status
from genesis.web import Resolve, addresses_of, call

STALE = timedelta(seconds=30)  # a node whose last tick is older is not alive
PATIENCE = 5.0  # seconds that a caller may take

_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    text: str
    kind: str = _TEXT


@dataclass(frozen=True)
class Health:
    """What is answered at which path.

    Args:
        age: How old the last tick is. It is asked for often.
        facts: What is known now. May raise `GenesisError`.
        write: Writes into the ledger. Raises `GenesisError` where it cannot.
        token: What a caller must know to read more than yes or no.
    """

    age: Callable[[], timedelta]
    facts: Callable[[], Facts]
    write: Callable[[], None]
    token: str = ""

    def answer(self, path: str, authorization: str = "") -> Page:
        """The page of a path."""
        if path in ("/metrics", "/status.json") and not self._is_known(authorization):
            return Page(401, "a token is needed: `Authorization: Bearer ...`\n")
        try:
            match path:
                case "/livez":
                    return self._livez()
                case "/readyz":
                    self.write()
                    return Page(200, "ok\n")
                case "/metrics":
                    return Page(200, redact(metrics(self.facts())), _PROMETHEUS)
                case "/status.json":
                    told = json.dumps(status(self.facts()), indent=2, ensure_ascii=False)
                    return Page(200, f"{told}\n", _JSON)
                case _:
                    return Page(404, "there are /livez, /readyz, /metrics and /status.json\n")
        except GenesisError as error:
            return Page(503, f"{redact(error.problems[0].message)}\n")

    def _livez(self) -> Page:
        age = self.age()
        if age < STALE:
            return Page(200, "ok\n")
        return Page(503, f"the last tick is {age.total_seconds():.0f} s old\n")

    def _is_known(self, authorization: str) -> bool:
        said = authorization.removeprefix("Bearer ").encode()
        return not self.token or hmac.compare_digest(said, self.token.encode())


class HealthServer:
    """Serves `Health` from a thread of its own, from `with` to its end.

    Args:
        health: What is answered.
        address: Where; other addresses than this machine's own ask for a token.
        port: Which; 0 for any that is free.
        hosts: Names by which callers may know it, besides the address.
    """

    def __init__(
        self,
        health: Health,
        address: str = "127.0.0.1",
        port: int = 0,
        hosts: Collection[str] = (),
    ) -> None:
        if not is_loopback(address) and not health.token:
            message = f"`{address}` can be reached by others, and there is no token"
            hint = "set a token, or serve 127.0.0.1"
            raise UsageError(Problem("wrong-usage", message, hint=hint))
        names = {address, *hosts} | (
            {"localhost", "127.0.0.1", "::1"} if is_loopback(address) else set()
        )
        try:
            kind = _Server6 if ":" in address else _Server
            self._server = kind((address, port), _handler(health, frozenset(names)))
        except OSError as error:
            message = (
                f"`{address}:{port}` cannot be served: {(error.strerror or str(error)).lower()}"
            )
            raise UsageError(Problem("wrong-usage", message, hint="take another port")) from error
        self._thread = threading.Thread(
            target=lambda: self._server.serve_forever(poll_interval=0.1), name="health", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...  # a caller that hung up


class _Server6(_Server):
    address_family = socket.AF_INET6


def _handler(health: Health, hosts: frozenset[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE
        server_version, sys_version = "genesis", ""

        def do_GET(self) -> None:
            if _host(self.headers.get("Host", "")) not in hosts:
                self._say(Page(421, "this is not the host that was asked for\n"))
                return
            path = self.path.partition("?")[0]
            self._say(health.answer(path, self.headers.get("Authorization", "")))

        def send_error(self, code: int, *_: Any, **__: Any) -> None:
            """A refusal by the server itself: another method, a line too long."""
            self._say(Page(405 if code == 501 else code, "only GET is answered\n"))

        def _say(self, page: Page) -> None:
            body = page.text.encode()
            self.send_response(page.status)
            for name, value in _SAFE.items():
                self.send_header(name, value)
            self.send_header("Content-Type", page.kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler


def _host(named: str) -> str:
    """A `Host` without its port."""
    if named.startswith("["):
        return named[1:].partition("]")[0]
    return named.rpartition(":")[0] if ":" in named else named


@dataclass
class DeadMan:
    """Pings an address every so many ticks, so that somebody misses a scheduler that is dead."""

    address: str
    every: int = 60
    allow_private: bool = False
    resolve: Resolve = addresses_of
    tell: Callable[[str], None] = lambda _why: None
    _ticks: int = field(default=0, init=False)

    def tick(self) -> None:
        """One tick; a ping that nobody answers is told and stops nothing."""
        self._ticks += 1
        if (self._ticks - 1) % self.every == 0:
            self.ping()

    def ping(self) -> bool:
        """Whether somebody answered."""
        try:
            call("GET", self.address, allow_private=self.allow_private, resolve=self.resolve)
        except GenesisError as error:
            self.tell(error.problems[0].message)
            return False
        return True
