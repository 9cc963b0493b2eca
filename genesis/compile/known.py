"""What was found before in definitions that rest on the same texts, so that nobody looks again.

A data source rests on its file, on those of what it extends and of all that its joins lead to; an
input on its own and its source's. What changes how any of them reads stands in every key: settings,
formatters, and the words of SQL that are names of fields. The surprise: what holds an error is looked at
every time, since a hint may name anything in the project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from genesis.compile.joins import target_name
from genesis.compile.survey import survey
from genesis.compile.trackers import Heading
from genesis.errors import MAX_MISTAKES, Enough, Problem, Problems
from genesis.spec.data_source import DataSource
from genesis.spec.formatter import BUILT_IN
from genesis.spec.input import Input
from genesis.spec.model import Located
from genesis.spec.project import SETTINGS, Project


class Found(NamedTuple):
    """What looking at a definition gave: problems and, of an input, the headings of its columns."""

    problems: tuple[Problem, ...]
    headings: tuple[Heading, ...] | None = None


class Known:
    """What is known of a project's definitions by what was found in `before`, and what was found `now`."""

    def __init__(self, project: Project, before: Mapping[str, Found]) -> None:
        self.now: dict[str, Found] = {}
        self._project, self._before = project, before
        self._hashes: dict[str, str] = {}
        self._reached: dict[str, str] = {}
        self._base = _hash(self._bases())

    def find(
        self,
        definition: DataSource | Input,
        look: Callable[[Problems], tuple[Heading, ...] | None],
    ) -> Found:
        """What there is to be found in a definition; `look` finds it, if it is not known."""
        key = self._key(definition)
        found = self._before.get(key)
        if found is None:
            problems, headings = Problems(most=MAX_MISTAKES), None
            with suppress(Enough):
                headings = look(problems)
            found = Found(tuple(problems), headings)
        if all(problem.severity == "warning" for problem in found.problems):
            self.now[key] = found
        return found

    def kept(self) -> dict[str, Found]:
        """What is worth keeping: all that was found now, and at most as much of what was before."""
        return dict(islice({**self.now, **self._before}.items(), 2 * len(self.now)))

    def _key(self, definition: DataSource | Input) -> str:
        start = definition.source if isinstance(definition, Input) else definition.name
        if start not in self._reached:
            self._reached[start] = _hash(self._rests(start))
        own = self._hash_of(definition)
        return _hash([self._base, definition.kind, definition.name, own, self._reached[start]])

    def _bases(self) -> Iterator[str]:
        project = self._project
        yield project.settings.model_dump_json()
        yield str(SETTINGS in project.broken)
        yield from sorted(survey(project).words)
        for name, formatter in project.formatters.items():
            if formatter is not BUILT_IN.get(name):
                yield f"{name} {self._hash_of(formatter)}"
        yield from sorted(name for kind, name in project.broken if kind == "formatters")

    def _rests(self, start: str) -> Iterator[str]:
        """The data sources that one reaches, whether they are there or not, with their files."""
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            source = self._project.data_sources.get(name)
            if source is not None:
                waiting += [target_name(source, join) for join in source.joins]
                waiting += [source.extends] if source.extends else []
        for name in sorted(reached):
            source = self._project.data_sources.get(name)
            is_broken = ("data_source", name) in self._project.broken
            yield f"{name} {self._hash_of(source) if source else is_broken}"

    def _hash_of(self, definition: Located) -> str:
        file = definition.file
        if file not in self._hashes:
            self._hashes[file] = _hash([file, definition.text])
        return self._hashes[file]


def _hash(parts: Iterable[str]) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()
