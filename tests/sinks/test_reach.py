"""`genesis sinks check`: whether services let us in, and as whom, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import genesis.clock
from genesis.cli import run_command
from genesis.testing.airtable import Airtable
from genesis.testing.clock import HandClock
from genesis.testing.sheets import SheetsEmulator
from genesis.testing.sheets.server import ACCOUNT


class Studio:
    """A project with trackers in both services, and one beside it."""

    def __init__(self, folder: Path, google: SheetsEmulator, airtable: Airtable) -> None:
        self.folder, self.google, self.airtable = folder, google, airtable
        self.book = google.new_spreadsheet("Orders 2026")
        airtable.base("app1").add_table("Films", "Title")
        self.place("google_sheets", spreadsheet=self.book, tab="Orders")
        self.place("airtable", base="app1", table="Films")
        self.place("csv", file="films.csv")
        self.sinks(google_sheets={"endpoint": google.url}, airtable={"endpoint": airtable.url})

    def place(self, sink: str, **place: str) -> None:
        job = {"name": "refresh", "refresh": "films", "to": {sink: place}}
        workflow = json.dumps({"workflow": f"in_{sink}", "owner": "me", "jobs": [job]})
        (self.folder / "workflows").mkdir(exist_ok=True)
        (self.folder / "workflows" / f"{sink}.yaml").write_text(workflow)

    def sinks(self, **sinks: Any) -> None:
        (self.folder / "genesis.yaml").write_text(json.dumps({"sinks": sinks}))

    def check(self, *arguments: str) -> int:
        return run_command(["-C", str(self.folder), "sinks", "check", *arguments])


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    clock = HandClock()
    monkeypatch.setattr(genesis.clock, "SystemClock", lambda: clock)
    with SheetsEmulator(clock=clock) as google, Airtable(clock=clock) as airtable:
        yield Studio(tmp_path, google, airtable)


def test_who_is_let_in_is_told(studio: Studio, capsys: Any) -> None:
    """With the account, and what the place is called; files need no check."""
    assert studio.check("--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "genesis/reach@1"
    assert told["trackers"] == [
        {
            "tracker": "in_airtable.refresh",
            "sink": "airtable",
            "account": None,
            "title": "1 table",
            "problem": None,
        },
        {
            "tracker": "in_google_sheets.refresh",
            "sink": "google_sheets",
            "account": ACCOUNT,
            "title": "Orders 2026",
            "problem": None,
        },
    ]
    assert not any(call.is_write for call in studio.google.calls)


def test_each_refusal_is_told(studio: Studio, capsys: Any) -> None:
    """With the way out, and one hinders no other."""
    studio.google.unshare(studio.book, ACCOUNT)
    studio.airtable.bases.clear()
    assert studio.check() == 4
    told = capsys.readouterr()
    assert told.out.count("refused") == 2
    assert f"share it with `{ACCOUNT}` as an editor" in told.err
    assert "base `app1` of tracker `in_airtable.refresh`" in told.err


def test_credentials_that_are_missing_are_told(studio: Studio, capsys: Any) -> None:
    """Nothing can be asked without."""
    studio.sinks()
    assert studio.check() == 2
    told = capsys.readouterr().err
    assert "needs the key of a service account" in told
    assert "Airtable needs a token" in told
    assert studio.google.calls == studio.airtable.calls == []


def test_a_project_without_services(studio: Studio, capsys: Any) -> None:
    """Has nothing to check."""
    for sink in ("google_sheets", "airtable"):
        (studio.folder / "workflows" / f"{sink}.yaml").unlink()
    assert studio.check() == 0
    assert capsys.readouterr().err == "no tracker is in a service\n"
