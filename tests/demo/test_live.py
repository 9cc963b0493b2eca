"""The studio while somebody watches: what a wave of changes is made of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from genesis.demo.live import Floor
from genesis.demo.records import Change, Note, Production, Task, by_source
from genesis.demo.wire import lines

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Ten productions, four of which are watched, with three urgent tasks each, and a broken line."""
    phases = ["PREP", "SHOOT", "PREP", "SHOOT", *["WRAP"] * 6]
    productions = [Production(n, n, f"P-{n}", "REMAKE", phase) for n, phase in enumerate(phases, 1)]
    tasks = [Task(n, n % 10 + 1, f"task {n}", NOON, priority=1) for n in range(1, 31)]
    records = [*productions, *tasks, Note(1, 1, 1, NOON, "first")]
    for source, changes in by_source([Change(NOON, "c", each) for each in records]).items():
        text = "".join(f"{line}\n" for line in lines(source, changes))
        (tmp_path / f"{source}.jsonl").write_text(text + '{"cut off', encoding="utf-8")
    return tmp_path


def test_events_are_read_back_as_records(events: Path) -> None:
    floor = Floor.of([events])
    assert (len(floor.tasks), len(floor.productions), len(floor.notes)) == (30, 10, 1)
    assert floor.tasks[7].title == "task 7"


def test_a_wave_changes_a_little_of_what_is_watched(events: Path) -> None:
    floor = Floor.of([events])
    wave = floor.wave(Random(1), NOON)
    assert {source: len(changes) for source, changes in wave.items()} == {
        "task": 11,
        "production": 2,
        "note": 1,
    }
    tasks = [json.loads(line) for line in wave["task"]]
    assert [task["_op"] for task in tasks].count("d") == 1
    assert {task["task_id"] for task in tasks if task["_op"] == "c"} == {31, 32, 33}


def test_waves_go_on_for_as_long_as_somebody_watches(events: Path) -> None:
    """As many tasks are thought of as are done, so there is always as much to do."""
    floor, chance = Floor.of([events]), Random(1)
    first = sum(map(floor._is_watched, floor.tasks.values()))
    for _ in range(500):
        floor.wave(chance, NOON)
        assert abs(sum(map(floor._is_watched, floor.tasks.values())) - first) <= 1


def test_what_was_told_before_is_known(events: Path, tmp_path: Path) -> None:
    """A later folder says what became of the records: the next wave goes on from there."""
    floor = Floor.of([events])
    live = tmp_path / "live"
    live.mkdir()
    for source, changes in floor.wave(Random(1), NOON).items():
        (live / f"{source}-1.jsonl").write_text("\n".join(changes), encoding="utf-8")
    again = Floor.of([events, live])
    assert again.tasks.keys() == floor.tasks.keys()
    assert {n: task.status for n, task in again.tasks.items()} == {
        n: task.status for n, task in floor.tasks.items()
    }
