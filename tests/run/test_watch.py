"""A whole node's voice: a run fails, a message arrives, pages tell it, a log has it, lineage too; no secret is in any."""

from __future__ import annotations

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genesis.cli import run_command
from genesis.errors import Problems, UsageError
from genesis.load import load_project
from genesis.run.ledger import Ledger
from genesis.run.queue import End, Queue
from genesis.run.watch import Outlets, Watch
from genesis.spec.project import Target
from tests.run.test_observing import FILES, JOB
from tests.run.test_queue import ask, claim
from tests.sinks.entry_points import installed
from tests.web_server import hook

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOKEN = "canary99" * 3
CANARY = f"/services/T00/B00/{TOKEN}"


class Clock:
    at = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, length: timedelta) -> None:
        self.at += length


def test_a_failure_is_heard_everywhere_and_its_secrets_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the ledger to the receiver, with everything that leaves on the way."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    texts = FILES | {
        "genesis.yaml": 'alerts: {ops: {webhook: "${env:HOOK}", allow_private: true}}\n'
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("on_late: [late]", "on_late: [ops]"))
    ledger, clock = Ledger("sqlite:///.genesis/state.db", tmp_path), Clock()
    project = load_project(tmp_path, Problems())
    outlets = Outlets("127.0.0.1:0", "", "logs/node.log", "${env:PING}", "lineage.jsonl", True)
    with hook() as server:
        monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.port}{CANARY}")
        monkeypatch.setenv("PING", f"http://127.0.0.1:{server.port}/ping/{TOKEN}")
        watch = Watch(
            ledger,
            project,
            engine="prod",
            target=Target(),
            node="here",
            version="0.1.0",
            root=tmp_path,
            clock=clock,
            outlets=outlets,
        )
        with watch:
            routines = {routine.name: routine.do for routine in watch.routines}
            routines["ping"]()
            _fail(ledger, watch, f"refused at {TOKEN}")
            watch.ticked(timedelta(milliseconds=3))
            clock.sleep(timedelta(minutes=6))
            for name in ("look for late", "alerts", "deliver", "node", "forget"):
                routines[name]()
            pages = [_page(watch, path) for path in ("/metrics", "/status.json", "/livez")]
    ledger.close()
    assert [path for path, _, _ in server.calls] == [f"/ping/{TOKEN}", CANARY]
    assert f"`{JOB}` is failing" in json.loads(server.calls[1][2])["text"]
    assert 'genesis_alerts_sent_total{channel="ops",result="sent"} 1' in pages[0]
    assert json.loads(pages[1])["trackers"][0]["state"] == "failing"
    assert pages[2] == "the last tick is 360 s old\n"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    left = {file.name: file.read_bytes() for file in files}
    assert {"node.log", "lineage.jsonl", "state.db"} <= left.keys()
    left |= {"message": server.calls[1][2], "pages": "".join(pages).encode()}
    assert [name for name, written in left.items() if b"canary99" in written] == []


def _fail(ledger: Ledger, watch: Watch, message: str) -> None:
    queue = Queue(ledger.state)
    queue.ask([ask(JOB, at=NOON)], at=NOON)
    claimed = claim(queue, now=NOON)
    watch.on_claim(claimed)
    problems = ({"code": "query-failed", "message": message, "hint": None},)
    end = End("failed", error_class="user", problems=problems)
    queue.finish(claimed, end, at=NOON)
    watch.on_end(claimed, end)


def _page(watch: Watch, path: str) -> str:
    assert watch.server
    connection = http.client.HTTPConnection("127.0.0.1", watch.server.port, timeout=5)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_an_address_of_pages_is_a_host_and_a_port(tmp_path: Path) -> None:
    """What is none is told with one that is."""
    ledger = Ledger("sqlite:///state.db", tmp_path)
    (tmp_path / "genesis.yaml").write_text("project: shop\n")
    watch = Watch(
        ledger,
        load_project(tmp_path, Problems()),
        engine="local",
        target=Target(),
        node="here",
        version="0",
        root=tmp_path,
        clock=Clock(),
        outlets=Outlets("here"),
    )
    with pytest.raises(UsageError, match="`here` is not `HOST:PORT`"):
        watch.__enter__()
    ledger.close()


def test_a_scheduler_tells_of_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pages while it goes on, lines of what it did, and what failed among the alerts."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("every: 10m", "every: 1s"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    until = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(_when_served, address)
        where = ["--health", address, "--log", "node.log", "--lineage", "lineage.jsonl"]
        assert run_command(["-C", str(tmp_path), "schedule", "--until", until, *where]) == 0
    assert "genesis_last_tick_timestamp_seconds" in page.result()
    events = [
        json.loads(line)["event"] for line in (tmp_path / "node.log").read_text().splitlines()
    ]
    assert events[:2] == ["run_claimed", "run_ended"]
    assert (
        json.loads((tmp_path / "lineage.jsonl").read_text().splitlines()[1])["eventType"] == "FAIL"
    )
    assert run_command(["-C", str(tmp_path), "alerts"]) == 0
    assert JOB in capsys.readouterr().out


def _when_served(address: str) -> str:
    """A page of a node that begins."""
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
            connection.close()
        except OSError:
            text = ""
        if "genesis_last_tick" in text:
            return text
        time.sleep(0.1)
    return ""
