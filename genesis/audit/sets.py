"""Keys that are whole numbers close together, compared as sets, in compressed bitmaps.

A join tells as much of any keys, and takes four times as long for these. The surprise: a bitmap knows no sign, so
numbers are taken for the 64 bits that they are, which is as good to tell them apart.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap64

_DENSE = 8  # where one of so many numbers is a key, on average, a bitmap pays
_BYTES = 8  # of a number


@dataclass(frozen=True)
class Keys:
    """The keys of a side, of which some may stand there several times, and their bitmap where they make a good one."""

    table: pa.Table
    numbers: BitMap64 | None

    @classmethod
    def of(cls, table: pa.Table) -> Keys:
        return cls(table, _bitmap(table) if _is_dense(table) else None)


def differing(ours: Keys, theirs: Keys) -> tuple[pa.Table, pa.Table]:
    """The keys that only one side has, of each side; all keys where there are no bitmaps of both."""
    if ours.numbers is None or theirs.numbers is None:
        return _once(ours.table), _once(theirs.table)
    return (
        _table(ours.numbers - theirs.numbers, ours.table.schema),
        _table(theirs.numbers - ours.numbers, theirs.table.schema),
    )


def _once(keys: pa.Table) -> pa.Table:
    """The keys without those that are there before, of the kind that may be."""
    if not _are_numbers(keys):
        return keys
    return pa.table([keys.column(0).unique()], schema=keys.schema)


def _are_numbers(keys: pa.Table) -> bool:
    return bool(keys.schema.types == [pa.int64()])


def _is_dense(keys: pa.Table) -> bool:
    if not _are_numbers(keys) or not len(keys):
        return False
    ends = pc.min_max(keys.column(0)).as_py()
    is_known = keys.column(0).null_count == 0
    return is_known and bool(ends["max"] - ends["min"] < _DENSE * len(keys))


def _bitmap(keys: pa.Table) -> BitMap64:
    numbers = array("Q")
    for chunk in keys.column(0).chunks:
        _, values = chunk.buffers()
        first, size = chunk.offset * _BYTES, len(chunk) * _BYTES
        numbers.frombytes(memoryview(values)[first : first + size])
    return BitMap64(numbers)


def _table(numbers: BitMap64, schema: pa.Schema) -> pa.Table:
    as_they_were = array("q", array("Q", numbers).tobytes())
    return pa.table([pa.array(as_they_were, pa.int64())], schema=schema)
