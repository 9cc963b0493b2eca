"""The studio's change events in two waves: all until the night before yesterday, and one day more.

The same seed and anchor give the same bytes. Nothing here reads a clock: the anchor is the day
that the caller takes for today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from genesis.demo import hard_cases
from genesis.demo.catalogue import films, places
from genesis.demo.dates import Calendar
from genesis.demo.history import studio_history
from genesis.demo.records import Change
from genesis.demo.wire import lines
from genesis.demo.yesterday import yesterdays_changes

History = Mapping[str, Sequence[Change]]


@dataclass(frozen=True)
class Wave:
    """Lines of JSON by data source, one change event each, in the order in which they arrive."""

    name: str
    lines: Mapping[str, tuple[str, ...]]


def waves(seed: int, anchor: date) -> tuple[Wave, Wave]:
    """The studio's life so far, and what came later for the trackers to follow.

    The first has some 200,000 events, the hard cases and a few broken lines among them; the second 1,200.
    """
    calendar = Calendar(anchor)
    history = studio_history(seed, calendar, films(), places())
    first = _wave("first", hard_cases.planted(calendar, places()), history)
    tasks = hard_cases.with_broken_lines(first.lines["task"])
    changes = yesterdays_changes(Random(f"{seed} yesterday"), calendar, history)
    second = _wave("second", hard_cases.planted_yesterday(calendar), changes)
    return Wave(first.name, {**first.lines, "task": tasks}), second


def write_wave(wave: Wave, folder: Path) -> list[Path]:
    """One file of JSON lines per data source, the paths of which are returned."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for source, events in wave.lines.items():
        path = folder / f"{source}.jsonl"
        path.write_text("".join(f"{event}\n" for event in events), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def _wave(name: str, planted: History, changes: History) -> Wave:
    sources = sorted(changes)
    return Wave(
        name,
        {source: tuple(lines(source, [*planted[source], *changes[source]])) for source in sources},
    )
