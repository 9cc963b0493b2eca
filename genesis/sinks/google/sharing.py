"""Who can read a spreadsheet: asked of Drive before the first write to it, and then once a day.

One that anyone with the link may read is refused, unless its place allows that; then Drive is not
asked at all. The surprise: where Drive does not tell us, that is a refusal too. Groups are not looked
into, so whom they let in is not known.
"""

from __future__ import annotations

from collections.abc import Iterable

from genesis.compile.statement import Column
from genesis.errors import Problem, SinkError
from genesis.interfaces import Rates
from genesis.sinks.google.cells import Json
from genesis.sinks.google.present import place_of
from genesis.sinks.google.service import Connection
from genesis.spec.workflow import GoogleSheetsPlace
from genesis.sync.changes import Tracker


def check_readers(connection: Connection, tracker: Tracker, rates: Rates) -> tuple[str, ...]:
    """What people should hear about who can read the spreadsheet; nothing where today heard it.

    Raises `SinkError` where anyone can, or where it cannot be told.
    """
    permissions = refuse_anyone(connection, tracker, rates)
    if permissions is None:
        return ()
    rates.settle(_question(tracker))
    domains = {permission["domain"] for permission in permissions if permission["type"] == "domain"}
    return tuple(_notes(sorted(domains), tracker.columns))


def refuse_anyone(connection: Connection, tracker: Tracker, rates: Rates) -> list[Json] | None:
    """Who may do what, or nothing where that is not to be asked now. Raises as `check_readers` does."""
    place = place_of(tracker)
    if place.allow_anyone or not rates.is_due(_question(tracker)):
        return None
    permissions = connection.permissions()
    if any(permission["type"] == "anyone" for permission in permissions):
        raise SinkError(_open_to_anyone(place, tracker))
    return permissions


def _question(tracker: Tracker) -> str:
    return f"readers:{tracker.name}:{place_of(tracker).spreadsheet}"


def _open_to_anyone(place: GoogleSheetsPlace, tracker: Tracker) -> Problem:
    return Problem(
        "open-to-anyone",
        f"anyone with the link may read spreadsheet `{place.spreadsheet}` of tracker `{tracker.name}`",
        hint="in its sharing settings, set general access to Restricted; or, if that is meant,"
        " `allow_anyone: true` below `google_sheets`",
    )


def _notes(domains: Iterable[str], columns: Iterable[Column]) -> Iterable[str]:
    sensitive = [f"`{c.name}` ({c.sensitivity})" for c in columns if c.sensitivity]
    for domain in domains if sensitive else ():
        yield f"everybody at `{domain}` may read the spreadsheet, and so {', '.join(sensitive)}"
