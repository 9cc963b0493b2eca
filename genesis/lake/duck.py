"""A DuckDB of one's own: in memory, without extensions, and without what it answers wrong with.

What the lake and the engine ask runs in one of these, which lasts as long as the question. The
surprise: what does not fit in memory goes to a folder of its own below the system's temporary one.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

# DuckDB 2.0 answers wrong with them. `common_subplan` takes different joins of the same tables for one
# another and counts the other's rows (DuckDB issues 23691 and 25819); `statistics_propagation` thinks
# that a left join without a match has no rows, and leaves out a LIMIT (since pull request 24160).
# Without them, joins and newest records of millions of rows took 0.97 to 1.05 of the CPU time.
WRONG_OPTIMIZERS = ("common_subplan", "statistics_propagation")
# It does not answer at all over some joins with this one, which is too useful to be turned off for all.
FAILING_OPTIMIZERS = ("outer_join_simplification",)


def in_memory(disabled: Iterable[str] = WRONG_OPTIMIZERS) -> duckdb.DuckDBPyConnection:
    """A DuckDB without anything in it. Extensions are code from the network: none is loaded."""
    spill = Path(tempfile.gettempdir()) / f"genesis-{uuid.uuid4()}"  # made and removed by DuckDB
    duck = duckdb.connect(
        config={
            "disabled_optimizers": ",".join(disabled),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "temp_directory": str(spill),
        }
    )
    duck.execute("SET TimeZone = 'UTC'")
    return duck


def lock_down(duck: duckdb.DuckDBPyConnection, files: Sequence[str]) -> None:
    """Let what runs from here on read these files, and nothing else outside."""
    paths = exp.Array(expressions=[exp.Literal.string(file) for file in files])
    duck.execute(f"SET allowed_paths = {paths.sql('duckdb')}")
    duck.execute("SET enable_external_access = false")
    duck.execute("SET lock_configuration = true")
