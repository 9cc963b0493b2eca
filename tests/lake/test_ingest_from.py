"""`genesis ingest --from`: what a person types, and what is said."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from genesis.cli import run_command
from genesis.run.ledger import Ledger

SETTINGS = """
sources:
  studio_db:
    postgres: "${env:STUDIO_DB_URL}"
    tables: {movie: film.movies}
"""
MOVIE = """
data_source: movie
table: studio.movies
primary_key: id
latest: true
fields: {id: integer, title: string, hours: float}
"""
MOVIES = """
input: movies
source: movie
fields: [id, title]
"""


@pytest.fixture
def server(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A project, and the database that it follows."""
    for name, text in (
        ("definitions/movie", MOVIE),
        ("inputs/movies", MOVIES),
        ("genesis", SETTINGS),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STUDIO_DB_URL", database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA film")
        connection.execute(
            "CREATE TABLE film.movies (id integer PRIMARY KEY, title text, hours float8)"
        )
        connection.execute("INSERT INTO film.movies VALUES (1, 'Alien', 2), (2, 'Brazil', 'NaN')")
        yield connection
        connection.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
        )


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run_command(["ingest", *arguments])
    return code, capsys.readouterr().err


def test_what_is_told_from_the_first_copy_to_a_report(
    server: psycopg.Connection[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
):
    code, told = said(capsys, "--from", "studio_db")
    assert code == 1
    assert told.startswith(
        "movie: 1 event landed, 1 rejected\n  rejects, with line and reason: .genesis/rejects/movie-studio_db-copy-0-"
    )
    server.execute("UPDATE film.movies SET title = 'Aliens', hours = 2.5")
    assert said(capsys, "--from", "studio_db", "movie") == (
        0,
        "movie: 2 events landed, 0 rejected\n",
    )
    assert said(capsys, "--from", "studio_db") == (0, "studio_db: nothing has changed\n")
    assert run_command(["preview", "movies", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["1,Aliens", "2,Aliens"]


def test_a_table_that_waits_is_told_once_in_full(
    server: psycopg.Connection[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
):
    said(capsys, "--from", "studio_db")
    server.execute("ALTER TABLE film.movies RENAME title TO name")
    server.execute("UPDATE film.movies SET name = 'Aliens' WHERE id = 1")
    code, told = said(capsys, "--from", "studio_db")
    assert code == 3
    assert "column `title` is gone; this concerns data sources `movie`" in told
    assert "was it renamed to `name`?" in told
    code, told = said(capsys, "--from", "studio_db")
    assert code == 3
    assert told.startswith("movie: waits for a person; 1 batch held (")
    assert said(capsys, "--resume", "--accept")[0] == 0
    assert said(capsys, "--from", "studio_db") == (0, "studio_db: nothing has changed\n")


def wait_for_title(server: psycopg.Connection[tuple[object, ...]]) -> None:
    """Have the table wait for a person, and give them the definition that a copy needs."""
    run_command(["ingest", "--from", "studio_db"])
    server.execute("ALTER TABLE film.movies DROP title")
    server.execute("UPDATE film.movies SET hours = 3 WHERE id = 1")
    assert run_command(["ingest", "--from", "studio_db"]) == 3
    Path("definitions/movie.yaml").write_text(MOVIE.replace("title: string, ", ""))
    Path("inputs/movies.yaml").unlink()


def alerted() -> list[str]:
    with closing(Ledger("sqlite:///.genesis/state.db", Path.cwd())) as ledger:
        return [alert.subject for alert in ledger.alerts.open()]


def test_a_copy_made_anew_ends_the_alert_while_it_is_followed(
    server: psycopg.Connection[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
):
    wait_for_title(server)
    assert alerted() == ["movie"]
    # A process that was started in the background ignores it otherwise, and this would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while alerted() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    capsys.readouterr()
    threading.Thread(target=interrupt).start()
    code, told = said(capsys, "--from", "studio_db", "--snapshot", "--follow")
    assert (code, alerted()) == (130, [])
    assert "movie: nothing waits any more\n" in told


def test_an_alert_that_a_kill_left_behind_is_ended_by_resuming(
    server: psycopg.Connection[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
):
    """A copy that was killed right after it landed told nobody."""
    wait_for_title(server)
    state = Path(".genesis/state.db").read_bytes()
    assert said(capsys, "--from", "studio_db", "--snapshot")[0] == 1
    Path(".genesis/state.db").write_bytes(state)
    assert said(capsys, "--resume", "movie") == (0, "movie: nothing waits any more\n")
    assert alerted() == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("--from studio_bd", 2, "unknown source `studio_bd`\n  = help: did you mean `studio_db`?"),
        ("--from studio_db movies", 2, "unknown data source `movies`\n  = help: did you mean `movie`?"),
        ("--from studio_db --batch b", 64, "`--batch` names a batch of files"),
        ("movie a.jsonl --snapshot", 64, "`--snapshot` needs `--from`"),
        ("movie a.jsonl --follow", 64, "`--follow` needs `--from`"),
        ("movie", 64, "there is nothing to ingest\n  = help: `genesis ingest DATA_SOURCE FILE...`"),
    ],
)  # fmt: skip
def test_a_command_that_makes_no_sense(
    arguments: str,
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "movie.yaml").write_text(MOVIE)
    (tmp_path / "genesis.yaml").write_text(SETTINGS)
    (tmp_path / "a.jsonl").write_text("")
    monkeypatch.chdir(tmp_path)
    ended, message = said(capsys, *arguments.split())
    assert ended == code
    assert told in message


def test_a_source_without_tables_needs_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "genesis.yaml").write_text('sources: {db: {postgres: "${env:STUDIO_DB_URL}"}}')
    monkeypatch.chdir(tmp_path)
    code, told = said(capsys, "--from", "db")
    assert code == 64
    assert "nothing is to be taken from source `db`" in told
