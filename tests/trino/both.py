"""DuckDB and Trino over one lake: the same events, the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Scan, Statement
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.interfaces import Engine
from genesis.lake.ingest import ingest
from genesis.load import load_project
from genesis.spec.project import Project, Target
from tests.trino.catalogs import Columns, catalog_of

NOW = datetime(2026, 11, 23, tzinfo=UTC)

AskBoth = Callable[[str, Run], tuple[Columns, Columns]]


def project_in(folder: Path) -> Project:
    """The project of a folder, which has no mistakes."""
    problems = Problems()
    project = load_project(folder, problems)
    problems.raise_errors()
    return project


@contextmanager
def both_engines(
    project: Project, events: Mapping[str, Iterable[str]], server: str, folder: Path
) -> Iterator[AskBoth]:
    """What gives an input's rows on DuckDB and on Trino.

    Events are lines of JSON by data source. They land in a lake in `folder`, which DuckDB reads as in
    a refresh; Trino has a copy of it.
    """
    for name, lines in events.items():
        file = folder / f"{name}.jsonl"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        ingest(project.data_sources[name], [file], root=folder, target=Target(), now=NOW)
    with DuckDBEngine(folder, Target()) as duckdb:
        logs = [str(project.data_sources[name].table) for name in events]
        with catalog_of({log: _all_of(log, duckdb) for log in logs}, server) as ask_trino:

            def ask(name: str, run: Run) -> tuple[Columns, Columns]:
                for_duckdb = compile_input(project, name, "duckdb", replace(run, staged=True))
                for_trino = compile_input(project, name, "trino", run)
                return duckdb.query(for_duckdb).to_pydict(), ask_trino(for_trino.sql)

            yield ask


def _all_of(table: str, duckdb: DuckDBEngine) -> pa.Table:
    scans = (Scan(table, None),)
    return duckdb.query(Statement(f"SELECT * FROM {table}", columns=(), scans=scans))


def ask_both(
    project: Project, duckdb: Engine, trino: Engine, name: str, run: Run
) -> tuple[pa.Table, pa.Table]:
    """An input's rows by two engines, with their types."""
    run = replace(run, staged=True)
    first, second = (
        engine.query(compile_input(project, name, engine.dialect, run))
        for engine in (duckdb, trino)
    )
    return first, second
