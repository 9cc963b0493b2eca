"""The jobs of a project, each with its templates written out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from genesis.compile.check import job_names
from genesis.errors import DefinitionError, Problem, did_you_mean, suggest
from genesis.spec.project import Project
from genesis.spec.workflow import Job, Place, Workflow

SERVICES = ("google_sheets", "airtable")
"""The sinks that are reached with an account."""


@dataclass(frozen=True)
class NamedJob:
    """A job of a workflow, under the name that runs and trackers go by: `workflow.job`."""

    workflow: Workflow
    short_name: str
    job: Job

    @cached_property
    def name(self) -> str:
        return f"{self.workflow.name}.{self.short_name}"

    @cached_property
    def place(self) -> str:
        """What no two runs may work on at once: a spreadsheet, a base, a file, a log, an audit."""
        options = self.job
        if options.to:
            return _shared_place(options.to)
        if options.compact:
            return "log " + " ".join(sorted(options.compact))
        return f"{options.kind} {options.audit or options.heartbeat}"

    @cached_property
    def credential(self) -> str:
        """The account it writes with: a project has one for each service."""
        sink = self.job.to.sink if self.job.to else ""
        return sink if sink in SERVICES else ""


def _shared_place(place: Place) -> str:
    details = place.details
    for key in ("spreadsheet", "base", "file"):
        if shared := getattr(details, key, None):
            return f"{place.sink} {shared}"
    raise LookupError("a place is a spreadsheet, a base or a file")


def jobs_of(project: Project, workflow: Workflow) -> tuple[NamedJob, ...]:
    """A workflow's jobs, those that others need first."""
    found = {
        name: NamedJob(workflow, name, job.filled(project.templates))
        for name, job in zip(job_names(workflow), workflow.jobs, strict=True)
    }
    ordered: dict[str, NamedJob] = {}

    def place(name: str, on_the_way: tuple[str, ...] = ()) -> None:
        for needed in found[name].job.needs:
            if needed in found and needed not in ordered and needed not in on_the_way:
                place(needed, (*on_the_way, name))
        ordered[name] = found[name]

    for name in found:
        if name not in ordered:
            place(name)
    return tuple(ordered.values())


def all_jobs(project: Project) -> Iterator[NamedJob]:
    """Every job of a project."""
    for workflow in project.workflows.values():
        yield from jobs_of(project, workflow)


def pick_jobs(project: Project, names: Iterable[str]) -> tuple[NamedJob, ...]:
    """The jobs that `WORKFLOW` or `WORKFLOW.JOB` mean. Raises `DefinitionError` for one that is none."""
    picked: dict[str, NamedJob] = {}
    unknown = []
    for name in names:
        workflow_name, _, job_name = name.partition(".")
        workflow = project.workflows.get(workflow_name)
        if workflow is None:
            if ("workflow", workflow_name) not in project.broken:
                hint = suggest(workflow_name, project.workflows)
                unknown.append(
                    Problem("unknown-workflow", f"unknown workflow `{workflow_name}`", hint=hint)
                )
            continue
        jobs = {job.short_name: job for job in jobs_of(project, workflow)}
        if job_name and job_name not in jobs:
            hint = did_you_mean(job_name, jobs) or "its jobs are " + ", ".join(
                f"`{n}`" for n in jobs
            )
            unknown.append(
                Problem(
                    "unknown-job",
                    f"unknown job `{job_name}` in workflow `{workflow_name}`",
                    hint=hint,
                )
            )
            continue
        for job in [jobs[job_name]] if job_name else jobs.values():
            picked[job.name] = job
    if unknown:
        raise DefinitionError(tuple(unknown))
    return tuple(picked.values())
