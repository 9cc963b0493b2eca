"""`genesis sinks`: do the services of trackers let us in, and do they what genesis relies on?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import Problems

if TYPE_CHECKING:
    from genesis.run.rates import Buckets
    from genesis.sinks.probing import Fact
    from genesis.sinks.reach import Reached

_TIMEOUT = timedelta(minutes=15)
_MAKES = {
    "google_sheets": "tabs in spreadsheet `{place}`, and deletes them",
    "airtable": "table `genesis probe` in base `{place}`, which Airtable's API cannot delete again",
}


@click.group("sinks")
def command() -> None:
    """The services that trackers live in."""


@command.command("probe")
@click.argument("kind", type=click.Choice(list(_MAKES)))
@click.argument("place", metavar="PLACE")
@click.option("--yes", is_flag=True, help="Do not ask before anything is made.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def probe(session: Session, kind: str, place: str, yes: bool, format_: str) -> int:
    """Ask a real account whether it does what genesis relies on.

    PLACE is the id of a spreadsheet or of a base, reached as `sinks` of genesis.yaml says. Nothing
    in it is changed but what the probe makes. The exit code is 1 where reality differs.

    \b
    genesis sinks probe google_sheets 1AbC
    genesis sinks probe airtable appXXXX --yes --format json
    """
    from genesis.console import progress

    if not yes:
        makes = _MAKES[kind].format(place=place)
        click.confirm(f"This makes {makes}. Go on?", abort=True, err=True)
    facts = []
    with _rates(session) as rates, progress() as show:
        for fact in _facts(session, kind, place, rates):
            facts.append(fact)
            show(fact.claim)
    _tell(facts, kind, place, format_)
    return 0 if all(fact.agrees for fact in facts) else 1


@command.command("check")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def check(session: Session, format_: str) -> int:
    """Tell which trackers in services can be read, and as whom.

    Nothing is written, so whether it may be written is only known from a refresh.

    \b
    genesis sinks check
    """
    from genesis.run.jobs import all_jobs
    from genesis.sinks.reach import Reach
    from genesis.sync.changes import Tracker

    problems = Problems()
    project = session.load(problems)
    places = [(job.name, job.job.to) for job in all_jobs(project)]
    trackers = [Tracker(name, to, ()) for name, to in places if to and to.sink in _MAKES]
    with _rates(session) as rates:
        until = rates.clock.now() + _TIMEOUT
        ask = Reach(project.settings.sinks, rates, until, session.root).ask
        reached = [ask(tracker) for tracker in trackers]
    _tell_reached(reached, format_)
    return min((one.exit_code for one in reached if one.problem), default=0)


def _tell_reached(reached: list[Reached], format_: str) -> None:
    from genesis.console import show_problems, table_text

    if format_ == "json":
        told = {"schema": "genesis/reach@1", "trackers": [one.to_json() for one in reached]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    rows = [
        [
            one.tracker.name,
            str(one.tracker.place),
            one.account,
            one.title if one.problem is None else "refused",
        ]
        for one in reached
    ]
    if not rows:
        click.echo("no tracker is in a service", err=True)
        return
    click.echo(table_text(["TRACKER", "PLACE", "ACCOUNT", "FOUND"], rows))
    show_problems(dict.fromkeys(one.problem for one in reached if one.problem))


def _facts(session: Session, kind: str, place: str, rates: Buckets) -> Iterator[Fact]:
    access = session.load(Problems()).settings.sinks
    until = rates.clock.now() + _TIMEOUT
    if kind == "airtable":
        from genesis.sinks.airtable.probe import open_base
        from genesis.sinks.airtable.probe import probe as probe_airtable

        base = open_base(access.airtable, place, rates=rates, until=until, root=session.root)
        yield from probe_airtable(base)
        return
    from genesis.sinks.google import GoogleSheetsSink
    from genesis.sinks.google.probe import probe as probe_google
    from genesis.sinks.google.service import open_spreadsheet

    spreadsheet = open_spreadsheet(
        access.google_sheets, place, rates=rates, until=until, root=session.root
    )
    try:
        sink = GoogleSheetsSink(session.root, access.google_sheets, rates)
        yield from probe_google(spreadsheet, sink)
    finally:
        spreadsheet.close()


@contextmanager
def _rates(session: Session) -> Iterator[Buckets]:
    """The rates of the project: a probe keeps to the limits that its refreshes keep to."""
    from genesis.clock import SystemClock
    from genesis.run.rates import Buckets
    from genesis.run.state import State
    from genesis.secrets import resolve_references

    state = session.load(Problems()).settings.state
    rates = Buckets(State(resolve_references(state, session.root), session.root), SystemClock())
    try:
        yield rates
    finally:
        rates.close()


def _tell(facts: list[Fact], kind: str, place: str, format_: str) -> None:
    from genesis.console import table_text

    if format_ == "json":
        found = {"sink": kind, "place": place, "facts": [fact.to_json() for fact in facts]}
        click.echo(json.dumps({"schema": "genesis/probe@1", **found}, indent=2, ensure_ascii=False))
        return
    rows = [[fact.claim, fact.verdict] for fact in facts]
    click.echo(table_text(["FACT", "FOUND"], rows, right=[False, False]))
    differing = sum(not fact.agrees for fact in facts)
    summary = (
        f"{differing} of {len(facts)} facts differ"
        if differing
        else f"all {len(facts)} facts are as expected"
    )
    click.echo(summary, err=True)
