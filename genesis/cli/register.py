"""`genesis register`: the tables of one target's catalog, made known to another's."""

from __future__ import annotations

import click

from genesis.cli.session import Session
from genesis.errors import Problem, Problems, UsageError


@click.command("register")
@click.option(
    "--from", "origin", required=True, metavar="TARGET", help="The target that has the tables."
)
@click.pass_obj
def command(session: Session, origin: str) -> None:
    """Make the tables of one target known to the catalog of another, where they are.

    No file is copied: it takes a moment, however large the lake is. From then on write to the new
    catalog alone.

    \b
    genesis register --from local --target trino
    """
    from dataclasses import replace

    from genesis.lake.register import register

    project = session.load(Problems())
    name, target = session.target(project)
    _, taken_from = replace(session, target_name=origin).target(project)
    if taken_from.catalog == target.catalog:
        message = f"the targets `{origin}` and `{name}` have one catalog"
        raise UsageError(Problem("wrong-usage", message, hint="`--target` names the new one"))
    for each in register(session.root, origin=taken_from, target=target):
        click.echo(f"{'+' if each.is_new else '='} {each.table}")
