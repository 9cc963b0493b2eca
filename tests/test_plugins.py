"""Plug-ins that are not there, or lack what they need."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from genesis import plugins
from genesis.errors import GenesisError, Problem


def told(kind: str, name: str) -> Problem:
    with pytest.raises(GenesisError) as refused:
        plugins.find_plugin(kind, name)
    (problem,) = refused.value.problems
    return problem


def test_what_nobody_brings_is_told() -> None:
    """The nearest name that there is, where one is near."""
    problem = told("engines", "duckbd")
    assert (problem.code, problem.message, problem.hint) == (
        "unknown-plugin",
        "no engine is called `duckbd`",
        "did you mean `duckdb`?",
    )


def test_a_package_that_an_engine_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the client the engine for Trino says how to get it."""
    point = EntryPoint("trino", "genesis.engines.trino:TrinoEngine", "genesis.engines")
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [point])
    monkeypatch.setitem(sys.modules, "trino", None)
    monkeypatch.delitem(sys.modules, "genesis.engines.trino", raising=False)
    problem = told("engines", "trino")
    assert problem.hint == "pip install 'genesis-trackers[trino]'"
