"""Processes that compact: some die on the way, some run beside writers. A script, started by tests.

    compacting.py die ROOT MOMENT [ROOT MOMENT]...    one after the other, each killed at its moment
    compacting.py full ROOT STEP                      with no room for files from a step on
    compacting.py beside ROOT SECONDS SEED            a compactor, writers and whoever alters the table, all killed at random

It imports once and forks. Nothing of ours is replaced: deaths come from the steps that `compact`
tells and from SQLAlchemy's events, a full disk from the kernel.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import DoubleType, FloatType

from genesis.errors import EngineError
from genesis.lake.catalog import existing_table, find_catalog
from genesis.lake.compact import Step, compact
from genesis.lake.ingest import ingest
from genesis.lake.rules import rules_of
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target
from tests.lake.ingesting import TASKS, die_at, in_a_child

LOG = DataSource.model_validate(
    {
        "name": "task",
        "table": TASKS.table,
        "primary_key": "task_id",
        "latest": True,
        "fields": {"task_id": "integer", "title": "string"},
    }
)
RULES = rules_of(LOG)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
WRITERS = int(os.environ.get("GENESIS_SOAK_WRITERS", "3"))


def squeeze(root: Path, told: Callable[[Step], object] = lambda _: None) -> None:
    catalog = find_catalog(root, Target())
    if catalog is None:
        sys.exit("nothing to compact")
    with closing(catalog):
        compact(catalog, RULES, now=NOW, told=lambda step: told(step) and None)


def die_on_the_way(root: Path, moment: str) -> None:
    child = in_a_child(lambda: squeeze(root, die_at(moment)))  # type: ignore[arg-type]
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        sys.exit(f"`{moment}` never came")


def fill_the_disk(root: Path, step: str) -> None:
    """Fail as for want of room: from a step on no file may grow above 100 bytes."""

    def fill(told: Step) -> None:
        if told == step:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    try:
        squeeze(root, fill)
    except EngineError as error:
        sys.exit(f"{error.problems[0].code}: {error.problems[0].message}")


def beside(root: Path, seconds: float, seed: int) -> None:
    """Writers land their batches in order, each until it is in; a compactor and an alterer run all the time."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    children: dict[int, Callable[[], object]] = {}

    def start(work: Callable[[], object]) -> None:
        children[in_a_child(work)] = work

    for writer in range(WRITERS):
        start(lambda writer=writer: write(root, writer, end))
    start(lambda: squeeze_until(root, end))
    start(lambda: alter_until(root, end))
    while children:
        time.sleep(chance.uniform(0.2, 1.2))
        child = chance.choice(list(children))
        is_over = time.monotonic() >= end
        if not is_over:
            os.kill(child, signal.SIGKILL)  # one that ended by itself is still there to be killed
        gone, status = os.waitpid(child, os.WNOHANG if is_over else 0)
        if gone:
            work = children.pop(child)
            if os.WIFSIGNALED(status):
                start(work)
            elif status:
                sys.exit("a child failed")


def write(root: Path, writer: int, end: float) -> None:
    """Land batch after batch; one whose process was killed is sent again, the same."""
    folder = root / f"writer-{writer}"
    while time.monotonic() < end:
        number = len(list(folder.glob("*.done")))
        file = folder / f"{number:04}.events"
        ingest(LOG, [file], root=root, target=Target(), now=NOW, batch=f"{writer}-{number}")
        file.with_suffix(".done").touch()


def squeeze_until(root: Path, end: float) -> None:
    while time.monotonic() < end:
        squeeze(root)


def alter_until(root: Path, end: float) -> None:
    """Another program's columns come, are renamed, widened and go; whoever lands first wins."""
    catalog = find_catalog(root, Target())
    if catalog is None:
        sys.exit("nothing to alter")
    with closing(catalog):
        while time.monotonic() < end:
            table = existing_table(catalog, RULES.identifier)
            theirs = {each.name: each for each in table.schema().fields if each.name[:5] == "other"}
            with suppress(CommitFailedException), table.update_schema() as update:
                match sorted(theirs):
                    case [column] if column == "other":
                        update.rename_column(column, "other_renamed")
                    case [column] if isinstance(theirs[column].field_type, FloatType):
                        update.update_column(column, DoubleType())
                    case [column]:
                        update.delete_column(column)
                    case _:
                        update.add_column("other", FloatType())
            time.sleep(0.1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["die", *arguments]:
            for project, moment in zip(arguments[::2], arguments[1::2], strict=True):
                die_on_the_way(Path(project), moment)
        case ["full", project, step]:
            fill_the_disk(Path(project), step)
        case ["beside", project, seconds, seed]:
            beside(Path(project), float(seconds), int(seed))
