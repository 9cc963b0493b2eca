"""A project that is edited while fifty workflows run: only what was edited changes, and no slot comes twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.load import load_project
from genesis.run.ledger import Ledger
from genesis.run.reload import Loaded, Reloader
from genesis.run.scheduler import Scheduler
from tests.run.virtual import Node, Places, VirtualClock, project_of, workflow

MINUTE = timedelta(minutes=1)
EVERY = "schedule: {every: 10m}"


class Edited:
    """A project of fifty workflows, a file each, scheduled while somebody edits it."""

    def __init__(self, url: str, root: Path) -> None:
        self.root, self.clock = root, VirtualClock()
        project_of(root, "")
        (root / "workflows" / "all.yaml").unlink()
        for n in range(50):
            self.write(f"w{n}", EVERY)
        self.reloader = Reloader(
            lambda problems: load_project(root, problems),
            lambda: sorted((root / "workflows").glob("*.yaml")),
        )
        self.ledger = Ledger(url, root)
        loaded = self.reloader.changed()
        assert loaded
        self.asks = Scheduler(self.ledger.state, self.clock.now, loaded.project, engine="local")
        self.node = Node(self.ledger, Places(self.clock))
        self.told: list[str] = []

    def write(self, name: str, *lines: str, file: str = "") -> None:
        text = workflow(name, *lines).removesuffix("---\n")
        (self.root / "workflows" / f"{file or name}.yaml").write_text(text)

    def remove(self, name: str) -> None:
        (self.root / "workflows" / f"{name}.yaml").unlink()

    def reload(self) -> Loaded | None:
        found = self.reloader.changed()
        if found:
            self.asks.load(found.project)
            self.told += [problem.code for problem in found.problems]
        return found

    def go_on(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.sleep(MINUTE)
            self.reload()
            self.asks.tick()
            self.node.work()

    def slots(self, name: str) -> list[int]:
        """The minutes after the start for which there is a run of a workflow."""
        start = VirtualClock().at
        found = self.ledger.newest(10_000, name=name)
        return sorted(int((run.logical_time - start) / MINUTE) for run in found if run.logical_time)


@pytest.fixture(params=["sqlite", "postgres"])
def edited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Edited]:
    url = "sqlite:///state.db"
    if request.param == "postgres":
        url = request.getfixturevalue("database")
    edited = Edited(url, tmp_path)
    with closing(edited.ledger):
        yield edited


def test_only_what_was_edited_changes(edited: Edited) -> None:
    edited.go_on(25)
    edited.write("added", EVERY)
    edited.write("w1", "schedule: {cron: '*/15 * * * *'}")
    edited.remove("w2")
    edited.write("renamed", EVERY, "renamed_from: w3")
    edited.remove("w3")
    (edited.root / "workflows" / "w4.yaml").write_text("workflow: w4\nschedule: {evry: 1m\n")
    edited.go_on(25)

    tens = [10, 20, 30, 40, 50]
    untouched = [n for n in range(50) if n not in (1, 2, 3, 4)]
    assert all(edited.slots(f"w{n}") == tens for n in untouched)
    assert edited.slots("added") == [30, 40, 50]
    assert edited.slots("w1") == [10, 20, 30, 45], "from the edit on, and none twice"
    assert edited.slots("w2") == [10, 20]
    assert (edited.slots("w3"), edited.slots("renamed")) == ([], tens)
    assert edited.slots("w4") == tens, "its last good version goes on"
    assert len(edited.told) == 1, "told once, not at every look"
    written = Counter(edited.node.places.writes)
    assert set(written.values()) == {1}
    assert {run.state for run in edited.ledger.newest(10_000)} == {"succeeded"}


def test_a_file_that_is_mended_is_taken(edited: Edited) -> None:
    file = edited.root / "workflows" / "w4.yaml"
    good = file.read_text()
    file.write_text("workflow: [\n")
    edited.go_on(5)
    file.write_text(good.replace("10m", "5m"))
    edited.go_on(10)
    assert edited.slots("w4") == [10, 15]
    assert edited.slots("w5") == [10]
