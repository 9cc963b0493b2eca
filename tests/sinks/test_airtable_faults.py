"""What goes wrong on the way to Airtable: the tracker converges, nothing is doubled, notes stay.

Every call of a refresh is killed, refused, answered too late and not answered at all, in turn; and
people do what they like between refreshes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genesis.errors import GenesisError
from genesis.testing.airtable import Airtable
from tests.sinks.airtable_home import Home, Killed

Rows = dict[int, str]
FIRST: Rows = {number: f"Film {number}" for number in range(23)}
SECOND: Rows = {
    **{number: f"New {number}" for number in range(12)},
    **{number: f"Film {number}" for number in range(15, 34)},
}


@contextmanager
def at_home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder, Airtable() as airtable:
        home = Home(airtable, Path(folder))
        yield home
        home.rates.close()


def refresh(home: Home, rows: Rows, **options: Any) -> Any:
    return home.refresh(
        [{"id": n, "title": t, "budget": Decimal(n), "late": n % 2 == 1} for n, t in rows.items()],
        **options,
    )


def shown(home: Home) -> list[tuple[Any, ...]]:
    return home.shown("Id", "Title", "Budget", "Late")


def right(rows: Rows) -> list[tuple[Any, ...]]:
    return sorted((n, t, n, True if n % 2 else None) for n, t in rows.items())


def notes(home: Home) -> dict[int, str]:
    return {row["Id"]: row["Note"] for row in home.table.rows if "Note" in row}


def annotate(home: Home) -> None:
    home.table.add_field("Note")
    for record in home.table.records:
        home.table.edit(record, Note=f"about {home.table.row(record)['Id']}")


KEPT_NOTES = {number: f"about {number}" for number in FIRST if number in SECOND}


def test_killed_at_every_call() -> None:
    """Of a first refresh, and of one that changes, adds and deletes."""
    died = 0
    for dies_at in range(1, 40):
        with at_home() as home:
            home.rates.dies_at = dies_at
            for rows in (FIRST, SECOND):
                try:
                    refresh(home, rows)
                except Killed:
                    died += 1
                    home.rates.dies_at = None
                    refresh(home, rows)
                assert shown(home) == right(rows)
                assert len(home.table.rows) == len(rows)
                if rows is FIRST:
                    annotate(home)
            assert notes(home) == KEPT_NOTES
            calls, survived = home.rates.turns, home.rates.dies_at is not None
            home.rates.dies_at = None
            assert refresh(home, SECOND).writes == 0
            if survived:
                break
    assert died == calls  # every one of them, until nothing was left to kill


@pytest.mark.parametrize("fault", ["429", "503", "500-after", "drop", "drop-after"])
def test_a_fault_at_every_call(fault: Any) -> None:
    """Is tried again within the refresh, which needs no second one."""
    for at in range(1, 40):
        with at_home() as home:
            home.airtable.faults = {at: fault}
            refresh(home, FIRST)
            assert shown(home) == right(FIRST)
            annotate(home)
            refresh(home, SECOND)
            assert shown(home) == right(SECOND)
            assert notes(home) == KEPT_NOTES
            assert refresh(home, SECOND).writes == 0
            if at > len(home.airtable.calls):
                break


def test_a_storm_of_them() -> None:
    """Every third call fails, each in another way."""
    kinds: list[Any] = ["503", "drop-after", "429", "500-after", "drop"]
    with at_home() as home:
        home.airtable.faults = {n: kinds[n // 3 % 5] for n in range(3, 300, 3)}
        refresh(home, FIRST)
        annotate(home)
        refresh(home, SECOND)
        assert shown(home) == right(SECOND)
        assert notes(home) == KEPT_NOTES


def test_two_writers_at_once_double_nothing() -> None:
    """New rows merge by their key, whoever writes them first."""
    with at_home() as home:
        refresh(home, FIRST)
        both = [home.sink() for _ in range(2)]
        rows = [
            {"id": n, "title": f"T{n}", "budget": Decimal(n), "late": n % 2 == 1} for n in range(40)
        ]
        changes = [home.changes(rows, sink) for sink in both]
        for sink, change in zip(both, changes, strict=True):
            sink.apply(home.tracker, change)
        assert shown(home) == right({n: f"T{n}" for n in range(40)})
        assert len(home.table.rows) == 40


# ---- people and data, at random

KEYS = st.integers(0, 14)
TITLES = st.sampled_from(["a", "b", "=1+1", "", "ä\n", "x" * 50])
DATA = st.dictionaries(KEYS, TITLES, max_size=12).map(lambda rows: ("data", rows))
HUMAN = st.one_of(
    st.tuples(st.sampled_from(["note", "title", "id", "copy", "delete", "key", "unkey"]), KEYS),
    st.just(("own record", 0)),
    st.just(("own field", 0)),
    st.just(("rename", 0)),
    st.just(("drop field", 0)),
    st.just(("drop stamp", 0)),
)


class Script:
    """A tracker and what should be in it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.rows: Rows = {}
        self.notes: dict[str, str] = {}
        self.own = 0
        self.refresh()
        home.table.add_field("Note")

    def do(self, what: str, subject: Any) -> None:
        table = self.home.table
        if what == "data":
            self.rows = subject
            self.refresh()
            self.notes = {k: n for k, n in self.notes.items() if int(k) in self.rows}
            return
        record = next(
            (r for r in table.records if table.row(r).get("_genesis_key") == str(subject)), None
        )
        match what:
            case "own record":
                self.own += 1
                table.write(table.add(), {"Note": "own"})
            case "own field":
                self.own += 1
                table.add_field(f"Own {self.own}")
            case "rename":
                self.own += 1
                table.rename_field(table.fields[1].name, f"Title {self.own}")
            case "drop field":
                if budget := [f for f in table.fields if f.name == "Budget"]:
                    table.remove_field(budget[0].name)
            case "drop stamp":
                if any(f.name == "_genesis" for f in table.fields):
                    table.remove_field("_genesis")
            case _ if record is None:
                return
            case "note":
                table.write(record, {"Note": f"on {subject}"})
                self.notes[str(subject)] = f"on {subject}"
            case "title":
                table.write(record, {table.fields[1].name: "typed by a person"})
            case "id":
                table.write(record, {"Id": 999})
            case "copy":
                table.write(table.duplicate(record), {"Note": "a copy's"})
            case "delete":
                table.remove(record)
                self.notes.pop(str(subject), None)
            case "key" if "_genesis" in table.row(record):
                table.write(record, {"_genesis_key": "typed"})
            case "unkey" if "_genesis" in table.row(record):
                table.write(record, {"_genesis_key": ""})

    def refresh(self) -> None:
        refresh(self.home, self.rows)

    def check(self) -> None:
        """Each row once and right, each note with its row, and nothing left to write."""
        refresh(self.home, self.rows)
        table = self.home.table
        found = [row for row in table.rows if row.keys() & {"_genesis", "_genesis_key"}]
        title = table.fields[1].name if table.fields[1].name != "Late" else ""
        told = sorted((r["Id"], r.get(title), r.get("Budget"), r.get("Late")) for r in found)
        wanted = sorted((n, t or None, n, True if n % 2 else None) for n, t in self.rows.items())
        assert [row[:1] for row in told] == [row[:1] for row in wanted]
        assert told == wanted
        notes = {str(r["Id"]): r["Note"] for r in found if "Note" in r and r["Note"] != "a copy's"}
        assert notes == {k: n for k, n in self.notes.items() if int(k) in self.rows}
        assert refresh(self.home, self.rows).writes == 0


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(st.one_of(DATA, HUMAN), max_size=12))
def test_people_and_data_at_random(steps: list[tuple[str, Any]]) -> None:
    """Whatever both do, managed cells are right after each refresh and annotations are in their rows."""
    with at_home() as home:
        script = Script(home)
        for what, subject in steps:
            try:
                script.do(what, subject)
            except GenesisError as error:
                raise AssertionError(f"{what} {subject}: {error}") from error
        script.check()
