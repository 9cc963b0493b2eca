"""`genesis schedule`: keep the trackers of a project fresh; or tell what is due when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from genesis.cli.session import Session, parse_as_of, parse_length
from genesis.errors import DefinitionError, Problem, Problems, UsageError, suggest

if TYPE_CHECKING:
    from genesis.schedule.explain import Fire
    from genesis.spec.project import Project
    from genesis.spec.workflow import Workflow

_SHORTEST_LEASE = timedelta(seconds=5)


@click.command("schedule")
@click.argument("workflow", required=False)
@click.option("--explain", is_flag=True, help="Tell the next moments at which it is due.")
@click.option("--all", "everything", is_flag=True, help="Of every workflow of the project.")
@click.option("--from", "after", metavar="T", help="After this moment; by default after now.")
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=5,
    show_default=True,
    help="How many moments.",
)
@click.option("--until", metavar="T", help="End at this moment; by default when told to.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="How many runs go on at once.",
)
@click.option("--worker", "works_only", is_flag=True, help="Only do what other nodes ask for.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    help="How many runs at once may use a target's engine, or the account of google_sheets or "
    "airtable, on all nodes together.",
)
@click.option(
    "--lease",
    default="60s",
    show_default=True,
    metavar="LENGTH",
    help="How long a node that fell silent is waited for.",
)
@click.option(
    "--health", metavar="HOST:PORT", help="Serve /livez, /readyz, /metrics, /status.json."
)
@click.option("--log", metavar="FILE", help="Write a line of JSON for each run.")
@click.option(
    "--ping", metavar="ADDRESS", help="Call it once a minute, so that somebody misses it."
)
@click.option("--lineage", metavar="FILE|ADDRESS", help="Send OpenLineage events.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session,
    workflow: str | None,
    explain: bool,
    everything: bool,
    after: str | None,
    count: int,
    until: str | None,
    workers: int,
    works_only: bool,
    limits: tuple[str, ...],
    lease: str,
    health: str | None,
    log: str | None,
    ping: str | None,
    lineage: str | None,
    format_: str,
) -> int:
    """Keep every tracker, compaction and audit of the project on time, until Ctrl-C or SIGTERM.

    With `--explain` nothing is started: it tells when workflows are due.

    \b
    genesis schedule --workers 8 --limit local=2
    genesis schedule --explain production_tracker
    genesis schedule --explain --all --from 2026-03-08 --count 3 --format json
    """
    if not explain:
        outlets = {"health": health, "log": log, "ping": ping, "lineage": lineage}
        return _serve(
            session, workflow, until, workers, lease, limits, asks=not works_only, outlets=outlets
        )
    if (workflow is not None) == everything:
        raise UsageError(Problem("wrong-usage", "name one WORKFLOW, or `--all`"))
    moment = parse_as_of(after, "--from") or datetime.now(UTC)
    problems = Problems()
    project = session.load(problems)
    asked = _asked(project, workflow, problems)
    fires = {name: list(islice(_fires(project, asked[name], moment), count)) for name in asked}
    if format_ == "json":
        said = {name: {"fires": [_utc(fire.at) for fire in fires[name]]} for name in fires}
        click.echo(
            json.dumps({"workflows": said} if workflow is None else said[workflow], indent=2)
        )
    else:
        texts = (_text(project, asked[name], fires[name]) for name in asked)
        click.echo("\n\n".join(texts))
    if everything and any(kind == "workflow" for kind, _ in project.broken):
        problems.raise_errors()
    return 0


def _serve(
    session: Session,
    workflow: str | None,
    until: str | None,
    workers: int,
    lease: str,
    limits: tuple[str, ...],
    *,
    asks: bool,
    outlets: Mapping[str, Any],
) -> int:
    from genesis.cli.scheduling import serve
    from genesis.run.watch import Outlets

    if workflow is not None:
        hint = f"`genesis schedule --explain {workflow}` tells when it is due; `genesis run {workflow}` runs it"
        raise UsageError(Problem("wrong-usage", "a project is scheduled as a whole", hint=hint))
    length = parse_length("--lease", lease)
    if length < _SHORTEST_LEASE:
        message = f"`--lease {lease}` is too short for a call of a service"
        raise UsageError(Problem("wrong-usage", message, hint="`5s` or longer"))
    moment = parse_as_of(until, "--until")
    token = os.environ.get("GENESIS_TOKEN", "")
    return serve(
        session,
        until=moment,
        workers=workers,
        asks=asks,
        lease=length,
        limits=dict(map(_limit, limits)),
        outlets=Outlets(**outlets, token=token),
    )


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal() or int(number) < 1:
        hint = "`--limit local=2`, a target or service and how many runs at once may use it"
        raise UsageError(Problem("wrong-usage", f"`--limit {text}` is no limit", hint=hint))
    return name, int(number)


def _asked(project: Project, name: str | None, problems: Problems) -> Mapping[str, Workflow]:
    """The workflows that are meant. Raises `DefinitionError` for one that is none, or is broken."""
    if name is None:
        return project.workflows
    if name in project.workflows:
        return {name: project.workflows[name]}
    if ("workflow", name) in project.broken:
        raise DefinitionError(problems.errors)
    hint = suggest(name, project.workflows)
    raise DefinitionError(Problem("unknown-workflow", f"unknown workflow `{name}`", hint=hint))


def _fires(project: Project, workflow: Workflow, after: datetime) -> Iterator[Fire]:
    from genesis.schedule.explain import explain
    from genesis.schedule.fires import timetable_of

    timetable = timetable_of(workflow, project.settings.timezone)
    return explain(timetable, after) if timetable else iter(())


def _text(project: Project, workflow: Workflow, fires: list[Fire]) -> str:
    schedule = workflow.schedule
    zone = (schedule.timezone if schedule else None) or project.settings.timezone
    lines = [f"{workflow.name}: {_in_words(project, workflow, zone)}"]
    for fire in fires:
        local = fire.at.astimezone(ZoneInfo(zone))
        seconds = ":%S" if fire.at.second else ""
        remark = f"  {fire.remark}" if fire.remark else ""
        lines.append(f"  {local:%a %Y-%m-%d %H:%M{seconds} %Z}  {_utc(fire.at)}{remark}")
    return "\n".join(lines)


def _in_words(project: Project, workflow: Workflow, zone: str) -> str:
    from genesis.schedule.fires import ByCron, timetable_of
    from genesis.spec.values import short_duration

    schedule = workflow.schedule
    if schedule is None:
        return "by hand, since it has no schedule"
    if schedule.every is not None:
        return f"every {short_duration(schedule.every)}, counted from 1970 in UTC"
    timetable = timetable_of(workflow, project.settings.timezone)
    if not isinstance(timetable, ByCron):
        return "whenever a table that it reads has changed"
    written = " ".join((schedule.cron or "").split())
    chosen = "" if written.lower() == timetable.cron.text else f" is {timetable.cron.text}"
    return f"{written}{chosen}, {zone}"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
