"""`genesis views`: views of newest records on the engine, for people who query by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from genesis.cli.session import Session
from genesis.errors import EngineBusy, EngineError, Problems

if TYPE_CHECKING:
    from genesis.interfaces import Views
    from genesis.run.views import Compared

_MARKS = {"new": "+", "changed": "~", "same": "="}
_names = click.argument("data_sources", nargs=-1, metavar="[DATA_SOURCE...]")


@click.group("views")
def command() -> None:
    """Views of newest records on the engine: `<table>_latest` beside each change log."""


@command.command("diff")
@_names
@click.pass_obj
def diff(session: Session, data_sources: tuple[str, ...]) -> int:
    """Show what `apply` would write; the exit code is 1 where that is anything.

    \b
    genesis views diff --target trino
    """
    with _compared(session, data_sources) as (_, views):
        found = list(views)
    for each in found:
        click.echo(f"{_MARKS[each.state]} {each.view.name}")
        if each.state != "same":
            click.echo(
                "".join(f"    {line}\n" for line in each.view.reads.sql.splitlines()), nl=False
            )
    return int(any(each.state != "same" for each in found))


@command.command("apply")
@_names
@click.pass_obj
def apply(session: Session, data_sources: tuple[str, ...]) -> None:
    """Write the views that are missing or are no longer what the definitions mean.

    \b
    genesis views apply production task --target trino
    """
    refused = Problems()
    with _compared(session, data_sources) as (engine, views):
        for each in views:
            try:
                if each.state != "same":
                    engine.make_view(each.view.name, each.view.reads, comment=each.view.mark)
            except EngineBusy:
                raise
            except EngineError as error:
                refused.extend(error.problems)
                continue
            click.echo(f"{_MARKS[each.state]} {each.view.name}")
    if refused.errors:
        raise EngineError(refused.errors)


@contextmanager
def _compared(
    session: Session, names: tuple[str, ...]
) -> Iterator[tuple[Views, Iterator[Compared]]]:
    from genesis.plugins import find_plugin
    from genesis.run.views import compared_views

    problems = Problems()
    project = session.load(problems)
    problems.raise_errors()
    _, target = session.target(project)
    with find_plugin("engines", target.engine.kind)(session.root, target) as engine:
        yield engine, compared_views(project, names, engine, engine.dialect)
