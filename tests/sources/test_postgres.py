"""Connections to PostgreSQL: what a person is told when there is none."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from genesis.errors import EngineBusy, EngineError
from genesis.sources.postgres import connect, told_as_problem
from genesis.spec.project import SourceSystem
from tests.postgres import Postgres


def source(address: str) -> SourceSystem:
    return SourceSystem(postgres=address)


def refusal(address: str, root: Path) -> EngineError:
    (root / "address").write_text(address)  # a password may not stand in a project's files
    with pytest.raises(EngineError) as error:
        connect("studio_db", source("${file:address}"), root)
    return error.value


def test_values_are_written_alike_whatever_the_server_prefers(database: str, tmp_path: Path):
    """A person's settings of the role or the database change no value."""
    with psycopg.connect(database, autocommit=True) as person:
        name = person.info.dbname
        person.execute(f"ALTER DATABASE {name} SET datestyle = 'German'")
        person.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    with connect("studio_db", source(database), tmp_path) as connection:
        query = "SELECT timestamptz '2026-11-23 09:30:00+01'::text"
        assert connection.execute(query).fetchone() == ("2026-11-23 08:30:00+00",)


def test_the_address_may_be_a_reference(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STUDIO_DB_URL", database)
    with connect("studio_db", source("${env:STUDIO_DB_URL}"), tmp_path) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_is_away_may_be_tried_again(tmp_path: Path):
    error = refusal("postgresql://someone:secret@127.0.0.1:1/studio", tmp_path)
    assert isinstance(error, EngineBusy)
    assert "source `studio_db` does not answer: Connection refused" in str(error)
    assert "secret" not in str(error)


def test_a_server_that_dies_while_it_is_greeted_may_be_tried_again(tmp_path: Path):
    """What is said of its connection then is of SSL, which is not what is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def agree_and_die() -> None:
            asked, _ = server.accept()
            with asked:
                asked.recv(8)
                asked.sendall(b"S")

        dying = threading.Thread(target=agree_and_die)
        dying.start()
        address = f"postgresql://ann@127.0.0.1:{server.getsockname()[1]}/studio?sslmode=require"
        error = refusal(address, tmp_path)
        dying.join()
    assert "SSL" in str(error)
    assert isinstance(error, EngineBusy)


def test_a_server_without_ssl_is_told_where_it_is_required(postgres: Postgres, tmp_path: Path):
    error = refusal(f"{postgres.url()}?sslmode=require", tmp_path)
    assert not isinstance(error, EngineBusy)
    assert "does `sslmode` of the address suit the server?" in str(error)


def test_a_database_that_is_not_there(postgres: Postgres, tmp_path: Path):
    error = refusal(postgres.url("nowhere"), tmp_path)
    assert not isinstance(error, EngineBusy)
    assert 'does not let us in: database "nowhere" does not exist [access-refused]' in str(error)


def test_a_user_that_is_not_there(postgres: Postgres, tmp_path: Path):
    error = refusal(postgres.url().replace("postgres@", "nobody@"), tmp_path)
    assert 'role "nobody" does not exist' in str(error)


def test_a_wrong_password(postgres: Postgres, tmp_path: Path):
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    with psycopg.connect(postgres.url(), autocommit=True) as person:
        person.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        try:
            rules.write_text("host all ann 127.0.0.1/32 scram-sha-256\n" + before)
            person.execute("SELECT pg_reload_conf()")
            address = postgres.url().replace("postgres@", "ann:wrong@")
            error = refusal(address, tmp_path)
        finally:
            rules.write_text(before)
            person.execute("SELECT pg_reload_conf()")
            person.execute("DROP ROLE ann")
    assert 'password authentication failed for user "ann"' in str(error)
    assert "is its user's password right?" in str(error)


def test_an_address_that_is_none_is_not_quoted(tmp_path: Path):
    error = refusal("postgres//ann:secret@host", tmp_path)
    assert "the address of source `studio_db` is none of a PostgreSQL" in str(error)
    assert "secret" not in str(error)


def test_a_driver_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refusal("postgresql://127.0.0.1/studio", tmp_path)
    assert "pip install 'genesis-trackers[postgres]'" in str(error)


def test_a_server_that_is_ended_may_be_tried_again(database: str, tmp_path: Path):
    with connect("studio_db", source(database), tmp_path) as connection:
        pid = connection.info.backend_pid
        with psycopg.connect(database, autocommit=True) as person:
            person.execute("SELECT pg_terminate_backend(%s)", [pid])
        gone = pytest.raises(EngineBusy, match="source `studio_db` went away")
        with gone, told_as_problem("studio_db"):
            connection.execute("SELECT 1")


def test_what_is_not_allowed_is_told(database: str, tmp_path: Path):
    with psycopg.connect(database, autocommit=True) as person:
        person.execute("CREATE TABLE secrets (id integer)")
        person.execute("CREATE ROLE guest LOGIN")
    address = database.replace("postgres@", "guest@")
    refused = pytest.raises(EngineError, match="permission denied for table secrets")
    guest = connect("studio_db", source(address), tmp_path)
    with guest, refused, told_as_problem("studio_db"):
        guest.execute("SELECT * FROM secrets")
    with psycopg.connect(database, autocommit=True) as person:
        person.execute("DROP ROLE guest")
