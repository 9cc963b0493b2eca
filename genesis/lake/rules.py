"""By what rules a change log may be compacted: those that all its readers agree on. PURE.

Refused is a table that a data source reads as it is, or by another key or order: what is a
superseded event to one would be a record to the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from genesis.compile.latest import has_positions, log_columns, rules_text
from genesis.errors import DefinitionError, Problem
from genesis.lake.catalog import Identifier, table_identifier
from genesis.spec.data_source import DataSource, Latest, own_column


@dataclass(frozen=True, slots=True)
class Rules:
    """Which events of a table count: those of `latest`, by raw columns that tell records apart.

    `dialect` is the one that `latest.deleted` is written in.
    """

    table: str
    key: tuple[str, ...]
    latest: Latest
    dialect: str = "trino"

    @property
    def identifier(self) -> Identifier:
        """Where the table stands in the catalog."""
        return table_identifier(self.table)

    @property
    def lateness(self) -> timedelta:
        """How late an event may arrive."""
        return self.latest.lateness

    @property
    def columns(self) -> frozenset[str]:
        """The raw columns that they read."""
        return log_columns((), self.key, self.latest, dialect=self.dialect)

    @property
    def has_positions(self) -> bool:
        """Whether `_pos` tells every event from all others."""
        return has_positions(self.latest)

    def __str__(self) -> str:
        return rules_text(self.key, self.latest)


def rules_of(
    source: DataSource, readers: Iterable[DataSource] = (), *, dialect: str = "trino"
) -> Rules:
    """The rules of a data source; deletes are kept for as long as any of the `readers` asks for.

    Raises `DefinitionError` where those of them that read the same table do not agree.
    """
    rules = _rules(source, dialect)
    lateness = rules.lateness
    for reader in readers:
        if reader.table is None or table_identifier(reader.table) != rules.identifier:
            continue
        others = _rules(reader, dialect)
        if str(others) != str(rules):
            raise _refused(
                f"data sources `{source.name}` and `{reader.name}` tell the newest records of `{source.table}` apart differently",
                hint="give both the same `primary_key` and `latest`",
            )
        lateness = max(lateness, others.lateness)
    return replace(rules, latest=rules.latest.model_copy(update={"lateness": lateness}))


def _rules(source: DataSource, dialect: str) -> Rules:
    if source.table is None or source.latest is None:
        what = "`latest`" if source.table else "`table`"
        raise _refused(
            f"data source `{source.name}` has no {what}: all its rows are records",
            hint="only a change log, with `latest: true`, holds what may be thrown away",
        )
    fields = [(name, source.fields[name]) for name in source.primary_key]
    key = tuple(column for name, field in fields if (column := own_column(name, field)))
    if len(key) < len(fields):
        raise _refused(
            f"data source `{source.name}` has a key that is no column of its table",
            hint="the key of a change log is sent with every event, it cannot be derived",
        )
    return Rules(source.table, key, source.latest, dialect)


def _refused(message: str, hint: str) -> DefinitionError:
    return DefinitionError(Problem("not-compacted", message, hint=hint))
