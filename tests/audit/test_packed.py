"""Keys compared 32 at a time: what one side alone has is never lost, and what both have mostly is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.audit.packed import differing
from genesis.lake.duck import in_memory

ENDS = [-(2**63), 2**63 - 300]


def kept(ours: Collection[int | None], theirs: Collection[int | None]) -> list[list[int | None]]:
    """The keys that are left of each side."""
    sides = [pa.table({"k0": pa.array(side, pa.int64())}) for side in (ours, theirs)]
    with closing(in_memory()) as duck:
        return [side.column(0).to_pylist() for side in differing(duck, *sides)]


keys = st.sets(st.integers(-100, 100), max_size=150)


@settings(max_examples=15, deadline=None)
@given(keys, keys, st.sampled_from([0, *ENDS]))
def test_what_one_side_alone_has_is_kept(ours: set[int], theirs: set[int], start: int) -> None:
    start += 100
    few, others = kept([start + key for key in ours], [start + key for key in theirs])
    assert set(few) ^ set(others) == {start + key for key in ours ^ theirs}


def test_only_blocks_that_differ_are_kept() -> None:
    assert kept(range(1_000), set(range(1_000)) - {70}) == [
        [*range(64, 96)],
        [*range(64, 70), *range(71, 96)],
    ]


@pytest.mark.parametrize("others", [[None, 1, 2], [1, 10_000], []])
def test_what_cannot_be_packed_is_kept_as_it_is(others: list[int | None]) -> None:
    """Keys that are NULL, or lie far apart."""
    assert kept([1, 2], others) == [[1, 2], others]
