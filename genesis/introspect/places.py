"""Where tables are: a DuckDB file, Parquet files, a PostgreSQL, a schema of a Trino.

Nothing is ever written there: files are opened to be read, and PostgreSQL is asked in a session that may
only read. An address is never shown: it may hold a password.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.errors import EngineError, Problem
from genesis.introspect.facts import Column, ForeignKey, Parts, Place, Table, read_type
from genesis.lake.columns import OP, OWN, POS, TS
from genesis.lake.duck import in_memory
from genesis.spec.project import SourceSystem, TrinoTarget

_DATABASE = "_database"


class Asked:
    """A place whose tables are known, and that answers."""

    def __init__(
        self, dialect: str, tables: list[Table], ask: Callable[[str], Sequence[Sequence[Any]]]
    ) -> None:
        self.dialect, self._tables, self._ask = dialect, tables, ask

    def tables(self) -> list[Table]:
        """All of them, in the order of their names."""
        return sorted(map(_without_events, self._tables), key=lambda table: table.parts)

    def ask(self, query: exp.Query) -> Sequence[Sequence[Any]]:
        """The rows of a query. Raises `EngineError`."""
        return self._ask(query.sql(self.dialect))


def _without_events(table: Table) -> Table:
    """The table; of a change log that genesis writes, the columns of its records alone."""
    if not {OP.name, TS.name, POS.name} <= {column.name for column in table.columns}:
        return table
    own = {column.name for column in OWN}
    columns = tuple(column for column in table.columns if column.name not in own)
    return replace(table, columns=columns, is_log=True)


# --- DuckDB -----------------------------------------------------------------------------------------


@contextmanager
def duckdb_file(file: Path) -> Iterator[Place]:
    """The tables of a database file. Raises `EngineError`."""
    with _told(file), closing(in_memory()) as duck:
        attach = exp.Attach(
            this=exp.alias_(exp.Literal.string(str(file)), identifier(_DATABASE)),
            expressions=[exp.AttachOption(this=exp.var("READ_ONLY"))],
        )
        duck.execute(attach.sql("duckdb"))
        duck.execute("SET enable_external_access = false")
        yield Asked("duckdb", _duckdb_tables(duck, file.name), _asking(duck, file))


@contextmanager
def parquet_files(files: Sequence[Path]) -> Iterator[Place]:
    """Parquet files, a table each, or a folder of them as one. Raises `EngineError`."""
    with _told(files[0]), closing(in_memory()) as duck:
        tables = [_parquet_table(duck, file) for file in files]
        yield Asked("duckdb", tables, _asking(duck, files[0]))


def _asking(
    duck: duckdb.DuckDBPyConnection, file: Path
) -> Callable[[str], Sequence[Sequence[Any]]]:
    def ask(sql: str) -> Sequence[Sequence[Any]]:
        with _told(file):
            return duck.execute(sql).fetchall()

    return ask


def _duckdb_tables(duck: duckdb.DuckDBPyConnection, origin: str) -> list[Table]:
    columns: dict[Parts, list[Column]] = defaultdict(list)
    rows = duck.execute(
        "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE database_name = ? AND NOT internal ORDER BY schema_name, table_name, column_index",
        [_DATABASE],
    )
    for schema, table, name, declared, nullable in rows.fetchall():
        type_ = read_type(declared, "duckdb")
        columns[(schema, table)].append(Column(name, declared, type_, nullable))
    constraints: dict[Parts, list[tuple[Any, ...]]] = defaultdict(list)
    rows = duck.execute(
        "SELECT schema_name, table_name, constraint_type, constraint_column_names, referenced_table, "
        "referenced_column_names FROM duckdb_constraints() WHERE database_name = ? ORDER BY constraint_index",
        [_DATABASE],
    )
    for schema, table, *said in rows.fetchall():
        constraints[(schema, table)].append(tuple(said))
    return [
        _duckdb_table(parts, found, constraints[parts], origin) for parts, found in columns.items()
    ]


def _duckdb_table(
    parts: Parts, columns: list[Column], constraints: list[tuple[Any, ...]], origin: str
) -> Table:
    schema, name = parts
    by_kind: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    foreign = []
    for kind, names, target, there in constraints:
        by_kind[kind].append(tuple(names))
        if kind == "FOREIGN KEY":
            foreign.append(ForeignKey(tuple(names), (_DATABASE, schema, target), tuple(there)))
    return Table(
        parts=(_DATABASE, schema, name),
        called=dotted((name,) if schema == "main" else parts),
        columns=tuple(columns),
        primary_key=next(iter(by_kind["PRIMARY KEY"]), ()),
        unique_keys=tuple(by_kind["UNIQUE"]),
        foreign_keys=tuple(foreign),
        origin=origin,
    )


def _parquet_table(duck: duckdb.DuckDBPyConnection, file: Path) -> Table:
    pattern = str(file / "**" / "*.parquet") if file.is_dir() else str(file)
    source = exp.func("read_parquet", exp.Literal.string(pattern), dialect="duckdb")
    described = duck.sql(exp.select("*").from_(source).sql("duckdb"))
    columns = [
        Column(name, str(declared), read_type(str(declared), "duckdb"))
        for name, declared in zip(described.columns, described.types, strict=True)
    ]
    name = file.name if file.is_dir() else file.stem
    rows = exp.Table(this=source)
    return Table(
        (name,), dotted((name,)), tuple(columns), origin=f"Parquet, {file.name}", source=rows
    )


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise EngineError(
            Problem("query-failed", f"`{file.name}` cannot be read: {said}")
        ) from error


# --- PostgreSQL -------------------------------------------------------------------------------------


@contextmanager
def postgres(name: str, system: SourceSystem, root: Path) -> Iterator[Place]:
    """The tables of a PostgreSQL that are nobody's internals. Raises `EngineError`."""
    from genesis.sources.postgres import connect, told_as_problem

    with connect(name, system, root) as connection:
        with told_as_problem(name):
            connection.execute("SET default_transaction_read_only = on")

        def ask(sql: str) -> Sequence[Sequence[Any]]:
            with told_as_problem(name):
                return connection.execute(sql.encode()).fetchall()

        yield Asked("postgres", _postgres_tables(ask), ask)


_POSTGRES_COLUMNS = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, t.typtype::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, a.attnum
"""
_POSTGRES_CONSTRAINTS = """
SELECT n.nspname, c.relname, k.contype::text, fn.nspname, f.relname,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(n, o)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype IN ('p', 'u', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, k.conname
"""


def _postgres_tables(ask: Callable[[str], Sequence[Sequence[Any]]]) -> list[Table]:
    columns: dict[Parts, list[Column]] = defaultdict(list)
    for schema, table, name, declared, needed, kind in ask(_POSTGRES_COLUMNS):
        type_ = read_type("text" if kind == "e" else declared, "postgres")
        columns[(schema, table)].append(Column(name, declared, type_, not needed))
    said: dict[Parts, list[Sequence[Any]]] = defaultdict(list)
    for schema, table, *constraint in ask(_POSTGRES_CONSTRAINTS):
        said[(schema, table)].append(constraint)
    return [
        Table(
            parts=parts,
            called=dotted(parts),
            columns=tuple(found),
            primary_key=next((tuple(c[3]) for c in said[parts] if c[0] == "p"), ()),
            unique_keys=tuple(tuple(c[3]) for c in said[parts] if c[0] == "u"),
            foreign_keys=tuple(
                ForeignKey(tuple(c[3]), (c[1], c[2]), tuple(c[4]))
                for c in said[parts]
                if c[0] == "f"
            ),
        )
        for parts, found in columns.items()
    ]


# --- Trino ------------------------------------------------------------------------------------------


@contextmanager
def trino(target: TrinoTarget, schema: str, root: Path) -> Iterator[Place]:
    """The tables of a schema of a target's catalog. It declares no keys. Raises `EngineError`."""
    from genesis.engines.trino.refusals import told_as_problem
    from genesis.engines.trino.session import open_session

    with open_session(root, target) as session:

        def ask(sql: str) -> Sequence[Sequence[Any]]:
            with told_as_problem(target), closing(session.cursor()) as cursor:
                return list(cursor.execute(sql).fetchall())

        yield Asked("trino", _trino_tables(ask, target.catalog, schema), ask)


def _trino_tables(
    ask: Callable[[str], Sequence[Sequence[Any]]], catalog: str, schema: str
) -> list[Table]:
    place = exp.Table(
        this=identifier("columns"), db=identifier("information_schema"), catalog=identifier(catalog)
    )
    listed = exp.select("table_name", "column_name", "data_type", "is_nullable").from_(place)
    listed = listed.where(exp.column("table_schema").eq(exp.Literal.string(schema)))
    columns: dict[str, list[Column]] = defaultdict(list)
    for table, name, declared, nullable in ask(
        listed.order_by("table_name", "ordinal_position").sql("trino")
    ):
        type_ = read_type(declared, "trino")
        columns[table].append(Column(name, declared, type_, nullable != "NO"))
    return [
        Table((catalog, schema, name), dotted((schema, name)), tuple(found))
        for name, found in columns.items()
    ]


def dotted(parts: Iterable[str]) -> str:
    """A table's name as definitions write it."""
    return ".".join(identifier(part).sql() for part in parts)
