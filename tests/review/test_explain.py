"""Inputs explained: of every case folder, of the studio, and at random."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from genesis.compile.run import Run
from genesis.review.explain import Explanation, explain
from genesis.review.facts import facts
from genesis.review.words import explanation_text
from tests.review.claims import CLAIMS, Claim
from tests.review.reports import CASES, Report, of_case, of_studio, studio
from tests.tpch import questions

STUDIO, TPCH = studio(), questions.project()
REPORTS = {
    **{folder.name: of_case(folder) for folder in CASES},
    **{name: of_studio(name, STUDIO) for name in STUDIO.inputs},
    **{f"tpch {name}": Report(TPCH, name, Run()) for name in questions.NAMES},
}
report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


def explained(name: str) -> Explanation:
    found = REPORTS[name]
    return explain(found)


def test_the_readme_shows_what_is_told() -> None:
    """Its excerpt is of the studio's own tracker."""
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```text\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    (shown,) = (block for block in blocks if "asked for by" in block)
    assert shown in explanation_text(explained("production_tracker"))


@report
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_every_report_is_told_whole(report: Report, claim: Claim) -> None:
    """Joins, askers, facts, leaves: the docstrings of the claims say what holds."""
    claim(report)


@report
def test_explaining_twice_gives_the_same_bytes(report: Report) -> None:
    """Nothing depends on the order of a set or on an address."""
    first, second = (json.dumps(facts(explain(report))) for _ in range(2))
    assert first == second
