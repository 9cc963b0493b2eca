"""A look at what has changed asks for each table once, whoever reads it, and finds out once who reads what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from genesis.cli import scheduling
from genesis.cli.scheduling import _Current
from genesis.spec.project import Project
from tests.run.virtual import project_of, workflow


@dataclass
class Lake:
    """An engine, and what is read of it by whom."""

    project: Project
    asked: list[tuple[str, ...]] = field(default_factory=list)
    found_out: list[str] = field(default_factory=list)

    @contextmanager
    def engine(self) -> Iterator[Lake]:
        yield self

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        self.asked.append(tables)
        return {table: len(self.asked) for table in tables}

    def tables(self, workflow: Any, _engine: Lake) -> tuple[str, ...]:
        self.found_out.append(workflow.name)
        return ("movie", "person") if workflow.name == "a" else ("movie",)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    followed = "".join(workflow(name, "schedule: {on_change: true}") for name in "ab")
    return Lake(project_of(tmp_path, followed + workflow("c", "schedule: {every: 1h}")))


def test_each_table_is_asked_for_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_REST", 0)
    looks = _Current(lake, None)  # type: ignore[arg-type]
    looks.snapshots()
    assert looks.snapshots() == {"a": {"movie": 2, "person": 2}, "b": {"movie": 2}}
    assert lake.asked == [("movie", "person")] * 2
    assert lake.found_out == ["a", "b"]


def test_looks_that_take_long_come_seldom(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a fifth of the time at most; in between nothing is said, and nothing asked."""
    ticks = iter([0.0, 1.0, 4.0, 15.0, 17.0, 17.0, 18.0])
    monkeypatch.setattr(scheduling.time, "monotonic", lambda: next(ticks))
    looks = _Current(lake, None)  # type: ignore[arg-type]
    assert [bool(looks.snapshots()) for _ in range(3)] == [True, False, True]
    assert len(lake.asked) == 2
