"""The records that a change log holds now, asked for by whoever lands what depends on them.

DuckDB finds them, spilling what does not fit in memory, by the order that every log of ours has: `_ts`,
then `_pos`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from pyiceberg.table import Table
from sqlglot import exp

from genesis.compile.identifiers import identifier
from genesis.compile.latest import newest_by_rank
from genesis.lake.catalog import told_as_problem
from genesis.lake.columns import OP, POS, TS
from genesis.lake.duck import in_memory, lock_down
from genesis.lake.read import pin_table
from genesis.spec.data_source import Latest

_AT_ONCE = 10_000

Key = tuple[Any, ...]


def live_keys(log: Table, key: Sequence[str]) -> Iterator[Key]:
    """The keys of all records that the log holds."""
    with _opened(log, key) as duck:
        newest = newest_by_rank(exp.to_table("log"), key, key, Latest())
        yield from _rows(duck, newest)


def newest(
    log: Table, key: Sequence[str], columns: Sequence[str], keys: Collection[Key]
) -> dict[Key, dict[str, Any]]:
    """The values of these columns of the records that have one of the `keys`."""
    with _opened(log, (*key, *columns)) as duck:
        schema = log.schema().as_arrow()
        arrays = [
            pa.array([values[at] for values in keys], schema.field(name).type)
            for at, name in enumerate(key)
        ]
        duck.register("wanted", pa.table(arrays, names=list(key)))
        same = (
            exp.EQ(
                this=exp.column(identifier(name), "log"),
                expression=exp.column(identifier(name), "wanted"),
            )
            for name in key
        )
        asked = (
            exp.select("log.*").from_("log").join("wanted", on=exp.and_(*same), join_type="semi")
        )
        duck.execute(f"CREATE TEMP VIEW asked AS {asked.sql('duckdb')}")
        found = newest_by_rank(exp.to_table("asked"), (*key, *columns), key, Latest())
        return {
            row[: len(key)]: dict(zip(columns, row[len(key) :], strict=True))
            for row in _rows(duck, found)
        }


@contextmanager
def _opened(log: Table, columns: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    pinned = pin_table(log)
    with in_memory() as duck, told_as_problem(f"the table `{'.'.join(log.name())}`"):
        relation = pinned.relation()
        if relation is None:
            own = (OP.name, TS.name, POS.name)
            duck.register("log", pinned.batches([*dict.fromkeys([*own, *columns])]).read_all())
        else:
            duck.execute(f"CREATE TEMP VIEW log AS {relation.sql('duckdb')}")
            lock_down(duck, pinned.files)
        yield duck


def _rows(duck: duckdb.DuckDBPyConnection, query: exp.Select) -> Iterator[Key]:
    for batch in duck.sql(query.sql("duckdb")).to_arrow_reader(_AT_ONCE):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
