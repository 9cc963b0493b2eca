"""Answers that are kept: what the same code made of the same files and words is told again at once.

An answer is found by the hash of all that it depends on, so that it is never stale; what it depends
on is the files of genesis and sqlglot (by size and time), the project's YAML (by its bytes) and the
command's own words. The surprise: nothing that is slow to import may be imported here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from genesis.folders import FOLDERS, PROJECT_FILE, yaml_files

MOST = 1_000  # answers of a project; beyond, the oldest half goes


class Kept:
    """The kept answer to one command's words about a project; it need not be there."""

    def __init__(self, root: Path, words: Iterable[object]) -> None:
        self._folder = root / ".genesis" / "answers"
        digest = hashlib.sha256()
        for part in (*_code(), *_project(root), *map(repr, words)):
            data = part if isinstance(part, bytes) else part.encode()
            digest.update(b"%d:" % len(data) + data)
        self._file = self._folder / digest.hexdigest()

    def read(self) -> str | None:
        """The answer, or `None`."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = self._file.read_text(encoding="utf-8")
            self._file.touch()
            return text.removesuffix(_END) if text.endswith(_END) else None
        return None

    def write(self, answer: str) -> None:
        """Keep an answer, where that can be done."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = self._file.with_suffix(f".{os.getpid()}")
            aside.write_text(answer + _END, encoding="utf-8")
            aside.replace(self._file)
            self._forget_some()

    def _forget_some(self) -> None:
        with os.scandir(self._folder) as entries:
            ages = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries)
        if len(ages) > MOST:
            for _, path in ages[: len(ages) // 2]:
                Path(path).unlink(missing_ok=True)


_END = "\n-- whole\n"  # an answer without it was not written to its end


def _code() -> Iterator[str]:
    """What tells the code that would answer from any other."""
    yield sys.version
    sqlglot = find_spec("sqlglot")
    yield _state(sqlglot.origin) if sqlglot and sqlglot.origin else ""
    for folder, folders, files in os.walk(Path(__file__).parents[1]):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (_state(f"{folder}/{name}") for name in sorted(files))


def _state(file: str) -> str:
    found = os.stat(file)  # noqa: PTH116  (two hundred of these are made)
    return f"{file} {found.st_size} {found.st_mtime_ns}"


def _project(root: Path) -> Iterator[str | bytes]:
    """The project's files; one that cannot be read is told by its name alone."""
    for path in (root / PROJECT_FILE, *(root / folder for folder in FOLDERS)):
        for file in yaml_files(path):
            yield os.path.relpath(file, root)
            with contextlib.suppress(OSError):
                yield file.read_bytes()
