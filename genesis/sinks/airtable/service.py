"""Airtable as a service: its limits, how it is reached, and its refusals in one sentence each."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests
from pyairtable import Api

from genesis.errors import DefinitionError, Problem, SinkError
from genesis.interfaces import Limit
from genesis.sinks.calls import Call, Calls

if TYPE_CHECKING:
    from genesis.sync.changes import Tracker

ADDRESS = "https://api.airtable.com"
BATCH = 10
PAGE = 100

_MONTH_SPENT = "BILLING_LIMIT_EXCEEDED"
_SCOPES = "`data.records:read`, `data.records:write` and `schema.bases:read`"
_FULL = re.compile(
    r"(record|row)s? limit|limit of [\d,]+ (record|row)s|maximum number of records", re.IGNORECASE
)


@dataclass(frozen=True)
class BaseService:
    """A base, as a `Service`; every token shares its limit."""

    base: str
    name = "Airtable"
    limit = Limit(5, timedelta(seconds=1))
    patience = timedelta(seconds=60)

    def bucket(self, _: Call) -> str:
        return bucket(self.base)

    def is_read(self, call: Call) -> bool:
        return call.method == "GET"

    def is_repeatable(self, _: Call) -> bool:
        """Updates and deletes are by id, new records merge by key."""
        return True

    def is_haste(self, response: requests.Response) -> bool:
        return response.status_code == 429 and _MONTH_SPENT not in response.text

    def lockout(self, _: datetime) -> timedelta:
        return timedelta(seconds=30)


def bucket(base: str) -> str:
    """The bucket of all calls of a base."""
    return f"airtable:{base}"


def client(token: str, endpoint: str | None, calls: Calls) -> Api:
    """pyairtable, with our session in place of its own."""
    api = Api(token, endpoint_url=endpoint or ADDRESS, retry_strategy=None, use_field_ids=True)
    calls.headers.update(api.session.headers)
    api.session = calls
    return api


def missing_token() -> DefinitionError:
    return DefinitionError(
        Problem(
            "access-refused",
            "Airtable needs a token, `genesis.yaml` has none",
            hint='`sinks: {airtable: {token: "${env:AIRTABLE_TOKEN}"}}`; the token needs the scopes '
            + _SCOPES,
        )
    )


def is_full(error: requests.HTTPError) -> bool:
    """Whether a base holds no more records; the words are not documented."""
    return error.response.status_code in (413, 422) and bool(_FULL.search(message_of(error)))


def is_gone(error: requests.HTTPError) -> bool:
    """Whether a record is not there any more."""
    return error.response.status_code == 404 or "ROW_DOES_NOT_EXIST" in error.response.text


def lost_place(error: requests.HTTPError) -> bool:
    """Whether a list has to be read from its beginning again."""
    return "LIST_RECORDS_ITERATOR_NOT_AVAILABLE" in error.response.text


def message_of(error: requests.HTTPError) -> str:
    """What Airtable said, in its words."""
    try:
        body: Any = error.response.json()
    except ValueError:
        return f"HTTP {error.response.status_code}"
    said = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(said, dict):
        said = said.get("message") or said.get("type") or said
    return str(said)


@contextlib.contextmanager
def in_words(tracker: Tracker) -> Iterator[None]:
    """Refusals of Airtable as problems that say the way out."""
    try:
        yield
    except requests.HTTPError as error:
        raise SinkError(_problem(error, tracker)) from error


def _problem(error: requests.HTTPError, tracker: Tracker) -> Problem:
    place, status = tracker.place.airtable, error.response.status_code
    base = place.base if place else ""
    if status == 401:
        return Problem(
            "access-refused",
            f"Airtable does not know the token that tracker `{tracker.name}` is written with",
            hint="it may have expired: make one in Airtable's developer hub, and put it where"
            " `sinks: airtable: token` looks for it",
        )
    if status in (403, 404):
        return Problem(
            "access-refused",
            f"base `{base}` of tracker `{tracker.name}` is not there, or the token may not use it",
            hint=f"share the base with the token and with its user as an editor; the token needs {_SCOPES}",
        )
    if status == 429:
        return Problem(
            "too-many-calls",
            f"the workspace of base `{base}` has used up its API calls of this month",
            hint="wait for the next month, take a larger plan, or refresh less often",
        )
    if is_full(error):
        return Problem(
            "tracker-too-large",
            f"base `{base}` of tracker `{tracker.name}` is full: {message_of(error)}",
            hint="delete records, filter the report, or take a larger plan; what is written is whole",
        )
    return Problem(
        "tracker-unwritable",
        f"Airtable refuses tracker `{tracker.name}`: {message_of(error)}",
        hint="what is written is whole; the next refresh goes on from there",
    )
