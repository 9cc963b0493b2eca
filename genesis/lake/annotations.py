"""What people say in trackers, as change logs: `annotations.<workflow>_<job>`, keyed like the report.

A log is read before it is added to, and only what differs is added. So a run that was killed in
between is made up for by the next one, and a run that was killed after it adds nothing again. A
record that left the tracker keeps what was said of it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from genesis.errors import EngineError, Problem
from genesis.lake.catalog import (
    change_log,
    find_catalog,
    load_table,
    make_catalog,
    table_identifier,
    tables,
    told_as_problem,
)
from genesis.lake.columns import POS, record_columns
from genesis.lake.incoming import STANDARD_INPUT
from genesis.lake.ingest import ingest
from genesis.spec.data_source import DataSource
from genesis.spec.project import Target
from genesis.sync.changes import Tracker
from genesis.sync.keys import key_text
from genesis.sync.said import Said, Values, record_key, table_of


class LakeAnnotations:
    """The logs of a target's catalog. `may_make` is whether one that is missing is made."""

    def __init__(self, root: Path, target: Target, *, may_make: bool = True) -> None:
        self._root = root
        self._target = target
        self._may_make = may_make
        self._snapshots: dict[str, int | None] = {}

    def last(self, tracker: Tracker) -> Mapping[str, Values]:
        """What people said last, by key; the log is made if need be. Raises `EngineError`."""
        source = annotation_source(tracker)
        make = make_catalog if self._may_make else find_catalog
        catalog = make(self._root, self._target)
        if catalog is None:
            return {}
        with closing(catalog):
            if self._may_make:
                log: Table | None = self._change_log(catalog, source, tracker)
            else:
                log = load_table(catalog, table_identifier(str(source.table)))
            if log is None:
                return {}
            self._snapshots[tracker.name] = log.metadata.current_snapshot_id
            return _last(log, source, tracker)

    def orphans(self, tracker: Tracker, known: Collection[str]) -> Sequence[str]:
        """The tables of no tracker with this one's key and one of its columns, while it has none."""
        own = table_of(tracker)
        catalog = find_catalog(self._root, self._target)
        if catalog is None:
            return ()
        with closing(catalog):
            every = [name for name in tables(catalog) if name.startswith("annotations.")]
            if own in every:
                return ()
            return [name for name in every if name not in known and _fits(catalog, name, tracker)]

    def append(self, tracker: Tracker, said: Sequence[Said], *, at: datetime) -> None:
        """Keep what people say now, as one batch. Raises `EngineError`."""
        if not said:
            return
        lines = "".join(f"{json.dumps(each.record, default=_plain)}\n" for each in said).encode()
        # Two runs that read the same log and the same tracker say the same, and it is kept once.
        seen = f"{self._snapshots.get(tracker.name)}\n".encode()
        landing = ingest(
            annotation_source(tracker),
            [STANDARD_INPUT],
            root=self._root,
            target=self._target,
            now=at,
            batch=hashlib.sha256(seen + lines).hexdigest()[:32],
            standard_input=io.BytesIO(lines),
        )
        if landing.rejected:
            message = f"{landing.rejected:,} annotations of tracker `{tracker.name}` were refused"
            raise EngineError(Problem("catalog-failed", message, hint=f"see `{landing.rejects}`"))

    def _change_log(self, catalog: Catalog, source: DataSource, tracker: Tracker) -> Table:
        try:
            return change_log(catalog, source, self._root)
        except EngineError as error:
            if error.problems[0].code != "wrong-batch":
                raise
            message = f"the annotations of tracker `{tracker.name}` have changed: {error.problems[0].message}"
            hint = "an annotation of another type needs another name"
            raise EngineError(Problem("wrong-batch", message, hint=hint)) from error


def annotation_source(tracker: Tracker) -> DataSource:
    """The log of a tracker's annotations as the data source that it is."""
    table, key = table_of(tracker), record_key(tracker)
    types = {name: column.type for name, column in key}
    types |= {each.name: each.column.type for each in tracker.annotations}
    return DataSource.model_validate(
        {
            "name": table.replace(".", "_"),
            "table": table,
            "primary_key": [name for name, _ in key],
            "fields": {name: str(type_) for name, type_ in types.items()},
            "latest": True,
        }
    )


def _fits(catalog: Catalog, table: str, tracker: Tracker) -> bool:
    log = load_table(catalog, table_identifier(table))
    there = {field.name for field in log.schema().fields} if log else set()
    asked = {each.name for each in tracker.annotations}
    return {name for name, _ in record_key(tracker)} <= there and not asked.isdisjoint(there)


def _last(log: Table, source: DataSource, tracker: Tracker) -> dict[str, Values]:
    key = [name for name, _ in record_key(tracker)]
    there = {field.name for field in log.schema().fields}
    names = [column.name for column in record_columns(source) if column.name in there]
    with told_as_problem(f"the table `{source.table}`"):
        rows = log.scan(selected_fields=(*names, POS.name)).to_arrow().sort_by(POS.name)
    said: dict[str, Values] = {}
    for row in rows.to_pylist():  # later ones win
        values = {name: row[name] for name in names if name not in key and row[name] is not None}
        said[key_text([row[name] for name in key])] = values
    return said


def _plain(value: Any) -> str:
    """A date, an instant or a decimal as a change event has it."""
    return value.isoformat() if isinstance(value, date | time) else str(value)
