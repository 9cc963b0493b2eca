"""Reports that nobody thought of: explained like the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from genesis.compile.run import Run
from tests.oracle.choices import by_seed
from tests.oracle.examples import world
from tests.oracle.language import World, as_yaml
from tests.oracle.running import Refused, compiled, project_of_text
from tests.review.claims import CLAIMS
from tests.review.reports import Report


@pytest.mark.parametrize("seeds", [range(15), range(15, 30)], ids=str)
def test_a_random_report_is_explained_as_others_are(seeds: range) -> None:
    """The same claims: joins, askers, facts, leaves; over the whole language."""
    for seed in seeds:
        for _, report in worlds(seed):
            for claim in CLAIMS:
                claim(report)


def worlds(seed: int) -> Iterator[tuple[World, Report]]:
    """A random world with each of its reports, but those that may be refused."""
    made = world(by_seed(seed))
    for one in made.reports:
        project = project_of_text(as_yaml(made.schema, made.formatters, one))
        try:
            compiled(project, one, "duckdb")
        except Refused:
            continue
        yield made, Report(project, "report", Run(one.handed_in, one.moment, one.as_of))
