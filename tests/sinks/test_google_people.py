"""People and data change the same tab, or table of a base, in turns, at random; `python -m tests.soak.trackers` plays more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.airtable_scripts import BaseDesk, BaseScript, base_desk
from tests.sinks.sheets_scripts import Desk, Script, desk


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("desk")
    with desk(folder) as shared:
        yield shared


@pytest.fixture(scope="module")
def shared_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseDesk]:
    folder: Path = tmp_path_factory.mktemp("base")
    with base_desk(folder) as shared:
        yield shared


@pytest.mark.parametrize("first", [0])
def test_nobody_s_work_is_lost_in_a_base(shared_base: BaseDesk, first: int) -> None:
    """Managed cells are right after each refresh, annotations in their records, nothing is written twice."""
    for seed in range(first, first + 10):
        script = BaseScript(seed, shared_base)
        try:
            script.play()
        except AssertionError as error:
            raise AssertionError(f"script {seed}\n" + "\n".join(script.told)) from error


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_nobody_s_work_is_lost(shared: Desk, first: int) -> None:
    """Managed cells are right after each refresh, annotations in their rows, and no call too many is made."""
    for seed in range(first, first + 10):
        script = Script(seed, shared)
        try:
            script.play()
        except AssertionError as error:
            raise AssertionError(f"script {seed}\n" + "\n".join(script.told)) from error
