"""What an analyst calls all day starts fast: no engine, client or driver is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STUDIO = Path(__file__).parents[1]
HEAVY = {"duckdb", "pyarrow", "pyiceberg", "openpyxl", "sqlalchemy", "numpy", "pandas", "requests"}
PARSERS = {"sqlglot", "pydantic", "yaml", "rich"}


def imported(*arguments: str) -> set[str]:
    """The packages that a command line imports."""
    script = (
        "import sys; from genesis.cli import run_command; run_command(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", script, "-C", str(STUDIO), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command",
    [
        "check",
        "compile production_tracker",
        "compile --help",
        "test --help",
        "introspect --help",
        "lineage production_tracker --format svg",
        "diff HEAD",
        "impact movie",
        "schedule --explain production_tracker",
    ],
)
def test_checking_and_compiling_load_no_engine(command: str) -> None:
    """They are pure: YAML in, SQL or problems out."""
    assert not imported(*command.split()) & HEAVY


def test_telling_moments_loads_no_sql() -> None:
    """What is due when takes workflows alone."""
    assert not imported("schedule", "--explain", "--all") & {*HEAVY, "sqlglot", "rich"}


def test_help_loads_next_to_nothing() -> None:
    """The list of commands needs neither a parser nor the models."""
    assert not imported("--help") & (HEAVY | PARSERS)
