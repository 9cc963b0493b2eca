"""The run ledger keeps what ran, survives a kill, and tells clearly when it cannot."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genesis.errors import EngineError
from genesis.run.ledger import Ledger
from genesis.run.queue import Asked, Claim, End, Queue
from genesis.run.state import _make_durable

URL = "sqlite:///.genesis/state.db"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(URL, tmp_path)


def start(ledger: Ledger, key: str, at: datetime = NOON) -> Claim:
    asked = Asked(key, "w.j", "cron", key, at, at, place="sheet")
    Queue(ledger.state).ask([asked], at=at)
    claim = Queue(ledger.state).claim("here/1/1", now=at, lease=timedelta(minutes=1))
    assert claim
    return claim


def test_a_run_is_there_before_it_ends(ledger: Ledger) -> None:
    """What is being done can be seen, and what was cut off too."""
    start(ledger, "a")
    (run,) = ledger.last_runs("w.j")
    assert (run.state, run.finished_at) == ("running", None)


def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    """Each one waits for the disk; but for those of other tests, see the root conftest."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        _make_durable(connection, None)
        full = 2
        assert connection.execute("PRAGMA synchronous").fetchone() == (full,)


def test_what_a_run_found_is_kept(ledger: Ledger) -> None:
    end = End("succeeded", rows=3, receipt={"inserted": 3}, snapshots={"movie": 7})
    Queue(ledger.state).finish(start(ledger, "a"), end, at=NOON + timedelta(seconds=2))
    (found,) = ledger.last_runs("w.j")
    assert (found.state, found.rows, found.receipt) == ("succeeded", 3, {"inserted": 3})
    assert found.snapshots == {"movie": 7}
    assert found.finished_at == NOON + timedelta(seconds=2)


def test_the_last_success_is_not_the_last_run(ledger: Ledger) -> None:
    """A failure does not hide when the tracker was last right."""
    for number, state in enumerate(["succeeded", "no_change", "failed"]):
        at = NOON + timedelta(hours=number)
        Queue(ledger.state).finish(start(ledger, str(number), at), End(state), at=at)
    success = ledger.last_success("w.j")
    assert success is not None
    assert success.state == "no_change"
    assert ledger.last_success("w.other") is None
    assert ledger.last_successes(["w.other", "w.j"]) == {"w.j": success}
    assert ledger.last_done(["w.j", "w.other"])["w.j"].state == "failed"


def test_its_file_is_private(ledger: Ledger, tmp_path: Path) -> None:
    """Problems may name what only the team should read."""
    start(ledger, "a")
    assert stat.S_IMODE((tmp_path / ".genesis" / "state.db").stat().st_mode) == 0o600


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """No traceback, and the way out."""
    (tmp_path / ".genesis").mkdir()
    (tmp_path / ".genesis" / "state.db").write_bytes(b"this is no database, it is a poem" * 200)
    with pytest.raises(EngineError) as refused:
        Ledger(URL, tmp_path)
    (problem,) = refused.value.problems
    assert problem.code == "state-failed"
    assert "genesis state rebuild" in (problem.hint or "")


def test_what_was_written_survives_a_kill(tmp_path: Path) -> None:
    """A process that is killed right after `start` leaves its run in the ledger."""
    program = f"""
import os, signal
from pathlib import Path
from genesis.run.ledger import Ledger
from tests.run.test_ledger import start
start(Ledger({URL!r}, Path({str(tmp_path)!r})), "a")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    (run,) = Ledger(URL, tmp_path).last_runs("w.j")
    assert run.state == "running"
