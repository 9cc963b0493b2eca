"""What is told of a table that waits for a person: in full once, to whoever reads what changed, then in a line.

For them it is an alert about the data source, which is over when nothing waits any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.errors import Problem

if TYPE_CHECKING:
    from datetime import datetime

    from genesis.lake.consumers import Consumers
    from genesis.lake.holding import Holding, Pause
    from genesis.schedule.alerting import Signal
    from genesis.spec.project import Project

_FEW = 6  # names in a message


def tell_pause(
    project: Project, root: Path, pause: Pause, at: datetime, *, in_full: bool = False
) -> None:
    """Tell that a table waits; the first time with whom it concerns, who are alerted."""
    from genesis.console import show_problems
    from genesis.lake.catalog import locked, table_identifier
    from genesis.lake.holding import Holding
    from genesis.schedule.alerting import Trouble

    holding = Holding(root, pause.data_source)
    if pause.is_told and not in_full:
        way = f"`genesis ingest --resume {pause.data_source}`"
        click.echo(
            f"{pause.data_source}: waits for a person; {held_text(holding)}; {way}", err=True
        )
        return
    readers = _readers(project, pause)
    problem = _problem(pause, readers)
    show_problems([problem])
    click.echo(f"  {held_text(holding)}: {_shown(holding.folder, root)}", err=True)
    if not pause.is_told:
        text = f"{problem.message}; {problem.hint}"
        told = _receivers(project, readers)
        signature = f"held {pause.data_source}: {changes_text(pause)}"[:300]
        _hear(project, root, Trouble(pause.data_source, "ingest", signature, text, told), at)
        table = table_identifier(project.data_sources[pause.data_source].table or "")
        with locked(root, ".".join(table)):  # nobody may end the pause meanwhile
            holding.mark_told()


def tell_resumed(project: Project, root: Path, data_source: str, at: datetime) -> None:
    """Tell that a table goes on, to those who were told that it waits."""
    from genesis.schedule.alerting import Well

    click.echo(f"{data_source}: nothing waits any more", err=True)
    _hear(project, root, Well(data_source, ("ingest",)), at)


def held_text(holding: Holding) -> str:
    """How much is held."""
    count, size = holding.count, holding.size
    shown = f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
    return f"{count:,} {'batch' if count == 1 else 'batches'} held ({shown})"


def changes_text(pause: Pause) -> str:
    """What changed at the source, in a phrase."""
    return "; ".join(str(change) for change in pause.changes)


def _readers(project: Project, pause: Pause) -> Consumers:
    """Who reads the columns that changed; of a changed key, who reads the table."""
    from genesis.lake.consumers import Consumers, consumers, consumers_of

    table = project.data_sources[pause.data_source].table or ""
    if any(change.kind == "key" for change in pause.changes):
        return consumers_of(project, table, consumers(project, table))
    columns = [change.column for change in pause.changes]
    return consumers_of(project, table, columns) if columns else Consumers()


def _problem(pause: Pause, readers: Consumers) -> Problem:
    concerned = (
        f"{kind} {_names(names)}"
        for kind, names in (
            ("trackers", readers.trackers),
            ("data sources", readers.data_sources),
            ("owners", readers.owners),
        )
        if names
    )
    message = f"nothing lands in `{pause.data_source}` until a person decides: {changes_text(pause)}; this concerns {', '.join(concerned)}"
    hint = f"{pause.way_out}; then `genesis ingest --resume {pause.data_source}`"
    return Problem("ingest-paused", message, hint=hint)


def _names(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _FEW} more" if len(every) > _FEW else ""
    return ", ".join(f"`{name}`" for name in every[:_FEW]) + more


def _receivers(project: Project, readers: Consumers) -> tuple[str, ...]:
    """Whom their workflows alert, and the owners themselves where somebody sends mail."""
    from genesis.run.delivery import mail_server
    from genesis.schedule.alerting import receivers_of

    can_mail = mail_server(project.settings.alerts) is not None
    owners = (receivers_of((), owner, can_mail=can_mail) for owner in sorted(readers.owners))
    return tuple(
        dict.fromkeys([*sorted(readers.receivers), *(one for each in owners for one in each)])
    )


def _hear(project: Project, root: Path, signal: Signal, at: datetime) -> None:
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    ledger = Ledger(resolve_references(project.settings.state, root), root)
    try:
        ledger.alerts.hear([signal], at=at)
    finally:
        ledger.close()


def _shown(folder: Path, root: Path) -> Path:
    return folder.relative_to(root) if folder.is_relative_to(root) else folder
