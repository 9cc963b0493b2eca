"""Both plans for the newest records give what loops over the events give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from genesis.compile.identifiers import table
from genesis.compile.latest import (
    BASE,
    has_positions,
    log_columns,
    newest_by_rank,
    newest_in_phases,
)
from genesis.spec.data_source import Latest

LOG = table("log")
SCHEMA = pa.schema(
    [
        pa.field("_op", pa.string()),
        pa.field("_ts", pa.timestamp("us", "UTC")),
        pa.field("_pos", pa.int64()),
        pa.field("show", pa.string()),
        pa.field("episode", pa.int64()),
        pa.field("Title", pa.string()),
        pa.field("_rank", pa.int64()),  # a payload may be called anything
        pa.field("gone", pa.bool_()),
        pa.field(BASE, pa.bool_()),
    ]
)
COLUMNS = ("Title", "episode", "_rank", "show")

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """Events of a log in any order, and how their newest records are told."""

    events: tuple[Event, ...]
    key: tuple[str, ...]
    latest: Latest
    as_of: datetime | None


DELETED: Mapping[str | None, Callable[[Event], bool]] = {
    "_op = 'd'": lambda event: event["_op"] == "d",
    "gone": lambda event: event["gone"] is True,
    None: lambda _: False,
}


def newest(case: Case) -> list[tuple[Any, ...]]:
    """The newest records, by a loop over the events: what `latest` means in the language."""
    order = case.latest.order_by
    best: dict[tuple[Any, ...], Event] = {}
    for event in case.events:
        if event["_op"] == "h" or (case.as_of and event[order[0]] > case.as_of):
            continue
        key = tuple(event[name] for name in case.key)
        if key not in best or [event[n] for n in order] > [best[key][n] for n in order]:
            best[key] = event
    is_deleted = DELETED[case.latest.deleted]
    kept = [event for event in best.values() if not is_deleted(event)]
    return in_order(tuple(event[name] for name in COLUMNS) for event in kept)


def in_order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")  # what zone there is must not matter
        yield connection


def run(
    duck: duckdb.DuckDBPyConnection, case: Case, statements: Sequence[exp.Expr]
) -> list[tuple[Any, ...]]:
    *setup, select = (statement.sql("duckdb") for statement in statements)
    duck.register("log", pa.Table.from_pylist([dict(event) for event in case.events], SCHEMA))
    for statement in setup:
        duck.execute(statement)
    rows = duck.sql(select).fetchall()
    duck.execute("DROP TABLE IF EXISTS winners")
    duck.execute("DROP TABLE IF EXISTS winners_touched")
    return in_order(rows)


def ranked(duck: duckdb.DuckDBPyConnection, case: Case) -> list[tuple[Any, ...]]:
    return run(duck, case, [newest_by_rank(LOG, COLUMNS, case.key, case.latest, case.as_of)])


def in_phases(duck: duckdb.DuckDBPyConnection, case: Case) -> list[tuple[Any, ...]]:
    setup, select = newest_in_phases(
        LOG, COLUMNS, case.key, case.latest, case.as_of, winners="winners"
    )
    return run(duck, case, [*setup, select])


def compacted(case: Case, upto: int) -> Case:
    """The log after a compaction that saw so many of its events: each key's newest, and its newest heartbeat."""
    kept: dict[tuple[Any, ...], Event] = {}
    for event in case.events[:upto]:
        key = (event["_op"] == "h", *(event[name] for name in case.key))
        if key not in kept or _order(event) > _order(kept[key]):
            kept[key] = event
    base = [{**event, BASE: True} for event in kept.values()]
    return replace(case, events=(*base, *({**e, BASE: False} for e in case.events[upto:])))


def _order(event: Event) -> tuple[Any, ...]:
    return (event["_ts"], event["_pos"])


MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    *(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n) for n in range(4)),
    datetime(9999, 12, 31, tzinfo=UTC),
]


@st.composite
def cases(draw: st.DrawFn, latest: Latest) -> Case:
    """Few keys and few moments, so that most events meet another; positions in no order."""
    positions = draw(
        st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 20), max_size=25, unique=True)
    )
    record = st.fixed_dictionaries(
        {
            "_op": st.sampled_from("cuuudrh"),
            "_ts": st.sampled_from(MOMENTS),
            "show": st.sampled_from(["", "a", "A", "é"]),
            "episode": st.integers(1, 3),
            "Title": st.none() | st.sampled_from(["x", "y"]),
            "_rank": st.none() | st.integers(1, 2),
            "gone": st.none() | st.booleans(),
        }
    )
    return Case(
        events=tuple({**draw(record), "_pos": position} for position in positions),
        key=draw(st.sampled_from([("show",), ("episode",), ("show", "episode")])),
        latest=latest,
        as_of=draw(st.none() | st.sampled_from(MOMENTS)),
    )


@given(case=cases(Latest()))
@settings(max_examples=200, deadline=None)
def test_both_plans_give_the_newest_records(duck: duckdb.DuckDBPyConnection, case: Case):
    assert in_phases(duck, case) == ranked(duck, case) == newest(case)


@given(case=cases(Latest()) | cases(Latest(deleted="gone")), upto=st.integers(0, 25))
@settings(max_examples=150, deadline=None)
def test_what_a_compaction_left_alone_need_not_be_ranked(
    duck: duckdb.DuckDBPyConnection, case: Case, upto: int
):
    assert in_phases(duck, case) == newest(case)  # a log that was never compacted
    after = compacted(case, upto)
    assert in_phases(duck, after) == newest(after)
    if case.as_of is None:
        assert newest(after) == newest(case)


@given(case=cases(Latest(deleted="gone")) | cases(Latest(deleted=None)))
@settings(max_examples=60, deadline=None)
def test_a_condition_that_is_unknown_deletes_nothing(duck: duckdb.DuckDBPyConnection, case: Case):
    assert in_phases(duck, case) == ranked(duck, case) == newest(case)


@given(case=cases(Latest(order_by=("_ts", "episode", "_pos"))))
@settings(max_examples=60, deadline=None)
def test_any_columns_may_tell_the_order(duck: duckdb.DuckDBPyConnection, case: Case):
    assert not has_positions(case.latest)
    assert ranked(duck, case) == newest(case)


def log(*events: tuple[str, int, str]) -> Case:
    """A log of one key: operation, hour of its time, title; positions as written."""
    return Case(
        events=tuple(
            {
                "_op": op,
                "_ts": datetime(2026, 1, 1, hour, tzinfo=UTC),
                "_pos": position,
                "show": "a",
                "episode": 1,
                "Title": title,
            }
            for position, (op, hour, title) in enumerate(events, start=1)
        ),
        key=("show",),
        latest=Latest(),
        as_of=None,
    )


@pytest.mark.parametrize(
    ("case", "titles"),
    [
        pytest.param(log(("c", 1, "old"), ("u", 2, "new")), ["new"], id="newest wins"),
        pytest.param(log(("u", 2, "new"), ("c", 1, "late")), ["new"], id="late does not win"),
        pytest.param(log(("c", 1, "first"), ("u", 1, "second")), ["second"], id="equal times"),
        pytest.param(log(("c", 1, "old"), ("d", 2, "")), [], id="deleted"),
        pytest.param(log(("d", 2, ""), ("u", 1, "late")), [], id="late does not resurrect"),
        pytest.param(log(("d", 1, ""), ("c", 2, "again")), ["again"], id="made again"),
        pytest.param(log(("c", 1, "old"), ("h", 2, "beat")), ["old"], id="heartbeats are unseen"),
        pytest.param(log(), [], id="empty"),
    ],
)
def test_newest_record(duck: duckdb.DuckDBPyConnection, case: Case, titles: list[str]):
    assert [row[0] for row in ranked(duck, case)] == titles
    assert [row[0] for row in in_phases(duck, case)] == titles


def test_a_moment_is_included_and_a_time_without_zone_is_in_utc(duck: duckdb.DuckDBPyConnection):
    case = log(("c", 1, "old"), ("u", 2, "new"))
    at_two = replace(case, as_of=datetime(2026, 1, 1, 2))  # noqa: DTZ001
    before = replace(case, as_of=datetime(2026, 1, 1, 1, 59, 59, 999_999, UTC))
    assert [row[0] for row in ranked(duck, at_two)] == ["new"]
    assert [row[0] for row in in_phases(duck, before)] == ["old"]


def test_the_portable_plan_keeps_microseconds_on_trino():
    moment = datetime(2026, 1, 1, 0, 0, 0, 1, UTC)
    select = newest_by_rank(LOG, ["a"], ["id"], Latest(), moment)
    expected = "CAST('2026-01-01 00:00:00.000001+00:00' AS TIMESTAMP(6) WITH TIME ZONE)"
    assert expected in select.sql("trino")


def test_a_log_of_others_needs_none_of_our_columns():
    latest = Latest(order_by=("updated_at",), deleted="is_gone")
    assert log_columns(["title"], ["id"], latest) == {"id", "title", "updated_at", "is_gone"}
    assert "_op" not in newest_by_rank(LOG, ["title"], ["id"], latest).sql("trino")


def test_our_own_log_reads_its_own_columns():
    assert log_columns(["title"], ["id"], Latest()) == {"id", "title", "_op", "_ts", "_pos"}
