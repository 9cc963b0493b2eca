"""`genesis pause`: let a schedule ask for nothing for a while."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from genesis.cli.ledgers import known_name, opened_ledger, who
from genesis.cli.session import Session, parse_as_of


@click.command("pause")
@click.argument("name", metavar="WORKFLOW[.JOB]")
@click.option("--until", metavar="T", help="By default until `genesis resume`.")
@click.option("--reason", metavar="TEXT", help="Why; `genesis runs` tells it for each slot.")
@click.pass_obj
def command(session: Session, name: str, until: str | None, reason: str | None) -> None:
    """Let the slots of a workflow, or of one job, be skipped; what runs already goes on.

    \b
    genesis pause production_tracker --reason "the sheet is being rebuilt"
    genesis pause exports.films --until 2026-12-01
    """
    from genesis.run.triggers import Triggers

    moment = parse_as_of(until, "--until")
    with opened_ledger(session) as (project, ledger):
        triggers = Triggers(ledger.state)
        named = known_name(project, name)
        triggers.pause(named, at=datetime.now(UTC), until=moment, reason=reason, by=who())
    ends = f"until {moment:%Y-%m-%d %H:%M} UTC" if moment else f"until `genesis resume {name}`"
    click.echo(f"`{name}` is paused {ends}")
