"""`genesis runs`: every slot of every job, how it ended, why, and how long it took."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from genesis.cli.ledgers import known_name, opened_ledger
from genesis.cli.session import Session

if TYPE_CHECKING:
    from genesis.run.ledger import Run

_STATES = [
    "queued",
    "waiting",
    "running",
    "succeeded",
    "no_change",
    "partial",
    "failed",
    "cancelled",
    "skipped",
    "uncertain",
]


@click.command("runs")
@click.argument("name", required=False, metavar="[WORKFLOW[.JOB]]")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True)
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES))
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session, name: str | None, count: int, states: tuple[str, ...], format_: str
) -> None:
    """Tell what ran, runs and waits: each slot with its reason, newest first.

    \b
    genesis runs production_tracker
    genesis runs --state failed --state skipped -n 50 --format json
    """
    with opened_ledger(session) as (project, ledger):
        asked = known_name(project, name) if name else None
        found = ledger.newest(count, name=asked, states=states)
    if format_ == "json":
        said = {"schema": "genesis/runs@1", "runs": [run.to_json() for run in found]}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    elif found:
        _show(found)
    else:
        click.echo("no run is known")


def _show(found: tuple[Run, ...]) -> None:
    from genesis.console import table_text

    header = ["Run", "Job", "Slot", "State", "Took", "Rows", "Calls", "Why"]
    rows = [
        [
            str(run.id),
            run.job,
            f"{run.logical_time or run.started_at:%m-%d %H:%M:%S}",
            run.state if run.attempt < 2 else f"{run.state} ({run.attempt})",
            _took(run),
            "" if run.rows is None else f"{run.rows:,}",
            _calls(run.receipt),
            _why(run),
        ]
        for run in found
    ]
    right = [True, False, False, False, True, True, True]
    click.echo(table_text(header, rows, right=right))


def _took(run: Run) -> str:
    if run.phases:
        return f"{sum(run.phases.values()):.1f} s"
    ended = run.finished_at or (datetime.now(UTC) if run.state == "running" else None)
    return f"{(ended - run.started_at).total_seconds():.1f} s" if ended and run.attempt else ""


def _calls(receipt: Any) -> str:
    calls = (receipt or {}).get("calls") or {}
    return f"{calls['read']}+{calls['write']}" if calls else ""


def _why(run: Run) -> str:
    if run.state == "queued" and run.attempt and run.try_at:
        return f"again at {run.try_at:%H:%M:%S}: {_said(run)}"
    return (
        run.reason
        or _said(run)
        or (f"in {run.phase}" if run.state == "running" and run.phase else "")
    )


def _said(run: Run) -> str:
    return "; ".join(problem["message"] for problem in run.problems)
