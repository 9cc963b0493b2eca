"""Tables in a DuckDB in memory: to try reports on files, and on data that is changed for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
from sqlglot import exp

from genesis.compile.statement import Statement
from genesis.engines.duckdb import told_as_problem
from genesis.lake.catalog import table_identifier
from genesis.lake.duck import FAILING_OPTIMIZERS, WRONG_OPTIMIZERS, in_memory


class CopiesEngine:
    """An engine over tables of its own; statements may change them."""

    dialect = "duckdb"

    def __init__(self) -> None:
        self.watch: Callable[[str], None] | None = None
        self._duck = in_memory((*WRONG_OPTIMIZERS, *FAILING_OPTIMIZERS))

    @classmethod
    def of_files(cls, folder: Path) -> Self:
        """The Parquet and CSV files of a folder, each a table by its name: `studio.task.csv`, `studio/task.csv`."""
        engine = cls()
        readers = {".parquet": "read_parquet", ".csv": "read_csv"}
        for file in sorted(folder.rglob("*")):
            if file.suffix in readers:
                name = ".".join(file.relative_to(folder).with_suffix("").parts)
                path = exp.Literal.string(str(file)).sql("duckdb")
                engine.make(name, f"SELECT * FROM {readers[file.suffix]}({path})")  # noqa: S608
        return engine

    @classmethod
    def of_tables(cls, tables: Mapping[str, pa.Table]) -> Self:
        """Copies of tables, by their names."""
        engine = cls()
        for name, table in tables.items():
            engine._duck.register("_copied", table)
            engine.make(name, "SELECT * FROM _copied")
            engine._duck.unregister("_copied")
        return engine

    def make(self, name: str, sql: str) -> None:
        """Make a table of a query's rows. Raises `EngineError`."""
        parts = table_identifier(name)
        with told_as_problem():
            if len(parts) > 2:
                self._duck.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {_quoted(parts[0])}")
            if len(parts) > 1:
                schema = ".".join(map(_quoted, parts[:-1]))
                self._duck.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            self._duck.execute(f"CREATE TABLE {'.'.join(map(_quoted, parts))} AS {sql}")

    def query(self, statement: Statement) -> pa.Table:
        """The rows of a statement, in its order. Raises `EngineError`."""
        with told_as_problem():
            if statement.unstaged:
                return self._duck.sql(statement.unstaged).to_arrow_table()
            for step in statement.setup:
                self._duck.execute(step)
            return self._duck.sql(statement.sql).to_arrow_table()

    @contextmanager
    def changed(self, statements: Iterable[str]) -> Iterator[None]:
        """The tables as statements make them, until the end. Raises `EngineError`."""
        with told_as_problem():
            self._duck.execute("BEGIN")
            try:
                for statement in statements:
                    self._duck.execute(statement)
                yield
            finally:
                self._duck.execute("ROLLBACK")

    def snapshots(self, tables: tuple[str, ...]) -> dict[str, int | None]:
        """None of the tables has any."""
        return dict.fromkeys(tables)

    def interrupt(self) -> None:
        """End a query that another thread has under way."""
        self._duck.interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._duck.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
