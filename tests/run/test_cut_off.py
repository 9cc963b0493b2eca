"""A node that is cut off from the ledger writes nothing once its lease has ended, and comes back by itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.errors import EngineBusy
from genesis.run import postgres as connections
from genesis.run.clock import LedgerClock
from genesis.run.lease import Keeper, Lease
from genesis.run.ledger import Ledger, Run
from genesis.run.queue import Asked, Queue
from genesis.run.runner import Done, Outcome
from genesis.run.worker import Beats, Options, Worker
from tests.postgres import Postgres
from tests.run.virtual import MONDAY

LEASE = timedelta(seconds=2)


class Proxy:
    """Forwards to a server, until it is cut: then it holds connections open, and says nothing."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._flows = threading.Event()
        self._flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._start(self._accept)

    def cut(self) -> None:
        self._flows.clear()

    def mend(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self.mend()
        for each in (self._listening, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, do: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=do, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listening, suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [here, there]
                self._start(self._forward, here, there)
                self._start(self._forward, there, here)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with source:
            with suppress(OSError):
                while found := source.recv(65_536):
                    self._flows.wait()
                    target.sendall(found)
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)


@dataclass
class Doer:
    """Writes after `before` was called: who wrote what, in order."""

    name: str
    writes: list[str]
    before: Callable[[], None] = field(default=lambda: None)

    def options(self, _run: Run) -> Options:
        return Options()

    def do(self, run: Run, lease: Lease, phase: Callable[[str], None]) -> Done:
        phase("write")
        self.before()
        lease.check()
        self.writes.append(self.name)
        return Done(Outcome(run.job, "", "succeeded"), {})


@contextmanager
def worker(url: str, root: Path, doer: Doer) -> Iterator[Worker]:
    with closing(Ledger(url, root)) as ledger:
        clock = LedgerClock(ledger.state)
        queue = Queue(ledger.state)
        yield Worker(queue, doer, Keeper(queue, clock, LEASE), clock, f"{doer.name}/1/1")


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    with closing(Proxy(postgres.port)) as proxy:
        yield proxy


def test_a_node_that_is_cut_off(
    proxy: Proxy, database: str, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER", 0.5)
    around = database.replace(f":{postgres.port}/", f":{proxy.port}/") + "?connect_timeout=2"
    writes: list[str] = []

    def be_cut_off() -> None:
        proxy.cut()
        time.sleep(LEASE.total_seconds() + 0.2)

    one, other = Doer("one", writes, be_cut_off), Doer("other", writes)
    with worker(around, tmp_path, one) as far, worker(database, tmp_path, other) as near:
        near.queue.ask([asked("a"), asked("b")], at=MONDAY)
        with Beats(far.keeper):
            assert far.step(only="a") is None, "it does not know how its run ended"
            assert writes == []
            began = time.monotonic()
            with pytest.raises(EngineBusy):
                far.step()
            assert time.monotonic() - began < 10, "it hears soon that nobody answers"
        assert [run.job for run in near.queue.take_over(now=near.clock.now())] == ["w.a"]
        assert near.step(only="a")
        assert writes == ["other"]
        proxy.mend()
        one.before = lambda: None
        assert far.step(only="b")
        assert writes == ["other", "one"]


def asked(key: str) -> Asked:
    return Asked(key, f"w.{key}", "cron", key, MONDAY, MONDAY, place=key)
