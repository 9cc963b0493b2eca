"""What Google refuses, each in one sentence with the way out.

Google's errors have a status and a sentence, no code that would tell them apart: sentences are known
by the words that live answers had. What is not known is told in Google's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from google.auth.exceptions import RefreshError
from gspread.exceptions import APIError

from genesis.errors import Problem, SinkError

_DISABLED = re.compile(
    r"(?P<api>Google \w+ API) has not been used .*? visiting (?P<page>\S+)", re.DOTALL
)
_NEW_KEY = (
    "make a new key in the Google Cloud console, below IAM, Service accounts, Keys, and put it"
    " where `sinks: google_sheets: credentials` looks for it"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of Google; `account` tells whom to share with, which may take a call."""

    spreadsheet: str
    tracker: str
    account: Callable[[], str]
    is_write: bool = False
    is_drive: bool = False

    @property
    def what(self) -> str:
        of = f" of tracker `{self.tracker}`" if self.tracker else ""
        return f"spreadsheet `{self.spreadsheet}`{of}"


class Refusal(SinkError):
    """What Google refuses; another try would not help. `said` are Google's words."""

    def __init__(self, problem: Problem, *, status: int, said: str) -> None:
        super().__init__(problem)
        self.status, self.said = status, said

    @property
    def is_lost_tab(self) -> bool:
        """Whether a tab that the call names is not there any more."""
        return self.status == 400 and "No grid with id" in self.said


def refusal_of(error: APIError | RefreshError, asked: Asked) -> Refusal:
    """The refusal in words."""
    if isinstance(error, RefreshError):
        said = str(error.args[0]) if error.args else ""
        return Refusal(_expired_key(asked, said), status=401, said=said)
    status, said = error.response.status_code, str(error.error.get("message", ""))
    return Refusal(_problem(status, said, asked), status=status, said=said)


def unknown_key(reason: str) -> Problem:
    """A key that is none."""
    return Problem(
        "access-refused",
        f"`sinks: google_sheets: credentials` is no key of a service account: {reason}",
        hint=f"{_NEW_KEY}, the whole JSON file as it was downloaded",
    )


def _problem(status: int, said: str, asked: Asked) -> Problem:
    if status == 401:
        return _expired_key(asked, said)
    if status == 403:
        return _forbidden(said, asked)
    if status == 404:
        return _not_found(asked)
    if status == 400:
        return _wrong_batch(said, asked)
    return _other(said, asked)


def _expired_key(asked: Asked, said: str) -> Problem:
    return Problem(
        "access-refused",
        f"Google does not accept the key of `{asked.account()}`: {said}",
        hint=f"it may have been deleted, or this machine's clock is wrong; {_NEW_KEY}",
    )


def _forbidden(said: str, asked: Asked) -> Problem:
    if disabled := _DISABLED.search(said):
        return Problem(
            "access-refused",
            f"the {disabled['api']} is not enabled in the project of `{asked.account()}`",
            hint=f"enable it at {disabled['page']} and run again some minutes later",
        )
    account = asked.account()
    if asked.is_drive:
        return Problem(
            "access-refused",
            f"`{account}` may not see whom {asked.what} is shared with",
            hint=f"share it with `{account}` as an editor; if it is one, let editors change permissions"
            " and share in the sharing settings, or write to it unseen: `allow_anyone: true`",
        )
    if asked.is_write:
        return Problem(
            "access-refused",
            f"`{account}` may not edit {asked.what}",
            hint=f"share it with `{account}` as an editor",
        )
    return Problem(
        "access-refused",
        f"{asked.what} is not shared with `{account}`",
        hint=f"share it with `{account}` as an editor",
    )


def _not_found(asked: Asked) -> Problem:
    return Problem(
        "access-refused",
        f"there is no {asked.what}",
        hint="its id is the part of its address between `/d/` and `/edit`; if it was deleted, its owner"
        " finds it in the bin",
    )


def _wrong_batch(said: str, asked: Asked) -> Problem:
    if "No grid with id" in said:
        return Problem(
            "tracker-changed",
            f"a tab of {asked.what} was deleted while it was being refreshed",
            hint="the next refresh makes it anew; what people kept in it comes back from the version history",
        )
    if "number of cells in the workbook above the limit" in said:
        return Problem(
            "tracker-too-large",
            f"{asked.what} is full: Google allows 10,000,000 cells, empty ones included",
            hint="delete tabs, or rows and columns that nobody uses, or filter the report",
        )
    if "protected cell or object" in said:
        account = asked.account()
        return Problem(
            "access-refused",
            f"cells of {asked.what} are protected from `{account}`",
            hint=f"let `{account}` edit them: Data, Protect sheets and ranges",
        )
    if "not supported for this document" in said:
        return Problem(
            "access-refused",
            f"{asked.what} is an Office file, which the Sheets API does not take",
            hint="open it and choose File, Save as Google Sheets; the new one has another id",
        )
    return _other(said, asked)


def _other(said: str, asked: Asked) -> Problem:
    return Problem(
        "tracker-unwritable" if asked.is_write else "tracker-unreadable",
        f"Google refuses {asked.what}: {said}",
        hint="nothing of the call was done; the next refresh goes on from what is there",
    )
