"""The emulator over HTTP, on a port of this machine only.

The standard library's server is enough: a few threads, JSON in and out, and connections that break
off on purpose, which frameworks make hard. Without Nagle's delay switched off and answers buffered
whole, each call would cost some 45 ms.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from genesis.clock import SystemClock
from genesis.interfaces import Clock
from genesis.testing.sheets import page
from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.drive import Permission
from genesis.testing.sheets.faults import Call, Fault, Pending, When, any_call
from genesis.testing.sheets.limits import Limits
from genesis.testing.sheets.person import Person
from genesis.testing.sheets.service import Answer, Incoming, Service

ACCOUNT = "genesis@emulator.iam.gserviceaccount.com"
OWNER = "owner@example.com"


class SheetsEmulator:
    """Google Sheets and as much of Drive as it takes, at `url` while the `with` block lasts."""

    def __init__(
        self,
        *,
        port: int = 0,
        limits: Limits | None = None,
        clock: Clock | None = None,
        account: str = ACCOUNT,
    ) -> None:
        self.account = account
        self._service = Service(
            limits=limits or Limits(), clock=clock or SystemClock(), account=account
        )
        self._port = port
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", self._port), _Handler)
        self._server.service = self._service
        self._service.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server:
            self._server.shutdown()
            self._server.close_connections()
            self._server.server_close()
            self._thread.join()
            if self._server.bugs and error is None:
                raise self._server.bugs[0]

    @property
    def url(self) -> str:
        """The address that stands for Google's: `sinks: {google_sheets: {endpoint: ...}}`."""
        return self._service.url

    @property
    def calls(self) -> list[Call]:
        """The calls that were answered, the first one first."""
        return self._service.calls

    def new_spreadsheet(self, title: str, *, share: bool = True) -> str:
        """The id of a new spreadsheet of a person's, shared with the service account or not."""
        book = self._service.add(title, OWNER)
        if share:
            self.share(book.id, self.account)
        return book.id

    def person(self, spreadsheet: str, address: str = OWNER) -> Person:
        """Somebody who works in a spreadsheet."""
        return Person(self._service, spreadsheet, address)

    def share(self, spreadsheet: str, address: str, role: str = "writer") -> None:
        """Let an address in, as `writer` or `reader`; `anyone` stands for all who have the link."""
        kind, who = ("anyone", "") if address == "anyone" else ("user", address)
        id = "anyoneWithLink" if kind == "anyone" else f"{crc32(address.encode())}"
        self._service.permit(spreadsheet, Permission(id, kind, role, who))

    def unshare(self, spreadsheet: str, address: str) -> None:
        """Take an address's permission away, or that of `anyone`."""
        who = "" if address == "anyone" else address
        self._service.forbid(spreadsheet, lambda permission: permission.who != who)

    def delete_spreadsheet(self, spreadsheet: str) -> None:
        """The owner deletes a spreadsheet for good."""
        self._service.delete(spreadsheet)

    def inject(self, fault: Fault, *, on: When = any_call, skip: int = 0, times: int = 1) -> None:
        """Let something go wrong with calls to come: the next one, or `times` of them after `skip`."""
        self._service.pending.append(Pending(fault, on, skip, times))

    def wait(self, span: timedelta) -> None:
        """Let time pass, by the emulator's clock."""
        self._service.clock.sleep(span)


class _Server(ThreadingHTTPServer):
    """Threads that end with their connections; bugs of ours are kept until the emulator closes."""

    daemon_threads = True
    block_on_close = False
    service: Service

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        self.bugs: list[Exception] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Clients keep connections open for more calls; a closed emulator answers none."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        incoming = Incoming(
            self.command,
            path,
            query,
            self.headers.get("Authorization", ""),
            self.rfile.read(length),
        )
        answer = self._answered(incoming)
        if answer.status is None:
            self._break_off()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _answered(self, incoming: Incoming) -> Answer:
        service = self.server.service
        try:
            if page.is_page(incoming.path):
                return page.answer(service, incoming)
            if incoming.path == "/token":
                return service.token_answer(incoming)
            return service.answer(incoming)
        except Exception as bug:  # noqa: BLE001 - a test that a bug of ours misleads must not pass
            self.server.bugs.append(bug)
            body = ApiError(500, f"A bug of the emulator: {bug!r}").body()
            return Answer(500, json.dumps(body).encode())

    def _break_off(self) -> None:
        # Without lingering, closing resets the connection: the client sees it break, at once.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:
        """Calls are in `SheetsEmulator.calls`."""
