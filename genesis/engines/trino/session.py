"""A session with a Trino server: where it is, who we are, how long it may take.

Whatever signs in goes over https only; that credentials and plain http exclude one another is told
when `genesis.yaml` is read. The surprise: a client certificate is handed over as a file, so one that
comes out of the environment is in a file of its own while the session lasts.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from trino import auth, dbapi

from genesis.secrets import resolve_references
from genesis.spec.project import TrinoAuth, TrinoTarget

DEFAULT_SCHEMA = "main"  # as in the lake: names without a schema are in it
ANSWER_SECONDS = 30.0  # for one request; a query is many


@contextmanager
def open_session(root: Path, config: TrinoTarget) -> Iterator[dbapi.Connection]:
    """A session that asks as the target's user; nothing is sent yet."""
    with ExitStack() as files:
        session = dbapi.Connection(
            host=config.host,
            port=config.port,
            user=config.user,
            catalog=config.catalog,
            schema=config.database_schema or DEFAULT_SCHEMA,
            http_scheme=config.scheme,
            auth=_authentication(root, config, files),
            source="genesis",
            timezone="UTC",
            request_timeout=ANSWER_SECONDS,
            session_properties={"query_max_run_time": f"{int(config.timeout.total_seconds())}s"},
            legacy_primitive_types=True,  # values as the protocol has them; `values` reads them
        )
        files.callback(session.close)
        yield session


def _authentication(
    root: Path, config: TrinoTarget, files: ExitStack
) -> auth.Authentication | None:
    given = config.auth
    if given.jwt:
        return auth.JWTAuthentication(resolve_references(given.jwt, root))
    if given.password:
        return auth.BasicAuthentication(config.user, resolve_references(given.password, root))
    if given.certificate:
        return _certificate(root, given, files)
    if given.oauth2:
        handlers: list[Callable[[str], None]] = [auth.WebBrowserRedirectHandler(), _tell_address]
        return auth.OAuth2Authentication(auth.CompositeRedirectHandler(handlers))
    return auth.KerberosAuthentication() if given.kerberos else None


def _certificate(root: Path, given: TrinoAuth, files: ExitStack) -> auth.Authentication:
    texts = [
        resolve_references(secret, root) for secret in (given.certificate, given.key) if secret
    ]
    paths = [files.enter_context(_as_file(text)) for text in texts]
    return auth.CertificateAuthentication(paths[0], paths[-1])  # a certificate may bring its key


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A file with the text, for our user's eyes, that is gone afterwards."""
    with tempfile.NamedTemporaryFile("w", prefix="genesis-", suffix=".pem") as file:
        file.write(f"{text}\n")
        file.flush()
        yield file.name


def _tell_address(address: str) -> None:
    sys.stderr.write(f"sign in to Trino: {address}\n")
