"""One snapshot of a table, as DuckDB reads it.

pyiceberg plans the files and DuckDB reads them itself, each column by its field id: so a renamed
column keeps its values, a widened one its old ones, one that was dropped and made again starts
empty. The surprise: the ids are looked up here, and files that name their columns alike are read
together. DuckDB could do it (`schema = MAP {id: ...}`), but 2.0 then takes every table for one
row and plans its joins so: the newest of 10 M events took 4.5 times the memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.manifest import DataFile, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import DecimalType, IcebergType, ListType, NestedField
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.compile.latest import BASE
from genesis.lake.catalog import Identifier, load_table, told_as_problem
from genesis.lake.history import parts_as_of

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

NamesById = Mapping[int, str]

# In the properties of a table: what `_mark` gives for the rules of its last compaction, and the name of
# that compaction, which its files have in theirs.
_BASE_PROPERTY = "genesis.base"


@dataclass(frozen=True)
class _Group:
    """Data files whose columns have the same names, and how many rows each file has.

    `is_base` says that the last compaction wrote them.
    """

    names: NamesById
    rows_by_path: Mapping[str, int]
    is_base: bool


@dataclass(frozen=True)
class Pinned:
    """A table as it was when it was first asked for.

    `tasks` are its data files, with the files of deletes that act on each. `groups` are the same
    for DuckDB; `None` where it cannot read them as they are. `mark` is the `_mark` of its last compaction.
    Of parts, the files are not those of the snapshot but of an earlier moment.
    """

    table: Table
    tasks: tuple[FileScanTask, ...]
    groups: tuple[_Group, ...] | None
    mark: str | None = None
    is_of_parts: bool = False

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot, or `None` where nothing ever landed."""
        return self.table.metadata.current_snapshot_id

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the table's order."""
        return tuple(field.name for field in self.table.schema().fields)

    @property
    def data_files(self) -> tuple[DataFile, ...]:
        """The snapshot's data files."""
        return tuple(task.file for task in self.tasks)

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that `relation` reads."""
        return tuple(path for group in self.groups or () for path in group.rows_by_path)

    def relation(self) -> exp.Query | None:
        """What DuckDB selects the snapshot's rows with; `None` where only `batches` has them."""
        return self._relation(lambda select, _: select)

    def relation_with_base(self, rules: Set[str]) -> exp.Query | None:
        """The same with the column `BASE`; `rules` are those by which newest records are told."""
        marks = {_mark(self.table.schema(), one) for one in rules}
        is_known = self.mark is not None and marks == {self.mark}

        def marked(select: exp.Select, group: _Group | None) -> exp.Select:
            is_base = exp.convert(group.is_base if group and is_known else None)
            column = exp.Cast(this=is_base, to=exp.DataType(this=exp.DType.BOOLEAN))
            return select.select(exp.alias_(column, identifier(BASE)), copy=False)

        return self._relation(marked)

    def _relation(
        self, finished: Callable[[exp.Select, _Group | None], exp.Select]
    ) -> exp.Query | None:
        if self.groups is None:
            return None
        fields = self.table.schema().fields
        if not self.groups:
            return finished(_select(fields, {}), None).where(exp.false())
        first, *others = (
            finished(_select(fields, group.names), group).from_(
                exp.Table(this=_read_parquet(group.rows_by_path))
            )
            for group in self.groups
        )
        return exp.union(first, *others, distinct=False) if others else first

    def batches(self, columns: Sequence[str]) -> pa.RecordBatchReader:
        """The snapshot's rows with these columns, read by pyiceberg: slower, and always right."""
        with told_as_problem(f"the table `{'.'.join(self.table.name())}`"):
            scan = self.table.scan(selected_fields=tuple(columns))
            if not self.is_of_parts:
                return scan.to_arrow_batch_reader()
            schema = scan.projection()
            read = ArrowScan(self.table.metadata, self.table.io, schema, AlwaysTrue())
            target = schema_to_pyarrow(schema)
            found = read.to_record_batches(self.tasks)
            return pa.RecordBatchReader.from_batches(target, found).cast(target)

    def as_of(self, moment: datetime) -> Pinned:
        """The same for newest records of a moment. Raises `EngineError` where they are not known any more."""
        parts = parts_as_of(self.table, moment)
        if parts is None:
            return self
        tasks = tuple(task for part in parts for task in part.tasks)
        with told_as_problem(f"the table `{'.'.join(self.table.name())}`"):
            groups = _groups(self.table.schema().fields, tasks, frozenset())
        return Pinned(self.table, tasks, groups, is_of_parts=True)


def pin(catalog: Catalog, table: Identifier) -> Pinned | None:
    """The current snapshot of a table, or `None` where the catalog has no such table."""
    found = load_table(catalog, table)
    return None if found is None else pin_table(found)


def pin_table(table: Table) -> Pinned:
    """The snapshot of a table that was loaded."""
    with told_as_problem(f"the table `{'.'.join(table.name())}`"):
        tasks = tuple(table.scan().plan_files())
        mark, base = _base(table, tasks)
        return Pinned(table, tasks, _groups(table.schema().fields, tasks, base), mark)


def base_property(schema: Schema, rules: str, run: str) -> Mapping[str, str]:
    """What a compaction writes into its table's properties, to know later what it has left alone.

    `rules` are what `rules_text` gives; the files that it wrote have `run` in their names.
    """
    mark = _mark(schema, rules)
    return {_BASE_PROPERTY: json.dumps([mark, run] if mark else None)}


def _mark(schema: Schema, rules: str) -> str | None:
    """What tells compactions by other rules apart, or by columns that have only the same names.

    `None` where a part of the key may be NULL: such a log has no base.
    """
    fields = [schema.find_field(name, case_sensitive=False) for name in json.loads(rules)[0]]
    if not all(field.required for field in fields):
        return None
    return json.dumps([rules, [field.field_id for field in fields]], ensure_ascii=False)


def _base(table: Table, tasks: Iterable[FileScanTask]) -> tuple[str | None, frozenset[str]]:
    """The mark of the last compaction and the files that it wrote, while they hold most of the events.

    Of a longer tail it would cost more to find the keys than to rank it all.
    """
    known = json.loads(table.properties.get(_BASE_PROPERTY, "null"))
    if known is None:
        return None, frozenset()
    mark, run = known
    rows = {task.file.file_path: task.file.record_count for task in tasks}
    base = frozenset(path for path in rows if run in path)
    is_most = 2 * sum(rows[path] for path in base) >= sum(rows.values())
    return (mark, base) if is_most else (None, frozenset())


def _groups(
    fields: Iterable[NestedField], tasks: Iterable[FileScanTask], base: Set[str]
) -> tuple[_Group, ...] | None:
    if any(_duckdb_type(field.field_type) is None or field.initial_default for field in fields):
        return None
    groups: dict[tuple[bool, tuple[tuple[int, str], ...]], dict[str, int]] = {}
    for task in tasks:
        path = _path(task.file)
        names = _names_by_id(path) if path and not task.delete_files else None
        if path is None or names is None:
            return None
        key = (task.file.file_path in base, tuple(names.items()))
        groups.setdefault(key, {})[path] = task.file.record_count
    return tuple(_Group(dict(names), rows, is_base) for (is_base, names), rows in groups.items())


def _path(file: DataFile) -> str | None:
    """The path of a Parquet file of this machine."""
    if file.file_format != FileFormat.PARQUET:
        return None
    if file.file_path.startswith("file:"):
        return "/" + file.file_path.removeprefix("file:").lstrip("/")
    return file.file_path if file.file_path.startswith("/") else None


def _names_by_id(path: str) -> NamesById | None:
    """What a file calls its columns; `None` where they have no field ids."""
    with told_as_problem(f"the file `{path}`"):
        columns = pq.read_schema(path, memory_map=True)
    ids = [(column.metadata or {}).get(b"PARQUET:field_id") for column in columns]
    if None in ids:
        return None
    return {int(id_): column.name for id_, column in zip(ids, columns, strict=True) if id_}


def _duckdb_type(type_: IcebergType) -> str | None:
    """A type as DuckDB has it. Structs and maps are left to pyiceberg, which follows their ids."""
    match type_:
        case ListType(element_type=element):
            item = _duckdb_type(element)
            return f"{item}[]" if item else None
        case DecimalType(precision=precision, scale=scale):
            return f"DECIMAL({precision}, {scale})"
        case _:
            return _DUCKDB_TYPES.get(str(type_))


def _select(fields: Iterable[NestedField], names: NamesById) -> exp.Select:
    """The table's columns, by what some files call them; what they lack is NULL."""
    return exp.select(*(_column(field, names.get(field.field_id)) for field in fields))


def _column(field: NestedField, name: str | None) -> exp.Expr:
    value = exp.null() if name is None else exp.Column(this=exp.to_identifier(name, quoted=True))
    type_ = exp.DataType.build(_duckdb_type(field.field_type) or "", dialect="duckdb")
    return exp.alias_(exp.Cast(this=value, to=type_), identifier(field.name))


def _read_parquet(rows_by_path: Mapping[str, int]) -> exp.Expr:
    # DuckDB takes the first file's length for that of all, so the most ordinary one comes first.
    mean = sum(rows_by_path.values()) / len(rows_by_path)
    paths = sorted(rows_by_path, key=lambda path: abs(rows_by_path[path] - mean))
    # A folder of the project's path may look like `key=value`.
    no_keys = exp.EQ(this=exp.column("hive_partitioning"), expression=exp.false())
    files = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
    return exp.ReadParquet(expressions=[files, no_keys])
