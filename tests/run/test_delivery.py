"""Messages on their way by real processes that die, or whose disk is full, at each step of a delivery.

A message counts as sent when its receiver said so; where nobody can know whether it did, it is sent once more.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from genesis.interfaces import Notifier
from genesis.run.alerts import LEASE, Alerts
from genesis.run.delivery import deliver, opener
from genesis.run.ledger import Ledger
from genesis.schedule.alerting import Message
from genesis.spec.project import Receiver
from tests.run.virtual import MONDAY, VirtualClock
from tests.web_server import Hook, hook

SQLITE = "sqlite:///state.db"
HAS_GIVEN_UP = LEASE + timedelta(seconds=1)
PROGRAM = """
import os, resource, sys
from pathlib import Path
from genesis.errors import EngineBusy
from genesis.run.alerts import Alerts
from genesis.run.delivery import deliver, opener
from genesis.run.ledger import Ledger
from genesis.spec.project import Receiver
from tests.run.virtual import MONDAY, VirtualClock

url, root, port, moment = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
die = lambda *_, **__: os.kill(os.getpid(), 9)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
fill = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
clear = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

def first(action, then):
    return lambda *given, **named: (action(), then(*given, **named))[1]

alerts = Ledger(url, root).alerts
to = opener({"ops": Receiver(webhook=f"http://127.0.0.1:{port}/a", allow_private=True)}, root)
match moment:
    case "claimed": to = die
    case "answered": Alerts.sent = die
    case "kept": Alerts.sent = first(lambda: None, Alerts.sent)
    case "full before": fill()
    case "full after": Alerts.sent = first(fill, Alerts.sent)
try:
    print(deliver(alerts, to, owner="first", clock=VirtualClock(MONDAY)))
except EngineBusy as error:
    clear()
    print(error.problems[0].hint)
if moment == "kept":
    die()
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the ledger is."""
    return request.getfixturevalue("database") if request.param == "postgres" else SQLITE


def started(url: str, root: Path, port: int, moment: str) -> subprocess.Popen[str]:
    """A process that delivers what waits, and what befalls it."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(root), str(port), moment],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )


def by_another(alerts: Alerts, root: Path, server: Hook, clock: VirtualClock) -> int:
    to = {"ops": Receiver(webhook=f"http://127.0.0.1:{server.port}/a", allow_private=True)}
    return deliver(alerts, opener(to, root), owner="second", clock=clock)


def posted(ledger: Ledger) -> None:
    """Two messages, of which nobody hears the second before the first."""
    for number in (1, 2):
        message = Message(f"k{number}", "ops", "notice", f"message {number}", (), MONDAY)
        ledger.alerts.post(message)


def heard(server: Hook) -> list[int]:
    """Which of the messages came in, in their order."""
    return [
        next(number for number in (1, 2) if f"message {number}" in json.dumps(json.loads(body)))
        for _, _, body in server.calls
    ]


@pytest.mark.parametrize(
    ("moment", "comes"),
    [
        ("claimed", [1, 2]),
        ("sending", [1, 1, 2]),  # the receiver has it, its answer never comes
        ("answered", [1, 1, 2]),  # it came, and nobody could write that down
        ("kept", [1, 2]),
    ],
)
def test_whoever_is_killed_while_it_delivers(
    url: str, tmp_path: Path, moment: str, comes: list[int]
) -> None:
    """The next one takes it over when it is sure that the first is gone, and sends nothing that is known to have come."""
    ledger = Ledger(url, tmp_path)
    posted(ledger)
    clock = VirtualClock(MONDAY)
    with hook() as server:
        if moment == "sending":
            server.before = lambda: process.kill()
        with started(url, tmp_path, server.port, moment) as process:
            assert process.wait(60) == -signal.SIGKILL
        server.before = lambda: None
        if moment != "kept":
            assert by_another(ledger.alerts, tmp_path, server, clock) == 0, "it may live still"
        clock.sleep(HAS_GIVEN_UP)
        by_another(ledger.alerts, tmp_path, server, clock)
        assert heard(server) == comes
        assert by_another(ledger.alerts, tmp_path, server, clock) == 0
    assert not ledger.alerts.unsent()
    ledger.close()


@pytest.mark.parametrize(("moment", "comes"), [("full before", [1, 2]), ("full after", [1, 1, 2])])
def test_the_disk_is_full_while_it_delivers(tmp_path: Path, moment: str, comes: list[int]) -> None:
    """Nothing is sent that could not be written down as being sent; so a full disk makes no storm of messages."""
    ledger = Ledger(SQLITE, tmp_path)
    posted(ledger)
    clock = VirtualClock(MONDAY)
    with hook() as server:
        with started(SQLITE, tmp_path, server.port, moment) as process:
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "no tracker is written meanwhile" in said
        clock.sleep(HAS_GIVEN_UP)
        by_another(ledger.alerts, tmp_path, server, clock)
        assert heard(server) == comes
    assert not ledger.alerts.unsent()
    ledger.close()


def test_a_notifier_with_a_bug_keeps_nobody_else_from_a_message(url: str, tmp_path: Path) -> None:
    """What it raised is told beside the message that waits."""
    ledger = Ledger(url, tmp_path)
    posted(ledger)
    ledger.alerts.post(Message("k3", "broken", "notice", "message 3", (), MONDAY))
    clock = VirtualClock(MONDAY)
    with hook() as server:
        to = {"ops": Receiver(webhook=f"http://127.0.0.1:{server.port}/a", allow_private=True)}
        find = opener(to, tmp_path)

        def open_notifier(name: str) -> Notifier:
            return Broken() if name == "broken" else find(name)

        assert deliver(ledger.alerts, open_notifier, owner="first", clock=clock) == 2
    (waiting,) = ledger.alerts.unsent()
    assert (waiting.message.receiver, waiting.attempts) == ("broken", 1)
    assert waiting.error == "a bug in its notifier: ZeroDivisionError: by zero"
    ledger.close()


class Broken:
    """A notifier that somebody wrote."""

    def send(self, _message: Message) -> None:
        raise ZeroDivisionError("by zero")
