"""Comparing is pure, so its promises are properties of any rows, any edits and any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.compile.statement import Column
from genesis.spec.types import FLOAT, INTEGER, STRING
from genesis.sync.changes import (
    Cell,
    Changes,
    HumanEdit,
    Insert,
    Policy,
    Present,
    PresentColumn,
    PresentRow,
    Reject,
    Relabel,
    Update,
    Wanted,
    WantedRow,
    arrange,
    result,
)
from genesis.sync.compare import compare, recognise
from genesis.sync.encode import REMOVED
from genesis.sync.stamps import fingerprint, stamp_of, stamps

COLUMNS = (
    Column("title", "Title", STRING),
    Column("days", "Days", INTEGER),
    Column("share", "Share", FLOAT),
)

MIRROR = Policy()

TITLES = st.sampled_from(["Ærø", "Blue", "Cold", "=Dune", None])
ROWS = st.dictionaries(
    st.sampled_from("ABCDEFGHIJ"),
    st.tuples(TITLES, st.integers(0, 9), st.sampled_from([None, 0.5, 1.25])),
    max_size=10,
)
REPORTS = ROWS.flatmap(lambda rows: st.permutations(list(rows.items())))


@dataclass
class Paper:
    """A tracker on paper: rows with their hidden stamp and key, and a note that people wrote."""

    rows: list[PresentRow] = field(default_factory=list)
    columns: Sequence[Column] = COLUMNS
    exists: bool = False

    def present(self) -> Present:
        columns = tuple(
            PresentColumn(column.name, column.label, column.label, at)
            for at, column in enumerate(self.columns)
        )
        rows = tuple(replace(row, position=at) for at, row in enumerate(self.rows))
        return Present(columns, rows, exists=self.exists)

    def make(self, changes: Changes) -> None:
        """Do what any sink does: stamps beside rows that are there, rows in their order."""
        new = {stamp.position: stamp for stamp in stamps(changes)}
        stamped = {
            row.key: new[row.position].text if row.position in new else row.stamp
            for row in changes.rows
        }
        stamped |= {insert.key: stamp_of(insert.cells) for insert in changes.inserts}
        self.rows = [PresentRow(row.key, row.cells, 0, stamped[row.key]) for row in result(changes)]
        self.columns = changes.columns
        self.exists = True

    def refresh(self, report: Report, policy: Policy = MIRROR) -> Changes:
        changes = compare(wanted=wanted(report), present=self.present(), policy=policy)
        self.make(changes)
        return changes


Report = Sequence[tuple[str, tuple[Cell, ...]]]


def wanted(report: Report, columns: Sequence[Column] = COLUMNS) -> Wanted:
    return Wanted("w.j", tuple(columns), tuple(WantedRow(key, cells) for key, cells in report))


def kept(paper: Paper) -> dict[str, tuple[Cell, ...]]:
    return {row.key: row.cells for row in paper.rows}


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_a_mirror_holds_the_report(first: Report, second: Report) -> None:
    """Whatever was there, a refresh gives the report, and another one has nothing to do."""
    paper = Paper()
    paper.refresh(first)
    paper.refresh(second)
    assert kept(paper) == dict(second)
    assert paper.refresh(second).is_empty


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_counts_are_those_of_the_keys(first: Report, second: Report) -> None:
    """A receipt says what became of each key."""
    paper = Paper()
    paper.refresh(first)
    changes = paper.refresh(second)
    old, new = dict(first), dict(second)
    receipt = changes.receipt(reads=1)
    assert receipt.inserted == len(new.keys() - old.keys())
    assert receipt.deleted == len(old.keys() - new.keys())
    assert receipt.updated == sum(old[key] != new[key] for key in old.keys() & new.keys())
    assert receipt.human_edits == ()


@settings(deadline=None)
@given(REPORTS, REPORTS, st.randoms(use_true_random=False))
def test_rows_stay_where_people_put_them(first: Report, second: Report, random: object) -> None:
    """Stable order: rows that stay keep theirs, new ones come below."""
    paper = Paper()
    paper.refresh(first)
    random.shuffle(paper.rows)  # type: ignore[attr-defined]
    before = [row.key for row in paper.rows]
    assert not paper.refresh(second).moves
    after = [row.key for row in paper.rows]
    stayed = [key for key in before if key in dict(second)]
    assert after == stayed + [key for key, _ in second if key not in before]


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_the_report_s_order_takes_the_fewest_moves(first: Report, second: Report) -> None:
    """Rows move off a longest run that is in order already."""
    paper = Paper()
    paper.refresh(first)
    common = [key for key, _ in first if key in dict(second)]
    ranks = {key: rank for rank, (key, _) in enumerate(second)}
    changes = paper.refresh(second, Policy(order="query"))
    assert [row.key for row in paper.rows] == [key for key, _ in second]
    assert len(changes.moves) == len(common) - _longest_run([ranks[key] for key in common])


def _longest_run(ranks: Sequence[int]) -> int:
    """The length of a longest increasing subsequence, by trying them all."""
    return next(
        (
            size
            for size in range(len(ranks), 0, -1)
            if any(list(run) == sorted(run) for run in combinations(ranks, size))
        ),
        0,
    )


@settings(deadline=None)
@given(REPORTS, REPORTS, st.sampled_from(["upsert", "append", "keep"]))
def test_modes_that_never_delete(first: Report, second: Report, mode: str) -> None:
    """`upsert` updates, `append` does not even that."""
    policy = Policy(on_delete="keep") if mode == "keep" else Policy(mode=mode)  # type: ignore[arg-type]
    paper = Paper()
    paper.refresh(first)
    paper.refresh(second, policy)
    newer = dict(first) if mode == "append" else dict(second)
    assert kept(paper) == dict(first) | dict(second) | newer
    assert paper.refresh(second, policy).is_empty


@settings(deadline=None)
@given(REPORTS, REPORTS)
def test_marked_rows_say_that_they_left(first: Report, second: Report) -> None:
    """They keep their values, and lose the mark when they return."""
    columns = (*COLUMNS, REMOVED)
    policy = Policy(on_delete="mark")

    def marking(report: Report) -> Wanted:
        return wanted([(key, (*cells, None)) for key, cells in report], columns)

    paper = Paper(columns=columns)
    for report in (first, second):
        paper.make(compare(wanted=marking(report), present=paper.present(), policy=policy))
    gone = {key: (*cells, True) for key, cells in first if key not in dict(second)}
    assert kept(paper) == {key: (*cells, None) for key, cells in second} | gone
    paper.make(compare(wanted=marking(first), present=paper.present(), policy=policy))
    assert {key: row[:-1] for key, row in kept(paper).items()} == dict(second) | dict(first)


@settings(deadline=None)
@given(REPORTS, REPORTS, st.data())
def test_what_people_changed_is_told_and_nothing_else(
    first: Report, second: Report, data: st.DataObject
) -> None:
    """An edit shows against what was written; a change of the data is none."""
    paper = Paper()
    paper.refresh(first)
    edits = _edit(paper, data)
    changes = paper.refresh(second)
    new = dict(second)
    told = {(edit.key, edit.column): edit for edit in changes.human_edits}
    overwritten = {
        (key, at): value
        for (key, at), value in edits.items()
        if key in new and new[key][at] != value
    }
    assert {(key, COLUMNS[at].name) for key, at in overwritten} == set(told)
    for (key, at), value in overwritten.items():
        edit = told[key, COLUMNS[at].name]
        before = dict(first)[key][at]
        assert edit.found == value
        assert edit.written == (before if new[key][at] == before else None)
    assert kept(paper) == new


@settings(deadline=None)
@given(REPORTS, st.data())
def test_a_kept_edit_stays_until_its_source_changes(report: Report, data: st.DataObject) -> None:
    """`on_human_edit: keep`, refresh after refresh."""
    policy = Policy(on_human_edit="keep")
    paper = Paper()
    paper.refresh(report, policy)
    edits = _edit(paper, data)
    for _ in range(2):
        changes = paper.refresh(report, policy)
        assert changes.is_empty
        assert len(changes.human_edits) == len(edits)
    newer = [(key, (f"{title}!", days, share)) for key, (title, days, share) in report]
    paper.refresh(newer, policy)
    for (key, at), value in edits.items():
        assert kept(paper)[key][at] == (dict(newer)[key][0] if at == 0 else value)


def _edit(paper: Paper, data: st.DataObject) -> dict[tuple[str, int], Cell]:
    """A person changes some cells to something else."""
    edits: dict[tuple[str, int], Cell] = {}
    for number, row in enumerate(paper.rows):
        at = data.draw(st.sampled_from([None, None, 0, 1, 2]))
        # One column of a row at most: who exchanges the cells of whole rows has sorted them.
        if at is not None:
            value: Cell = f"mine {row.key}"
            edits[row.key, at] = value
            cells = (*row.cells[:at], value, *row.cells[at + 1 :])
            paper.rows[number] = replace(row, cells=cells)
    return edits


UNLIKE = st.lists(
    st.tuples(st.text("xyz", min_size=4, max_size=8), st.integers(0, 9), st.none()),
    min_size=2,
    max_size=8,
    unique_by=lambda row: row[0],
)


@settings(deadline=None)
@given(UNLIKE, st.data())
def test_keys_follow_rows_that_were_sorted_without_them(
    contents: list[tuple[Cell, ...]], data: st.DataObject
) -> None:
    """Whoever sorts the visible columns moves the notes beside them, and the key must follow."""
    report = [(f"K{at}", cells) for at, cells in enumerate(contents)]
    paper = Paper()
    paper.refresh(report)
    order = data.draw(st.permutations(range(len(report))))
    hidden = list(paper.rows)
    paper.rows = [replace(hidden[at], cells=hidden[old].cells) for at, old in enumerate(order)]
    changes = paper.refresh(report)
    assert [*changes.inserts, *changes.updates, *changes.deletes, *changes.human_edits] == []
    assert [row.key for row in paper.rows] == [f"K{old}" for old in order]
    assert paper.refresh(report).is_empty


def test_a_row_that_was_sorted_and_edited_keeps_its_key() -> None:
    """Two rows tell where the third belongs."""
    report = [("a", ("Ann", 1, None)), ("b", ("Bob", 2, None)), ("c", ("Cid", 3, None))]
    paper = Paper()
    paper.refresh(report)
    a, b, c = paper.rows
    edited = ("Ann", 9, None)
    paper.rows = [
        replace(a, cells=b.cells),
        replace(b, cells=c.cells),
        replace(c, cells=edited),
    ]
    changes = paper.refresh(report)
    assert [row.key for row in changes.rows] == ["b", "c", "a"]
    assert changes.human_edits == (HumanEdit("a", "days", 1, 9),)


def test_a_row_that_was_sorted_onto_the_key_of_a_deleted_one() -> None:
    """The report tells which it is; the key it stood beside has no row any more."""
    report = [("a", ("Ann", 1, None)), ("b", ("Bob", 2, None)), ("c", ("Cid", 3, None))]
    paper = Paper()
    paper.refresh(report)
    a, b, c = paper.rows
    paper.rows = [replace(a, cells=b.cells), c]  # sorted to Bob, Ann, Cid, then Ann was deleted
    changes = paper.refresh(report)
    assert [row.key for row in changes.rows] == ["b", "c"]
    assert [insert.key for insert in changes.inserts] == ["a"]
    assert changes.human_edits == ()
    assert paper.refresh(report).is_empty


def test_a_row_pasted_over_another_is_an_edit() -> None:
    """The row that was copied is still there, so nothing was sorted."""
    report = [("a", ("Ann", 1, None)), ("b", ("Bob", 2, None))]
    paper = Paper()
    paper.refresh(report)
    a, b = paper.rows
    paper.rows = [a, replace(b, cells=a.cells)]
    changes = paper.refresh(report)
    assert not changes.followed
    assert {edit.column for edit in changes.human_edits} == {"title", "days"}


def test_copied_rows_become_their_owner_s() -> None:
    """The first stays managed, the others are let go and told."""
    paper = Paper(rows=[PresentRow("a", ("Ann", 1, None), 0)], exists=True)
    present = replace(paper.present(), copies=(PresentRow("a", ("Ann", 1, None), 7),))
    changes = compare(wanted=wanted([("a", ("Ann", 1, None))]), present=present, policy=MIRROR)
    assert changes.releases == (7,)
    assert not changes.is_empty
    assert "copies of rows `a`" in changes.notes[0]


def test_refused_rows_are_not_gone() -> None:
    """A row whose new text does not fit keeps its old one, and its notes."""
    paper = Paper()
    paper.refresh([("a", ("Ann", 1, None)), ("b", ("Bob", 2, None))])
    goal = replace(
        wanted([("a", ("Ann", 1, None))]), rejects=(Reject("b", "title", "too long", "row"),)
    )
    changes = compare(wanted=goal, present=paper.present(), policy=MIRROR)
    assert changes.is_empty
    assert changes.receipt(reads=1).is_partial


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (0.1 + 0.2, 0.3, True),  # other programs keep 15 digits
        (5, 5.0, True),
        (1, True, False),
        ("1", 1, False),
        (None, "", False),
        (1.25, 1.26, False),
    ],
)
def test_numbers_count_to_fifteen_digits(one: Cell, other: Cell, alike: bool) -> None:
    """What every program keeps is the same; what people see differ is not."""
    paper = Paper(columns=COLUMNS[:1])
    goal = wanted([("a", (one,))], COLUMNS[:1])
    paper.make(compare(wanted=goal, present=paper.present(), policy=MIRROR))
    assert (fingerprint(one) == fingerprint(other)) == alike


def test_columns_come_go_and_change_their_label() -> None:
    """A column that keeps its label is the same column under a new name."""
    paper = Paper()
    paper.refresh([("a", ("Ann", 1, 0.5))])
    names = recognise([(c.name, c.label) for c in COLUMNS], (Column("name", "Title", STRING),))
    assert names == ["name", "days", "share"]
    newer = (Column("share", "Part", FLOAT), Column("region", "Region", STRING), COLUMNS[0])
    goal = wanted([("a", (0.5, "EMEA", "Ann"))], newer)
    changes = compare(wanted=goal, present=paper.present(), policy=MIRROR)
    assert [column.name for column in changes.added] == ["region"]
    assert [column.name for column in changes.dropped] == ["days"]
    assert changes.relabels == (Relabel("share", "Share", "Part"),)
    assert changes.updates == (Update("a", "region", None, "EMEA"),)
    assert changes.human_edits == ()
    paper.make(changes)
    assert kept(paper) == {"a": (0.5, "EMEA", "Ann")}


def test_a_header_that_a_person_wrote_stays() -> None:
    """Even where the definition's label changed; it is told."""
    present = Present(
        (PresentColumn("title", "Title", "My films", 0),), (PresentRow("a", ("Ann",), 0),)
    )
    goal = wanted([("a", ("Ann",))], (Column("title", "Movie", STRING),))
    changes = compare(wanted=goal, present=present, policy=MIRROR)
    assert changes.is_empty
    assert changes.notes == ("header `Title` was renamed to `My films` and stays so",)


def test_rows_of_people_stay_between_their_rows() -> None:
    """A heading above a row, and a total below all of them."""
    paper = Paper()
    paper.refresh([("a", ("Ann", 1, None)), ("b", ("Bob", 2, None))])
    goal = wanted([("b", ("Bob", 2, None)), ("c", ("Cid", 3, None))])
    changes = compare(wanted=goal, present=paper.present(), policy=MIRROR)
    rows = [("a", 2), (None, 3), ("b", 4), (None, 5)]
    c = Insert("c", ("Cid", 3, None), after="b")
    assert arrange(rows, changes) == [3, 4, c, 5]


def test_rows_that_go_to_the_archive_are_deletes_that_say_so() -> None:
    """The guard of deletes holds for them."""
    gone = PresentRow("a", ("Ann", 1, 0.5), 2)
    present = Present(tuple(PresentColumn(c.name, c.label, c.label, 0) for c in COLUMNS), (gone,))
    changes = compare(wanted=wanted([]), present=present, policy=Policy(on_delete="archive"))
    assert changes.deletes == changes.archived == ("a",)
    assert "- a to the archive" in changes.summary()


def test_values_of_sensitive_columns_are_not_told() -> None:
    """Receipts go to logs and pages that more people see than the tracker."""
    columns = (replace(COLUMNS[0], sensitivity="confidential"),)
    present = Present(
        (PresentColumn("title", "Title", "Title", 0),),
        (PresentRow("a", ("Bob",), 0, stamp_of(["Ann"])),),
    )
    changes = compare(wanted=wanted([("a", ("Ann",))], columns), present=present, policy=MIRROR)
    assert changes.receipt(reads=1).to_json()["human_edits"] == [
        {"key": "a", "column": "title", "written": "(confidential)", "found": "(confidential)"}
    ]
    assert "Ann" not in changes.summary()
    assert "Bob" not in changes.summary()


def test_the_receipt_s_shape() -> None:
    """As `genesis run --format json` promises."""
    paper = Paper()
    receipt = paper.refresh([("a", ("Ann", 1, None))]).receipt(reads=1, writes=1, size=9, fence="f")
    assert receipt.to_json() == {
        "inserted": 1,
        "updated": 0,
        "deleted": 0,
        "moved": 0,
        "rejects": [],
        "human_edits": [],
        "calls": {"read": 1, "write": 1},
        "bytes": 9,
    }


def test_the_dry_run_is_the_changes() -> None:
    """Counts first, then each change, then how many more there are."""
    paper = Paper()
    paper.refresh([("a", ("Ann", 1, None)), ("b", ("Bob", 2, None))])
    changes = paper.refresh([("a", ("Ann", 3, None)), ("c", ("Cid", 3, None))])
    assert changes.summary().splitlines() == [
        "1 inserted, 1 updated, 1 deleted, 0 moved",
        "  + c",
        "  ~ a days: 1 -> 3",
        "  - b",
    ]
    assert changes.summary(limit=1).splitlines()[-1] == "  ... and 2 more"
