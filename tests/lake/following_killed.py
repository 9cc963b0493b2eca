"""A process that follows, and is killed. A script, started by tests; it imports once and forks.

    following_killed.py URL ROOT

Each line of its input is told of in a line of its output: `kill SECONDS` follows and is killed after so
long, `finish` lands all there is. The answer is how that ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

from genesis.clock import SystemClock
from genesis.errors import EngineBusy
from genesis.lake import follow as following
from genesis.spec.project import SourceSystem, Target
from tests.lake.storm import MOVIE, TASK

following._PAUSE = timedelta(milliseconds=20)
following._MESSAGES_AT_ONCE = 500  # several parts of a peek, as under real load

BUSY = 75


def follow(url: str, root: Path, *, keep_going: bool) -> int:
    origin = following.Origin("studio_db", SourceSystem(postgres=url), (MOVIE, TASK))
    lake = following.Lake(root, Target(), SystemClock())
    try:
        for landing in following.follow(origin, lake, keep_going=keep_going):
            if landing.rejected:
                return 1
    except EngineBusy:
        return BUSY
    return 0


def start(url: str, root: Path, *, keep_going: bool) -> int:
    child = os.fork()
    if child == 0:
        try:
            os._exit(follow(url, root, keep_going=keep_going))
        except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
            traceback.print_exc()
            os._exit(3)
    return child


def answer(line: str, url: str, root: Path) -> str:
    match line.split():
        case ["kill", seconds]:
            child = start(url, root, keep_going=True)
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)
        case _:
            child = start(url, root, keep_going=False)
    status = os.waitpid(child, 0)[1]
    return "killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    for asked in sys.stdin:
        sys.stdout.write(answer(asked, sys.argv[1], Path(sys.argv[2])) + "\n")
        sys.stdout.flush()
