"""What the hidden columns of some rows say goes round among them in one turn: what is beside a row stays its."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from genesis.compile.statement import Column
from genesis.spec.types import INTEGER
from genesis.testing.sheets import HandClock, SheetsEmulator
from tests.sinks.sheets_home import COLUMNS, Home

UNSEEN = (Column("_key_id", "", INTEGER, key=True, hidden=True), *COLUMNS[1:])


def film(number: int, budget: int = 7) -> dict[str, Any]:
    row = {"id": number, "_key_id": number, "title": f"Film {number}", "late": False}
    return {**row, "budget": Decimal(budget)}


FILMS = [film(number) for number in range(1, 6)]
CHANGES = {
    "same": FILMS,
    "changed": [film(number, budget=number) for number in range(1, 6)],
    "gone": FILMS[1:],
}


def annotated(google: SheetsEmulator, folder: Path, columns: tuple[Column, ...]) -> Home:
    """A tracker of five films, with a note of somebody's beside each."""
    home = Home(google, folder, columns)
    home.refresh(FILMS)
    home.person.types("Films!I1", "Note")
    for at, row in enumerate(FILMS, 2):
        home.person.types(f"Films!I{at}", f"about {row['title']}")
    return home


def pass_on(home: Home, column: str, rows: list[int]) -> None:
    """Each of some cells gets what the next one had, the last what the first had."""
    tab, at = home.tab, ord(column) - ord("A")
    texts = [str(tab.at(row - 1, at).value) for row in rows]
    for row, text in zip(rows, [*texts[1:], texts[0]], strict=True):
        home.person.types(f"Films!{column}{row}", text)


def check(home: Home, rows: list[dict[str, Any]]) -> None:
    """Every film is there once, its note beside it, and nothing is left to do."""
    home.refresh(rows)
    seen = [pair for pair in home.shown("Title", "Note") if pair[0]]
    assert sorted(seen) == [(row["title"], f"about {row['title']}") for row in rows]
    assert home.refresh(rows).writes == 0


@pytest.mark.parametrize("rows", [[2, 3], [2, 4, 3]], ids=["two", "three"])
@pytest.mark.parametrize("data", CHANGES)
@pytest.mark.parametrize("key", ["shown", "unseen"])
def test_keys_and_stamps_go_round(tmp_path: Path, key: str, data: str, rows: list[int]) -> None:
    """Whatever the data does in that turn."""
    columns, hidden = (COLUMNS, "EF") if key == "shown" else (UNSEEN, "DE")
    with SheetsEmulator(clock=HandClock()) as google:
        home = annotated(google, tmp_path, columns)
        for column in hidden:
            pass_on(home, column, rows)
        check(home, CHANGES[data])


@pytest.mark.parametrize("rows", [[2, 3], [2, 4, 3]], ids=["two", "three"])
@pytest.mark.parametrize("data", CHANGES)
@pytest.mark.parametrize("column", ["E", "F"])
def test_keys_or_stamps_go_round(tmp_path: Path, column: str, data: str, rows: list[int]) -> None:
    """The row shows which of them is right."""
    with SheetsEmulator(clock=HandClock()) as google:
        home = annotated(google, tmp_path, COLUMNS)
        pass_on(home, column, rows)
        check(home, CHANGES[data])
