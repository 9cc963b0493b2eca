"""Addresses that a person wrote down are called if they are public, where they were looked up, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from genesis import web
from genesis.errors import NotSent
from genesis.web import addresses_of, call, is_public
from tests.web_server import certificate_for, hook


def refused(url: str, *found: str, allow_private: bool = False) -> str:
    """Why an address is not called that is at these addresses."""
    with pytest.raises(NotSent) as error:
        call("POST", url, allow_private=allow_private, resolve=lambda *_: found)
    (problem,) = error.value.problems
    return problem.message


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.9",
        "172.20.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "224.0.0.1",
        "192.0.0.192",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "ff02::1",
        "no address",
    ],
)
def test_an_address_of_this_network_is_refused(address: str) -> None:
    """Loopback, private, link-local, a cloud's metadata, and each of them within IPv6."""
    told = refused("https://hooks.example.com/x", address)
    assert told == f"`hooks.example.com` is at `{address}`, which is no public address"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_not(address: str) -> None:
    """Also one of IPv4 that is written in IPv6."""
    assert is_public(address)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost", "[::1]"])
def test_other_ways_to_write_loopback_are_refused(host: str) -> None:
    """The machine itself says what a name means."""
    with pytest.raises(NotSent, match="no public address"):
        call("POST", f"https://{host}/x", resolve=addresses_of)


def test_a_host_with_one_private_address_is_refused() -> None:
    """However many public ones it has besides."""
    assert "no public address" in refused("https://a.example.com/", "93.184.216.34", "10.0.0.1")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://hooks.example.com/x", "`hooks.example.com` is not called over https"),
        ("file:///etc/passwd", "an address has no host"),
        ("ftp://example.com/x", "`example.com` is not called over https"),
        ("https://ann:pw@example.com/", "the address of `example.com` holds a user"),
        ("https://[::1/", "an address has no host"),
    ],
)
def test_what_is_no_https_is_refused(url: str, told: str) -> None:
    """Before anything is looked up."""
    assert refused(url, "93.184.216.34") == told


def test_a_name_is_looked_up_once_and_that_address_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers otherwise the second time is not asked; the certificate is the name's."""
    certificate = certificate_for("hooks.example.com", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:  # noqa: ARG001
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with hook(certificate) as server:
        url = f"https://hooks.example.com:{server.port}/services/x?y=1"
        answer = call("POST", url, body=b"{}", allow_private=True, resolve=resolve)
    assert (answer.status, answer.text) == (200, "ok")
    assert server.calls == [("/services/x?y=1", f"hooks.example.com:{server.port}", b"{}")]
    assert asked == ["hooks.example.com"]


def test_the_certificate_of_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to it."""
    certificate = certificate_for("other.example.com", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with hook(certificate) as server:
        url = f"https://hooks.example.com:{server.port}/x"
        told = refused(url, "127.0.0.1", allow_private=True)
    assert told.startswith("`hooks.example.com` cannot be called: its certificate is not valid")
    assert server.calls == []


def test_no_redirect_is_followed() -> None:
    """It may lead anywhere."""
    with hook() as server:
        server.status = 302
        server.headers = {"Location": "http://169.254.169.254/latest/meta-data"}
        told = refused(f"http://127.0.0.1:{server.port}/", "127.0.0.1", allow_private=True)
    assert told == "`127.0.0.1` answers 302 and another address, which is not followed"
    assert len(server.calls) == 1


def test_a_refusal_is_told_in_its_own_words() -> None:
    """The status, and what the answer begins with."""
    with hook() as server:
        server.status, server.answer = 404, b"no_service"
        told = refused(f"http://127.0.0.1:{server.port}/", "127.0.0.1", allow_private=True)
    assert told == "`127.0.0.1` answers 404: no_service"


def test_no_more_of_an_answer_is_read_than_counts() -> None:
    """Its status said it arrived."""
    with hook() as server:
        server.answer = b"x" * 10 * web.MOST
        url = f"http://127.0.0.1:{server.port}/"
        answer = call("GET", url, allow_private=True)
    assert len(answer.text) == web.MOST


def test_nobody_waits_for_an_answer_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was promised and does not come is cut off."""
    monkeypatch.setattr(web, "PATIENCE", 0.2)
    with hook() as server:
        server.headers, server.status = {"Content-Length": "100"}, 500
        started = time.monotonic()
        with pytest.raises(NotSent) as error:
            call("GET", f"http://127.0.0.1:{server.port}/", allow_private=True)
    assert "answers 500" in str(error.value)
    assert time.monotonic() - started < 2


def test_nobody_there() -> None:
    """Said in a line, without a client's own words."""
    told = refused("http://127.0.0.1:9/", "127.0.0.1", allow_private=True)
    assert told == "`127.0.0.1` cannot be called: no connection"
