"""Whether the data is as its data sources say: tables, columns, keys, to-one joins, values.

A data source that cannot be read stops no other, and what rests on it is not told again: a claim
that reads a missing column has no proof, and one over records that a repeating key doubles neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from genesis.compile.claims import (
    Apart,
    Claim,
    Counted,
    Offenders,
    ToOne,
    Unique,
    broken_claim,
    claims_of,
    named_fields,
)
from genesis.compile.proofs import RawColumn, Reads, Writer
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.errors import (
    EngineBusy,
    EngineError,
    Location,
    Problem,
    Problems,
    did_you_mean,
)
from genesis.interfaces import Engine
from genesis.run.columns import fits, in_words
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project

if TYPE_CHECKING:
    import pyarrow as pa


def prove(
    project: Project,
    sources: Sequence[DataSource],
    engine: Engine,
    run: Run,
    problems: Problems,
    tell: Callable[[str], None],
) -> tuple[str, ...]:
    """Tell where the data is not as these data sources say; notes on what is no mistake.

    `tell` is given each data source's name when its turn comes.
    """
    prover = _Prover(project, engine, Writer(project, engine.dialect, run), problems)
    healthy = [source for source in sources if prover.can_be_read(source)]
    claims = {}
    for source in healthy:
        tell(source.name)
        claims[source.name] = prover.provable(source, [one.name for one in healthy])
        prover.count([one for one in claims[source.name] if not isinstance(one, ToOne | Apart)])
    for source in healthy:
        tell(source.name)
        for claim in claims[source.name]:
            prover.tell(claim)
    return tuple(note for source in healthy for note in prover.notes(source))


@dataclass
class _Prover:
    project: Project
    engine: Engine
    writer: Writer
    problems: Problems
    # Raw columns by data source that no proof may read; `None` where it may read nothing of it.
    missing: dict[str, frozenset[str] | None] = field(default_factory=dict)
    broken: set[Claim] = field(default_factory=set)

    # --- the table --------------------------------------------------------------------------------

    def can_be_read(self, source: DataSource) -> bool:
        """Whether there is a table to prove anything of; what is missing in it is told, once."""
        if source.name not in self.missing:
            is_sound = self.writer.is_sound(source)
            self.missing[source.name] = self._unreadable(source) if is_sound else None
        return self.missing[source.name] is not None

    def _unreadable(self, source: DataSource) -> frozenset[str] | None:
        statement = self.writer.columns(source)
        at = source.locate("table" if source.sql is None else "sql")
        table = None if statement is None else self._ask(statement, at)
        if table is None:
            return None
        present = {
            name.lower(): type_
            for name, type_ in zip(table.schema.names, table.schema.types, strict=True)
        }
        found = frozenset(self._wrong(source, present))
        return None if found & self.writer.log_columns(source) else found

    def _wrong(self, source: DataSource, present: Mapping[str, pa.DataType]) -> Iterator[str]:
        """The columns that are not there or of another type."""
        for column in self.writer.raw_columns(source):
            actual = present.get(column.name.lower())
            if actual is None:
                self._tell_missing(source, column, present)
            elif column.type is not None and not fits(column.type, actual):
                self._tell_wrong_type(source, column, in_words(actual))
            else:
                continue
            yield column.name

    def _tell_missing(self, source: DataSource, column: RawColumn, present: Iterable[str]) -> None:
        what = f"the table `{source.table}`" if source.sql is None else "the query"
        message = f"{what} of data source `{source.name}` has no column `{column.name}`"
        at = (
            source.locate_key("fields", column.field)
            if column.field
            else source.locate_key("latest")
        )
        self.problems.add("unknown-column", message, at, hint=did_you_mean(column.name, present))

    def _tell_wrong_type(self, source: DataSource, column: RawColumn, actual: str) -> None:
        name = column.field or column.name
        message = f"`{name}` of data source `{source.name}` is declared {column.type}, the column is {actual}"
        hint = f"declare it {actual}, or cast it in a derived field"
        self.problems.add(
            "data-wrong-type", message, source.locate("fields", name, "type"), hint=hint
        )

    # --- claims -----------------------------------------------------------------------------------

    def provable(self, source: DataSource, proven: Sequence[str]) -> list[Claim]:
        """The claims of a data source whose proofs read nothing that is missing."""
        claims = claims_of(self.project, source, proven)
        return [claim for claim in claims if self._are_there(self.writer.reads(claim))]

    def _are_there(self, reads: Reads) -> bool:
        for name, columns in reads.items():
            if not self.can_be_read(self.project.data_sources[name]):
                return False
            if columns & (self.missing[name] or frozenset()):
                return False
        return bool(reads)

    def count(self, claims: Sequence[Counted]) -> None:
        """Find which of the claims of a data source do not hold, in one pass."""
        if not claims:
            return
        try:
            (counts,) = self.engine.query(self.writer.count(claims)).to_pylist()
        except EngineBusy:
            raise
        except EngineError as error:
            if len(claims) == 1:
                self._tell_failed(error, claims[0].at, self.writer.reads(claims[0]))
            else:
                for claim in claims:
                    self.count([claim])
            return
        self.broken |= {
            claim for claim, count in zip(claims, counts.values(), strict=True) if count
        }

    def tell(self, claim: Claim) -> None:
        """Tell a claim that does not hold, unless that only follows from another."""
        if not isinstance(claim, ToOne | Apart) and claim not in self.broken:
            return
        if isinstance(claim, Unique | ToOne) and self._rests_on_a_repeating_key(claim):
            return
        table = self._ask(self.writer.offenders(claim), claim.at, self.writer.reads(claim))
        if table is None or not table.num_rows:
            return
        rows = [tuple(row.values()) for row in table.to_pylist()]
        few = tuple((key, number) for *key, number, _ in rows)
        found = Offenders(tuple((tuple(key), number) for key, number in few), total=rows[0][-1])
        masked = {
            (source.name, name): self.writer.is_sensitive(source, name)
            for source, name in named_fields(claim)
        }
        self.problems.extend([broken_claim(claim, found, masked)])

    def _rests_on_a_repeating_key(self, claim: Unique | ToOne) -> bool:
        """Whether the proof reads records that another repeating key doubles, or its own one does."""
        repeating = {one.source.name for one in self.broken if isinstance(one, Unique)}
        if isinstance(claim, Unique):
            repeating.discard(claim.source.name)
        return bool(repeating & set(self.writer.reads(claim)))

    def notes(self, source: DataSource) -> Iterator[str]:
        """How many records the required joins of a data source leave out."""
        for name, join in source.joins.items():
            proof = self.writer.dropped(source, name) if join.required else None
            if proof is None or not self._are_there(proof[1]):
                continue
            table = self._ask(proof[0], source.locate_key("joins", name), proof[1])
            for counts in table.to_pylist() if table is not None else ():
                if counts["dropped"]:
                    yield (
                        f"required join `{name}` leaves out {counts['dropped']:,} of "
                        f"{counts['all_records']:,} records of data source `{source.name}`"
                    )

    # --- the engine -------------------------------------------------------------------------------

    def _ask(
        self, statement: Statement, at: Location, reads: Iterable[str] = ()
    ) -> pa.Table | None:
        """The rows of a statement, or `None` with what the engine says told; `reads` are data sources."""
        try:
            return self.engine.query(statement)
        except EngineBusy:
            raise
        except EngineError as error:
            self._tell_failed(error, at, reads)
            return None

    def _tell_failed(self, error: EngineError, at: Location, reads: Iterable[str]) -> None:
        known = {(problem.code, problem.message) for problem in self.problems}
        for problem in error.problems:
            placed = replace(self._discreet(problem, reads), at=problem.at or at)
            if (placed.code, placed.message) not in known:  # one catalog is missing once
                self.problems.extend([placed])

    def _discreet(self, problem: Problem, reads: Iterable[str]) -> Problem:
        """The problem without the engine's words, which may quote a value, where fields are sensitive."""
        sources = [self.project.data_sources[name] for name in reads]
        is_sensitive = any(one.sensitivity for source in sources for one in source.fields.values())
        if problem.code != "query-failed" or not is_sensitive:
            return problem
        names = " or ".join(f"`{source.name}`" for source in sources)
        message = (
            f"the engine refused a proof over {names}; what it says may quote a sensitive value"
        )
        return replace(problem, message=message)
