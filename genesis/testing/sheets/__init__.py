"""Google Sheets, emulated: a local server that the real clients talk to, honest enough to rely on.

    with SheetsEmulator() as google:
        id = google.new_spreadsheet("Orders 2026")      # a person's, shared with the service account
        sheet = open_client(endpoint=google.url).open_by_key(id)     # genesis.sinks.google.client
        google.person(id).types("Sheet1!C2", "call them")            # somebody edits
        google.inject(Refused(503, after_commit=True), on=writes)    # the next write: done, reply lost

`google.url` in a browser shows the spreadsheets while they change, and lets you type into them;
`google.calls` has every call with its kind (Read or Write), bytes and outcome. Pass a `HandClock`
to decide what time it is and `Limits` to lower what Google allows.

**What it speaks.** Sheets v4: `spreadsheets.get`, `getByDataFilter`, `create`, `batchUpdate` with the
requests in `requests.REQUESTS`, `developerMetadata.get` and `search`, `values.*` (all but
`batchUpdateByDataFilter` and `batchClearByDataFilter`). Drive v3: `files.get`, `list`, `create`,
`delete`, `permissions.list`, `create`, `delete`, `about.get` (whose `user.emailAddress` is whom to
share with). The token endpoint of service accounts; calls without a token are the account's too.

**What it holds to.** Bodies, parameters and field masks are checked against Google's own discovery
documents. What Google knows and the emulator does not is refused with 501 and its name, formulas,
number formats and locales included. A batch happens wholly or not at all. Quotas by the minute,
sizes and counts are enforced (`Limits`). Cells belong to their row and column, so notes, formats
and metadata go along with moves, inserts, sorts and deletes.

**Where it is harsher than Google may be**, so that a client does not come to rely on luck: zeros are
left out of ranges in answers (`sheetId` 0, a start of 0), `batchGetByDataFilter` does not keep the
order, a payload above `Limits.payload` is refused.

**Where reality is not known.** The wording of errors where no live answer was seen, the order of
checks, what `values.append` takes for a table, how an area follows a move that cuts through it,
the wording and the very error when a named range's id is taken (documented as an error). Nothing
here was run against the live service; `genesis sinks probe` is to say where it differs.

`server.py` is the way in; `service.py` a call's way through; `requests.py` what a batch can do;
`grid.py` the model under it all.
"""

from __future__ import annotations

from genesis.testing.clock import HandClock
from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.faults import (
    Call,
    Dropped,
    Meanwhile,
    Refused,
    Slow,
    any_call,
    drive_calls,
    reads,
    writes,
)
from genesis.testing.sheets.limits import Limits
from genesis.testing.sheets.person import Person
from genesis.testing.sheets.server import SheetsEmulator

__all__ = [
    "ApiError",
    "Call",
    "Dropped",
    "HandClock",
    "Limits",
    "Meanwhile",
    "Person",
    "Refused",
    "SheetsEmulator",
    "Slow",
    "any_call",
    "drive_calls",
    "reads",
    "writes",
]
