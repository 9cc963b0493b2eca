"""DuckDB reads a snapshot by itself, and gives what pyiceberg gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
)

from genesis.errors import EngineError
from genesis.lake.catalog import make_catalog
from genesis.lake.read import Pinned, pin
from genesis.spec.project import Target

NAME = ("studio", "t")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    root = tmp_path / "a key=value 'folder' [x] ü"
    root.mkdir()
    with closing(make_catalog(root, Target())) as made:
        made.create_namespace("studio")
        yield made


def fields(**types: Any) -> Schema:
    return Schema(
        *(NestedField(n, name, type_) for n, (name, type_) in enumerate(types.items(), 1))
    )


def append(table: Table, *rows: dict[str, Any]) -> None:
    table.append(pa.Table.from_pylist(list(rows), schema=table.schema().as_arrow()))


def pinned(catalog: Catalog) -> Pinned:
    found = pin(catalog, NAME)
    assert found is not None
    return found


def by_duckdb(snapshot: Pinned) -> pa.Table:
    relation = snapshot.relation()
    assert relation is not None
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.sql(relation.sql("duckdb")).to_arrow_table()


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=repr)


def by_both(snapshot: Pinned) -> list[dict[str, Any]]:
    """The rows, after DuckDB and pyiceberg agreed on them."""
    found = rows(by_duckdb(snapshot))
    assert found == rows(snapshot.batches(snapshot.columns).read_all())
    return found


def test_every_type(catalog: Catalog):
    schema = fields(
        text=StringType(),
        whole=LongType(),
        small=IntegerType(),
        real=DoubleType(),
        single=FloatType(),
        truth=BooleanType(),
        day=DateType(),
        clock=TimeType(),
        local=TimestampType(),
        instant=TimestamptzType(),
        money=DecimalType(18, 2),
        names=ListType(100, StringType(), element_required=False),
        **{"odd 'name'.x": StringType()},
    )
    row = {
        "text": "ü 🎬",
        "whole": 2**62,
        "small": -1,
        "real": 0.1,
        "single": 0.5,
        "truth": False,
        "day": date(1912, 1, 1),
        "clock": time(9, 30, 0, 1),
        "local": datetime(1969, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001
        "instant": datetime(2026, 1, 1, tzinfo=UTC),
        "money": Decimal("-123.45"),
        "names": ["a", None],
        "odd 'name'.x": "y",
    }
    append(catalog.create_table(NAME, schema), row, dict.fromkeys(row))
    assert row in by_both(pinned(catalog))
    assert dict.fromkeys(row) in by_both(pinned(catalog))


def test_a_renamed_column_keeps_its_values(catalog: Catalog):
    table = catalog.create_table(NAME, fields(old=LongType(), other=LongType()))
    append(table, {"old": 1, "other": 2})
    with table.update_schema() as update:
        update.rename_column("old", "new")
        update.rename_column("other", "old")
    append(table, {"new": 3, "old": 4})
    assert by_both(pinned(catalog)) == [{"new": 1, "old": 2}, {"new": 3, "old": 4}]


def test_a_widened_column_keeps_its_values(catalog: Catalog):
    schema = fields(
        whole=IntegerType(),
        real=FloatType(),
        money=DecimalType(4, 2),
        many=ListType(100, IntegerType(), element_required=False),
    )
    table = catalog.create_table(NAME, schema)
    narrow = {"whole": 1, "real": 0.5, "money": Decimal("1.25"), "many": [1]}
    append(table, narrow)
    with table.update_schema() as update:
        update.update_column("whole", LongType())
        update.update_column("real", DoubleType())
        update.update_column("money", DecimalType(18, 2))
        update.update_column(("many", "element"), LongType())
    wide = {"whole": 2**40, "real": 0.1, "money": Decimal("123456.25"), "many": [2**40]}
    append(table, wide)
    assert by_both(pinned(catalog)) == [narrow, wide]


def test_a_column_dropped_and_made_again_starts_empty(catalog: Catalog):
    table = catalog.create_table(NAME, fields(id=LongType(), status=StringType()))
    append(table, {"id": 1, "status": "old"})
    with table.update_schema() as update:
        update.delete_column("status")
    with table.update_schema() as update:
        update.add_column("status", LongType())
    append(table, {"id": 2, "status": 5})
    assert by_both(pinned(catalog)) == [{"id": 1, "status": None}, {"id": 2, "status": 5}]


def test_a_new_column_and_another_order(catalog: Catalog):
    table = catalog.create_table(NAME, fields(id=LongType(), name=StringType()))
    append(table, {"id": 1, "name": "a"})
    with table.update_schema() as update:
        update.add_column("tags", ListType(100, StringType(), element_required=False))
        update.move_first("name")
    assert pinned(catalog).columns == ("name", "id", "tags")
    assert by_both(pinned(catalog)) == [{"name": "a", "id": 1, "tags": None}]


def test_an_empty_table_has_columns_of_the_right_types(catalog: Catalog):
    table = catalog.create_table(NAME, fields(id=LongType(), money=DecimalType(9, 2)))
    assert pinned(catalog).snapshot_id is None
    append(table)
    empty = by_duckdb(pinned(catalog))
    assert empty.schema.types == [pa.int64(), pa.decimal128(9, 2)]
    assert empty.num_rows == 0


def test_a_pinned_table_does_not_move(catalog: Catalog):
    table = catalog.create_table(NAME, fields(id=LongType()))
    append(table, {"id": 1})
    before = pinned(catalog)
    append(table, {"id": 2})
    assert by_both(before) == [{"id": 1}]
    assert before.snapshot_id != pinned(catalog).snapshot_id


def test_no_such_table(catalog: Catalog):
    assert pin(catalog, ("studio", "nothing")) is None
    assert pin(catalog, ("nowhere", "t")) is None


def test_structs_are_left_to_pyiceberg(catalog: Catalog):
    inner = StructType(NestedField(10, "a", LongType()))
    append(
        catalog.create_table(NAME, fields(id=LongType(), pair=inner)), {"id": 1, "pair": {"a": 2}}
    )
    snapshot = pinned(catalog)
    assert snapshot.relation() is None
    assert snapshot.batches(["pair"]).read_all().to_pylist() == [{"pair": {"a": 2}}]


def test_deleted_rows_are_left_to_pyiceberg(catalog: Catalog):
    table = catalog.create_table(NAME, fields(id=LongType()))
    append(table, {"id": 1}, {"id": 2}, {"id": 3})
    delete_position(table, 1)
    snapshot = pinned(catalog)
    assert (snapshot.relation(), snapshot.files) == (None, ())
    assert snapshot.batches(["id"]).read_all().to_pylist() == [{"id": 1}, {"id": 3}]


def test_duckdb_knows_about_how_long_a_table_is(catalog: Catalog):
    """Or else it joins the wrong way round, at several times the memory."""
    table = catalog.create_table(NAME, fields(old=LongType()))
    for number in (1, 1_000, 1_000, 1_000):
        append(table, *({"old": n} for n in range(number)))
    with table.update_schema() as update:
        update.rename_column("old", "new")
    append(table, *({"new": n} for n in range(2_000)))
    relation = pinned(catalog).relation()
    assert relation is not None
    (plan,) = duckdb.sql(f"EXPLAIN (FORMAT json) {relation.sql('duckdb')}").fetchall()
    assert 4_000 <= sum(estimates(json.loads(plan[1]))) <= 8_000  # there are 5,001


def estimates(nodes: list[dict[str, Any]]) -> Iterator[int]:
    """How many rows a plan expects of each reading of files."""
    for node in nodes:
        if node["name"].strip() == "READ_PARQUET":
            yield int(node["extra_info"]["Estimated Cardinality"])
        yield from estimates(node["children"])


def test_a_manifest_that_is_gone(catalog: Catalog, tmp_path: Path):
    append(catalog.create_table(NAME, fields(id=LongType())), {"id": 1})
    for manifest in tmp_path.rglob("*.avro"):
        manifest.unlink()
    with pytest.raises(EngineError) as error:
        pin(catalog, NAME)
    assert error.value.problems[0].code == "catalog-failed"


def delete_position(table: Table, position: int) -> None:
    """Delete a row as Trino and DuckDB do: by a file with its place. pyiceberg only reads those."""
    (task,) = table.scan().plan_files()
    place = pa.table(
        {"file_path": [task.file.file_path], "pos": pa.array([position], pa.int64())},
        schema=DELETES.as_arrow(),
    )
    metadata = table.metadata.model_copy(update={"schemas": [DELETES], "current_schema_id": 0})
    (written,) = _dataframe_to_data_files(metadata, place, table.io)
    file = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=written.file_path,
        file_format=written.file_format,
        partition=written.partition,
        record_count=1,
        file_size_in_bytes=written.file_size_in_bytes,
        spec_id=0,
    )
    with table.transaction() as transaction, _Deletes(file, transaction, table.io):
        pass


DELETES = Schema(
    NestedField(2147483546, "file_path", StringType(), required=True),
    NestedField(2147483545, "pos", LongType(), required=True),
)


class _DeletesWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _Deletes(_FastAppendFiles):
    def __init__(self, file: DataFile, transaction: Any, io: Any) -> None:
        super().__init__(Operation.DELETE, transaction, io)
        self._file = file

    def _manifests(self) -> list[ManifestFile]:
        metadata = self._transaction.table_metadata
        output = self.new_manifest_output()
        with _DeletesWriter(
            metadata.spec(), metadata.schema(), output, self._snapshot_id, "deflate"
        ) as writer:
            writer.add(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.ADDED,
                    snapshot_id=self._snapshot_id,
                    sequence_number=None,
                    file_sequence_number=None,
                    data_file=self._file,
                )
            )
        return [*super()._manifests(), writer.to_manifest_file()]
