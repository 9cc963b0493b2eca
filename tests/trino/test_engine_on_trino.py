"""The engine on a real server: pinned snapshots, values, what is missing, cancelling, time-outs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.types import DecimalType, ListType, StringType

from genesis.compile.statement import Scan, Statement
from genesis.engines.duckdb import DuckDBEngine
from genesis.engines.trino import TrinoEngine
from genesis.errors import EngineBusy, EngineError, Problem
from genesis.lake.catalog import existing_table, make_catalog
from genesis.lake.ingest import ingest
from genesis.lake.upkeep import keep_up
from genesis.run.views import compared_views, refuse_other_views
from genesis.spec.data_source import DataSource
from genesis.spec.project import EngineConfig, Project, ProjectFile, Target
from tests.postgres import Postgres
from tests.trino.lakes import catalog_in, shared_lake

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MANY = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) CROSS JOIN UNNEST(sequence(1, 10000)) CROSS JOIN UNNEST(sequence(1, 100))"


def source_of(table: str, **fields: Any) -> DataSource:
    """A data source with a number for a key and these fields."""
    given = {"name": "it", "table": table, "primary_key": "id", "latest": True}
    return DataSource.model_validate({**given, "fields": {"id": "integer", **fields}})


@dataclass(frozen=True)
class Lake:
    """A project's folder, and its targets."""

    root: Path
    duckdb: Target
    trino: Target

    def land(self, name: str, *events: dict[str, Any], **fields: Any) -> None:
        """Events of a table with a number for a key and these fields."""
        source = source_of(name, **fields)
        file = self.root / "events.jsonl"
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
        ingest(source, [file], root=self.root, target=self.trino, now=NOW)


@pytest.fixture(scope="module")
def lake(
    trino_server: str, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("a lake")  # spaces are no trouble
    with shared_lake(trino_server, postgres.new_database(), folder) as (duckdb, trino):
        yield Lake(folder, duckdb, trino)


@pytest.fixture
def engine(lake: Lake) -> Iterator[TrinoEngine]:
    with TrinoEngine(lake.root, lake.trino) as opened:
        yield opened


def ask(sql: str, *tables: str, columns: tuple[str, ...] | None = None) -> Statement:
    return Statement(sql, columns=(), scans=tuple(Scan(name, columns) for name in tables))


def problems(engine: TrinoEngine, statement: Statement) -> tuple[Problem, ...]:
    with pytest.raises(EngineError) as refused:
        engine.query(statement)
    return refused.value.problems


def test_values_have_their_types(engine: TrinoEngine):
    """What the protocol brings is what DuckDB would give."""
    sql = """SELECT * FROM (VALUES
        (BIGINT '9007199254740993', DECIMAL '-12345678901234567890123456789012345.678', 0.1e0, true,
         DATE '1582-10-04', TIME '23:59:59.999999', TIMESTAMP '1969-12-31 23:59:59.999999',
         TIMESTAMP '2026-11-23 09:30:00.000001 Europe/Oslo', 'a|''ü', ARRAY[ARRAY['x', NULL], NULL, ARRAY[]],
         ARRAY[DECIMAL '1.50', NULL], JSON '{"a": 1}', REAL '0.1'),
        (NULL, NULL, nan(), NULL, NULL, NULL, NULL,
         TIMESTAMP '2026-11-23 09:30:00.5 -03:30', NULL, NULL, NULL, NULL, NULL),
        (NULL, NULL, -infinity(), NULL, NULL, NULL, NULL, NULL, '', ARRAY[], ARRAY[], NULL, NULL)
        ) AS t (i, d, f, b, day, t, ts, tz, s, a, da, j, r)"""
    table = engine.query(ask(sql))
    first, second, third = table.to_pylist()
    assert [str(type_) for type_ in table.schema.types] == [
        "int64",
        "decimal128(38, 3)",
        "double",
        "bool",
        "date32[day]",
        "time64[us]",
        "timestamp[us]",
        "timestamp[us, tz=UTC]",
        "string",
        "list<item: list<item: string>>",
        "list<item: decimal128(3, 2)>",
        "string",
        "float",
    ]
    assert list(first.values())[:-1] == [
        9007199254740993,
        Decimal("-12345678901234567890123456789012345.678"),
        0.1,
        True,
        date(1582, 10, 4),
        time(23, 59, 59, 999999),
        datetime(1969, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001  (it has none)
        datetime(2026, 11, 23, 8, 30, 0, 1, tzinfo=UTC),
        "a|'ü",
        [["x", None], None, []],
        [Decimal("1.50"), None],
        '{"a":1}',
    ]
    assert str(second["f"]) == "nan"
    assert second["tz"] == datetime(2026, 11, 23, 13, 0, 0, 500000, tzinfo=UTC)
    assert (third["f"], third["s"], third["a"], third["da"]) == (float("-inf"), "", [], [])


def test_no_rows_have_types_too(engine: TrinoEngine):
    table = engine.query(ask("SELECT 1 AS one, ROW(1, 'a') AS r, uuid() AS u WHERE false"))
    assert table.num_rows == 0
    assert table.schema.names == ["one", "r", "u"]


def test_an_engine_sees_one_snapshot(lake: Lake, engine: TrinoEngine):
    """However often it asks, and in whatever table expression the name stands."""
    lake.land("studio.pinned", {"id": 1})
    sql = "WITH pinned AS (SELECT id FROM studio.pinned) SELECT id FROM pinned ORDER BY id"
    statement = ask(sql, "studio.pinned")
    before = engine.query(statement).to_pydict()
    lake.land("studio.pinned", {"id": 2})
    assert engine.query(statement).to_pydict() == before == {"id": [1]}
    with TrinoEngine(lake.root, lake.trino) as later, DuckDBEngine(lake.root, lake.duckdb) as duck:
        assert later.query(statement).to_pydict() == {"id": [1, 2]}
        assert later.snapshots(("studio.pinned",)) == duck.snapshots(("studio.pinned",))


def test_a_snapshot_that_was_forgotten_meanwhile_is_no_fault_of_the_report(
    lake: Lake, engine: TrinoEngine
):
    """Whoever asks again gets the newest."""
    lake.land("studio.busy", {"id": 1})
    statement = ask("SELECT id FROM studio.busy ORDER BY id", "studio.busy")
    pinned = engine.snapshots(("studio.busy",))["studio.busy"]
    lake.land("studio.busy", {"id": 2})
    with closing(make_catalog(lake.root, lake.trino)) as catalog:
        existing_table(catalog, ("studio", "busy")).maintenance.expire_snapshots().by_id(
            pinned or 0
        ).commit()
    with pytest.raises(EngineBusy) as refused:
        engine.query(statement)
    assert str(pinned) in refused.value.problems[0].message
    with TrinoEngine(lake.root, lake.trino) as later:
        assert later.query(statement).to_pydict() == {"id": [1, 2]}


def test_a_table_without_a_snapshot_stays_empty(lake: Lake, engine: TrinoEngine):
    lake.land("studio.later")
    statement = ask("SELECT later.id FROM studio.later", "studio.later")
    assert engine.query(statement).num_rows == 0
    lake.land("studio.later", {"id": 1})
    assert engine.query(statement).num_rows == 0
    assert engine.snapshots(("studio.later",)) == {"studio.later": None}


def test_columns_that_changed_after_the_last_rows(lake: Lake):
    """Renamed, added and widened ones are read as DuckDB reads them."""
    lake.land("studio.evolved", {"id": 1, "was": "a"}, was="string")
    with closing(make_catalog(lake.root, lake.trino)) as catalog:
        table = existing_table(catalog, ("studio", "evolved"))
        with table.update_schema() as update:
            update.rename_column("was", "is_now")
            update.add_column("added", ListType(1, StringType(), element_required=False))
    statement = ask("SELECT id, is_now, added FROM studio.evolved", "studio.evolved")
    with TrinoEngine(lake.root, lake.trino) as trino, DuckDBEngine(lake.root, lake.duckdb) as duck:
        rows = trino.query(statement)
        assert rows.to_pylist() == [{"id": 1, "is_now": "a", "added": None}]
        assert rows == duck.query(statement)


def test_what_either_side_rewrites_the_other_reads(lake: Lake):
    """A compaction of ours, and a delete of the server's own."""
    lake.land("studio.rewritten", *({"id": id_ % 3} for id_ in range(9)))
    project = Project(ProjectFile(), data_sources={"it": source_of("studio.rewritten")})
    keep_up(project, "it", root=lake.root, target=lake.trino)
    rows = ask("SELECT id FROM studio.rewritten ORDER BY id", "studio.rewritten")
    with TrinoEngine(lake.root, lake.trino) as trino:
        assert trino.query(rows).to_pydict() == {"id": [0, 1, 2]}
        trino.query(ask("DELETE FROM studio.rewritten WHERE id = 1"))
    with DuckDBEngine(lake.root, lake.duckdb) as duck:
        assert duck.query(rows).to_pydict() == {"id": [0, 2]}


def test_a_name_without_a_schema_is_in_main(lake: Lake, engine: TrinoEngine):
    lake.land("alone", {"id": 7})
    assert engine.query(ask("SELECT id FROM alone", "alone")).to_pydict() == {"id": [7]}


def test_capitals_are_for_columns(lake: Lake, engine: TrinoEngine):
    """Trino finds no table by them."""
    name = 'studio."Written_Otherwise"'
    for table in ("studio.written", name):
        lake.land(table, {"id": 1, "Title": "a"}, title={"type": "string", "column": "Title"})
    rows = engine.query(ask("SELECT Title FROM studio.written", "studio.written"))
    assert rows.column(0).to_pylist() == ["a"]
    (problem,) = problems(engine, ask(f"SELECT Title FROM {name}", name))
    assert "no table there has capitals in its name" in str(problem.hint)


def test_tables_of_the_server_alone_are_read_as_they_are(engine: TrinoEngine):
    """A view, or a table of another catalog: nobody pins them."""
    statement = ask("SELECT count(*) > 0 AS any_ FROM system.runtime.nodes", "system.runtime.nodes")
    assert engine.query(statement).to_pydict() == {"any_": [True]}
    assert engine.snapshots(("system.runtime.nodes",)) == {"system.runtime.nodes": None}


def test_all_that_is_missing_is_told_together(lake: Lake, engine: TrinoEngine):
    lake.land("studio.there", {"id": 1})
    sql = "SELECT titel FROM studio.there, studio.thare"
    missing = Statement(
        sql, columns=(), scans=(Scan("studio.there", ("idd",)), Scan("studio.thare", None))
    )
    assert [(problem.message, problem.hint) for problem in problems(engine, missing)] == [
        ("the table `studio.there` has no column `idd`", "did you mean `id`?"),
        ("unknown table `studio.thare`", "did you mean `studio.there`?"),
    ]


def test_a_catalog_that_is_not_the_servers_is_told(lake: Lake):
    """pyiceberg finds the table, the server does not."""
    lake.land("studio.ours", {"id": 1})
    settings = lake.trino.engine.trino
    assert settings is not None
    other = settings.model_copy(update={"catalog": "nowhere"})
    target = lake.trino.model_copy(update={"engine": EngineConfig(trino=other)})
    with TrinoEngine(lake.root, target) as engine:
        (problem,) = problems(engine, ask("SELECT id FROM studio.ours", "studio.ours"))
    assert problem.code == "unknown-table"
    assert str(problem.hint).startswith("`catalog` of the target's `engine` in `genesis.yaml`")


@pytest.mark.parametrize(
    "given", [{"fs.native-local.enabled": "true", "local.location": "/srv"}, {}]
)
def test_a_catalog_that_does_not_see_the_files_is_told(lake: Lake, given: dict[str, str]):
    """Below another folder, or of no kind that it reads."""
    lake.land("studio.hidden", {"id": 1})
    settings, sql = lake.trino.engine.trino, lake.trino.catalog.sql
    assert settings is not None
    assert sql is not None
    other = settings.model_copy(update={"catalog": f"{settings.catalog}_blind"})
    target = lake.trino.model_copy(update={"engine": EngineConfig(trino=other)})
    files = {"fs.native-local.enabled": None, "local.location": None, **given}
    with (
        catalog_in(f"{settings.host}:{settings.port}", other.catalog, sql.uri, lake.root, files),
        TrinoEngine(lake.root, target) as engine,
    ):
        (problem,) = problems(engine, ask("SELECT id FROM studio.hidden", "studio.hidden"))
    assert "has to find the files of the target's `warehouse`" in str(problem.hint)


def test_what_fails_names_its_query(engine: TrinoEngine):
    (problem,) = problems(engine, ask("SELECT 1 / (SELECT 0)"))
    assert (problem.code, problem.message) == ("query-failed", "Division by zero")
    assert "/ui/query.html?" in str(problem.hint)


def test_a_query_that_takes_too_long_is_ended(lake: Lake):
    settings = lake.trino.engine.trino
    assert settings is not None
    quick = settings.model_copy(update={"timeout": timedelta(seconds=1)})
    target = lake.trino.model_copy(update={"engine": EngineConfig(trino=quick)})
    with TrinoEngine(lake.root, target) as engine:
        (problem,) = problems(engine, ask(MANY))
    assert "maximum time limit of 1.00s" in problem.message
    assert str(problem.hint).startswith("`timeout` of the target in `genesis.yaml`")


def test_a_query_that_is_left_is_cancelled(engine: TrinoEngine):
    """The server does not work on for somebody who pressed Ctrl-C."""
    told: list[str] = []

    def watch(text: str) -> None:
        told.append(text)
        if text.startswith("Trino: running"):
            raise KeyboardInterrupt

    engine.watch = watch
    with pytest.raises(KeyboardInterrupt):
        engine.query(ask(MANY))
    assert told[-1] == ""
    query = told[-2].rpartition(" ")[2]
    engine.watch = None
    state = f"SELECT state, error_code FROM system.runtime.queries WHERE query_id = '{query}'"
    assert engine.query(ask(state)).to_pylist() == [
        {"state": "FAILED", "error_code": "USER_CANCELED"}
    ]


VIEWED = Statement("", (), (Scan("studio.viewed_latest", ("id",), is_view=True),))


def test_views_are_made_and_read(lake: Lake, engine: TrinoEngine):
    """In the catalog that the tables are in; a definition may read one like any table."""
    lake.land("studio.viewed", {"id": 1}, {"id": 2}, {"id": 2, "_op": "d"})
    project = Project(ProjectFile(), data_sources={"it": source_of("studio.viewed")})
    assert {each.state for each in compared_views(project, (), engine, "trino")} == {"new"}
    (made,) = compared_views(project, ["it"], engine, "trino")
    engine.make_view(made.view.name, made.view.reads, comment=made.view.mark)
    assert {each.state for each in compared_views(project, (), engine, "trino")} == {"same"}
    rows = engine.query(ask("SELECT id FROM studio.viewed_latest", "studio.viewed_latest"))
    assert rows.to_pydict() == {"id": [1]}
    refuse_other_views(project, VIEWED, engine, "trino")
    engine.make_view(made.view.name, ask("SELECT 1 AS id"), comment="by hand")
    with pytest.raises(EngineError, match="is not what the definitions mean"):
        refuse_other_views(project, VIEWED, engine, "trino")
    assert {each.state for each in compared_views(project, (), engine, "trino")} == {"changed"}


def test_a_view_that_its_table_has_outgrown_is_made_anew(lake: Lake, engine: TrinoEngine):
    """A column grew wider, as ingest lets it: Trino would not read the view any more."""
    lake.land("studio.wider", {"id": 1, "cost": "1.5"}, cost="decimal(6,1)")
    source = source_of("studio.wider", cost="decimal(6,1)")
    project = Project(ProjectFile(), data_sources={"it": source})

    def state() -> str:
        (made,) = compared_views(project, ["it"], engine, "trino")
        engine.make_view(made.view.name, made.view.reads, comment=made.view.mark)
        return made.state

    def evolve(**renamed: str) -> None:
        with closing(make_catalog(lake.root, lake.trino)) as catalog:
            table = existing_table(catalog, ("studio", "wider"))
            with table.update_schema() as update:
                update.update_column("cost", DecimalType(10, 1))
                for before, after in renamed.items():
                    update.rename_column(before, after)

    assert [state(), state()] == ["new", "same"]
    evolve()
    assert state() == "changed"
    rows = engine.query(ask("SELECT cost FROM studio.wider_latest", "studio.wider_latest"))
    assert rows.to_pydict() == {"cost": [Decimal("1.5")]}
    evolve(cost="price")
    with TrinoEngine(lake.root, lake.trino) as later:
        assert later.view("studio.wider_latest") == ""
        (made,) = compared_views(project, ["it"], later, "trino")
        with pytest.raises(EngineError, match="has no column `cost`"):
            later.make_view(made.view.name, made.view.reads, comment=made.view.mark)


def test_a_table_is_no_view(lake: Lake, engine: TrinoEngine):
    lake.land("studio.log", {"id": 1})
    with pytest.raises(EngineError, match="is a table, not a view"):
        engine.view("studio.log")
