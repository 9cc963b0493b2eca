"""One snapshot of a table, as DuckDB reads it.

pyiceberg plans the files and DuckDB reads them itself, by field id: so a renamed column keeps its
values, a widened one its old ones, and one that was dropped and made again starts empty. The
surprise: DuckDB knows nothing of delete files, so a snapshot that has any is read by pyiceberg.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import FileFormat
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import DecimalType, IcebergType, ListType, NestedField
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.lake.catalog import Identifier, load_table, told_as_problem

_DUCKDB_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "BLOB",
}


@dataclass(frozen=True)
class Pinned:
    """A table as it was when it was first asked for."""

    table: Table
    tasks: tuple[FileScanTask, ...]

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot, or `None` where nothing ever landed."""
        return self.table.metadata.current_snapshot_id

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the table's order."""
        return tuple(field.name for field in self.table.schema().fields)

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the data files; empty where some are not plain files of this machine."""
        paths = [_path(task) for task in self.tasks]
        return () if None in paths else tuple(path for path in paths if path)

    def relation(self) -> exp.Select | None:
        """What DuckDB selects the snapshot's rows with; `None` where it cannot read them itself."""
        fields = self.table.schema().fields
        if not all(
            _duckdb_type(field.field_type) and not field.initial_default for field in fields
        ):
            return None
        if not self.tasks:
            return exp.select(*map(_no_value, fields)).where(exp.false())
        if not self.files:
            return None
        columns = [exp.Column(this=identifier(field.name)) for field in fields]
        return exp.select(*columns).from_(exp.Table(this=_read_parquet(self.files, fields)))

    def batches(self, columns: Sequence[str]) -> pa.RecordBatchReader:
        """The snapshot's rows with these columns, read by pyiceberg: slower, and always right."""
        with told_as_problem(f"the table `{'.'.join(self.table.name())}`"):
            return self.table.scan(selected_fields=tuple(columns)).to_arrow_batch_reader()


def pin(catalog: Catalog, table: Identifier) -> Pinned | None:
    """The current snapshot of a table, or `None` where the catalog has no such table."""
    found = load_table(catalog, table)
    if found is None:
        return None
    with told_as_problem(f"the table `{'.'.join(table)}`"):
        return Pinned(found, tuple(found.scan().plan_files()))


def _path(task: FileScanTask) -> str | None:
    """The path of a file that DuckDB may read as it is."""
    location = task.file.file_path
    if task.delete_files or task.file.file_format != FileFormat.PARQUET:
        return None
    if location.startswith("file:"):
        return "/" + location.removeprefix("file:").lstrip("/")
    return location if location.startswith("/") else None


def _duckdb_type(type_: IcebergType) -> str | None:
    match type_:
        case ListType(element_type=element):
            item = _duckdb_type(element)
            return f"{item}[]" if item else None
        case DecimalType(precision=precision, scale=scale):
            return f"DECIMAL({precision}, {scale})"
        case _:
            return _DUCKDB_TYPES.get(str(type_))


def _no_value(field: NestedField) -> exp.Expr:
    type_ = exp.DataType.build(_duckdb_type(field.field_type) or "", dialect="duckdb")
    return exp.alias_(exp.Cast(this=exp.null(), to=type_), identifier(field.name))


def _read_parquet(files: Iterable[str], fields: Iterable[NestedField]) -> exp.Expr:
    paths = exp.Array(expressions=[exp.Literal.string(file) for file in files])
    by_id = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.Literal.number(field.field_id), expression=_column(field))
            for field in fields
        ]
    )
    return exp.ReadParquet(
        expressions=[
            paths,
            exp.EQ(this=exp.column("schema"), expression=exp.ToMap(this=by_id)),
            # A folder of the project's path may look like `key=value`.
            exp.EQ(this=exp.column("hive_partitioning"), expression=exp.false()),
        ]
    )


def _column(field: NestedField) -> exp.Struct:
    said = {
        "name": exp.Literal.string(field.name),
        "type": exp.Literal.string(_duckdb_type(field.field_type) or ""),
        "default_value": exp.null(),
    }
    return exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(key), expression=value)
            for key, value in said.items()
        ]
    )
