"""One snapshot of a table, as Trino reads it.

The surprise: Trino reads a snapshot with the columns that the table had when it was written. What was
renamed, added or widened since, with no rows after it, is brought to today's columns here, by field
id, as DuckDB's reading does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import DecimalType, IcebergType, ListType, NestedField
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.lake.history import parts_as_of

_TRINO_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
    "date": "DATE",
    "time": "TIME(6)",
    "timestamp": "TIMESTAMP(6)",
    "timestamptz": "TIMESTAMP(6) WITH TIME ZONE",
    "string": "VARCHAR",
    "uuid": "UUID",
    "binary": "VARBINARY",
}


def at_snapshot(table: Table, name: exp.Table) -> exp.Table | exp.Subquery:
    """What reads the table, as it was when it was loaded, in the place of its name."""
    snapshot = table.current_snapshot()
    if snapshot is None:
        return exp.select(exp.Star()).from_(name).where(exp.false()).subquery()
    if snapshot.schema_id in (None, table.metadata.current_schema_id):
        return _pinned(snapshot, name)
    return _select(table, snapshot, name).subquery()


def as_of(table: Table, name: exp.Table, moment: datetime) -> exp.Table | exp.Subquery:
    """The same for newest records of a moment. Raises `EngineError` where they are not known any more."""
    parts = parts_as_of(table, moment)
    if parts is None:
        return at_snapshot(table, name)
    snapshots = {snapshot.snapshot_id: snapshot for snapshot in table.metadata.snapshots}
    selects = [_select(table, snapshots[part.snapshot_id], name) for part in parts]
    for part, select in zip(parts, selects, strict=True):
        if not part.is_whole:
            paths = [exp.Literal.string(path) for path in part.paths]
            file = exp.Column(this=exp.to_identifier("$path", quoted=True))
            select.where(exp.In(this=file, expressions=paths), copy=False)
    rows = exp.union(*selects, distinct=False) if len(selects) > 1 else selects[0]
    return rows.subquery()


def _pinned(snapshot: Snapshot, name: exp.Table) -> exp.Table:
    pinned = name.copy()
    number = exp.Literal.number(snapshot.snapshot_id)
    pinned.set("version", exp.Version(this="VERSION", kind="AS OF", expression=number))
    return pinned


def _select(table: Table, snapshot: Snapshot, name: exp.Table) -> exp.Select:
    """A snapshot's rows with the columns of today."""
    schema_id = snapshot.schema_id
    schema = table.schema() if schema_id is None else table.schemas()[schema_id]
    before = {field.field_id: field for field in schema.fields}
    columns = [_column(field, before) for field in table.schema().fields]
    return exp.select(*columns).from_(_pinned(snapshot, name))


def _column(field: NestedField, before: Mapping[int, NestedField]) -> exp.Expr:
    """A column of today, of what it was in the snapshot; NULL where it was not."""
    found = before.get(field.field_id)
    value: exp.Expr = exp.null() if found is None else exp.Column(this=identifier(found.name))
    type_ = _trino_type(field.field_type)
    if type_ and (found is None or found.field_type != field.field_type):
        value = exp.Cast(this=value, to=exp.DataType.build(type_, dialect="trino"))
    return exp.alias_(value, identifier(field.name))


def _trino_type(type_: IcebergType) -> str | None:
    """A type as Trino has it. Structs and maps are left as they are."""
    match type_:
        case ListType(element_type=element):
            item = _trino_type(element)
            return f"ARRAY({item})" if item else None
        case DecimalType(precision=precision, scale=scale):
            return f"DECIMAL({precision}, {scale})"
        case _:
            return _TRINO_TYPES.get(str(type_))
