"""`genesis demo-sheets`: a new user points trackers at the emulator, watches, writes, loses nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from genesis.testing.sheets.a1 import column_letters
from tests.browser import CONTROL, ENTER, F2, SHIFT, TAB, Browser, opened_browser, soon

GENESIS = (sys.executable, "-m", "genesis")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Its folder, and what the first start of the command said."""
    folder = tmp_path_factory.mktemp("sheets") / "studio"
    return folder, demo_sheets(folder, "--once").stdout


def demo_sheets(folder: Path, *options: str, port: int = 0) -> subprocess.CompletedProcess[str]:
    command = [*GENESIS, "demo-sheets", f"{folder}", "--port", f"{port}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_refreshes_and_follows_a_wave(project: tuple[Path, str]) -> None:
    """A wave costs one read and one write for each of the two trackers."""
    _, told = project
    assert re.search(r"first refresh -> Slate: \d+ inserted; Urgent: \d+ inserted", told), told
    assert re.search(r"14 changes -> Slate: .*Urgent: .*\(2 reads, 2 writes of", told), told


def test_its_project_is_one_that_check_has_no_word_against(project: tuple[Path, str]) -> None:
    folder, _ = project
    done = subprocess.run([*GENESIS, "-C", f"{folder}", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    refused = demo_sheets(tmp_path, "--once")
    assert refused.returncode == 64
    assert "folder-not-empty" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.odt"]


def test_a_port_that_is_taken_is_told(project: tuple[Path, str]) -> None:
    from genesis.testing.sheets import SheetsEmulator

    with SheetsEmulator() as other:
        taken = int(other.url.rpartition(":")[2])
        refused = demo_sheets(project[0], "--once", port=taken)
    assert refused.returncode == 64
    assert f"port {taken} cannot be listened on" in refused.stderr


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Browser, list[str]]]:
    """The command running, a browser at its page, and the lines it prints once it has ended."""
    command = [*GENESIS, "demo-sheets", f"{folder}", "--no-browser", "--port=0", "--every=1"]
    lines: list[str] = []
    with (
        opened_browser() as browser,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdout
        address = next((line.strip() for line in running.stdout if "http://" in line), "")
        assert address, "it ended before its page was there"
        try:
            browser.open(address)
            assert soon(lambda: browser.texts("#sheet tbody td.number"))
            yield browser, lines
        finally:
            running.send_signal(signal.SIGINT)
            lines += running.stdout.read().splitlines()
    assert running.returncode == 0


@contextmanager
def started(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command running, and the address of its spreadsheet in the emulator's API; then it is ended."""
    command = [*GENESIS, "demo-sheets", f"{folder}", "--no-browser", "--port=0", "--every=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        address = next((line.strip() for line in running.stdout if "http://" in line), "")
        try:
            yield (
                address.replace("/spreadsheets/d/", "/v4/spreadsheets/").removesuffix("/edit"),
                running,
            )
        finally:
            running.terminate()


def test_remarks_outlive_the_spreadsheet(project: tuple[Path, str]) -> None:
    """The emulator keeps nothing: they come back from their table. A SIGTERM is an end like Ctrl-C."""
    folder, _ = project
    with started(folder) as (api, running):
        assert running.stdout
        header, first, *_ = values(api)
        at = f"Slate!{column_letters(header.index('Remarks'))}2"
        asked = requests.put(
            f"{api}/values/{at}",
            params={"valueInputOption": "RAW"},
            json={"values": [["call the agent twice"]]},
            timeout=10,
        )
        assert asked.ok, asked.text
        for _ in range(2):
            assert any("changes -> Slate" in line for line in running.stdout)
        running.terminate()
        assert "the spreadsheet is gone with its emulator" in running.stdout.read()
    assert running.returncode == 0
    with started(folder) as (api, _):
        found = [row for row in values(api) if "call the agent twice" in row]
        assert [row[0] for row in found] == [first[0]]


def values(api: str) -> list[list[str]]:
    found = requests.get(f"{api}/values/Slate", timeout=10).json()["values"]
    return [list(row) for row in found]


def row_of(browser: Browser, text: str) -> list[str]:
    script = """const row = [...document.querySelectorAll('#sheet tbody tr')]
        .find((tr) => [...tr.cells].some((td) => td.textContent === arguments[0]));
        return row ? [...row.cells].map((td) => td.textContent) : [];"""
    return list(browser.run(script, text))


def go_to(browser: Browser, code: str, column: int) -> None:
    """Click into the row of a production, wherever it is by now."""
    row = row_of(browser, code)[0]
    at = browser.texts("#sheet tbody th.number").index(row) + 2
    browser.run("document.querySelector('#sheet').scrollLeft = 0")  # not under the frozen numbers
    browser.click(f"#sheet tbody tr:nth-child({at}) td:nth-of-type({column})")


def test_what_a_person_writes_stays_with_its_row_and_is_read_back(
    project: tuple[Path, str],
) -> None:
    folder, _ = project
    with watched(folder) as (browser, lines):
        codes = [code for code in browser.texts("#sheet tbody td:nth-of-type(1)") if code][1:6]
        go_to(browser, codes[0], 9)
        browser.press("go", TAB, "call the agent", ENTER)
        go_to(browser, codes[1], 1)
        browser.click("#colours button:nth-child(4)")
        browser.press(F2, held=SHIFT)
        browser.press("by Monday")
        browser.press(ENTER, held=CONTROL)
        browser.click("#tools [data-do='insert above']")
        calls = int(browser.text("#call-count"))
        assert soon(lambda: int(browser.text("#call-count")) >= calls + 8, 40), "no more waves"
        assert soon(lambda: browser.texts("td.flash"), 20)
        kept = row_of(browser, codes[0])
        noted = browser.run(
            """return [...document.querySelectorAll('#sheet tbody td.note')]
            .map((td) => [td.textContent, td.dataset.note, td.style.backgroundColor])"""
        )
    assert {"go", "call the agent"} <= set(kept)
    assert [codes[1], "by Monday", "rgb(255, 242, 204)"] in noted
    assert sum("changes -> Slate" in line for line in lines) >= 2
    asked = [*GENESIS, "-C", f"{folder}", "preview", "remarks"]
    _define_remarks(folder)
    assert "call the agent" in subprocess.run(asked, capture_output=True, text=True).stdout


def _define_remarks(folder: Path) -> None:
    """What people said is a table like any other."""
    (folder / "definitions" / "remark.yaml").write_text(
        """\
data_source: remark
table: annotations.sheets_refresh_slate
primary_key: production_id
latest: true
fields: {production_id: integer, decision: string, remarks: string}
""",
        encoding="utf-8",
    )
    (folder / "inputs" / "remarks.yaml").write_text(
        "input: remarks\nsource: remark\nfields: [production_id, decision, remarks]\n",
        encoding="utf-8",
    )
