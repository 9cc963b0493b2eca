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
from genesis.errors import EngineBusy, EngineError, Location, Problems, did_you_mean
from genesis.interfaces import Engine
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project
from genesis.spec.types import PLAIN, Type

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
                self._tell_wrong_type(source, column, _in_words(actual))
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
                self._tell_failed(error, claims[0].at)
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
        table = self._ask(self.writer.offenders(claim), claim.at)
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
            table = self._ask(proof[0], source.locate_key("joins", name))
            for counts in table.to_pylist() if table is not None else ():
                if counts["dropped"]:
                    yield (
                        f"required join `{name}` leaves out {counts['dropped']:,} of "
                        f"{counts['all_records']:,} records of data source `{source.name}`"
                    )

    # --- the engine -------------------------------------------------------------------------------

    def _ask(self, statement: Statement, at: Location) -> pa.Table | None:
        try:
            return self.engine.query(statement)
        except EngineBusy:
            raise
        except EngineError as error:
            self._tell_failed(error, at)
            return None

    def _tell_failed(self, error: EngineError, at: Location) -> None:
        known = {(problem.code, problem.message) for problem in self.problems}
        self.problems.extend(
            replace(problem, at=problem.at or at)
            for problem in error.problems
            if (problem.code, problem.message) not in known  # one catalog is missing once
        )


def fits(declared: Type, actual: pa.DataType) -> bool:
    """Whether a column's values are of a declared type."""
    from pyarrow import types

    checks: dict[str, Callable[[pa.DataType], bool]] = {
        "integer": lambda type_: types.is_integer(type_) or _is_whole(type_),
        "decimal": lambda type_: types.is_integer(type_) or _has_digits(declared, type_),
        "float": types.is_floating,
        "boolean": types.is_boolean,
        "string": _is_text,
        "json": _is_text,
        "date": types.is_date,
        "time": types.is_time,
        "timestamp": lambda type_: types.is_timestamp(type_) and type_.tz is None,
        "timestamptz": lambda type_: types.is_timestamp(type_) and type_.tz is not None,
        "array": lambda type_: _is_list_of(declared.item, type_),
    }
    return checks[declared.name](actual)


def _in_words(actual: pa.DataType) -> str:
    """A column's type as the language names it, where it does."""
    from pyarrow import types

    if types.is_decimal(actual):
        return f"decimal({actual.precision},{actual.scale})"
    return next((name for name in PLAIN if fits(Type(name), actual)), str(actual))


def _is_whole(actual: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_decimal(actual) and actual.scale == 0)


def _has_digits(declared: Type, actual: pa.DataType) -> bool:
    """Whether a decimal holds no more digits than are declared, on either side of the point."""
    from pyarrow import types

    return bool(
        types.is_decimal(actual)
        and actual.scale <= declared.scale
        and actual.precision - actual.scale <= declared.precision - declared.scale
    )


def _is_text(actual: pa.DataType) -> bool:
    from pyarrow import types

    stored = getattr(actual, "storage_type", actual)  # of JSON
    stored = stored.value_type if types.is_dictionary(stored) else stored  # of an ENUM
    return any(
        is_text(stored)
        for is_text in (types.is_string, types.is_large_string, types.is_string_view)
    )


def _is_list_of(item: Type | None, actual: pa.DataType) -> bool:
    from pyarrow import types

    is_list = types.is_list(actual) or types.is_large_list(actual)
    return is_list and (item is None or fits(item, actual.value_type))
