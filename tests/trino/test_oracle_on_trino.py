"""Reports that nobody thought of: Trino gives the rows that loops over the definitions give."""

from __future__ import annotations

import pytest

from tests.oracle.choices import by_seed
from tests.oracle.examples import world
from tests.oracle.running import Difference
from tests.trino.worlds import playing_on_trino


@pytest.mark.parametrize("seed", range(7000, 7012))
def test_rows_are_those_of_the_oracle(trino_server: str, seed: int) -> None:
    """Of both shapes."""
    for found in playing_on_trino(trino_server, world(by_seed(seed), reports=4)):
        assert not isinstance(found, Difference), str(found)
