"""`genesis export`: our workflows in another scheduler's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from genesis.cli.session import Session
from genesis.errors import DefinitionError, Problem, Problems, UsageError, suggest

TARGETS = ("cron", "systemd", "github-actions", "airflow", "maestro")


@click.command("export")
@click.argument("target", type=click.Choice(TARGETS))
@click.argument("workflows", nargs=-1, metavar="WORKFLOW...")
@click.option("--all", "everything", is_flag=True, help="Every workflow of the project.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write files below this folder instead of stdout.",
)
@click.option("--year", type=click.IntRange(1970, 9990), help="Whose nights are searched, and the next one's; by default this one.")  # fmt: skip
@click.pass_obj
def command(
    session: Session,
    target: str,
    workflows: tuple[str, ...],
    everything: bool,
    out: Path | None,
    year: int | None,
) -> int:
    """Write what another scheduler needs to start workflows: one command each, at our moments.

    Where it would start them at other moments, in nights when clocks are put, comments and stderr say so.

    \b
    genesis export cron --all
    genesis export github-actions production_tracker --out .
    """
    from genesis.schedule.wrappers import export

    if bool(workflows) == everything:
        raise UsageError(Problem("wrong-usage", "name at least one WORKFLOW, or `--all`"))
    problems = Problems()
    project = session.load(problems)
    for name in workflows:
        if name not in project.workflows:
            if ("workflow", name) in project.broken:
                raise DefinitionError(problems.errors)
            unknown = f"unknown workflow `{name}`"
            hint = suggest(name, project.workflows)
            raise DefinitionError(Problem("unknown-workflow", unknown, hint=hint))
    exported = export(
        target,  # type: ignore[arg-type]  # the choices are its own
        [project.workflows[name] for name in workflows or project.workflows],
        project.settings.timezone,
        root=str(session.root),
        year=year or datetime.now(UTC).year,
    )
    for name, why in exported.left_out.items():
        click.echo(f"`{name}` is left out: {why}", err=True)
    for note in exported.notes:
        click.echo(note, err=True)
    _write(exported.files, out)
    # Of what was named all is expected; of everything, what can be said.
    return 1 if workflows and exported.left_out else 0


def _write(files: Mapping[str, str], out: Path | None) -> None:
    if out is None:
        several = len(files) > 1
        texts = (f"# --- {name}\n{text}" if several else text for name, text in files.items())
        click.echo("\n".join(texts), nl=False)
        return
    for name, text in files.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        click.echo(file, err=True)
