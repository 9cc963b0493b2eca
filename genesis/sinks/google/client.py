"""A gspread client that never waits for ever, never retries, and may talk to another address.

gspread itself has no time-out, and its retrying client never gives up; google-auth's session makes
refused calls again, so it is not used. Here a call is made once, within time limits, so that one
layer above decides about retries with a deadline. The surprise: with an endpoint there are no credentials at all, and every
address of Google's (Sheets, Drive, tokens) goes to that scheme and host instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import gspread
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from genesis.sinks.calls import Unsent

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


class ServiceAccount(AuthBase):
    """Signs calls as a service account; tokens are fetched when they are needed, and shared.

    Raises `ValueError` for a key that is none.
    """

    def __init__(self, key: Mapping[str, Any], endpoint: str | None = None) -> None:
        from google.auth.transport.requests import Request
        from google.oauth2.service_account import Credentials

        self.email = str(key.get("client_email", ""))
        self._credentials = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            key, scopes=SCOPES
        )
        # A session of its own for tokens, because the one google-auth makes retries three times.
        tokens = requests.Session()
        if endpoint:
            tokens.mount("https://", EndpointAdapter(endpoint))
        self._fetch = Request(tokens)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with a token. Raises `Unsent` where Google gives none for now."""
        from google.auth.exceptions import RefreshError, TransportError

        try:
            self._credentials.before_request(
                self._fetch, request.method, request.url, request.headers
            )
        except TransportError as error:
            raise Unsent(str(error)) from error
        except RefreshError as error:
            if error.retryable:
                raise Unsent(str(error)) from error
            raise
        return request


def parse_key(text: str) -> Mapping[str, Any]:
    """The key of a service account, from its JSON. Raises `ValueError`, saying what it is instead."""
    try:
        key = json.loads(text)
    except ValueError:
        raise ValueError("it is no JSON") from None
    if isinstance(key, dict) and key.get("type") == "service_account":
        return key
    if isinstance(key, dict) and key.keys() & {"installed", "web"}:
        raise ValueError("it is the secret of an OAuth client")
    raise ValueError("its `type` is not `service_account`")


def open_client(
    *,
    endpoint: str | None = None,
    account: ServiceAccount | None = None,
    session: requests.Session | None = None,
    timeouts: Timeouts | None = None,
) -> gspread.Client:
    """A client for an endpoint, for Google as a service account, or for an endpoint as one.

    Its calls are those of `session`, such as `Calls`.
    """
    if account is None and endpoint is None:
        raise ValueError("a service account or an endpoint is needed")
    session = session or requests.Session()
    session.auth = account
    if endpoint:
        session.mount("https://", EndpointAdapter(endpoint))
    client = gspread.Client(auth=None, session=session)  # type: ignore[arg-type]
    client.set_timeout((timeouts or Timeouts()).seconds)
    return client
