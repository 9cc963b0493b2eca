"""`genesis demo-sheets`: trackers in an emulated Google spreadsheet, to be watched in a browser.

The spreadsheet lives as long as the command. What people write into the columns that are asked of them is in
the project's lake after the next refresh, outlives it, and stands in the next spreadsheet again.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import click

from genesis.errors import Problem, UsageError

if TYPE_CHECKING:
    from genesis.demo.live import Floor
    from genesis.testing.sheets import Call, SheetsEmulator

PORT = 8765
INTERRUPTED = 130


@click.command("demo-sheets")
@click.argument(
    "folder", type=click.Path(path_type=Path), default=Path("sheets-demo"), metavar="[DIR]"
)
@click.option(
    "--port", default=PORT, show_default=True, help="Where the emulator listens; 0 takes any."
)
@click.option(
    "--every",
    default=4.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="The pause between two waves of changes.",
)
@click.option("--once", is_flag=True, help="One refresh, one wave, then the end.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the address is printed anyway.")
def command(folder: Path, port: int, every: float, once: bool, no_browser: bool) -> int:
    """Watch trackers in a Google spreadsheet being kept in step, without an account.

    An emulator of Google Sheets is started, a studio's project is written to DIR (by default
    `sheets-demo`) and pointed at it, and every few seconds data changes. Type, colour, sort,
    insert: what is yours stays with its row.

    \b
    genesis demo-sheets
    genesis demo-sheets --no-browser --port 0
    """
    from genesis.demo.live import Floor
    from genesis.demo.sheets import point_at

    for number in (signal.SIGINT, signal.SIGTERM):  # what a shell starts with `&` ignores the first
        signal.signal(number, _interrupt)
    _write(folder)
    with _emulator(port) as google:
        spreadsheet = google.new_spreadsheet("The studio")
        point_at(folder, endpoint=google.url, spreadsheet=spreadsheet)
        demo = _Demo(folder, google, Floor.of(_events(folder)))
        demo.land_history()
        if code := demo.refresh("first refresh"):
            return code
        google.person(spreadsheet).deletes_tab("Sheet1")
        address = f"{google.url}/spreadsheets/d/{spreadsheet}/edit"
        _say_where(folder, address)
        if not (once or no_browser):
            click.launch(address)
        code = _go_on(demo, every, once=once)
    click.echo(f"the spreadsheet is gone with its emulator; the project is in {folder.resolve()}")
    return code


def _interrupt(*_: object) -> None:
    """End as with Ctrl-C, whoever asks."""
    raise KeyboardInterrupt


def _write(folder: Path) -> None:
    """The project, unless it is there. Raises `UsageError` where something else is."""
    from genesis.demo.sheets import is_sheets_project, write_project

    if is_sheets_project(folder):
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = "name a new folder: `genesis demo-sheets studio-sheets`"
        message = f"`{folder.resolve()}` holds something else"
        raise UsageError(Problem("folder-not-empty", message, hint=hint))
    click.echo(f"a studio is written to {folder.resolve()}")
    write_project(folder, anchor=datetime.now(UTC).date())


@contextlib.contextmanager
def _emulator(port: int) -> Iterator[SheetsEmulator]:
    from genesis.testing.sheets import SheetsEmulator

    with contextlib.ExitStack() as stack:
        try:
            google = stack.enter_context(SheetsEmulator(port=port))
        except (OSError, OverflowError) as error:
            hint = "`--port 0` takes one that is free"
            message = f"port {port} cannot be listened on: {error}"
            raise UsageError(Problem("wrong-usage", message, hint=hint)) from None
        yield google


def _events(folder: Path) -> list[Path]:
    return [folder / "events" / name for name in ("first", "live")]


def _say_where(folder: Path, address: str) -> None:
    click.echo(
        f"""
   {address}
      Watch it, and work in it: type decisions and remarks, colour rows, add notes, sort, move on.
   genesis -C {folder} run sheets --dry-run     in another terminal, what a refresh would change
   {folder / "workflows" / "sheets.yaml"}     which trackers there are
   Ctrl-C ends it, and the spreadsheet with it; decisions and remarks are there again next time
"""
    )


def _go_on(demo: _Demo, every: float, *, once: bool) -> int:
    try:
        code = demo.wave()
        while not once:
            time.sleep(every)
            code = demo.wave()
    except KeyboardInterrupt:
        click.echo()
        return 0
    return code


@dataclass
class _Demo:
    """A project, the emulator its trackers live in, and the records that change."""

    root: Path
    google: SheetsEmulator
    floor: Floor

    def land_history(self) -> None:
        """The studio's life so far, told once for each project."""
        from genesis.demo.sheets import SOURCES

        done = self.root / ".genesis" / "history-landed"
        if done.exists():
            return
        for number, source in enumerate(SOURCES, start=1):
            click.echo(f"change events land: {source} ({number} of {len(SOURCES)})")
            self._land(source, self.root / "events" / "first" / f"{source}.jsonl")
        done.touch()

    def wave(self) -> int:
        """Some records change, and the trackers follow; the refresh's exit code."""
        now = datetime.now(UTC)
        changes = self.floor.wave(Random(f"{now}"), now)  # noqa: S311  (a demo's dice)
        folder = self.root / "events" / "live"
        folder.mkdir(exist_ok=True)
        for source, events in changes.items():
            file = folder / f"{source}-{now:%Y%m%dT%H%M%S%f}.jsonl"
            file.write_text("".join(f"{event}\n" for event in events), encoding="utf-8")
            self._land(source, file)
        return self.refresh(f"{sum(map(len, changes.values()))} changes")

    def refresh(self, why: str) -> int:
        """Refresh all trackers and tell it in a line, with the calls it took; the exit code."""
        began, first = time.monotonic(), len(self.google.calls)
        code, out, err = _genesis(self.root, "run", "sheets", "--format", "json")
        jobs: list[dict[str, Any]] = json.loads(out or '{"jobs": []}')["jobs"]
        told = "; ".join(f"{job['tracker'].rpartition(', ')[2]}: {_outcome(job)}" for job in jobs)
        calls = _calls(self.google.calls[first:])
        seconds = time.monotonic() - began
        click.echo(f"{datetime.now():%H:%M:%S} {why} -> {told} ({calls}, {seconds:.1f} s)")  # noqa: DTZ005
        if err.strip():
            click.echo(err.rstrip(), err=True)
        return code

    def _land(self, source: str, file: Path) -> None:
        code, _, err = _genesis(self.root, "ingest", source, f"{file.resolve()}")
        # Exit code 1: some events were refused, which the studio's tasks contain on purpose.
        if code > 1:
            click.echo(err.rstrip(), err=True)


def _genesis(root: Path, *arguments: str) -> tuple[int, str, str]:
    """A command as a person would give it, without a process of its own: code, stdout, stderr."""
    from genesis.cli import run_command

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_command(["-C", f"{root}", *arguments])
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code, out.getvalue(), err.getvalue()


def _outcome(job: dict[str, Any]) -> str:
    receipt = job["receipt"] or {}
    names = ("inserted", "updated", "deleted", "moved")
    counts = [f"{receipt[name]:,} {name}" for name in names if receipt.get(name)]
    return ", ".join(counts) or job["outcome"].replace("_", " ")


def _calls(calls: list[Call]) -> str:
    writes = [call for call in calls if call.is_write]
    sent = sum(call.sent for call in writes) / 1000
    return f"{len(calls) - len(writes)} reads, {len(writes)} writes of {sent:.1f} kB"
