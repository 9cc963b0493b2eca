"""The data is held against what is declared of it, on the embedded engine."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from genesis.engines.duckdb import DuckDBEngine
from genesis.spec.project import DuckDBTarget, EngineConfig, Target
from tests.claims import FOLDERS, told_of
from tests.tables import load_tables


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_does_not_hold_is_told_once_and_at_its_declaration(
    folder: Path, accept: bool, tmp_path: Path
) -> None:
    """A person wrote down what is wrong with the tables of each folder."""
    with duckdb.connect(str(tmp_path / "data.duckdb")) as duck:
        load_tables(duck, folder / "tables")
    target = Target(engine=EngineConfig(duckdb=DuckDBTarget(database="data.duckdb")))
    with DuckDBEngine(tmp_path, target) as engine:
        told = told_of(folder, engine)
    expected = folder / "expected.txt"
    if accept:
        expected.write_text(told, encoding="utf-8")
    assert told == expected.read_text(encoding="utf-8")
