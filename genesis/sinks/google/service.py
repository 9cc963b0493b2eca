"""Google Sheets as a service: its limits, how a spreadsheet is reached, its refusals in words.

Reads are tried again until the deadline. Writes are not, unless it is certain that they did not
land: `write` takes what tells whether one did. The surprise: `Refusal` is told in genesis's words
and keeps Google's, since some refusals say something else to a sink: that another writer was first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gspread
import requests
from google.auth.exceptions import RefreshError
from gspread.exceptions import APIError
from gspread.urls import SPREADSHEET_BATCH_UPDATE_URL, SPREADSHEET_URL, SPREADSHEET_VALUES_URL

from genesis.errors import DefinitionError, GenesisError, Problem
from genesis.interfaces import Limit, Rates
from genesis.secrets import resolve_references
from genesis.sinks.calls import Call, Calls, Pauses, Unanswered
from genesis.sinks.google.client import ServiceAccount, Timeouts, open_client, parse_key
from genesis.sinks.google.refusals import Asked, Refusal, refusal_of, unknown_key

if TYPE_CHECKING:
    from genesis.spec.project import GoogleSheetsAccess

Json = dict[str, Any]
Hook = Callable[[Json], Any]

_READING_POSTS = (":getByDataFilter", ":batchGetByDataFilter", "/developerMetadata:search")
_ABOUT = "https://www.googleapis.com/drive/v3/about"
_NOBODY = "the service account"


@dataclass(frozen=True)
class SheetsService:
    """Google Sheets as one account may call it, as a `Service`: reads and writes apart."""

    account: str
    name = "Google Sheets"
    limit = Limit(60, timedelta(minutes=1))
    patience = Timeouts().read

    def bucket(self, call: Call) -> str:
        return f"sheets:{self.account}:{'read' if self.is_read(call) else 'write'}"

    def is_read(self, call: Call) -> bool:
        return call.method == "GET" or call.url.endswith(_READING_POSTS)

    def is_repeatable(self, call: Call) -> bool:
        """A row inserted twice is there twice."""
        return self.is_read(call)

    def is_haste(self, response: requests.Response) -> bool:
        return response.status_code == 429

    def lockout(self, now: datetime) -> timedelta:
        """Google gives out new turns at the full minute."""
        minute = now.replace(second=0, microsecond=0)
        return minute + timedelta(minutes=1) - now


@dataclass(frozen=True)
class DriveService:
    """Google Drive as one account may read it, as a `Service`; far below what Google allows."""

    account: str
    name = "Google Drive"
    limit = Limit(300, timedelta(minutes=1))
    patience = timedelta(seconds=60)

    def bucket(self, _: Call) -> str:
        return f"drive:{self.account}"

    def is_read(self, call: Call) -> bool:
        return call.method == "GET"

    def is_repeatable(self, call: Call) -> bool:
        return self.is_read(call)

    def is_haste(self, response: requests.Response) -> bool:
        """Drive says it with 403, too."""
        is_limited = response.status_code == 403 and "ateLimitExceeded" in response.text
        return response.status_code == 429 or is_limited

    def lockout(self, _: datetime) -> timedelta:
        return timedelta(seconds=10)


class Connection:
    """A spreadsheet, called through gspread within limits, until a deadline.

    All its calls raise `Refusal` for what Google refuses, `SinkBusy` for what passes by itself.
    """

    def __init__(self, spreadsheet: str, tracker: str, clients: Clients) -> None:
        self.spreadsheet = spreadsheet
        self._tracker = tracker
        self._clients = clients

    @property
    def reads(self) -> int:
        """Calls of Sheets that read, those included that were made again."""
        return self._clients.calls.reads

    @property
    def writes(self) -> int:
        """Calls of Sheets that write."""
        return self._clients.calls.writes

    @property
    def sent(self) -> int:
        """Bytes of all bodies."""
        return self._clients.calls.sent

    @property
    def account(self) -> str:
        """The address that a spreadsheet is to be shared with; Drive knows it where no key does."""
        if self._clients.email:
            return self._clients.email
        try:
            about = self._clients.drive.http_client.request("get", _ABOUT, {"fields": "user"})
        except (APIError, GenesisError):
            return _NOBODY
        return str(about.json()["user"].get("emailAddress", _NOBODY))

    def get(self, **parameters: Any) -> Json:
        """The spreadsheet, or of it what `fields` and `ranges` name: `spreadsheets.get`."""
        return self._ask("get", SPREADSHEET_URL % self.spreadsheet, parameters)

    def get_by_filter(self, body: Json, *, fields: str, each: Hook | None = None) -> Json:
        """What data filters find, by ranges or metadata: `spreadsheets.getByDataFilter`.

        `each` is asked what to keep of every object in the answer, for there may be millions.
        """
        url = SPREADSHEET_URL % self.spreadsheet + ":getByDataFilter"
        return self._ask("post", url, {"fields": fields}, body, each=each)

    def values_by_filter(self, body: Json) -> Json:
        """Values of what data filters find, in no order: `values.batchGetByDataFilter`."""
        url = SPREADSHEET_URL % self.spreadsheet + "/values:batchGetByDataFilter"
        return self._ask("post", url, {}, body)

    def batch_update(self, body: Json, *, fields: str | None = None) -> Json:
        """The reply to a batch, which happens wholly or not at all.

        Raises `Unanswered` where no answer tells whether it landed.
        """
        parameters = {"fields": fields} if fields else {}
        url = SPREADSHEET_BATCH_UPDATE_URL % self.spreadsheet
        return self._ask("post", url, parameters, body)

    def write(
        self, body: Json, *, has_landed: Callable[[], bool], fields: str | None = None
    ) -> Json | None:
        """`batch_update`, made again where `has_landed` reads that it did not land.

        There is no reply where it landed and its answer was lost.
        """
        pauses, is_unsure = Pauses(self._clients.rates, self._clients.until), False
        while True:
            try:
                return self.batch_update(body, fields=fields)
            except Refusal as refusal:
                # The try before may have landed late: then its own fence refuses this one.
                if is_unsure and refusal.status == 400 and has_landed():
                    return None
                raise
            except Unanswered:
                is_unsure = True
                if not pauses.pause():
                    raise
                if has_landed():
                    return None

    def put_values(self, range_: str, values: Sequence[Sequence[Any]]) -> None:
        """Set the values of a range as they are: `values.update`, which may be done twice."""
        url = SPREADSHEET_VALUES_URL % (self.spreadsheet, quote(range_, safe=""))
        pauses = Pauses(self._clients.rates, self._clients.until)
        while True:
            try:
                self._ask("put", url, {"valueInputOption": "RAW"}, {"values": values})
            except Unanswered:
                if not pauses.pause():
                    raise
            else:
                return

    def permissions(self) -> list[Json]:
        """Who may do what with the spreadsheet: Drive's `permissions.list`."""
        asked = Asked(self.spreadsheet, self._tracker, lambda: self.account, is_drive=True)
        try:
            found: list[Any] = self._clients.drive.list_permissions(self.spreadsheet)
        except (APIError, RefreshError) as error:
            raise refusal_of(error, asked) from error
        return found

    def close(self) -> None:
        """End what connections are still open."""
        self._clients.close()

    def _ask(
        self,
        method: str,
        url: str,
        parameters: Json,
        body: Json | None = None,
        *,
        each: Hook | None = None,
    ) -> Json:
        is_write = not SheetsService("").is_read(Call(method.upper(), url))
        asked = Asked(self.spreadsheet, self._tracker, lambda: self.account, is_write=is_write)
        try:
            response = self._clients.sheets.http_client.request(
                method, url, _in_lower_case(parameters), **_payload(body)
            )
        except (APIError, RefreshError) as error:
            raise refusal_of(error, asked) from error
        answer: Json = json.loads(response.content, object_hook=each)
        return answer


class Clients:
    """The clients of Sheets and of Drive that one account has for one refresh."""

    def __init__(
        self, account: ServiceAccount | None, endpoint: str | None, rates: Rates, until: datetime
    ) -> None:
        self.email = account.email if account else ""
        self.rates = rates
        self.until = until
        name = self.email or endpoint or ""
        self.calls = Calls(SheetsService(name), rates, until=until)
        self._drive_calls = Calls(DriveService(name), rates, until=until)
        self.sheets = open_client(endpoint=endpoint, account=account, session=self.calls)
        self.drive: gspread.Client = open_client(
            endpoint=endpoint, account=account, session=self._drive_calls
        )

    def close(self) -> None:
        self.calls.close()
        self._drive_calls.close()


def open_spreadsheet(
    access: GoogleSheetsAccess,
    spreadsheet: str,
    *,
    rates: Rates,
    until: datetime,
    root: Path,
    tracker: str = "",
) -> Connection:
    """A connection to a spreadsheet; nothing is called yet. Raises `DefinitionError` without a key."""
    account = open_account(access, root)
    return Connection(spreadsheet, tracker, Clients(account, access.endpoint, rates, until))


def open_account(access: GoogleSheetsAccess, root: Path) -> ServiceAccount | None:
    """The service account of a project; an endpoint needs none. Raises `DefinitionError`."""
    if access.credentials is None:
        if access.endpoint is None:
            raise DefinitionError(_missing_key())
        return None
    text = resolve_references(access.credentials, root)
    try:
        return ServiceAccount(parse_key(text), access.endpoint)
    except ValueError as error:
        raise DefinitionError(unknown_key(str(error))) from error


def _missing_key() -> Problem:
    return Problem(
        "access-refused",
        "Google Sheets needs the key of a service account, `genesis.yaml` has none",
        hint='`sinks: {google_sheets: {credentials: "${file:service-account.json}"}}`; the key is made in'
        " the Google Cloud console, below IAM, Service accounts, Keys",
    )


def _in_lower_case(parameters: Json) -> Json:
    """`true` for `True`: Python's spelling is not JSON's."""
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in parameters.items()}


def _payload(body: Json | None) -> Json:
    """A body without blanks and escapes, which come to a third of what requests makes of one."""
    if body is None:
        return {}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return {"data": text.encode(), "headers": {"Content-Type": "application/json"}}
