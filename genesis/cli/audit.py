"""`genesis audit`: is the lake what the systems of record say it is?"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genesis.cli.session import Session
from genesis.console import show_problems, table_text
from genesis.errors import DefinitionError, Problem, Problems, UsageError

if TYPE_CHECKING:
    from genesis.interfaces import Engine
    from genesis.run.audits import Audited, Audits
    from genesis.spec.project import Project

_MARKS = {"agrees": "✓", "watching": "~", "failing": "✗", "failed": "!"}
_SHOWN = 20  # keys on a terminal


@click.command("audit")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option(
    "--once",
    is_flag=True,
    help="Judge this run by itself: every difference fails, and nothing is remembered.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all keys that differ to FILE.html or FILE.md.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(
    session: Session, names: tuple[str, ...], once: bool, report: Path | None, format_: str
) -> int:
    """Compare data sources with their systems of record; by default in all audits of the project.

    A difference is told once it was seen in as many runs as its audit says, and for longer than its
    `sla`; from then on, until it has healed, the exit code is 5.

    \b
    genesis audit
    genesis audit production_end_to_end --report audit.html
    genesis audit production_end_to_end --once --format json
    """
    from genesis.audit.compare import find_audit
    from genesis.plugins import find_plugin
    from genesis.run.ledger import Ledger
    from genesis.secrets import resolve_references

    write = _writer(report)
    project = session.load(Problems())
    broken = [] if names else _broken(project)
    if not names and not project.audits and not broken:
        hint = "a document with `audit:` and its name makes one"
        raise DefinitionError(Problem("unknown-audit", "the project has no audits", hint=hint))
    wanted = [find_audit(project, name).name for name in dict.fromkeys(names or project.audits)]
    _, target = session.target(project)
    ledger = Ledger(resolve_references(project.settings.state, session.root), session.root)
    with find_plugin("engines", target.engine.kind)(session.root, target) as engine:
        make = auditor(project, engine, session.root, ledger.audits, once=once)
        done = [_tell(make(name), format_, session) for name in wanted]
    ledger.close()
    receipts = [audited.to_json() for audited in done]
    if format_ == "json":
        said = {"schema": "genesis/audit@1", "audits": receipts}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    if write and report:
        _write_report(report, write(receipts))
    show_problems(broken)
    left_out = [DefinitionError.exit_code for _ in broken]
    return _exit_code([*(audited.exit_code for audited in done), *left_out])


def _broken(project: Project) -> list[Problem]:
    """What is to be told of the audits that cannot be made, where all are asked for."""
    names = sorted(name for kind, name in project.broken if kind == "audit")
    hint = "`genesis check` says why"
    return [Problem("unknown-audit", f"audit `{name}` is broken", hint=hint) for name in names]


def auditor(
    project: Project,
    engine: Engine,
    root: Path,
    audits: Audits | None,
    *,
    once: bool = False,
) -> Callable[[str], Audited]:
    """What makes the audit of a name, and remembers what it saw."""
    from genesis.audit.compare import Comparer, find_audit
    from genesis.run.audits import run_audit

    def make(name: str) -> Audited:
        now = datetime.now(UTC)
        compare = Comparer(project, engine, root, now).compare
        return run_audit(find_audit(project, name), compare, audits, now=now, once=once)

    return make


def described(audited: Audited) -> str:
    """A line, and what is to be told."""
    from genesis.run.audits import in_words

    seen = audited.seen
    if seen is None:
        return "nothing was compared, and what was known before stands"
    line = f"{audited.data_source} by {seen.strategy}: "
    line += f"{in_words(seen.findings.counts)}, {seen.seconds:.1f} s"
    if audited.watched:
        line += f"\n  {len(audited.watched):,} watched, not told yet"
    return "\n".join([line, *(f"  {notice.text}" for notice in audited.notices)])


def _tell(audited: Audited, format_: str, session: Session) -> Audited:
    from genesis.audit.report import HEADER, key_rows

    if format_ == "text":
        click.echo(f"{_MARKS[audited.state]} {audited.audit}  {described(audited)}")
        rows = key_rows(audited.to_json())
        if rows:
            table = table_text(HEADER, rows[:_SHOWN])
            click.echo("\n".join(f"  {line}" for line in table.splitlines()))
        if len(rows) > _SHOWN:
            click.echo(f"  and {len(rows) - _SHOWN:,} more: `--report FILE.html` has all of them")
    show_problems(audited.problems, root=session.shown_root)
    return audited


def _writer(report: Path | None) -> Callable[[list[dict[str, Any]]], str] | None:
    from genesis.audit.report import in_html, in_markdown

    if report is None:
        return None
    writers = {".html": in_html, ".md": in_markdown}
    if report.suffix not in writers:
        message = f"`--report {report}` is neither HTML nor Markdown"
        hint = "call it `audit.html` or `audit.md`"
        raise UsageError(Problem("wrong-usage", message, hint=hint))
    return writers[report.suffix]


def _write_report(report: Path, text: str) -> None:
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot write `{report}`: {(error.strerror or str(error)).lower()}"
        hint = "what the audits saw is remembered; name a file in a folder that is there"
        raise UsageError(Problem("wrong-usage", message, hint=hint)) from error
    click.echo(f"wrote {report}", err=True)


def _exit_code(codes: list[int]) -> int:
    """That of an audit that fails; else the first other's, one that passes by itself last."""
    wrong = [code for code in codes if code]
    return next(
        (c for c in wrong if c == 5), next((c for c in wrong if c != 75), 75 if wrong else 0)
    )
