"""A project that is edited while it is scheduled: what is broken keeps its last good version.

It is all or nothing by file: of a file with an error, what it said before goes on. What a run has
begun with, it ends with. The surprise: a definition that was deleted is gone at once; only a broken
file is taken for a slip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genesis.errors import Problem, Problems
from genesis.spec.project import SETTINGS, Project

_KINDS = ("data_sources", "formatters", "inputs", "workflows", "audits", "templates")


@dataclass(frozen=True)
class Loaded:
    """A project as it may be scheduled, and what is wrong in its files."""

    project: Project
    problems: tuple[Problem, ...] = ()


@dataclass
class Reloader:
    """Reads a project again when its files have changed.

    Args:
        load: Reads the project, and tells all problems in it.
        files: The files of the project.
    """

    load: Callable[[Problems], Project]
    files: Callable[[], Iterable[Path]]
    _seen: Mapping[Path, tuple[int, int]] | None = None
    _last: Project | None = None

    def changed(self) -> Loaded | None:
        """The project where a file has changed since; else nothing."""
        seen = {file: _version(file) for file in self.files()}
        if seen == self._seen:
            return None
        problems = Problems()
        found = self.load(problems)
        self._seen = seen
        self._last = merged(found, self._last, problems.errors) if self._last else found
        return Loaded(self._last, problems.errors)


def merged(new: Project, last: Project, errors: Iterable[Problem]) -> Project:
    """The new project, with what the last one had from files that are in error now."""
    broken = {problem.at.file for problem in errors if problem.at}
    kept: dict[str, Any] = {}
    for kind in _KINDS:
        before, now = getattr(last, kind), getattr(new, kind)
        old = {name: each for name, each in before.items() if _file(each) in broken}
        kept[kind] = {name: each for name, each in now.items() if _file(each) not in broken} | old
    if SETTINGS in new.broken:
        kept["settings"] = last.settings
    known = {(kind[:-1], name) for kind in _KINDS for name in kept[kind]} | {SETTINGS}
    return replace(new, broken=new.broken - known, **kept)


def _file(definition: Any) -> str | None:
    return getattr(definition, "file", None)


def _version(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)
