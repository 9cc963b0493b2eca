"""A gspread client that never waits for ever, never retries, and may talk to another address.

gspread itself has no time-out, and its retrying client never gives up; google-auth retries on its
own, too. Here a call is made once, within time limits, so that one layer above decides about
retries with a deadline. The surprise: with an endpoint there are no credentials at all, and every
address of Google's (Sheets, Drive, tokens) goes to that scheme and host instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import gspread
import requests
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES = (
    "https://www.googleapis.com/auth/spreadsheets",
    "https://www.googleapis.com/auth/drive.metadata.readonly",
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for a connection, and between two pieces of an answer.

    Google itself gives up after 180 s.
    """

    connect: timedelta = timedelta(seconds=10)
    read: timedelta = timedelta(seconds=190)

    @property
    def seconds(self) -> tuple[float, float]:
        """As requests takes them."""
        return self.connect.total_seconds(), self.read.total_seconds()


class EndpointAdapter(HTTPAdapter):
    """Sends what is meant for Google to another scheme and host; anything else is refused."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(max_retries=0)
        self._place = urlsplit(endpoint.rstrip("/"))

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send it there instead."""
        url = urlsplit(request.url or "")
        if not (url.hostname or "").endswith("googleapis.com"):
            raise requests.exceptions.InvalidURL(f"{url.hostname} is no address of Google's")
        path = self._place.path + url.path
        request.url = urlunsplit((self._place.scheme, self._place.netloc, path, url.query, ""))
        return super().send(request, *args, **kwargs)


def open_client(
    *,
    endpoint: str | None = None,
    service_account: Mapping[str, Any] | None = None,
    timeouts: Timeouts | None = None,
) -> gspread.Client:
    """A client for an endpoint, for Google with a service account's key, or for an endpoint with one."""
    if service_account is None:
        if endpoint is None:
            raise ValueError("a service account or an endpoint is needed")
        session = requests.Session()
    else:
        session = _authorized(service_account, endpoint)
    if endpoint:
        session.mount("https://", EndpointAdapter(endpoint))
    client = gspread.Client(auth=None, session=session)  # type: ignore[arg-type]
    client.set_timeout((timeouts or Timeouts()).seconds)
    return client


def _authorized(key: Mapping[str, Any], endpoint: str | None) -> requests.Session:
    from google.auth.transport.requests import AuthorizedSession, Request
    from google.oauth2.service_account import Credentials as ServiceAccount

    credentials: Credentials = ServiceAccount.from_service_account_info(  # type: ignore[no-untyped-call]
        key, scopes=SCOPES
    )
    tokens = requests.Session()
    if endpoint:
        tokens.mount("https://", EndpointAdapter(endpoint))
    # A session of its own for tokens, because the one google-auth makes retries three times.
    return AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials, max_refresh_attempts=0, auth_request=Request(tokens)
    )
