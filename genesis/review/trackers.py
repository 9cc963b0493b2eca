"""The trackers of a project: which input each shows, where it lives, who answers for it."""

from __future__ import annotations

from dataclasses import dataclass

from genesis.compile.check import job_names
from genesis.errors import Location
from genesis.spec.project import Project


@dataclass(frozen=True)
class Tracker:
    """What a job refreshes: `place` in words, `owner` where the workflow names one."""

    name: str
    input: str
    sink: str
    place: str
    workflow: str
    owner: str | None
    at: Location


def trackers_of(project: Project) -> tuple[Tracker, ...]:
    """Every tracker of a project, in the order of its files."""
    found = []
    for workflow in project.workflows.values():
        for position, (name, written) in enumerate(
            zip(job_names(workflow), workflow.jobs, strict=True)
        ):
            job = written.filled(project.templates)
            if job.refresh is not None and job.to is not None:
                tracker, at = f"{workflow.name}.{name}", workflow.locate("jobs", position)
                found.append(
                    Tracker(
                        tracker, job.refresh, job.to.sink, str(job.to), workflow.name,
                        workflow.owner, at,
                    )
                )  # fmt: skip
    return tuple(found)
