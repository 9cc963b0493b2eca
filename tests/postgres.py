"""A real PostgreSQL, a server for each test process, ready for logical decoding; it ends with the tests.

`postgres` is the server, which a test may kill and start again; `database` is the address of an
empty database of the test's own. Where a machine has no PostgreSQL such tests are skipped, each by
name; they fail instead where GENESIS_REQUIRE has `postgres` in it. The surprise: PostgreSQL refuses
to run as root, so under root it runs as the user that its package made.
"""

from __future__ import annotations

import itertools
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

# A process that is killed leaves what it wrote to the system, so no disk has to be waited for.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_connections": "60",
    "shared_buffers": "64MB",
}
_numbers = itertools.count(1)

# Below those that the system gives to whoever connects, so that none of these is taken while it is restarted.
_PORTS = range(20_000, 30_000)
_TRIES = 5


@dataclass
class Postgres:
    """A server of its own on loopback, with its data in `folder`."""

    programs: Path
    folder: Path
    port: int

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")
        lines = [f"{name} = '{value}'\n" for name, value in SETTINGS.items()]
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.writelines(lines)

    def start_somewhere(self) -> None:
        """Start it for the first time; another process may take its port before it does."""
        for _ in range(_TRIES - 1):
            with suppress(AssertionError):
                return self.start()
            self.port = _free_port()
        return self.start()

    def start(self) -> None:
        log = self.folder / "server.log"
        options = f"-p {self.port}"
        self._run(
            "pg_ctl", "start", "-D", str(self.data), "-w", "-s", "-l", str(log), "-o", options
        )

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-s")

    def kill(self) -> None:
        """End it in the middle of all it does; `start` then recovers what was committed."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-s")

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        # Its output goes to a file: a server that holds a pipe open would keep us waiting for its end.
        with (self.folder / f"{program}.out").open("w+") as output:
            done = subprocess.run(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd=self.folder,
                user=_user(),
            )
            output.seek(0)
            assert done.returncode == 0, f"{' '.join(command)}: {output.read()}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if _programs() is None:
        missing = "no PostgreSQL: `initdb` is neither in reach nor below /usr/lib/postgresql"
        if "postgres" in os.environ.get("GENESIS_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[Postgres]:
    """A server in a folder of its own, as long as it is needed."""
    programs = _programs()
    assert programs is not None, "no PostgreSQL"
    folder = Path(tempfile.mkdtemp(prefix="genesis-postgres-"))
    if (user := _user()) is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    server = Postgres(programs, folder, _free_port())
    server.make()
    server.start_somewhere()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of an empty database."""
    return postgres.new_database()


def _programs() -> Path | None:
    """The folder of PostgreSQL's own programs; Debian keeps them out of the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _user() -> str | None:
    """Whom the server runs as, where that is somebody else."""
    return "postgres" if os.geteuid() == 0 else None


def _free_port() -> int:
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")
