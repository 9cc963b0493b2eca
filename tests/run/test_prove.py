"""The data is held against what is declared of it, on the embedded engine."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.compile.claims import Apart, Unique, claims_of
from genesis.compile.proofs import Writer
from genesis.compile.run import Run
from genesis.document import read_documents
from genesis.engines.duckdb import DuckDBEngine
from genesis.errors import Problems
from genesis.spec.data_source import DataSource
from genesis.spec.model import read_definition
from genesis.spec.project import DuckDBTarget, EngineConfig, Project, ProjectFile, Target
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


PROJECT = """
data_source: rate
table: rates
primary_key: rate_id
unique_keys: [[vendor, first]]
fields: {rate_id: integer, vendor: integer, first: integer, last: integer}
---
data_source: invoice
table: invoices
primary_key: invoice_id
fields: {invoice_id: integer, vendor: integer, day: integer}
joins:
  rate: {by: vendor, as_of: {at: day, from: first, to: last}}
"""
moments = st.sampled_from([None, 0, 1, 2, 3])
vendors = st.sampled_from([None, 1, 1, 2])
intervals = st.lists(st.tuples(vendors, moments, moments), max_size=6)


@settings(max_examples=100, deadline=None, database=None)
@given(rows=intervals)
def test_what_is_told_is_what_loops_find(rows: list[tuple[int | None, ...]]) -> None:
    """Vendors whose intervals share a moment, and keys that two rows share: pair by pair in Python."""
    problems = Problems()
    project = _project(problems)
    writer = Writer(project, "duckdb", Run())
    claims = [
        one for source in project.data_sources.values() for one in claims_of(project, source, ())
    ]
    with duckdb.connect() as duck:
        duck.execute(
            "CREATE TABLE rates (rate_id BIGINT, vendor BIGINT, first BIGINT, last BIGINT)"
        )
        for number, row in enumerate(rows):
            duck.execute("INSERT INTO rates VALUES (?, ?, ?, ?)", [number, *row])
        found = {
            type(one): duck.sql(writer.offenders(one).sql).fetchall()
            for one in claims
            if isinstance(one, Apart) or (isinstance(one, Unique) and len(one.key) == 2)
        }
    known = [row for row in rows if row[0] is not None]
    pairs = [pair for pair in itertools.combinations(known, 2) if pair[0][0] == pair[1][0]]
    overlapping = {one[0] for one, other in pairs if _share_a_moment(one[1:], other[1:])}
    repeated = {one[:2] for one, other in pairs if one[1] == other[1] is not None}
    assert {vendor for vendor, _, _ in found[Apart]} == overlapping
    assert {number for *_, number in found[Unique]} == ({len(repeated)} if repeated else set())


def _share_a_moment(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Whether some half-open moment, halves between numbers and far ends included, is in both."""
    return any(_holds(one, at) and _holds(other, at) for at in (-9.0, 0, 1, 2, 3, 4, 9.0))


def _holds(interval: tuple[int | None, ...], at: float) -> bool:
    start, end = interval
    return (start is None or start <= at) and (end is None or at < end)


def _project(problems: Problems) -> Project:
    sources = {}
    for document in read_documents("rates.yaml", PROJECT.encode(), problems):
        source = read_definition(DataSource, document, problems)
        assert source is not None
        sources[source.name] = source
    return Project(ProjectFile(), data_sources=sources)
