"""What arrives for a table that waits for a person, kept in order on this machine's disk until they decide.

`.genesis/held/DATA_SOURCE` has `pause.json`, which says why, and a numbered folder for each thing that
came: a batch of files as they were, or changes of a PostgreSQL as its server sent them. Each is there
whole or not at all, and survives a kill and a power cut. The surprise: whether it lands once is no
matter of this folder; the log knows batches and places, so what is found here twice lands once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from genesis.lake.catalog import STATE_FOLDER, told_as_problem
from genesis.lake.evolution import Change
from genesis.lake.incoming import Incoming


@dataclass(frozen=True)
class Pause:
    """Why nothing lands in a table, since when, and what a person may do.

    `is_told` says that those concerned have been told.
    """

    data_source: str
    since: datetime
    changes: tuple[Change, ...]
    way_out: str
    is_told: bool = False

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return {
            "data_source": self.data_source,
            "since": self.since.isoformat(),
            "changes": [change.to_json() for change in self.changes],
            "way_out": self.way_out,
            "is_told": self.is_told,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Pause:
        """What `to_json` gave."""
        return cls(
            said["data_source"],
            datetime.fromisoformat(said["since"]),
            tuple(Change(**change) for change in said["changes"]),
            said["way_out"],
            said["is_told"],
        )


@dataclass(frozen=True)
class Held:
    """One thing that is held: its folder, and what is said of it."""

    folder: Path
    said: Mapping[str, Any]

    @contextmanager
    def files(self) -> Iterator[tuple[Incoming, ...]]:
        """The files of a batch, open, under the names that they came by."""
        with ExitStack() as stack:
            opened = []
            for number, name in enumerate(self.said["names"]):
                path = self.folder / str(number)
                handle = stack.enter_context(path.open("rb"))
                opened.append(Incoming(name, handle, path.stat().st_size))
            yield tuple(opened)

    def messages(self) -> Iterator[bytes]:
        """The messages of a PostgreSQL, as they were sent."""
        with (self.folder / "0").open("rb") as file:
            while length := file.read(4):
                yield file.read(int.from_bytes(length))


class Holding:
    """What is held for one data source."""

    def __init__(self, root: Path, data_source: str) -> None:
        self.folder = root / STATE_FOLDER / "held" / data_source
        self._pause = self.folder / "pause.json"

    @property
    def pause(self) -> Pause | None:
        """Why it waits, `None` where it does not."""
        with self._told():
            if not self._pause.exists():
                return None
            return Pause.from_json(json.loads(self._pause.read_text(encoding="utf-8")))

    @property
    def held(self) -> Iterator[Held]:
        """What came, in order."""
        return map(_held, self._folders())

    @property
    def newest(self) -> Iterator[Held]:
        """What came, the last first."""
        return map(_held, reversed(self._folders()))

    @property
    def count(self) -> int:
        """How many things are held."""
        return len(self._folders())

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def begin(self, pause: Pause) -> None:
        """From here on whatever comes is held; or what is said of that is other than before."""
        with self._told():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self._pause.with_suffix(".part")
            _write(part, json.dumps(pause.to_json(), ensure_ascii=False).encode())
            part.replace(self._pause)
            _sync(self.folder)

    def mark_told(self) -> None:
        """Those concerned have been told."""
        if (pause := self.pause) is not None:
            self.begin(replace(pause, is_told=True))

    def keep_batch(self, batch: str, incoming: Sequence[Incoming], at: datetime) -> None:
        """Hold a batch of files, once; `at` is when it came."""
        if any(each.said.get("batch") == batch for each in self.held):
            return
        names = [each.name for each in incoming]
        said = {"batch": batch, "names": names, "at": at.isoformat()}
        self._keep(said, [each.copy_to for each in incoming])

    def keep_changes(self, said: Mapping[str, Any], messages: Iterable[bytes]) -> None:
        """Hold messages of a PostgreSQL."""

        def copy(file: BinaryIO) -> None:
            file.writelines(len(message).to_bytes(4) + message for message in messages)

        self._keep(said, [copy])

    def drop(self, held: Held) -> None:
        """It has landed."""
        with self._told():
            aside = held.folder.with_suffix(".part")  # a folder that is half gone would look whole
            held.folder.rename(aside)
            shutil.rmtree(aside)

    def end(self) -> None:
        """Nothing waits any more; what is still held is forgotten."""
        with self._told():
            for held in self.held:
                self.drop(held)
            self._pause.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(
        self, said: Mapping[str, Any], copies: Iterable[Callable[[BinaryIO], object]]
    ) -> None:
        last = max((int(folder.name) for folder in self._folders()), default=0)
        folder = self.folder / f"{last + 1:08}"
        part = folder.with_suffix(".part")
        with self._told():
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            for number, copy in enumerate(copies):
                with (part / str(number)).open("wb") as file:
                    copy(file)
                    _flush(file)
            _write(part / "said.json", json.dumps(said, ensure_ascii=False).encode())
            _sync(part)
            part.rename(folder)
            _sync(self.folder)

    def _folders(self) -> list[Path]:
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        return sorted(each for each in there if each.is_dir() and each.name.isdecimal())

    def _told(self) -> AbstractContextManager[None]:
        return told_as_problem(f"the folder `{self.folder}`")


def all_held(root: Path) -> Iterator[tuple[Pause, Holding]]:
    """Every data source of a project that waits, by name."""
    folder = root / STATE_FOLDER / "held"
    for each in sorted(folder.iterdir()) if folder.is_dir() else ():
        holding = Holding(root, each.name)
        if (pause := holding.pause) is not None:
            yield pause, holding


def _held(folder: Path) -> Held:
    return Held(folder, json.loads((folder / "said.json").read_text(encoding="utf-8")))


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        _flush(file)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
