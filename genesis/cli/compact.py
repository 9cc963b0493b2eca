"""`genesis compact`: change logs rewritten to their newest records, and what they leave cleared away."""

from __future__ import annotations

import json

import click

from genesis.cli.session import Session, parse_length
from genesis.console import progress
from genesis.errors import Problems


@click.command("compact")
@click.argument("data_sources", nargs=-1, required=True, metavar="DATA_SOURCE...")
@click.option("--dry-run", is_flag=True, help="Print what would be done and do nothing.")
@click.option(
    "--older-than",
    default="24h",
    show_default=True,
    metavar="LENGTH",
    help="Snapshots and unreferenced files younger than this stay: the longest reader may need them.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session, data_sources: tuple[str, ...], dry_run: bool, older_than: str, format_: str
) -> int:
    """Rewrite change logs to their newest records.

    Reports stay the same; reading them gets cheap. Old snapshots are forgotten, and files that
    nothing refers to are deleted in a later call, once they are older than the longest reader.

    \b
    genesis compact production task
    genesis compact production --dry-run
    """
    from genesis.lake.upkeep import find_source, keep_up
    from genesis.plugins import find_plugin

    length = parse_length("--older-than", older_than)
    project = session.load(Problems())
    for name in data_sources:
        find_source(project, name)
    _, target = session.target(project)
    receipts = []
    opened = find_plugin("engines", target.engine.kind)(session.root, target)
    with opened as engine, progress() as engine.watch:
        for name in dict.fromkeys(data_sources):
            done = keep_up(
                project,
                name,
                root=session.root,
                target=target,
                engine=engine,
                older_than=length,
                dry_run=dry_run,
            )
            receipts.append(done.to_json())
            if format_ == "text":
                click.echo(str(done))
    if format_ == "json":
        report = {"schema": "genesis/compact@1", "dry_run": dry_run, "logs": receipts}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    return 0
