"""`genesis approve`: show what a run held back, and let just that through, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError, did_you_mean

if TYPE_CHECKING:
    from genesis.run.held import HeldChanges, Waiting


@click.command("approve")
@click.argument("name", required=False, metavar="WORKFLOW.JOB")
@click.option("--list", "lists", is_flag=True, help="Show all that is held, and approve nothing.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(session: Session, name: str | None, lists: bool, format_: str) -> None:
    """Let a change through that a guard held back: the next run may do just that, or less, once.

    \b
    genesis approve --list
    genesis approve production_tracker.refresh_production_tracker
    """
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    if lists == bool(name):
        raise UsageError(Problem("wrong-usage", "name one WORKFLOW.JOB, or `--list`"))
    project = session.load(Problems())
    ledger = Ledger(resolve_references(project.settings.state, session.root), session.root)
    found = [_approve(name, ledger.held)] if name else list(ledger.held.all())
    ledger.close()
    if format_ == "json":
        report = {"schema": "genesis/held@1", "held": [waiting.to_json() for waiting in found]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(map(_shown, found)) or "nothing is held")


def _approve(name: str, held: HeldChanges) -> Waiting:
    waiting = held.find(name)
    if waiting is None:
        known = [each.job for each in held.all()]
        hint = did_you_mean(name, known) or "`genesis approve --list` shows all that is held"
        raise UsageError(Problem("nothing-held", f"nothing is held of `{name}`", hint=hint))
    if not held.approve(waiting, at=datetime.now(UTC)):
        message = f"what is held of `{name}` changed just now"
        raise UsageError(Problem("nothing-held", message, hint="look at it again"))
    return held.find(name) or waiting


def _shown(waiting: Waiting) -> str:
    """One held change: since when, why, a few of its rows, and what happens next."""
    change = waiting.change
    lines = [f"{waiting.job}  held since {waiting.held_at:%Y-%m-%d %H:%M} UTC"]
    lines += [f"  {reason}" for reason in change.reasons]
    about = len(change.deletes) + len(change.edits)
    more = f" and {about - len(change.sample):,} more" if about > len(change.sample) else ""
    if change.sample:
        lines.append(f"  rows {', '.join(change.sample)}{more}")
    way = f"`genesis run {waiting.job}`"
    lines.append(f"  approved: {way} does it" if waiting.approved_at else "  not approved yet")
    return "\n".join(lines)
