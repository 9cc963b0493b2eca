"""A call that lacks arguments is no portable use; what it takes, the engine tells."""

from __future__ import annotations

import pytest
from sqlglot import parse_one

from genesis.compile.dialects.rewrite import to_dialect


@pytest.mark.parametrize("call", ["SPLIT_PART(a)", "SPLIT_PART(a, b)"])
def test_it_is_written_as_it_is(call: str) -> None:
    """Mutated YAML found that writing it for DuckDB failed."""
    assert to_dialect(parse_one(call, read="trino"), "duckdb").sql("duckdb") == call
