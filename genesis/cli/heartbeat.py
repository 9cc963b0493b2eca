"""`genesis heartbeat`: is the path of a data source alive, though nothing changes there?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session, parse_length
from genesis.console import show_problems
from genesis.errors import Problems

if TYPE_CHECKING:
    from genesis.run.heartbeats import Health, Heartbeats
    from genesis.spec.data_source import DataSource
    from genesis.spec.project import Project, Target


@click.command("heartbeat")
@click.argument("data_sources", nargs=-1, required=True, metavar="DATA_SOURCE...")
@click.option(
    "--late",
    default="1h",
    show_default=True,
    metavar="LENGTH",
    help="How long a heartbeat may be on its way.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(session: Session, data_sources: tuple[str, ...], late: str, format_: str) -> int:
    """Send a synthetic event along the whole path of a data source, and tell which of them arrived.

    No report sees it. The exit code is 5 where one that was sent has not arrived in time.

    \b
    genesis heartbeat production
    genesis heartbeat production --late 10m
    """
    from genesis.lake.upkeep import find_source
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    limit = parse_length("--late", late)
    project = session.load(Problems())
    names = [find_source(project, name).name for name in dict.fromkeys(data_sources)]
    _, target = session.target(project)
    ledger = Ledger(resolve_references(project.settings.state, session.root), session.root)
    make = beater(project, ledger.heartbeats, root=session.root, target=target)
    healths = [make(name, limit) for name in names]
    ledger.close()
    if format_ == "json":
        said = {"schema": "genesis/heartbeat@1", "paths": [each.to_json() for each in healths]}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        for each in healths:
            click.echo(str(each))
    show_problems([problem for each in healths for problem in each.problems])
    return max((each.exit_code for each in healths), default=0)


def beater(
    project: Project, heartbeats: Heartbeats, *, root: Path, target: Target
) -> Callable[[str, timedelta | None], Health]:
    """What sends a heartbeat along the path of a data source."""
    from genesis.lake.upkeep import find_source
    from genesis.run.heartbeats import LATE, beat

    def make(name: str, limit: timedelta | None) -> Health:
        path = _Path(project, find_source(project, name), root, target)
        patience = LATE if limit is None else limit
        return beat(name, path, heartbeats, now=datetime.now(UTC), limit=patience)

    return make


@dataclass(frozen=True)
class _Path:
    project: Project
    source: DataSource
    root: Path
    target: Target

    def send(self, at: datetime) -> str:
        from genesis.lake.heartbeat import send

        return send(self.project, self.source, root=self.root, target=self.target, at=at)

    def last_seen(self, since: datetime) -> datetime | None:
        from genesis.lake.heartbeat import last_seen

        return last_seen(self.source, root=self.root, target=self.target, since=since)
