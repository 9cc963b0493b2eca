"""A node that is killed at each step of a refresh, from its slot to its end: the next one finishes it, and does nothing twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.run.ledger import SUCCESSES, Ledger
from genesis.testing.sheets import HandClock, SheetsEmulator
from tests.run.virtual import MONDAY

JOB = "films.refresh_films"
NEVER = 10_000


@dataclass
class Cinema:
    """A sheet that is refreshed every hour, by nodes that may die; each hour has other films."""

    root: Path
    url: str
    google: SheetsEmulator
    clock: HandClock
    nodes: subprocess.Popen[str]
    book: str
    hour: int = 0

    @classmethod
    @contextmanager
    def opened(cls, root: Path, url: str) -> Iterator[Cinema]:
        """With a first refresh, and what somebody has noted in it since."""
        command = [sys.executable, "-m", "tests.run.steps", str(root), url]
        clock = HandClock()
        with (
            SheetsEmulator(clock=clock) as google,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as nodes,
        ):
            cinema = cls(root, url, google, clock, nodes, google.new_spreadsheet("Films 2026"))
            cinema._write()
            cinema._ask(NEVER)  # an hour before anything is due
            cinema.next_hour()
            cinema._ask(NEVER)
            yield cinema
            nodes.communicate()

    def next_hour(self) -> None:
        self.hour += 1
        self.clock.sleep(timedelta(hours=1))
        (self.root / "definitions" / "films.yaml").write_text(_films(self.hour))

    def refresh(self, *, dies_at: int) -> tuple[bool, int]:
        """Whether a node died at a step of this hour's refresh, which another one finished; the writes of both."""
        before = len(self.google.calls)
        died = self._ask(dies_at) == "killed"
        if died:
            assert self._ask(0).startswith("done")
        return died, sum(call.is_write for call in self.google.calls[before:])

    @property
    def shown(self) -> list[list[str]]:
        """The rows below the headings, the newest film last."""
        rows = self.google.person(self.book).sees_rows("Films")[1:]
        return sorted(rows, key=lambda row: int(row[0]))

    def note(self) -> None:
        """Somebody writes beside the newest film."""
        rows = self.google.person(self.book).sees_rows("Films")
        newest = rows.index(self.shown[-1])
        self.google.person(self.book).types(f"Films!E{newest + 1}", f"noted at {self.hour}")

    def _write(self) -> None:
        (self.root / "definitions").mkdir()
        (self.root / "workflows").mkdir()
        settings = f"sinks: {{google_sheets: {{endpoint: '{self.google.url}'}}}}\n"
        (self.root / "genesis.yaml").write_text(settings)
        place = f"{{google_sheets: {{spreadsheet: {self.book}, tab: Films}}}}"
        (self.root / "workflows" / "films.yaml").write_text(
            "workflow: films\nschedule: {every: 1h}\n"
            f"jobs: [{{refresh: films, to: {place}, annotations: {{note: {{type: string}}}}}}]\n"
        )
        (self.root / "definitions" / "films.yaml").write_text(_films(0))

    def _ask(self, step: int) -> str:
        """What a node says of this hour."""
        if self.nodes.stdin is None or self.nodes.stdout is None:
            raise LookupError("the nodes have pipes")
        self.nodes.stdin.write(f"{self.hour} {step}\n")
        self.nodes.stdin.flush()
        return self.nodes.stdout.readline().strip()


def _films(hour: int) -> str:
    """Eight films: of one hour and the next, one goes, one comes, and half of the rest change."""
    return f"""
data_source: film
sql: >
  SELECT id, CASE WHEN id % 2 = 0 THEN 'Film ' || id ELSE 'Film ' || id || ' at {hour}' END AS title
  FROM (SELECT unnest(range({hour}, {hour} + 8)) AS id) AS ids
primary_key: id
fields: {{id: integer, title: string}}
---
input: films
source: film
fields: [id, title]
"""


def right(hour: int) -> list[list[str]]:
    """What the sheet shows: of what was the newest film in an earlier hour, what was noted then."""
    return [
        [
            str(film),
            f"Film {film}" if film % 2 == 0 else f"Film {film} at {hour}",
            *([f"noted at {film - 7}"] if 1 < film - 7 < hour else []),
        ]
        for film in range(hour, hour + 8)
    ]


@pytest.fixture(params=["sqlite", "postgres"])
def cinema(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cinema]:
    is_postgres = request.param == "postgres"
    url = request.getfixturevalue("database") if is_postgres else "sqlite:///state.db"
    with Cinema.opened(tmp_path, url) as cinema:
        yield cinema


def test_killed_at_each_step(cinema: Cinema) -> None:
    """Before and after every commit in the ledger and every call of the service, until nothing is left to kill."""
    step, died = 0, True
    while died:
        step += 1
        cinema.next_hour()
        died, writes = cinema.refresh(dies_at=step)
        assert writes == 1, f"killed at step {step}"
        assert cinema.shown == right(cinema.hour)
        cinema.note()
    assert step > 30
    ledger = Ledger(cinema.url, cinema.root)
    runs = sorted(ledger.last_runs(JOB, NEVER), key=lambda run: str(run.logical_time))
    ledger.close()
    slots = [MONDAY + timedelta(hours=n) for n in range(1, cinema.hour + 1)]
    assert [run.logical_time for run in runs] == slots
    assert {run.state for run in runs} <= set(SUCCESSES)
