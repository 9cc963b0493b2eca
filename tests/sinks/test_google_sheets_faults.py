"""What goes wrong on the way to Google: the tracker converges, nothing is doubled, notes stay.

Every call of a refresh is killed, refused, answered too late and not answered at all, in turn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import SinkBusy, SinkError
from genesis.sinks.google import GoogleSheetsSink
from genesis.sinks.google.refusals import Refusal
from genesis.sync.changes import Changes
from genesis.testing.sheets import (
    Dropped,
    HandClock,
    Limits,
    Meanwhile,
    Refused,
    SheetsEmulator,
    Slow,
    any_call,
    reads,
    writes,
)
from tests.sinks.sheets_home import Home, Killed

Rows = dict[int, str]
FIRST: Rows = {number: f"Film {number}" for number in range(60)}
SECOND: Rows = {
    **{number: f"New {number}" for number in range(30)},
    **{number: f"Film {number}" for number in range(40, 90)},
}
FAULTS: dict[str, Any] = {
    "429": Refused(429, "Quota exceeded"),
    "503": Refused(503),
    "500 after": Refused(500, after_commit=True),
    "dropped": Dropped(),
    "dropped after": Dropped(after_commit=True),
    "slow": Slow(timedelta(seconds=200)),
}


@contextmanager
def at_home(payload: int | None = None) -> Iterator[Home]:
    limits = Limits(payload=payload) if payload else Limits()
    google = SheetsEmulator(clock=HandClock(), limits=limits)
    with tempfile.TemporaryDirectory() as folder, google:
        home = Home(google, Path(folder), payload=payload)
        yield home
        home.rates.close()


def report(rows: Rows) -> list[dict[str, Any]]:
    return [
        {"id": n, "title": t, "budget": Decimal(n), "late": n % 2 == 1} for n, t in rows.items()
    ]


def shown(home: Home) -> list[tuple[str, ...]]:
    return sorted(home.shown("Id", "Title", "Late"))


def right(rows: Rows) -> list[tuple[str, ...]]:
    return sorted((str(n), t, str(n % 2 == 1).upper()) for n, t in rows.items())


def annotate(home: Home) -> None:
    home.person.types("Films!G1", "Note")
    for at, (id_,) in enumerate(home.shown("Id"), 2):
        home.person.types(f"Films!G{at}", f"about {id_}")


def notes(home: Home) -> dict[str, str]:
    return {id_: note for id_, note in home.shown("Id", "Note") if note}


KEPT_NOTES = {str(number): f"about {number}" for number in FIRST if number in SECOND}


@pytest.mark.parametrize("payload", [None, 6_000])
def test_killed_at_every_call(payload: int | None) -> None:
    """Of a first refresh, and of one that changes, adds and deletes; split, too."""
    died = 0
    for dies_at in range(1, 60):
        with at_home(payload) as home:
            home.rates.dies_at = dies_at
            for rows in (FIRST, SECOND):
                try:
                    home.refresh(report(rows))
                except Killed:
                    died += 1
                    home.rates.dies_at = None
                    home.refresh(report(rows))
                assert shown(home) == right(rows)
                if rows is FIRST:
                    annotate(home)
            assert notes(home) == KEPT_NOTES
            assert [tab.title for tab in home.book.tabs] == ["Sheet1", "Films"]
            calls, survived = home.rates.turns, home.rates.dies_at is not None
            home.rates.dies_at = None
            assert home.refresh(report(SECOND)).writes == 0
            if survived:
                break
    assert died == calls  # every one of them, until nothing was left to kill


@pytest.mark.parametrize(
    ("fault", "payload"), [*((fault, None) for fault in sorted(FAULTS)), ("dropped after", 6_000)]
)
def test_a_fault_at_every_call(fault: str, payload: int | None) -> None:
    """Is overcome within the refresh, which needs no second one."""
    for at in range(60):
        with at_home(payload) as home:
            home.google.inject(FAULTS[fault], on=any_call, skip=at)
            home.refresh(report(FIRST))
            assert shown(home) == right(FIRST)
            annotate(home)
            home.refresh(report(SECOND))
            assert shown(home) == right(SECOND)
            assert notes(home) == KEPT_NOTES
            assert [tab.title for tab in home.book.tabs] == ["Sheet1", "Films"]
            assert home.refresh(report(SECOND)).writes == 0
            if at > len(home.google.calls):
                break


def test_a_lost_answer_is_recognised() -> None:
    """By the fence that stands: nothing is sent twice."""
    with at_home() as home:
        home.refresh(report(FIRST))
        home.google.inject(Dropped(after_commit=True), on=writes)
        receipt = home.refresh(report(SECOND))
        assert (receipt.reads, receipt.writes) == (2, 1)
        assert shown(home) == right(SECOND)


def test_a_storm() -> None:
    """Of refusals for haste, within the deadline."""
    with at_home() as home:
        home.google.inject(FAULTS["429"], on=any_call, times=5)
        home.refresh(report(FIRST))
        assert shown(home) == right(FIRST)


def test_what_never_answers_ends_at_the_deadline() -> None:
    """And leaves the tracker as it was, for the next refresh."""
    with at_home() as home:
        home.refresh(report(FIRST))
        home.google.inject(FAULTS["503"], on=writes, times=1000)
        start = home.rates.clock.now()
        with pytest.raises(SinkBusy, match="service-busy"):
            home.refresh(report(SECOND), timeout=timedelta(minutes=2))
        assert home.rates.clock.now() - start <= timedelta(minutes=2)
        assert shown(home) == right(FIRST)
        home.google._service.pending.clear()
        home.refresh(report(SECOND))
        assert shown(home) == right(SECOND)


def overtaken(home: Home, apply: Callable[[GoogleSheetsSink, Changes], Any]) -> None:
    """Two writers read, then both write."""
    sinks = [home.sink(), home.sink()]
    rows = [{**FIRST, 100: "one"}, {**FIRST, 200: "other"}]
    changes = [home.changes(report(r), sink) for r, sink in zip(rows, sinks, strict=True)]
    apply(sinks[0], changes[0])
    with pytest.raises(SinkBusy, match="tracker-changed"):
        apply(sinks[1], changes[1])
    assert shown(home) == right(rows[0])
    home.refresh(report(rows[1]))
    assert shown(home) == right(rows[1])


@pytest.mark.parametrize("payload", [None, 6_000])
def test_of_two_writers_one_wins(payload: int | None) -> None:
    """The other one's batch fails as a whole: of a first load, and of a refresh."""
    for is_new in (True, False):
        with at_home(payload) as home:
            if not is_new:
                home.refresh(report(FIRST))
            overtaken(home, lambda sink, changes: sink.apply(home.tracker, changes))


def test_of_two_first_writers_into_an_empty_tab_one_wins() -> None:
    """The fence has the same id, whoever puts it up."""
    with at_home() as home:
        home.person.adds_tab("Films")
        overtaken(home, lambda sink, changes: sink.apply(home.tracker, changes))


def test_a_tab_that_is_deleted_meanwhile() -> None:
    """Is told in one sentence, and made anew by the next refresh."""
    with at_home() as home:
        home.refresh(report(FIRST))
        gone = Meanwhile(lambda: home.person.deletes_tab("Films"))
        home.google.inject(gone, on=writes)
        with pytest.raises(SinkError, match="tracker-changed"):
            home.refresh(report(SECOND))
        home.refresh(report(SECOND))
        assert shown(home) == right(SECOND)


def test_a_tab_that_is_renamed_meanwhile() -> None:
    """Is followed by the next refresh."""
    with at_home() as home:
        home.refresh(report(FIRST))
        home.google.inject(Meanwhile(lambda: home.person.renames_tab("Films", "X")), on=writes)
        with pytest.raises(SinkBusy, match="tracker-changed"):
            home.refresh(report(SECOND))
        home.refresh(report(SECOND))
        home.person.renames_tab("X", "Films")
        assert shown(home) == right(SECOND)


def test_a_sheet_that_is_not_shared_any_more() -> None:
    """Is one clear sentence, and no second try."""
    with at_home() as home:
        home.refresh(report(FIRST))
        home.google.unshare(home.id, home.google.account)
        with pytest.raises(Refusal, match=r"access-refused(.|\n)*share it with"):
            home.refresh(report(SECOND))


def test_a_person_who_edits_between_read_and_write() -> None:
    """Loses nothing: the edit is told at once, and what went wrong is mended next time."""
    with at_home() as home:
        home.refresh(report(FIRST))
        annotate(home)
        person = home.person
        for edit in (
            lambda: person.types("Films!B3", "mine"),
            lambda: person.moves_rows("Films", 2, 3, 20),
            lambda: person.sorts("Films!A2:G61", "A", down=True),
            lambda: person.deletes_rows("Films", 5, 2),
        ):
            home.google.inject(Meanwhile(edit), on=writes)
            with suppress(SinkBusy):  # where Google could not do it, nothing was done
                home.refresh(report(SECOND))
            home.refresh(report(SECOND))
            home.refresh(report(FIRST))
            assert shown(home) == right(FIRST)
            home.google._service.pending.clear()
        told = notes(home)
        assert all(note == f"about {id_}" for id_, note in told.items())


def test_reads_are_tried_again() -> None:
    """They change nothing."""
    with at_home() as home:
        home.google.inject(FAULTS["dropped"], on=reads, times=3)
        assert home.refresh(report(FIRST)).reads == 5
