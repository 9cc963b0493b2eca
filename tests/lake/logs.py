"""Change logs made by hand, and their newest records in three ways that must agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table
from sqlglot import exp

from genesis.compile.identifiers import table
from genesis.compile.latest import BASE, newest_by_rank, newest_in_phases
from genesis.lake.catalog import change_log, load_table
from genesis.lake.read import pin
from genesis.lake.rules import Rules, rules_of
from genesis.spec.data_source import DataSource

NAME = ("studio", "scenes")
COLUMNS = ("show", "episode", "title", "hours", "tags")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

SCENES = DataSource.model_validate(
    {
        "name": "scene",
        "table": "studio.scenes",
        "primary_key": ["show", "episode"],
        "latest": True,
        "fields": {
            "show": "string",
            "episode": "integer",
            "title": "string",
            "hours": "decimal(6,1)",
            "tags": "array(string)",
        },
    }
)
RULES = rules_of(SCENES)

Event = Mapping[str, Any]
Row = tuple[Any, ...]


def make_log(catalog: Catalog, root: Path, source: DataSource = SCENES) -> Table:
    return change_log(catalog, source, root)


def event(position: int, *, op: str = "u", at: datetime = NOW, **values: Any) -> Event:
    return {"_op": op, "_ts": at, "_pos": position, "show": "a", "episode": 1, **values}


def append(
    catalog: Catalog,
    events: Iterable[Event],
    name: tuple[str, ...] = NAME,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Land events as another writer would: with positions of their own."""
    log = load_table(catalog, name)
    assert log is not None
    rows = pa.Table.from_pylist([dict(e) for e in events], schema=log.schema().as_arrow())
    log.append(rows, snapshot_properties=dict(properties or {}))


def events_in(catalog: Catalog, name: tuple[str, ...] = NAME) -> list[Event]:
    """All that the log holds, read by pyiceberg."""
    log = load_table(catalog, name)
    assert log is not None
    return log.scan().to_arrow().to_pylist()


def newest(events: Iterable[Event], columns: Sequence[str] = COLUMNS) -> list[Row]:
    """The newest records by a loop over the events: what `latest: true` means."""
    best: dict[Row, Event] = {}
    for found in events:
        key = (found["show"], found["episode"])
        if found["_op"] != "h" and (key not in best or _rank(found) > _rank(best[key])):
            best[key] = found
    kept = [found for found in best.values() if found["_op"] != "d"]
    return in_order(tuple(found.get(column) for column in columns) for found in kept)


def _rank(found: Event) -> Row:
    return (found["_ts"], found["_pos"])


_DROP = "DROP TABLE IF EXISTS winners; DROP TABLE winners_touched; DROP TABLE IF EXISTS winners_doubtful"


def view(catalog: Catalog, rules: Rules = RULES, columns: Sequence[str] = COLUMNS) -> list[Row]:
    """The newest records as DuckDB reads them, after all of its plans agreed."""
    snapshot = pin(catalog, rules.identifier)
    assert snapshot is not None
    relation = snapshot.relation()
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        if relation is None:
            duck.register("log", snapshot.batches(snapshot.columns).read_all())
        else:
            duck.execute(f"CREATE VIEW log AS {relation.sql('duckdb')}")
        ranked = newest_by_rank(table("log"), columns, rules.key, rules.latest)
        rows = in_order(duck.sql(ranked.sql("duckdb")).fetchall())
        if rules.has_positions:
            unknown = f"SELECT *, NULL::BOOLEAN AS {BASE} FROM log"
            with_base = snapshot.relation_with_base({str(rules)})
            for log in (unknown, unknown if with_base is None else with_base.sql("duckdb")):
                duck.execute(f"CREATE OR REPLACE VIEW log_with_base AS {log}")
                for asked in (columns, rules.key):  # keys alone have a plan of their own
                    setup, select = newest_in_phases(
                        table("log_with_base"), asked, rules.key, rules.latest, winners="winners"
                    )
                    ranked = newest_by_rank(table("log"), asked, rules.key, rules.latest)
                    assert _run(duck, [*setup, select]) == _run(duck, [ranked])
                    duck.execute(_DROP)
                setup, select = newest_in_phases(
                    table("log_with_base"),
                    rules.key,
                    rules.key,
                    rules.latest,
                    winners="winners",
                    repeats=True,
                )
                assert in_order(set(_run(duck, [*setup, select]))) == _run(duck, [ranked])
                duck.execute(_DROP)
    return rows


def _run(duck: duckdb.DuckDBPyConnection, statements: Sequence[exp.Expr]) -> list[Row]:
    *setup, select = (statement.sql("duckdb") for statement in statements)
    for statement in setup:
        duck.execute(statement)
    return in_order(duck.sql(select).fetchall())


def in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=repr)
