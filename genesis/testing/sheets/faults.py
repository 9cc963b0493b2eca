"""What may go wrong with a call, to be handed to `SheetsEmulator.inject`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the emulator answered; `method` is Google's name, such as `sheets.spreadsheets.get`."""

    method: str
    kind: str
    user: str
    spreadsheet: str | None
    status: int | None
    sent: int
    received: int
    at: datetime

    @property
    def is_write(self) -> bool:
        """Whether it counts as a write."""
        return self.kind == "Write"


@dataclass(frozen=True, slots=True)
class Refused:
    """Answered with an error, before anything happened or after all of it did."""

    status: int
    message: str = "The service is currently unavailable."
    retry_after: timedelta | None = None
    after_commit: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection breaks off without an answer, before anything happened or after all of it did."""

    after_commit: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """It takes time, by the emulator's clock; beyond Google's 180 s it fails with 504."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something happens just before the call: a person edits, another writer writes, a tab goes."""

    do: Callable[[], object]


Fault = Refused | Dropped | Slow | Meanwhile


@dataclass(frozen=True, slots=True)
class Coming:
    """A call that has come in and not been done yet."""

    method: str
    kind: str

    @property
    def is_sheets(self) -> bool:
        """Whether it is for Sheets, not for Drive."""
        return self.method.startswith("sheets.")


When = Callable[[Coming], bool]


def any_call(call: Coming) -> bool:
    """Every call of the Sheets API."""
    return call.is_sheets


def reads(call: Coming) -> bool:
    """Calls of the Sheets API that count as reads."""
    return call.is_sheets and call.kind == "Read"


def writes(call: Coming) -> bool:
    """Calls of the Sheets API that count as writes."""
    return call.is_sheets and call.kind == "Write"


def drive_calls(call: Coming) -> bool:
    """Calls of the Drive API."""
    return not call.is_sheets


@dataclass(slots=True)
class Pending:
    """A fault that waits for its calls: it passes `skip` of them, then hits `times`."""

    fault: Fault
    when: When
    skip: int
    times: int

    def hits(self, call: Coming) -> bool:
        """Whether this call is hit; each question counts as a call."""
        if self.times == 0 or not self.when(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True
