"""One of two projects that are compared: its trackers, the reports that none shows, what each compiles to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import starmap

from genesis.compile.check import refreshes_of
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.compile.survey import survey
from genesis.errors import DefinitionError, Location, Problem
from genesis.errors import Problems as Told
from genesis.review.changed import Subject, Version
from genesis.review.pieces import Piece, Pieces
from genesis.review.report import Report
from genesis.spec.project import SETTINGS, Project
from genesis.spec.values import short_duration
from genesis.spec.workflow import Job, Workflow

Problems = tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """A tracker with its job, or a report that no tracker shows, in one of the projects."""

    name: str
    input: str
    workflow: Workflow | None = None
    position: int = 0
    job: Job | None = None

    @property
    def subject(self) -> Subject:
        return "tracker" if self.workflow is not None else "report"


class Side:
    """A project, and what it means for an engine's dialect; each report is compiled once."""

    def __init__(self, project: Project, dialect: str) -> None:
        self.project, self.dialect = project, dialect
        self._pieces = Pieces(project)
        self._used: dict[str, frozenset[Piece]] = {}
        self._compiled: dict[tuple[str, str], Statement | Problems] = {}
        # Of thousands that are resolved one is kept: what is compiled is explained right after.
        self._last: tuple[tuple[str, str], Report] | None = None

    @cached_property
    def trackers(self) -> Mapping[str, Found]:
        """The trackers by name: `workflow.job`."""
        return {found.name: found for found in starmap(self._tracker, refreshes_of(self.project))}

    def _tracker(self, workflow: Workflow, position: int, name: str) -> Found:
        job = workflow.jobs[position].filled(self.project.templates)
        return Found(f"{workflow.name}.{name}", job.refresh or "", workflow, position, job)

    @cached_property
    def shown(self) -> frozenset[str]:
        """The inputs that trackers show."""
        return frozenset(found.input for found in self.trackers.values())

    @cached_property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """What all of a project may change in any report: words of SQL that are names, and bare tables."""
        found = survey(self.project)
        return found.words, found.bare_tables

    def used(self, name: str) -> frozenset[Piece]:
        """The pieces that an input may rest on."""
        if name not in self._used:
            definition = self.project.inputs.get(name)
            self._used[name] = self._pieces.used_by(definition) if definition else frozenset()
        return self._used[name]

    def around(self, name: str) -> frozenset[Piece]:
        """The pieces without which a data source is not sound."""
        return frozenset(self._pieces.around(name))

    def is_sound(self, name: str) -> bool:
        """Whether a data source is there and can be used at all."""
        source, told = self.project.data_sources.get(name), Told()
        return (
            source is not None and survey(self.project).is_sound(source, told) and not told.errors
        )

    def run_of(self, found: Found) -> Run:
        """The reading of an input; one whose parameters nobody gives is only checked."""
        if found.job is not None:
            return Run(found.job.parameters, dialect=self.dialect)
        parameters = self.project.inputs[found.input].parameters.values()
        has_values = all(parameter.default is not None for parameter in parameters)
        return Run({} if has_values else None, dialect=self.dialect)

    def compiled(self, found: Found) -> Statement | Problems:
        """The statement of a tracker or a report, or the problems that it has none for."""
        if SETTINGS in self.project.broken:
            return self.faults_in(SETTINGS[1])
        if found.input not in self.project.inputs or (found.job and found.job.to is None):
            return self._lacking(found)
        key = self._key(found)
        if key not in self._compiled:
            self._compiled[key] = statement(self.report(found))
        return self._compiled[key]

    def _key(self, found: Found) -> tuple[str, str]:
        return found.input, repr(self.run_of(found).parameters)

    def _lacking(self, found: Found) -> Problems:
        if ("input", found.input) in self.project.broken or found.input in self.project.inputs:
            return self.project.faults
        message = f"unknown input `{found.input}`"
        return (Problem("unknown-input", message, self.place_of(found)),)

    def faults_in(self, file: str) -> Problems:
        """The mistakes in a file; where it is not known which one it is, all that there are."""
        faults = self.project.faults
        return tuple(one for one in faults if one.at and one.at.file == file) or faults

    def report(self, found: Found) -> Report:
        """The reading of a tracker's input; the last one that was asked for is resolved already."""
        key = self._key(found)
        if self._last is None or self._last[0] != key:
            self._last = key, Report(self.project, found.input, self.run_of(found))
        return self._last[1]

    def version(self, found: Found) -> Version:
        """A tracker or a report as it is here."""
        definition, workflow, job = self.project.inputs.get(found.input), found.workflow, found.job
        owners = [one.owner for one in (workflow, definition) if one is not None]
        made = self.compiled(found)
        return Version(
            input=found.input,
            title=definition.title if definition else None,
            owner=next(filter(None, owners), None),
            sink=str(job.to) if job and job.to else None,
            schedule=schedule_text(self.project, workflow) if workflow else None,
            at=self.place_of(found),
            sql=made.sql if isinstance(made, Statement) else None,
            columns=made.columns if isinstance(made, Statement) else (),
            problems=() if isinstance(made, Statement) else made,
        )

    def place_of(self, found: Found) -> Location:
        """Where a tracker's job is written, or a report."""
        if found.workflow is not None:
            return found.workflow.locate("jobs", found.position, "refresh")
        return self.project.inputs[found.input].locate_name()


def statement(report: Report) -> Statement | Problems:
    """The statement of a report, or the problems that it has none for."""
    try:
        return report.statement
    except DefinitionError as error:
        return error.problems


def schedule_text(project: Project, workflow: Workflow) -> str:
    """When a workflow runs, in words: `cron 0 2 * * * in America/Los_Angeles`."""
    schedule = workflow.schedule
    if schedule is None:
        return "by hand"
    if schedule.every is not None:
        return f"every {short_duration(schedule.every)}"
    if schedule.cron is None:
        return "on change" if schedule.on_change else "by hand"
    zone = schedule.timezone or project.settings.timezone
    return f"cron {' '.join(schedule.cron.split())} in {zone}"
