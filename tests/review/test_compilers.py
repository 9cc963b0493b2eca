"""Another version of the compiler is a reason for all trackers: where its pins are, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from genesis.review.comment import comment
from genesis.review.compilers import Repin, repins
from genesis.review.page import page
from genesis.review.reviewed import Review
from tests.review.films import TEXTS, review
from tests.review.test_diff_command import NOTHING, Repository, make

__all__ = ["make"]

PINS = {
    "requirements.txt": "genesis-trackers[trino]=={} \\\n  --hash=sha256:0 # genesis-trackers==9\n",
    "pyproject.toml": "dependencies = [\"genesis_trackers == {}; python_version > '3'\"]\n",
    "poetry/pyproject.toml": '[tool.poetry.dependencies]\ngenesis-trackers = "{}"\n',
    "extras/pyproject.toml": 'genesis-trackers = {{extras = ["trino"], version = "{}"}}\n',
    "uv.lock": '[[package]]\nname = "genesis-trackers"\nversion = "{}"\n',
    "Pipfile.lock": '{{"genesis-trackers": {{"hashes": ["sha256:0"], "version": "=={}"}}}}\n',
    ".github/workflows/genesis.yml": "- run: pip install 'genesis-trackers=={}'\n",
}


@pytest.mark.parametrize("file", PINS)
def test_a_pin_is_found_where_projects_keep_it(file: str) -> None:
    """And is one pin, whatever stands beside it."""
    before, after = ({file: PINS[file].format(version)} for version in ("0.7.0", "0.8.0"))
    assert repins(before, after) == (Repin("genesis-trackers", file, "0.7.0", "0.8.0"),)


@pytest.mark.parametrize(
    "text", ["genesis-trackers-extra==1\n", "my-sqlglot==1\n", "# sqlglot==1\n", "sqlglot\n"]
)
def test_what_is_no_pin_is_none(text: str) -> None:
    assert repins({}, {"requirements.txt": text}) == ()


def test_a_file_may_come_or_go() -> None:
    """A range is a pin too."""
    file = {"requirements.txt": "sqlglot[c]>=30, <31\n"}
    assert repins({}, file) == (Repin("sqlglot", "requirements.txt", None, ">=30,<31"),)
    assert repins(file, {}) == (Repin("sqlglot", "requirements.txt", ">=30,<31", None),)


def test_the_pins_of_the_project_and_above_are_read(make: Callable[..., Repository]) -> None:
    """In the work tree and between revisions alike; no tracker is called changed for it."""
    repository = make("deep/down")
    (repository.top / "requirements.txt").write_text("genesis-trackers==0.7.0\n")
    (repository.root / "constraints.txt").write_text("sqlglot==30.1\n")
    (repository.top / "other").mkdir()
    (repository.top / "other" / "requirements.txt").write_text("sqlglot==1\n")
    first = repository.commit("pins")
    assert "compiler" not in repository.diff().out
    (repository.top / "requirements.txt").write_text("genesis-trackers==0.8.0\n")
    (repository.root / "constraints.txt").write_text("sqlglot==30.2\n")
    (repository.top / "other" / "requirements.txt").write_text("sqlglot==2\n")
    told = repository.diff("--exit-code")
    assert (told.code, told.err) == (0, "")
    assert NOTHING in told.out
    second = repository.commit("other pins")
    facts = json.loads(repository.diff(f"{first}..{second}", "--format", "json").out)
    assert facts["repins"] == [
        {"package": "genesis-trackers", "file": "requirements.txt", "before": "0.7.0", "after": "0.8.0"},
        {"package": "sqlglot", "file": "deep/down/constraints.txt", "before": "30.1", "after": "30.2"},
    ]  # fmt: skip
    assert facts["compiler"].startswith("genesis-trackers ")


def test_every_format_tells_of_another_compiler_first() -> None:
    """What it may reach, that this is not compared, and how to see it; even where nothing else changes."""
    same = review(TEXTS, TEXTS)
    repin = Repin("genesis-trackers", "requirements.txt", "0.7.0", "0.8.0")
    told = Review(
        same.base, same.head, same.diff, compiler="`genesis-trackers 0.7.0`", repins=(repin,)
    )
    said = comment(told, "")
    assert (
        "- `genesis-trackers` in `requirements.txt` is `0.8.0`, and was `0.7.0`: every tracker may"
        in said
    )
    assert "both sides with `genesis-trackers 0.7.0`" in said
    assert "`genesis compile --all --out DIR` with either version" in said
    assert "every tracker may get other SQL by it" in page(told)
