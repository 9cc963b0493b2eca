"""A ledger that is damaged or lost, or on a full disk: told clearly, nothing written without it, made anew."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.errors import EngineError
from genesis.run.ledger import Ledger
from genesis.run.queue import Asked, Queue
from genesis.run.rebuild import in_use
from genesis.run.state import State
from genesis.run.triggers import Triggers
from tests.run.virtual import MONDAY, project_of, workflow

URL = "sqlite:///.genesis/state.db"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a ledger in which a few hundred runs stand."""
    project_of(tmp_path, workflow("movies", "schedule: {every: 1h}"))
    with closing(Ledger(URL, tmp_path)) as ledger:
        Triggers(ledger.state).pause("movies", at=MONDAY, until=None, reason=None, by="ada")
        keys = [f"key {n} {'x' * 200}" for n in range(300)]
        asked = [Asked(k, "movies.movies", "cron", k, MONDAY, MONDAY, place="a") for k in keys]
        Queue(ledger.state).ask(asked, at=MONDAY)
    return tmp_path


def file(root: Path) -> Path:
    return root / ".genesis" / "state.db"


def poem(root: Path) -> None:
    file(root).write_bytes(b"this is no database, it is a poem" * 200)


def truncated(root: Path) -> None:
    os.truncate(file(root), file(root).stat().st_size // 2)


def flipped(root: Path) -> None:
    with file(root).open("r+b") as handle:
        for page in range(4, file(root).stat().st_size // 4096, 3):
            handle.seek(page * 4096)
            handle.write(os.urandom(600))


DAMAGES = [poem, truncated, flipped]


def genesis(root: Path, *arguments: str) -> int:
    return run_command(["-C", str(root), *arguments])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger_is_told(root: Path, damage: object) -> None:
    damage(root)  # type: ignore[operator]
    with (
        pytest.raises(EngineError, match="state-failed") as refused,
        closing(State(URL, root)) as s,
    ):
        s.check()
    assert "genesis state rebuild" in str(refused.value.problems[0].hint)


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_made_anew(root: Path, damage: object, capsys: pytest.CaptureFixture[str]) -> None:
    """The damaged file is kept, schedules begin now, what is lost is said."""
    damage(root)  # type: ignore[operator]
    damaged = file(root).read_bytes()
    assert genesis(root, "schedule") == 3
    assert "genesis state rebuild" in capsys.readouterr().err
    assert genesis(root, "state", "rebuild") == 0
    said = capsys.readouterr().out
    assert "pauses" in said
    (aside,) = file(root).parent.glob("*.damaged-*Z")
    assert aside.read_bytes() == damaged
    with closing(Ledger(URL, root)) as ledger:
        ledger.state.check()
        assert ledger.newest(1) == ()
        with ledger.state.reading() as connection:
            marks = Triggers(ledger.state).watermarks(connection, {"movies": "every 3600s"})
        assert marks["movies"] > MONDAY
    assert genesis(root, "state", "rebuild") == 0
    assert "it stays as it is" in capsys.readouterr().out


def test_one_that_is_gone_is_made_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for each in file(root).parent.iterdir():
        each.unlink()
    assert genesis(root, "state", "rebuild") == 0
    assert "a new ledger" in capsys.readouterr().out
    assert file(root).exists()


def test_one_that_is_in_use_is_left_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poem(root)
    with in_use(file(root)):
        assert genesis(root, "state", "rebuild") == 75
    assert "end `genesis schedule`" in capsys.readouterr().err
    assert genesis(root, "state", "rebuild") == 0


def test_who_died_does_not_use_it_any_more(root: Path) -> None:
    """The lock goes with its process."""
    poem(root)
    lock = file(root).with_name("state.db.lock")
    program = f"import fcntl, os; f = open({str(lock)!r}, 'a'); fcntl.flock(f, fcntl.LOCK_SH); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert genesis(root, "state", "rebuild") == 0


FULL = """
import resource, sys
from datetime import timedelta
from pathlib import Path
from genesis.errors import EngineBusy
from genesis.run.ledger import Ledger
from genesis.run.queue import Asked
from tests.run.virtual import MONDAY, Node, Places, VirtualClock

root, moment = Path(sys.argv[1]), sys.argv[2]
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
fill = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
clear = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
clock = VirtualClock(MONDAY)
ledger = Ledger("sqlite:///state.db", root)
places = Places(clock, fail=lambda _, at: fill() if at == moment else None)
node = Node(ledger, places)
node.queue.ask([Asked("k", "w.j", "cron", "k", MONDAY, MONDAY, place="a")], at=MONDAY)
if moment == "claim":
    fill()
try:
    node.work()
except EngineBusy as error:
    print(error.problems[0].hint)
wrote = len(places.writes)
places.fail = lambda _, __: None
clear()
clock.sleep(timedelta(minutes=5))
node.queue.take_over(now=clock.now())
node.work()
print(wrote, len(places.writes), ledger.last_runs("w.j")[0].state)
"""


@pytest.mark.parametrize("moment", ["claim", "read"])
def test_nothing_is_written_while_the_disk_is_full(tmp_path: Path, moment: str) -> None:
    """A tracker is written after the ledger has it that it may be; both go on when there is room."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), moment],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    hint, end = done.stdout.splitlines()
    assert "no tracker is written meanwhile" in hint
    assert end == "0 1 succeeded"
