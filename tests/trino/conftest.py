"""A real Trino: the server that GENESIS_TRINO names (host:port), else the project's own.

Without either these tests are skipped, each by name; they fail instead where GENESIS_REQUIRE has
`trino` in it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".trino"
TOOL = ROOT / "tools" / "trino.py"


@pytest.fixture(scope="session")
def trino_server() -> Iterator[str]:
    """Where a server listens, as host:port."""
    if named := os.environ.get("GENESIS_TRINO"):
        yield named
    elif any(HOME.glob("server-*")):
        with _own_server() as address:
            yield address
    else:
        missing = "no Trino: GENESIS_TRINO names none, and `tools/trino.py fetch` has not been run"
        if "trino" in os.environ.get("GENESIS_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)


def own_server_is_used() -> bool:
    """Whether the server is the one that `tools/trino.py` starts."""
    return "GENESIS_TRINO" not in os.environ


@contextmanager
def _own_server() -> Iterator[str]:
    """The project's own server; if it did not run before, it ends with the last process that tests."""
    with (HOME / "in-use").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        is_ours = _tool("status").returncode != 0
        started = _tool("start")
        assert started.returncode == 0, started.stderr
        yield started.stdout.strip()
        if is_ours:
            fcntl.flock(users, fcntl.LOCK_EX)
            _tool("stop")


def _tool(command: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, str(TOOL), command]
    return subprocess.run(asked, capture_output=True, text=True, check=False)
