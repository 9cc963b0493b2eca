"""The run ledger for commands: opened, named things looked up in it, closed."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError, suggest

if TYPE_CHECKING:
    from genesis.run.ledger import Ledger, Run
    from genesis.spec.project import Project


@contextmanager
def opened_ledger(session: Session) -> Iterator[tuple[Project, Ledger]]:
    """The project, and the ledger of its runs."""
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    project = session.load(Problems())
    state = resolve_references(project.settings.state, session.root)
    with closing(Ledger(state, session.root)) as ledger:
        yield project, ledger


def who() -> str:
    """Who gives the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody"


def known_name(project: Project, name: str) -> str:
    """The name, if it is a workflow's or a job's. Raises `UsageError`."""
    from genesis.run.jobs import all_jobs

    names = {job.name for job in all_jobs(project)} | set(project.workflows)
    if name not in names:
        message = f"no workflow or job is called `{name}`"
        raise UsageError(Problem("unknown-workflow", message, hint=suggest(name, names)))
    return name


def find_runs(ledger: Ledger, named: str, project: Project) -> list[Run]:
    """The run of a number; or, of a workflow or a job, the newest runs of its jobs. Raises `UsageError`."""
    from genesis.run.jobs import pick_jobs

    if named.isdecimal():
        if found := ledger.of_id(int(named)):
            return [found]
        hint = "`genesis runs` shows them with their numbers"
        raise UsageError(Problem("unknown-job", f"there is no run {named}", hint=hint))
    jobs = pick_jobs(project, [known_name(project, named)])
    return [run for job in jobs for run in ledger.last_runs(job.name)]
