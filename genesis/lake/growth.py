"""A change log grows with its source: columns that are new there, types that are wider.

What a source declared last is a property of the table, one for each way in, written with the events that
came so. The surprise: a column that no field reads says so in its `doc`, for then a
definition that comes to read it may have another type of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyiceberg.table import Table
from pyiceberg.types import DecimalType, IcebergType, ListType, NestedField

from genesis.lake.catalog import SPARE, becomes, iceberg_type, told_as_problem
from genesis.lake.columns import OWN, LogColumn, record_columns
from genesis.lake.declared import Declared
from genesis.lake.evolution import Evolution
from genesis.spec.data_source import DataSource
from genesis.spec.types import Type, parse_type

DECLARED_PROPERTY = "genesis.source.declared"

_OWN = frozenset(column.name for column in OWN)


def last_declared(log: Table, way: str) -> Declared | None:
    """What the source declared when events last came this way, `None` where it never did."""
    text = log.properties.get(f"{DECLARED_PROPERTY}.{way}")
    return Declared.from_json(text) if text else None


def declared_property(declared: Declared | None, way: str) -> dict[str, str]:
    """It as a property of the table."""
    return {f"{DECLARED_PROPERTY}.{way}": declared.to_json()} if declared else {}


def grow(log: Table, evolution: Evolution) -> tuple[str, ...]:
    """Give the log what its source has come to have; the names of the columns that are new."""
    new = tuple(_fitting(log, evolution.new))
    wider = tuple(column for column in evolution.wider if _is_wider(log, column))
    if not new and not wider:
        return ()
    present = set(log.schema().column_names)
    with (
        told_as_problem(f"the table `{'.'.join(log.name())}`"),
        log.update_schema(allow_incompatible_changes=True) as update,
    ):
        for column in new:
            if column.name in present:
                update.delete_column((column.name,))
            update.add_column((column.name,), iceberg_type(column.type, 1), doc=SPARE)
        for column in wider:
            update.update_column((column.name,), field_type=iceberg_type(column.type, 1))
    return tuple(column.name for column in new)


def landing_columns(
    source: DataSource, log: Table, declared: Declared | None
) -> tuple[LogColumn, ...]:
    """The columns that events land in: the definition's, as wide as they are, then what else the source has."""
    fields = {field.name: field for field in log.schema().fields}
    defined = tuple(
        LogColumn(column.name, _wider(column.type, fields[column.name].field_type), column.required)
        for column in record_columns(source)
    )
    if declared is None or not source.opt_in:
        return defined
    known = {column.name for column in defined} | _OWN
    spare = (
        LogColumn(name, type_, is_spare=True)
        for name, field in fields.items()
        if name in declared.columns and name not in known and not field.required
        if (type_ := _language_type(field.field_type)) is not None
    )
    return (*defined, *spare)


def _fitting(log: Table, columns: Sequence[LogColumn]) -> Iterator[LogColumn]:
    """Those that the table lacks, or has as spare ones of another type.

    Engines that compare names without case would confuse some, so those are left alone.
    """
    present: dict[str, NestedField | None] = {f.name.lower(): f for f in log.schema().fields}
    for column in columns:
        name = column.name.lower()
        if name not in present:
            present[name] = None
            is_wanted = not name.startswith("_")
        else:
            is_wanted = _may_start_anew(present[name], column)
        if is_wanted:
            yield column


def _may_start_anew(present: NestedField | None, column: LogColumn) -> bool:
    if present is None or present.name != column.name or present.doc != SPARE:
        return False
    return not becomes(present.field_type, iceberg_type(column.type, 1))


def _is_wider(log: Table, column: LogColumn) -> bool:
    present = (
        log.schema().find_type(column.name) if column.name in log.schema().column_names else None
    )
    wanted = iceberg_type(column.type, 1)
    return isinstance(present, DecimalType) and isinstance(wanted, DecimalType) and (
        present.scale == wanted.scale and present.precision < wanted.precision
    )  # fmt: skip


def _wider(type_: Type, present: IcebergType) -> Type:
    """The type of a column as its table has it, where that is wider."""
    if type_.name != "decimal" or not isinstance(present, DecimalType):
        return type_
    return Type("decimal", max(type_.precision, present.precision), present.scale)


def _language_type(type_: IcebergType) -> Type | None:
    match type_:
        case ListType(element_type=item):
            of = _language_type(item)
            return Type("array", item=of) if of else None
        case DecimalType(precision=precision, scale=scale):
            return Type("decimal", precision, scale)
        case _:
            return parse_type(_LANGUAGE.get(str(type_), str(type_)))


# Narrower ones than a log has are another writer's.
_LANGUAGE = {"long": "integer", "double": "float", "int": "", "float": ""}
