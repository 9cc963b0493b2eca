"""An emulator with a clock that stands still, and a spreadsheet in it as gspread sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import gspread
import pytest

from genesis.sinks.google.client import open_client
from genesis.testing.sheets import HandClock, Limits, Person, SheetsEmulator

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROOMY = Limits(
    reads_per_user=10**6, writes_per_user=10**6, reads_per_project=10**6, writes_per_project=10**6
)
Batch = Callable[..., list[dict[str, Any]]]


@contextmanager
def opened(google: SheetsEmulator) -> Iterator[gspread.Client]:
    """A client that closes its connections."""
    client = open_client(endpoint=google.url)
    try:
        yield client
    finally:
        client.http_client.session.close()


@pytest.fixture
def google() -> Iterator[SheetsEmulator]:
    """An emulator that no quota disturbs."""
    with SheetsEmulator(clock=HandClock(NOON), limits=ROOMY) as emulator:
        yield emulator


@pytest.fixture
def client(google: SheetsEmulator) -> Iterator[gspread.Client]:
    """gspread, pointed at the emulator."""
    with opened(google) as client:
        yield client


@pytest.fixture
def book(google: SheetsEmulator, client: gspread.Client) -> gspread.Spreadsheet:
    """A spreadsheet of a person's, shared with the service account."""
    return client.open_by_key(google.new_spreadsheet("Orders 2026"))


@pytest.fixture
def sheet(book: gspread.Spreadsheet) -> gspread.Worksheet:
    """Its one tab."""
    return book.sheet1


@pytest.fixture
def person(google: SheetsEmulator, book: gspread.Spreadsheet) -> Person:
    """Its owner, at the keyboard."""
    return google.person(book.id)


@pytest.fixture
def batch(book: gspread.Spreadsheet) -> Batch:
    """Send requests as one batch; the replies come back."""

    def send(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        replies: list[dict[str, Any]] = book.batch_update({"requests": list(requests)})["replies"]
        return replies

    return send
