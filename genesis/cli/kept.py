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
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from genesis.folders import FOLDERS, PROJECT_FILE, find_root, yaml_files

MOST = 1_000  # answers of a project; beyond, the oldest half goes
MOST_BYTES = 64 * 1024 * 1024  # of all of them


def kept_for(arguments: Sequence[str]) -> Kept | None:
    """The kept answer to a command line of `compile` in some project; others keep none as a whole."""
    folder, words = None, list(arguments)
    while len(words) > 1 and words[0] in ("-C", "--target"):
        folder = words[1] if words[0] == "-C" else folder
        words = words[2:]
    if words[:1] != ["compile"]:
        return None
    root = find_root(Path.cwd()) if folder is None else Path(folder).resolve()
    # Names of files begin where the command is given.
    return Kept(root, (*arguments, Path.cwd())) if root is not None and root.is_dir() else None


class Kept:
    """The kept answer to one command's words about a project; it need not be there."""

    def __init__(self, root: Path, words: Iterable[object]) -> None:
        parts = (*_code(), *_project(root), *map(repr, words))
        self._file = Answer(root, _hash(parts))

    def read(self) -> str | None:
        """The answer, or `None`."""
        return self._file.read()

    def write(self, answer: str) -> None:
        """Keep an answer, where that can be done."""
        self._file.write(answer)


class Answer:
    """A file of an answer: whole or not there, whoever writes it at the same time."""

    def __init__(self, root: Path, name: str) -> None:
        self._folder = root / ".genesis" / "answers"
        self._file = self._folder / name

    def read(self) -> str | None:
        """What it holds, or `None`."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = self._file.read_text(encoding="utf-8")
            self._file.touch()
            return text.removesuffix(_END) if text.endswith(_END) else None
        return None

    def write(self, answer: str) -> None:
        """Hold an answer, where that can be done."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = self._file.with_suffix(f".{os.getpid()}")
            aside.write_text(answer + _END, encoding="utf-8")
            aside.replace(self._file)
            self._forget_some()

    def _forget_some(self) -> None:
        with os.scandir(self._folder) as entries:
            states = [(entry.stat(), entry.path) for entry in entries]
        if len(states) > MOST or sum(state.st_size for state, _ in states) > MOST_BYTES:
            ages = sorted((state.st_mtime_ns, path) for state, path in states)
            for _, path in ages[: len(ages) // 2]:
                Path(path).unlink(missing_ok=True)


_END = "\n-- whole\n"  # an answer without it was not written to its end


def _hash(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def code_hash() -> str:
    """What tells the code that would answer from any other."""
    return _hash(_code())


def _code() -> Iterator[str]:
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
