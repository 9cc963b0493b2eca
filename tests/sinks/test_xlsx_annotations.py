"""Columns of a workbook that people fill in: made once, validated, followed, never written over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from genesis.compile.statement import Column
from genesis.sinks.xlsx import XlsxSink
from genesis.spec.types import BOOLEAN, DATE, INTEGER, STRING, Type
from genesis.spec.workflow import Place
from genesis.sync.changes import Annotation, Cell, Changes, Present, Tracker
from genesis.sync.compare import compare
from genesis.sync.encode import encode

DECISION = Annotation(Column("decision", "Decision", STRING), ("open", "done"))
DUE = Annotation(Column("due", "Due", DATE))
TRACKER = Tracker(
    "w.j",
    Place(xlsx={"file": "t.xlsx", "tab": "T"}),
    (Column("id", "Id", STRING, key=True), Column("title", "Title", STRING)),
    annotations=(DECISION, DUE),
    note="kept by genesis",
)


@dataclass
class Desk:
    """A workbook, in turns in genesis's and in a person's hands."""

    root: Path

    def refresh(
        self,
        *keys: str,
        tracker: Tracker = TRACKER,
        remembered: Mapping[str, Mapping[str, Cell]] | None = None,
    ) -> Changes:
        rows = pa.table({"id": list(keys), "title": [f"film {key}" for key in keys]})
        wanted = replace(encode(rows, tracker), remembered=remembered or {})
        changes = compare(wanted=wanted, present=self.read(tracker), policy=tracker.policy)
        XlsxSink(self.root).apply(tracker, changes)
        return changes

    def read(self, tracker: Tracker = TRACKER) -> Present:
        return XlsxSink(self.root).read(tracker)

    def annotations(self, tracker: Tracker = TRACKER) -> dict[str, dict[str, Cell]]:
        """What a refresh reads back, by key."""
        present = self.read(tracker)
        names = [column.name for column in present.annotations]
        return {row.key: dict(zip(names, row.annotations, strict=True)) for row in present.rows}

    @contextmanager
    def hand(self) -> Iterator[Worksheet]:
        book = openpyxl.load_workbook(self.root / "t.xlsx")
        yield book["T"]
        book.save(self.root / "t.xlsx")

    def shown(self) -> list[tuple[Any, ...]]:
        sheet = openpyxl.load_workbook(self.root / "t.xlsx")["T"]
        return [row[:-1] for row in sheet.iter_rows(values_only=True)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_columns_are_made_right_of_the_reports(desk: Desk) -> None:
    """With their labels, before the hidden one."""
    desk.refresh("a")
    assert desk.shown() == [("Id", "Title", "Decision", "Due"), ("a", "film a", None, None)]


def test_columns_are_made_in_a_tracker_that_had_none(desk: Desk) -> None:
    """A person's own column stays where it is, right of ours."""
    desk.refresh("a", tracker=replace(TRACKER, annotations=()))
    with desk.hand() as sheet:
        sheet["D1"], sheet["D2"] = "Mine", "!"
    desk.refresh("a")
    sheet = openpyxl.load_workbook(desk.root / "t.xlsx")["T"]
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0] == ("Id", "Title", "Decision", "Due", "_genesis", "Mine")
    assert rows[1][-1] == "!"


def test_a_second_refresh_writes_nothing(desk: Desk) -> None:
    """Neither by itself nor after people filled their cells."""
    desk.refresh("a")
    assert desk.refresh("a").is_empty
    with desk.hand() as sheet:
        sheet["C2"], sheet["D2"] = "done", date(2026, 3, 1)
    assert desk.refresh("a").is_empty


def test_values_are_a_drop_down(desk: Desk) -> None:
    """Over all rows, also those to come."""
    desk.refresh("a")
    rules = {str(rule.sqref): rule for rule in _rules(desk)}
    assert (rules["C2:C1048576"].type, rules["C2:C1048576"].formula1) == ("list", '"open,done"')


@pytest.mark.parametrize(
    ("type_", "rule"),
    [
        (DATE, "date"),
        (INTEGER, "whole"),
        (Type("decimal", 9, 2), "decimal"),
        (BOOLEAN, "list"),
        (STRING, None),
    ],
    ids=str,
)
def test_other_types_are_validated(desk: Desk, type_: Type, rule: str | None) -> None:
    """Text takes everything."""
    asked = Annotation(Column("asked", "Asked", type_))
    desk.refresh("a", tracker=replace(TRACKER, annotations=(asked,)))
    assert next((rule.type for rule in _rules(desk)), None) == rule


def test_values_that_a_drop_down_cannot_hold_have_none(desk: Desk) -> None:
    """A comma parts values; what is written there is checked when it is read."""
    asked = replace(DECISION, values=("yes", "yes, but"))
    desk.refresh("a", tracker=replace(TRACKER, annotations=(asked,)))
    assert _rules(desk) == []


def test_a_drop_down_follows_its_definition(desk: Desk) -> None:
    """With the next change of the tracker."""
    desk.refresh("a")
    asked = replace(DECISION, values=("yes", "no"))
    desk.refresh("a", "b", tracker=replace(TRACKER, annotations=(asked,)))
    assert [rule.formula1 for rule in _rules(desk) if rule.type == "list"] == ['"yes,no"']


def test_what_people_wrote_is_read_by_key(desk: Desk) -> None:
    """Dates as dates, empty cells as nothing."""
    desk.refresh("a", "b")
    with desk.hand() as sheet:
        sheet["C3"], sheet["D2"] = "done", date(2026, 3, 1)
    assert desk.annotations() == {
        "a": {"decision": None, "due": date(2026, 3, 1)},
        "b": {"decision": "done", "due": None},
    }


def test_annotations_go_with_their_rows(desk: Desk) -> None:
    """Through inserts, deletes and another order."""
    desk.refresh("a", "b", "c")
    with desk.hand() as sheet:
        for row, value in enumerate(("one", "two", "three"), 2):
            sheet.cell(row, 3, value)
    desk.refresh("d", "c", "a", tracker=replace(TRACKER, order="query"))
    assert [row[2] for row in desk.shown()[1:]] == [None, "three", "one"]


def test_a_renamed_column_is_followed(desk: Desk) -> None:
    """The hidden name still points to it; the header stays as the person wrote it."""
    desk.refresh("a")
    with desk.hand() as sheet:
        sheet["C1"], sheet["C2"] = "Beschluss", "open"
    desk.refresh("a", "b")
    assert desk.shown()[0] == ("Id", "Title", "Beschluss", "Due")
    assert desk.annotations()["a"]["decision"] == "open"


def test_a_moved_column_is_followed(desk: Desk) -> None:
    """By its header."""
    desk.refresh("a")
    with desk.hand() as sheet:
        sheet["H1"], sheet["H2"], sheet["C1"] = "Decision", "open", None
    assert desk.annotations()["a"]["decision"] == "open"


def test_a_column_that_was_deleted_is_made_again(desk: Desk) -> None:
    """With what was read from it last."""
    desk.refresh("a")
    with desk.hand() as sheet:
        sheet.delete_cols(3, 2)
    desk.refresh("a", remembered={"a": {"decision": "open", "due": date(2026, 3, 1)}})
    assert desk.annotations()["a"] == {"decision": "open", "due": date(2026, 3, 1)}


def test_a_record_that_comes_back_gets_its_annotations(desk: Desk) -> None:
    """They were remembered while it was gone."""
    desk.refresh("a", "b")
    desk.refresh("b")
    desk.refresh("a", "b", remembered={"a": {"due": date(2026, 3, 1)}})
    assert desk.annotations()["a"] == {"decision": None, "due": date(2026, 3, 1)}


def test_a_column_of_a_persons_own_becomes_the_annotation_of_its_label(desk: Desk) -> None:
    """Two columns of one name would help nobody."""
    desk.refresh("a", tracker=replace(TRACKER, annotations=()))
    with desk.hand() as sheet:
        sheet["D1"], sheet["D2"] = "Decision", "open"
    desk.refresh("a", tracker=replace(TRACKER, annotations=(DECISION,)))
    assert desk.annotations(replace(TRACKER, annotations=(DECISION,)))["a"]["decision"] == "open"


def test_formulas_of_people_pass_through(desk: Desk) -> None:
    """They follow their row; what they come to, genesis does not know."""
    desk.refresh("a", "b")
    with desk.hand() as sheet:
        sheet["C3"] = "=B3"
    desk.refresh("b")
    assert desk.shown()[1] == ("b", "film b", "=B2", None)


def test_text_stays_text(desk: Desk) -> None:
    """Or a spreadsheet would make a date of 3/5."""
    desk.refresh("a")
    sheet = openpyxl.load_workbook(desk.root / "t.xlsx")["T"]
    assert sheet.column_dimensions["C"].number_format == "@"


def _rules(desk: Desk) -> list[Any]:
    sheet = openpyxl.load_workbook(desk.root / "t.xlsx")["T"]
    return list(sheet.data_validations.dataValidation)
