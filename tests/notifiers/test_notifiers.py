"""Messages arrive at a real web server and a real mail server, whole and within what those take."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message as Letter
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis import plugins
from genesis.errors import DefinitionError, NotSent, Problems
from genesis.load import load_project
from genesis.notifiers.email import Email
from genesis.notifiers.webhook import Webhook, payload
from genesis.run.delivery import opener
from genesis.schedule.alerting import LARGEST, Message
from genesis.spec.project import Receiver
from tests.sinks.entry_points import installed
from tests.web_server import certificate_for, hook

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MESSAGE = Message(
    "ops|alarm|1",
    "ops",
    "alarm",
    "engine `prod` cannot be reached: 2 trackers",
    ("`w.first`", "`w.<!channel> & co`"),
    NOON,
)


class Box:
    """What a mail server took in."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        self.letters.append(message_from_bytes(envelope.content))
        return "250 OK"


@contextmanager
def mail_server(certificate: Path | None = None, password: str = "") -> Iterator[tuple[Box, int]]:
    """A mail server on loopback; with a certificate it offers TLS, with a password it asks for it."""
    box = Box()
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def is_right(_server: object, _session: object, _envelope: object, how: str, data: Any) -> Any:
        good = how in ("LOGIN", "PLAIN") and data.password == password.encode()
        return AuthResult(success=good, handled=False)

    class Local(Controller):
        def factory(self) -> SMTP:
            more = {"auth_required": True, "authenticator": is_right} if password else {}
            return SMTP(box, tls_context=context, require_starttls=bool(context), **more)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Local(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_a_webhook_is_sent_slacks_json() -> None:
    """A text for those who read no blocks, and blocks; nothing in it calls a whole channel."""
    with hook() as server:
        address = f"http://127.0.0.1:{server.port}/services/x"
        Webhook(Receiver(webhook="${env:X}", allow_private=True), address).send(MESSAGE)
    ((path, _, body),) = server.calls
    said = json.loads(body)
    assert path == "/services/x"
    assert said["text"].splitlines()[-1] == "`w.&lt;!channel&gt; &amp; co`"
    assert [block["type"] for block in said["blocks"]] == ["section", "section"]
    assert said["blocks"][0]["text"]["text"] == f"*{MESSAGE.title}*"


def test_a_webhook_may_not_be_of_this_network() -> None:
    """Unless its receiver says so."""
    with pytest.raises(NotSent, match="not called over https"):
        Webhook(Receiver(webhook="${env:X}"), "http://127.0.0.1:9/").send(MESSAGE)


@settings(max_examples=50)
@given(st.text(max_size=3_000), st.lists(st.text(max_size=500), max_size=30))
def test_a_webhooks_body_is_small(title: str, lines: list[str]) -> None:
    """4 kB at most, with texts that Slack takes, whatever the message says."""
    told = payload(Message("k", "ops", "alarm", title, tuple(lines), NOON))
    assert len(told) <= LARGEST
    blocks = json.loads(told).get("blocks", [])
    assert all(len(block["text"]["text"]) <= 3_000 for block in blocks)


def test_mail_is_sent_over_tls_with_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says who sends it, and is the same letter when it is sent again."""
    certificate = certificate_for("127.0.0.1", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate, "p@ss") as (box, port):
        address = f"smtp://bot:p%40ss@127.0.0.1:{port}?from=genesis@example.com"
        notifier = Email(Receiver(email="ops@example.com"), address)
        notifier.send(MESSAGE)
        notifier.send(MESSAGE)
    first, second = box.letters
    assert (first["From"], first["To"]) == ("genesis@example.com", "ops@example.com")
    assert first["Subject"] == MESSAGE.title
    assert first.get_payload(decode=True).decode().splitlines() == MESSAGE.text.splitlines()
    assert first["Message-ID"] == second["Message-ID"]


def test_a_wrong_password_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it."""
    certificate = certificate_for("127.0.0.1", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate, "right") as (box, port):
        notifier = Email(Receiver(email="ops@example.com"), f"smtp://bot:wrong@127.0.0.1:{port}")
        with pytest.raises(NotSent) as error:
            notifier.send(MESSAGE)
    (problem,) = error.value.problems
    assert problem.code == "not-sent"
    assert problem.message == "`127.0.0.1` sends no e-mail: it does not let us in"
    assert box.letters == []


def test_mail_without_tls_stays_in_this_network() -> None:
    """It is sent where the receiver permits it, and refused elsewhere."""
    with mail_server() as (box, port):
        address = f"smtp://127.0.0.1:{port}?from=a@example.com"
        Email(Receiver(email="ops@example.com", allow_private=True), address).send(MESSAGE)
        with pytest.raises(NotSent, match="offers no TLS"):
            Email(Receiver(email="ops@example.com"), address).send(MESSAGE)
    assert len(box.letters) == 1


def test_a_title_adds_no_header(tmp_path: Path) -> None:  # noqa: ARG001
    """Whatever a definition is called."""
    with mail_server() as (box, port):
        receiver = Receiver(email="ops@example.com", allow_private=True)
        title = "late\r\nBcc: eve@example.com"
        address = f"smtp://127.0.0.1:{port}?from=a@example.com"
        Email(receiver, address).send(Message("k", "ops", "alarm", title, (), NOON))
    (letter,) = box.letters
    assert letter["Bcc"] is None
    assert letter["Subject"] == "late Bcc: eve@example.com"


RECEIVERS = {
    "slack": Receiver(webhook="https://hooks.example.com/${env:HOOK}"),
    "desk": Receiver(email="desk@example.com"),
    "mail": Receiver(smtp="smtp://127.0.0.1:25"),
}


def test_each_receiver_has_its_notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's address and an address without a server use the one server that there is."""
    monkeypatch.syspath_prepend(installed(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", _fresh)
    monkeypatch.setenv("HOOK", "T00/B00/xyz")
    find = opener(RECEIVERS, tmp_path)
    kinds = [type(find(name)) for name in ("slack", "desk", "mailto:ann@example.com")]
    assert kinds == [Webhook, Email, Email]


def _fresh(group: str) -> Any:
    """Entry points as `pyproject.toml` has them."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=group)}.values()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("slak", "unknown receiver `slak`"),
        ("mail", "receiver `mail` has no `webhook` or `email`"),
    ],
)
def test_a_receiver_that_cannot_be_told(tmp_path: Path, name: str, told: str) -> None:
    """What it lacks, or what is near."""
    with pytest.raises(NotSent) as error:
        opener(RECEIVERS, tmp_path)(name)
    assert error.value.problems[0].message == told


def test_a_receiver_is_told_in_one_way(tmp_path: Path) -> None:
    """Two would fail by halves, and be told twice."""
    text = 'alerts: {ops: {webhook: "${env:X}", email: a@example.com}}\n'
    (tmp_path / "genesis.yaml").write_text(text)
    problems = Problems()
    load_project(tmp_path, problems)
    with pytest.raises(DefinitionError, match="conflicting-keys"):
        problems.raise_errors()
