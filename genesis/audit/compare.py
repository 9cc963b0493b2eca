"""One run of an audit: the two sides that it names, each as of one moment, and where they differ.

The lake is pinned before the source is read, so what lands meanwhile is seen on neither side.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from genesis.audit.decide import Key, Seen, Strategy
from genesis.audit.postgres import Wanted, opened
from genesis.audit.sides import EngineSide, Side
from genesis.audit.strategies import Shown, find_differences, shown_as
from genesis.compile.proofs import Writer
from genesis.compile.run import Run
from genesis.errors import DefinitionError, Problem, suggest
from genesis.interfaces import Engine
from genesis.sources.postgres import connect
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project
from genesis.spec.types import TIMESTAMPTZ, Type
from genesis.spec.workflow import Audit


@dataclass(frozen=True)
class Comparer:
    """What the audits of a project need to look at both of their sides."""

    project: Project
    engine: Engine
    root: Path
    moment: datetime

    def compare(self, audit: Audit, remembered: Collection[Key] = ()) -> Seen:
        """Where the two sides differ. Raises `GenesisError`, and then nothing is known of them."""
        start = time.monotonic()
        source = self.project.data_sources[audit.data_source]
        columns = tuple(audit.against.columns) if strategy_of(audit) != "keys" else ()
        here = self._side(source, source.primary_key, columns)
        is_watched = audit.against.changed_at is not None and audit.sla is not None
        since = self.moment - (audit.sla or timedelta(0)) if is_watched else None
        snapshots = self.engine.snapshots((source.table,) if source.table else ())
        with self._other_side(audit, source, columns) as there:
            findings = find_differences(
                here,
                there,
                strategy_of(audit),
                columns=columns,
                shown=self._shown(source),
                remembered=remembered,
                since=since,
            )
        return Seen(findings, strategy_of(audit), snapshots, time.monotonic() - start)

    def _shown(self, source: DataSource) -> tuple[Shown, ...]:
        writer = Writer(self.project, self.engine.dialect, Run(moment=self.moment))
        return tuple(
            "hidden" if writer.is_sensitive(source, name) else shown_as(source.fields[name].type)
            for name in source.primary_key
        )

    @contextmanager
    def _other_side(
        self, audit: Audit, source: DataSource, columns: tuple[str, ...]
    ) -> Iterator[Side]:
        against = audit.against
        named = tuple(against.columns[name] for name in columns)
        if against.source is not None:
            system = self.project.settings.sources[against.source]
            wanted = Wanted(
                source=against.source,
                table=str(against.table),
                key=_typed(against.key, source, source.primary_key),
                columns=_typed(named, source, columns),
                where=against.where,
                changed_at=against.changed_at,
            )
            with (
                connect(against.source, system, self.root) as connection,
                opened(connection, wanted) as there,
            ):
                yield there
            return
        if against.data_source is not None:
            other = self.project.data_sources[against.data_source]
            yield self._side(other, against.key, named, changed_at=against.changed_at)
            return
        wanted_key = _typed(against.key, source, source.primary_key)
        key, values = _fields("key", wanted_key), _fields("value", _typed(named, source, columns))
        changed = _fields(
            "changed", ((against.changed_at, TIMESTAMPTZ),) if against.changed_at else ()
        )
        other = _table_source(str(against.table), key, {**values, **changed})
        yield self._side(other, tuple(key), tuple(values), next(iter(changed), None))

    def _side(
        self,
        source: DataSource,
        key: tuple[str, ...],
        columns: tuple[str, ...],
        changed_at: str | None = None,
    ) -> EngineSide:
        run = Run(moment=self.moment, staged=True)
        writer = Writer(self.project, self.engine.dialect, run)
        return EngineSide(self.engine, writer, source, key, columns, changed_at)


def strategy_of(audit: Audit) -> Strategy:
    """How an audit compares: keys alone, unless it names columns."""
    return audit.strategy or ("rows" if audit.against.columns else "keys")


def find_audit(project: Project, name: str) -> Audit:
    """An audit by its name, with all that it rests on. Raises `DefinitionError` where there is none."""
    if name not in project.audits:
        is_broken = ("audit", name) in project.broken
        message = f"audit `{name}` is broken" if is_broken else f"unknown audit `{name}`"
        hint = "`genesis check` says why" if is_broken else suggest(name, project.audits)
        raise DefinitionError(Problem("unknown-audit", message, hint=hint))
    audit = project.audits[name]
    for needed in filter(None, (audit.data_source, audit.against.data_source)):
        if needed not in project.data_sources:
            message = f"data source `{needed}` is unknown or broken"
            hint = "`genesis check` says why"
            raise DefinitionError(Problem("unknown-data-source", message, hint=hint))
    if audit.against.source and audit.against.source not in project.settings.sources:
        message = f"unknown source system `{audit.against.source}`"
        raise DefinitionError(Problem("unknown-source", message, hint="`genesis check` says more"))
    return audit


def _typed(
    names: tuple[str, ...], source: DataSource, fields: tuple[str, ...]
) -> tuple[tuple[str, Type], ...]:
    """Columns there with the types of the fields that they are compared with."""
    return tuple(
        (name, source.fields[field].type) for name, field in zip(names, fields, strict=True)
    )


def _fields(prefix: str, columns: tuple[tuple[str, Type], ...]) -> dict[str, dict[str, str]]:
    """A field for each column, under a name that any column may have."""
    return {
        f"{prefix}_{n}": {"type": str(type_), "column": name}
        for n, (name, type_) in enumerate(columns)
    }


def _table_source(table: str, key: Mapping[str, Any], others: Mapping[str, Any]) -> DataSource:
    """A table of the lake as a data source, all of whose rows are records."""
    said = {"name": "other_side", "table": table, "primary_key": list(key)}
    return DataSource.model_validate({**said, "fields": {**key, **others}})
