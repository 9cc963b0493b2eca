"""Whom a real server lets in over https: by password, by token, by certificate; and what it says to others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from genesis.compile.statement import Statement
from genesis.engines.trino import TrinoEngine
from genesis.errors import EngineError, Problem
from genesis.spec.project import EngineConfig, Target, TrinoTarget
from tests.trino.conftest import TOOL, own_server_is_used
from tools import trino as tool

WHO = Statement("SELECT current_user AS who", columns=(), scans=())
Auth = Mapping[str, str]
pytestmark = pytest.mark.usefixtures("trino_server")


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Who the server takes us for."""
    if not own_server_is_used():
        pytest.skip("the server that GENESIS_TRINO names lets in whom it will")
    asked = [sys.executable, str(TOOL), "status", "--https"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tool.AUTHORITY))

    def who(auth: Auth, *, user: str = tool.SIGN_IN["user"], address: str = told) -> str:
        host, _, port = address.rpartition(":")
        for name, secret in auth.items():
            monkeypatch.setenv(f"TRINO_{name.upper()}", secret)
        auth = {name: f"${{env:TRINO_{name.upper()}}}" for name in auth}
        given = {"host": host, "port": int(port), "catalog": "memory", "user": user, "auth": auth}
        config = TrinoTarget.model_validate(given)
        with TrinoEngine(tmp_path, Target(engine=EngineConfig(trino=config))) as engine:
            return str(engine.query(WHO).column(0)[0])

    return who


def token(key: str, **said: object) -> str:
    """A token as whoever knows the key makes it."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, said)]
    signed = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    mark = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"


def refused(ask: Callable[..., str], auth: Auth, **more: str) -> Problem:
    with pytest.raises(EngineError) as raised:
        ask(auth, **more)
    assert raised.value.exit_code == 3, "another try helps nobody"
    return raised.value.problems[0]


PASSWORD = {"password": tool.SIGN_IN["password"]}


def test_by_password(ask: Callable[..., str]):
    assert ask(PASSWORD) == "genesis"


def test_by_token(ask: Callable[..., str]):
    assert ask({"jwt": token(tool.SIGN_IN["token_key"], sub="genesis")}) == "genesis"


def test_by_certificate(ask: Callable[..., str]):
    files = {"certificate": tool.CLIENT_CERTIFICATE, "key": tool.CLIENT_KEY}
    assert ask({name: path.read_text() for name, path in files.items()}) == "genesis"


@pytest.mark.parametrize(
    "auth",
    [
        {"password": "another"},
        {"jwt": token("no key of the server's, though as long", sub="genesis")},
        {"jwt": token(tool.SIGN_IN["token_key"], sub="genesis", exp=1_700_000_000)},
    ],
    ids=["password", "signature", "expired"],
)
def test_what_proves_nothing(ask: Callable[..., str], auth: Auth):
    """The server's own words, and never the secret."""
    problem = refused(ask, auth)
    assert problem.code == "access-refused"
    assert "does not let us in: error 401" in problem.message
    assert problem.hint == "`auth` and `user` of the target in `genesis.yaml` say who we are"
    assert not [secret for secret in auth.values() if secret in str(problem)]


def test_a_name_that_is_not_the_tokens(ask: Callable[..., str]):
    problem = refused(ask, {"jwt": token(tool.SIGN_IN["token_key"], sub="genesis")}, user="boss")
    assert problem.code == "access-refused"
    assert "cannot impersonate user boss" in problem.message


def test_a_server_whose_certificate_nobody_vouches_for(
    ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    problem = refused(ask, PASSWORD)
    assert problem.code == "access-refused"
    assert "is not trusted: self-signed certificate" in problem.message
    assert problem.hint == (
        "`REQUESTS_CA_BUNDLE` in the environment names a file with the certificate of who vouches for it"
    )


def test_a_password_is_never_sent_where_there_is_no_https(
    ask: Callable[..., str], trino_server: str
):
    """It goes to the port for http; nobody there speaks https."""
    with pytest.raises(EngineError, match="no https there"):
        ask(PASSWORD, address=trino_server)
