"""A real browser without a window: Chromium, driven by the W3C protocol of its chromedriver.

The protocol is JSON over HTTP, and what tests need of it is little, so no client library is taken. Where
there is no Chromium, tests that want it are skipped; they fail where GENESIS_REQUIRE has `chromium`.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER, ESCAPE, TAB, DELETE, F2 = "\ue007", "\ue00c", "\ue004", "\ue017", "\ue032"
UP, DOWN, RIGHT, PAGE_DOWN, HOME = "\ue013", "\ue015", "\ue014", "\ue00f", "\ue011"
SHIFT, CONTROL = "\ue008", "\ue009"
_OPTIONS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


class Browser:
    """One window of it."""

    def __init__(self, driver: str) -> None:
        self._http = requests.Session()
        options = {"args": [*_OPTIONS, "--window-size=1500,900"]}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options}}
        answer = self._http.post(f"{driver}/session", json={"capabilities": wanted}, timeout=60)
        answer.raise_for_status()
        self._session = f"{driver}/session/{answer.json()['value']['sessionId']}"

    def close(self) -> None:
        """End the browser."""
        self._http.delete(self._session, timeout=20)
        self._http.close()

    def open(self, address: str) -> None:
        """Go to a page."""
        self._ask("url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function in the page returns."""
        return self._ask("execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        """The text of an element; empty where there is none."""
        return str(
            self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        )

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements that a selector finds."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return list(self.run(script, selector))

    def click(self, selector: str) -> None:
        """Click with the mouse, where the element is."""
        for tries_left in reversed(range(5)):
            element = self._ask("element", {"using": "css selector", "value": selector})
            try:
                self._ask(f"element/{element[ELEMENT]}/click", {})
            except AssertionError as error:  # the page drew it anew in between
                if not tries_left or "stale element" not in str(error):
                    raise
            else:
                return

    def press(self, *keys: str, held: str = "") -> None:
        """Press keys one after another, wherever the focus is."""
        down, up = ([{"type": kind, "value": key} for key in held] for kind in ("keyDown", "keyUp"))
        pressed = [
            {"type": kind, "value": k} for k in "".join(keys) for kind in ("keyDown", "keyUp")
        ]
        source = {"type": "key", "id": "keyboard", "actions": [*down, *pressed, *up]}
        self._ask("actions", {"actions": [source]})

    def emulate(self, what: str, **values: Any) -> None:
        """Set something of the device: `DeviceMetricsOverride`, `EmulatedMedia`."""
        self._ask("goog/cdp/execute", {"cmd": f"Emulation.set{what}", "params": values})

    def told(self) -> list[str]:
        """What the console has said since it was last asked: warnings and errors."""
        return [entry["message"] for entry in self._ask("se/log", {"type": "browser"})]

    def screenshot(self, file: Path) -> None:
        """Keep what is to be seen."""
        answer = self._http.get(f"{self._session}/screenshot", timeout=20)
        file.write_bytes(base64.b64decode(answer.json()["value"]))

    def _ask(self, what: str, body: dict[str, Any]) -> Any:
        answer = self._http.post(f"{self._session}/{what}", json=body, timeout=20)
        value = answer.json()["value"]
        assert answer.ok, value["message"]
        return value


def soon(found: Callable[[], Any], seconds: float = 8) -> Any:
    """The first true answer; the last one when the time is over."""
    end = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """A browser that ends with the block."""
    command = shutil.which("chromedriver")
    if command is None:
        missing = "no Chromium: `apt-get install chromium-driver` brings it"
        if "chromium" in os.environ.get("GENESIS_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    with subprocess.Popen([command, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout
        started = next(line for line in driver.stdout if "started successfully on port" in line)
        port = started.rstrip(".\n").rpartition(" ")[2]
        try:
            browser = Browser(f"http://127.0.0.1:{port}")
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
