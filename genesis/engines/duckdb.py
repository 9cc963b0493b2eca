"""DuckDB, embedded: runs compiled SQL over the snapshots of a lake, and over a database file.

Every query gets a DuckDB of its own in memory, where the statement's tables are views. It may read
the files that were planned for them and nothing else, and it loads no extension. So no query sees
another's temporary tables, and a database file is open no longer than a query takes. What outlives
a query is the choice of snapshots: an engine sees one version of each table while it lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.compile.latest import BASE, with_base
from genesis.compile.statement import Scan, Statement
from genesis.engines.scans import merged, refuse_missing
from genesis.errors import EngineBusy, EngineError, Problem
from genesis.lake.catalog import (
    Identifier,
    find_catalog,
    load_table,
    table_identifier,
    table_name,
    tables,
)
from genesis.lake.duck import FAILING_OPTIMIZERS, WRONG_OPTIMIZERS, in_memory, lock_down
from genesis.lake.read import Pinned, pin_table
from genesis.spec.project import Target

_DATABASE = "_database"  # what an attached file is called inside


@dataclass(frozen=True)
class _Attached:
    """A table of the target's database file."""

    name: Identifier
    columns: tuple[str, ...]
    files: tuple[str, ...] = ()

    def relation(self) -> exp.Select:
        return exp.select(exp.Star()).from_(_table((_DATABASE, *self.name)))


_Found = Pinned | _Attached


class DuckDBEngine:
    """Runs statements of DuckDB's dialect for one target of a project."""

    dialect = "duckdb"

    def __init__(self, root: Path, target: Target) -> None:
        self._root = root
        self._target = target
        self._tables: dict[Identifier, Table | None] = {}
        self._pins: dict[Identifier, Pinned | None] = {}
        self.watch: Callable[[str], None] | None = None
        self._under_way: duckdb.DuckDBPyConnection | None = None
        self._is_interrupted = False

    def query(self, statement: Statement) -> pa.Table:
        """The rows of a statement, in its order. Raises `EngineError`."""
        with told_as_problem():
            try:
                return self._answer(statement, WRONG_OPTIMIZERS)
            except (
                duckdb.InternalException
            ):  # an assertion of DuckDB's own, over a plan it rearranged
                return self._answer(statement, (*WRONG_OPTIMIZERS, *FAILING_OPTIMIZERS))

    def _answer(self, statement: Statement, disabled: Iterable[str]) -> pa.Table:
        with closing(in_memory(disabled)) as duck, self._interruptible(duck):
            scans = merged(statement.scans)
            found = self._find(duck, scans)
            for scan in scans:
                _make_view(duck, scan, found[scan.table])
            lock_down(duck, [file for table in found.values() for file in table.files])
            if statement.unstaged and not all(isinstance(t, Pinned) for t in found.values()):
                return duck.sql(statement.unstaged).to_arrow_table()
            for step in statement.setup:
                duck.execute(step)
            return duck.sql(statement.sql).to_arrow_table()

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """The pinned snapshot of each table; `None` where a table has none. Its files are not looked for."""
        found = {table: self._table(table_identifier(table)) for table in tables}
        return {
            name: each.metadata.current_snapshot_id if each else None
            for name, each in found.items()
        }

    def interrupt(self) -> None:
        """End the query that is under way, and let no other begin."""
        self._is_interrupted = True
        if duck := self._under_way:
            duck.interrupt()

    @contextmanager
    def _interruptible(self, duck: duckdb.DuckDBPyConnection) -> Iterator[None]:
        self._under_way = duck
        try:
            if self._is_interrupted:
                raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
            yield
        finally:
            self._under_way = None

    def view(self, name: str) -> str | None:
        """What the database file says a view is, nothing of one that its table has outgrown; `None` where there is none."""
        *schema, view = _folded(table_identifier(name))
        with self._file() as duck:
            asked = "SELECT concat_ws(' ', comment, sql) FROM duckdb_views() WHERE lower(schema_name) = ? AND lower(view_name) = ?"
            found = duck.execute(asked, [schema[-1], view]).fetchone()
            try:
                if found:
                    duck.table(_table(table_identifier(name)).sql("duckdb"))
            except (duckdb.BinderException, duckdb.CatalogException):
                return ""
        return None if found is None else str(found[0])

    def make_view(self, name: str, reads: Statement, *, comment: str) -> None:
        """Make a view in the database file, over its tables. Raises `EngineError`."""
        made = _table(table_identifier(name)).sql("duckdb")
        said = exp.Literal.string(comment).sql("duckdb")
        with self._file() as duck:
            duck.execute(f"CREATE OR REPLACE VIEW {made} AS\n{reads.sql}")
            duck.execute(f"COMMENT ON VIEW {made} IS {said}")

    @contextmanager
    def _file(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The database file. A view of DuckDB's sees its tables, and none of the lake."""
        if self._database is None or not self._database.exists():
            message = "DuckDB keeps views in a database file, and the target has none"
            hint = "`--target` names one of Trino, or `engine: {duckdb: {database: FILE}}` a file"
            raise EngineError(Problem("catalog-failed", message, hint=hint))
        with told_as_problem(), closing(duckdb.connect(str(self._database))) as duck:
            yield duck

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if "_catalog" in self.__dict__ and self._catalog is not None:
            self._catalog.close()

    @cached_property
    def _catalog(self) -> Catalog | None:
        return find_catalog(self._root, self._target)

    @property
    def _database(self) -> Path | None:
        config = self._target.engine.duckdb
        return self._root / config.database if config and config.database else None

    def _pin(self, table: str) -> Pinned | None:
        name = table_identifier(table)
        if name not in self._pins:
            found = self._table(name)
            self._pins[name] = pin_table(found) if found else None
        return self._pins[name]

    def _table(self, name: Identifier) -> Table | None:
        """A table as it was when it was first asked for."""
        if name not in self._tables:
            self._tables[name] = load_table(self._catalog, name) if self._catalog else None
        return self._tables[name]

    def _find(self, duck: duckdb.DuckDBPyConnection, scans: Sequence[Scan]) -> dict[str, _Found]:
        """The tables of a statement by name. Raises `EngineError` with all that is missing."""
        found: dict[str, _Found] = {}
        attached: dict[Identifier, _Attached] = {}
        names = [scan.table for scan in scans]
        if self._database and not all(map(self._pin, names)):
            attached = _attach(duck, self._database)
        for scan in scans:
            pinned, name = self._pin(scan.table), scan.table
            table = pinned or attached.get(_folded(table_identifier(name)))
            if table is not None:
                found[name] = pinned.as_of(scan.as_of) if pinned and scan.as_of else table
        if len(found) < len(names) and self._catalog is None and self._database is None:
            raise EngineError(self._nothing_ingested())
        refuse_missing(
            scans,
            {name: table.columns for name, table in found.items()},
            lambda: [*(tables(self._catalog) if self._catalog else ()), *map(table_name, attached)],
        )
        return found

    def _nothing_ingested(self) -> Problem:
        config = self._target.catalog.sql
        return Problem(
            "catalog-failed",
            f"there is no catalog at `{config.uri if config else ''}`",
            hint="`genesis ingest DATA_SOURCE FILE...` makes it, with the table of a data source",
        )


class GivenTables:
    """Runs statements over tables that are nowhere: each is a query without a table."""

    def __init__(self) -> None:
        self._duck = in_memory((*WRONG_OPTIMIZERS, *FAILING_OPTIMIZERS))
        lock_down(self._duck, [])

    def query(self, statement: Statement, relations: Mapping[Identifier, exp.Query]) -> pa.Table:
        """The rows of a statement; `relations` are all tables that it reads. Raises `EngineError`."""
        with told_as_problem():
            for parts, relation in relations.items():
                if len(parts) > 1:
                    _make_schema(self._duck, parts[:-1])
                view = exp.Create(
                    this=_table(parts), kind="VIEW", expression=relation, replace=True
                )
                _execute(self._duck, view)
            return self._duck.sql(statement.sql).to_arrow_table()

    def close(self) -> None:
        """End it."""
        self._duck.close()


def _make_view(duck: duckdb.DuckDBPyConnection, scan: Scan, found: _Found) -> None:
    """Give a table the name that the statement knows it by."""
    parts = table_identifier(scan.table)
    _make_schema(duck, parts[:-1])
    relation = found.relation()
    if relation is not None:
        _execute(duck, exp.Create(this=_table(parts), kind="VIEW", expression=relation))
    elif isinstance(found, Pinned):
        duck.register("_batches", found.batches(scan.columns or found.columns))
        rows = exp.select(exp.Star()).from_("_batches")
        _execute(duck, exp.Create(this=_table(parts), kind="TABLE", expression=rows))
        duck.unregister("_batches")
    if scan.newest and isinstance(found, Pinned):
        _make_view_with_base(duck, scan, found)


def _make_view_with_base(duck: duckdb.DuckDBPyConnection, scan: Scan, found: Pinned) -> None:
    parts = table_identifier(scan.table)
    relation = found.relation_with_base(scan.newest)
    if relation is None:  # its rows are a table by now, of which nothing is known
        unknown = exp.cast(exp.null(), "boolean")
        relation = exp.select(exp.Star(), exp.alias_(unknown, BASE)).from_(_table(parts))
    name = (*parts[:-1], with_base(parts[-1]))
    _execute(duck, exp.Create(this=_table(name), kind="VIEW", expression=relation))


def _make_schema(duck: duckdb.DuckDBPyConnection, parts: Sequence[str]) -> None:
    if len(parts) > 1:  # what stands before the schema is a database to DuckDB
        memory = exp.alias_(exp.Literal.string(":memory:"), identifier(parts[0]))
        _execute(duck, exp.Attach(this=memory, exists=True))
    schema = _table((*parts, ""))
    schema.set("this", None)
    _execute(duck, exp.Create(this=schema, kind="SCHEMA", exists=True))


def _attach(duck: duckdb.DuckDBPyConnection, file: Path) -> dict[Identifier, _Attached]:
    """The tables of a database file, by their names in lower case."""
    if not file.exists():
        message = f"there is no database file `{file}`"
        raise EngineError(
            Problem("catalog-failed", message, hint="`targets` in `genesis.yaml` name it")
        )
    attach = exp.Attach(
        this=exp.alias_(exp.Literal.string(str(file)), identifier(_DATABASE)),
        expressions=[exp.AttachOption(this=exp.var("READ_ONLY"))],
    )
    _execute(duck, attach)
    columns: dict[Identifier, list[str]] = {}
    rows = duck.execute(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = ? AND NOT internal ORDER BY ALL",
        [_DATABASE],
    )
    for schema, table, column in rows.fetchall():
        columns.setdefault((schema, table), []).append(column)
    return {_folded(name): _Attached(name, tuple(of)) for name, of in columns.items()}


def _folded(name: Identifier) -> Identifier:
    return tuple(part.lower() for part in name)


def _table(parts: Sequence[str]) -> exp.Table:
    """A table by its parts, of which DuckDB knows three: database, schema and table."""
    names = ("this", "db", "catalog")
    return exp.Table(**dict(zip(names, map(identifier, reversed(parts)), strict=False)))


def _execute(duck: duckdb.DuckDBPyConnection, statement: exp.Expr) -> None:
    duck.execute(statement.sql("duckdb"))


@contextmanager
def told_as_problem() -> Iterator[None]:
    """What DuckDB refuses, as a problem with the first line of what it says."""
    try:
        yield
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        if "lock on file" in said or "already attached" in said:
            message = "the database file is in use"
            raise EngineBusy(Problem("query-failed", message, hint="try again")) from error
        is_broken_file = isinstance(error, _BROKEN_FILE) and ".parquet" in said
        code = "catalog-failed" if is_broken_file else "query-failed"
        raise EngineError(Problem(code, said)) from error


_BROKEN_FILE = (duckdb.IOException, duckdb.InvalidInputException)
