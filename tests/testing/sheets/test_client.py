"""Our client: another address for all of Google's, limits on time, no retry; and real tokens."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from gspread.exceptions import APIError

from genesis.sinks.google.client import ServiceAccount, Timeouts, open_client
from genesis.testing.sheets import Refused


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    """The key of a service account, as Google hands them out."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": "robot@project.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def test_a_service_account_gets_a_token_and_is_who_it_says(google, key) -> None:
    """The whole flow of google-auth, signature and all; it sees only what is shared with it."""
    mine = google.new_spreadsheet("Mine", share=False)
    client = open_client(endpoint=google.url, account=ServiceAccount(key, google.url))
    try:
        with pytest.raises(PermissionError):
            client.open_by_key(mine)
        google.share(mine, key["client_email"])
        assert client.open_by_key(mine).title == "Mine"
        assert google.calls[-1].user == key["client_email"]
    finally:
        client.http_client.session.close()


def test_a_token_runs_out_and_is_fetched_anew(google, key) -> None:
    """google-auth goes by the machine's clock, so it does not know; the answer is 401."""
    mine = google.new_spreadsheet("Mine", share=False)
    google.share(mine, key["client_email"])
    client = open_client(endpoint=google.url, account=ServiceAccount(key, google.url))
    try:
        book = client.open_by_key(mine)
        google.wait(timedelta(hours=1))
        with pytest.raises(APIError) as refused:
            book.values_get("A1")
        assert refused.value.code == 401
    finally:
        client.http_client.session.close()


def test_nothing_is_tried_twice(google, book) -> None:
    google.inject(Refused(503), times=5)
    before = len(google.calls)
    with pytest.raises(APIError):
        book.values_get("A1")
    assert len(google.calls) == before + 1


def test_there_is_a_limit_on_time(client) -> None:
    assert client.http_client.timeout == (10, 190)
    assert Timeouts(read=timedelta(seconds=1)).seconds == (10, 1)


def test_only_what_is_meant_for_google_is_sent_elsewhere(client) -> None:
    with pytest.raises(requests.exceptions.InvalidURL):
        client.http_client.request("get", "https://example.com/")


def test_a_client_needs_somewhere_to_go() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        open_client()


def test_spreadsheets_are_created_listed_shared_and_deleted(client) -> None:
    book = client.create("New")
    assert [file["name"] for file in client.list_spreadsheet_files()] == ["New"]
    book.share("ann@example.com", perm_type="user", role="reader", notify=False)
    shared = {one.get("emailAddress"): one["id"] for one in book.list_permissions()}
    book.client.remove_permission(book.id, shared["ann@example.com"])
    assert len(book.list_permissions()) == 1
    client.del_spreadsheet(book.id)
    assert not client.list_spreadsheet_files()


def test_a_spreadsheet_is_created_as_it_is_wanted(client) -> None:
    body = {
        "properties": {"title": "Shaped", "timeZone": "Europe/Berlin"},
        "sheets": [
            {"properties": {"title": "Orders", "gridProperties": {"rowCount": 3, "columnCount": 2}}}
        ],
    }
    url = "https://sheets.googleapis.com/v4/spreadsheets"
    made = client.http_client.request("post", url, json=body).json()
    book = client.open_by_url(made["spreadsheetUrl"])
    assert (book.title, book.timezone) == ("Shaped", "Europe/Berlin")
    (tab,) = book.worksheets()
    assert (tab.title, tab.row_count, tab.col_count) == ("Orders", 3, 2)


def test_a_file_knows_when_it_changed(google, client, book) -> None:
    url = f"https://www.googleapis.com/drive/v3/files/{book.id}"
    first = client.http_client.request("get", url, params={"fields": "version"}).json()
    google.person(book.id).types("A1", "x")
    second = client.http_client.request("get", url, params={"fields": "version"}).json()
    assert int(second["version"]) == int(first["version"]) + 1


def test_a_body_that_is_no_json(client, book) -> None:
    url = f"https://sheets.googleapis.com/v4/spreadsheets/{book.id}:batchUpdate"
    for text in ("{", '{"requests": [NaN]}', "[]"):
        with pytest.raises(APIError) as refused:
            client.http_client.request("post", url, data=text.encode())
        assert refused.value.code == 400


def test_an_address_that_is_none(client) -> None:
    with pytest.raises(APIError) as refused:
        client.http_client.request("get", "https://sheets.googleapis.com/v5/spreadsheets")
    assert refused.value.code == 404
    assert json.loads(refused.value.response.text)["error"]["status"] == "NOT_FOUND"
