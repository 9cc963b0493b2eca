"""A line is one event with typed values, or says why not."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.lake.columns import LogColumn
from genesis.lake.events import Event, Reader, Reject
from genesis.spec.types import INTEGER, Type, parse_type

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def type_of(text: str) -> Type:
    parsed = parse_type(text)
    assert parsed is not None
    return parsed


def columns(**types: str) -> list[LogColumn]:
    payload = [LogColumn(name, type_of(text)) for name, text in types.items()]
    return [LogColumn("id", INTEGER, required=True), *payload]


def read(line: object, **types: str) -> dict[str, Any]:
    """The values of a line that is an event, by column."""
    reader = Reader(columns(**types), NOW)
    event = reader.line(line if isinstance(line, str) else json.dumps(line))
    assert isinstance(event, Event), event
    return dict(zip((column.name for column in reader.columns), event.values, strict=True))


def reason(line: object, **types: str) -> str:
    """Why a line is no event."""
    event = Reader(columns(**types), NOW).line(line if isinstance(line, str) else json.dumps(line))
    assert isinstance(event, Reject), event
    return event.reason


def test_a_plain_line_is_an_update_of_now():
    assert read({"id": 1, "title": "Alien"}, title="string") == {
        "_op": "u",
        "_ts": NOW,
        "_source_ts": None,
        "_source_pos": None,
        "id": 1,
        "title": "Alien",
    }


def test_a_plain_line_may_say_its_operation_time_and_place():
    line = {
        "_op": "c",
        "_ts": "2026-01-01T10:00:00+01:00",
        "_source_ts": "2026-01-01T08:59:58Z",
        "_source_pos": "0/16B3748",
        "id": 1,
    }
    assert list(read(line).values()) == [
        "c",
        datetime(2026, 1, 1, 9, tzinfo=UTC),
        datetime(2026, 1, 1, 8, 59, 58, tzinfo=UTC),
        "0/16B3748",
        1,
    ]


def test_a_delete_needs_only_its_key():
    assert read({"_op": "d", "id": 1}, title="string")["title"] is None


def test_a_missing_column_is_null():
    assert read({"id": 1}, title="string")["title"] is None


def test_columns_that_nobody_declared_are_named():
    event = Reader(columns(), NOW).line('{"id": 1, "titel": "Alien", "_pos": 7}')
    assert event == Event(("u", NOW, None, None, 1), ("titel", "_pos"))


@pytest.mark.parametrize(
    ("type_", "value", "typed"),
    [
        ("string", "Amélie 🎬", "Amélie 🎬"),
        ("string", "", ""),
        ("integer", 2**63 - 1, 2**63 - 1),
        ("integer", -(2**63), -(2**63)),
        ("float", 1.5, 1.5),
        ("float", 2, 2.0),
        ("boolean", False, False),
        ("date", "2026-02-28", date(2026, 2, 28)),
        ("time", "09:30:00.5", time(9, 30, 0, 500_000)),
        ("timestamp", "2026-02-28T09:30:00", datetime(2026, 2, 28, 9, 30)),  # noqa: DTZ001
        ("timestamp", "2026-02-28 09:30:00+02:00", datetime(2026, 2, 28, 7, 30)),  # noqa: DTZ001
        ("timestamptz", "2026-02-28T09:30:00", datetime(2026, 2, 28, 9, 30, tzinfo=UTC)),
        ("timestamptz", "1912-02-28T09:30:00Z", datetime(1912, 2, 28, 9, 30, tzinfo=UTC)),
        ("decimal(6,2)", "1234.5", Decimal("1234.50")),
        ("decimal(6,2)", "-1e3", Decimal("-1000.00")),
        ("decimal(6,2)", 12, Decimal("12.00")),
        ("decimal(38,0)", "9" * 38, Decimal("9" * 38)),
        ("json", {"é": [1, None]}, '{"é":[1,null]}'),
        ("json", '{"as": "text"}', '{"as": "text"}'),
        ("json", [], "[]"),
        ("array(integer)", [1, None], [1, None]),
        ("array(date)", ["2026-01-01"], [date(2026, 1, 1)]),
        ("array(array(string))", [["a"], []], [["a"], []]),
    ],
)
def test_a_value_that_fits(type_: str, value: object, typed: object):
    assert read({"id": 1, "value": value}, value=type_)["value"] == typed


@pytest.mark.parametrize(
    ("type_", "value", "said"),
    [
        ("string", 5, "should be text, not `5`"),
        ("integer", True, "should be a whole number of 64 bits, not `true`"),
        ("integer", 1.0, "not `1.0`"),
        ("integer", "1", 'not `"1"`'),
        ("integer", 2**63, "not `9223372036854775808`"),
        ("float", "1.5", "should be a number"),
        ("float", True, "should be a number"),
        ("boolean", 1, "should be `true` or `false`, not `1`"),
        ("date", "2026-02-30", "should be a date as text"),
        ("date", 20_000, "should be a date as text"),
        ("time", "09:30:00+01:00", "should be a time as text"),
        ("timestamp", 1_767_225_600, "should be a timestamp as text"),
        ("timestamptz", "yesterday", "should be an instant as text"),
        ("timestamptz", "0001-01-01T00:00:00+14:00", "should be an instant as text"),
        ("decimal(6,2)", 1.5, "should be a decimal(6,2) as text, not `1.5`"),
        ("decimal(6,2)", "1.234", 'not `"1.234"`'),
        ("decimal(6,2)", "12345", 'not `"12345"`'),
        ("decimal(6,2)", "1_000", 'not `"1_000"`'),
        ("decimal(6,2)", "NaN", 'not `"NaN"`'),
        ("decimal(6,2)", "1e9999", 'not `"1e9999"`'),
        ("json", "hello", "should be JSON"),
        ("array(integer)", [1, "2"], "should be a list (array(integer)), not a list"),
        ("array(integer)", 1, "should be a list (array(integer)), not `1`"),
    ],
)
def test_a_value_that_does_not_fit(type_: str, value: object, said: str):
    assert said in reason({"id": 1, "value": value}, value=type_)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("task 17 is done", "no JSON: Expecting value (character 1)"),
        ('{"id": 1', "no JSON: Expecting ',' delimiter (character 9)"),
        ("[1]", "a line holds one JSON object, not a list"),
        ("null", "a line holds one JSON object, not `null`"),
        ('{"id": NaN}', "`NaN` is no value in JSON"),
        ('{"id": ' + "1" * 5_000 + "}", "no JSON that can be read: Exceeds the limit"),
        ("[" * 100_000, "no JSON that can be read"),
        ('{"title": "Alien"}', "`id` is missing or null"),
        ('{"id": null}', "`id` is missing or null"),
        ('{"id": 1, "_ts": null}', "`_ts` is missing or null"),
        ('{"id": 1, "_op": "x"}', "`_op` is `x`, not one of `c` (create), `u` (update)"),
        ('{"id": 1, "_op": 1}', "`_op` should be text, not `1`"),
        ('{"id": 1, "title": "\\ud800"}', "`title` should be text"),
    ],
)
def test_a_line_that_is_no_event(line: str, said: str):
    assert said in reason(line, title="string")


def test_a_line_says_all_that_is_wrong_with_it():
    said = reason({"id": "one", "day": "soon", "title": "Alien"}, day="date", title="string")
    assert "`id` should be" in said
    assert "`day` should be" in said
    assert "title" not in said


@given(st.text())
def test_any_text_is_an_event_or_a_reject(text: str):
    assert isinstance(Reader(columns(), NOW).line(text), Event | Reject)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
    st.sampled_from(
        [
            "string",
            "integer",
            "float",
            "boolean",
            "date",
            "time",
            "timestamp",
            "timestamptz",
            "json",
            "decimal(9,2)",
            "array(integer)",
        ]
    ),
)
def test_any_value_of_any_type_is_taken_or_refused(value: object, type_: str):
    line = json.dumps({"id": 1, "value": value})
    assert isinstance(Reader(columns(value=type_), NOW).line(line), Event | Reject)


def envelope(op: str = "u", **parts: Any) -> dict[str, Any]:
    return {
        "op": op,
        "before": None,
        "after": {"id": 1, "title": "Alien"},
        "source": {"ts_ms": 1_767_225_600_000, "lsn": 24_023_128},
        "ts_ms": 1_767_225_602_500,
        **parts,
    }


@pytest.mark.parametrize(
    "wrap", [lambda e: e, lambda e: {"payload": e}, lambda e: {"schema": None, "payload": e}]
)
def test_debezium_bare_or_under_payload(wrap: Any):
    assert list(read(wrap(envelope("c")), title="string").values()) == [
        "c",
        datetime(2026, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        "24023128",
        1,
        "Alien",
    ]


def test_debezium_delete_keeps_its_key_from_before():
    event = read(envelope("d", before={"id": 1, "title": ""}, after=None), title="string")
    assert (event["_op"], event["id"], event["title"]) == ("d", 1, None)


def test_debezium_without_times_is_of_now():
    assert read({"op": "r", "after": {"id": 1}})["_ts"] == NOW


def test_debezium_position_of_a_binary_log():
    event = read(envelope(source={"file": "bin.000003", "pos": 154}), title="string")
    assert event["_source_pos"] == "bin.000003:154"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (envelope("d", after=None), "an event with the operation `d` has no `before`"),
        (envelope("t"), "`_op` is `t`"),
        (envelope(ts_ms="soon"), "`ts_ms` is no time: `soon`"),
        (envelope(after={"title": "Alien"}), "`id` is missing or null"),
        (envelope(after={"id": 1, "day": 20_000}), "`day` should be a date as text"),
        (
            envelope(after={"id": 1, "title": "__debezium_unavailable_value"}),
            "its table needs `REPLICA IDENTITY FULL`",
        ),
    ],
)
def test_debezium_that_is_no_event(event: object, said: str):
    assert said in reason(event, title="string", day="date")


def described(column: str, **schema: Any) -> dict[str, Any]:
    """A schema as Kafka Connect sends it, for one column of the record."""
    record = {
        "type": "struct",
        "fields": [{"field": "id", "type": "int64"}, {"field": column, **schema}],
    }
    return {"type": "struct", "fields": [{"field": "after", **record}, {"field": "op"}]}


def encoded(number: int) -> str:
    return b64encode(number.to_bytes(4, "big", signed=True)).decode()


@pytest.mark.parametrize(
    ("type_", "meaning", "value", "typed"),
    [
        ("date", "io.debezium.time.Date", 20_512, date(2026, 2, 28)),
        ("date", "org.apache.kafka.connect.data.Date", -1, date(1969, 12, 31)),
        ("date", "io.debezium.time.IsoDate", "2026-02-28Z", date(2026, 2, 28)),
        ("time", "io.debezium.time.MicroTime", 34_200_000_001, time(9, 30, 0, 1)),
        ("timestamp", "io.debezium.time.Timestamp", 1_000, datetime(1970, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        ("timestamp", "io.debezium.time.MicroTimestamp", -1, datetime(1969, 12, 31, 23, 59, 59, 999_999)),  # noqa: DTZ001
        ("timestamptz", "io.debezium.time.NanoTimestamp", 1_999, datetime(1970, 1, 1, 0, 0, 0, 1, UTC)),
        ("timestamptz", "io.debezium.time.ZonedTimestamp", "2026-02-28T09:30:00Z", datetime(2026, 2, 28, 9, 30, tzinfo=UTC)),
        ("decimal(9,2)", "org.apache.kafka.connect.data.Decimal", encoded(-12_345), Decimal("-123.45")),
        ("decimal(9,2)", "io.debezium.data.VariableScaleDecimal", {"scale": 1, "value": encoded(15)}, Decimal("1.50")),
        ("decimal(9,2)", None, 1.5, Decimal("1.50")),
        ("float", None, 1.5, 1.5),
    ],
)  # fmt: skip
def test_debezium_numbers_with_a_schema(
    type_: str, meaning: str | None, value: object, typed: object
):
    schema = described("value", name=meaning, parameters={"scale": "2"})
    line = {"schema": schema, "payload": envelope(after={"id": 1, "value": value})}
    assert read(line, value=type_)["value"] == typed


def test_debezium_number_that_its_schema_cannot_mean():
    schema = described("value", name="io.debezium.time.Date")
    line = {"schema": schema, "payload": envelope(after={"id": 1, "value": 10**12})}
    assert reason(line, value="date") == "`value` is not what its schema says"
