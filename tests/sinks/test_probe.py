"""`genesis sinks probe` finds what the sinks rely on, and says where a service differs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import genesis.clock
from genesis.cli import run_command
from genesis.testing.airtable import Airtable
from genesis.testing.airtable import server as airtable_server
from genesis.testing.airtable.server import Token
from genesis.testing.clock import HandClock
from genesis.testing.sheets import Refused, SheetsEmulator, writes
from genesis.testing.sheets import requests as batches
from genesis.testing.sheets import service as sheets_service
from genesis.testing.sheets.answers import ApiError
from genesis.testing.sheets.server import ACCOUNT

Json = dict[str, Any]
REFRESHES = "refreshes insert, update, delete and move rows, and a note stays with its row"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """The clock of both sides: nobody waits."""
    clock = HandClock()
    monkeypatch.setattr(genesis.clock, "SystemClock", lambda: clock)
    return clock


@pytest.fixture
def google(clock: HandClock, tmp_path: Path) -> Iterator[SheetsEmulator]:
    with SheetsEmulator(clock=clock) as google:
        _project(tmp_path, google_sheets={"endpoint": google.url})
        yield google


@pytest.fixture
def airtable(clock: HandClock, tmp_path: Path) -> Iterator[Airtable]:
    with Airtable(clock=clock) as airtable:
        airtable.base("app1")
        _project(tmp_path, airtable={"endpoint": airtable.url, "token": "any"})
        yield airtable


def _project(folder: Path, **sinks: Any) -> None:
    (folder / "genesis.yaml").write_text(json.dumps({"sinks": sinks}))


def probe(folder: Path, *arguments: str) -> int:
    return run_command(["-C", str(folder), "sinks", "probe", *arguments])


def differing(folder: Path, capsys: Any, *arguments: str) -> list[str]:
    """The claims that reality does not bear out."""
    exit_code = probe(folder, *arguments, "--yes", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    claims = [fact["claim"] for fact in told["facts"] if not fact["agrees"]]
    assert (told["schema"], exit_code) == ("genesis/probe@1", 1 if claims else 0)
    return claims


# ---- Google Sheets


def test_a_spreadsheet_is_probed(google: SheetsEmulator, tmp_path: Path, capsys: Any) -> None:
    """Each fact gets a line; fewer calls than Google allows in a minute."""
    book = google.new_spreadsheet("Scratch")
    assert probe(tmp_path, "google_sheets", book, "--yes") == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()[2:]
    assert len(lines) == 29
    assert all(line.endswith("  as expected") for line in lines)
    assert told.err == "all 29 facts are as expected\n"
    assert sum(call.is_write for call in google.calls) < 60
    assert sum(not call.is_write for call in google.calls) < 60


def test_nothing_is_left_behind(google: SheetsEmulator, tmp_path: Path, capsys: Any) -> None:
    """What people have in the spreadsheet is as it was."""
    book = google.new_spreadsheet("Scratch")
    google.person(book).types("A1", "mine")
    before = google._service.book(book)
    assert differing(tmp_path, capsys, "google_sheets", book) == []
    after = google._service.book(book)
    assert [tab.title for tab in after.tabs] == [tab.title for tab in before.tabs]
    assert google.person(book).sees_rows("Sheet1") == [["mine"]]
    assert (after.names, after.metadata) == ({}, {})


def _moves_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(batches.REQUESTS, "moveDimension", lambda _, __: {})


def _goes_on_after_a_mistake(patch: pytest.MonkeyPatch) -> None:
    def apply_all(batch: Any, requests: list[Json]) -> list[Json]:
        replies: list[Json] = []
        for request in requests:
            try:
                replies += batches.apply_all(batch, [request])
            except ApiError:
                replies.append({})
        return replies

    patch.setattr(sheets_service, "apply_all", apply_all)


def _clears_all_of_a_cell(patch: pytest.MonkeyPatch) -> None:
    update = batches.REQUESTS["updateCells"]
    patch.setitem(
        batches.REQUESTS, "updateCells", lambda batch, given: update(batch, given | {"fields": "*"})
    )


@pytest.mark.parametrize(
    ("differs", "claims"),
    [
        (
            _moves_nothing,
            [
                "a row moves to where it would stand before it leaves",
                "a note moves with its row",
                "metadata follows a column that moves",
                REFRESHES,
            ],
        ),
        (
            _goes_on_after_a_mistake,
            [
                "a batch with one wrong request does nothing",
                "a named range whose id is taken is refused",
                "a named range that is gone cannot be deleted",
                "of two writers that saw one fence, the second is refused",
                "below the last row nothing is inserted like the one after",
            ],
        ),
        (
            _clears_all_of_a_cell,
            [
                "a value that is written leaves note and looks",
                "a date is a number of days since 1899-12-30",
                REFRESHES,
            ],
        ),
    ],
)
def test_a_google_that_differs_is_found_out(
    google: SheetsEmulator,
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
    differs: Callable[[pytest.MonkeyPatch], None],
    claims: list[str],
) -> None:
    """By the facts that rest on it, and no others."""
    differs(monkeypatch)
    book = google.new_spreadsheet("Scratch")
    assert differing(tmp_path, capsys, "google_sheets", book) == claims


def test_what_differs_is_told(
    google: SheetsEmulator, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was expected, and what was found."""
    _moves_nothing(monkeypatch)
    assert probe(tmp_path, "google_sheets", google.new_spreadsheet("Scratch"), "--yes") == 1
    told = capsys.readouterr()
    assert "DIFFERS: expected ['b', 'a', 'c', 'd'], found ['a', 'b', 'c', 'd']" in told.out
    assert told.err == "4 of 29 facts differ\n"


def test_a_probe_that_is_broken_off_cleans_up(
    google: SheetsEmulator, tmp_path: Path, capsys: Any
) -> None:
    """A service that stops to answer is no fact about it."""
    book = google.new_spreadsheet("Scratch")
    google.inject(Refused(503), on=writes, skip=7)
    assert probe(tmp_path, "google_sheets", book, "--yes") == 75
    assert "error[service-busy]" in capsys.readouterr().err
    assert [tab.title for tab in google._service.book(book).tabs] == ["Sheet1"]


def test_a_spreadsheet_that_is_not_shared_is_no_fact(
    google: SheetsEmulator, tmp_path: Path, capsys: Any
) -> None:
    """Nor is one that may only be read; the way out is told."""
    book = google.new_spreadsheet("Scratch", share=False)
    assert probe(tmp_path, "google_sheets", book, "--yes") == 4
    google.share(book, ACCOUNT, "reader")
    assert probe(tmp_path, "google_sheets", book, "--yes") == 4
    assert capsys.readouterr().err.count(f"share it with `{ACCOUNT}` as an editor") == 2


@pytest.mark.parametrize(("answer", "exit_code"), [("", 130), ("n\n", 130), ("y\n", 0)])
def test_it_asks_before_it_makes_anything(
    google: SheetsEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    exit_code: int,
) -> None:
    """Without a yes nothing is called."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert probe(tmp_path, "google_sheets", google.new_spreadsheet("Scratch")) == exit_code
    assert (google.calls == []) == (answer != "y\n")


# ---- Airtable


def test_a_base_is_probed(airtable: Airtable, tmp_path: Path, capsys: Any) -> None:
    """Twice, in one table that stays, without records."""
    airtable.base("app1").add_table("Films", "Title")
    for _ in range(2):
        assert differing(tmp_path, capsys, "airtable", "app1") == []
    (films, scratch) = airtable.base("app1").tables
    assert (films.name, scratch.name, scratch.rows) == ("Films", "genesis probe", [])


@pytest.mark.usefixtures("airtable")
def test_an_airtable_that_differs_is_found_out(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes eleven records at once."""
    monkeypatch.setattr(airtable_server, "_is_batch", lambda _: True)
    claims = ["eleven records are refused"]
    assert differing(tmp_path, capsys, "airtable", "app1") == claims


def test_a_table_that_is_somebody_s_is_not_touched(
    airtable: Airtable, tmp_path: Path, capsys: Any
) -> None:
    """Though it has the name that a probe would give it."""
    table = airtable.base("app1").add_table("genesis probe", "Title")
    table.add(Title="mine")
    assert probe(tmp_path, "airtable", "app1", "--yes") == 4
    assert "that a probe did not make" in capsys.readouterr().err
    assert table.rows == [{"Title": "mine"}]


def test_a_token_that_may_not_is_no_fact(airtable: Airtable, tmp_path: Path, capsys: Any) -> None:
    """It is told which scopes are needed."""
    airtable.tokens = {"any": Token(["app1"], ["schema.bases:read", "data.records:read"])}
    assert probe(tmp_path, "airtable", "app1", "--yes") == 4
    assert "`schema.bases:write`" in capsys.readouterr().err
