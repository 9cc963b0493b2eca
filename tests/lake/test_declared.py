"""What sources declare, in one vocabulary; what changed between two declarations."""

from __future__ import annotations

import pyarrow as pa
import pytest

from genesis.lake.columns import LogColumn
from genesis.lake.declared import Declared, is_wider, language_type, of_arrow, of_relation
from genesis.lake.evolution import Change, Evolution, evolved, way_out
from genesis.lake.pgoutput import Column, Relation
from genesis.spec.types import INTEGER, STRING, Type


@pytest.mark.parametrize(
    ("type_", "declared"),
    [
        (pa.int8(), "int"),
        (pa.uint32(), "integer"),
        (pa.uint64(), "decimal(20,0)"),
        (pa.float32(), "real"),
        (pa.decimal128(38, 9), "decimal(38,9)"),
        (pa.dictionary(pa.int32(), pa.string()), "string"),
        (pa.large_string(), "string"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.timestamp("us", "UTC"), "timestamptz"),
        (pa.date64(), "date"),
        (pa.list_(pa.int32()), "array(int)"),
        (pa.struct({"a": pa.int32()}), "json"),
        (pa.null(), "unknown"),
    ],
)
def test_the_types_of_parquet(type_: pa.DataType, declared: str):
    assert of_arrow(pa.schema([("a", type_)])).columns == {"a": declared}


@pytest.mark.parametrize(
    ("oid", "modifier", "declared"),
    [
        (20, -1, "integer"),
        (23, -1, "int"),
        (1043, 14, "string"),
        (1700, -1, "decimal"),
        (1700, (10 << 16 | 2) + 4, "decimal(10,2)"),
        (1700, (3 << 16 | (-2 & 0x7FF)) + 4, "decimal"),
        (1231, (10 << 16 | 2) + 4, "array(decimal(10,2))"),
        (99_999, -1, "string"),
    ],
)
def test_the_types_of_postgresql(oid: int, modifier: int, declared: str):
    columns = (Column("id", True, 23), Column("a", False, oid, modifier))
    found = of_relation(Relation(1, "public", "t", "d", columns))
    assert found == Declared({"id": "int", "a": declared}, frozenset({"id"}))


def test_a_replica_identity_of_the_whole_row_tells_no_key():
    columns = (Column("id", True, 23), Column("a", True, 25))
    assert of_relation(Relation(1, "public", "t", "f", columns)).key is None


@pytest.mark.parametrize(
    ("declared", "type_"),
    [
        ("int", INTEGER),
        ("decimal(9,2)", Type("decimal", 9, 2)),
        ("decimal", STRING),
        ("array(int)", Type("array", item=INTEGER)),
    ],
)
def test_a_column_holds_what_is_declared(declared: str, type_: Type):
    assert language_type(declared) == type_


@pytest.mark.parametrize(
    ("before", "now"),
    [("int", "integer"), ("real", "float"), ("decimal(9,2)", "decimal(10,2)"), ("array(int)", "array(integer)")],
)  # fmt: skip
def test_some_types_are_wider_than_others(before: str, now: str):
    assert is_wider(before, now)
    assert not is_wider(now, before)


@pytest.mark.parametrize(
    ("before", "now"),
    [("int", "float"), ("decimal(9,2)", "decimal(9,3)"), ("decimal(9,2)", "decimal"), ("date", "timestamp")],
)  # fmt: skip
def test_others_are_not(before: str, now: str):
    assert not is_wider(before, now)
    assert not is_wider(now, before)


COLUMNS = (LogColumn("id", INTEGER, required=True), LogColumn("title", STRING))
BEFORE = Declared({"id": "int", "title": "string", "notes": "string"}, frozenset({"id"}))


def conflicts(*now: Declared, accepted: tuple[Change, ...] = ()) -> tuple[Change, ...]:
    read = {"id", "title"}
    found = evolved(BEFORE, now, COLUMNS, consumed=read, opt_in=True, accepted=accepted)
    return found.conflicts


def test_each_declaration_is_held_against_the_one_before():
    gone = Declared({"id": "int"})
    assert conflicts(gone, BEFORE) == (Change("gone", "title", "string"),)
    assert conflicts(gone, BEFORE, accepted=(Change("gone", "title", "string"),)) == ()


def test_a_column_without_a_type_is_as_it_was():
    unknown = Declared({**BEFORE.columns, "title": "unknown"})
    assert conflicts(unknown, BEFORE) == ()
    assert unknown.after(BEFORE) == BEFORE


def test_a_changed_key_is_a_conflict_unless_the_definition_has_it():
    both = Declared({**BEFORE.columns}, frozenset({"id", "title"}))
    (change,) = conflicts(both)
    assert str(change) == "the primary key was `id` and is `id, title`"
    told = way_out(Evolution(conflicts=(change,)), COLUMNS)
    assert "give the data source the new `primary_key` and another `table`" in told
    key = tuple(LogColumn(column.name, column.type, required=True) for column in COLUMNS)
    assert evolved(BEFORE, [both], key, consumed=(), opt_in=True).conflicts == ()


def test_what_is_declared_is_kept_as_text():
    assert Declared.from_json(BEFORE.to_json()) == BEFORE
