"""Connections to PostgreSQL on which nobody waits for minutes: a server that is cut off is one that is away.

The system notices a dead line by itself only where nothing answers for it; a proxy that holds a
connection open and forwards nothing looks alive. So every answer has a time within which it comes, or
the connection is given up. What an address says of its own, `?connect_timeout=3`, comes first.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from functools import cache
from typing import Any

import sqlalchemy as sa

ANSWER = 30.0  # seconds in which an answer comes
_DEFAULTS = {
    "application_name": "genesis",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # The server ends first what takes too long: it tells why, and frees its locks.
    "options": "-c statement_timeout=25s -c idle_in_transaction_session_timeout=60s",
}


def bound(engine: sa.Engine) -> None:
    """Let no answer on the engine's connections take longer than `ANSWER`."""

    def connect(_dialect: Any, _record: Any, _arguments: Any, named: dict[str, Any]) -> Any:
        return _connection_type().connect(**{**_DEFAULTS, **named})

    sa.event.listen(engine, "do_connect", connect)


@cache
def _connection_type() -> Any:
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        """Gives a connection up that gives no answer in time."""

        def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
            return super().wait(self._bounded(gen), *args, **named)

        def _bounded(self, gen: Any) -> Generator[Any, Any, Any]:
            ends = time.monotonic() + ANSWER
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted  # nothing is ready, now and then: to look at the time
                    if not ready and time.monotonic() > ends:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(f"no answer within {ANSWER:g} s")
                    wanted = gen.send(ready)
            except StopIteration as end:
                return end.value

    return Bounded
