"""The studio while somebody watches: every few seconds some tasks, budgets and notes change.

What there is to change is read from the events that have landed, so that a story told before goes
on. The caller draws the dice and says what time it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from genesis.demo import words
from genesis.demo.history import CREW
from genesis.demo.making import money
from genesis.demo.records import Change, Note, Production, Record, Task, by_source
from genesis.demo.wire import TRANSIT, lines

ON_THE_FLOOR = ("PREP", "SHOOT")


@dataclass
class Floor:
    """The records that change, by key: what is read from events has its dates as text."""

    tasks: dict[int, Task]
    productions: dict[int, Production]
    notes: dict[int, Note]
    _usual: int = 0  # as many urgent tasks as there were, there will be

    def __post_init__(self) -> None:
        self._usual = sum(map(self._is_watched, self.tasks.values()))

    @classmethod
    def of(cls, folders: list[Path]) -> Floor:
        """What the events below some folders, the oldest first, have left."""
        return cls(
            tasks=_newest(folders, "task", Task),
            productions=_newest(folders, "production", Production),
            notes=_newest(folders, "note", Note),
        )

    def wave(self, rng: Random, now: datetime) -> Mapping[str, tuple[str, ...]]:
        """The lines of some changes that somebody makes now, by data source."""
        at = now - TRANSIT
        made = by_source(
            [*self._tasks(rng, at), *self._budgets(rng, at), *self._note(rng, at)],
        )
        return {
            source: tuple(lines(source, changes)) for source, changes in made.items() if changes
        }

    def _tasks(self, rng: Random, at: datetime) -> Iterator[Change]:
        """Some urgent ones are done, handed over, dropped and thought of."""
        urgent = [each for each in self.tasks.values() if self._is_watched(each)]
        chosen = rng.sample(urgent, min(8, len(urgent)))
        for task in chosen[:3]:
            yield self._write(self.tasks, task._replace(status="DONE"), at)
        for task in chosen[3:7]:
            handed = task._replace(status="DOING", assignee_id=rng.choice(CREW))
            yield self._write(self.tasks, handed, at)
        for task in chosen[7:]:
            del self.tasks[task.task_id]
            yield Change(at, "d", task)
        number = max(self.tasks, default=0)
        lacking = len(urgent) < self._usual
        for more, task in enumerate(chosen[: 5 if lacking else 3], start=1):
            department = rng.choice(list(words.TASKS))
            thought = task._replace(
                task_id=number + more,
                title=f"{rng.choice(words.TASKS[department])} {rng.choice(words.TASK_SUBJECTS)}",
                department=department,
                created_at=at,
                due_date=at.date() + timedelta(days=rng.randint(1, 20)),
            )
            yield self._write(self.tasks, thought, at, op="c")

    def _is_watched(self, task: Task) -> bool:
        production = self.productions.get(task.production_id)
        is_open = task.status != "DONE" and task.priority == 1
        return is_open and production is not None and production.status_code in ON_THE_FLOOR

    def _budgets(self, rng: Random, at: datetime) -> Iterator[Change]:
        for production in rng.sample(self._on_the_floor(), 2):
            budget = money(rng, 800, 95_000) * 1_000
            yield self._write(self.productions, production._replace(budget=budget), at)

    def _note(self, rng: Random, at: datetime) -> Iterator[Change]:
        production = rng.choice(self._on_the_floor())
        number = max(self.notes, default=0) + 1
        text = rng.choice(words.NOTES).replace("\n", " ")
        note = Note(number, production.production_id, rng.choice(CREW), at, text)
        yield self._write(self.notes, note, at, op="c")

    def _on_the_floor(self) -> list[Production]:
        found = self.productions.values()
        return [each for each in found if each.status_code in ON_THE_FLOOR and not each.is_test]

    def _write(
        self, records: dict[int, Any], record: Record, at: datetime, op: Any = "u"
    ) -> Change:
        records[int(str(record[0]))] = record
        return Change(at, op, record)


def _newest(folders: list[Path], source: str, make: Callable[..., Any]) -> dict[int, Any]:
    """The records of one data source by their number; lines that are broken on purpose are none."""
    found: dict[int, Any] = {}
    for file in (file for folder in folders for file in sorted(folder.glob(f"{source}*.jsonl"))):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                op, columns = _event(json.loads(line))
                number = next(iter(columns.values()))
                if op == "d":
                    found.pop(number, None)
                else:
                    found[int(number)] = make(**columns)
            except (ValueError, TypeError, AttributeError):
                continue
    return found


def _event(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What happened, and the columns: an envelope's, or those beside the marks of a plain line."""
    if "op" in event:
        return event["op"], event["after"] or event["before"]
    return event["_op"], {name: value for name, value in event.items() if name[0] != "_"}
