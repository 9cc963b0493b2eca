"""A secret that was resolved is in nothing that leaves: messages, the ledger's bytes, tracebacks."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.cli.commands import run
from genesis.errors import Problem
from genesis.redaction import MASK, Redaction, hide, redact, redact_data
from genesis.run.ledger import Ledger
from genesis.run.queue import End, Queue
from genesis.secrets import resolve_references
from tests.run.test_queue import ask, claim

CANARY = 'tr0ub4dor"&/ß3'
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A secret that somebody resolved."""
    monkeypatch.setenv("CANARY", CANARY)
    return resolve_references("${env:CANARY}", tmp_path)


def forms(value: str) -> list[str]:
    encoded = value.encode()
    return [
        value,
        json.dumps(value)[1:-1],
        quote(value, safe=""),
        base64.b64encode(encoded).decode().rstrip("="),
        base64.b64encode(b"user:" + encoded).decode(),
    ]


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8"), min_size=12, max_size=30), st.binary(max_size=9))
def test_a_value_is_hidden_wherever_it_is_encoded(value: str, before: bytes) -> None:
    """Base64 shows another text for each number of bytes before it, modulo three."""
    redaction = Redaction()
    redaction.hide(value)
    encoded = value.encode()
    told = redaction.text(base64.b64encode(before + encoded).decode())
    assert len(told) <= (len(before) + 2) // 3 * 4 + len(MASK) + 8
    assert value not in redaction.text(f"<{value}>")


@pytest.mark.parametrize("form", forms(CANARY), ids=["plain", "json", "address", "base64", "basic"])
def test_a_problem_names_no_secret(canary: str, form: str) -> None:
    """Whoever tells it: the message is cleaned when it is made."""
    problem = Problem("query-failed", f"refused: {form}", hint=f"see {form}")
    assert canary not in str(problem)
    assert form[2:-8] not in str(problem)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://ann:hunter2@db/studio", "postgresql://ann:***@db/studio"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ('{"api_key": "abc", "rows": 3}', '{"api_key": "***", "rows": 3}'),
        ("host=db password=hunter2 port=5432", "host=db password=*** port=5432"),
        ("GET /x?access_token=abc&y=1", "GET /x?access_token=***&y=1"),
        ('set `token: "${env:TOKEN}"`', 'set `token: "${env:TOKEN}"`'),
        ('{"tokens": 3, "password": null}', '{"tokens": 3, "password": null}'),
        ('["http://a:80","x@y"]', '["http://a:80","x@y"]'),
        ("the password is wrong", "the password is wrong"),
    ],
)
def test_what_stands_behind_a_secrets_name_is_hidden(text: str, told: str) -> None:
    """Without anybody having said that it is one; words about secrets stay."""
    assert redact(text) == told


def test_data_is_hidden_by_names_and_values(canary: str) -> None:
    """Whatever the name is, a value that is known; whatever the value is, behind a known name."""
    said = redact_data({"password": "x", "rows": [1, canary], "at": None, "nested": {"jwt": "y"}})
    assert said == {"password": MASK, "rows": [1, MASK], "at": None, "nested": {"jwt": MASK}}


@pytest.mark.parametrize(
    ("secret", "quoted"),
    [
        ("postgresql://ann:p%40ssword@db/x", "p@ssword"),
        ("https://hooks.example.com/services/T00/B00/xyz", "url: /services/T00/B00/xyz"),
        (
            '{"type": "service_account", "private_key": "-----B\\nMIIEabcdefg\\n-----E"}',
            "MIIEabcdefg",
        ),
    ],
    ids=["password", "path", "key file"],
)
def test_parts_of_a_secret_are_hidden(secret: str, quoted: str) -> None:
    """A driver quotes the password of an address, a client the path of a webhook."""
    hide(secret)
    assert MASK in redact(quoted)


def test_short_values_are_no_secrets() -> None:
    """`a` stands in every word."""
    hide("a")
    assert redact("a banana") == "a banana"


def test_the_ledgers_files_hold_no_secret(canary: str, tmp_path: Path) -> None:
    """Problems and receipts are cleaned on their way in, and the folder is its owner's."""
    ledger = Ledger("sqlite:///.state/state.db", tmp_path)
    queue = Queue(ledger.state)
    queue.ask([ask("w.j")], at=NOON)
    said = ({"code": "query-failed", "message": f"refused: {canary}", "hint": None},)
    queue.finish(
        claim(queue), End("failed", canary, receipt={"note": canary}, problems=said), at=NOON
    )
    files = list((tmp_path / ".state").iterdir())
    written = b"".join(file.read_bytes() for file in files)
    assert b"refused: ***" in written
    assert CANARY[:8].encode() not in written
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / ".state").stat().st_mode & 0o777 == 0o700
    ledger.close()


def test_a_password_that_is_a_word_of_ours_breaks_nothing(tmp_path: Path) -> None:
    """What was written is read again: keys are no secrets."""
    hide("message")
    ledger = Ledger("sqlite:///state.db", tmp_path)
    queue = Queue(ledger.state)
    queue.ask([ask("w.j")], at=NOON)
    said = ({"code": "query-failed", "message": "a message", "hint": None},)
    queue.finish(claim(queue), End("failed", problems=said), at=NOON)
    (run,) = ledger.last_runs("w.j")
    assert run.problems == ({"code": "query-failed", "message": "a ***", "hint": None},)
    ledger.close()


def test_a_traceback_holds_no_secret(
    canary: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bug is told with its place, and without what it was about."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError(canary)

    monkeypatch.setenv("GENESIS_TRACEBACK", "1")
    monkeypatch.setattr("genesis.cli.commands.genesis.main", broken)
    assert run([], None) == 70
    told = capsys.readouterr().err
    assert "ValueError: ***" in told
    assert CANARY[:8] not in told


@pytest.mark.parametrize("text", ["a-", "a.", "http://a:", "bearer ", '"token" ', "token=", "a://"])
def test_a_long_text_is_no_burden(text: str) -> None:
    """Whatever is in it: the time grows as the text does."""
    started = time.monotonic()
    redact(text * 20_000)
    assert time.monotonic() - started < 2
