"""The PostgreSQL that other tests rely on."""

from __future__ import annotations

import psycopg

from tests.postgres import Postgres


def test_what_was_committed_outlives_a_kill(postgres: Postgres, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE movie (id integer PRIMARY KEY)")
        connection.execute("INSERT INTO movie VALUES (1)")
    postgres.kill()
    postgres.start()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT id FROM movie").fetchall() == [(1,)]
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
