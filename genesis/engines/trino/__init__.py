"""Trino: runs compiled SQL on a server that shares the lake's catalog.

Tables are read at the snapshots that pyiceberg finds in the catalog when they are first asked for, so all
jobs of a run see one version of each; tables of the server's that the catalog does not know are read as they
are. A query that is left (Ctrl-C, an error) is cancelled on the server, which itself ends what
takes longer than the target's `timeout`. The surprise: the SQL that runs is the compiled text, with
`FOR VERSION AS OF` behind the names of tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from sqlglot import exp
from trino import dbapi

from genesis.compile.identifiers import identifier, table, table_parts
from genesis.compile.replace_tables import Parts, replace_tables
from genesis.compile.statement import Scan, Statement
from genesis.engines.scans import merged, refuse_missing
from genesis.engines.trino.refusals import MISSING, OUTGROWN, told_as_problem, trinos_name
from genesis.engines.trino.rewriting import TrinoRewriting
from genesis.engines.trino.session import DEFAULT_SCHEMA, open_session
from genesis.engines.trino.values import table_of
from genesis.errors import EngineError, Problem
from genesis.lake.catalog import find_catalog, load_table, table_name, tables
from genesis.lake.read import Pinned
from genesis.lake.rules import Rules
from genesis.lake.versions import as_of, at_snapshot
from genesis.spec.project import Target, TrinoTarget


class TrinoEngine:
    """Runs statements of Trino's dialect for one target of a project."""

    dialect = "trino"

    def __init__(self, root: Path, target: Target) -> None:
        if target.engine.trino is None:
            raise LookupError("the target is none of Trino's")
        self._root = root
        self._target = target
        self._config: TrinoTarget = target.engine.trino
        self._pins: dict[str, Table | None] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._open = ExitStack()
        self.watch: Callable[[str], None] | None = None
        self._is_interrupted = False

    def query(self, statement: Statement) -> pa.Table:
        """The rows of a statement, in its order. Raises `EngineError`."""
        scans = merged(statement.scans)
        self._refuse_missing(scans)
        relations = {
            _folded(table_parts(scan.table)): as_of(found, table(scan.table), scan.as_of)
            if scan.as_of
            else at_snapshot(found, table(scan.table))
            for scan in scans
            if (found := self._pin(scan.table))
        }
        return self._ask(replace_tables(statement.sql, relations, dialect=self.dialect))

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """The pinned snapshot of each table; `None` where a table has none."""
        pins = {name: self._pin(name) for name in tables}
        return {
            name: table.metadata.current_snapshot_id if table else None
            for name, table in pins.items()
        }

    @contextmanager
    def rewriting(self, pinned: Pinned, rules: Rules, late: datetime) -> Iterator[TrinoRewriting]:
        """A log's newest records, by the server. Raises `EngineError`."""
        if self._catalog is None:
            raise LookupError("a log is in a catalog")
        name = self._config.catalog
        yield TrinoRewriting(self._ask, name, self._catalog, pinned, rules, late)

    def view(self, name: str) -> str | None:
        """What the server says a view is, nothing of one that its table has outgrown; `None` where there is none."""
        try:
            told = self._told_of_view(name)
            # The types of a view's columns are those of the day it was made.
            self._ask(f"EXPLAIN (TYPE VALIDATE) TABLE {table(name).sql('trino')}")
        except EngineError as error:
            if trinos_name(error) in OUTGROWN:
                return ""
            if trinos_name(error) in MISSING:
                return None
            raise
        return told

    def make_view(self, name: str, reads: Statement, *, comment: str) -> None:
        """Make a view of what a statement gives, or make it anew. Raises `EngineError`."""
        self._refuse_missing(merged(reads.scans))
        made, said = table(name).sql("trino"), exp.Literal.string(comment).sql("trino")
        self._ask(f"CREATE OR REPLACE VIEW {made} COMMENT {said} AS\n{reads.sql}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @cached_property
    def _session(self) -> dbapi.Connection:
        return self._open.enter_context(open_session(self._root, self._config))

    @cached_property
    def _catalog(self) -> Catalog | None:
        catalog = find_catalog(self._root, self._target)
        return catalog and self._open.enter_context(closing(catalog))

    def _pin(self, name: str) -> Table | None:
        """The table as the catalog has it; nothing where it is the server's own."""
        if name not in self._pins:
            place = self._place(name)
            catalog = self._catalog if len(place) == 2 else None  # else it is of another catalog
            self._pins[name] = load_table(catalog, place) if catalog else None
        return self._pins[name]

    def _place(self, name: str) -> Parts:
        """Where a table stands; a name without a schema is in the target's."""
        parts = table_parts(name)
        return parts if len(parts) > 1 else (self._config.database_schema or DEFAULT_SCHEMA, *parts)

    def _refuse_missing(self, scans: Sequence[Scan]) -> None:
        """Raise `EngineError` with all that is missing."""
        self._look_up([scan.table for scan in scans if self._pin(scan.table) is None])
        pinned = {name: table.schema().column_names for name, table in self._pins.items() if table}
        refuse_missing(scans, {**self._columns, **pinned}, self._known)

    def _look_up(self, names: Sequence[str]) -> None:
        """Ask the server for the columns of its own tables, once for each."""
        for name in names:
            if name not in self._columns and (columns := self._columns_of(self._place(name))):
                self._columns[name] = columns

    def _columns_of(self, place: Parts) -> tuple[str, ...]:
        *catalog, schema, table = place
        where = exp.and_(_is("table_schema", schema), _is("table_name", table))
        names = exp.select("column_name").from_(_of_schemas(catalog, "columns")).where(where)
        return tuple(self._ask(names.sql("trino")).column(0).to_pylist())

    def _told_of_view(self, name: str) -> str:
        """How a view is made; its comment alone to those who may read it, but not see that."""
        try:
            return str(self._ask(f"SHOW CREATE VIEW {table(name).sql('trino')}").column(0)[0])
        except EngineError as error:
            if trinos_name(error) == "PERMISSION_DENIED" and (comment := self._comment(name)):
                return comment
            raise

    def _comment(self, name: str) -> str | None:
        *catalog, schema, view = self._place(name)
        (catalog_name,) = catalog or [self._config.catalog]
        place = {"catalog_name": catalog_name, "schema_name": schema, "table_name": view}
        comments = exp.select("comment").from_("system.metadata.table_comments")
        found = self._ask(
            comments.where(*(_is(column, part) for column, part in place.items())).sql("trino")
        )
        return next(iter(found.column(0).to_pylist()), None)

    def _known(self) -> list[str]:
        """The names of all tables, the server's own among them."""
        listed = exp.select("table_schema", "table_name").from_(_of_schemas((), "tables"))
        known = self._ask(listed.where("table_schema <> 'information_schema'").sql("trino"))
        names = zip(*(column.to_pylist() for column in known.columns), strict=True)
        return sorted({*map(table_name, names), *(tables(self._catalog) if self._catalog else ())})

    def _ask(self, sql: str) -> pa.Table:
        """What a text of SQL gives. A query that nobody waits for any more is cancelled."""
        with told_as_problem(self._config):
            cursor = self._session.cursor(stats_callback=self._tell)
            try:
                cursor.execute(sql)
                rows, columns = cursor.fetchall(), cursor.description
            except BaseException:
                with suppress(Exception):
                    cursor.cancel()
                raise
            finally:
                if self.watch:
                    self.watch("")
        return table_of(columns or (), rows)

    def interrupt(self) -> None:
        """End the query that is under way as soon as the server tells of it, and let no other begin."""
        self._is_interrupted = True

    def _tell(self, stats: Mapping[str, Any]) -> None:
        if self._is_interrupted:
            raise EngineError(Problem("query-failed", "the query was interrupted"))
        if self.watch:
            done, total = stats.get("completedSplits", 0), stats.get("totalSplits", 0)
            state = str(stats.get("state", "")).lower()
            self.watch(f"Trino: {state}, {done} of {total} splits, query {stats.get('queryId')}")


def _folded(parts: Parts) -> Parts:
    return tuple(part.lower() for part in parts)


def _of_schemas(catalog: Sequence[str], name: str) -> exp.Table:
    """A table of what a catalog says of itself; of the session's where none is named."""
    return exp.table_(
        name, db="information_schema", catalog=identifier(catalog[0]) if catalog else None
    )


def _is(column: str, value: str) -> exp.Expr:
    return exp.column(column).eq(exp.Literal.string(value.lower()))
