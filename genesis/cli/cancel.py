"""`genesis cancel`: end runs that wait or go on."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from genesis.cli.ledgers import find_runs, opened_ledger, who
from genesis.cli.session import Session
from genesis.errors import Problem, UsageError


@click.command("cancel")
@click.argument("named", metavar="RUN|WORKFLOW[.JOB]")
@click.pass_obj
def command(session: Session, named: str) -> None:
    """Cancel a run, by its number, or all that runs and waits of a workflow or a job.

    What waits is cancelled at once; what goes on ends at its next step, its query interrupted, within
    a heartbeat of its worker. A tracker is left as it was, or as the run has made it: never in between.

    \b
    genesis cancel 4711
    genesis cancel production_tracker
    """
    from genesis.run.queue import Queue

    with opened_ledger(session) as (project, ledger):
        queue, now = Queue(ledger.state), datetime.now(UTC)
        found = find_runs(ledger, named, project)
        # Of a job, an older run may go on while a newer one waits.
        runs = found if named.isdecimal() else queue.open_runs({run.job for run in found})
        ends = [(run, queue.cancel(run.id, by=who(), at=now)) for run in runs]
    if not any(state for _, state in ends):
        hint = "`genesis runs --state running --state queued` shows what can be cancelled"
        raise UsageError(Problem("unknown-job", f"nothing of `{named}` runs or waits", hint=hint))
    for run, state in ends:
        if state:
            how = "is cancelled" if state == "cancelled" else "ends at its next step"
            click.echo(f"run {run.id} of `{run.job}` {how}")
