"""Answers that are kept: what the same code made of the same files and words is told again at once.

An answer is found by the hash of all that it depends on, so that it is never stale; what it depends
on is the files of genesis and sqlglot (by size and time), the project's YAML (by its bytes) and the
command's own words. The surprise: nothing that is slow to import may be imported here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesis.errors import Fix, Location, Problem
from genesis.folders import FOLDERS, PROJECT_FILE, yaml_files

if TYPE_CHECKING:
    from genesis.compile.known import Found

MOST = 1_000  # answers of a project; beyond, the oldest half goes
MOST_BYTES = 64 * 1024 * 1024  # of all of them


class Kept:
    """The kept answer to one command's words about a project; it need not be there."""

    def __init__(self, root: Path, words: Iterable[object]) -> None:
        parts = (*_code(), *_project(root), *map(repr, words))
        self._file = _Answer(root, _hash(parts))

    def read(self) -> str | None:
        """The answer, or `None`."""
        return self._file.read()

    def write(self, answer: str) -> None:
        """Keep an answer, where that can be done."""
        self._file.write(answer)


class KeptFindings:
    """What the same code found in a project's definitions, by the hash of what each rests on."""

    def __init__(self, root: Path) -> None:
        self._file = _Answer(root, f"findings-{_hash(_code())}")

    def read(self) -> dict[str, Found]:
        """All that was kept; nothing where it cannot be read."""
        from genesis.compile.known import Found
        from genesis.compile.trackers import Heading

        def found(problems: list[Any], headings: list[Any] | None) -> Found:
            columns = None if headings is None else tuple(Heading(*one) for one in headings)
            return Found(tuple(map(problem_of, problems)), columns)

        try:
            return {key: found(*one) for key, one in json.loads(self._file.read() or "{}").items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def write(self, findings: Mapping[str, Found]) -> None:
        """Keep all of this, and nothing that was kept before."""
        told = {key: (parts_of(one.problems), one.headings) for key, one in findings.items()}
        self._file.write(json.dumps(told))


def parts_of(problems: Iterable[Problem]) -> list[tuple[Any, ...]]:
    """Problems as JSON can hold them."""
    return [astuple(problem) for problem in problems]


def problem_of(parts: list[Any]) -> Problem:
    """The problem of such parts."""
    code, message, at, hint, severity, fix = parts
    place = Location(*at) if at else None
    mend = Fix(Location(*fix[0]), *fix[1:]) if fix else None
    return Problem(code, message, place, hint, severity, mend)


class _Answer:
    """A file of answers: whole or not there, whoever writes it at the same time."""

    def __init__(self, root: Path, name: str) -> None:
        self._folder = root / ".genesis" / "answers"
        self._file = self._folder / name

    def read(self) -> str | None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = self._file.read_text(encoding="utf-8")
            self._file.touch()
            return text.removesuffix(_END) if text.endswith(_END) else None
        return None

    def write(self, answer: str) -> None:
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
