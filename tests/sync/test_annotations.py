"""Columns that people fill in: what a refresh does about them, and what it never does."""

from __future__ import annotations

from collections.abc import Mapping

from genesis.compile.statement import Column
from genesis.spec.types import DATE, STRING
from genesis.sync.changes import (
    Annotation,
    Cell,
    Changes,
    Policy,
    Present,
    PresentColumn,
    PresentRow,
    Relabel,
    Restore,
    Wanted,
    WantedRow,
)
from genesis.sync.compare import compare

TITLE = Column("title", "Title", STRING)
DECISION = Annotation(Column("decision", "Decision", STRING), ("open", "done"))
DUE = Annotation(Column("due", "Due", DATE))
FOUND = PresentColumn("decision", "Decision", "Decision", 2)


def present(
    *annotations: PresentColumn, rows: Mapping[str, tuple[Cell, ...]] | None = None
) -> Present:
    """A tracker with these rows, each with the cells that people filled."""
    lines = enumerate((rows or {}).items(), 2)
    return Present(
        columns=(PresentColumn("title", "Title", "Title", 1),),
        rows=tuple(PresentRow(key, (key,), at, None, cells) for at, (key, cells) in lines),
        annotations=annotations,
    )


def refresh(
    now: Present, *keys: str, remembered: Mapping[str, Mapping[str, Cell]] | None = None
) -> Changes:
    rows = tuple(WantedRow(key, (key,)) for key in keys)
    wanted = Wanted(
        "w.j",
        (TITLE,),
        rows,
        annotations=(DECISION, DUE),
        remembered=remembered or {},
    )
    return compare(wanted=wanted, present=now, policy=Policy())


def test_columns_that_are_missing_are_made() -> None:
    """One is there, the other is not."""
    changes = refresh(present(FOUND))
    assert (changes.new_annotations, changes.is_empty) == ((DUE,), False)


def test_nothing_is_done_about_columns_that_are_there() -> None:
    """Whatever people put into them."""
    due = PresentColumn("due", "Due", "Due", 3)
    assert refresh(present(FOUND, due, rows={"a": ("maybe", None)}), "a").is_empty


def test_a_header_follows_its_definition() -> None:
    """It was called `Verdict` by an earlier definition."""
    old = PresentColumn("decision", "Verdict", "Verdict", 2)
    assert refresh(present(old)).relabels == (Relabel("decision", "Verdict", "Decision"),)


def test_a_header_that_a_person_wrote_stays_and_is_told() -> None:
    """`Beschluss` is what people call it."""
    changes = refresh(present(PresentColumn("decision", "Decision", "Beschluss", 2)))
    assert changes.relabels == ()
    assert changes.notes == ("header `Decision` was renamed to `Beschluss` and stays so",)


def test_a_record_that_comes_back_has_its_annotations_again() -> None:
    """`a` had left the report."""
    changes = refresh(present(FOUND), "a", remembered={"a": {"decision": "done"}})
    assert changes.restores == (Restore("a", "decision", "done"),)


def test_a_column_that_was_deleted_is_made_again_with_what_was_in_it() -> None:
    """And people hear of it."""
    remembered: Mapping[str, Mapping[str, Cell]] = {"a": {"decision": "done", "due": None}}
    changes = refresh(
        present(PresentColumn("due", "Due", "Due", 2), rows={"a": (None,)}),
        "a",
        remembered=remembered,
    )
    assert changes.restores == (Restore("a", "decision", "done"),)
    assert changes.notes == ("column `Decision` is gone; it is made again, as it was read last",)


def test_nothing_is_put_back_into_rows_and_columns_that_stay() -> None:
    """A person emptied the cell, and it was not read back yet."""
    due = PresentColumn("due", "Due", "Due", 3)
    now = present(FOUND, due, rows={"a": (None, None)})
    assert refresh(now, "a", remembered={"a": {"decision": "done"}}).is_empty


def test_nothing_is_put_back_into_rows_that_go() -> None:
    """`a` leaves, together with the column's deletion."""
    now = present(PresentColumn("due", "Due", "Due", 2), rows={"a": (None,)})
    assert refresh(now, remembered={"a": {"decision": "done"}}).restores == ()
