"""`genesis lineage`: from a tracker's columns to table columns, in words, as data, as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genesis.cli.session import (
    Session,
    definitions_option,
    inputs_option,
    param_option,
    parse_parameters,
    pick_inputs,
    require_column,
)
from genesis.errors import DefinitionError, Problem, Problems, UsageError, did_you_mean

if TYPE_CHECKING:
    from genesis.review.lineage import ReportLineage
    from genesis.review.picture import Picture
    from genesis.review.trackers import Tracker
    from genesis.spec.project import Project

    Told = list[tuple[ReportLineage, tuple[Tracker, ...]]]


@click.command("lineage")
@click.argument("name", required=False, metavar="INPUT")
@click.option("--all", "everything", is_flag=True, help="Every input; drawn, by its tables.")
@click.option("--column", metavar="C", help="One column of the input, with every step.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "mermaid", "svg"]),
    default="text",
    show_default=True,
)
@param_option
@definitions_option
@inputs_option
@click.pass_obj
def command(
    session: Session,
    name: str | None,
    everything: bool,
    column: str | None,
    format_: str,
    pairs: tuple[str, ...],
    definitions: tuple[Path, ...],
    inputs: tuple[Path, ...],
) -> None:
    """Tell which table columns the columns of an INPUT are made of, through which
    expressions; and, apart from that, what chooses rows.

    \b
    genesis lineage production_tracker --column is_late
    genesis lineage production_tracker --format svg > lineage.svg
    """
    if (name is not None) == everything:
        raise UsageError(Problem("wrong-usage", "name one INPUT, or `--all`"))
    if column is not None and everything:
        raise UsageError(Problem("wrong-usage", "`--column` goes with one INPUT"))
    problems = Problems()
    project = session.load(problems, definitions, inputs)
    names = list(project.inputs)
    if name is not None:
        names = pick_inputs(project, [name], session.shown_root, problems)
        problems = Problems()  # what is broken and was not asked for stops nothing
    given = parse_parameters(pairs)
    if everything:
        _require_used(project, given)
    told = _traced(project, names, given, problems)
    if column is not None:
        _require_column(told, column)
    if told:
        click.echo(_said(told, column, format_))
    problems.raise_errors()


def _require_used(project: Project, given: Mapping[str, str]) -> None:
    """Refuse a parameter that no input has; of all inputs, each takes those that it has."""
    known = {name for one in project.inputs.values() for name in one.parameters}
    for name in given.keys() - known:
        hint = did_you_mean(name, known) or None
        raise UsageError(Problem("wrong-usage", f"no input has a parameter `{name}`", hint=hint))


def _traced(
    project: Project, names: list[str], given: Mapping[str, str], problems: Problems
) -> Told:
    """The lineage of inputs, each with its trackers; what keeps others from having any."""
    from genesis.compile.run import Run
    from genesis.review.lineage import report_lineage
    from genesis.review.trackers import trackers_of

    trackers = trackers_of(project)
    told: Told = []
    for name in names:
        has = project.inputs[name].parameters
        own = {key: value for key, value in given.items() if len(names) == 1 or key in has}
        try:
            found = report_lineage(project, name, Run(own or None))
        except DefinitionError as error:
            problems.extend(error.problems)
        else:
            told.append((found, tuple(one for one in trackers if one.input == name)))
    return told


def _require_column(told: Told, column: str) -> None:
    if len(told) > 1:
        message = f"`--column` goes with one INPUT, and the file has {len(told)}"
        raise UsageError(Problem("wrong-usage", message))
    for report, _ in told:
        require_column(report.input, column, [one.column for one in report.columns])


def _said(told: Told, column: str | None, format_: str) -> str:
    from genesis.review.drawing import svg
    from genesis.review.facts import lineage_facts
    from genesis.review.picture import mermaid

    if column is not None:
        told = [(report.only(column), trackers) for report, trackers in told]
    match format_:
        case "json":
            return json.dumps(lineage_facts(told), indent=2, ensure_ascii=False)
        case "mermaid":
            return mermaid(_picture(told, column))
        case "svg":
            return svg(_picture(told, column))
    return _text(told, column)


def _picture(told: Told, column: str | None) -> Picture:
    """Of one input its columns; of several their tables, since a drawing of all columns helps nobody."""
    from genesis.review.picture import picture_of_project, picture_of_report

    if len(told) != 1:
        return picture_of_project(told, _text(told, column))
    return picture_of_report(told[0][0], _text(told, column))


def _text(told: Told, column: str | None) -> str:
    from genesis.review.words import lineage_text, report_text

    if column is not None:
        return lineage_text(told[0][0].columns[0])
    return "\n\n\n".join(report_text(report, trackers) for report, trackers in told)
