"""A tracker in a workbook: what genesis writes, and what of people it leaves alone."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from genesis.compile.statement import Column
from genesis.errors import SinkError
from genesis.spec.types import BOOLEAN, FLOAT, INTEGER, STRING, TIME, TIMESTAMP, TIMESTAMPTZ
from genesis.spec.workflow import Place
from genesis.sync.encode import REMOVED

YELLOW = PatternFill("solid", fgColor="FFFF00")


def test_a_new_tracker_is_ready_to_use(desk: Any, film: Any) -> None:
    """Header in bold and in sight, a filter, real dates and numbers, the key out of sight."""
    desk.refresh([film("a", start=date(2026, 12, 31)), film("b", late=True)])
    sheet = desk.sheet()
    assert [cell.value for cell in sheet[1]] == [
        "Id",
        "Title",
        "Start",
        "Budget",
        "Late",
        "_genesis",
    ]
    assert all(cell.font.b for cell in sheet[1][:5])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:F3"
    assert sheet["C2"].number_format == "mm/dd/yyyy"
    assert sheet["D2"].number_format == "$#,##0.00"
    assert sheet.column_dimensions["F"].hidden
    assert sheet["A1"].comment.text == "Productions\nKept by genesis"
    assert desk.shown() == [
        {
            "Id": "a",
            "Title": "Film a",
            "Start": date(2026, 12, 31),
            "Budget": 1000.5,
            "Late": False,
        },
        {"Id": "b", "Title": "Film b", "Start": date(2026, 3, 1), "Budget": 1000.5, "Late": True},
    ]


def test_unchanged_data_writes_nothing(desk: Any, film: Any) -> None:
    """Not a byte, not a time stamp: a synchronised folder has nothing to upload."""
    rows = [film("a"), film("b", title=None, start=None, budget=None, late=None)]
    desk.refresh(rows)
    os.utime(desk.path, (1, 1))
    before = desk.path.read_bytes()
    receipt = desk.refresh(rows)
    assert desk.path.read_bytes() == before
    assert desk.path.stat().st_mtime == 1
    assert (receipt.reads, receipt.writes, receipt.bytes) == (1, 0, 0)
    assert receipt.fence_before == receipt.fence_after


def test_touch_writes_the_note(desk: Any, film: Any) -> None:
    """One small write a run, so that the sheet itself says when it was last checked."""
    desk.refresh([film("a")])
    desk.set(touch=True, note="checked again")
    receipt = desk.refresh([film("a")])
    assert receipt.writes == 1
    assert desk.sheet()["A1"].comment.text == "checked again"


@pytest.mark.parametrize("order", ["stable", "query"])
def test_what_people_add_stays_with_its_row(desk: Any, film: Any, find: Any, order: str) -> None:
    """Notes, colours, fonts, comments, links, heights and formulas, through inserts, deletes, moves."""
    desk.set(order=order)
    desk.refresh([film("a"), film("b"), film("c")])
    with desk.person() as sheet:
        sheet["G1"] = "Our notes"
        row = find(sheet, "c")
        sheet[f"G{row}"] = "call Ann"
        sheet[f"H{row}"] = f'=B{row}&"!"'
        sheet[f"B{row}"].fill = YELLOW
        sheet[f"B{row}"].font = Font(name="Arial", italic=True)
        sheet[f"B{row}"].comment = Comment("who wrote this?", "Ann")
        sheet[f"G{row}"].hyperlink = "https://example.com/c"
        sheet.row_dimensions[row].height = 40
        sheet.column_dimensions["D"].hidden = True
    desk.refresh([film("d"), film("c", title="Blue"), film("e"), film("b")])
    sheet = desk.sheet()
    keys = ["d", "c", "e", "b"] if order == "query" else ["b", "c", "d", "e"]
    assert [sheet[f"A{row}"].value for row in range(2, 6)] == keys
    row = find(sheet, "c")
    assert sheet[f"B{row}"].value == "Blue"
    assert sheet[f"G{row}"].value == "call Ann"
    assert sheet[f"H{row}"].value == f'=B{row}&"!"'
    assert sheet[f"B{row}"].fill.fgColor.rgb == "00FFFF00"
    assert sheet[f"B{row}"].font.name == "Arial"
    assert sheet[f"B{row}"].comment.text == "who wrote this?"
    assert sheet[f"G{row}"].hyperlink.target == "https://example.com/c"
    assert sheet.row_dimensions[row].height == 40
    assert sheet.column_dimensions["D"].hidden
    other = find(sheet, "b")
    assert sheet[f"G{other}"].value is None
    assert sheet[f"B{other}"].comment is None
    assert sheet.row_dimensions[other].height != 40


def test_deleted_rows_take_their_comments_along(desk: Any, film: Any) -> None:
    """A comment without its row would stand beside another film."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        sheet["B2"].comment = Comment("on a", "Ann")
        sheet["B3"].comment = Comment("on b", "Ann")
    desk.refresh([film("b")])
    sheet = desk.sheet()
    assert sheet["B2"].comment.text == "on b"
    assert sheet["B3"].comment is None
    assert sheet["A1"].comment is not None


def test_rows_of_people_stay_where_they_are(desk: Any, film: Any) -> None:
    """A title above the header, a heading between rows, a total below that takes in new rows."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        sheet.insert_rows(1, 2)
        sheet.auto_filter.ref = "A3:F5"
        sheet["A1"] = "Season 2026"
        sheet.move_range("A5:F5", rows=1)
        sheet["A5"] = "In post"
        sheet["C8"] = "Total"
        sheet["D8"] = "=SUM(D4:D6)"
    desk.refresh([film("b"), film("c", budget=Decimal(7)), film("d")])
    sheet = desk.sheet()
    assert [sheet[f"A{row}"].value for row in range(1, 8)] == [
        "Season 2026", None, "Id", "In post", "b", "c", "d",
    ]  # fmt: skip
    assert (sheet["C9"].value, sheet["D9"].value) == ("Total", "=SUM(D4:D7)")
    assert sheet.auto_filter.ref == "A3:F7"


def test_columns_are_followed(desk: Any, film: Any) -> None:
    """Renamed, moved, and surrounded by people's own, all at once."""
    desk.refresh([film("a", title="Ærø"), film("b", title="Blue")])
    with desk.person() as sheet:
        sheet["B1"] = "What we call it"
        sheet.insert_cols(1)
        sheet["A1"], sheet["A2"] = "Mine", "first"
        for row in (1, 2, 3):  # Title goes behind Budget
            cells = [sheet.cell(row, column).value for column in (3, 4, 5)]
            for column, value in zip((3, 4, 5), (cells[1], cells[2], cells[0]), strict=True):
                sheet.cell(row, column).value = value
                sheet.cell(row, column).number_format = "General"
    receipt = desk.refresh([film("a", title="Ærø 2"), film("b", title="Blue")])
    assert (receipt.updated, receipt.inserted, receipt.human_edits) == (1, 0, ())
    sheet = desk.sheet()
    assert [cell.value for cell in sheet[1]][:6] == [
        "Mine", "Id", "Start", "Budget", "What we call it", "Late",
    ]  # fmt: skip
    assert sheet["E2"].value == "Ærø 2"
    assert sheet["A2"].value == "first"
    assert any("`Title` was renamed to `What we call it`" in note for note in receipt.notes)
    assert desk.refresh([film("a", title="Ærø 2"), film("b", title="Blue")]).writes == 0


def test_a_column_of_the_same_name_is_its_owner_s(desk: Any, film: Any) -> None:
    """What stands in it tells it from ours."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        sheet.insert_cols(1)
        sheet["A1"], sheet["A2"] = "Title", "my own"
    assert desk.refresh([film("a"), film("b")]).writes == 0
    desk.refresh([film("a", title="Blue"), film("b")])
    assert (desk.sheet()["A2"].value, desk.sheet()["C2"].value) == ("my own", "Blue")


def test_an_empty_column_is_followed_by_its_place(desk: Any, film: Any) -> None:
    """Nothing in it tells which it is, but its neighbour does."""
    rows = [film("a", title=None), film("b", title=None)]
    desk.refresh(rows)
    with desk.person() as sheet:
        sheet["B1"] = "Our name for it"
    assert desk.refresh(rows).writes == 0
    desk.refresh([film("a", title="Blue"), film("b")])
    assert desk.sheet()["B2"].value == "Blue"


def test_a_deleted_column_comes_back(desk: Any, film: Any) -> None:
    """The report has it; it stands right of its neighbour again."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet.delete_cols(2)
    desk.refresh([film("a")])
    assert [cell.value for cell in desk.sheet()[1]][:3] == ["Id", "Title", "Start"]
    assert desk.shown()[0]["Title"] == "Film a"


def test_edits_of_managed_cells_are_told(desk: Any, film: Any) -> None:
    """What stood there, what is there now; a formula is an edit too."""
    desk.refresh([film("a"), film("b"), film("c")])
    with desk.person() as sheet:
        sheet["B2"] = "My title"
        sheet["D3"] = "=500*2+0.5"
        sheet["C4"] = None
    receipt = desk.refresh([film("a"), film("b"), film("c")])
    assert receipt.to_json()["human_edits"] == [
        {"key": "a", "column": "title", "written": "Film a", "found": "My title"},
        {"key": "b", "column": "budget", "written": 1000.5, "found": "=500*2+0.5"},
        {"key": "c", "column": "start", "written": "2026-03-01", "found": None},
    ]
    assert desk.shown()[0]["Title"] == "Film a"
    assert desk.refresh([film("a"), film("b"), film("c")]).writes == 0


def test_kept_edits_stay(desk: Any, film: Any) -> None:
    """Through other changes of their row, until their own source changes."""
    desk.set(on_human_edit="keep")
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["B2"] = "My title"
    assert desk.refresh([film("a")]).writes == 0
    desk.refresh([film("a", late=True)])
    assert desk.shown()[0]["Title"] == "My title"
    receipt = desk.refresh([film("a", late=True, title="New")])
    assert desk.shown()[0]["Title"] == "New"
    assert len(receipt.human_edits) == 1


def test_sorting_without_the_hidden_key(desk: Any, film: Any) -> None:
    """Someone selects the visible columns and sorts: notes stay with their films."""
    desk.refresh([film("a"), film("b"), film("c")])
    with desk.person() as sheet:
        notes = {"a": "note a", "b": "note b", "c": "note c"}
        sheet["G1"] = "Notes"
        for row, key in zip((2, 3, 4), "cab", strict=True):
            sheet[f"A{row}"], sheet[f"B{row}"], sheet[f"G{row}"] = key, f"Film {key}", notes[key]
    receipt = desk.refresh([film("a"), film("b"), film("c", late=True)])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (0, 1, 0)
    shown = desk.shown()
    assert [(row["Id"], row["Notes"], row["Late"]) for row in shown] == [
        ("c", "note c", True), ("a", "note a", False), ("b", "note b", False),
    ]  # fmt: skip
    assert desk.refresh([film("a"), film("b"), film("c", late=True)]).writes == 0


def test_a_copied_row_is_its_owner_s(desk: Any, film: Any) -> None:
    """The first stays managed; the copy is kept as it is, and the next refresh is quiet."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        for cell in sheet[2]:
            sheet.cell(5, cell.column, cell.value)
    receipt = desk.refresh([film("a", title="New"), film("b")])
    assert [row["Title"] for row in desk.shown()] == ["New", "Film b", "", "Film a"]
    assert any("copies of rows `a`" in note for note in receipt.notes)
    assert desk.refresh([film("a", title="New"), film("b")]).writes == 0


def test_the_row_that_was_copied_stays_managed(desk: Any, film: Any) -> None:
    """Also where its changed copy stands above it."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        for cell in sheet[2]:
            sheet.cell(4, cell.column, cell.value)
        sheet["B2"], sheet["G4"] = "Idea for a sequel", "note on a"
    desk.refresh([film("a", late=True), film("b")])
    assert [cell.value for cell in desk.sheet()["B"]][1:] == [
        "Idea for a sequel",
        "Film b",
        "Film a",
    ]
    assert desk.sheet()["E4"].value is True


def test_ranges_take_in_new_rows(desk: Any, film: Any) -> None:
    """Filter, drop-down, coloured rule, print area, name, chart and a formula on another tab."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        book = sheet.parent
        choices = DataValidation("list", formula1='"yes,no"', sqref="G2:G3")
        sheet.add_data_validation(choices)
        sheet.conditional_formatting.add("A2:E3", FormulaRule(formula=["$E2"], fill=YELLOW))
        sheet.print_area = "A1:E3"
        book.defined_names["budgets"] = DefinedName("budgets", attr_text="Productions!$D$2:$D$3")
        chart = BarChart()
        chart.add_data(Reference(sheet, min_col=4, min_row=2, max_row=3))
        sheet.add_chart(chart, "I3")
        book.create_sheet("Summary")["A1"] = "=SUM(Productions!D2:D3)+Productions!D3"
    desk.refresh([film("b"), film("c"), film("d"), film("e")])
    sheet = desk.sheet()
    book = sheet.parent
    assert sheet.auto_filter.ref == "A1:F5"
    assert [str(rule.sqref) for rule in sheet.data_validations.dataValidation] == ["G2:G5"]
    (formats,) = sheet.conditional_formatting
    assert (str(formats.sqref), formats.rules[0].formula) == ("A2:E5", ["$E2"])
    assert sheet.print_area == "'Productions'!$A$1:$E$5"
    assert book.defined_names["budgets"].attr_text == "Productions!$D$2:$D$5"
    (chart,) = sheet._charts
    assert chart.series[0].val.numRef.f == "'Productions'!$D$2:$D$5"
    assert book["Summary"]["A1"].value == "=SUM(Productions!D2:D5)+Productions!D2"


def test_an_excel_table_round_the_tracker_grows(desk: Any, film: Any) -> None:
    """With a new column inside it, and headers that agree, or Excel calls the file corrupt."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        sheet.auto_filter.ref = None
        sheet["G1"] = "Notes"
        sheet.add_table(Table(displayName="Films", ref="A1:G3"))
    desk.set(
        columns=(
            *desk.tracker.columns[:2],
            Column("days", "Days", INTEGER),
            desk.tracker.columns[4],
        )
    )
    desk.refresh([film("a", days=3), film("b", days=4), film("c", days=5)])
    table = desk.sheet().tables["Films"]
    assert table.ref == "A1:F4"
    assert table.column_names == ["Id", "Title", "Days", "Late", "_genesis", "Notes"]
    assert [row["Days"] for row in desk.shown()] == [3, 4, 5]


def test_merged_cells_and_page_breaks_follow(desk: Any, film: Any) -> None:
    """What people merged beside a row stays beside it."""
    desk.refresh([film("a"), film("b"), film("c")])
    with desk.person() as sheet:
        sheet["H4"] = "both"
        sheet.merge_cells("H4:I4")
        sheet.row_breaks.append(openpyxl.worksheet.pagebreak.Break(id=3))
    desk.refresh([film("b"), film("c")])
    sheet = desk.sheet()
    assert [str(area) for area in sheet.merged_cells.ranges] == ["H3:I3"]
    assert [item.id for item in sheet.row_breaks.brk] == [2]


def test_the_filter_takes_in_people_s_columns(desk: Any, film: Any) -> None:
    """Or sorting by it would part their notes from the rows."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["G1"], sheet["H1"] = "Notes", "More"
    desk.refresh([film("a", late=True)])
    assert desk.sheet().auto_filter.ref == "A1:H2"


def test_columns_come_and_go_with_the_report(desk: Any, film: Any) -> None:
    """New ones stand right of their neighbour, dropped ones leave, labels follow, people's stay."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["G1"], sheet["G2"], sheet["H2"] = "Notes", "mine", "=C2+1"
    first, title, start, budget, late = desk.tracker.columns
    days = Column("days", "Days", INTEGER)
    desk.set(columns=(first, replace(title, label="Movie"), days, start, late))
    changes = desk.changes([film("a", days=3)])
    assert [column.name for column in changes.added] == ["days"]
    assert [column.name for column in changes.dropped] == [budget.name]
    desk.refresh([film("a", days=3)])
    sheet = desk.sheet()
    assert [cell.value for cell in sheet[1]][:7] == [
        "Id", "Movie", "Days", "Start", "Late", "_genesis", "Notes",
    ]  # fmt: skip
    assert [cell.value for cell in sheet[2]][6:] == ["mine", "=D2+1"]
    assert sheet["C1"].font.b
    assert sheet["D2"].number_format == "mm/dd/yyyy"
    assert sheet.column_dimensions["F"].hidden
    assert not sheet.column_dimensions["G"].hidden
    assert desk.refresh([film("a", days=3)]).writes == 0


def test_a_renamed_field_keeps_its_column(desk: Any, film: Any) -> None:
    """The label says that it is the same."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["B2"].comment = Comment("nice", "Ann")
    columns = list(desk.tracker.columns)
    columns[1] = replace(columns[1], name="movie_title")
    desk.set(columns=tuple(columns))
    desk.refresh([film("a", movie_title="Blue")])
    assert desk.sheet()["B2"].comment.text == "nice"
    assert desk.shown()[0]["Title"] == "Blue"


def test_marked_rows_stay_and_say_so(desk: Any, film: Any) -> None:
    """`on_delete: mark`, there and back."""
    desk.set(on_delete="mark")
    desk.refresh([film("a"), film("b")])
    desk.refresh([film("b")])
    assert [(row["Id"], row[REMOVED.label]) for row in desk.shown()] == [("a", True), ("b", "")]
    desk.refresh([film("a"), film("b")])
    assert [row[REMOVED.label] for row in desk.shown()] == ["", ""]


def test_rows_that_a_workbook_cannot_hold(desk: Any, film: Any) -> None:
    """The others land, and the receipt says why."""
    desk.refresh([film("a"), film("b")])
    receipt = desk.refresh([film("a", title="\x07"), film("b", title="Blue")])
    assert receipt.is_partial
    assert [row["Title"] for row in desk.shown()] == ["Film a", "Blue"]
    assert (
        receipt.to_json()["rejects"][0]["reason"] == "a workbook cannot hold the character U+0007"
    )


def test_text_stays_text(desk: Any, film: Any) -> None:
    """Formulas, errors, numbers, escapes and spaces are read as they were written."""
    texts = ["=1+1", "+1", "@x", "#N/A", "0012", "TRUE", "_x0041_", "_x000D_x0041_", " a ", "a\nb",
             "<&\">'", "😀 東京", "1E5", "2026-03-01", "_"]  # fmt: skip
    desk.refresh([film(f"k{n}", title=text) for n, text in enumerate(texts)])
    assert [row["Title"] for row in desk.shown()] == texts
    assert desk.refresh([film(f"k{n}", title=text) for n, text in enumerate(texts)]).writes == 0
    assert all(cell.data_type == "s" for cell in desk.sheet()["B"])


def test_every_type(desk: Any) -> None:
    """As a program that is not ours reads them, in the time zone of the tracker's people."""
    desk.set(
        timezone="America/Los_Angeles",
        columns=(
            Column("id", "Id", STRING, key=True),
            Column("n", "N", INTEGER),
            Column("x", "X", FLOAT),
            Column("flag", "Flag", BOOLEAN),
            Column("at", "At", TIMESTAMPTZ, "EEE d MMM yyyy 'at' h:mm a"),
            Column("wall", "Wall", TIMESTAMP),
            Column("clock", "Clock", TIME),
        ),
    )
    instant = datetime.fromisoformat("2026-03-08T10:30:00Z")  # an hour after the clocks changed
    wall = datetime.fromisoformat("2026-03-08T10:30:00.125")
    row = {
        "id": "a",
        "n": 10**15,
        "x": 1e300,
        "flag": True,
        "at": instant,
        "wall": wall,
        "clock": time(9, 5),
    }
    desk.refresh([row])
    assert desk.shown() == [
        {"Id": "a", "N": "1000000000000000", "X": 1e300, "Flag": True,
         "At": datetime.fromisoformat("2026-03-08T03:30:00"), "Wall": wall, "Clock": time(9, 5)}
    ]  # fmt: skip
    assert desk.sheet()["E2"].number_format == 'ddd d mmm yyyy "at" h:mm AM/PM'
    assert desk.refresh([row]).writes == 0


def test_people_s_formats_stay(desk: Any, film: Any) -> None:
    """A cell keeps its looks when its value changes; a new one takes its column's."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["D2"].number_format = "0"
        sheet["C2"].alignment = Alignment(horizontal="center")
        sheet.column_dimensions["B"].font = Font(italic=True)
    desk.refresh([film("a", budget=Decimal(5), start=date(2027, 1, 1)), film("b")])
    sheet = desk.sheet()
    assert (sheet["D2"].value, sheet["D2"].number_format) == (5, "0")
    assert sheet["C2"].alignment.horizontal == "center"
    assert sheet["B3"].font.i
    assert sheet["D3"].number_format == "$#,##0.00"


def test_content_that_is_not_ours_is_refused(desk: Any, film: Any) -> None:
    """Until someone says that genesis may have it."""
    desk.path.parent.mkdir()
    book = openpyxl.Workbook()
    book.active.title = "Productions"
    book.active["A1"] = "precious"
    book.save(desk.path)
    before = desk.path.read_bytes()
    with pytest.raises(SinkError, match=r"tracker-not-ours(.|\n)*--adopt"):
        desk.refresh([film("a")])
    desk.set(adopt=True)
    with pytest.raises(SinkError, match="no header row with the key `Id`"):
        desk.refresh([film("a")])
    assert desk.path.read_bytes() == before


def test_adopting_matches_rows_by_key_and_header(desk: Any, film: Any) -> None:
    """A list that people kept by hand becomes a tracker, with all they wrote in it."""
    desk.path.parent.mkdir()
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Productions"
    sheet["A1"] = "Films of 2026"
    for row in (["Note", "Title", "Id", "Budget"], ["keep", "Old", "b", 3], ["mine", "Own", "x", 1],
                ["sum", "", "", 4]):  # fmt: skip
        sheet.append(row)
    book.save(desk.path)
    desk.set(adopt=True)
    receipt = desk.refresh([film("a"), film("b")])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (1, 1, 1)
    sheet = desk.sheet()
    rows = [[cell.value for cell in row][:6] for row in sheet.iter_rows(min_row=1, max_row=5)]
    assert rows[0][0] == "Films of 2026"
    assert rows[1] == ["Note", "Title", "Start", "Id", "Budget", "Late"]
    assert (rows[2][0], rows[2][1], rows[2][3]) == ("keep", "Film b", "b")
    assert (rows[3][0], rows[3][1], rows[3][3]) == (None, "Film a", "a")
    assert rows[4][0] == "sum"
    desk.set(adopt=False)
    assert desk.refresh([film("a"), film("b")]).writes == 0


def test_an_empty_tab_is_used(desk: Any, film: Any) -> None:
    """Someone made the workbook and the tab, and nothing else."""
    desk.path.parent.mkdir()
    book = openpyxl.Workbook()
    book.active.title = "productions"
    book.save(desk.path)
    desk.refresh([film("a")])
    assert desk.sheet("productions")["A2"].value == "a"
    assert desk.refresh([film("a")]).writes == 0


def test_a_missing_tab_is_made(desk: Any, film: Any) -> None:
    """And the others are passed through byte for byte."""
    desk.path.parent.mkdir()
    book = openpyxl.Workbook()
    book.active.title = "People"
    book.active["A1"] = "=1+1"
    book.save(desk.path)
    desk.refresh([film("a")])
    book = openpyxl.load_workbook(desk.path)
    assert book.sheetnames == ["People", "Productions"]
    assert book["Productions"]["A2"].value == "a"
    assert book["Productions"].freeze_panes == "A2"


def test_a_renamed_tab_is_followed(desk: Any, film: Any) -> None:
    """The tab that people look at is the one that should be fresh."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet.title = "Our films"
    assert desk.refresh([film("a")]).writes == 0
    desk.refresh([film("a", title="Blue")])
    desk.refresh([film("a", title="Red")])
    assert desk.sheet("Our films")["B2"].value == "Red"
    assert openpyxl.load_workbook(desk.path).sheetnames == ["Our films"]


def test_two_trackers_in_one_workbook(desk: Any, new_desk: Any, film: Any) -> None:
    """Each keeps to its tab."""
    other = new_desk(desk.folder)
    other.set(place=Place(xlsx={"file": "trackers/production.xlsx", "tab": "It's post"}))
    desk.refresh([film("a")])
    other.refresh([film("x"), film("y")])
    desk.refresh([film("a"), film("b")])
    assert [row["Id"] for row in desk.shown()] == ["a", "b"]
    assert [row["Id"] for row in desk.shown("It's post")] == ["x", "y"]
    assert desk.refresh([film("a"), film("b")]).writes == 0
    assert other.refresh([film("x"), film("y")]).writes == 0


def test_two_renamed_tabs_are_told_apart(desk: Any, new_desk: Any, film: Any) -> None:
    """By their headers; of twins neither is touched, and the tracker gets a tab of its own."""
    other = new_desk(desk.folder)
    other.set(
        place=Place(xlsx={"file": "trackers/production.xlsx", "tab": "Other"}),
        columns=(Column("id", "Key", STRING, key=True), Column("n", "Number", INTEGER)),
    )
    desk.refresh([film("a")])
    other.refresh([{"id": "x", "n": 1}])
    with desk.person() as sheet:
        sheet.title = "Films 2026"
        sheet.parent["Other"].title = "Numbers"
    assert desk.refresh([film("a")]).writes == 0
    assert other.refresh([{"id": "x", "n": 1}]).writes == 0
    with desk.person("Films 2026") as sheet:
        sheet.parent.copy_worksheet(sheet).title = "Copy"
    desk.refresh([film("a")])
    assert desk.shown() == desk.shown("Copy")


def test_an_emptied_tracker_fills_again(desk: Any, film: Any) -> None:
    """Ranges over it live on."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        sheet["H1"] = "=SUM(D2:D3)"
    desk.refresh([])
    assert desk.sheet()["H1"].value == "=SUM(D1:D1)"
    desk.refresh([film("c"), film("d"), film("e")])
    assert desk.sheet()["H1"].value == "=SUM(D2:D4)"
    assert desk.sheet().auto_filter.ref == "A1:F4"


def test_lost_memory_is_no_loss(desk: Any, film: Any) -> None:
    """Without the workbook's properties columns are found by their labels."""
    desk.refresh([film("a"), film("b")])
    with desk.person() as sheet:
        props = sheet.parent.custom_doc_props
        for name in list(props.names):
            del props[name]
        sheet["G2"] = "mine"
    receipt = desk.refresh([film("b"), film("a", title="Blue")])
    assert (receipt.inserted, receipt.updated, receipt.deleted) == (0, 1, 0)
    assert desk.sheet()["G2"].value == "mine"
    assert desk.refresh([film("b"), film("a", title="Blue")]).writes == 0


def test_a_tab_without_room(desk: Any, film: Any) -> None:
    """Someone wrote into the very last row."""
    desk.refresh([film("a")])
    with desk.person() as sheet:
        sheet["H1048576"] = "the end"
    before = desk.path.read_bytes()
    with pytest.raises(SinkError, match="tracker-too-large"):
        desk.refresh([film("a"), film("b")])
    assert desk.path.read_bytes() == before
    desk.refresh([film("a", title="Blue")])


def test_replaced_rows_go_by_their_place(desk: Any, film: Any) -> None:
    """`mode: replace` needs no keys, and repeats are fine."""
    desk.set(mode="replace")
    desk.refresh([film("a"), film("a", title="again")])
    receipt = desk.refresh([film("a"), film("a", title="more"), film("a")])
    assert (receipt.inserted, receipt.updated) == (1, 1)
    assert [row["Title"] for row in desk.shown()] == ["Film a", "more", "Film a"]


@pytest.mark.parametrize("tab", ["a/b", "x" * 32, "'q", "a:b", ""])
def test_tab_names_that_excel_does_not_take(desk: Any, film: Any, tab: str) -> None:
    """Better here than in a file that nobody can open."""
    desk.set(place=Place(xlsx={"file": "t.xlsx", "tab": tab}))
    with pytest.raises(SinkError, match="a name that Excel does not take"):
        desk.refresh([film("a")])


def test_other_kinds_of_files(desk: Any, film: Any) -> None:
    """A workbook is .xlsx."""
    desk.set(place=Place(xlsx={"file": "t.xls", "tab": "T"}))
    with pytest.raises(SinkError, match=r"`t\.xls` .* is no \.xlsx workbook"):
        desk.refresh([film("a")])


def test_a_link_to_a_workbook_stays_a_link(desk: Any, film: Any, tmp_path: Path) -> None:
    """The file it leads to is the one that is replaced."""
    elsewhere = tmp_path / "shared.xlsx"
    desk.path.parent.mkdir()
    desk.path.symlink_to(elsewhere)
    desk.refresh([film("a")])
    desk.refresh([film("b")])
    assert desk.path.is_symlink()
    assert openpyxl.load_workbook(elsewhere)["Productions"]["A2"].value == "b"


def test_permissions_stay(desk: Any, film: Any) -> None:
    """Who could read the file can read the new one."""
    desk.refresh([film("a")])
    desk.path.chmod(0o640)
    desk.refresh([film("b")])
    assert desk.path.stat().st_mode & 0o777 == 0o640
