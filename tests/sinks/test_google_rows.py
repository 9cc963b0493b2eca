"""Rows to where they belong, beside a list on which the same is done row by row."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.sinks.google.rows import RowPlan, plan_rows
from genesis.sync.changes import Changes, Insert, Policy, Present, PresentRow, WantedRow, arrange
from genesis.sync.compare import compare
from genesis.sync.encode import Wanted

FIRST = 1

KEYS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=14)


@st.composite
def refreshes(draw: st.DrawFn) -> tuple[list[str | None], Changes]:
    """A sheet with rows of people's between ours, and what a report asks of it."""
    rows: list[str | None] = list(draw(KEYS))
    for at in draw(st.lists(st.integers(0, 14), max_size=4)):
        rows.insert(min(at, len(rows)), None)
    present = tuple(
        PresentRow(key, (), position) for position, key in enumerate(rows, FIRST) if key
    )
    wanted = tuple(WantedRow(key, ()) for key in draw(KEYS))
    order = draw(st.sampled_from(["stable", "query"]))
    changes = compare(
        wanted=Wanted("t", (), wanted), present=Present(rows=present), policy=Policy(order=order)
    )
    return rows, changes


def done(rows: list[str | None], plan: RowPlan) -> list[str | None]:
    """The rows of a sheet after a plan, as a sheet does it."""
    sheet: list[str | None] = ["header", *rows]
    for span in plan.deletes:
        del sheet[span.start : span.end]
    for move in plan.moves:
        taken = sheet[move.rows.start : move.rows.end]
        before = [*sheet[: move.rows.start], *[""] * len(taken), *sheet[move.rows.end :]]
        assert not move.rows.start <= move.to <= move.rows.end
        before[move.to : move.to] = taken
        sheet = [row for row in before if row != ""]
    for start, inserts in plan.inserts:
        assert start <= len(sheet)
        sheet[start:start] = [insert.key for insert in inserts]
    return sheet[1:]


@settings(deadline=None, max_examples=500)
@given(refreshes())
def test_rows_end_where_they_belong(refresh: tuple[list[str | None], Changes]) -> None:
    """People's rows stay between those they stood between."""
    rows, changes = refresh
    arranged = arrange(((key, key) for key in rows), changes)
    wanted = [item.key if isinstance(item, Insert) else item for item in arranged]
    plan = plan_rows(changes, first=FIRST)
    assert done(rows, plan) == wanted
    for position, key in enumerate(rows, FIRST):
        if key in wanted and key is not None:
            assert wanted[plan.place(position) - FIRST] == key
