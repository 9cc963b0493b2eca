"""Keys compared as sets: what is left is what one side alone has, whatever the numbers are."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.audit.sets import Keys, differing

LOWEST, HIGHEST = -(2**63), 2**63 - 1


def left(ours: Collection[int | None], theirs: Collection[int | None]) -> list[list[int | None]]:
    """The keys that are left of each side."""
    sides = [pa.table({"k0": pa.array(side, pa.int64())}) for side in (ours, theirs)]
    return [side.column("k0").to_pylist() for side in differing(*map(Keys.of, sides))]


keys = st.sets(st.integers(0, 200), min_size=1, max_size=150)


@settings(max_examples=15, deadline=None)
@given(keys, keys, st.sampled_from([LOWEST, -100, 0, HIGHEST - 200]))
def test_what_one_side_alone_has_is_left(ours: set[int], theirs: set[int], start: int) -> None:
    few, others = left([start + key for key in ours], [start + key for key in theirs])
    assert set(few) - set(others) == {start + key for key in ours - theirs}
    assert set(others) - set(few) == {start + key for key in theirs - ours}


def test_nothing_else_is_left() -> None:
    assert left(range(-500, 500), {*range(-490, 501)} - {-7, 70}) == [
        [70, *range(-500, -490), -7],
        [500],
    ]


@pytest.mark.parametrize("apart", [1, 1_000])
def test_a_key_may_come_several_times(apart: int) -> None:
    """Close together or far apart, it is told once."""
    few, others = left([0, apart, apart, 0, 2 * apart], [0, 3 * apart, 3 * apart, 0])
    assert few.count(apart) == others.count(3 * apart) == 1


def test_parts_of_a_longer_table_are_no_more_than_they_are() -> None:
    whole = pa.table({"k0": pa.array(range(100), pa.int64())})
    parts = pa.concat_tables([whole.slice(10, 5), whole.slice(20, 5)])
    few, others = differing(Keys.of(parts), Keys.of(whole.slice(11, 13)))
    assert few.column("k0").to_pylist() == [10, 24]
    assert others.column("k0").to_pylist() == [*range(15, 20)]


@pytest.mark.parametrize("others", [[None, 1, 2], [1, 10_000], []])
def test_what_makes_no_good_bitmap_is_left_as_it_is(others: list[int | None]) -> None:
    """Keys that are NULL, or lie far apart."""
    assert left([1, 2], others) == [[1, 2], others]
