"""An input explained: the same facts as text and as data, and a reason for every join."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from genesis.compile.compiler import compile_input
from genesis.review.explain import Explanation, JoinReason, explain
from genesis.review.facts import facts
from genesis.review.lineage import lineages
from genesis.review.words import explanation_text, lineage_text, shown
from tests.review.reports import CASES, Report, of_case, of_studio, studio

STUDIO = studio()
REPORTS = {
    **{folder.name: of_case(folder) for folder in CASES},
    **{name: of_studio(name, STUDIO) for name in STUDIO.inputs},
}
report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


def explained(name: str) -> Explanation:
    found = REPORTS[name]
    return explain(found.project, found.name, found.run)


def joins_of(told: Explanation) -> Iterator[JoinReason]:
    yield from told.joins
    for part in (*told.branches, *told.rows):
        yield from part.joins


@report
def test_text_and_json_hold_the_same_facts(report: Report) -> None:
    """Every value of the data, each with its place, stands in the text."""
    told = explain(report.project, report.name, report.run)
    _assert_told(facts(told), explanation_text(told))
    for lineage in lineages(report.project, report.name, report.run):
        _assert_told(facts(lineage), lineage_text(lineage))


def _assert_told(data: dict[str, Any], text: str) -> None:
    assert data.pop("schema") == "genesis/explain@1"
    plain = " ".join(text.split())
    missing = [value for value in _values(data) if value not in plain]
    assert missing == []


def _values(data: object) -> Iterator[str]:
    match data:
        case {"file": str(file), "line": int(line), "column": int()}:
            yield f"{file}:{line}"
        case dict():
            for value in data.values():
                yield from _values(value)
        case list():
            for value in data:
                yield from _values(value)
        case str() | int() if not isinstance(data, bool):
            yield shown(" ".join(str(data).split()))


def test_the_readme_shows_what_is_told() -> None:
    """Its excerpt is of the studio's own tracker."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    (shown,) = (block for block in blocks if "asked for by" in block)
    assert shown in explanation_text(explained("production_tracker"))


@report
def test_explaining_twice_gives_the_same_bytes(report: Report) -> None:
    """Nothing depends on the order of a set or on an address."""
    first, second = (
        json.dumps(facts(explain(report.project, report.name, report.run))) for _ in range(2)
    )
    assert first == second


@report
def test_every_join_was_asked_for(report: Report) -> None:
    """By something with a place in a file that exists."""
    told = explain(report.project, report.name, report.run)
    for join in joins_of(told):
        assert join.asked_by, join.path
        assert all(asker.at.line > 0 for asker in join.asked_by)


@report
def test_every_join_of_the_sql_is_told(report: Report) -> None:
    """As many as the statement joins, those of definitions and branches; not again where it is narrowed."""
    told = explain(report.project, report.name, report.run)
    made = [join for join in joins_of(told) if join.kind != "GROUP"]
    sql = compile_input(report.project, report.name, "duckdb", report.run).sql
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for cte in [one for one in tree.find_all(exp.CTE) if _is_narrowing_or_written(one)]:
        cte.pop()
    assert len(made) + len(told.branches) == len(list(tree.find_all(exp.Join)))


def _is_narrowing_or_written(cte: exp.CTE) -> bool:
    """Whether a CTE names the records that filters keep, or is a query of a definition."""
    return cte.alias.startswith("filtered") or isinstance(cte.this, exp.SetOperation)
