"""The studio as files: definitions, inputs, workflows, and the events of its two waves."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from genesis.demo.events import waves, write_wave

SEED = 7
FOLDERS = ("definitions", "inputs", "workflows")


def studio_files() -> Path:
    """Where the studio's YAML is: shipped within the package, or at the root of its repository."""
    shipped = Path(__file__).parent / "studio"
    return shipped if shipped.is_dir() else Path(__file__).parents[2]


def write_studio(folder: Path, *, anchor: date) -> None:
    """Write the studio's project and its events, as of the day `anchor`, into a folder."""
    source = studio_files()
    folder.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.copytree(source / name, folder / name, dirs_exist_ok=True)
    shutil.copy(source / "genesis.yaml", folder / "genesis.yaml")
    (folder / ".gitignore").write_text(".genesis/\ntrackers/\nevents/\n", encoding="utf-8")
    write_events(folder, anchor=anchor)


def write_events(folder: Path, *, anchor: date) -> None:
    """Write the events of both waves below `events/`, unless they are there."""
    folders = [folder / "events" / name for name in ("first", "second")]
    if all(each.is_dir() for each in folders):
        return
    for wave, each in zip(waves(SEED, anchor), folders, strict=True):
        if not each.is_dir():
            write_wave(wave, each)
