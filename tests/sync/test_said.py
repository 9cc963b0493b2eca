"""Cells that people filled, as values: what is of the type, what is not, and what is other than before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesis.compile.statement import Column
from genesis.spec.types import INTEGER, STRING, parse_type
from genesis.spec.workflow import Place
from genesis.sync.changes import (
    Annotation,
    Cell,
    Changes,
    Formula,
    Policy,
    Present,
    PresentColumn,
    PresentRow,
    Reject,
    Tracker,
)
from genesis.sync.said import Said, cells_of, read_back, table_of, value_of

NOON = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as a sheet has it
PARIS = ZoneInfo("Europe/Paris")


def asked(type_: str, *values: Any) -> Annotation:
    return Annotation(Column("it", "It", parse_type(type_) or STRING), values)


@pytest.mark.parametrize(
    ("type_", "cell", "value"),
    [
        ("string", " yes ", "yes"),
        ("string", "  ", None),
        ("string", 5.0, "5"),
        ("string", 5.25, "5.25"),
        ("string", True, "true"),
        ("string", date(2026, 3, 1), "2026-03-01"),
        ("integer", 5.0, 5),
        ("integer", " 5 ", 5),
        ("decimal(9,2)", 0.1 + 0.2, Decimal("0.30")),
        ("decimal(9,2)", "1.5", Decimal("1.50")),
        ("float", 1, 1.0),
        ("boolean", "TRUE", True),
        ("date", "2026-03-01", date(2026, 3, 1)),
        ("date", datetime(2026, 3, 1), date(2026, 3, 1)),  # noqa: DTZ001
        ("timestamp", date(2026, 3, 1), datetime(2026, 3, 1)),  # noqa: DTZ001
        ("timestamp", NOON.replace(tzinfo=UTC), NOON),
        ("timestamptz", NOON, NOON.replace(hour=11, tzinfo=UTC)),
        ("time", "09:30:00", time(9, 30)),
        ("date", None, None),
    ],
)
def test_a_cell_is_read_as_its_type_has_it(type_: str, cell: Cell, value: Any) -> None:
    """As sheets hold it, and as people type it."""
    found = value_of(cell, asked(type_), PARIS)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("integer", 5.5),
        ("integer", "five"),
        ("integer", True),
        ("integer", 2**63),
        ("decimal(4,2)", "1.005"),
        ("decimal(4,2)", 100),
        ("float", "NaN"),
        ("boolean", 1),
        ("date", NOON),
        ("date", 45000),
        ("date", "1 March"),
        ("time", NOON),
        ("string", Formula("=A1")),
        ("string", ("a", "b")),
    ],
)
def test_what_is_of_another_type_is_not_read(type_: str, cell: Cell) -> None:
    """A sheet takes what it takes, pasted past its rules."""
    with pytest.raises((ValueError, TypeError, ArithmeticError, KeyError)):
        value_of(cell, asked(type_), PARIS)


def test_only_the_values_that_are_asked_for_are_read() -> None:
    """They are values of the type: `2.0` is 2."""
    assert value_of(2.0, asked("integer", 1, 2), PARIS) == 2
    with pytest.raises(ValueError, match="3"):
        value_of(3, asked("integer", 1, 2), PARIS)


# ---- what is other than before

DECISION = Annotation(Column("decision", "Decision", STRING), ("open", "done"))
COST = Annotation(Column("cost", "Cost", INTEGER))
TRACKER = Tracker(
    "films.refresh_films",
    Place(xlsx={"file": "films.xlsx"}),
    (
        Column("_key_film_id", "_key_film_id", INTEGER, key=True, hidden=True),
        Column("region", "Region", STRING, key=True),
    ),
    annotations=(DECISION, COST),
)


def changes(
    rows: Mapping[str, tuple[Cell, ...]], *, columns: tuple[str, ...] = ("decision", "cost")
) -> Changes:
    found = tuple(PresentColumn(name, name, name, at) for at, name in enumerate(columns, 2))
    lines = tuple(PresentRow(key, (), 0, None, cells) for key, cells in rows.items())
    present = Present(rows=lines, annotations=found)
    return Changes("films.refresh_films", present, Policy(), (), 0)


def test_what_is_new_is_told_with_its_key() -> None:
    """The key's columns go by the names that the report's fields have."""
    said, rejects = read_back(changes({"7,EMEA": ("open", None)}), TRACKER, {})
    record = {"film_id": 7, "region": "EMEA", "decision": "open", "cost": None}
    assert (said, rejects) == ((Said("7,EMEA", record),), ())


def test_what_was_read_before_is_not_told_again() -> None:
    """Nor that nobody says anything of a row."""
    now = changes({"7,EMEA": ("open", None), "8,EMEA": (None, None)})
    assert read_back(now, TRACKER, {"7,EMEA": {"decision": "open"}}) == ((), ())


def test_an_emptied_cell_is_told() -> None:
    """As nothing."""
    last = {"7,EMEA": {"decision": "open", "cost": 5}}
    (said,), _ = read_back(changes({"7,EMEA": (None, 5)}), TRACKER, last)
    assert (said.record["decision"], said.record["cost"]) == (None, 5)


def test_a_column_that_is_not_there_says_nothing() -> None:
    """Somebody deleted it; what was in it stays known."""
    last = {"7,EMEA": {"decision": "open", "cost": 5}}
    assert read_back(changes({"7,EMEA": (5,)}, columns=("cost",)), TRACKER, last) == ((), ())


def test_what_cannot_be_read_is_told_to_people_and_changes_nothing() -> None:
    """The rest of its row is read."""
    last = {"7,EMEA": {"decision": "open"}}
    (said,), rejects = read_back(changes({"7,EMEA": ("perhaps", 5)}), TRACKER, last)
    assert (said.record["decision"], said.record["cost"]) == ("open", 5)
    reason = "`perhaps` is not one of its values, and not read back"
    assert rejects == (Reject("7,EMEA", "decision", reason, "value"),)


@pytest.mark.parametrize("key", ["7,null", "x" * 170 + "~" + "0" * 32], ids=["missing", "long"])
def test_a_key_that_no_table_could_hold_is_told(key: str) -> None:
    """A group without a value, a text that was cut off."""
    said, (reject,) = read_back(changes({key: ("open", None)}), TRACKER, {})
    assert (said, reject.key) == ((), key)


def test_what_is_put_back_is_as_the_sink_has_it() -> None:
    """Nothing where the sink cannot hold it."""
    text = Annotation(Column("text", "Text", STRING))
    tracker = Tracker("w.j", TRACKER.place, (), annotations=(COST, text))
    last: dict[str, dict[str, Any]] = {"a": {"cost": 10**16, "text": "\x00"}}
    assert cells_of(last, tracker) == {"a": {"cost": str(10**16)}}


def test_the_table_is_named_like_the_tracker() -> None:
    """In a schema of its own."""
    assert table_of(TRACKER) == "annotations.films_refresh_films"
