"""The engine for Trino without a server: who answers in its place, and what leaves us."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from trino import auth

from genesis.compile.statement import Statement
from genesis.engines.trino import TrinoEngine
from genesis.engines.trino.session import open_session
from genesis.errors import EngineBusy, EngineError
from genesis.spec.project import EngineConfig, Target, TrinoTarget

ONE = Statement("SELECT 1 AS one", columns=(), scans=())


def config(port: int = 1, **more: Any) -> TrinoTarget:
    given = {"host": "127.0.0.1", "port": port, "catalog": "lake", "user": "genesis"}
    return TrinoTarget.model_validate({**given, **more})


def refusal(port: int, root: Path) -> EngineError:
    with (
        TrinoEngine(root, Target(engine=EngineConfig(trino=config(port)))) as engine,
        pytest.raises(EngineError) as refused,
    ):
        engine.query(ONE)
    return refused.value


@contextmanager
def answering(
    status: int, body: bytes | Callable[[str], bytes], asked: list[Any] | None = None
) -> Iterator[int]:
    """The port of a server that has one answer to everything, or to each statement."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if asked is not None:
                asked.append(self.headers)
            sql = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            answer = body if isinstance(body, bytes) else body(sql)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def failed(name: str, kind: str, message: str) -> bytes:
    """What Trino answers to a query that fails at once."""
    error = {"message": message, "errorName": name, "errorType": kind, "errorCode": 1}
    return json.dumps({"id": "20261123_1", "error": error, "stats": {}}).encode()


def gave(name: str, *values: Any) -> bytes:
    """What Trino answers to a query of one column that ends at once."""
    signature = {"rawType": "varchar", "arguments": [{"kind": "LONG", "value": 99}]}
    varchar = {"name": name, "type": "varchar", "typeSignature": signature}
    rows = [[value] for value in values]
    page = {"id": "1", "infoUri": "", "columns": [varchar], "data": rows, "stats": {}}
    return json.dumps(page).encode()


@pytest.mark.parametrize("comment", ["genesis 0123", None])
def test_a_view_is_known_to_those_who_may_only_read_it(tmp_path: Path, comment: str | None):
    """By its comment: how it is made is for its owner to see."""

    def answer(sql: str) -> bytes:
        if sql.startswith("SHOW"):
            return failed("PERMISSION_DENIED", "USER_ERROR", "Access Denied: Cannot show")
        if sql.startswith("EXPLAIN"):
            return gave("Valid", "true")
        assert "system.metadata.table_comments" in sql
        assert "catalog_name = 'lake' AND schema_name = 'studio' AND table_name = 'it'" in sql
        return gave("comment", *([comment] if comment else []))

    with answering(200, answer) as port:
        target = Target(engine=EngineConfig(trino=config(port)))
        with TrinoEngine(tmp_path, target) as engine:
            if comment:
                assert engine.view("studio.It") == comment
            else:
                with pytest.raises(EngineError, match="Access Denied"):
                    engine.view("studio.It")


def test_no_server_is_a_reason_to_try_again(tmp_path: Path):
    refused = refusal(1, tmp_path)
    assert isinstance(refused, EngineBusy)
    assert refused.exit_code == 75
    assert str(refused) == (
        "the Trino server `127.0.0.1:1` does not answer: connection refused [query-failed]\n"
        "  hint: try again; `host` and `port` of the target in `genesis.yaml` name it"
    )


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]"])
def test_another_kind_of_server_is_told(tmp_path: Path, body: bytes):
    with answering(200, body) as port:
        refused = refusal(port, tmp_path)
    assert f"the server `127.0.0.1:{port}` does not answer as Trino does" in str(refused)
    assert refused.exit_code == 3


@pytest.mark.parametrize("status", [401, 403])
def test_whom_a_server_turns_away_is_told_who_we_are(tmp_path: Path, status: int):
    with answering(status, "no such `üser`\nat io.trino".encode()) as port:
        (problem,) = refusal(port, tmp_path).problems
    assert problem.code == "access-refused"
    assert problem.message.endswith(f"does not let us in: error {status}: no such `üser`")
    assert problem.hint == "`auth` and `user` of the target in `genesis.yaml` say who we are"


@pytest.mark.parametrize(
    ("name", "exit_code", "code"),
    [
        ("QUERY_QUEUE_FULL", 75, "query-failed"),
        ("QUERY_HAS_TOO_MANY_STAGES", 3, "query-failed"),
        ("DIVISION_BY_ZERO", 3, "query-failed"),
        ("PERMISSION_DENIED", 3, "access-refused"),
        ("TABLE_NOT_FOUND", 3, "unknown-table"),
    ],
)
def test_a_refusal_names_the_query(tmp_path: Path, name: str, exit_code: int, code: str):
    with answering(200, failed(name, "USER_ERROR", "no\n\tat io.trino")) as port:
        refused = refusal(port, tmp_path)
    (problem,) = refused.problems
    assert (refused.exit_code, problem.code, problem.message) == (exit_code, code, "no")
    link = f"query 20261123_1, http://127.0.0.1:{port}/ui/query.html?20261123_1"
    assert str(problem.hint).endswith(link)


def test_a_query_says_who_asks_and_how_long_it_may_take(tmp_path: Path):
    """And takes spooled results in whatever form the server offers them."""
    asked: list[Any] = []
    with answering(200, failed("ANY", "USER_ERROR", "no"), asked) as port:
        refusal(port, tmp_path)
    sent = {name: value for name, value in asked[0].items() if name.startswith("X-Trino-")}
    assert sent["X-Trino-User"] == "genesis"
    assert sent["X-Trino-Source"] == "genesis"
    assert sent["X-Trino-Catalog"] == "lake"
    assert sent["X-Trino-Schema"] == "main"
    assert sent["X-Trino-Time-Zone"] == "UTC"
    assert sent["X-Trino-Session"] == "query_max_run_time=1800s"
    assert "json+zstd" in sent["X-Trino-Query-Data-Encoding"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"jwt": "${env:SECRET}"}, auth.JWTAuthentication("hush")),
        ({"password": "${env:SECRET}"}, auth.BasicAuthentication("genesis", "hush")),
        ({"kerberos": True}, auth.KerberosAuthentication()),
    ],
)
def test_ways_to_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any, expected: auth.Authentication
):
    """Over https, also where the port is another one than that of https."""
    monkeypatch.setenv("SECRET", "hush")
    with open_session(tmp_path, config(8443, auth=given)) as session:
        assert session.auth == expected
        assert session.http_scheme == "https"


def test_a_browser_signs_in(tmp_path: Path):
    with open_session(tmp_path, config(8443, auth={"oauth2": True})) as session:
        assert isinstance(session.auth, auth.OAuth2Authentication)


def test_a_certificate_is_a_file_while_the_session_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CERTIFICATE", "-----BEGIN CERTIFICATE-----")
    (tmp_path / "client.key").write_text("-----BEGIN PRIVATE KEY-----")
    given = {"certificate": "${env:CERTIFICATE}", "key": "${file:client.key}"}
    with open_session(tmp_path, config(8443, auth=given)) as session:
        assert session.auth is not None
        files = [Path(session.auth._cert), Path(session.auth._key)]
        texts = [file.read_text() for file in files]
        modes = [file.stat().st_mode & 0o077 for file in files]
    assert texts == ["-----BEGIN CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n"]
    assert modes == [0, 0]
    assert not any(file.exists() for file in files)


def test_a_way_to_sign_in_that_lacks_a_package_is_told(tmp_path: Path):
    """Kerberos needs one that the client leaves to those who want it."""
    target = Target(engine=EngineConfig(trino=config(8443, auth={"kerberos": True})))
    with TrinoEngine(tmp_path, target) as engine, pytest.raises(EngineError) as refused:
        engine.query(ONE)
    assert "requests_kerberos" in str(refused.value)
