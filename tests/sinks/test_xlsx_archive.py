"""`on_delete: archive` in a workbook: rows that left the report go to a tab of their own, whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from genesis.compile.statement import Column
from genesis.errors import SinkError
from genesis.spec.types import STRING
from genesis.sync.changes import Annotation

ARCHIVE = "Productions archive"
YELLOW = PatternFill("solid", "FFFF00")
DECISION = Annotation(Column("decision", "Decision", STRING))


@pytest.fixture
def archiving(desk: Any, film: Any) -> Any:
    """A tracker of three films that keeps an archive."""
    desk.set(on_delete="archive", annotations=(DECISION,))
    desk.refresh([film("a"), film("b"), film("c")])
    return desk


def test_a_row_goes_to_the_archive_with_what_people_put_on_it(archiving: Any, film: Any) -> None:
    """Values, styles, notes, people's columns, results of formulas."""
    with archiving.person() as sheet:
        sheet["F3"], sheet["H1"], sheet["H3"] = "open", "Our notes", "call Ann"
        sheet["B3"].fill = YELLOW
        sheet["H3"].comment = Comment("since Monday", "Ann")
    receipt = archiving.refresh([film("a"), film("c")])
    archive = archiving.sheet(ARCHIVE)
    headers, row = archive.iter_rows(values_only=True)
    assert headers == ("Id", "Title", "Start", "Budget", "Late", "Decision", "Our notes")
    assert row == ("b", "Film b", datetime(2026, 3, 1), 1000.5, False, "open", "call Ann")  # noqa: DTZ001
    assert archive["B2"].fill.fgColor.rgb == "00FFFF00"
    assert archive["C2"].number_format == archiving.sheet()["C2"].number_format
    assert (archive["G2"].comment.text, archive["G2"].comment.author) == ("since Monday", "Ann")
    assert archive["A1"].font.b
    assert receipt.deleted == 1
    assert [row["Id"] for row in archiving.shown()] == ["a", "c"]


def test_later_rows_go_below_under_the_same_headers(archiving: Any, film: Any) -> None:
    """Although columns were moved, renamed and added meanwhile."""
    archiving.refresh([film("a"), film("c")])
    with archiving.person() as sheet:
        sheet["A1"], sheet["I1"], sheet["I3"] = "Nr", "Mine", "!"
    archiving.refresh([film("a")])
    headers, *rows = archiving.sheet(ARCHIVE).iter_rows(values_only=True)
    assert headers == ("Id", "Title", "Start", "Budget", "Late", "Decision", "Mine")
    assert [(row[0], row[-1]) for row in rows] == [("b", None), ("c", "!")]


def test_people_may_work_in_the_archive(archiving: Any, film: Any) -> None:
    """Their sorting, columns and edits stay."""
    archiving.refresh([film("a"), film("c")])
    with archiving.person(ARCHIVE) as sheet:
        sheet["B2"], sheet["J1"], sheet["J2"] = "The old film", "Why", "no money"
    archiving.refresh([film("a")])
    rows = list(archiving.sheet(ARCHIVE).iter_rows(values_only=True))
    assert rows[1][1] == "The old film"
    assert rows[1][9] == "no money"
    assert rows[2][0] == "c"


def test_a_record_that_comes_back_stays_in_the_archive_too(archiving: Any, film: Any) -> None:
    """It is a new row of the tracker."""
    archiving.refresh([film("a"), film("c")])
    archiving.refresh([film("a"), film("b"), film("c")])
    assert [row["Id"] for row in archiving.shown()] == ["a", "c", "b"]
    assert [row["Id"] for row in archiving.shown(ARCHIVE)] == ["b"]


def test_nothing_is_archived_twice(archiving: Any, film: Any) -> None:
    """A refresh that changes nothing writes nothing."""
    archiving.refresh([film("a"), film("c")])
    assert archiving.refresh([film("a"), film("c")]).writes == 0


def test_a_tab_of_the_archives_name_that_is_a_persons_is_refused(archiving: Any, film: Any) -> None:
    """And the tracker is as it was."""
    with archiving.person() as sheet:
        sheet.parent.create_sheet(ARCHIVE)["A1"] = "mine"
    with pytest.raises(SinkError, match="content that genesis did not write"):
        archiving.refresh([film("a"), film("c")])
    assert len(archiving.shown()) == 3


def test_a_formula_without_a_result_goes_as_text(archiving: Any, film: Any) -> None:
    """openpyxl computes none; in the archive it would point to other rows."""
    with archiving.person() as sheet:
        sheet["H3"] = "=A3"
    archiving.refresh([film("a"), film("c")])
    cell = archiving.sheet(ARCHIVE)["G2"]
    assert (cell.value, cell.data_type) == ("=A3", "s")
