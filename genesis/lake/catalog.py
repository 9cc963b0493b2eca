"""The Iceberg catalog of a target, and the change logs in it.

Reading never makes a file; only `make_catalog` does. The surprise: everything that may be made by
two processes at once (the catalog's own tables, a namespace, a change log) is made under a lock
of the project, because SQL catalogs check first and create then.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog as PyicebergSqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchNamespaceError,
    NoSuchTableError,
    ResolveError,
    TableAlreadyExistsError,
    ValidationError,
)
from pyiceberg.schema import Schema, promote
from pyiceberg.table import Table
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IcebergType,
    ListType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
    TimeType,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from genesis.compile.identifiers import table_parts
from genesis.errors import EngineBusy, EngineError, GenesisError, Problem, did_you_mean
from genesis.lake.columns import OWN, LogColumn, record_columns
from genesis.secrets import resolve_references
from genesis.spec.data_source import DataSource
from genesis.spec.project import RestCatalog, SqlCatalog, Target
from genesis.spec.types import Type

Identifier = tuple[str, ...]

_OWN_NAMES = {column.name for column in OWN}

STATE_FOLDER = ".genesis"

SPARE = "kept as its source has it; no field reads it"
"""What the `doc` of such a column says."""

_DEFAULT_SCHEMA = "main"

# 200 small appends cost 26 to 43 ms each with these, 32 to 293 ms without. Row groups of DuckDB's
# own size let it read one file with several threads. Appends outlive a compaction that started
# before them only under snapshot isolation.
_PROPERTIES = {
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "20",
    "commit.retry.num-retries": "30",
    "commit.retry.min-wait-ms": "20",
    "commit.retry.max-wait-ms": "2000",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "10",
    "write.parquet.row-group-limit": "122880",
    "write.target-file-size-bytes": str(128 * 1024 * 1024),
    "write.delete.isolation-level": "snapshot",
}


def table_identifier(table: str) -> Identifier:
    """Where a table stands in the catalog; a name without a schema is in `main`, as in DuckDB."""
    parts = table_parts(table)
    return parts if len(parts) > 1 else (_DEFAULT_SCHEMA, *parts)


def table_name(table: Identifier) -> str:
    """The name of a table as `table:` has it."""
    shown = table[1:] if len(table) == 2 and table[0] == _DEFAULT_SCHEMA else table
    return ".".join(
        part if re.fullmatch(r"[a-z_][a-z0-9_]*", part) else '"' + part.replace('"', '""') + '"'
        for part in shown
    )


def warehouse_folder(root: Path, target: Target) -> Path | None:
    """The folder that holds a target's tables, or `None` where they are not in files of this machine."""
    config = target.catalog.sql
    if config is None:
        return None
    warehouse = resolve_references(config.warehouse, root)
    if re.match(r"[a-z0-9+.-]{2,}://", warehouse) and not warehouse.startswith("file://"):
        return None
    return (root / warehouse.removeprefix("file://")).resolve()


def find_catalog(root: Path, target: Target) -> Catalog | None:
    """The catalog of a target, or `None` where nothing was ever ingested."""
    if config := target.catalog.rest:
        return _rest_catalog(root, config)
    file = _database_file(_database(root, target))
    if file is not None and not file.exists():
        return None
    return _sql_catalog(root, target, make=False)


def make_catalog(root: Path, target: Target) -> Catalog:
    """The catalog of a target, with its folders and tables if they were missing."""
    if config := target.catalog.rest:
        return _rest_catalog(root, config)
    file = _database_file(_database(root, target))
    with locked(root, "catalog"):
        if file is not None:
            _make_folder(file.parent)
        if folder := warehouse_folder(root, target):
            _make_folder(folder)
        return _sql_catalog(root, target, make=True)


def change_log(
    catalog: Catalog, source: DataSource, root: Path, *, anew: Collection[str] = ()
) -> Table:
    """The change log of a data source: made if it is not there, with new columns added if it is.

    Columns that may start `anew` are replaced where their type cannot become that of their field.
    """
    identifier = table_identifier(source.table or "")
    schema = _log_schema(source)
    with told_as_problem(f"the table `{source.table}`"):
        table = _load(catalog, identifier) or _create(catalog, identifier, schema, root)
        return _evolved(table, source, schema, anew)


def load_table(catalog: Catalog, identifier: Identifier) -> Table | None:
    """A table as it is now, or `None` where the catalog has none of that name."""
    with told_as_problem(f"the table `{'.'.join(identifier)}`"):
        return _load(catalog, identifier)


def existing_table(catalog: Catalog, identifier: Identifier) -> Table:
    """A table as it is now. Raises `EngineError` where the catalog has none of that name."""
    found = load_table(catalog, identifier)
    if found is None:
        hint = did_you_mean(table_name(identifier), tables(catalog))
        message = f"unknown table `{table_name(identifier)}`"
        raise EngineError(Problem("unknown-table", message, hint=hint))
    return found


def tables(catalog: Catalog) -> list[str]:
    """The names of all tables, as definitions write them."""
    with told_as_problem("the catalog"):
        found = [t for space in _namespaces(catalog, ()) for t in catalog.list_tables(space)]
    return sorted(map(table_name, found))


@contextmanager
def locked(root: Path, name: str) -> Iterator[None]:
    """One process of this machine at a time. The kernel frees the lock of a process that dies."""
    folder = root / STATE_FOLDER / "locks"
    _make_folder(folder)
    with told_as_problem(f"the folder `{folder}`"):
        handle = (folder / f"{quote(name, safe='')}.lock").open("w")
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def told_as_problem(what: str) -> Iterator[None]:
    """Whatever pyiceberg, SQLAlchemy or the disk raise, as a problem for a person."""
    try:
        yield
    except (GenesisError, CommitFailedException):
        raise
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        if "database is locked" in str(cause):
            problem = Problem("catalog-failed", f"{what} is in use", hint="try again")
            raise EngineBusy(problem) from error
        if "iceberg_tables" in str(cause):  # a database in which nobody has made them
            raise EngineError(_NO_TABLES) from error
        if any(words in str(cause) for words in _AWAY):
            said = str(cause).splitlines()[0]
            hint = "try again; `catalog` of the target in `genesis.yaml` has its address"
            message = f"the catalog's database does not answer: {said}"
            raise EngineBusy(Problem("catalog-failed", message, hint=hint)) from error
        raise catalog_failed(what, cause) from error
    except ModuleNotFoundError as error:
        driver = Problem(
            "catalog-failed",
            f"{what} cannot be used: {error.msg}",
            hint="pip install 'genesis-trackers[postgres]'" if error.name == "psycopg" else None,
        )
        raise EngineError(driver) from error
    except Exception as error:
        # A damaged file of metadata fails in as many ways as it has bytes.
        raise catalog_failed(what, error) from error


_NO_TABLES = Problem(
    "catalog-failed",
    "there are no tables in the catalog yet",
    hint="`genesis ingest DATA_SOURCE FILE...` makes them, `genesis register --from TARGET` takes over those of another target",
)
# What PostgreSQL and the way to it say where another try may find it.
_AWAY = (
    "Connection refused",
    "connection timeout expired",
    "server closed the connection",
    "terminating connection",
    "the database system is",
)


def catalog_failed(what: str, error: BaseException) -> EngineError:
    """The error for a part of the lake that cannot be used, with the first line of what was said."""
    said = next(iter(str(error).splitlines()), "") or type(error).__name__
    return EngineError(Problem("catalog-failed", f"{what} cannot be used: {said}"))


def _sql_catalog(root: Path, target: Target, *, make: bool) -> Catalog:
    config = target.catalog.sql or SqlCatalog()
    folder = warehouse_folder(root, target)
    warehouse = _location(folder) if folder else resolve_references(config.warehouse, root)
    url = _database(root, target)
    if _database_file(url):
        url = url.update_query_dict({"timeout": "60"})  # seconds to wait for another's commit
    with told_as_problem(f"the catalog `{_shown(url, root)}`"):
        return PyicebergSqlCatalog(
            config.name,
            uri=url.render_as_string(hide_password=False),
            warehouse=warehouse,
            init_catalog_tables=str(make).lower(),
        )


def _rest_catalog(root: Path, config: RestCatalog) -> Catalog:
    from pyiceberg.catalog.rest import RestCatalog as PyicebergRestCatalog

    settings = {"uri": config.uri, "warehouse": config.warehouse, "token": config.token}
    given = {
        name: resolve_references(text, root) for name, text in settings.items() if text is not None
    }
    with told_as_problem(f"the catalog `{given['uri']}`"):
        return PyicebergRestCatalog(config.name, **given)


def _database(root: Path, target: Target) -> URL:
    """The database with the catalog's tables; a relative SQLite file is below the project's root."""
    config = target.catalog.sql or SqlCatalog()
    with told_as_problem("`catalog.sql.uri`"):
        url = make_url(resolve_references(config.uri, root))
    if file := _database_file(url):
        return url.set(database=str((root / file).resolve()))
    is_bare = url.drivername == "postgresql"  # SQLAlchemy would take its old driver
    return url.set(drivername="postgresql+psycopg") if is_bare else url


def _database_file(url: URL) -> Path | None:
    is_file = url.get_backend_name() == "sqlite" and url.database
    return Path(url.database) if is_file and url.database else None


def _shown(url: URL, root: Path) -> str:
    file = _database_file(url)
    return os.path.relpath(file, root.resolve()) if file else url.render_as_string()


def _location(folder: Path) -> str:
    """A folder as other engines name it. pyiceberg and Trino take what follows `file://` as it is."""
    if odd := next((mark for mark in "?#*" if mark in str(folder)), None):
        hint = "set `catalog.sql.warehouse` to a folder without it, or move the project"
        message = f"the warehouse's path holds a `{odd}`, which no location of a table can"
        raise EngineError(Problem("catalog-failed", message, hint=hint))
    return f"file://{folder}"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder `{folder}` cannot be made: {error.strerror}"
        raise EngineError(Problem("catalog-failed", message)) from error


def _load(catalog: Catalog, identifier: Identifier) -> Table | None:
    try:
        return catalog.load_table(identifier)
    except (NoSuchTableError, NoSuchNamespaceError):
        return None


def _create(catalog: Catalog, identifier: Identifier, schema: Schema, root: Path) -> Table:
    with locked(root, "catalog"):
        namespace = identifier[:-1]
        for depth in range(1, len(namespace) + 1):
            catalog.create_namespace_if_not_exists(namespace[:depth])
        with suppress(TableAlreadyExistsError):
            return catalog.create_table(identifier, schema, properties=_PROPERTIES)
        return catalog.load_table(identifier)


def _evolved(table: Table, source: DataSource, schema: Schema, anew: Collection[str]) -> Table:
    """The table with the columns that the definition has come to have, and types as wide."""
    present = {field.name: field for field in table.schema().fields}
    wanted = {field.name: field for field in schema.fields}
    for name, field in wanted.items():
        if field.required == (name in present and present[name].required):
            continue
        if name in _OWN_NAMES:
            raise _wrong_table(source, f"it is no change log, since it has no required `{name}`")
        raise _wrong_table(source, f"`{name}` is part of the key in one of them only")
    missing = [
        field
        for name, field in wanted.items()
        if name not in present or not _holds(present[name], field)
    ]
    if not missing:
        return table
    try:
        there = [(present[each.name], each) for each in missing if each.name in present]
        _adopt(table, [pair for pair in there if pair[0].doc == SPARE or pair[0].name in anew])
        with table.update_schema() as update:
            update.union_by_name(Schema(*missing))
    except (ResolveError, ValidationError, ValueError) as error:
        raise _wrong_table(source, str(error)) from error
    return table


def _holds(present: NestedField, wanted: NestedField) -> bool:
    """Whether a column is as a definition wants it, or has become wider than that with its source."""
    match present.field_type, wanted.field_type:
        case _ if present.doc == SPARE:
            return False
        case DecimalType() as one, DecimalType() as other:
            return one.scale == other.scale and one.precision >= other.precision
        case one, other:
            # As text, since the items of lists have numbers of their own in every table.
            return str(one) == str(other)


def _adopt(table: Table, columns: Iterable[tuple[NestedField, NestedField]]) -> None:
    """Have fields read columns that were kept for nobody; one that cannot become what they want starts anew."""
    spare = [(present, wanted) for present, wanted in columns if not wanted.required]
    if not spare:
        return
    with table.update_schema(allow_incompatible_changes=True) as update:
        for present, wanted in spare:
            if becomes(present.field_type, wanted.field_type):
                update.update_column((present.name,), doc="")
            else:
                update.delete_column((present.name,))


def becomes(present: IcebergType, wanted: IcebergType) -> bool:
    """Whether Iceberg reads values of one type as another, which is no narrower."""
    if str(present) == str(wanted):
        return True
    with suppress(ResolveError):
        return bool(promote(present, wanted))
    return False


def _wrong_table(source: DataSource, why: str) -> EngineError:
    message = f"the table `{source.table}` does not fit data source `{source.name}`: {why}"
    hint = "give the data source another `table`, and ingest its events again"
    return EngineError(Problem("wrong-batch", message, hint=hint))


def _log_schema(source: DataSource) -> Schema:
    record = record_columns(source)
    if sum(column.required for column in record) < len(source.primary_key):
        message = f"data source `{source.name}` has a key that is no column of its table"
        hint = "the key of a change log is sent with every event, it cannot be derived"
        raise EngineError(Problem("wrong-batch", message, hint=hint))
    return Schema(
        *(_field(number, column) for number, column in enumerate((*OWN, *record), start=1))
    )


def _field(number: int, column: LogColumn) -> NestedField:
    # The numbers of list items start where no column's can be; pyiceberg numbers all of them anew.
    type_ = iceberg_type(column.type, 1_000 * number)
    return NestedField(number, column.name, type_, required=column.required)


def iceberg_type(type_: Type, number: int) -> IcebergType:
    """The type of a column; the items of arrays are numbered from `number` on."""
    match type_:
        case Type(name="decimal", precision=precision, scale=scale):
            return DecimalType(precision, scale)
        case Type(name="array", item=Type() as item):
            return ListType(number, iceberg_type(item, number + 1), element_required=False)
        case _:
            return _ICEBERG_TYPES[type_.name]


_ICEBERG_TYPES: dict[str, IcebergType] = {
    "string": StringType(),
    "integer": LongType(),
    "float": DoubleType(),
    "boolean": BooleanType(),
    "date": DateType(),
    "time": TimeType(),
    "timestamp": TimestampType(),
    "timestamptz": TimestamptzType(),
    "json": StringType(),
}


def _namespaces(catalog: Catalog, above: Identifier) -> Iterator[Identifier]:
    for namespace in catalog.list_namespaces(above):
        yield namespace
        yield from _namespaces(catalog, namespace)
