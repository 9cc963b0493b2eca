"""`genesis run`: refresh trackers now, or say what a refresh would do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session, parse_as_of, views_option
from genesis.console import progress, show_problems
from genesis.errors import Problem, Problems, UsageError

if TYPE_CHECKING:
    from genesis.interfaces import Clock
    from genesis.run.by_hand import ByHand
    from genesis.run.ledger import Ledger
    from genesis.run.runner import Outcome, Runner

_MARKS = {
    "succeeded": "✓",
    "no_change": "=",
    "planned": "~",
    "partial": "!",
    "failed": "✗",
    "skipped": "-",
}


@click.command("run")
@click.argument("names", nargs=-1, metavar="WORKFLOW[.JOB]...")
@click.option("--all", "everything", is_flag=True, help="Every workflow of the project.")
@click.option("--dry-run", is_flag=True, help="Print the changes per tracker and make none.")
@click.option(
    "--adopt", is_flag=True, help="Take over content that genesis did not write, by key and header."
)
@click.option(
    "--logical-time",
    metavar="T",
    help="Do the runs of this moment of their schedules, each once however often it is asked for.",
)
@views_option
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    everything: bool,
    dry_run: bool,
    adopt: bool,
    logical_time: str | None,
    views: bool,
    format_: str,
) -> int:
    """Refresh trackers now.

    \b
    genesis run production_tracker
    genesis run --all --dry-run
    genesis run exports --logical-time 2026-11-23T02:00-08:00
    """
    from genesis.cli.doing import Doing, Services
    from genesis.run.clock import LedgerClock
    from genesis.run.jobs import all_jobs, pick_jobs
    from genesis.run.ledger import Ledger
    from genesis.run.rebuild import in_use
    from genesis.run.renames import follow_renames
    from genesis.run.state import file_of, is_made
    from genesis.secrets import resolve_references

    at = parse_as_of(logical_time, "--logical-time")
    if bool(names) == everything:
        raise UsageError(Problem("wrong-usage", "name at least one WORKFLOW, or `--all`"))
    problems = Problems()
    root = session.root
    project = session.load(problems)
    jobs = tuple(all_jobs(project)) if everything else pick_jobs(project, names)
    _, target = session.target(project)
    state = resolve_references(project.settings.state, root)
    # A dry run looks up what was written last and what was approved, and makes no state for that.
    ledger = Ledger(state, root) if not dry_run or is_made(state, root) else None
    if ledger and not dry_run:
        follow_renames(ledger.state, project)
    clock = LedgerClock(ledger.state) if ledger and not dry_run else None
    services = Services(root, project.settings.sinks, state, clock)
    doing = Doing(root, project, target, services, ledger)
    with (
        in_use(file_of(state, root) if clock else None),
        doing.engine() as engine,
        progress() as engine.watch,
    ):
        runner = partial(doing.runner, engine, dry_run=dry_run, adopt=adopt, views=views)
        by_hand = _by_hand(ledger, runner, clock, at) if ledger and clock else runner()
        outcomes = [_tell(outcome, format_, session) for outcome in by_hand.run(jobs)]
    services.close()
    if ledger:
        ledger.close()
    if format_ == "json":
        report = {"schema": "genesis/run@1", "jobs": [outcome.to_json() for outcome in outcomes]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    # What is broken in the project and was not asked for is told, and fails nothing here.
    return _exit_code(outcomes) or (2 if names and not jobs else 0)


def _by_hand(
    ledger: Ledger, runner: Callable[..., Runner], clock: Clock, at: datetime | None
) -> ByHand:
    from genesis.run.by_hand import ByHand
    from genesis.run.lease import Keeper
    from genesis.run.queue import Queue

    keeper = Keeper(Queue(ledger.state), clock)
    return ByHand(lambda lease, phase: runner(lease=lease, phase=phase), ledger, keeper, clock, at)


def _tell(outcome: Outcome, format_: str, session: Session) -> Outcome:
    if format_ == "text":
        click.echo(f"{_MARKS[outcome.state]} {outcome.job}  {_described(outcome)}")
    show_problems(outcome.problems, root=session.shown_root)
    return outcome


def _described(outcome: Outcome) -> str:
    from genesis.cli.audit import described

    where = f"  -> {outcome.tracker}" if outcome.tracker else ""
    if outcome.kept:
        return "\n    ".join(map(str, outcome.kept))
    if outcome.health:
        return str(outcome.health)
    if outcome.audited:
        return described(outcome.audited).replace("\n", "\n  ")
    if outcome.changes is None:
        return outcome.state.replace("_", " ") + where
    text = outcome.changes.summary()
    first, _, rest = text.partition("\n")
    if outcome.receipt and outcome.receipt.annotated:
        first += f", {outcome.receipt.annotated} annotated"
    if outcome.state == "succeeded":  # the rows themselves are in the tracker
        rest = "\n".join(f"  ! {note}" for note in outcome.changes.notes)
    return f"{first}{where}" + (f"\n{rest}" if rest else "")


def _exit_code(outcomes: Iterable[Outcome]) -> int:
    """The first failure's; a passing reason counts only where nothing else failed."""
    codes = [outcome.exit_code for outcome in outcomes if outcome.exit_code]
    return next((code for code in codes if code != 75), codes[0] if codes else 0)
