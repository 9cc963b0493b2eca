"""`genesis impact`: what a data source, a member of one, a table or a column of one reaches."""

from __future__ import annotations

import json
from pathlib import Path

import click

from genesis.cli.session import Session, definitions_option, inputs_option
from genesis.errors import DefinitionError, Problems


@click.command("impact")
@click.argument("subject", metavar="DATA_SOURCE[.FIELD|.MEASURE|.JOIN]|TABLE[.COLUMN]")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    subject: str,
    format_: str,
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> None:
    """Tell which inputs, columns and trackers something reaches, and whom to ask: by a
    value, by what chooses rows, or by their order.

    \b
    genesis impact production.wrap_date
    genesis impact studio.movie_events.delivery_date --format json
    """
    from genesis.compile.run import Run
    from genesis.review.facts import impact_facts
    from genesis.review.impact import impact, subject_of
    from genesis.review.lineage import report_lineage
    from genesis.review.words import impact_text

    problems = Problems()
    project = session.load(problems, definitions, inputs)
    meant = subject_of(project, subject)
    reports = []
    for name in project.inputs:
        try:
            reports.append(report_lineage(project, name, Run(None)))
        except DefinitionError as error:
            problems.extend(error.problems)
    told = impact(project, meant, reports)
    if format_ == "json":
        click.echo(json.dumps(impact_facts(told), indent=2, ensure_ascii=False))
    else:
        click.echo(impact_text(told))
    problems.raise_errors()
