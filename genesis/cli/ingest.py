"""`genesis ingest`: change events into a data source's change log, from files or from a PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import DefinitionError, EngineError, Problem, Problems, UsageError, suggest

if TYPE_CHECKING:
    from genesis.lake.holding import Holding
    from genesis.lake.ingest import Landing
    from genesis.spec.data_source import DataSource
    from genesis.spec.project import Project, SourceSystem

IN_PART = 1


@click.command("ingest")
@click.argument("names", nargs=-1, metavar="DATA_SOURCE FILE...|-")
@click.option("--from", "origin", metavar="SOURCE", help="Follow tables of this source system.")
@click.option("--follow", "keep_going", is_flag=True, help="With --from: do not end.")
@click.option(
    "--snapshot", "afresh", is_flag=True, help="With --from: copy the tables anew, whole."
)
@click.option(
    "--resume", "resumes", is_flag=True, help="Land what was held, after a person decided."
)
@click.option("--accept", is_flag=True, help="With --resume: let the changes pass that were told.")
@click.option(
    "--batch", metavar="ID", help="The batch's idempotency id; by default a hash of its content."
)
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    origin: str | None,
    keep_going: bool,
    afresh: bool,
    batch: str | None,
    resumes: bool,
    accept: bool,
) -> int:
    """Take change events into the lake, from files or from a PostgreSQL.

    Files hold JSON lines, Debezium envelopes or Parquet. A batch lands once, however often it is
    sent. With --from, tables of a source system of genesis.yaml are copied and then followed: the
    data sources that are named, or all that its `tables` name. Events that are refused are written
    aside with their reasons, the others land, and the exit code is 1.

    \b
    genesis ingest task events/task.jsonl
    kafka-dump tasks | genesis ingest task - --batch tasks-2026-11-23
    genesis ingest --from studio_db production movie
    genesis ingest --from studio_db --follow
    genesis ingest --resume production
    """
    if resumes:
        if origin is not None or afresh or keep_going or batch is not None:
            raise UsageError(
                Problem(
                    "wrong-usage", "`--resume` takes data sources, no other option than `--accept`"
                )
            )
        return _resume(session, names, accept=accept)
    if accept:
        raise UsageError(Problem("wrong-usage", "`--accept` needs `--resume`"))
    if origin is not None:
        if batch is not None:
            raise UsageError(Problem("wrong-usage", "`--batch` names a batch of files"))
        return _follow(session, origin, names, afresh=afresh, keep_going=keep_going)
    if afresh or keep_going:
        option = "--snapshot" if afresh else "--follow"
        hint = "`--from SOURCE` names a source system of genesis.yaml"
        raise UsageError(Problem("wrong-usage", f"`{option}` needs `--from`", hint=hint))
    if len(names) < 2:
        hint = "`genesis ingest DATA_SOURCE FILE...`, where `-` is standard input, or `genesis ingest --from SOURCE`"
        raise UsageError(Problem("wrong-usage", "there is nothing to ingest", hint=hint))
    return _take(session, names[0], [Path(name) for name in names[1:]], batch)


def _take(session: Session, data_source: str, files: list[Path], batch: str | None) -> int:
    from genesis.lake.consumers import consumed_columns
    from genesis.lake.ingest import ingest

    for file in files:
        if str(file) != "-" and not file.is_file():
            raise UsageError(Problem("unreadable-file", f"`{file}` is no file"))
    problems = Problems()
    project = session.load(problems)
    source = _find(project, data_source, problems)
    _, target = session.target(project)
    landing = ingest(
        source,
        files,
        root=session.root,
        target=target,
        now=datetime.now(UTC),
        batch=batch,
        consumed=consumed_columns(project, source.table or ""),
        standard_input=sys.stdin.buffer,
    )
    return _tell(landing, project, session.root)


def _resume(session: Session, names: tuple[str, ...], *, accept: bool) -> int:
    from genesis.cli.paused import tell_resumed
    from genesis.lake.consumers import consumed_columns
    from genesis.lake.holding import Holding, all_held
    from genesis.lake.resume import resume

    problems = Problems()
    project = session.load(problems)
    _, target = session.target(project)
    held = {pause.data_source: holding for pause, holding in all_held(session.root)}
    wanted = tuple(dict.fromkeys(names or held))
    ownerless = [name for name in wanted if name in held and not _is_defined(project, name)]
    sources = [_find(project, name, problems) for name in wanted if name not in ownerless]
    exit_code = 0
    for source in sources:
        consumed = consumed_columns(project, source.table or "")
        landings = resume(
            source, root=session.root, target=target, consumed=consumed, accept=accept
        )
        for landing in landings:
            exit_code = max(exit_code, _tell(landing, project, session.root, resumed=True))
        # Also where nothing waited: whoever was killed before this was told left an alert behind.
        if Holding(session.root, source.name).pause is None:
            tell_resumed(project, session.root, source.name, datetime.now(UTC))
    for name in ownerless:
        if names and accept:
            held[name].end()
            tell_resumed(project, session.root, name, datetime.now(UTC))
        else:
            exit_code = max(exit_code, _tell_ownerless(name, held[name]))
    if not wanted:
        click.echo("nothing is held", err=True)
    return exit_code


def _is_defined(project: Project, name: str) -> bool:
    return name in project.data_sources or ("data_source", name) in project.broken


def _tell_ownerless(name: str, holding: Holding) -> int:
    """Tell of what is held for a data source whose definition is gone; the exit code for that."""
    from genesis.cli.paused import held_text
    from genesis.console import show_problems

    message = f"data source `{name}` is gone from the definitions, and {held_text(holding)} for it"
    hint = (
        f"put it back, or forget what is held of it with `genesis ingest --resume {name} --accept`"
    )
    show_problems([Problem("unknown-data-source", message, hint=hint)])
    return DefinitionError.exit_code


def _follow(
    session: Session, name: str, names: tuple[str, ...], *, afresh: bool, keep_going: bool
) -> int:
    problems = Problems()
    project = session.load(problems)
    system = _find_system(project, name)
    wanted = list(dict.fromkeys(names or system.tables))
    if not wanted:
        hint = f"name data sources, or say where their tables are: `sources: {{{name}: {{tables: {{...}}}}}}`"
        message = f"nothing is to be taken from source `{name}`"
        raise UsageError(Problem("wrong-usage", message, hint=hint))
    sources = tuple(_find(project, each, problems) for each in wanted)
    _, target = session.target(project)

    from genesis.sources.postgres import require_driver

    require_driver(name)
    from genesis.clock import SystemClock
    from genesis.lake.consumers import consumed_columns
    from genesis.lake.follow import Lake, Origin, follow

    consumed = {each.name: consumed_columns(project, each.table or "") for each in sources}
    landings = follow(
        Origin(name, system, sources, consumed),
        Lake(session.root, target, SystemClock()),
        afresh=afresh,
        keep_going=keep_going,
        warned=lambda text: click.echo(f"warning: {text}", err=True),
    )
    return _tell_all(_healing(landings, wanted, project, session.root), project, session.root, name)


def _healing(
    landings: Iterable[Landing], names: Iterable[str], project: Project, root: Path
) -> Iterator[Landing]:
    """The landings; whom a copy made anew relieves is told at once, for it may be followed for days."""
    from genesis.cli.paused import tell_resumed
    from genesis.lake.holding import Holding

    waiting = {name for name in names if Holding(root, name).pause}
    for landing in landings:
        yield landing
        name = landing.data_source
        if name in waiting and Holding(root, name).pause is None:
            waiting.remove(name)
            tell_resumed(project, root, name, datetime.now(UTC))


def _find(project: Project, name: str, problems: Problems) -> DataSource:
    source = project.data_sources.get(name)
    if source is None:
        if ("data_source", name) in project.broken:
            raise DefinitionError(problems.errors)
        hint = suggest(name, project.data_sources)
        raise DefinitionError(
            Problem("unknown-data-source", f"unknown data source `{name}`", hint=hint)
        )
    return source


def _find_system(project: Project, name: str) -> SourceSystem:
    sources = project.settings.sources
    if name not in sources:
        hint = suggest(name, sources) or "`sources` of genesis.yaml names them"
        raise DefinitionError(Problem("unknown-source", f"unknown source `{name}`", hint=hint))
    return sources[name]


def _tell_all(landings: Iterable[Landing], project: Project, root: Path, name: str) -> int:
    exit_code, count = 0, 0
    for landing in landings:
        exit_code = max(exit_code, _tell(landing, project, root))
        count += 1
    if not count:
        click.echo(f"{name}: nothing has changed", err=True)
    return exit_code


def _tell(landing: Landing, project: Project, root: Path, *, resumed: bool = False) -> int:
    """Tell how a batch ended; the exit code that it deserves."""
    if landing.paused is not None:
        from genesis.cli.paused import tell_pause

        tell_pause(project, root, landing.paused, datetime.now(UTC), in_full=resumed)
        return EngineError.exit_code
    if landing.already_landed:
        click.echo(
            f"{landing.data_source}: batch {landing.batch} has landed before; nothing to do",
            err=True,
        )
        return IN_PART if landing.rejected else 0
    events = "event" if landing.landed == 1 else "events"
    click.echo(
        f"{landing.data_source}: {landing.landed:,} {events} landed, {landing.rejected:,} rejected",
        err=True,
    )
    if landing.added:
        click.echo(f"  new at the source, kept from now on: {', '.join(landing.added)}", err=True)
    if landing.ignored:
        click.echo(f"  no column for: {', '.join(landing.ignored)}", err=True)
    if landing.rejects is not None and landing.rejected:
        rejects = landing.rejects
        shown = rejects.relative_to(root) if rejects.is_relative_to(root) else rejects
        click.echo(f"  rejects, with line and reason: {shown}", err=True)
    return IN_PART if landing.rejected else 0
