"""What reports of a project share is worked out once, and says in each what it says in a fresh project."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.compile.compiler import compile_input, resolve_input
from genesis.compile.moment import Moment
from genesis.compile.run import Run
from genesis.compile.survey import MOST, Bound, BoundKey, Looks, survey
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.project import Project

SOURCE = """
data_source: orders
table: shop.orders
primary_key: id
fields:
  id: integer
  amount: {type: integer, sensitivity: internal}
  old: {type: integer, deprecated: "use `amount`"}
  placed: date
  twice: {type: integer, sql: amount + amount}
  aged: {type: integer, sql: "date_diff('day', placed, today()) + old"}
"""
REPORTS = {
    "first": "fields: [id, twice, aged, {field: amount + 1, name: more}]\nfilters: [amount > 3]",
    "second": "fields: [{field: id, name: again}, {field: id, label: Id}, {field: twice, label: Two}]",
    "third": "fields: [id, twice, {field: amount + 1, name: more, label: More}]\nfilters: [amount > 3]",
    "fourth": "fields: [{field: aged + 1, name: x}, {field: old + 1, name: y}]\nfilters: [old + 0 > 3]",
    "fifth": "timezone: Asia/Tokyo\nfields: [aged, {field: amount + 1, name: more, type: float}]",
    "sixth": "shape: summary\nfields: [twice, {field: sum(amount + 1), name: all_of_it}]\nfilters: [amount > 3]",
    "seventh": "parameters: {least: integer}\nfields: [id, {field: ':least + amount', name: more}]",
    "eighth": "parameters: {least: float}\nfields: [id, {field: ':least + amount', name: more}]",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return _project(tmp_path, *REPORTS)


def _project(root: Path, *names: str) -> Project:
    (root / "inputs").mkdir(parents=True)
    (root / "definitions").mkdir()
    (root / "genesis.yaml").write_text("project: shop\n")
    (root / "definitions" / "orders.yaml").write_text(SOURCE)
    for name in names:
        text = f"input: {name}\nsource: orders\n{REPORTS[name]}\n"
        (root / "inputs" / f"{name}.yaml").write_text(text)
    return load_project(root, Problems())


RUN = Run({"least": "3"})


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("dialect", ["duckdb", "trino"])
def test_a_report_is_the_same_after_all_others(
    name: str, dialect: str, project: Project, tmp_path: Path
) -> None:
    for _ in range(2):
        for other in REPORTS:
            run = RUN if "least" in REPORTS[other] else Run()
            compile_input(project, other, dialect, run)
    run = RUN if "least" in REPORTS[name] else Run()
    alone = compile_input(_project(tmp_path / "alone", name), name, dialect, run)
    assert compile_input(project, name, dialect, run) == alone


def test_a_deprecated_field_is_told_wherever_it_is_asked_for(project: Project) -> None:
    """The data source's own use of it tells nothing, an input's does, each time."""
    from genesis.compile.resolve import resolve

    def told(name: str) -> list[str]:
        problems = Problems()
        resolve(project.inputs[name], project, Run(), problems)
        return [problem.code for problem in problems]

    assert told("first") == []
    assert told("fourth") == told("fourth") == ["deprecated-field"] * 2


def test_what_is_known_of_a_project_is_bounded(project: Project) -> None:
    """A run asks the same texts of ever new moments."""
    found = survey(project)
    query = resolve_input(project, "first", Run())
    output = query.outputs[1]
    for number in range(MOST + 1):
        key = BoundKey(str(number), "", "", False, None, False, False, 0, Moment("UTC"), None)
        found.keep_bound(key, Bound(output.raw, (), ()))
        found.keep_looks((number,), Looks(output.column, None, None))
    assert len(found.bound) <= MOST
    assert len(found.looks) <= MOST
