"""Fields that people fill in, and the table of records that left the report, in Airtable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from genesis.compile.statement import Column
from genesis.errors import SinkError
from genesis.spec.types import BOOLEAN, DATE, STRING
from genesis.sync.changes import Annotation, Cell
from genesis.testing.airtable import Airtable
from tests.sinks.airtable_home import Home, Killed

DECISION = Annotation(Column("decision", "Decision", STRING), ("open", "done"))
DUE = Annotation(Column("due", "Due", DATE))
SEEN = Annotation(Column("seen", "Seen", BOOLEAN))
ASKED = (DECISION, DUE, SEEN)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with Airtable() as airtable:
        yield Home(airtable, tmp_path)


def film(number: int) -> dict[str, Any]:
    return {"id": number, "title": f"Film {number}", "late": False}


def said(home: Home) -> dict[str, dict[str, Cell]]:
    """What a refresh reads back, by key."""
    present = home.sink().read(replace(home.tracker, annotations=ASKED))
    names = [column.name for column in present.annotations]
    return {row.key: dict(zip(names, row.annotations, strict=True)) for row in present.rows}


def refresh(
    home: Home, *numbers: int, remembered: Mapping[str, Mapping[str, Cell]] | None = None
) -> None:
    """A refresh that knows what people said before."""
    tracker = replace(home.tracker, annotations=ASKED)
    sink = home.sink()
    changes = home.changes(
        [film(n) for n in numbers], sink, annotations=ASKED, remembered=remembered
    )
    sink.apply(tracker, changes)


def test_fields_are_made_for_the_types_that_are_asked_for(home: Home) -> None:
    """A single select of the values; and only once."""
    refresh(home, 1)
    fields = {field.name: field for field in home.table.fields}
    assert fields["Decision"].type == "singleSelect"
    assert [choice["name"] for choice in fields["Decision"].options["choices"]] == ["open", "done"]
    assert (fields["Due"].type, fields["Seen"].type) == ("date", "checkbox")
    assert home.refresh([film(1)], annotations=ASKED).writes == 0


def test_what_people_fill_in_is_read_and_stays(home: Home) -> None:
    """Through a refresh that changes their record, and in a field that they renamed."""
    refresh(home, 1, 2)
    home.table.edit(home.table.find(Title="Film 1"), Decision="open", Due="2026-03-01", Seen=True)
    home.table.field("Decision").name = "Beschluss"
    home.refresh([film(1) | {"title": "M"}, film(2)], annotations=ASKED)
    assert said(home)["1"] == {"decision": "open", "due": date(2026, 3, 1), "seen": True}
    assert said(home)["2"] == {"decision": None, "due": None, "seen": None}
    assert home.shown("Title", "Beschluss") == [("Film 2", None), ("M", "open")]


def test_fields_are_made_in_a_table_that_had_none(home: Home) -> None:
    """A person's field of that name is taken for the annotation, and gets its label."""
    home.refresh([film(1)])
    home.table.create_field({"name": "decision", "type": "singleLineText"})
    home.table.edit(home.table.find(Title="Film 1"), decision="open")
    refresh(home, 1)
    assert said(home)["1"]["decision"] == "open"
    assert [f.name for f in home.table.fields if f.name.casefold() == "decision"] == ["Decision"]


def test_a_record_that_comes_back_gets_what_was_said(home: Home) -> None:
    """As far as its fields still offer it."""
    refresh(home, 1, 2)
    refresh(home, 2)
    remembered = {"1": {"decision": "done", "due": date(2026, 3, 1)}}
    refresh(home, 1, 2, remembered=remembered)
    assert said(home)["1"] == {"decision": "done", "due": date(2026, 3, 1), "seen": None}


def test_a_choice_that_is_offered_no_more_is_left_out(home: Home) -> None:
    """The record lands all the same."""
    refresh(home, 1)
    refresh(home, 1, 2, remembered={"2": {"decision": "perhaps", "seen": True}})
    assert said(home)["2"] == {"decision": None, "due": None, "seen": True}


def test_a_header_follows_its_definition(home: Home) -> None:
    """And is known by its new label from then on."""
    refresh(home, 1)
    column = replace(DECISION.column, label="Verdict")
    asked = (replace(DECISION, column=column), DUE, SEEN)
    home.refresh([film(1)], annotations=asked)
    assert "Verdict" in [field.name for field in home.table.fields]
    assert home.refresh([film(1)], annotations=asked).writes == 0


# ---- the archive


def archive(home: Home) -> list[dict[str, Any]]:
    return [dict(row) for row in home.base.table("Films archive").rows]


def test_records_go_to_the_archive_with_peoples_fields(home: Home) -> None:
    """Values as they are; the record itself goes."""
    refresh(home, 1, 2)
    home.table.create_field({"name": "Mine", "type": "multilineText"})
    home.table.edit(home.table.find(Title="Film 1"), Mine="call Ann", Decision="open", Seen=True)
    receipt = home.refresh([film(2)], annotations=ASKED, on_delete="archive")
    (row,) = archive(home)
    assert (row["Title"], row["Mine"], row["Decision"], row["Seen"]) == (
        "Film 1",
        "call Ann",
        "open",
        True,
    )
    assert (receipt.deleted, home.shown("Title")) == (1, [("Film 2",)])


def test_a_field_that_is_new_is_made_in_the_archive_too(home: Home) -> None:
    """Records before it have none."""
    home.refresh([film(1), film(2), film(3)], on_delete="archive")
    home.refresh([film(2), film(3)], on_delete="archive")
    home.table.create_field({"name": "Mine", "type": "number", "options": {"precision": 0}})
    home.table.edit(home.table.find(Title="Film 2"), Mine=7)
    home.refresh([film(3)], on_delete="archive")
    assert [(row["Title"], row.get("Mine")) for row in archive(home)] == [
        ("Film 1", None),
        ("Film 2", 7),
    ]


def test_a_record_that_comes_back_stays_in_the_archive(home: Home) -> None:
    """And is there twice when it leaves again."""
    home.refresh([film(1), film(2)], on_delete="archive")
    home.refresh([film(2)], on_delete="archive")
    home.refresh([film(1), film(2)], on_delete="archive")
    assert len(archive(home)) == 1
    home.refresh([film(2)], on_delete="archive")
    assert len(archive(home)) == 2


def test_a_table_of_the_archives_name_that_is_a_persons_is_refused(home: Home) -> None:
    """And nothing is deleted."""
    home.refresh([film(1), film(2)], on_delete="archive")
    home.base.create_table(
        {"name": "Films archive", "fields": [{"name": "Mine", "type": "singleLineText"}]}
    )
    with pytest.raises(SinkError, match="genesis did not make"):
        home.refresh([film(2)], on_delete="archive")
    assert len(home.shown("Title")) == 2


def test_a_refresh_that_dies_anywhere_archives_nothing_twice(home: Home) -> None:
    """Killed at every call of it in turn, then made up for."""
    for turn in range(1, 12):
        numbers = (100 + turn, 1)
        home.refresh([film(n) for n in numbers], on_delete="archive")
        home.rates.turns, home.rates.dies_at = 0, turn
        with suppress(Killed):
            home.refresh([film(1)], on_delete="archive")
        home.rates.dies_at = None
        home.refresh([film(1)], on_delete="archive")
    titles = [row["Title"] for row in archive(home)]
    assert sorted(titles) == [f"Film {100 + turn}" for turn in range(1, 12)]
    assert home.shown("Title") == [("Film 1",)]
