"""What goes wrong with calls: before or after it happened, by quota, by size, by permission, by people."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import gspread
import pytest
import requests
from gspread.exceptions import APIError

from genesis.sinks.google.client import open_client
from genesis.testing.sheets import (
    Dropped,
    HandClock,
    Limits,
    Meanwhile,
    Person,
    Refused,
    SheetsEmulator,
    Slow,
    drive_calls,
    reads,
    writes,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@contextmanager
def spreadsheet(limits: Limits) -> Iterator[tuple[SheetsEmulator, gspread.Spreadsheet]]:
    """An emulator of its own, with limits of its own."""
    with SheetsEmulator(clock=HandClock(NOON), limits=limits) as google:
        client = open_client(endpoint=google.url)
        try:
            yield google, client.open_by_key(google.new_spreadsheet("Orders"))
        finally:
            client.http_client.session.close()


def write(text: str, row: int = 0) -> dict[str, Any]:
    cell = {"userEnteredValue": {"stringValue": text}}
    update = {
        "start": {"rowIndex": row},
        "rows": [{"values": [cell]}],
        "fields": "userEnteredValue",
    }
    return {"requests": [{"updateCells": update}]}


def failure(call: Any, *arguments: Any) -> APIError:
    with pytest.raises(APIError) as failed:
        call(*arguments)
    return failed.value


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("after_commit", [False, True])
def test_an_error_before_or_after_it_happened(
    google, book, person: Person, status: int, after_commit: bool
) -> None:
    """The client sees the same; only the spreadsheet knows."""
    google.inject(Refused(status, after_commit=after_commit), on=writes)
    assert failure(book.batch_update, write("x")).code == status
    assert person.sees("A1") == ("x" if after_commit else "")
    book.batch_update(write("y"))
    assert person.sees("A1") == "y"


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_reply_that_never_comes(google, book, person: Person, after_commit: bool) -> None:
    google.inject(Dropped(after_commit=after_commit), on=writes)
    with pytest.raises(requests.exceptions.ConnectionError):
        book.batch_update(write("x"))
    assert person.sees("A1") == ("x" if after_commit else "")
    assert google.calls[-1].status is None


@pytest.mark.parametrize(
    "fault", [Refused(503), Refused(503, after_commit=True), Dropped(), Dropped(after_commit=True)]
)
@pytest.mark.parametrize("broken", [False, True])
def test_no_fault_leaves_half_a_batch(google, batch, person: Person, fault, broken: bool) -> None:
    """Whatever happens to the call, the batch is there wholly or not at all."""
    requests_ = [*write("x")["requests"], *write("y", 1)["requests"]]
    if broken:
        requests_.append({"deleteSheet": {"sheetId": 99}})
    google.inject(fault, on=writes)
    with pytest.raises((APIError, requests.exceptions.ConnectionError)):
        batch(*requests_)
    done = fault.after_commit and not broken
    assert person.sees_rows("Sheet1") == ([["x"], ["y"]] if done else [])


def test_when_to_come_back(google, book) -> None:
    google.inject(Refused(429, retry_after=timedelta(seconds=30)), on=writes)
    failed = failure(book.batch_update, write("x"))
    assert failed.response.headers["Retry-After"] == "30"
    assert failed.error["status"] == "RESOURCE_EXHAUSTED"


def test_faults_wait_for_their_calls(google, book, sheet) -> None:
    """The second and the third read, no write."""
    google.inject(Refused(500), on=reads, skip=1, times=2)
    sheet.acell("A1")
    book.batch_update(write("x"))
    assert failure(sheet.acell, "A1").code == 500
    assert failure(sheet.acell, "A1").code == 500
    assert sheet.acell("A1").value == "x"


def test_drive_fails_on_its_own(google, client) -> None:
    google.new_spreadsheet("Orders")
    google.inject(Refused(503), on=drive_calls)
    assert failure(client.list_spreadsheet_files).code == 503
    assert client.list_spreadsheet_files()


def test_time_passes_on_the_clock_that_was_handed_in(google, book) -> None:
    google.inject(Slow(timedelta(seconds=50)))
    book.batch_update(write("x"))
    assert google.calls[-1].at == NOON + timedelta(seconds=50)


def test_what_takes_too_long_does_not_happen(google, book, person: Person) -> None:
    google.inject(Slow(timedelta(seconds=181)), on=writes)
    assert failure(book.batch_update, write("x")).code == 504
    assert person.sees("A1") == ""


def test_somebody_edits_between_read_and_write(google, book, sheet, person: Person) -> None:
    google.inject(Meanwhile(lambda: person.inserts_rows("Sheet1", 1)), on=writes)
    person.types("A1", "theirs")
    assert sheet.acell("A1").value == "theirs"
    book.batch_update(write("ours"))
    assert sheet.col_values(1) == ["ours", "theirs"]


def test_a_tab_that_somebody_deletes_meanwhile(google, book, person: Person) -> None:
    tab = book.add_worksheet("Mine", 5, 5)
    google.inject(Meanwhile(lambda: person.deletes_tab("Mine")), on=writes)
    requests_ = {
        "requests": [
            {"deleteDimension": {"range": {"sheetId": tab.id, "dimension": "ROWS", "endIndex": 1}}}
        ]
    }
    message = failure(book.batch_update, requests_).error["message"]
    assert message == f"Invalid requests[0].deleteDimension: No grid with id: {tab.id}"


def test_another_writer_wins_meanwhile(google, book, sheet) -> None:
    google.inject(Meanwhile(lambda: book.batch_update(write("other"))), on=reads)
    assert sheet.acell("A1").value == "other"


def test_of_many_writers_at_once_one_wins_each_round(google, book) -> None:
    """Eight threads replace the same named range: the fence lets one through, whole."""

    def attempt(writer: int) -> bool:
        named = {"namedRangeId": f"w{writer}", "name": f"run_{writer}", "range": {"endRowIndex": 1}}
        swap = [
            {"deleteNamedRange": {"namedRangeId": "start"}},
            {"addNamedRange": {"namedRange": named}},
        ]
        client = open_client(endpoint=google.url)
        body = {"requests": [*swap, *write(f"writer {writer}")["requests"]]}
        try:
            client.http_client.batch_update(book.id, body)
        except APIError:
            return False
        finally:
            client.http_client.session.close()
        return True

    first = {"namedRangeId": "start", "name": "start", "range": {"endRowIndex": 1}}
    book.batch_update({"requests": [{"addNamedRange": {"namedRange": first}}]})
    with ThreadPoolExecutor(8) as pool:
        won = [writer for writer, done in enumerate(pool.map(attempt, range(8))) if done]
    (winner,) = won
    assert book.values_get("A1")["values"] == [[f"writer {winner}"]]
    assert [named["namedRangeId"] for named in book.list_named_ranges()] == [f"w{winner}"]


def test_a_spreadsheet_that_is_not_shared(google, client, book) -> None:
    google.unshare(book.id, google.account)
    failed = failure(book.batch_update, write("x"))
    assert (failed.code, failed.error["status"]) == (403, "PERMISSION_DENIED")
    assert failed.error["message"] == "The caller does not have permission"
    with pytest.raises(PermissionError):
        client.open_by_key(book.id)
    assert not client.list_spreadsheet_files()


def test_who_to_share_with(google, client) -> None:
    """The error does not say it, and an endpoint needs no key that would: Drive does."""
    about = client.http_client.request(
        "get", "https://www.googleapis.com/drive/v3/about", params={"fields": "user"}
    )
    assert about.json()["user"]["emailAddress"] == google.account


def test_a_reader_cannot_write(google, book, sheet) -> None:
    google.share(book.id, google.account, role="reader")
    sheet.acell("A1")
    assert failure(book.batch_update, write("x")).code == 403


def test_a_spreadsheet_that_is_gone(google, client, book) -> None:
    google.delete_spreadsheet(book.id)
    assert failure(book.batch_update, write("x")).error["status"] == "NOT_FOUND"
    with pytest.raises(gspread.SpreadsheetNotFound):
        client.open_by_key(book.id)


def test_who_can_read(google, book) -> None:
    google.share(book.id, "anyone", role="reader")
    kinds = {(one["type"], one["role"]) for one in book.list_permissions()}
    assert kinds == {("user", "owner"), ("user", "writer"), ("anyone", "reader")}
    google.unshare(book.id, "anyone")
    assert {one["type"] for one in book.list_permissions()} == {"user"}


def test_sixty_writes_a_minute() -> None:
    """Reads are counted apart, and the next minute everything is allowed again."""
    with spreadsheet(Limits()) as (google, book):
        for _ in range(60):
            book.batch_update(write("x"))
        failed = failure(book.batch_update, write("y"))
        book.values_get("A1")
        google.wait(timedelta(seconds=59))
        assert failure(book.batch_update, write("y")).code == 429
        google.wait(timedelta(seconds=1))
        book.batch_update(write("y"))
    assert failed.error["details"][0]["metadata"]["quota_limit"] == "WriteRequestsPerMinutePerUser"


def test_a_projects_users_share_its_quota() -> None:
    with spreadsheet(Limits(reads_per_project=3)) as (_, book):
        for _ in range(2):
            book.values_get("A1")
        assert "per minute'" in failure(book.values_get, "A1").error["message"]


@pytest.mark.parametrize(
    ("limits", "request_", "message"),
    [
        (
            Limits(cells=30_000),
            {"appendDimension": {"dimension": "ROWS", "length": 500}},
            "above the limit of 30000 cells",
        ),
        (
            Limits(cells=30_000),
            {"addSheet": {"properties": {"gridProperties": {"rowCount": 10**9}}}},
            "above the limit of 30000 cells",
        ),
        (
            Limits(columns=30),
            {"appendDimension": {"dimension": "COLUMNS", "length": 5}},
            "30 columns",
        ),
        (Limits(tabs=1), {"addSheet": {}}, "1 sheets"),
        (
            Limits(cell_characters=9),
            write("ten letter")["requests"][0],
            "maximum of 9 characters in a single cell",
        ),
    ],
)
def test_what_is_too_much(limits: Limits, request_: dict[str, Any], message: str) -> None:
    with spreadsheet(limits) as (_, book):
        assert message in failure(book.batch_update, {"requests": [request_]}).error["message"]


def test_metadata_is_counted_by_tab() -> None:
    def piece(location: dict[str, Any]) -> dict[str, Any]:
        given = {
            "metadataKey": "k" * 6,
            "metadataValue": "v" * 6,
            "visibility": "DOCUMENT",
            "location": location,
        }
        return {"requests": [{"createDeveloperMetadata": {"developerMetadata": given}}]}

    with spreadsheet(Limits(metadata_characters=20)) as (_, book):
        book.batch_update(piece({"sheetId": 0}))
        book.batch_update(piece({"spreadsheet": True}))
        assert (
            "more than 20 characters"
            in failure(book.batch_update, piece({"sheetId": 0})).error["message"]
        )


def test_too_many_requests_and_too_large_a_body() -> None:
    with spreadsheet(Limits(requests=2, payload=1000)) as (_, book):
        many = {"requests": write("x")["requests"] * 3}
        assert "The limit is 2" in failure(book.batch_update, many).error["message"]
        assert failure(book.batch_update, write("x" * 1000)).code == 413


def test_calls_are_counted_with_their_bytes(google, book, sheet) -> None:
    before = len(google.calls)
    sheet.get_all_values()
    book.batch_update(write("x"))
    read, written = google.calls[before:]
    assert (read.method, read.kind) == ("sheets.spreadsheets.values.get", "Read")
    assert (written.method, written.is_write, written.spreadsheet) == (
        "sheets.spreadsheets.batchUpdate",
        True,
        book.id,
    )
    assert written.sent > 100
    assert written.received > 0


def test_a_bug_of_the_emulator_is_no_fault_of_the_clients() -> None:
    """It answers 500, and fails the test when the emulator closes, whatever the client made of it."""

    def crash() -> None:
        raise ZeroDivisionError("a hook that fails")

    def read() -> None:
        with spreadsheet(Limits()) as (google, book):
            google.inject(Meanwhile(crash))
            assert failure(book.values_get, "A1").code == 500

    with pytest.raises(ZeroDivisionError):
        read()
