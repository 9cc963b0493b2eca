"""Key text says which row is which: different keys, different texts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.compile.statement import Column
from genesis.spec.types import INTEGER, STRING
from genesis.sync.keys import key_columns, key_parts, key_text

PARTS = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(["null", "true", "total", "17", "2026-03-01", 'a"', "a,b", "~"]),
    st.integers(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["TT001"], "TT001"),
        ([17], "17"),
        (["17"], '"17"'),
        ([date(2026, 3, 1)], "2026-03-01"),
        (["2026-03-01"], '"2026-03-01"'),
        ([17, "a,b"], '17,"a,b"'),
        ([None], "null"),
        (["null"], '"null"'),
        (["Ærø 東京"], '"Ærø 東京"'),
        (["a\x01"], '"a\\u0001"'),
        ([Decimal("1.50")], "1.5"),
        ([1.0], "1"),
        ([time(9, 30)], "09:30:00"),
        ([datetime(2026, 3, 1, 9, tzinfo=UTC)], "2026-03-01T09:00:00Z"),
        ([], "total"),
    ],
)
def test_key_text_is_what_a_person_would_write(values: list[object], text: str) -> None:
    """Keys are read by people in receipts, so plain ones stay plain."""
    assert key_text(values) == text


@settings(deadline=None)
@given(st.lists(PARTS, max_size=3), st.lists(PARTS, max_size=3))
def test_different_keys_have_different_texts(one: list[object], other: list[object]) -> None:
    """Rows are matched by key text alone, so it must tell types and parts apart."""
    as_key = [[(_kind(part), part) for part in key] for key in (one, other)]
    assert (key_text(one) == key_text(other)) == (as_key[0] == as_key[1])


def _kind(part: object) -> str:
    """Numbers are equal whatever they are made of; all else is of its own kind."""
    return "number" if type(part) in (int, Decimal) else type(part).__name__


def test_long_keys_are_cut_and_stay_apart() -> None:
    """A summary may group by long texts; the hidden column should not hold them again."""
    one, other = key_text(["x" * 5000 + "1"]), key_text(["x" * 5000 + "2"])
    assert one != other
    assert len(one) <= 200


def test_parts_do_not_follow_the_report_s_order() -> None:
    """A reordered report, or a key field that is shown from now on, keeps its rows."""
    hidden = (Column("_key_b", "B", STRING, key=True), Column("a", "A", INTEGER, key=True))
    shown = (Column("a", "A", INTEGER, key=True), Column("b", "B", STRING, key=True))
    assert [c.name for c in key_columns(hidden)] == ["a", "_key_b"]
    assert [c.name for c in key_columns(shown)] == ["a", "b"]


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.dates()), max_size=4))
def test_a_key_can_be_read_back(values: list[object]) -> None:
    """Each part's text."""
    text = key_text(values)
    texts = [None if value is None else str(value) for value in values]
    if len(text) == 193 and text[160] == "~":
        with pytest.raises(ValueError, match="~"):
            key_parts(text)
    else:
        assert key_parts(text) == (tuple(texts) if texts else ("total",))


def test_a_long_key_cannot_be_read_back() -> None:
    """It was cut off, and is told apart by its hash alone."""
    with pytest.raises(ValueError, match="~"):
        key_parts(key_text(["long " * 100]))
