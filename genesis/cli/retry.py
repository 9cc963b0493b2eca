"""`genesis retry`: queue again what failed."""

from __future__ import annotations

import click

from genesis.cli.ledgers import find_runs, opened_ledger
from genesis.cli.session import Session
from genesis.errors import Problem, UsageError


@click.command("retry")
@click.argument("named", metavar="RUN|WORKFLOW[.JOB]")
@click.pass_obj
def command(session: Session, named: str) -> None:
    """Queue a run again that failed, was skipped or cancelled, for the scheduler's next free worker.

    The run that ended stays as it is; `genesis run` does the same now, without a scheduler.

    \b
    genesis retry 4711
    genesis retry production_tracker
    """
    from genesis.run.asking import asked_again
    from genesis.run.jobs import pick_jobs
    from genesis.run.ledger import OPEN, SUCCESSES
    from genesis.run.queue import Queue

    with opened_ledger(session) as (project, ledger):
        found = find_runs(ledger, named, project)
        wrong = [run for run in found if run.state not in (*SUCCESSES, *OPEN)]
        if not wrong:
            message = f"nothing of `{named}` ended otherwise than well"
            raise UsageError(Problem("unknown-job", message, hint="`genesis run` runs it anyway"))
        now = ledger.state.now()
        jobs = {run.job: pick_jobs(project, [run.job])[0] for run in wrong}
        again = [asked_again(jobs[run.job], run, at=now) for run in wrong]
        Queue(ledger.state).ask(again, at=now)
    for run in wrong:
        click.echo(f"`{run.job}` is queued again, for run {run.id}")
