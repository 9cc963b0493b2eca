"""The page on pull requests: its example is a real repository's, its comment what the command says there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from genesis.cli import run_command
from tests.review.films import TEXTS, warehouse

PAGE = (Path(__file__).parents[2] / "docs" / "pull-requests.md").read_text("utf-8")
Diff = Callable[..., tuple[int, str]]


def block(language: str) -> str:
    """The first block of a language on the page; a fence may have four ticks."""
    found = re.search(rf"^(````?){language}\n(.*?)^\1$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[2]


@pytest.fixture
def diff(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Diff:
    """The command in a clone where somebody made the edit of the page."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def git(*words: str, given: str | None = None) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=n@example.com")
        command = ["git", "-C", str(tmp_path), *who, *words]
        subprocess.run(command, check=True, capture_output=True, text=True, input=given)

    for file, text in TEXTS.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text, encoding="utf-8")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    git("checkout", "-q", "-b", "change")
    git("apply", "-", given=block("diff"))
    warehouse(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = run_command(["-C", str(tmp_path), "diff", *words])
        return code, "".join(capsys.readouterr())

    return run


def test_the_comment_is_what_the_command_says(diff: Diff) -> None:
    """But for the commit, which depends on the hour, and the versions that compile."""
    code, said = diff("--rows", "--format", "markdown")
    assert code == 0
    said = re.sub(r"merge base [0-9a-f]{8}", "merge base 902d7a31", said)
    said = re.sub(
        r"by `genesis.*?`sqlglot .*?`", "by `genesis-trackers 0.1.0` and `sqlglot 30.30.0`", said
    )
    assert said == block("markdown")


def test_the_rows_are_in_every_format(diff: Diff) -> None:
    """As text, as data, and as a file that needs nothing else."""
    assert "rows: 40 before, 60 now" in diff("--rows")[1]
    (change,) = json.loads(diff("--rows", "--format", "json")[1])["changes"]
    assert (change["rows"]["before"], change["rows"]["after"], change["rows"]["added"]) == (
        40,
        60,
        20,
    )
    html = diff("--rows", "--format", "html")[1]
    assert "<td>40 → 60</td>" in html
    assert not re.search(r"<script|<link|src=|@import|url\(", html)


def test_without_rows_no_engine_is_asked(diff: Diff) -> None:
    """Nothing is said of rows, and the comment has no column for them."""
    said = diff("--format", "markdown")[1]
    assert "| where |" in said
    assert "| rows |" not in said


def test_rows_are_of_the_target(diff: Diff) -> None:
    """SQL of another dialect is none that it could run."""
    code, said = diff("--rows", "--dialect", "trino")
    assert code == 64
    assert "`--rows` runs on the target, whose engine is `duckdb`" in said
