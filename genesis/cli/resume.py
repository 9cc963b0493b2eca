"""`genesis resume`: let a schedule ask again for what was paused."""

from __future__ import annotations

import click

from genesis.cli.ledgers import opened_ledger
from genesis.cli.session import Session
from genesis.errors import Problem, UsageError, suggest


@click.command("resume")
@click.argument("name", metavar="WORKFLOW[.JOB]")
@click.pass_obj
def command(session: Session, name: str) -> None:
    """Let a workflow, or one job, run by its schedule again, from its next slot on.

    \b
    genesis resume production_tracker
    genesis resume exports.films
    """
    from datetime import UTC, datetime

    from genesis.run.triggers import Triggers

    with opened_ledger(session) as (_, ledger):
        triggers = Triggers(ledger.state)
        known = triggers.paused(datetime.now(UTC))
        if not triggers.resume(name):
            hint = suggest(name, known) or "nothing is paused"
            raise UsageError(Problem("unknown-workflow", f"`{name}` is not paused", hint=hint))
    click.echo(f"`{name}` runs by its schedule again")
