"""`genesis schedule` as a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from genesis.cli import run_command
from tests.run.virtual import project_of


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("nobody=2", "no target is called `nobody`"),
        ("local", "is no limit"),
        ("local=0", "is no limit"),
        ("local=two", "is no limit"),
    ],
)
def test_a_limit_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: str, told: str
) -> None:
    project_of(tmp_path, "")
    assert run_command(["-C", str(tmp_path), "schedule", "--limit", limit]) == 64
    assert told in capsys.readouterr().err
