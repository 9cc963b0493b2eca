"""References follow the cells they refer to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter

from genesis.sinks.workbook.references import COLUMNS, ROWS, Axis, References

# Rows 2 to 6 are a tracker's, row 7 holds a person's totals. Row 3 goes, two rows come below row 6.
KEPT = Axis(limit=ROWS, first=2, last=7, order=[2, 4, 5, 6, None, None, 7], block=((2, 6), (2, 7)))
# Column B goes, one comes behind column C.
WIDTH = Axis(limit=COLUMNS, first=1, last=4, order=[1, 3, None, 4])
SAME_ROWS = Axis(limit=ROWS, first=2, last=7, order=[2, 3, 4, 5, 6, 7], block=((2, 6), (2, 6)))
SAME_COLUMNS = Axis(limit=COLUMNS, first=1, last=4, order=[1, 2, 3, 4])
ROWS_MOVE = References("My tab", KEPT, SAME_COLUMNS)
COLUMNS_MOVE = References("My tab", SAME_ROWS, WIDTH)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C4*2", "C3*2"),
        ("$C$4", "$C$3"),
        ("C3+1", "#REF!+1"),
        ("SUM(C2:C6)", "SUM(C2:C7)"),  # all rows of the tracker: the new ones too
        ("SUM(C1:C6)", "SUM(C1:C7)"),
        ("SUM(C4:C5)", "SUM(C3:C4)"),
        ("SUM(C3:C4)", "SUM(C3:C3)"),
        ("C7", "C8"),  # below the new rows
        ("C100", "C101"),
        ("SUM(C2:C1000)", "SUM(C2:C1001)"),
        ("SUM(C:C)", "SUM(C:C)"),
        ("SUM($2:$6)", "SUM($2:$7)"),
        ('"C4"&C4', '"C4"&C3'),
        ("'My tab'!C4", "'My tab'!C3"),
        ("'my TAB'!C4", "'my TAB'!C3"),
        ("Other!C4", "Other!C4"),
        ("[1]My!C4", "[1]My!C4"),
        ("Rate*Table1[Amount]", "Rate*Table1[Amount]"),
        ("VLOOKUP(A4,A2:C6,3,FALSE)", "VLOOKUP(A3,A2:C7,3,FALSE)"),
        ("LOG10(C4)", "LOG10(C3)"),
        ("IF(C4=", "IF(C3="),
    ],
)
def test_formulas_follow_rows(before: str, after: str) -> None:
    """What a formula means stays the same when rows come and go."""
    assert ROWS_MOVE.formula(before, inside=True) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C4", "B4"),
        ("B4", "#REF!"),
        ("D4", "D4"),
        ("SUM(A4:D4)", "SUM(A4:D4)"),
        ("SUM(C:C)", "SUM(B:B)"),
        ("SUM(B:B)", "SUM(#REF!)"),
        ("E4", "E4"),
    ],
)
def test_formulas_follow_columns(before: str, after: str) -> None:
    """The same for columns."""
    assert COLUMNS_MOVE.formula(before, inside=True) == after


def test_formulas_on_other_tabs_follow_where_they_name_the_tab() -> None:
    """Their own cells did not move."""
    assert ROWS_MOVE.formula("C4+'My tab'!C4", inside=False) == "C4+'My tab'!C3"


def test_rules_keep_their_distance() -> None:
    """A rule is written for the first row of its range, and read relative to it."""
    assert ROWS_MOVE.rule("AND($C2>$C1,$C$4>0)", distance=0) == "AND($C2>$C1,$C$3>0)"
    assert ROWS_MOVE.rule("$C4>0", distance=-1) == "$C3>0"


def test_ranges_of_rules_part_with_their_rows() -> None:
    """Rows that a refresh moves keep their rules, and others do not get them."""
    moved = Axis(limit=ROWS, first=2, last=6, order=[6, 2, 3, 4, 5], block=((2, 6), (2, 6)))
    references = References("My tab", moved, SAME_COLUMNS)
    assert references.areas("A5:B6") == ["A2:B2", "A6:B6"]
    assert references.areas("A2:B6 D1") == ["A2:B6", "D1"]
    assert ROWS_MOVE.areas("A3:A3") == []


def test_a_range_over_all_rows_outlives_them() -> None:
    """An empty tracker is full again tomorrow, and a sum over it should not have died."""
    emptied = Axis(limit=ROWS, first=2, last=5, order=[5], block=((2, 4), (1, 1)))
    references = References("My tab", emptied, SAME_COLUMNS)
    assert references.formula("SUM(C2:C4)", inside=True, row=5) == "SUM(C1:C1)"
    filled = Axis(limit=ROWS, first=2, last=2, order=[None, None, 2], block=((1, 1), (2, 3)))
    references = References("My tab", filled, SAME_COLUMNS)
    assert references.formula("SUM(C1:C1)", inside=True, row=2) == "SUM(C2:C3)"


def test_one_row_is_a_row_and_a_tracker() -> None:
    """Which of them a reference means, the row it stands in tells."""
    grown = Axis(limit=ROWS, first=2, last=2, order=[2, None], block=((2, 2), (2, 3)))
    references = References("My tab", grown, SAME_COLUMNS)
    assert references.formula("SUM(C2:F2)", inside=True, row=2) == "SUM(C2:F2)"
    assert references.formula("SUM(C2:C2)+C2", inside=True, row=9) == "SUM(C2:C3)+C2"
    assert references.areas("C2 D2:F2", grow=True) == ["C2:C3", "D2:F3"]
    assert references.areas("D2:F2") == ["D2:F2"]


@settings(deadline=None)
@given(
    st.permutations(range(2, 9)).flatmap(
        lambda rows: st.tuples(
            st.just(rows[: len(rows) // 2 + 2]), st.lists(st.integers(0, 6), max_size=3)
        )
    ),
    st.integers(2, 8),
    st.integers(2, 8),
)
def test_a_reference_leads_to_the_cell_it_led_to(
    arrangement: tuple[Sequence[int], list[int]], row: int, other: int
) -> None:
    """For any arrangement: a cell is where it went, and a range holds what it held."""
    kept, places = arrangement
    order: list[int | None] = list(kept)
    for place in places:
        order.insert(place, None)
    axis = Axis(limit=ROWS, first=2, last=8, order=order)
    references = References("T", axis, SAME_COLUMNS)
    new_row = {old: 2 + at for at, old in enumerate(order) if old is not None}
    assert references.area(f"C{row}") == (f"C{new_row[row]}" if row in new_row else None)
    start, end = min(row, other), max(row, other)
    covered = {
        line for area in references.areas(f"C{start}:C{end}") for line in range(*_lines(area))
    }
    assert {new_row[old] for old in range(start, end + 1) if old in new_row} <= covered


def _lines(area: str) -> tuple[int, int]:
    first, _, last = area.replace("C", "").partition(":")
    return int(first), int(last or first) + 1


@pytest.mark.parametrize("column", [1, 26, 27, 702, 703, 16_384])
def test_all_columns_have_letters(column: int) -> None:
    """The last one is XFD."""
    letters = get_column_letter(column)
    assert ROWS_MOVE.area(f"{letters}4") == f"{letters}3"
