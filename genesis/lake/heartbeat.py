"""Heartbeats: synthetic events that travel the whole path of a data source and end in its change log.

They tell that a pipeline is alive when nothing else does: a quiet table and a dead pipeline look the
same. A data source whose table is followed in a PostgreSQL gets its beats from there, as messages in
that server's log, so that no table there is written to; any other gets them in the change log itself.
The surprise: no report ever sees one, since events of kind `h` are dropped before records are ranked;
so a table that anybody reads as it is gets none.
"""

from __future__ import annotations

import io
import json
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual

from genesis.compile.latest import drops_heartbeats
from genesis.errors import DefinitionError, Problem
from genesis.lake.catalog import (
    find_catalog,
    load_table,
    table_identifier,
    told_as_problem,
)
from genesis.lake.columns import OP, SOURCE_TS, TS, record_columns, reserved_key
from genesis.lake.incoming import STANDARD_INPUT
from genesis.lake.ingest import ingest
from genesis.lake.pgoutput import HEARTBEAT
from genesis.sources.postgres import connect
from genesis.sources.postgres import told_as_problem as told_by_source
from genesis.sources.replication import Name
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project, Target

_SKEW = timedelta(days=1)  # how far the clocks of a source and of the lake may be apart


def send(project: Project, source: DataSource, *, root: Path, target: Target, at: datetime) -> str:
    """Send a heartbeat of this moment along the path of a data source; where it was sent from.

    Raises `DefinitionError` where somebody would see it, `EngineError` where it cannot be sent.
    """
    refuse_visible(project, source)
    for name, system in project.settings.sources.items():
        if source.name in system.tables:
            schema, table = Name.of(system.tables[source.name])
            said = {"schema": schema, "table": table, "at": at.isoformat()}
            with connect(name, system, root) as connection, told_by_source(name):
                emit = "SELECT pg_logical_emit_message(true, %s, %s)"
                connection.execute(emit, [HEARTBEAT, json.dumps(said)])
            return name
    event = {OP.name: "h", SOURCE_TS.name: at.isoformat(), **reserved_key(record_columns(source))}
    line = json.dumps(event, default=_plain).encode()
    ingest(
        source,
        [STANDARD_INPUT],
        root=root,
        target=target,
        now=at,
        batch=f"heartbeat-{at.timestamp():.6f}",
        standard_input=io.BytesIO(line),
    )
    return "the change log"


def last_seen(
    source: DataSource, *, root: Path, target: Target, since: datetime
) -> datetime | None:
    """When the newest heartbeat that arrived was sent, of those since about a moment."""
    catalog = find_catalog(root, target)
    if catalog is None:
        return None
    with closing(catalog), told_as_problem(f"the table `{source.table}`"):
        log = load_table(catalog, table_identifier(str(source.table)))
        if log is None:
            return None
        # How files are skipped: a heartbeat landed when it was sent, or later.
        after = GreaterThanOrEqual(term=TS.name, value=(since - _SKEW).isoformat())
        beats = And(EqualTo(term=OP.name, value="h"), after)
        found = log.scan(row_filter=beats, selected_fields=(SOURCE_TS.name,)).to_arrow()
    return max((at for at in found[SOURCE_TS.name].to_pylist() if at), default=None)


def refuse_visible(project: Project, source: DataSource) -> None:
    """Refuse a table of whose readers one would take a heartbeat for a record."""
    if source.table is None:
        hint = "only a data source with a `table` has a change log"
        message = f"data source `{source.name}` is a query: no event can be sent to it"
        raise DefinitionError(Problem("wrong-batch", message, hint=hint))
    identifier = table_identifier(source.table)
    for reader in project.data_sources.values():
        if reader.table is None or table_identifier(reader.table) != identifier:
            continue
        latest = reader.latest
        if latest is None or not drops_heartbeats(latest, dialect=project.settings.dialect):
            message = (
                f"a heartbeat in `{source.table}` would be a record of data source `{reader.name}`"
            )
            hint = "only a change log that is read with `latest: true` can have heartbeats"
            raise DefinitionError(Problem("wrong-batch", message, hint=hint))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)
