"""A line of JSON for each thing that happens: complete, without secrets, and never a reason to stop."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genesis.redaction import hide
from genesis.run.ledger import Ledger
from genesis.run.logs import Log
from genesis.run.queue import Claim, End, Queue
from tests.run.test_queue import ask, claim

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def claimed(tmp_path: Path) -> Claim:
    ledger = Ledger("sqlite:///state.db", tmp_path)
    queue = Queue(ledger.state)
    queue.ask([ask("w.j")], at=NOON)
    found = claim(queue)
    ledger.close()
    return found


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_run_that_ended_is_a_line(claimed: Claim) -> None:
    """Which run, which attempt, whose, under which fence, how it ended and how long it took."""
    stream = io.StringIO()
    end = End(
        "failed",
        error_class="user",
        phases={"query": 0.5},
        problems=({"code": "x", "message": "no"},),
    )
    Log(stream, lambda: NOON).ended(claimed, end)
    (line,) = lines(stream)
    assert line == {
        "at": "2026-11-23T12:00:00+00:00",
        "event": "run_ended",
        "run": 1,
        "key": claimed.run.run_key,
        "job": "w.j",
        "attempt": 1,
        "fence": 1,
        "node": "here/1/100",
        "outcome": "failed",
        "error_class": "user",
        "durations": {"query": 0.5},
        "problems": ["no [x]"],
    }


def test_no_line_holds_a_secret(claimed: Claim) -> None:
    """Of a value that is known, a name that says so, or a traceback that quotes it."""
    stream = io.StringIO()
    hide("hunter2hunter2")
    log = Log(stream)
    log.ended(claimed, replace(End("failed"), reason="no hunter2hunter2"))
    try:
        raise ValueError("hunter2hunter2")
    except ValueError as error:
        log.write("tick_failed", error, jwt="x", nested={"api_key": "y", "n": 1})
    assert "hunter2" not in stream.getvalue().replace('raise ValueError("hunter2hunter2")', "")
    told = lines(stream)[1]
    assert "ValueError: ***" in told["error"]
    assert (told["jwt"], told["nested"]) == ("***", {"api_key": "***", "n": 1})


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """The next line that can be says how many are lost."""

    class Full(io.StringIO):
        is_full = True

        def write(self, text: str) -> int:
            if self.is_full:
                raise OSError("no space left")
            return super().write(text)

    stream = Full()
    log = Log(stream)
    log.write("one")
    log.write("two")
    stream.is_full = False
    log.write("three")
    (line,) = lines(stream)
    assert (line["event"], line["lost_lines"]) == ("three", 2)


def test_a_log_in_a_file_is_its_owners(tmp_path: Path) -> None:
    """And goes on where it ended."""
    path = tmp_path / "logs" / "genesis.log"
    for event in ("one", "two"):
        log = Log.to_file(path)
        log.write(event)
        log.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["one", "two"]
