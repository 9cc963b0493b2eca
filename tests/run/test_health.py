"""Whether a node lives, asked over HTTP as others ask it; and what it tells to nobody."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genesis.errors import EngineError, Problem, UsageError
from genesis.redaction import hide
from genesis.run.health import DeadMan, Health, HealthServer
from genesis.run.ledger import Ledger
from genesis.run.metrics import Facts, TrackerFacts
from tests.web_server import hook

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CANARY = "hunter2hunter2"
TOKEN = "a-token-of-a-test"  # noqa: S105


class Node:
    """A node, as a test wants it."""

    def __init__(self) -> None:
        self.last_tick = NOON
        self.problem = ""
        self.token = ""

    def facts(self) -> Facts:
        tracker = TrackerFacts("w.j", "fresh", paused=f"since {CANARY}")
        return Facts(
            f"0.1.0 {CANARY}",
            "here/1/1",
            NOON,
            NOON - timedelta(hours=1),
            self.last_tick,
            waiting={CANARY: 1},
            trackers=[tracker],
        )

    def age(self) -> timedelta:
        return NOON - self.last_tick

    def write(self) -> None:
        if self.problem:
            raise EngineError(Problem("state-failed", self.problem))


@pytest.fixture
def node() -> Node:
    hide(CANARY)
    return Node()


@pytest.fixture
def server(node: Node) -> Iterator[HealthServer]:
    with HealthServer(Health(node.age, node.facts, node.write)) as serving:
        yield serving


def ask(
    server: HealthServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.getheaders())


def test_a_node_that_ticks_is_alive(server: HealthServer, node: Node) -> None:
    """One whose last tick is old is not."""
    assert ask(server, "/livez")[:2] == (200, "ok\n")
    node.last_tick = NOON - timedelta(seconds=31)
    assert ask(server, "/livez")[:2] == (503, "the last tick is 31 s old\n")


def test_a_node_is_ready_while_it_can_write(server: HealthServer, node: Node) -> None:
    """What keeps it from that is told, without secrets."""
    assert ask(server, "/readyz")[:2] == (200, "ok\n")
    node.problem = f"the disk of {CANARY} is full"
    assert ask(server, "/readyz")[:2] == (503, "the disk of *** is full\n")


def test_no_page_holds_a_secret(server: HealthServer) -> None:
    """Whatever it was put into."""
    for path in ("/metrics", "/status.json", "/livez", "/readyz", "/else"):
        _, text, headers = ask(server, path)
        assert CANARY not in text
        assert CANARY not in str(headers)


def test_pages_are_for_nobody_elses_browser(server: HealthServer) -> None:
    """Nothing runs in them, nobody keeps them, and another host's name leads nowhere."""
    status, text, headers = ask(server, "/status.json")
    assert (status, json.loads(text)["schema"]) == (200, "genesis/node@1")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["Cache-Control"], headers["Server"].strip()) == ("no-store", "genesis")
    for host in ("evil.example.com", f"evil.example.com:{server.port}", "127.0.0.1.evil", ""):
        assert ask(server, "/status.json", Host=host)[0] == 421
    for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]:80"):
        assert ask(server, "/status.json", Host=host)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_get_is_answered(server: HealthServer, method: str) -> None:
    """There is nothing to change."""
    assert ask(server, "/metrics", method)[:2] == (405, "only GET is answered\n")


def test_a_token_is_asked_for(node: Node) -> None:
    """For all but yes and no."""
    with HealthServer(Health(node.age, node.facts, node.write, TOKEN)) as server:
        assert ask(server, "/livez")[0] == 200
        assert ask(server, "/metrics")[0] == 401
        assert ask(server, "/metrics", Authorization=f"Bearer {TOKEN[:-1]}")[0] == 401
        assert ask(server, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_others_may_not_read_without_a_token(node: Node) -> None:
    """An address that they can reach is refused before anything is served."""
    with pytest.raises(UsageError, match="there is no token"):
        HealthServer(Health(node.age, node.facts, node.write), "0.0.0.0")  # noqa: S104


def test_ipv6_is_served_too(node: Node) -> None:
    """This machine's own is no other's."""
    with HealthServer(Health(node.age, node.facts, node.write), "::1") as server:
        connection = http.client.HTTPConnection("::1", server.port, timeout=5)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()


def test_a_port_that_is_taken_is_told(server: HealthServer, node: Node) -> None:
    """In a line."""
    with pytest.raises(UsageError, match="address already in use"):
        HealthServer(Health(node.age, node.facts, node.write), port=server.port)


def test_the_ledger_proves_itself_by_a_write(tmp_path: Path) -> None:
    """Each node has its row."""
    ledger = Ledger("sqlite:///state.db", tmp_path)
    ledger.nodes.beat("here", at=NOON)
    ledger.nodes.beat("here", at=NOON + timedelta(seconds=1))
    ledger.nodes.beat("there", at=NOON)
    assert ledger.nodes.seen() == {"here": NOON + timedelta(seconds=1), "there": NOON}
    ledger.nodes.forget(before=NOON + timedelta(seconds=1))
    assert list(ledger.nodes.seen()) == ["here"]
    ledger.close()


def test_a_ping_is_sent_now_and_then() -> None:
    """At the first tick, and after as many as it says; what fails stops nothing."""
    told: list[str] = []
    with hook() as server:
        address = f"http://127.0.0.1:{server.port}/ping/x"
        man = DeadMan(address, every=3, allow_private=True, tell=told.append)
        for _ in range(7):
            man.tick()
        server.status = 500
        assert not man.ping()
    assert [path for path, _, _ in server.calls] == ["/ping/x"] * 4
    assert told == ["`127.0.0.1` answers 500: ok"]
    assert not DeadMan("http://127.0.0.1:9/").ping()
