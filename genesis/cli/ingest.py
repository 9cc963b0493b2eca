"""`genesis ingest`: change events into a data source's change log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import DefinitionError, Problem, Problems, UsageError, suggest

if TYPE_CHECKING:
    from genesis.lake.ingest import Landing

IN_PART = 1


@click.command("ingest")
@click.argument("data_source")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...|-"
)
@click.option(
    "--batch", metavar="ID", help="The batch's idempotency id; by default a hash of its content."
)
@click.pass_obj
def command(session: Session, data_source: str, files: tuple[Path, ...], batch: str | None) -> int:
    """Take change events (JSON lines, Debezium envelopes, Parquet) into the lake.

    A batch lands once, however often it is sent. Events that are refused are written aside with
    their reasons, the others land, and the exit code is 1.

    \b
    genesis ingest task events/task.jsonl
    kafka-dump tasks | genesis ingest task - --batch tasks-2026-11-23
    """
    from genesis.lake.ingest import ingest

    for file in files:
        if str(file) != "-" and not file.is_file():
            raise UsageError(Problem("unreadable-file", f"`{file}` is no file"))
    problems = Problems()
    project = session.load(problems)
    source = project.data_sources.get(data_source)
    if source is None:
        if ("data_source", data_source) in project.broken:
            raise DefinitionError(problems.errors)
        hint = suggest(data_source, project.data_sources)
        raise DefinitionError(
            Problem("unknown-data-source", f"unknown data source `{data_source}`", hint=hint)
        )
    _, target = session.target(project)
    landing = ingest(
        source,
        files,
        root=session.root,
        target=target,
        now=datetime.now(UTC),
        batch=batch,
        standard_input=sys.stdin.buffer,
    )
    _tell(landing, session.root)
    return IN_PART if landing.rejected else 0


def _tell(landing: Landing, root: Path) -> None:
    if landing.already_landed:
        click.echo(
            f"{landing.data_source}: batch {landing.batch} has landed before; nothing to do",
            err=True,
        )
        return
    events = "event" if landing.landed == 1 else "events"
    click.echo(
        f"{landing.data_source}: {landing.landed:,} {events} landed, {landing.rejected:,} rejected",
        err=True,
    )
    if landing.ignored:
        click.echo(f"  no column for: {', '.join(landing.ignored)}", err=True)
    if landing.rejects is not None and landing.rejected:
        rejects = landing.rejects
        shown = rejects.relative_to(root) if rejects.is_relative_to(root) else rejects
        click.echo(f"  rejects, with line and reason: {shown}", err=True)
