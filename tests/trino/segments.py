"""As much of S3 as a Trino server needs for spooling: objects are put, read and deleted, each whole.

What it does not do (parts, lists, ranges, buckets) is refused with 501 and noted in `refused`, so that a test sees it. It
asks nobody who they are, listens on loopback, and forgets everything when it is left.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Segments(ThreadingHTTPServer):
    """Objects by path; `put` counts how many there ever were."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.objects: dict[str, bytes] = {}
        self.put = 0
        self.refused: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def segments() -> Iterator[Segments]:
    """A store that answers until it is left."""
    with Segments() as store:
        thread = threading.Thread(target=store.serve_forever)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()


class _Requests(BaseHTTPRequestHandler):
    server: Segments
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self._body()
        if body is None or self._operation:
            self._refuse()
            return
        self.server.objects[self._key] = body
        self.server.put += 1
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._answer(200, headers={"ETag": f'"{etag}"'})

    def do_GET(self) -> None:
        found = self.server.objects.get(self._key)
        if "Range" in self.headers or self._operation:
            self._refuse()
            return
        self._answer(404 if found is None else 200, found or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self._answer(204 if self.server.objects.pop(self._key, None) is not None else 404)

    def do_POST(self) -> None:
        self._body()
        self._refuse()

    @property
    def _key(self) -> str:
        return self.path.partition("?")[0]

    @property
    def _operation(self) -> str:
        """What is asked beyond the object: its signature says who, and nothing of what."""
        parts = self.path.partition("?")[2].split("&")
        return "&".join(each for each in parts if not each.startswith(("X-Amz-", "x-id=")))

    def _body(self) -> bytes | None:
        """What was sent; nothing where it comes in a way that is not known."""
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return sent
        body, rest = b"", sent
        while rest:  # chunks, each with its length in hex and a signature before it
            size, _, rest = rest.partition(b"\r\n")
            length = int(size.partition(b";")[0], 16)
            body, rest = body + rest[:length], rest[length + 2 :]
            if not length:
                break
        is_whole = len(body) == int(self.headers["x-amz-decoded-content-length"])
        return body if is_whole else None

    def _refuse(self) -> None:
        self.server.refused.append(f"{self.command} {self.path} {self.headers.items()}")
        self._answer(501)

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if status != 204 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
