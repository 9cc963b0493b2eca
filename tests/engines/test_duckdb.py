"""The embedded engine: pinned snapshots, a database file beside them, nothing else in reach."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import table
from genesis.compile.latest import newest_in_phases, rules_text, with_base
from genesis.compile.run import Run
from genesis.compile.statement import Scan, Statement
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import EngineBusy, EngineError, Problem, Problems
from genesis.lake.ingest import ingest
from genesis.load import load_files
from genesis.spec.data_source import DataSource, Latest
from genesis.spec.project import DuckDBTarget, EngineConfig, Target
from tests.tables import as_text, load_tables, rows_of_file

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TABLE = "studio.tasks"


def land(root: Path, *events: dict[str, Any], name: str = TABLE) -> int | None:
    source = DataSource.model_validate(
        {
            "name": "task",
            "table": name,
            "primary_key": "task_id",
            "fields": {"task_id": "integer", "title": "string", "hours": "decimal(6,1)"},
        }
    )
    file = root / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    return ingest(source, [file], root=root, target=Target(), now=NOW).snapshot_id


def ask(sql: str, *scans: Scan, setup: tuple[str, ...] = ()) -> Statement:
    return Statement(sql=sql, columns=(), scans=scans, setup=setup)


def titles(name: str = TABLE) -> Statement:
    return ask(f"SELECT title FROM {name} ORDER BY title", Scan(name, ("title",)))


def with_database(root: Path, *statements: str) -> Target:
    """A target whose database file was made by these statements."""
    with duckdb.connect(str(root / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)
    return Target(engine=EngineConfig(duckdb=DuckDBTarget(database="warehouse.duckdb")))


def problems(engine: DuckDBEngine, statement: Statement) -> tuple[Problem, ...]:
    with pytest.raises(EngineError) as error:
        engine.query(statement)
    return error.value.problems


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    """An engine over a project with two tasks in its lake."""
    land(
        tmp_path, {"task_id": 1, "title": "cast", "hours": "1.5"}, {"task_id": 2, "title": "light"}
    )
    with DuckDBEngine(tmp_path, Target()) as opened:
        yield opened


def test_rows_come_in_the_statements_order_and_types(engine: DuckDBEngine):
    sql = "SELECT hours, _ts, task_id FROM studio.tasks ORDER BY task_id DESC"
    rows = engine.query(ask(sql, Scan(TABLE, ("_ts", "hours", "task_id"))))
    assert rows.schema.names == ["hours", "_ts", "task_id"]
    assert rows.schema.types == [pa.decimal128(6, 1), pa.timestamp("us", "UTC"), pa.int64()]
    assert rows["task_id"].to_pylist() == [2, 1]
    assert rows["_ts"].to_pylist() == [NOW, NOW]


def test_newest_records_in_phases_as_often_as_one_likes(engine: DuckDBEngine):
    setup, select = newest_in_phases(
        table(with_base(TABLE)), ["task_id", "title"], ["task_id"], Latest(), winners="winners"
    )
    rules = rules_text(["task_id"], Latest())
    statement = ask(
        select.order_by("task_id").sql("duckdb"),
        Scan(TABLE, ("_op", "_pos", "_ts", "task_id", "title"), frozenset([rules])),
        setup=tuple(step.sql("duckdb") for step in setup),
    )
    first, second = engine.query(statement), engine.query(statement)
    assert first["title"].to_pylist() == second["title"].to_pylist() == ["cast", "light"]


def test_an_engine_sees_one_snapshot_while_it_lives(engine: DuckDBEngine, tmp_path: Path):
    before = engine.snapshots((TABLE,))
    after = land(tmp_path, {"task_id": 3, "title": "edit"})
    assert engine.query(titles())["title"].to_pylist() == ["cast", "light"]
    assert engine.snapshots((TABLE,)) == before
    with DuckDBEngine(tmp_path, Target()) as later:
        assert later.snapshots((TABLE, "studio.nothing")) == {TABLE: after, "studio.nothing": None}
        assert later.query(titles())["title"].to_pylist() == ["cast", "edit", "light"]


@pytest.mark.parametrize("name", ["tasks", "lake.studio.tasks", 'studio."odd name"'])
def test_a_table_of_any_name(tmp_path: Path, name: str):
    land(tmp_path, {"task_id": 1, "title": "cast"}, name=name)
    with DuckDBEngine(tmp_path, Target()) as engine:
        assert engine.query(titles(name))["title"].to_pylist() == ["cast"]


@pytest.mark.parametrize(
    "name",
    [
        "joins_that_look_alike",
        "limit_over_joins_without_a_match",
        "filters_over_rows_that_may_be_missing",
    ],
)
def test_what_duckdb_optimizes_wrong_is_right(tmp_path: Path, name: str):
    """With all its optimizers DuckDB takes one branch for another, forgets the limit, or fails."""
    case = Path(__file__).parents[1] / "fixtures" / "cases" / name
    target = with_database(tmp_path)
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        load_tables(connection, case / "tables")
    loaded = load_files(case, [case / "definitions", case / "input.yaml"], Problems())
    statement = compile_input(loaded, next(iter(loaded.inputs)), "duckdb")
    with DuckDBEngine(tmp_path, target) as engine:
        rows = engine.query(statement).to_pylist()
    told = [[as_text(value) for value in row.values()] for row in rows]
    assert told == rows_of_file(case / "rows.csv")[1:]


def test_two_scans_of_one_table(engine: DuckDBEngine):
    sql = "SELECT count(a.title) AS n FROM studio.tasks AS a JOIN studio.tasks AS b USING (task_id)"
    scans = (Scan(TABLE, ("title",)), Scan(TABLE, ("task_id",)))
    assert engine.query(ask(sql, *scans))["n"].to_pylist() == [2]


def test_a_table_in_which_nothing_landed(tmp_path: Path):
    land(tmp_path)
    with DuckDBEngine(tmp_path, Target()) as engine:
        rows = engine.query(titles())
        assert engine.snapshots((TABLE,)) == {TABLE: None}
    assert rows.schema.types == [pa.string()]
    assert rows.num_rows == 0


def test_a_table_of_the_database_file(tmp_path: Path):
    target = with_database(
        tmp_path,
        "CREATE SCHEMA studio",
        "CREATE TABLE studio.people AS SELECT 'Ada' AS title",
        "CREATE TABLE places AS SELECT 'Oslo' AS title",
        "CREATE VIEW cities AS SELECT * FROM places",
    )
    with DuckDBEngine(tmp_path, target) as engine:
        assert engine.query(titles("studio.people"))["title"].to_pylist() == ["Ada"]
        assert engine.query(titles("places"))["title"].to_pylist() == ["Oslo"]
        assert engine.query(titles("cities"))["title"].to_pylist() == ["Oslo"]
        assert engine.snapshots(("places",)) == {"places": None}


def test_to_tell_snapshots_no_files_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler asks for those of every table, every few seconds."""
    landed = land(tmp_path, {"task_id": 1, "title": "cast"})
    monkeypatch.setattr("genesis.engines.duckdb.pin_table", None)
    with DuckDBEngine(tmp_path, Target()) as engine:
        assert engine.snapshots((TABLE,)) == {TABLE: landed}


def test_a_log_that_genesis_did_not_ingest(tmp_path: Path):
    """Its positions may tell apart the events of one key alone, or be NULL."""
    definitions = tmp_path / "definitions.yaml"
    definitions.write_text(
        "data_source: task\ntable: log\nprimary_key: task_id\nlatest: true\n"
        "fields: {task_id: integer, title: string}\n---\n"
        "input: tasks\nsource: task\nfields: [task_id, title]\n"
    )
    target = with_database(
        tmp_path,
        "CREATE TABLE log (_op VARCHAR, _ts TIMESTAMP, _pos BIGINT, task_id BIGINT, title VARCHAR)",
        "INSERT INTO log VALUES ('c', '2026-01-01', 1, 1, 'cast'), ('u', '2026-01-02', 2, 1, 'edit'), "
        "('c', '2026-01-01', 1, 2, 'light'), ('d', '2026-01-01', 2, 2, NULL), "
        "('c', '2026-01-03', 1, 3, 'score'), ('c', '2026-01-01', NULL, 4, 'mix')",
    )
    project = load_files(tmp_path, [definitions], Problems())
    statement = compile_input(project, "tasks", "duckdb", Run(staged=True))
    with DuckDBEngine(tmp_path, target) as engine:
        rows = engine.query(statement).to_pydict()
    assert rows == {"task_id": [1, 3, 4], "title": ["edit", "score", "mix"]}


def test_the_catalog_comes_before_the_database_file(tmp_path: Path):
    land(tmp_path, {"task_id": 1, "title": "of the lake"})
    target = with_database(
        tmp_path,
        "CREATE SCHEMA studio",
        "CREATE TABLE studio.tasks AS SELECT 'of the file' AS title",
        "CREATE TABLE studio.more AS SELECT 'more' AS title",
    )
    both = ask(
        "SELECT title FROM studio.tasks UNION ALL SELECT title FROM studio.more",
        Scan(TABLE, None),
        Scan("studio.more", None),
    )
    with DuckDBEngine(tmp_path, target) as engine:
        assert engine.query(both)["title"].to_pylist() == ["of the lake", "more"]


def test_a_database_file_is_free_between_queries(tmp_path: Path):
    target = with_database(tmp_path, "CREATE TABLE places AS SELECT 'Oslo' AS title")
    with DuckDBEngine(tmp_path, target) as engine:
        engine.query(titles("places"))
        with_database(tmp_path, "INSERT INTO places VALUES ('Rome')")
        assert engine.query(titles("places"))["title"].to_pylist() == ["Oslo", "Rome"]


def test_a_database_file_that_another_process_writes(tmp_path: Path):
    target = with_database(tmp_path, "CREATE TABLE places AS SELECT 'Oslo' AS title")
    holder = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", holder, tmp_path / "warehouse.duckdb"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        DuckDBEngine(tmp_path, target) as engine,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(EngineBusy, match="the database file is in use"):
            engine.query(titles("places"))
        process.communicate(b"\n")


def test_everything_that_is_missing_is_told_at_once(engine: DuckDBEngine):
    statement = ask(
        "SELECT 1", Scan("studio.task", ()), Scan(TABLE, ("task_id", "titel")), Scan("zz", None)
    )
    told = {(p.code, p.message, p.hint) for p in problems(engine, statement)}
    ingest_it = "`genesis ingest DATA_SOURCE FILE...` makes the table of a data source"
    assert told == {
        ("unknown-table", "unknown table `studio.task`", "did you mean `studio.tasks`?"),
        ("unknown-column", "the table `studio.tasks` has no column `titel`", "did you mean `title`?"),
        ("unknown-table", "unknown table `zz`", ingest_it),
    }  # fmt: skip


def test_the_database_files_tables_are_known_too(tmp_path: Path):
    target = with_database(tmp_path, "CREATE TABLE places AS SELECT 'Oslo' AS title")
    with DuckDBEngine(tmp_path, target) as engine:
        (problem,) = problems(engine, titles("place"))
        assert problem.hint == "did you mean `places`?"


def test_nothing_was_ever_ingested(tmp_path: Path):
    with DuckDBEngine(tmp_path, Target()) as engine:
        (problem,) = problems(engine, titles())
    assert problem.code == "catalog-failed"
    assert problem.message == "there is no catalog at `sqlite:///.genesis/catalog.db`"
    assert "genesis ingest" in (problem.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_a_database_file_that_is_not_there(tmp_path: Path):
    target = Target(engine=EngineConfig(duckdb=DuckDBTarget(database="nothing.duckdb")))
    with DuckDBEngine(tmp_path, target) as engine:
        (problem,) = problems(engine, titles())
    assert (problem.code, "nothing.duckdb" in problem.message) == ("catalog-failed", True)


@pytest.mark.parametrize("damage", [lambda f: f.unlink(), lambda f: f.write_bytes(b"PAR1" * 99)])
def test_a_warehouse_with_a_damaged_file(engine: DuckDBEngine, tmp_path: Path, damage: Any):
    (file,) = tmp_path.rglob("*.parquet")
    damage(file)
    (problem,) = problems(engine, titles())
    assert problem.code == "catalog-failed"
    assert file.name in problem.message


def test_a_damaged_catalog(tmp_path: Path):
    (tmp_path / ".genesis").mkdir()
    (tmp_path / ".genesis/catalog.db").write_text("no database at all, but some text")
    with DuckDBEngine(tmp_path, Target()) as engine:
        (problem,) = problems(engine, titles())
    assert problem.code == "catalog-failed"


def test_what_duckdb_refuses_is_told_in_one_line(engine: DuckDBEngine):
    (problem,) = problems(engine, ask("SELECT nothing FROM studio.tasks", Scan(TABLE, None)))
    assert problem.code == "query-failed"
    assert problem.message == 'Binder Error: Referenced column "nothing" not found in FROM clause!'


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_parquet('{root}/.genesis/**/*.parquet')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM glob('{root}/*')",
        "COPY (SELECT 1) TO '{root}/out.csv'",
        "ATTACH '{root}/new.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 1",
    ],
)
def test_nothing_else_is_in_reach(engine: DuckDBEngine, tmp_path: Path, sql: str):
    land(
        tmp_path, {"task_id": 9}, name="studio.other"
    )  # in the warehouse, but not of the statement
    outside = tmp_path / "secret.txt"
    outside.write_text("secret")
    (problem,) = problems(
        engine, ask(sql.format(root=tmp_path, outside=outside), Scan(TABLE, None))
    )
    assert problem.code == "query-failed"


def test_python_variables_are_no_tables(engine: DuckDBEngine):
    rows = pa.table({"secret": [1]})
    (problem,) = problems(engine, ask("SELECT * FROM rows"))
    assert problem.code == "query-failed"
    assert rows.num_rows == 1
