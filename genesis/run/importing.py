"""Reports that are lifted and proven, many at a time: each ends as proven, drafted or by hand, with the reason.

All reports of one call share the data sources that they need. A report is drafted, and not proven, where
something is left to decide (a TODO), where rows differ, and where no engine was there to ask.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.errors import DefinitionError, EngineError, Problem, Problems
from genesis.folders import file_name
from genesis.interfaces import Engine
from genesis.lift.facts import ByHand, seen
from genesis.lift.files import definition_files
from genesis.lift.places import place_of
from genesis.lift.report import Lifted, lift
from genesis.lift.sources import Sources, slug
from genesis.load import load_files
from genesis.run.columns import in_words
from genesis.run.lifted import MOST_COPIED, Changeable, EngineFacts, Proof, Prover, original
from genesis.spec.project import Project

_OURS = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
Status = Literal["proven", "drafted", "by hand"]


@dataclass(frozen=True)
class Script:
    """A file of hand-written SQL; `unreadable` says why it has no text."""

    file: str
    text: str
    unreadable: str = ""


@dataclass
class Outcome:
    """What became of a report."""

    file: str
    name: str
    status: Status
    reasons: list[str] = field(default_factory=list)
    hint: str = ""
    line: int | None = None
    column: int | None = None
    lifted: Lifted | None = None
    types: dict[int, str] = field(default_factory=dict)
    proof: Proof | None = None
    seconds: float = 0.0

    @property
    def text(self) -> str | None:
        """The input, as YAML."""
        return self.lifted.text(self.types) if self.lifted else None


@dataclass
class Imported:
    """All that a call gives: what became of each report, and the files to write."""

    outcomes: list[Outcome]
    files: dict[str, str]


Overlay = Callable[[Mapping[str, str]], Project]
Copies = Callable[[Mapping[str, pa.Table]], AbstractContextManager[Changeable]]


@contextmanager
def overlaid(root: Path, own: Sequence[Path]) -> Iterator[tuple[Overlay, Mapping[str, str]]]:
    """What makes a project of its own files with more, or other, texts; and the texts that are its own."""
    texts = {file_name(file, root): file.read_text(encoding="utf-8") for file in own}
    with tempfile.TemporaryDirectory() as folder:

        def overlay(files: Mapping[str, str]) -> Project:
            for name, text in files.items():
                if name not in texts:
                    place = Path(folder, name)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text(text, encoding="utf-8")
            changed = {name: text for name, text in files.items() if name in texts}
            return load_files(root, [*own, Path(folder)], Problems(), texts=changed)

        yield overlay, texts


@dataclass
class Importer:
    """Lifts reports into a project and proves them.

    `overlay` is the project with more files, `texts` are the files of its definitions.
    """

    project: Project
    overlay: Overlay
    texts: Mapping[str, str]
    engine: Engine | None
    copies: Copies
    dialect: str
    moment: datetime
    parameters: Mapping[str, str]
    most_copied: int = MOST_COPIED

    def run(self, scripts: Sequence[Script], tell: Callable[[str], None]) -> Imported:
        """What becomes of reports, in their order."""
        facts = EngineFacts(self.engine)
        sources = Sources(self.project, facts)
        outcomes: list[Outcome] = []
        for script in scripts:
            tell(script.file)
            outcomes.append(self._lift(script, sources, facts, {one.name for one in outcomes}))
        files = self._files(sources, outcomes)
        project = self.overlay(files)
        self._say_types(outcomes, project)
        files = self._files(sources, outcomes)
        project = self.overlay(files)
        if self.engine is not None:
            prover = Prover(
                project,
                self.engine,
                self.copies,
                facts,
                sources.drafts,
                self.moment,
                self.parameters,
                self.most_copied,
            )
        for outcome in outcomes:
            if outcome.lifted is None:
                continue
            tell(f"{outcome.file}: proving")
            start = time.monotonic()
            self._prove(outcome, project, prover if self.engine is not None else None)
            outcome.seconds += time.monotonic() - start
        return Imported(outcomes, self._files(sources, outcomes))

    def _files(self, sources: Sources, outcomes: Sequence[Outcome]) -> dict[str, str]:
        lifted = [one.lifted for one in outcomes if one.lifted]
        raw = any(column.shows_raw for one in lifted for column in one.columns)
        files = definition_files(sources, self.texts, raw=raw)
        inputs = {f"inputs/{one.name}.yaml": one.text or "" for one in outcomes if one.lifted}
        return {**files, **inputs}

    # --- lifting ----------------------------------------------------------------------------------

    def _lift(
        self, script: Script, sources: Sources, facts: EngineFacts, taken: set[str]
    ) -> Outcome:
        stem = script.file.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
        name = slug(stem or script.file)
        while name in taken or name in self.project.inputs:
            name += "_lifted"
        start = time.monotonic()
        outcome = Outcome(script.file, name, "drafted")
        try:
            if script.unreadable:
                raise ByHand(f"it cannot be read: {script.unreadable}")
            with sources.unless_refused():
                outcome.lifted = lift(
                    script.text,
                    name=name,
                    file=script.file,
                    dialect=self.dialect,
                    sources=sources,
                    facts=facts,
                )
        except ByHand as stopped:
            outcome.status = "by hand"
            outcome.reasons = [stopped.reason]
            outcome.hint = stopped.hint
            outcome.line, outcome.column = place_of(stopped.node, script.text, self.dialect)
        except _OURS as error:  # one report that trips us stops none of the others
            outcome.status = "by hand"
            outcome.reasons = [f"a bug in genesis: {type(error).__name__}: {error}"]
        outcome.seconds = time.monotonic() - start
        return outcome

    def _say_types(self, outcomes: Sequence[Outcome], project: Project) -> None:
        """Say the types that cannot be inferred, as the engine knows them of the SQL's own columns."""
        for outcome in outcomes:
            if outcome.lifted is None or self.engine is None:
                continue
            untyped = [one for one in self._problems(outcome, project) if one.code == "untyped"]
            if not untyped:
                continue
            types = self._types(outcome.lifted)
            for number, column in enumerate(outcome.lifted.columns):
                asks = any(f"`{column.name}`" in problem.message for problem in untyped)
                if asks and number in types:
                    outcome.types[number] = types[number]

    def _types(self, lifted: Lifted) -> dict[int, str]:
        engine = seen(self.engine)
        statement = original(
            lifted,
            seen(lifted.statement),
            engine.dialect,
            self.moment,
            self.parameters,
        )
        try:
            schema = engine.query(statement).schema
        except EngineError:
            return {}
        shown = [n for n, column in enumerate(lifted.columns) if column.label is not None]
        return {n: in_words(one.type) for n, one in zip(shown, schema, strict=False)}

    # --- proving ----------------------------------------------------------------------------------

    def _problems(self, outcome: Outcome, project: Project) -> tuple[Problem, ...]:
        run = self._run_of(outcome)
        dialect = self.engine.dialect if self.engine else "duckdb"
        try:
            if outcome.name not in project.inputs:
                return project.faults
            compile_input(project, outcome.name, dialect, run)
        except DefinitionError as error:
            return tuple(one for one in error.problems if one.severity == "error")
        return ()

    def _run_of(self, outcome: Outcome) -> Run:
        wanted = outcome.lifted.parameters if outcome.lifted else {}
        given = {name: value for name, value in self.parameters.items() if name in wanted}
        return Run(given, moment=self.moment, staged=True)

    def _prove(self, outcome: Outcome, project: Project, prover: Prover | None) -> None:
        lifted = seen(outcome.lifted)
        problems = self._problems(outcome, project)
        outcome.reasons = list(lifted.todos)
        if problems:
            outcome.reasons.append(f"does not compile: {problems[0].message}")
            outcome.hint = problems[0].hint or ""
            return
        if prover is None:
            outcome.reasons.append("not proven: there is no engine to run both on")
            return
        outcome.proof = prover.prove(
            lifted, seen(lifted.statement), self.dialect, self._run_of(outcome)
        )
        if not outcome.proof.holds:
            outcome.reasons.append(str(outcome.proof))
        elif not outcome.reasons:
            outcome.status = "proven"
