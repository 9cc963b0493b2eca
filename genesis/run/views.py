"""Views of newest records on an engine, for people who query the lake by hand.

A view is called as its log, with `_latest` behind it. What it was made of is told by a mark in its comment, since
engines keep a view's text as they would have written it. The surprise: definitions stay the truth. A report
reads these views only when it is asked to, and not while they say something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from genesis.compile.dialects.rewrite import to_dialect
from genesis.compile.identifiers import table
from genesis.compile.latest import newest_by_rank, view_of
from genesis.compile.statement import Scan, Statement
from genesis.errors import EngineError, Problem, Problems, UsageError, suggest
from genesis.interfaces import Engine, Views
from genesis.lake.columns import guessed_columns, record_columns
from genesis.lake.rules import rules_of
from genesis.spec.data_source import DataSource, own_column
from genesis.spec.project import Project


@dataclass(frozen=True)
class View:
    """A view as it is to be; `name` is dotted, as definitions name tables."""

    name: str
    reads: Statement

    @property
    def mark(self) -> str:
        """What tells that a view is this one."""
        return f"genesis {hashlib.sha256(self.reads.sql.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Compared:
    """A view, and what the engine has of it."""

    view: View
    state: Literal["new", "changed", "same"]


def compared_views(
    project: Project, names: Iterable[str], engine: Views, dialect: str
) -> Iterator[Compared]:
    """Each view of these data sources, or of all, against what the engine has."""
    logs: dict[str, list[DataSource]] = {}
    for source in _logs(project).values():
        logs.setdefault(view_of(source.table or ""), []).append(source)
    asked = [view_of(source.table or "") for source in _sources(project, tuple(names))]
    for name in dict.fromkeys(asked):
        view = latest_view(logs[name], dialect, project.settings.dialect)
        found = engine.view(view.name)
        state: Literal["changed", "same"] = "same" if found and view.mark in found else "changed"
        yield Compared(view, "new" if found is None else state)


def latest_view(readers: Sequence[DataSource], dialect: str, source_dialect: str) -> View:
    """The newest record of every key of a log, with the columns that its readers name.

    Raises `DefinitionError` where they tell records apart differently.
    """
    first = readers[0]
    if first.latest is None or first.table is None:
        raise LookupError(f"{first.name} is no log")
    if len(readers) > 1:
        rules_of(first, readers, dialect=source_dialect)
    columns = list(dict.fromkeys(name for source in readers for name in _named(source)))
    key = [own_column(name, first.fields[name]) or name for name in first.primary_key]
    select = newest_by_rank(table(first.table), columns, key, first.latest, dialect=source_dialect)
    sql = to_dialect(select, dialect).sql(dialect, pretty=True)
    scan = Scan(first.table, tuple(sorted({*columns, *key})))
    return View(view_of(first.table), Statement(sql, (), (scan,)))


def _named(source: DataSource) -> list[str]:
    guessed = guessed_columns(source)
    return [each.name for each in record_columns(source) if each.name not in guessed]


def refuse_other_views(
    project: Project, statement: Statement, engine: Engine, dialect: str
) -> None:
    """Raise `EngineError` where a view that a statement reads is not what the definitions mean."""
    read = {scan.table for scan in statement.scans if scan.is_view}
    names = {each.name for each in _logs(project).values() if view_of(each.table or "") in read}
    if not names:
        return
    if not isinstance(engine, Views):
        raise EngineError(
            Problem("query-failed", "the engine keeps no views", hint="leave `--views` out")
        )
    problems = Problems()
    for found in compared_views(project, sorted(names), engine, dialect):
        if found.state != "same":
            what = "does not exist" if found.state == "new" else "is not what the definitions mean"
            hint = "`genesis views apply` writes it"
            problems.add("unknown-table", f"the view `{found.view.name}` {what}", hint=hint)
    if problems.errors:
        raise EngineError(problems.errors)


def _sources(project: Project, names: tuple[str, ...]) -> Iterator[DataSource]:
    logs = _logs(project)
    for name in names or sorted(logs):
        if name not in logs:
            message = f"unknown data source `{name}`"
            if name in project.data_sources:
                message = (
                    f"data source `{name}` has no `latest`, so its table is its newest records"
                )
            raise UsageError(Problem("unknown-data-source", message, hint=suggest(name, logs)))
        yield logs[name]


def _logs(project: Project) -> dict[str, DataSource]:
    return {
        source.name: source
        for source in project.data_sources.values()
        if source.latest is not None and source.table is not None
    }
