"""The studio's story in six steps, told on a terminal while it happens."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from genesis.demo.person import Note, annotate, notes_in
from genesis.demo.studio import write_events

TRACKER = Path("trackers") / "production_tracker.xlsx"
SHOWN_CHANGES = 8
ANCHOR = Path(".genesis") / "demo-day"


def tell(root: Path) -> int:
    """Tell the story in a project that holds the studio; the exit code."""
    started = time.monotonic()
    try:
        notes = _first_day(root)
        _second_day(root, notes)
    except subprocess.CalledProcessError as failed:
        click.echo(
            f"\n`{_shown(failed.cmd)}` failed ({failed.returncode}):\n{failed.stderr}",
            err=True,
        )
        return failed.returncode
    _say_what_next(root, time.monotonic() - started)
    return 0


def _first_day(root: Path) -> list[Note]:
    _step(1, "Change events arrive (a seeded studio over 2,400 real films)")
    write_events(root, anchor=_anchor(root))
    _ingest(root, "first")
    _step(2, "Is the YAML right? Which SQL does it mean?")
    _say(_genesis(root, "check").stderr.strip())
    written = (root / "inputs" / "production_tracker.yaml").read_text(encoding="utf-8").splitlines()
    meant = _genesis(root, "compile", "production_tracker").stdout.splitlines()
    _say(
        f"genesis compile production_tracker: {len(meant)} lines of SQL from {len(written)} of YAML"
    )
    _step(3, "Every tracker is refreshed, the logs are kept small, an audit looks")
    _refresh(root)
    _step(4, "A person works in the tracker")
    notes = notes_in(root / TRACKER)
    if not notes:
        notes = annotate(root / TRACKER)
    for note in notes:
        _say(f"wrote beside {note.code}: {note.text!r}")
    _say("and coloured a row, and put it on top")
    return notes


def _second_day(root: Path, notes: Sequence[Note]) -> None:
    _step(5, "A day later: new events land, the trackers follow")
    _ingest(root, "second")
    _say("genesis run production_tracker --dry-run:")
    planned = _genesis(root, "run", "production_tracker", "--dry-run").stdout.splitlines()
    for line in planned[:SHOWN_CHANGES]:
        _say(line)
    _refresh(root)
    _step(6, "What became of the notes")
    kept = {note.code: note.text for note in notes_in(root / TRACKER)}
    for note in notes:
        mark = "still beside" if kept.get(note.code) == note.text else "LOST from"
        _say(f"{note.text!r} is {mark} {note.code}")
    unchanged = [job for job in _run_all(root) if job["tracker"]]
    writes = sum((job["receipt"] or {"calls": {"write": 0}})["calls"]["write"] for job in unchanged)
    _say(f"refreshed once more with nothing new: {writes} writes in {len(unchanged)} trackers")


def _anchor(root: Path) -> date:
    """The day the story was first told here; later tellings stay with it, so batches stay the same."""
    file = root / ANCHOR
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(datetime.now(UTC).date().isoformat(), encoding="utf-8")
    return date.fromisoformat(file.read_text(encoding="utf-8"))


def _ingest(root: Path, wave: str) -> None:
    files = sorted((root / "events" / wave).glob("*.jsonl"))
    for number, file in enumerate(files, start=1):
        _progress(f"ingesting {file.stem} ({number} of {len(files)})")
        # Exit code 1: some events were refused, which the studio's tasks contain on purpose.
        done = _genesis(root, "ingest", file.stem, str(file), allowed=(0, 1))
        for line in done.stderr.strip().splitlines():
            _say(line)


def _refresh(root: Path) -> None:
    for job in _run_all(root):
        receipt = job["receipt"]
        counts = [
            f"{receipt[name]:,} {name}"
            for name in ("inserted", "updated", "deleted")
            if receipt and receipt.get(name)
        ]
        said = ", ".join(counts) or job["outcome"].replace("_", " ")
        where = f"  -> {job['tracker']}" if job["tracker"] else ""
        _say(f"{job['job']}: {said}{where}")


def _run_all(root: Path) -> list[dict[str, Any]]:
    _progress("refreshing")
    done = _genesis(root, "run", "--all", "--format", "json")
    jobs: list[dict[str, Any]] = json.loads(done.stdout)["jobs"]
    return jobs


def _genesis(
    root: Path, *arguments: str, allowed: Sequence[int] = (0,)
) -> subprocess.CompletedProcess[str]:
    """One command, as a person would give it."""
    command = [sys.executable, "-m", "genesis", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in allowed:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done


def _shown(command: Sequence[str]) -> str:
    return " ".join(["genesis", *command[3:]])


def _step(number: int, title: str) -> None:
    _clear()
    click.echo(f"\n{number}. {title}")


def _say(text: str) -> None:
    _clear()
    for line in text.splitlines():
        click.echo(f"   {line}")


def _progress(text: str) -> None:
    """What is being done, on a terminal only; the next line takes its place."""
    if sys.stdout.isatty():
        click.echo(f"\r\033[K   {text} ...", nl=False)


def _clear() -> None:
    if sys.stdout.isatty():
        click.echo("\r\033[K", nl=False)


def _say_what_next(root: Path, seconds: float) -> None:
    here = root == Path.cwd()
    genesis = "genesis" if here else f"genesis -C {root}"
    click.echo(
        f"""
Done in {seconds:.0f} s. Open:
   {root / TRACKER}
Try next (`. .venv/bin/activate` first, if genesis is not on the path):
   {genesis} status                            how fresh each tracker is
   {genesis} schedule                          all of it on time, until Ctrl-C
   {genesis} preview open_tasks                rows of an input
   {genesis} compile open_tasks --dialect trino
   edit inputs/open_tasks.yaml, then: {genesis} check && {genesis} run open_tasks --dry-run"""
    )
