"""A new run ledger in the place of one that is damaged or lost; what was there is kept beside it.

Nothing that a tracker needs stands in the ledger alone: definitions are files, and a tracker says itself
what it shows. Without history each is read and compared wholly at its next run; schedules begin now.
The surprise: who uses a ledger holds a lock beside its file, since a damaged one cannot be asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from genesis.errors import EngineBusy, EngineError, Problem
from genesis.run.ledger import Ledger
from genesis.run.scheduler import Scheduler
from genesis.run.state import State, file_of
from genesis.spec.project import Project

try:
    import fcntl
except ImportError:  # Windows: there nobody is kept from it
    fcntl = None  # type: ignore[assignment]

LOST = (
    "history: what ran, when and why",
    "pauses: what has to stay paused is to be paused again",
    "held changes and approvals: the next run holds them again",
    "what was settled: daily questions, known differences of audits, alerts that were told",
)
"""What a ledger has, and nothing else."""


def is_lost(url: str, root: Path) -> bool:
    """Whether there is no file where the ledger should be."""
    file = file_of(url, root)
    return file is not None and not file.exists()


@contextmanager
def in_use(file: Path | None) -> Iterator[None]:
    """Keep a ledger's file from being put aside."""
    with _locked(file, wait=True):
        yield


def rebuild(url: str, root: Path, project: Project, *, at: datetime) -> Path | None:
    """Make a new ledger, its schedules beginning now; where the old one is, if there was one.

    One that is whole stays as it is. Raises `EngineBusy` while somebody uses it.
    """
    file = file_of(url, root)
    if file is None:
        hint = "restore it, or name an empty database as `state`: its tables are made by themselves"
        message = "a database of a server is not rebuilt by genesis"
        raise EngineError(Problem("state-failed", message, hint=hint))
    with _locked(file, wait=False):
        aside = _put_aside(file, at) if file.exists() and not _is_whole(url, root) else None
        with closing(Ledger(url, root)) as ledger:
            Scheduler(ledger.state, lambda: at, project, engine="")
    return aside


def _is_whole(url: str, root: Path) -> bool:
    try:
        with closing(State(url, root)) as state:
            state.check()
    except EngineBusy:
        raise
    except EngineError:
        return False
    return True


def _put_aside(file: Path, at: datetime) -> Path:
    """What belongs to it goes first: a new file must not find the log of the old one."""
    aside = file.with_name(f"{file.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            file.with_name(file.name + end).rename(aside.with_name(aside.name + end))
    return aside


@contextmanager
def _locked(file: Path | None, *, wait: bool) -> Iterator[None]:
    """Share the lock with all who use the file; without waiting, have it alone. Raises `EngineBusy`."""
    if file is None or fcntl is None:
        yield
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.with_name(f"{file.name}.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "end `genesis schedule` and `genesis run` on this machine first"
            message = f"`{file.name}` is in use: a scheduler or a run is alive"
            raise EngineBusy(Problem("state-failed", message, hint=hint)) from error
        yield
