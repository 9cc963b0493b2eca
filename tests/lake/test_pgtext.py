"""Texts of PostgreSQL become what events hold; what fits no type stays for the reader to refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.lake.columns import LogColumn
from genesis.lake.events import Event, Reader, Reject
from genesis.lake.pgtext import parser
from genesis.spec.types import INTEGER, parse_type
from tests.lake.test_events import NOW, type_of


def parsed(type_: str, text: str) -> Any:
    return parser(type_of(type_))(text)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("integer", "-12", -12),
        ("integer", "5.000", 5),
        ("integer", "5.5", "5.5"),
        ("float", "1e-07", 1e-07),
        ("float", "one", "one"),
        ("boolean", "t", True),
        ("boolean", "f", False),
        ("boolean", "maybe", "maybe"),
        ("string", "t", "t"),
        ("decimal(10,2)", "1.50", "1.50"),
        ("json", "[1]", "[1]"),
        ("array(string)", "{}", []),
        ("array(string)", '{a,"b,c",NULL,"NULL","","x\\"\\\\y"}', ["a", "b,c", None, "NULL", "", 'x"\\y']),
        ("array(boolean)", "{t,f,NULL}", [True, False, None]),
        ("array(integer)", "[-1:0]={1,2}", [1, 2]),
        ("array(array(integer))", "{{1,2},{3,NULL}}", [[1, 2], [3, None]]),
    ],
)  # fmt: skip
def test_a_text_is_a_value(type_: str, text: str, value: object):
    assert parsed(type_, text) == value


@pytest.mark.parametrize("text", ["", "a", "{", "}", "{a", "{a,}", "{,a}", "{a}b", '{"a}', "{{a}"])
def test_what_is_no_array_stays_a_text(text: str):
    assert parsed("array(string)", text) == text


item = st.one_of(st.none(), st.text(max_size=6))


@given(st.lists(item, max_size=5))
def test_an_array_is_read_as_it_was_written(items: list[str | None]):
    written = (
        "NULL" if each is None else '"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for each in items
    )
    assert parsed("array(string)", "{" + ",".join(written) + "}") == items


@given(
    st.sampled_from(["integer", "float", "boolean", "array(integer)", "array(string)"]), st.text()
)
def test_no_text_fails(type_: str, text: str):
    parsed(type_, text)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("float", "NaN"),
        ("float", "-Infinity"),
        ("decimal(9,2)", "NaN"),
        ("decimal(9,2)", "Infinity"),
        ("decimal(9,2)", "1.234"),
        ("integer", "NaN"),
        ("integer", "9223372036854775808"),
        ("date", "infinity"),
        ("date", "0044-03-15 BC"),
        ("date", "12026-01-01"),
        ("timestamp", "-infinity"),
        ("timestamptz", "infinity"),
        ("time", "24:00:00"),
        ("time", "09:30:00+01"),
        ("json", "no"),
        ("array(integer)", "{1,x}"),
    ],
)
def test_what_the_lake_has_no_value_for_is_rejected(type_: str, text: str):
    column = parse_type(type_)
    assert column is not None
    reader = Reader([LogColumn("id", INTEGER, required=True), LogColumn("v", column)], NOW)
    event = reader.row({"id": 1, "v": parser(column)(text)})
    assert isinstance(event, Reject)
    assert "`v` should be" in event.reason


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("timestamptz", "2026-11-23 08:30:00+00"),
        ("timestamptz", "2026-11-23 08:30:00.5+00"),
        ("timestamp", "2026-11-23 08:30:00.123456"),
        ("time", "08:30:00.1"),
        ("date", "2026-11-23"),
        ("decimal(9,2)", "-0.50"),
    ],
)
def test_what_postgresql_writes_is_taken(type_: str, text: str):
    column = type_of(type_)
    reader = Reader([LogColumn("id", INTEGER, required=True), LogColumn("v", column)], NOW)
    assert isinstance(reader.row({"id": 1, "v": parser(column)(text)}), Event)
