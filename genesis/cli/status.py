"""`genesis status`: fresh, late, failing; the last receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genesis.cli.session import Session
from genesis.errors import DefinitionError, Problem, Problems, suggest

if TYPE_CHECKING:
    from genesis.run.jobs import NamedJob
    from genesis.run.ledger import Ledger, Run
    from genesis.spec.project import Project


@click.command("status")
@click.argument("tracker", required=False)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(session: Session, tracker: str | None, format_: str) -> None:
    """Tell how fresh the trackers are; TRACKER is `workflow` or `workflow.job`.

    \b
    genesis status
    genesis status production_tracker --format json
    """
    from genesis.run.jobs import all_jobs
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    problems = Problems()
    project = session.load(problems)
    jobs = [job for job in all_jobs(project) if job.job.kind == "refresh"]
    if tracker is not None:
        names = {job.name for job in jobs} | {job.workflow.name for job in jobs}
        jobs = [job for job in jobs if tracker in (job.name, job.workflow.name)]
        if not jobs:
            unknown = Problem(
                "unknown-workflow",
                f"no tracker is called `{tracker}`",
                hint=suggest(tracker, names),
            )
            raise DefinitionError(unknown)
    ledger = Ledger(resolve_references(project.settings.state, session.root), session.root)
    now = datetime.now(UTC)
    wanted = [job.name for job in jobs]
    last, successes = ledger.last_done(wanted), ledger.last_successes(wanted)
    entries = [_entry(job, last.get(job.name), successes.get(job.name), now) for job in jobs]
    audits = [] if tracker else list(_audits(project, ledger))
    paused = [] if tracker else list(_paused(session.root))
    ledger.close()
    if format_ == "json":
        said = {
            "schema": "genesis/status@1",
            "trackers": entries,
            "audits": audits,
            "paused": paused,
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    if entries or not (audits or paused):
        _show(entries, now)
    if audits:
        click.echo("\n" if entries else "", nl=False)
        _show_audits(audits, now)
    if paused:
        click.echo("\n" if entries or audits else "", nl=False)
        _show_paused(paused, now)


def _audits(project: Project, ledger: Ledger) -> Iterator[dict[str, Any]]:
    """How each audit ended last."""
    last = ledger.audits.last()
    for name, audit in project.audits.items():
        run = last.get(name)
        yield {
            "audit": name,
            "data_source": audit.data_source,
            "owner": audit.owner,
            "state": run.state if run else "never",
            "run_at": run.run_at.isoformat() if run else None,
            "complete_at": run.complete_at.isoformat() if run and run.complete_at else None,
            "report": run.report if run else None,
        }


def _paused(root: Path) -> Iterator[dict[str, Any]]:
    """The data sources in which nothing lands until a person decides."""
    from genesis.lake.holding import all_held

    for pause, holding in all_held(root):
        yield {**pause.to_json(), "held": holding.count, "bytes": holding.size}


def _entry(job: NamedJob, last: Run | None, success: Run | None, now: datetime) -> dict[str, Any]:
    refreshed = success.finished_at if success else None
    return {
        "tracker": job.name,
        "place": str(job.job.to) if job.job.to else None,
        "owner": job.workflow.owner,
        "state": _state(job, last.state if last else None, refreshed, now),
        "refreshed_at": refreshed.isoformat() if refreshed else None,
        "rows": success.rows if success else None,
        "last_run": {
            "outcome": last.state,
            "started_at": last.started_at.isoformat(),
            "finished_at": last.finished_at.isoformat() if last.finished_at else None,
            "receipt": last.receipt,
            "problems": [problem["message"] for problem in last.problems],
        }
        if last
        else None,
    }


def _state(job: NamedJob, last: str | None, refreshed: datetime | None, now: datetime) -> str:
    """`never`, `failing`, `late` where it is older than its workflow's freshness, else `fresh`."""
    if last is None:
        return "never"
    if last in ("failed", "skipped"):
        return "failing"
    freshness = job.workflow.alerts.freshness
    if refreshed is None or (freshness is not None and now - refreshed > freshness):
        return "late"
    return "fresh"


def _show(entries: list[dict[str, Any]], now: datetime) -> None:
    from genesis.console import table_text

    header = ["Tracker", "State", "Refreshed", "Rows", "Last run", "Place"]
    rows = [
        [
            entry["tracker"],
            entry["state"],
            _ago(entry["refreshed_at"], now),
            "" if entry["rows"] is None else str(entry["rows"]),
            _last(entry["last_run"]),
            entry["place"] or "",
        ]
        for entry in entries
    ]
    click.echo(table_text(header, rows, right=[False, False, False, True]))
    for entry in entries:
        for problem in entry["last_run"]["problems"] if entry["state"] == "failing" else ():
            click.echo(f"! {entry['tracker']}: {problem}")


def _show_audits(audits: list[dict[str, Any]], now: datetime) -> None:
    from genesis.console import table_text

    rows = [
        [
            audit["audit"],
            audit["state"],
            _ago(audit["complete_at"], now),
            _found(audit["report"]),
            audit["data_source"],
        ]
        for audit in audits
    ]
    header = ["Audit", "State", "Compared", "Found", "Data source"]
    click.echo(table_text(header, rows))


def _show_paused(paused: list[dict[str, Any]], now: datetime) -> None:
    from genesis.console import table_text
    from genesis.lake.holding import Pause

    rows = [
        [
            each["data_source"],
            "paused",
            _ago(each["since"], now),
            str(each["held"]),
            "; ".join(map(str, Pause.from_json(each).changes)),
        ]
        for each in paused
    ]
    header = ["Ingest", "State", "Since", "Held", "Why"]
    click.echo(table_text(header, rows, right=[False, False, False, True]))


def _found(report: dict[str, Any] | None) -> str:
    from genesis.run.audits import in_words

    if report is None:
        return ""
    return in_words(report["found"]) if report["found"] else "; ".join(report["problems"])


def _ago(moment: str | None, now: datetime) -> str:
    if moment is None:
        return "never"
    age = now - datetime.fromisoformat(moment)
    if age < timedelta(minutes=1):
        return "just now"
    for unit, length in (
        ("d", timedelta(days=1)),
        ("h", timedelta(hours=1)),
        ("m", timedelta(minutes=1)),
    ):
        if age >= length:
            return f"{age // length}{unit} ago"
    return "just now"


def _last(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    receipt = run["receipt"]
    if run["outcome"] in ("succeeded", "partial") and receipt:
        counts = (("inserted", "+"), ("updated", "~"), ("deleted", "-"))
        return (
            " ".join(f"{mark}{receipt[name]}" for name, mark in counts if receipt.get(name))
            or run["outcome"]
        )
    return str(run["outcome"]).replace("_", " ")
