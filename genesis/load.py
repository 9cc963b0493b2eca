"""A project's folder -> `Project`, with every problem its files have.

Reading is stateless: it opens YAML files and nothing else. One broken file does not stop the
healthy ones; what could not be read is remembered as broken, so that its users are not blamed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from pathlib import Path

from genesis.document import Document, Values, read_documents
from genesis.errors import Location, Problems, did_you_mean, nearest
from genesis.folders import FOLDERS, PROJECT_FILE, file_name, project_files, yaml_files
from genesis.spec.data_source import DataSource
from genesis.spec.extend import inherit
from genesis.spec.formatter import BUILT_IN, Formatter
from genesis.spec.input import Input
from genesis.spec.model import (
    DEFINITIONS,
    ENTRIES,
    FIRST_KEYS,
    Definition,
    Located,
    read_definition,
    read_entries,
    read_model,
)
from genesis.spec.project import SETTINGS, Project, ProjectFile

MAX_BYTES = 4 * 1024 * 1024  # of a file: far more than any that is read, far less than memory
MOST_BYTES = 64 * 1024  # that most files have


def load_project(
    root: Path,
    problems: Problems,
    *,
    texts: Mapping[str, str] | None = None,
    lenient: bool = False,
    before: Values | None = None,
    tests: bool = True,
) -> Project:
    """The project below `root`. Problems are collected; what is healthy is in the project."""
    found = load_files(
        root, _folders(root), problems, texts=texts, lenient=lenient, before=before, tests=tests
    )
    return replace(found, is_whole=True)


def load_for(root: Path, names: Iterable[str]) -> Project | None:
    """The project as far as reports of these inputs need it; `None` where that does not do.

    A file that begins with another input or a workflow, and holds nothing else, is not parsed; nor are tests. Where
    a name is no input, or anything is wrong in what was read, the whole project has to be loaded:
    problems and suggestions know of everything.
    """
    problems, wanted = Problems(), frozenset(names)
    project = load_files(root, _folders(root), problems, only=wanted, tests=False)
    return project if not problems and wanted <= project.inputs.keys() else None


def load_texts(
    texts: Mapping[str, bytes], problems: Problems, *, before: Values | None = None
) -> Project:
    """The project of files that are no files here, by their names from its root: those of a revision."""
    loader = _Loader(Path(), problems, {}, before=before)
    settings = loader.settings_of(texts.get(PROJECT_FILE), Problems())
    for name in project_files(texts):
        loader.take(name, texts[name])
    return replace(loader.project(settings), is_whole=True)


def _folders(root: Path) -> list[Path]:
    return [root / folder for folder in FOLDERS]


def load_files(
    root: Path,
    paths: Iterable[Path],
    problems: Problems,
    *,
    texts: Mapping[str, str] | None = None,
    only: Set[str] | None = None,
    lenient: bool = False,
    before: Values | None = None,
    tests: bool = True,
) -> Project:
    """The definitions in the given files and folders, with the settings of `root`, if it has any.

    `texts` are read instead of what stands in the files of these names. With `only` some inputs, the files of
    others and of workflows stay unread. A lenient project is for telling problems alone: it holds definitions
    without their wrong keys. What is known from `before` is not parsed again. Without `tests`, they are not read.
    """
    loader = _Loader(
        root, problems, texts or {}, only=only, lenient=lenient, before=before, tests=tests
    )
    settings = loader.settings()
    for path in paths:
        for file in yaml_files(path):
            loader.read(file)
    return loader.project(settings)


class _Loader:
    def __init__(
        self,
        root: Path,
        problems: Problems,
        texts: Mapping[str, str],
        *,
        only: Set[str] | None = None,
        lenient: bool = False,
        before: Values | None = None,
        tests: bool = False,
    ) -> None:
        self._root = root
        self._only = only
        self._tests = tests
        self._values = before
        self._lenient = lenient
        self._texts = texts
        self._problems = problems
        self._found: dict[str, dict[str, Located]] = {}
        self._broken: set[tuple[str, str]] = set()
        self._read: set[str] = set()
        self._folders: dict[str, tuple[str, str]] = {}

    def settings(self) -> ProjectFile:
        file, told = self._root / PROJECT_FILE, Problems()
        content = self._content(file, PROJECT_FILE, told) if file.is_file() else None
        return self.settings_of(content, told)

    def settings_of(self, content: bytes | None, told: Problems) -> ProjectFile:
        """The settings that a project file says; those by default where there is none."""
        documents = self._documents(PROJECT_FILE, content, told) if content is not None else []
        found = read_model(ProjectFile, documents[0], told) if documents else None
        for more in documents[1:]:
            message = f"`{PROJECT_FILE}` is one document"
            hint = "definitions stand in files of their own"
            told.add("unknown-document", message, more.locate(), hint=hint)
        self._problems.extend(told.errors)  # an empty one is fine: every key has a default
        if told.errors:
            self._broken.add(SETTINGS)
        return found or ProjectFile()

    def read(self, file: Path) -> None:
        real, name = self._names(file)
        if real in self._read:
            return
        self._read.add(real)
        content = self._content(file, name, self._problems)
        if content is not None:
            self.take(name, content)

    def take(self, name: str, content: bytes) -> None:
        """Take in what a file of this name holds."""
        if not self._tests and b"tests:" in content:
            content = _without_tests(content)
            if not content:
                return
        if self._only is not None and _is_of_another(content, self._only):
            return
        for document in self._documents(name, content, self._problems):
            self._take(document)

    def _names(self, file: Path) -> tuple[str, str]:
        """A file's path without links, and its name in messages; each folder is resolved once."""
        folder, name = os.path.split(file)
        if folder not in self._folders:
            shown = file_name(file, self._root).removesuffix(name)
            self._folders[folder] = os.path.realpath(folder), shown
        real, shown = self._folders[folder]
        path = os.path.realpath(file) if file.is_symlink() else f"{real}{os.sep}{name}"
        return path, shown + name

    def project(self, settings: ProjectFile) -> Project:
        found = {kind: dict(sorted(entries.items())) for kind, entries in self._found.items()}
        written: dict[str, DataSource] = found.get("data_source", {})  # type: ignore[assignment]
        sources = inherit(written, self._broken, self._problems)
        self._broken |= {("data_source", name) for name in written.keys() - sources.keys()}
        # The keys of `found` are the kinds, each filled only from its own model.
        return Project(
            settings=settings,
            data_sources=sources,
            formatters={**BUILT_IN, **found.get("formatters", {})},  # type: ignore[dict-item]
            inputs=found.get("input", {}),  # type: ignore[arg-type]
            workflows=found.get("workflow", {}),  # type: ignore[arg-type]
            audits=found.get("audit", {}),  # type: ignore[arg-type]
            templates=found.get("templates", {}),  # type: ignore[arg-type]
            tests=found.get("tests", {}),  # type: ignore[arg-type]
            broken=frozenset(self._broken),
            faults=self._problems.errors,
        )

    def _documents(self, name: str, content: bytes, problems: Problems) -> list[Document]:
        before = len(problems)
        documents = read_documents(name, content, problems, self._values)
        if len(problems) > before:
            self._broken |= set(_names_in(content.decode("utf-8", "replace")))
        return documents

    def _content(self, file: Path, name: str, problems: Problems) -> bytes | None:
        """What a file holds, or `None` with the problem told."""
        if name in self._texts:
            return self._texts[name].encode()
        try:
            with file.open("rb") as stream:
                start = stream.read(MOST_BYTES)  # room for all of what is read is made beforehand
                is_whole = len(start) < MOST_BYTES
                return start if is_whole else start + stream.read(MAX_BYTES - MOST_BYTES)
        except OSError as error:
            message = f"the file cannot be read: {error.strerror}"
            problems.add("unreadable-file", message, Location(name, 1, 1, 1, 1))
            self._guess_broken(name)
            return None

    def _take(self, document: Document) -> None:
        data = document.data
        if not isinstance(data, dict) or not data:
            message = "a definition is a mapping, and its first key says what it is"
            self._problems.add("unknown-document", message, document.locate(), hint=_first_keys())
            return
        kind = next(iter(data))
        if kind in DEFINITIONS:
            self._take_definition(_definition(kind), document)
        elif kind in ENTRIES:
            self._take_entries(kind, document)
        else:
            self._tell_unknown(kind, document)

    def _take_entries(self, kind: str, document: Document) -> None:
        entries = read_entries(_entry(kind), document, self._problems)
        for name, entry in entries.items():
            self._keep(kind, name, entry)
        if not entries:
            self._mark_broken(kind, document.data[kind])

    def _tell_unknown(self, kind: str, document: Document) -> None:
        known = FIRST_KEYS
        later = next((key for key in document.data if key in known), None)
        cutoff = 0.8 if later else 0.6
        close = nearest(kind, known, cutoff=cutoff)
        if later and not close:
            message, hint = f"`{later}` is not the first key", "move it to the top of its document"
            self._problems.add("unknown-document", message, document.locate_key(later), hint=hint)
            self._mark_broken(later, document.data[later])
            return
        hint = did_you_mean(kind, known, cutoff=cutoff) or _first_keys()
        message = f"`{kind}` is no kind of definition"
        self._problems.add("unknown-document", message, document.locate_key(kind), hint=hint)
        if close:
            self._mark_broken(close, document.data[kind])
        else:
            self._guess_broken(document.file)

    def _guess_broken(self, file: str) -> None:
        """Most files are called as what they define."""
        self._broken |= {(kind, Path(file).stem) for kind in DEFINITIONS}

    def _mark_broken(self, kind: str, names: object) -> None:
        """Remember that a name, or the keys of a mapping, are defined, though not how."""
        if isinstance(names, str | dict):
            self._broken |= {
                (kind, name) for name in ([names] if isinstance(names, str) else names)
            }

    def _take_definition(self, model: type[Definition], document: Document) -> None:
        definition = read_definition(model, document, self._problems, lenient=self._lenient)
        if definition is not None:
            self._keep(model.kind, definition.name, definition)
        else:
            self._mark_broken(model.kind, document.data[model.kind])

    def _keep(self, kind: str, name: str, entry: Located) -> None:
        first = self._found.setdefault(kind, {}).setdefault(name, entry)
        if first is not entry:
            what = kind.removesuffix("s").replace("_", " ")
            before, at = (
                one.locate_name() if isinstance(one, Definition) else one.locate_key()
                for one in (first, entry)
            )
            self._problems.add(
                "duplicate-name",
                f"{what} `{name}` is defined in {before} already",
                at,
                hint="rename one of them, or delete it",
            )


def _definition(kind: str) -> type[Definition]:
    if kind == "data_source":
        return DataSource
    if kind == "input":
        return Input
    from genesis.spec.workflow import Audit, Workflow  # reports are compiled without their models

    return Workflow if kind == "workflow" else Audit


def _entry(kind: str) -> type[Located]:
    if kind == "formatters":
        return Formatter
    if kind == "tests":
        from genesis.spec.report_test import ReportTest

        return ReportTest
    from genesis.spec.workflow import Template

    return Template


_NAMED = re.compile(r"^(data_source|input|workflow|audit):[ \t]*([a-z][a-z0-9_]*)", re.MULTILINE)
_HEAD = re.compile(rb"(?:#.*\n|\s*\n)*(input|workflow|audit):[ \t]*([a-z]\w*)[ \t]*(?:#.*)?\r?\n")
_ENTRY = re.compile(r"\b[a-z][a-z0-9_]*+(?=:)")  # `\b` and `+`: a word is looked at once
_COLLECTION = re.compile(r"^(formatters|templates|tests):(.*(?:\n[ \t].*|\n)*)", re.MULTILINE)


# A document of tests, up to the mark of the next; a mark at the start of a line is one within any text.
_TESTS = re.compile(
    rb"(?:\A|^---[ \t]*\r?\n)(?:[ \t]*(?:#.*)?\r?\n)*tests:[ \t]*(?:#.*)?\r?\n(?:(?!---|\.\.\.).*(?:\n|\Z))*",
    re.MULTILINE,
)


def _without_tests(content: bytes) -> bytes:
    """The text without documents of tests; what stands behind them keeps its lines."""

    def blank(tests: re.Match[bytes]) -> bytes:
        end = b"..." if tests[0].startswith(b"---") else b""
        return end + b"\n" * tests[0].count(b"\n")

    rest = _TESTS.sub(blank, content)
    return rest.rstrip().removesuffix(b"\n...") + b"\n" if rest.strip() else b""


def _is_of_another(content: bytes, inputs: Set[str]) -> bool:
    """Whether a file says at once that it is one document, and of none of these inputs."""
    if b"---" in content or b"..." in content:  # there may be more documents
        return False
    head = _HEAD.match(content)
    return head is not None and (head[1] != b"input" or head[2].decode() not in inputs)


def _names_in(text: str) -> Iterator[tuple[str, str]]:
    """What a file that is no YAML seems to define, so that its users are not blamed for it."""
    for kind, name in _NAMED.findall(text):
        yield kind, name
    for kind, entries in _COLLECTION.findall(text):
        for name in _ENTRY.findall(entries):
            yield kind, name


def _first_keys() -> str:
    return "the first key is one of " + ", ".join(
        f"`{kind}`" for kind in sorted([*DEFINITIONS, *ENTRIES])
    )
