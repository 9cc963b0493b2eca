"""Guards say no, why, and how to say that it is meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from genesis.compile.statement import Column
from genesis.errors import SinkError
from genesis.spec.types import STRING
from genesis.spec.workflow import JobOptions, Place
from genesis.sync.changes import (
    Changes,
    Policy,
    Present,
    PresentColumn,
    PresentRow,
    Reject,
    Wanted,
    WantedRow,
)
from genesis.sync.compare import compare
from genesis.sync.guards import Guards, Held, check_guards, retyped
from genesis.sync.shape import Shape
from genesis.sync.stamps import stamp_of

COLUMNS = (Column("title", "Title", STRING),)
MIRROR = Policy()


def changes(before: int, after: int, policy: Policy = MIRROR) -> Changes:
    """A tracker of `before` rows whose report has the first `after` of them."""
    rows = tuple(PresentRow(str(n), ("x",), n, stamp_of(["x"])) for n in range(before))
    present = Present((PresentColumn("title", "Title", "Title", 0),), rows)
    goal = tuple(WantedRow(str(n), ("x",)) for n in range(after))
    return compare(wanted=Wanted("w.j", COLUMNS, goal), present=present, policy=policy)


def codes(of: Changes, guards: Guards) -> list[str]:
    """The codes of all problems, each of which has a way out."""
    try:
        check_guards(of, guards)
    except SinkError as refused:
        return [problem.code for problem in refused.problems if problem.hint]
    return []


@pytest.mark.parametrize(
    ("before", "after", "guards", "found"),
    [
        (100, 80, Guards(), []),
        (100, 79, Guards(), ["too-many-deletes"]),
        (6, 1, Guards(), []),  # a share of a small tracker is no row at all
        (7, 1, Guards(), ["too-many-deletes"]),
        (100, 99, Guards(max_deletes=0), ["too-many-deletes"]),
        (100, 99, Guards(max_deletes=1), []),
        (100, 98, Guards(max_deletes=1), ["too-many-deletes"]),
        (100, 1, Guards(max_deletes=1.0), []),
        (100, 0, Guards(max_deletes=1.0), ["empty-result"]),
        (3, 0, Guards(), ["empty-result"]),
        (3, 0, Guards(allow_empty=True), []),
        (100, 0, Guards(allow_empty=True, max_deletes=1.0), []),
        (0, 0, Guards(), []),
        (9, 9, Guards(min_rows=10), ["too-few-rows"]),
        (9, 9, Guards(max_cells=9), ["tracker-too-large"]),
        (9, 9, Guards(max_cells=10), []),
        (
            100,
            1,
            Guards(min_rows=10, max_cells=1),
            ["too-few-rows", "too-many-deletes", "tracker-too-large"],
        ),
    ],
)
def test_guards(before: int, after: int, guards: Guards, found: Sequence[str]) -> None:
    """Every reason at once, in any order."""
    assert sorted(codes(changes(before, after), guards)) == sorted(found)


@pytest.mark.parametrize(
    "policy", [Policy(mode="upsert"), Policy(mode="append"), Policy(on_delete="keep")]
)
def test_nothing_can_go_where_nothing_is_deleted(policy: Policy) -> None:
    """An empty report does no harm there."""
    assert codes(changes(100, 0, policy), Guards()) == []


def test_an_edit_can_hold_a_refresh() -> None:
    """`on_human_edit: fail` waits for a person."""
    held = changes(2, 2, Policy(on_human_edit="fail"))
    edited = replace(held.present.rows[0], cells=("mine",))
    present = replace(held.present, rows=(edited, held.present.rows[1]))
    goal = Wanted("w.j", COLUMNS, tuple(WantedRow(str(n), ("x",)) for n in range(2)))
    held = compare(wanted=goal, present=present, policy=held.policy)
    assert codes(held, Guards()) == ["held-change"]


def test_refused_rows_count_as_rows_of_the_report() -> None:
    """A report whose only row is refused is not empty."""
    present = changes(1, 1).present
    goal = Wanted("w.j", COLUMNS, (), (Reject("0", "title", "too long", "row"),))
    assert codes(compare(wanted=goal, present=present, policy=MIRROR), Guards()) == []


def test_guards_of_a_job() -> None:
    """What the YAML says, and what the place can hold."""
    job = JobOptions(to=Place(xlsx={"file": "a.xlsx"}), max_deletes="50%", min_rows=3)
    assert Guards.of(job) == Guards(
        max_deletes=0.5, min_rows=3, max_cells=200_000, keeps_columns=True
    )
    assert Guards.of(JobOptions(to=Place(csv={"file": "a.csv"}))).max_cells is None


def test_less_than_was_approved_may_be_done() -> None:
    """Each reason for itself."""
    gone = changes(10, 2)
    approved = held(gone, Guards())
    check_guards(changes(10, 3), Guards(), approved)
    with pytest.raises(SinkError, match="is not what was approved"):
        check_guards(changes(10, 1), Guards(), approved)


def test_fewer_rows_than_were_approved_are_held() -> None:
    """Of a tracker in which no row is deleted."""
    policy = Policy(mode="upsert")
    guards = Guards(min_rows=9)
    approved = held(changes(0, 5, policy), guards)
    check_guards(changes(0, 6, policy), guards, approved)
    with pytest.raises(SinkError, match="asks for 9"):
        check_guards(changes(0, 4, policy), guards, approved)


def test_what_nobody_can_approve_is_not_held() -> None:
    """A place does not grow by approval."""
    with pytest.raises(SinkError) as refused:
        check_guards(changes(100, 1), Guards(max_cells=1))
    assert Held.of(changes(100, 1), refused.value.problems) is None


def test_what_is_held_survives_being_written_down() -> None:
    """In the state database."""
    approved = held(changes(10, 2), Guards())
    assert Held.from_json(json.loads(json.dumps(approved.to_json()))) == approved


def test_columns_of_another_type_are_told() -> None:
    """New ones are not."""
    before = Shape({"title": "integer", "old": "date"}, None)
    columns = (*COLUMNS, Column("new", "New", STRING))
    change = replace(changes(1, 1), columns=columns, before=before)
    assert list(retyped(change)) == ["column `Title` holds string now, it held integer"]
    assert not change.is_empty


def test_a_column_may_leave_an_export_and_an_empty_tracker() -> None:
    """Nobody writes there, or nobody has yet."""
    gone = (PresentColumn("year", "Year", "Year", 1),)
    people = Guards(keeps_columns=True)
    assert codes(replace(changes(3, 3), dropped=gone), people) == ["held-change"]
    assert codes(replace(changes(3, 3), dropped=gone), Guards()) == []
    assert codes(replace(changes(0, 3), dropped=gone), people) == []
    removed = (PresentColumn("_removed", "Removed", "Removed", 1),)
    assert codes(replace(changes(3, 3), dropped=removed), people) == []
    assert Guards.of(JobOptions(to=Place(airtable={"base": "a", "table": "t"}))).keeps_columns
    assert not Guards.of(JobOptions(to=Place(csv={"file": "a.csv"}))).keeps_columns


def test_just_the_columns_that_were_approved_may_leave() -> None:
    """Of another one people have not been told."""
    people = Guards(keeps_columns=True)
    year, cast = (PresentColumn(name, name, name, 1) for name in ("year", "cast"))
    approved = held(replace(changes(3, 3), dropped=(year,)), people)
    check_guards(replace(changes(3, 3), dropped=(year,)), people, approved)
    with pytest.raises(SinkError, match="is not what was approved"):
        check_guards(replace(changes(3, 3), dropped=(year, cast)), people, approved)


def test_a_key_that_is_known_from_before_it_was_written_down() -> None:
    """Is none: types alone say nothing of it, and a shape survives being written down."""
    assert Shape.from_json({"title": "string"}) == Shape({"title": "string"}, None)
    shape = Shape.of((Column("_key_id", "", STRING, key=True, hidden=True), *COLUMNS))
    assert shape.key == ("id",)
    assert Shape.from_json(json.loads(json.dumps(shape.to_json()))) == shape
    assert not replace(changes(3, 3), before=Shape({}, None), shape=shape).is_rekeyed


def held(of: Changes, guards: Guards) -> Held:
    """What waits for a person."""
    with pytest.raises(SinkError) as refused:
        check_guards(of, guards)
    found = Held.of(of, refused.value.problems)
    assert found is not None
    return found
