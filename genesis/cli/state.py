"""`genesis state`: the run ledger itself."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from genesis.cli.session import Session
from genesis.errors import Problems


@click.group("state")
def command() -> None:
    """The run ledger itself, the `state` of genesis.yaml."""


@command.command("rebuild")
@click.pass_obj
def rebuild(session: Session) -> None:
    """Make a new ledger in the place of a damaged or a lost one, which is kept beside it.

    Schedules begin now, and each tracker is compared wholly at its next run. A ledger that is whole
    stays as it is. Nobody may use it meanwhile: end `genesis schedule` first.

    \b
    genesis state rebuild
    """
    from genesis.run.rebuild import LOST, is_lost
    from genesis.run.rebuild import rebuild as make
    from genesis.secrets import resolve_references

    project = session.load(Problems())
    state, root = resolve_references(project.settings.state, session.root), session.root
    was_lost = is_lost(state, root)
    aside = make(state, root, project, at=datetime.now(UTC))
    if aside is None and not was_lost:
        click.echo("the ledger is whole: it stays as it is")
        return
    click.echo("a new ledger: schedules begin now, trackers are compared wholly at their next run")
    if aside:
        click.echo(f"the damaged one is kept as `{aside.name}`")
    click.echo("\n".join(["lost are", *(f"  {what}" for what in LOST)]))
