"""`genesis alerts`: what is wrong now, who knows of it, and whether messages arrive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from genesis.cli.session import Session, parse_length
from genesis.console import table_text
from genesis.errors import Problem, Problems, UsageError, suggest

if TYPE_CHECKING:
    from genesis.run.alerts import Alerts, Unsent
    from genesis.run.audits import LastAudit
    from genesis.run.ledger import Ledger
    from genesis.schedule.alerting import Alert
    from genesis.spec.project import Project


@click.command("alerts")
@click.option(
    "--test", "receiver", metavar="RECEIVER", help="Send a test, and tell what became of it."
)
@click.option("--mute", "subject", metavar="JOB", help="Say nothing of a job for a while.")
@click.option(
    "--for",
    "length",
    default="1d",
    show_default=True,
    metavar="LENGTH",
    help="How long `--mute` holds.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session, receiver: str | None, subject: str | None, length: str, format_: str
) -> int:
    """Show what is wrong now, since when, who was told, and which messages did not arrive yet.

    \b
    genesis alerts
    genesis alerts --test slack_ops
    genesis alerts --mute production_tracker.refresh_production_tracker --for 2h
    """
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    project = session.load(Problems())
    if receiver:
        return _test(session, project, receiver)
    now = datetime.now(UTC)
    ledger = Ledger(resolve_references(project.settings.state, session.root), session.root)
    try:
        if subject:
            return _mute(ledger.alerts, project, subject, until=now + parse_length("--for", length))
        if format_ == "json":
            click.echo(json.dumps(_json(ledger, now), indent=2, ensure_ascii=False))
        else:
            _show(ledger, now)
    finally:
        ledger.close()
    return 0


def _test(session: Session, project: Project, name: str) -> int:
    from genesis.run.delivery import opener
    from genesis.schedule.alerting import Message

    now = datetime.now(UTC)
    title = f"a test from genesis: project `{project.settings.project}` reaches `{name}`"
    message = Message(f"test|{name}|{now.isoformat()}", name, "test", title, (), now)
    opener(project.settings.alerts, session.root)(name).send(message)
    click.echo(f"`{name}` took the test")
    return 0


def _mute(alerts: Alerts, project: Project, subject: str, *, until: datetime) -> int:
    from genesis.run.jobs import all_jobs

    known = [job.name for job in all_jobs(project)]
    if subject not in known:
        hint = suggest(subject, known)
        raise UsageError(Problem("unknown-job", f"unknown job `{subject}`", hint=hint))
    alerts.mute(subject, until=until)
    click.echo(f"`{subject}` is muted until {until:%Y-%m-%d %H:%M} UTC")
    return 0


def _json(ledger: Ledger, now: datetime) -> dict[str, Any]:
    return {
        "schema": "genesis/alerts@1",
        "alerts": [alert.to_json() for alert in ledger.alerts.open()],
        "audits": [{"audit": each.name, **_since(each)} for each in _failing(ledger)],
        "unsent": [
            {
                "receiver": waits.message.receiver,
                "title": waits.message.title,
                "attempts": waits.attempts,
                "next_try_at": waits.try_at.isoformat(),
                "error": waits.error,
            }
            for waits in ledger.alerts.unsent()
        ],
        "muted": sorted(ledger.alerts.muted(at=now)),
    }


def _show(ledger: Ledger, now: datetime) -> None:
    unsent, muted = ledger.alerts.unsent(), ledger.alerts.muted(at=now)
    rows = [*_rows(ledger.alerts.open(), muted), *map(_audit_row, _failing(ledger))]
    if rows:
        click.echo(table_text(["Subject", "Kind", "Since (UTC)", "Told", "Cause"], rows))
    else:
        click.echo("nothing is wrong")
    if unsent:
        click.echo(f"\n{len(unsent):,} messages wait to be sent:\n")
        header = ["Receiver", "Message", "Attempts", "Next (UTC)", "Why"]
        click.echo(table_text(header, [_unsent_row(waits) for waits in unsent]))


def _rows(alerts: Sequence[Alert], muted: Iterable[str]) -> Iterable[list[str]]:
    """A line for each trouble, however many are told of it."""
    by_trouble: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        by_trouble.setdefault((alert.subject, alert.kind), []).append(alert)
    for (subject, kind), same in by_trouble.items():
        told = [alert.receiver for alert in same if alert.spoken_at]
        said = "muted" if subject in muted else ", ".join(told) or "not yet"
        first = min(same, key=lambda alert: alert.since)
        text = first.cause or first.text
        yield [subject, kind, f"{first.since:%m-%d %H:%M}", said, text[:80]]


def _failing(ledger: Ledger) -> list[LastAudit]:
    """The audits that differ; they keep their own account of who was told of which key."""
    return [audit for audit in ledger.audits.last().values() if audit.state == "failing"]


def _since(audit: LastAudit) -> dict[str, Any]:
    told = audit.report["told"]
    first = min((one["first_seen"] for one in told), default=audit.run_at.isoformat())
    return {"since": first, "found": audit.report["found"]}


def _audit_row(audit: LastAudit) -> list[str]:
    from genesis.run.audits import in_words

    since = datetime.fromisoformat(_since(audit)["since"])
    said = in_words(audit.report["found"] or {})
    return [f"audit.{audit.name}", "audit", f"{since:%m-%d %H:%M}", "by its notices", said]


def _unsent_row(waits: Unsent) -> list[str]:
    return [
        waits.message.receiver,
        waits.message.title[:60],
        str(waits.attempts),
        f"{waits.try_at:%m-%d %H:%M}",
        (waits.error or "")[:80],
    ]
