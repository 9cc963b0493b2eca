"""Processes that ingest: some die on the way, some run side by side. A script, started by tests.

    ingesting.py die ROOT MOMENT [ROOT MOMENT]...     one after the other, each killed at its moment
    ingesting.py together ROOT FILE...                all at once, into one table

It imports once and forks, since each import costs a second. Nothing of ours is replaced: deaths
come from the steps that `ingest` tells, from Python's audit events and from SQLAlchemy's.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from genesis.lake.ingest import Step, ingest
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target

TASKS = DataSource.model_validate(
    {
        "name": "task",
        "table": "studio.tasks",
        "primary_key": "task_id",
        "fields": {"task_id": "integer", "title": "string"},
    }
)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: str) -> Callable[[Step], None]:
    """Arrange for death at a moment: `step NAME`, `file EVENT`, `before SQL` or `after SQL`."""
    kind, _, what = moment.partition(" ")
    if kind == "step":
        return lambda step: die() if step == what else None
    if kind == "file":
        sys.addaudithook(lambda name, details: die_if(name == what and _is_rejects_file(details)))
    else:
        hook = "before_cursor_execute" if kind == "before" else "after_cursor_execute"
        event.listen(Engine, hook, lambda *details: die_if(details[2].strip().startswith(what)))
    return lambda _: None


def die_if(is_time: bool) -> None:
    if is_time:
        die()


def _is_rejects_file(details: tuple[Any, ...]) -> bool:
    return str(details[0]).endswith(".part")


def in_a_child(work: Callable[[], object]) -> int:
    """Start `work` in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a child must never return into its parent's code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def land(root: Path, files: list[Path], told: Callable[[Step], None] = lambda _: None) -> None:
    ingest(TASKS, files, root=root, target=Target(), now=NOW, told=told)


def die_on_the_way(root: Path, moment: str) -> None:
    child = in_a_child(lambda: land(root, [root / "events.jsonl"], die_at(moment)))
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        sys.exit(f"`{moment}` never came")


def land_together(root: Path, files: list[Path]) -> None:
    children = [in_a_child(partial(land, root, [file])) for file in files]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(statuses):
        sys.exit("not all of them landed")


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    if mode == "die":
        for project, moment in zip(arguments[::2], arguments[1::2], strict=True):
            die_on_the_way(Path(project), moment)
    else:
        project, *events = map(Path, arguments)
        land_together(project, events)
