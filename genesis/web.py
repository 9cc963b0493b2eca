"""Calls of addresses that a person wrote down: webhooks, pings.

Such an address may be anything, so it is https only, its host is resolved once and every address it has must be a public
one; then just that address is connected to, whatever the name means by then. No redirect is followed, no proxy used, no
answer waited for longer than a few seconds or read beyond 64 kB. `allow_private` permits addresses of this network, and
http. The surprise: an answer counts by its status alone; what comes after it may be cut off.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genesis.errors import NotSent, Problem
from genesis.redaction import redact

if TYPE_CHECKING:
    import requests

PATIENCE = 5.0  # seconds: for a connection, and for an answer
MOST = 64 * 1024  # bytes of an answer

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address said."""

    status: int
    text: str


def addresses_of(host: str, port: int) -> Sequence[str]:
    """Every address of a host, as this machine resolves it."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[4][0]) for address in found))


def call(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    allow_private: bool = False,
    resolve: Resolve = addresses_of,
) -> Answer:
    """The answer of an address. Raises `NotSent` where it may not be called, or does not answer well."""
    import requests

    host, port, named = _checked(url, allow_private)
    address = _address(host, port, allow_private, resolve)
    with requests.Session() as session:
        session.trust_env = False  # a proxy would resolve the name again
        session.verify = os.environ.get("SSL_CERT_FILE") or True
        session.mount("https://", _pinned(address, host))
        session.mount("http://", _pinned(address, host))
        try:
            response = session.request(
                method,
                url,
                data=body,
                headers={"User-Agent": "genesis", **(headers or {}), "Host": named},
                timeout=PATIENCE,
                allow_redirects=False,
                stream=True,
            )
            answer = Answer(response.status_code, _text(response))
        except requests.RequestException as error:
            raise _failed(host, f"cannot be called: {_reason(error)}") from error
    if answer.status >= 300:
        raise _failed(host, _said(answer))
    return answer


def _checked(url: str, allow_private: bool) -> tuple[str, int, str]:
    """The host, the port, and how the host is named in a call."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise _refused("an address has no host", "https://hooks.example.com/...")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        hint = "`allow_private: true` permits http for a receiver on this network"
        raise _refused(f"`{host}` is not called over https", hint)
    if parts.username or parts.password:
        raise _refused(f"the address of `{host}` holds a user", "put a token into its path")
    named = f"[{host}]" if ":" in host else host
    return (
        host,
        port or (443 if parts.scheme == "https" else 80),
        f"{named}:{port}" if port else named,
    )


def _address(host: str, port: int, allow_private: bool, resolve: Resolve) -> str:
    try:
        found = tuple(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise _failed(host, "has no address") from error
    if not found:
        raise _failed(host, "has no address")
    if not allow_private and (private := [each for each in found if not is_public(each)]):
        hint = "`allow_private: true` permits a receiver on this network"
        raise _refused(f"`{host}` is at `{private[0]}`, which is no public address", hint)
    return found[0]


_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_PROTOCOLS = ipaddress.IPv4Network(
    "192.0.0.0/24"
)  # where a cloud has its metadata; to Python it is global


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, also within one of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        within: ipaddress.IPv4Address | None = found.ipv4_mapped or found.sixtofour
        if found.teredo:
            within = found.teredo[1]
        if found in _TRANSLATED or int(found) >> 32 == 0:
            within = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if within is not None:
            return is_public(str(within))
    return found.is_global and not found.is_multicast and found not in _PROTOCOLS


def _pinned(address: str, host: str) -> Any:
    from requests.adapters import HTTPAdapter

    class Pinned(HTTPAdapter):
        """Connects to one address, and to none else; the certificate must be the host's all the same."""

        def build_connection_pool_key_attributes(
            self, request: Any, verify: Any, cert: Any = None
        ) -> Any:
            place, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            names = {"server_hostname": host, "assert_hostname": host}
            return {**place, "host": address}, {
                **pool,
                **(names if place["scheme"] == "https" else {}),
            }

    return Pinned(max_retries=0)


def _text(response: requests.Response) -> str:
    """As much of an answer as comes soon; its status said already what counts."""
    ends, read = time.monotonic() + PATIENCE, b""
    try:
        while len(read) < MOST and time.monotonic() < ends:
            if not (more := response.raw.read1(MOST - len(read))):
                break
            read += more
    except Exception:  # noqa: BLE001  # whatever becomes of the rest, the call arrived
        return read.decode(errors="replace")
    return read.decode(errors="replace")


def _said(answer: Answer) -> str:
    if answer.status < 400:
        return f"answers {answer.status} and another address, which is not followed"
    return f"answers {answer.status}: {redact(answer.text[:200])}".rstrip(": ")


def _reason(error: Exception) -> str:
    import requests

    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not valid for it, or not trusted"
        case requests.Timeout():
            return f"no answer within {PATIENCE:g} s"
        case _:
            return "no connection"


def _refused(message: str, hint: str) -> NotSent:
    return NotSent(Problem("not-sent", message, hint=hint))


def _failed(host: str, message: str) -> NotSent:
    return NotSent(Problem("not-sent", f"`{host}` {message}", hint="it is tried again later"))
