"""Keys that are whole numbers close together, compared 32 at a time.

Of each side a row has a block of 32 numbers, and in its bits those that are keys; only blocks whose bits are not
the same are looked at key by key. The surprise: nothing is estimated, and it is a join all the same, of few rows.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

_DENSE = 8  # where one of so many numbers is a key, on average, packing pays
_DIFFERING = """
CREATE TABLE differing AS
WITH ours AS (
  SELECT k0 >> 5 AS block, BIT_OR(CAST(1 AS BIGINT) << (k0 & 31)) AS bits FROM ours_keys GROUP BY block
), theirs AS (
  SELECT k0 >> 5 AS block, BIT_OR(CAST(1 AS BIGINT) << (k0 & 31)) AS bits FROM theirs_keys GROUP BY block
)
SELECT COALESCE(ours.block, theirs.block) AS block
FROM ours FULL JOIN theirs USING (block)
WHERE ours.bits IS DISTINCT FROM theirs.bits
"""
_AMONG_THEM = "k0 >> 5 IN (SELECT block FROM differing)"


def differing(
    duck: duckdb.DuckDBPyConnection, ours: pa.Table, theirs: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Keys of both sides, all of those among them that only one side has; all keys where they are not packed."""
    if not (_is_dense(ours) and _is_dense(theirs)):
        return ours, theirs
    duck.register("ours_keys", ours)
    duck.register("theirs_keys", theirs)
    duck.execute(_DIFFERING)
    few, others = (duck.table(f"{side}_keys").filter(_AMONG_THEM) for side in ("ours", "theirs"))
    return few.to_arrow_table(), others.to_arrow_table()


def _is_dense(keys: pa.Table) -> bool:
    """Whether packing pays, and loses nothing."""
    if keys.num_columns != 1 or not pa.types.is_int64(keys.schema.types[0]) or not len(keys):
        return False
    ends = pc.min_max(keys.column(0)).as_py()
    is_known = keys.column(0).null_count == 0
    return is_known and bool(ends["max"] - ends["min"] < _DENSE * len(keys))
