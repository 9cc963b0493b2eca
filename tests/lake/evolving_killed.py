"""Processes that hold, or land what was held, and are killed. A script, started by tests.

    evolving_killed.py [hold|resume ROOT MOMENT]...     one after the other, each killed at its moment

`MOMENT` is as in `ingesting.py`.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from genesis.lake.ingest import ingest
from genesis.lake.resume import resume
from genesis.spec.project import Target
from tests.lake.evolving import NOW, movie
from tests.lake.ingesting import die_at, in_a_child


def hold(root: Path, moment: str) -> None:
    file = root / "2.events"
    ingest(movie(), [file], root=root, target=Target(), now=NOW, told=die_at(moment))


def go_on(root: Path, moment: str) -> None:
    die_at(moment)
    list(resume(movie(), root=root, target=Target(), accept=True))


if __name__ == "__main__":
    words = sys.argv[1:]
    for mode, project, moment in zip(words[::3], words[1::3], words[2::3], strict=True):
        work = partial({"hold": hold, "resume": go_on}[mode], Path(project), moment)
        if not os.WIFSIGNALED(os.waitpid(in_a_child(work), 0)[1]):
            sys.exit(f"`{mode}: {moment}` never came")
