"""Google Sheets as a service: its pace, what is tried again, and its refusals in words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from genesis.errors import DefinitionError, GenesisError, SinkBusy
from genesis.sinks.calls import Unanswered
from genesis.sinks.google.refusals import Refusal
from genesis.sinks.google.service import Connection, open_spreadsheet
from genesis.spec.project import GoogleSheetsAccess
from genesis.testing.clock import HandClock
from genesis.testing.sheets import (
    Dropped,
    Limits,
    Refused,
    SheetsEmulator,
    reads,
    writes,
)
from genesis.testing.sheets.answers import bad
from genesis.testing.sheets.server import ACCOUNT
from tests.sinks.google_office import URL, Office

ROBOT = "robot@project.iam.gserviceaccount.com"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = HandClock()
    with SheetsEmulator(clock=clock) as google:
        office = Office(google, clock, tmp_path)
        yield office
        for opened in office.opened:
            opened.close()


@pytest.fixture(scope="module")
def key() -> str:
    """The key of a service account, as Google hands them out."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "client_email": ROBOT,
            "private_key": pem.decode(),
            "token_uri": "https://oauth2.googleapis.com/token",
        }
    )


def write(text: str = "x") -> dict[str, Any]:
    """A batch that puts a text into the first cell, and marks that it did."""
    cell = {"userEnteredValue": {"stringValue": text}}
    update = {"start": {}, "rows": [{"values": [cell]}], "fields": "userEnteredValue"}
    fence = {"name": "fence", "namedRangeId": "fence", "range": {"endRowIndex": 1}}
    return {"requests": [{"updateCells": update}, {"addNamedRange": {"namedRange": fence}}]}


def has_landed(connection: Connection) -> bool:
    return "namedRanges" in connection.get(fields="namedRanges")


# ---- its pace


def test_reads_and_writes_have_a_minute_each(office: Office) -> None:
    """Sixty of both take no time, the next one waits; no call is refused for haste."""
    connection, start = office.open(), office.clock.now()
    for _ in range(60):
        connection.get(fields="spreadsheetId")
        connection.batch_update({"requests": write()["requests"][:1]})
    assert office.since(start) == 0
    connection.values_by_filter({"dataFilters": [{"a1Range": "A1"}]})
    assert office.since(start) == 60
    connection.batch_update({"requests": write()["requests"][:1]})
    assert office.since(start) == 60
    assert (connection.reads, connection.writes) == (61, 61)
    assert all(call.status == 200 for call in office.google.calls)


def test_a_storm_is_waited_out_by_all_processes(office: Office) -> None:
    """One is told to be patient until the full minute; the other one does not even ask."""
    office.clock.sleep(timedelta(seconds=20))
    one, other, start = office.open(), office.open(), office.clock.now()
    office.google.inject(Refused(429), on=reads, times=3)
    one.get(fields="spreadsheetId")
    assert office.since(start) == 40 + 60 + 60
    office.google.inject(Refused(429, retry_after=timedelta(seconds=7)), on=reads)
    again = office.clock.now()
    one.get(fields="spreadsheetId")
    assert office.since(again) == 7
    asked = len(office.google.calls)
    other.get(fields="spreadsheetId")
    assert len(office.google.calls) == asked + 1
    assert office.since(again) == 7


def test_another_process_knows_of_it(office: Office) -> None:
    """A process that really is another one finds the bucket frozen, and no other bucket."""
    office.google.inject(Refused(429), on=reads)
    with pytest.raises(SinkBusy):
        office.open(timeout=timedelta(seconds=30)).get(fields="spreadsheetId")
    script = f"""
from pathlib import Path
from datetime import timedelta
from genesis.errors import SinkBusy
from genesis.interfaces import Limit
from genesis.run.rates import Buckets
from genesis.run.state import State
from genesis.testing.clock import HandClock
rates = Buckets(State({URL!r}, Path({str(office.folder)!r})), HandClock())
for kind in ("read", "write"):
    try:
        until = rates.clock.now() + timedelta(seconds=59)
        rates.wait("sheets:{office.google.url}:" + kind, Limit(60, timedelta(minutes=1)), until=until)
        print(kind, "goes")
    except SinkBusy:
        print(kind, "waits")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["read waits", "write goes"]


def test_other_credentials_are_unaffected(office: Office, key: str, monkeypatch: Any) -> None:
    """Google counts by account, so do we."""
    monkeypatch.setenv("KEY", key)
    office.google.share(office.id, ROBOT)
    mine, start = office.open(credentials="${env:KEY}"), office.clock.now()
    office.google.inject(Refused(429), on=reads)
    with pytest.raises(SinkBusy):
        office.open(timeout=timedelta(seconds=10)).get(fields="spreadsheetId")
    mine.get(fields="spreadsheetId")
    assert office.since(start) == 0
    assert office.google.calls[-1].user == ROBOT


@pytest.mark.parametrize("fault", [Refused(429), Refused(503), Dropped()], ids=str)
def test_a_deadline_is_kept(office: Office, fault: Any) -> None:
    """However long the trouble lasts."""
    office.google.inject(fault, times=999)
    start = office.clock.now()
    said = rf"Google Sheets at `{office.google.url}` gave no answer|can be called again at"
    with pytest.raises(SinkBusy, match=said):
        office.open(timeout=timedelta(minutes=1, seconds=30)).get(fields="spreadsheetId")
    assert office.since(start) <= 90
    assert len(office.google.calls) < 10


# ---- what is tried again


@pytest.mark.parametrize("fault", [Refused(500), Refused(503), Refused(429), Dropped()], ids=str)
def test_reads_are_tried_again(office: Office, fault: Any) -> None:
    """Within one layer, and each try is counted."""
    office.google.inject(fault, on=reads, times=2)
    connection = office.open()
    assert connection.get(fields="spreadsheetId") == {"spreadsheetId": office.id}
    assert connection.reads == len(office.google.calls) == 3


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("fault", [Refused(500), Refused(503), Dropped()], ids=str)
def test_a_write_without_an_answer_is_not_made_again(
    office: Office, fault: Any, after_commit: bool
) -> None:
    """Nobody but the spreadsheet knows whether it landed."""
    office.google.inject(type(fault)(**_of(fault, after_commit)), on=writes)
    connection = office.open()
    with pytest.raises(Unanswered, match="may have landed"):
        connection.batch_update(write())
    assert connection.writes == 1
    assert has_landed(connection) == after_commit


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("fault", [Refused(500), Refused(503), Dropped()], ids=str)
def test_a_write_that_can_be_told_is_made_once(
    office: Office, fault: Any, after_commit: bool
) -> None:
    """The fence is read, and only a batch that did not land is sent again."""
    office.google.inject(type(fault)(**_of(fault, after_commit)), on=writes)
    connection = office.open()
    reply = connection.write(write(), has_landed=lambda: has_landed(connection))
    assert (reply is None) == after_commit
    assert connection.writes == (1 if after_commit else 2)
    assert office.google.person(office.id).sees("A1") == "x"


def test_a_write_that_lands_late_is_made_once(office: Office) -> None:
    """It is not there when it is looked for, and refuses the second try by its own fence."""
    office.google.inject(Dropped(after_commit=True), on=writes)
    connection, looks = office.open(), iter([False])
    reply = connection.write(
        write(), has_landed=lambda: next(looks, True) and has_landed(connection)
    )
    assert (reply, connection.writes) == (None, 2)


def test_a_refusal_is_one_after_a_lost_answer_too(office: Office) -> None:
    """Where another writer was first, nothing of ours has landed."""
    office.google.inject(Dropped(), on=writes)
    others: list[Any] = []

    def is_overtaken() -> bool:
        if not others:
            others.append(office.open().batch_update(write("theirs")))
        return False

    with pytest.raises(Refusal):
        office.open().write(write(), has_landed=is_overtaken)
    assert office.google.person(office.id).sees("A1") == "theirs"


def test_a_write_is_not_tried_for_ever(office: Office) -> None:
    """Its deadline is that of the refresh."""
    office.google.inject(Refused(503), on=writes, times=999)
    connection, start = office.open(timeout=timedelta(seconds=20)), office.clock.now()
    with pytest.raises(Unanswered):
        connection.write(write(), has_landed=lambda: has_landed(connection))
    assert office.since(start) <= 20
    assert connection.writes == 5


def test_a_write_that_was_hasty_is_made_again(office: Office) -> None:
    """Google says that it did nothing."""
    office.google.inject(Refused(429), on=writes)
    connection = office.open()
    connection.batch_update(write())
    assert connection.writes == 2


def test_a_write_that_never_left_is_made_again(office: Office, tmp_path: Path) -> None:
    """Where no connection is made, nothing can have landed; at last it is given up."""
    access = GoogleSheetsAccess(endpoint="http://127.0.0.1:1")
    start, rates = office.clock.now(), office.rates()
    until = start + timedelta(hours=1)
    connection = open_spreadsheet(access, "x", rates=rates, until=until, root=tmp_path)
    with pytest.raises(SinkBusy, match="the connection failed") as caught:
        connection.batch_update(write())
    assert not isinstance(caught.value, Unanswered)
    assert connection.writes == 8
    assert 60 < office.since(start) < 180


def test_a_token_that_cannot_be_fetched_is_fetched_later(
    office: Office, key: str, monkeypatch: Any
) -> None:
    """The write that waits for it has not left, so it is tried again."""
    monkeypatch.setenv("KEY", key)
    access = GoogleSheetsAccess(endpoint="http://127.0.0.1:1", credentials="${env:KEY}")
    until, rates = office.clock.now() + timedelta(seconds=20), office.rates()
    connection = open_spreadsheet(access, "x", rates=rates, until=until, root=office.folder)
    with pytest.raises(SinkBusy, match="the connection failed") as caught:
        connection.batch_update(write())
    assert not isinstance(caught.value, Unanswered)
    assert connection.writes == 5


def test_bodies_are_sent_as_they_are(office: Office) -> None:
    """No blanks and no escapes: bytes are what limits a batch."""
    connection = office.open()
    connection.batch_update(write("ä" * 1000))
    assert connection.sent == office.google.calls[-1].sent < 2300
    assert office.google.person(office.id).sees("A1") == "ä" * 1000


def _of(fault: Any, after_commit: bool) -> dict[str, Any]:
    options = {"after_commit": after_commit}
    return options if isinstance(fault, Dropped) else options | {"status": fault.status}


# ---- refusals


def refused(call: Any, *arguments: Any, **options: Any) -> str:
    """What a person is told; the code is in it."""
    with pytest.raises(GenesisError) as caught:
        call(*arguments, **options)
    assert not isinstance(caught.value, SinkBusy)
    return str(caught.value)


def test_a_spreadsheet_that_is_not_shared(office: Office, key: str, monkeypatch: Any) -> None:
    """The message says with whom: the account of the key, or whom Drive knows us as."""
    mine = office.google.new_spreadsheet("Mine", share=False)
    assert f"is not shared with `{ACCOUNT}`" in (told := refused(office.open(book=mine).get))
    assert "[access-refused]\n  hint: share it with" in told
    assert "of tracker `w.orders`" in told
    monkeypatch.setenv("KEY", key)
    connection = office.open(book=mine, credentials="${env:KEY}")
    assert f"is not shared with `{ROBOT}`" in refused(connection.get)
    assert connection.reads == 1


def test_a_spreadsheet_that_may_only_be_read(office: Office) -> None:
    """A reader is told to become an editor."""
    mine = office.google.new_spreadsheet("Mine", share=False)
    office.google.share(mine, ACCOUNT, "reader")
    connection = office.open(book=mine)
    connection.get(fields="spreadsheetId")
    assert f"`{ACCOUNT}` may not edit spreadsheet" in refused(connection.batch_update, write())
    assert connection.writes == 1


def test_a_spreadsheet_that_is_not_there(office: Office) -> None:
    told = refused(office.open(book="1AbC").get)
    assert "there is no spreadsheet `1AbC`" in told
    assert "between `/d/` and `/edit`" in told


def test_an_api_that_is_not_enabled(office: Office) -> None:
    """In the words of a live answer, which names the page where to."""
    page = "https://console.developers.google.com/apis/api/sheets.googleapis.com/overview?project=1"
    said = (
        f"Google Sheets API has not been used in project 1 before or it is disabled. Enable it by visiting {page}"
        " then retry. If you enabled this API recently, wait a few minutes for the action to propagate."
    )
    office.google.inject(Refused(403, said))
    told = refused(office.open().get)
    assert "the Google Sheets API is not enabled" in told
    assert f"enable it at {page} and" in told


def test_a_token_that_google_does_not_take(office: Office, key: str, monkeypatch: Any) -> None:
    """One call, no second try."""
    monkeypatch.setenv("KEY", key)
    office.google.share(office.id, ROBOT)
    connection = office.open(credentials="${env:KEY}")
    connection.get(fields="spreadsheetId")
    office.google.wait(timedelta(minutes=61))
    connection = office.open(credentials="${env:KEY}")
    connection.get(fields="spreadsheetId")
    office.google.inject(Refused(401, "Request had invalid authentication credentials."))
    assert f"does not accept the key of `{ROBOT}`" in refused(connection.get)
    assert connection.reads == 2


def test_a_key_that_google_does_not_know(office: Office, key: str, monkeypatch: Any) -> None:
    """It was deleted: no token is given out."""
    monkeypatch.setenv("KEY", key)
    monkeypatch.setattr(office.google._service, "_token", _no_token)
    told = refused(office.open(credentials="${env:KEY}").get)
    assert "Invalid JWT Signature" in told
    assert "make a new key" in told


def _no_token(_: bytes) -> Any:
    raise bad("invalid_grant: Invalid JWT Signature.")


def test_a_key_file_that_is_none(office: Office, key: str) -> None:
    """Each mistake is told before anything is called."""
    for text, said in (
        ("{", "it is no JSON"),
        ('{"installed": {}}', "it is the secret of an OAuth client"),
        ("[]", "its `type` is not `service_account`"),
        ('{"type": "service_account"}', "client_email"),
        (json.dumps(json.loads(key) | {"private_key": "gone"}), "no key of a service account"),
    ):
        (office.folder / "key.json").write_text(text)
        with pytest.raises(DefinitionError, match="access-refused") as caught:
            office.open(credentials="${file:key.json}")
        assert said in str(caught.value)
    assert office.google.calls == []


def test_a_key_that_is_nowhere(office: Office) -> None:
    missing = refused(office.open, credentials="${file:key.json}")
    assert "[wrong-reference]" in missing
    assert "put the secret there, and keep it out of the repository" in missing
    told = refused(
        open_spreadsheet,
        GoogleSheetsAccess(),
        "x",
        rates=office.rates(),
        until=office.clock.now(),
        root=office.folder,
    )
    assert "needs the key of a service account" in told


def test_a_tab_that_is_gone(office: Office) -> None:
    """The sink may know better what to do, so it can ask."""
    gone = {"requests": [{"deleteDimension": {"range": {"sheetId": 7, "dimension": "ROWS"}}}]}
    with pytest.raises(Refusal, match="tracker-changed") as caught:
        office.open().batch_update(gone)
    assert caught.value.is_lost_tab
    assert caught.value.status == 400


def test_a_spreadsheet_that_is_full(tmp_path: Path) -> None:
    with SheetsEmulator(clock=HandClock(), limits=Limits(cells=26_000)) as google:
        office = Office(google, HandClock(), tmp_path)
        more = {"requests": [{"appendDimension": {"dimension": "ROWS", "length": 1}}]}
        told = refused(office.open().batch_update, more)
        for opened in office.opened:
            opened.close()
    assert "is full" in told
    assert "[tracker-too-large]" in told


def test_cells_that_are_protected(office: Office) -> None:
    """From us: a warning alone would not stop a service account."""
    office.google.person(office.id).protects("Sheet1!A1:B2")
    told = refused(office.open().batch_update, write())
    assert f"are protected from `{ACCOUNT}`" in told
    assert "Protect sheets and ranges" in told


def test_an_office_file(office: Office) -> None:
    """A well-known trap: a workbook in Drive opens in the editor, and has an id."""
    office.google.inject(Refused(400, "This operation is not supported for this document"))
    assert "is an Office file" in refused(office.open().get)


def test_what_is_not_known_is_told_in_google_s_words(office: Office) -> None:
    told = refused(
        office.open().batch_update, {"requests": [{"deleteNamedRange": {"namedRangeId": "x"}}]}
    )
    assert "[tracker-unwritable]" in told
    assert "deleteNamedRange" in told
