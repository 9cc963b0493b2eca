"""A connection to a PostgreSQL that is a system of record, and its refusals as problems.

What passes by itself (a server that is away, starting or full) is `EngineBusy`, so that a scheduler
comes back; what a person has to mend is `EngineError`. An address is never quoted: it may hold a
password. The surprise: settings that change how values are written are set here, for the text of a
value is what the lake reads, and must be the same whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesis.errors import EngineBusy, EngineError, GenesisError, Problem
from genesis.secrets import resolve_references
from genesis.spec.project import SourceSystem

if TYPE_CHECKING:
    import psycopg

_SETTINGS = {
    "datestyle": "ISO",
    "intervalstyle": "iso_8601",
    "timezone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    # A policy that hides rows from us must not look like rows that are gone.
    "row_security": "off",
    # A table's whole copy may take long; the server's own limits are for people's queries.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_SECONDS_TO_CONNECT = 15


def connect(
    name: str, system: SourceSystem, root: Path, *, replication: bool = False
) -> psycopg.Connection[Any]:
    """A connection to the source `name`, each statement a transaction of its own.

    Close it, best in a `with`. One for `replication` takes that protocol's commands too. Raises
    `EngineError`, or `EngineBusy` where the reason passes by itself.
    """
    driver = require_driver(name)
    address = resolve_references(system.postgres, root)
    options = {
        "application_name": "genesis",
        "connect_timeout": _SECONDS_TO_CONNECT,
        # A peer that vanished is noticed within a minute.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        **({"replication": "database"} if replication else {}),
    }
    try:
        connection: psycopg.Connection[Any] = driver.connect(address, autocommit=True, **options)
    except driver.ProgrammingError as error:
        hint = "for example `postgresql://user:password@host:5432/database`"
        message = f"the address of source `{name}` is none of a PostgreSQL"
        raise EngineError(Problem("access-refused", message, hint=hint)) from error
    except driver.OperationalError as error:
        raise _not_connected(name, str(error)) from error
    with told_as_problem(name):
        for setting, value in _SETTINGS.items():
            connection.execute(f"SET {setting} = '{value}'")
    return connection


@contextmanager
def told_as_problem(name: str) -> Iterator[None]:
    """Whatever PostgreSQL refuses, as a problem for a person."""
    driver = require_driver(name)
    try:
        yield
    except GenesisError:
        raise
    except driver.errors.InsufficientPrivilege as error:
        hint = "grant its user what is missing"
        message = f"source `{name}` does not allow it: {_said(error)}"
        raise EngineError(Problem("access-refused", message, hint=hint)) from error
    except driver.Error as error:
        if _passes(error.sqlstate):
            message = f"source `{name}` went away: {_said(error)}"
            raise EngineBusy(Problem("service-busy", message, hint="try again")) from error
        message = f"source `{name}` cannot be read: {_said(error)}"
        raise EngineError(Problem("query-failed", message)) from error


def require_driver(name: str) -> Any:
    """The module `psycopg`. Raises `EngineError` where it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        message = f"source `{name}` is a PostgreSQL, and its driver `psycopg` cannot be loaded"
        hint = "pip install 'genesis-trackers[postgres]'"
        raise EngineError(Problem("unknown-plugin", message, hint=hint)) from error
    return psycopg


# What the server says when it refuses a connection. It brings no code along, and says it in its own
# language: in another one, what a person should mend is told as what passes, with the same words.
_REFUSALS = (
    (r"password authentication failed|no password supplied", "is its user's password right?"),
    (r"no pg_hba\.conf entry", "the server's `pg_hba.conf` must let this machine and user in"),
    (r"role .* does not exist|is not permitted to log in", "does its user exist?"),
    (r"database .* does not exist", "is the database's name right?"),
    (r"permission denied", "grant its user CONNECT on the database"),
    (r"must be (superuser|replication role)|replication attribute|REPLICATION", "ALTER ROLE ... REPLICATION lets its user follow changes"),
    (r"could not translate host name.*(not known|No address)", "is the host's name right?"),
    # A server that dies while it is greeted is told of with `SSL`, too.
    (r"support SSL|SSL error: (?!unexpected eof)|certificate", "does `sslmode` of the address suit the server?"),
)  # fmt: skip


def _not_connected(name: str, said: str) -> EngineError:
    what = said.rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip()
    for pattern, hint in _REFUSALS:
        if re.search(pattern, what):
            message = f"source `{name}` does not let us in: {what}"
            return EngineError(Problem("access-refused", message, hint=hint))
    hint = "try again; is the server running, and its address right?"
    return EngineBusy(
        Problem("service-busy", f"source `{name}` does not answer: {what}", hint=hint)
    )


def _passes(sqlstate: str | None) -> bool:
    """Whether an error is of a connection that broke, a server that is ending, full or in our way.

    Classes of PostgreSQL's codes: connections, resources, locks, an operator's doing, the system's.
    """
    return sqlstate is None or sqlstate[:2] in {"08", "40", "53", "57", "58"} or sqlstate == "55006"


def _said(error: Any) -> str:
    """The first line of what the server said."""
    said = error.diag.message_primary or str(error)
    return next(iter(said.splitlines()), "") or type(error).__name__
