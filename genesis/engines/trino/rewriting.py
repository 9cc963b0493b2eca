"""A change log's newest records, ranked and written by a Trino server.

The server inserts them into a table beside the log, whose files are such as the log has: what the
log then refers to is what Trino wrote. The surprise: it ranks twice, to count and to write, and the two
must agree before anything is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from sqlglot import exp

from genesis.compile.dialects.rewrite import to_dialect
from genesis.compile.identifiers import identifier
from genesis.compile.latest import instant, survivors_by_rank
from genesis.errors import EngineError, Problem
from genesis.lake.columns import POS
from genesis.lake.ranking import Survivors, deletes_of
from genesis.lake.read import Pinned
from genesis.lake.rules import Rules
from genesis.lake.staging import forget_staging, make_staging
from genesis.lake.versions import at_snapshot

# How Trino writes: files as ours are, row groups small enough for DuckDB's threads to share, and no
# statistics in files of their own, which nobody reads.
_WRITING = {
    "target_max_file_size": "'128MB'",
    "parquet_writer_block_size": "'16MB'",
    "collect_extended_statistics_on_write": "false",
}


class TrinoRewriting:
    """A snapshot's events; deletes of before `late` are forgotten.

    `ask` runs SQL in a session; `trinos_catalog` is what the server calls `catalog`.
    """

    def __init__(
        self,
        ask: Callable[[str], pa.Table],
        trinos_catalog: str,
        catalog: Catalog,
        pinned: Pinned,
        rules: Rules,
        late: datetime,
    ) -> None:
        self._ask = ask
        self._trinos_catalog = trinos_catalog
        self._catalog = catalog
        self._pinned = pinned
        self._rules = rules
        self._deletes = deletes_of(pinned, rules)
        self._late = late

    def rank(self) -> Survivors:
        """How many events are kept."""
        deleted, at = self._deletes or (exp.false(), exp.null())
        is_kept_delete = exp.and_(deleted.copy(), exp.not_(self._is_old()))
        counted = exp.select(
            exp.CountIf(this=exp.not_(self._is_old())),
            exp.CountIf(this=self._is_old()),
            exp.Min(this=exp.If(this=is_kept_delete, true=at.copy())),
        )
        columns = sorted(self._rules.columns)
        found = self._run(counted.from_(self._survivors(columns).subquery("_survivors")))
        kept, forgotten, oldest = (column.cast(pa.int64())[0].as_py() for column in found.columns)
        return Survivors(kept, forgotten, oldest)

    def write(self, run: str) -> list[DataFile]:
        """New files of the survivors, sorted by key, with `run` in their paths."""
        log = self._pinned.table
        staging = make_staging(self._catalog, log, run, key=self._rules.key)
        try:
            catalog = identifier(self._trinos_catalog).sql("trino")
            for name, value in _WRITING.items():
                self._ask(f"SET SESSION {catalog}.{name} = {value}")
            self._run(exp.Insert(this=_table(staging), expression=self._kept()))
        except BaseException:
            with suppress(Exception):
                forget_staging(self._catalog, staging)
            raise
        files = forget_staging(self._catalog, staging)
        self._refuse_elsewhere(files, run)
        return files

    def _kept(self) -> exp.Select:
        """The events to write. Those with positions are found by them, so that ranking is of few columns."""
        columns = [exp.Column(this=identifier(name)) for name in self._pinned.columns]
        if not self._rules.has_positions:
            newest = self._survivors(self._pinned.columns).subquery("_survivors")
            return exp.select(*columns).from_(newest).where(exp.not_(self._is_old()))
        ranked = sorted({*self._rules.columns, POS.name})
        position = exp.Column(this=identifier(POS.name))
        newest = self._survivors(ranked).subquery("_survivors")
        kept = exp.select(position).from_(newest).where(exp.not_(self._is_old()))
        is_kept = exp.In(this=position.copy(), query=kept.subquery())
        return exp.select(*columns).from_(self._log()).where(is_kept)

    def _survivors(self, columns: Sequence[str]) -> exp.Select:
        rules = self._rules
        return survivors_by_rank(
            self._log(), columns, rules.key, rules.latest, dialect=rules.dialect
        )

    def _log(self) -> exp.Expr:
        return at_snapshot(self._pinned.table, _table(self._pinned.table))

    def _is_old(self) -> exp.Expr:
        """The condition that an event is a delete to be forgotten, never NULL."""
        if self._deletes is None:
            return exp.false()
        deleted, at = self._deletes
        is_before = exp.LT(this=at.copy(), expression=instant(self._late))
        return exp.func("COALESCE", exp.and_(deleted.copy(), is_before), exp.false())

    def _run(self, statement: exp.Expr) -> pa.Table:
        try:
            return self._ask(to_dialect(statement, "trino").sql("trino"))
        except EngineError as error:
            (said,) = error.problems
            message = f"the table `{self._rules.table}` was not compacted: {said.message}"
            hints = ["nothing has changed in it, and a target of DuckDB can compact it", said.hint]
            told = replace(said, message=message, hint="; ".join(filter(None, hints)))
            raise type(error)(told) from error

    def _refuse_elsewhere(self, files: Iterable[DataFile], run: str) -> None:
        """Refuse files that are not in the log's own folder: nobody would sweep them, nor know who wrote them."""
        folder = f"{self._pinned.table.location().rstrip('/')}/data/{run}/"
        if all(file.file_path.startswith(folder) for file in files):
            return
        message = (
            f"the table `{self._rules.table}` was not compacted: Trino wrote its files elsewhere"
        )
        hint = "nothing has changed in it; `genesis compact` with a target of DuckDB writes them itself"
        raise EngineError(Problem("not-compacted", message, hint=hint))


def _table(known: Table) -> exp.Table:
    """A table of the catalog as Trino names it."""
    *schema, name = map(identifier, known.name())
    return exp.Table(this=name, db=schema[-1])
