"""Who can read a spreadsheet is asked once a day, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from genesis.compile.statement import Column
from genesis.errors import SinkBusy, SinkError
from genesis.sinks.google.sharing import check_readers
from genesis.spec.types import STRING
from genesis.spec.workflow import Place
from genesis.sync.changes import Tracker
from genesis.testing.clock import HandClock
from genesis.testing.sheets import Refused, SheetsEmulator, drive_calls
from genesis.testing.sheets.drive import Permission
from tests.sinks.google_office import Office
from tests.sinks.sheets_home import COLUMNS, Home

OPEN = (Column("id", "Id", STRING, key=True),)
SALARIES = (*OPEN, Column("salary", "Salary", STRING, sensitivity="confidential"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = HandClock()
    with SheetsEmulator(clock=clock) as google:
        office = Office(google, clock, tmp_path)
        yield office
        for opened in office.opened:
            opened.close()


def check(
    office: Office, *, columns: tuple[Column, ...] = OPEN, name: str = "w.orders", **place: Any
) -> tuple[str, ...]:
    """What a refresh hears, each with a connection of its own."""
    tab = {"spreadsheet": office.id, "tab": "Orders", **place}
    connection = office.open()
    heard = check_readers(
        connection, Tracker(name, Place(google_sheets=tab), columns), office.rates()
    )
    assert connection.reads == connection.writes == 0
    return heard


def asked(office: Office) -> int:
    return sum(call.method == "drive.permissions.list" for call in office.google.calls)


def test_it_is_asked_once_a_day(office: Office) -> None:
    """By any process; each tracker for itself, since its columns are its own."""
    for _ in range(3):
        assert check(office) == ()
    assert asked(office) == 1
    check(office, name="w.others")
    assert asked(office) == 2
    office.clock.sleep(timedelta(days=1))
    check(office)
    assert asked(office) == 3


def test_a_spreadsheet_that_anyone_may_read_is_refused(office: Office) -> None:
    """Until it is no more: what was refused is asked again at once."""
    office.google.share(office.id, "anyone", "reader")
    for _ in range(2):
        with pytest.raises(SinkError, match="open-to-anyone") as caught:
            check(office)
        assert "`allow_anyone: true`" in str(caught.value)
        assert caught.value.exit_code == 4
    assert asked(office) == 2
    office.google.unshare(office.id, "anyone")
    assert check(office) == ()


def test_a_spreadsheet_that_is_opened_later_is_refused_a_day_later(office: Office) -> None:
    check(office)
    office.google.share(office.id, "anyone", "reader")
    check(office)
    office.clock.sleep(timedelta(days=1))
    with pytest.raises(SinkError, match="open-to-anyone"):
        check(office)


def test_anyone_may_be_allowed(office: Office) -> None:
    """Who says so is not asked again, and needs no Drive."""
    office.google.share(office.id, "anyone", "reader")
    assert check(office, allow_anyone=True) == ()
    assert asked(office) == 0


def test_a_domain_that_may_read_what_is_sensitive_is_told(office: Office) -> None:
    """Nothing is told of a report that everybody may see."""
    everybody = Permission("9", "domain", "reader", "example.com")
    office.google._service.permit(office.id, everybody)
    assert check(office) == ()
    assert check(office, columns=SALARIES, name="w.pay") == (
        "everybody at `example.com` may read the spreadsheet, and so `salary` (confidential)",
    )


def test_what_drive_does_not_tell_is_a_refusal(office: Office) -> None:
    """Each with its way out, and asked anew by the next refresh."""
    page = "https://console.developers.google.com/apis/api/drive.googleapis.com/overview?project=1"
    for said, told in (
        ("The user does not have sufficient permissions for this file.", "may not see whom"),
        (
            f"Google Drive API has not been used in project 1 before or it is disabled. Enable it by visiting {page} then",
            "the Google Drive API is not enabled",
        ),
    ):
        office.google.inject(Refused(403, said), on=drive_calls)
        with pytest.raises(SinkError, match="access-refused") as caught:
            check(office)
        assert told in str(caught.value)
        assert not isinstance(caught.value, SinkBusy)
    assert check(office) == ()


def test_haste_is_no_refusal(office: Office) -> None:
    """Drive says it with 403, as other APIs do not."""
    office.google.inject(Refused(403, "userRateLimitExceeded"), on=drive_calls)
    start = office.clock.now()
    assert check(office) == ()
    assert office.since(start) == 10


# ---- in a refresh


@pytest.mark.parametrize("asks", [True, False], ids=["asks who reads", "allow_anyone"])
def test_a_reader_is_told_to_become_an_editor(tmp_path: Path, asks: bool) -> None:
    """A first refresh and a later one end at the one call that is refused; another run would be no help."""
    with SheetsEmulator(clock=HandClock()) as google:
        home = Home(google, tmp_path)
        tab = {"spreadsheet": home.id, "tab": "Films", "allow_anyone": not asks}
        place = Place(google_sheets=tab)
        for number in (1, 2):
            google.share(home.id, google.account, "reader")
            start, calls = home.rates.clock.now(), len(google.calls)
            with pytest.raises(SinkError) as caught:
                home.refresh([FILM | {"id": number}], place=place)
            assert f"share it with `{google.account}` as an editor" in str(caught.value)
            assert (caught.value.exit_code, home.rates.clock.now()) == (4, start)
            refused = [call.method for call in google.calls[calls:] if call.status == 403]
            is_first = number == 1
            assert refused == (
                ["drive.permissions.list"]
                if asks and is_first
                else ["sheets.spreadsheets.batchUpdate"]
            )
            google.share(home.id, google.account, "writer")
            home.refresh([FILM | {"id": number}], place=place)
        home.rates.close()


FILM = {"id": 1, "title": "Film 1", "budget": None, "late": False}


def test_a_refresh_asks_before_its_first_write(tmp_path: Path) -> None:
    """What it refuses was not written to; the call is no read of Sheets."""
    with SheetsEmulator(clock=HandClock()) as google:
        home = Home(google, tmp_path)
        google.share(home.id, "anyone", "reader")
        with pytest.raises(SinkError, match="open-to-anyone"):
            home.refresh([FILM])
        assert home.writes() == 0
        google.unshare(home.id, "anyone")
        before = home.refresh([FILM])
        assert (before.reads, before.writes) == (2, 1)
        home.rates.close()


def test_a_refresh_without_changes_asks_each_day(tmp_path: Path) -> None:
    """So that nobody opens a tracker unnoticed just because its data rests."""
    with SheetsEmulator(clock=HandClock()) as google:
        home = Home(google, tmp_path)
        home.refresh([FILM])
        google.share(home.id, "anyone", "reader")
        assert home.refresh([FILM]).writes == 0
        google.wait(timedelta(days=1))
        with pytest.raises(SinkError, match="open-to-anyone"):
            home.refresh([FILM])
        home.rates.close()


def test_a_receipt_tells_who_may_read_what_is_sensitive(tmp_path: Path) -> None:
    """Once a day."""
    columns = (*COLUMNS, Column("salary", "Salary", STRING, sensitivity="confidential"))
    with SheetsEmulator(clock=HandClock()) as google:
        home = Home(google, tmp_path, columns)
        everybody = Permission("9", "domain", "reader", "example.com")
        google._service.permit(home.id, everybody)
        told = "everybody at `example.com` may read the spreadsheet, and so `salary` (confidential)"
        assert home.refresh([FILM]).notes == (told,)
        assert home.refresh([FILM]).notes == ()
        home.rates.close()
