"""Processes that refresh a tracker and meet with something. A script, started by tests.

    refreshing.py die FOLDER            each killed at another moment, until one gets through
    refreshing.py full FOLDER           a disk on which no file may grow beyond 2,000 bytes
    refreshing.py nobody FOLDER         a user who may read the folder and not write to it
    refreshing.py together FOLDER N     at once, each with a row of its own

It imports once and forks, since each import costs a second. Nothing of ours is replaced: deaths
come at Python's audit events, limits from the operating system. Prints a line a process.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from genesis.compile.statement import Column
from genesis.errors import GenesisError
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.types import STRING
from genesis.spec.workflow import Place
from genesis.sync.changes import Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

TRACKER = Tracker(
    "w.j",
    Place(xlsx={"file": "t.xlsx", "tab": "T"}),
    (Column("id", "Id", STRING, key=True), Column("text", "Text", STRING)),
    mode="upsert",
    note="kept by genesis",
)
NOBODY = 65534


def refresh(folder: Path, *keys: str) -> None:
    """One refresh; what it says is printed."""
    rows = pa.table({"id": list(keys), "text": [f"{key} " * 400 for key in keys]})
    sink = XlsxSink(folder)
    try:
        wanted = encode(rows, TRACKER)
        changes = compare(wanted=wanted, present=sink.read(TRACKER), policy=TRACKER.policy)
        sink.apply(TRACKER, changes)
    except GenesisError as error:
        say(*(problem.code for problem in error.problems))
    else:
        say("done")


def say(*words: object) -> None:
    """A line, whole even when several processes talk."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def forked(work: Callable[[], None]) -> int:
    """Start a process that does some work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def dying(folder: Path, moment: int) -> None:
    """Refresh, and die when the file system is touched for the so manieth time."""
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.rename", "os.remove") and str(folder) in str(arguments[0]):
            seen += 1
            if seen > moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    refresh(folder, "a", "new")


def die(folder: Path) -> None:
    for moment in range(50):
        _, status = os.waitpid(forked(lambda moment=moment: dying(folder, moment)), 0)  # type: ignore[misc]
        if not os.WIFSIGNALED(status):
            return
        say("killed", sorted(path.name[:9] for path in folder.iterdir()))


def full(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    refresh(folder, "a", "new")


def nobody(folder: Path) -> None:
    XlsxSink(folder).read(TRACKER)  # loads what Python loads late, and nobody might not
    if os.getuid() == 0:
        os.setuid(NOBODY)
    refresh(folder, "a", "new")


def together(folder: Path, number: str) -> None:
    children = [
        forked(lambda key=f"k{key}": refresh(folder, key))  # type: ignore[misc]
        for key in range(int(number))
    ]
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    deed, folder, *arguments = sys.argv[1:]
    globals()[deed](Path(folder), *arguments)
