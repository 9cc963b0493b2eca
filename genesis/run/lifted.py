"""The proof of a lifted report: its SQL and its input give the same rows, on the data and on hostile copies.

One data set cannot show all: without an orphan, an inner join is a left one. So both also run on copies of the
tables whose rows are taken away, doubled or emptied of values. Rows are compared as a bag, without LIMIT, and
the order by the columns that SQL sorts by. The surprise: what gives no rows anywhere is not proven.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import pyarrow as pa
import sqlglot
from sqlglot import exp

from genesis.compile.compare import typed_literal
from genesis.compile.compiler import compile_input
from genesis.compile.run import Run
from genesis.compile.statement import Scan, Statement
from genesis.errors import EngineError, GenesisError
from genesis.interfaces import Engine
from genesis.lift.facts import Evidence
from genesis.lift.hostile import Copied, constants_of, variants
from genesis.lift.report import Lifted
from genesis.lift.sources import Draft
from genesis.run.columns import in_words
from genesis.spec.project import Project
from genesis.spec.types import parse_type

MOST_COPIED = 20_000  # rows of a table
MOST_SHOWN = 5  # differing rows
MOST_PAIRED = 1_000  # rows that are looked at one against another


class Changeable(Engine, Protocol):
    """An engine whose tables can be changed for a while."""

    def changed(self, statements: Sequence[str]) -> AbstractContextManager[None]:
        """The tables as statements make them, until the end."""


class EngineFacts:
    """What an engine knows of tables; each question is asked once."""

    def __init__(self, engine: Engine | None) -> None:
        self._engine = engine
        self._columns: dict[str, dict[str, str]] = {}
        self._keys: dict[tuple[str, tuple[str, ...]], Evidence] = {}

    def columns(self, table: str) -> Mapping[str, str]:
        """The types of a table's columns by name; empty where the engine knows no such table."""
        if table.lower() not in self._columns:
            found = self._ask(table, exp.select("*").from_(_table(table)).limit(0))
            schema = found.schema if found is not None else pa.schema([])
            self._columns[table.lower()] = {one.name: in_words(one.type) for one in schema}
        return self._columns[table.lower()]

    def key(self, table: str, columns: Sequence[str]) -> Evidence:
        """Whether columns are never NULL and tell all rows apart; without an engine a guess by their names."""
        question = (table.lower(), tuple(column.lower() for column in columns))
        if question not in self._keys:
            self._keys[question] = self._count(table, question[1])
        return self._keys[question]

    def _count(self, table: str, columns: Sequence[str]) -> Evidence:
        if self._engine is None or not self.columns(table):
            stem = table.rpartition(".")[2].lower().removesuffix("s")
            return Evidence(list(columns) in ([f"{stem}_id"], ["id"]))
        names = [exp.column(exp.to_identifier(column, quoted=True)) for column in columns]
        apart = exp.select(*[name.copy() for name in names]).distinct().from_(_table(table))
        apart = apart.where(
            *[exp.Not(this=exp.Is(this=name.copy(), expression=exp.null())) for name in names]
        )
        number = exp.select(exp.Count(this=exp.Star())).from_(apart.subquery("apart"))
        asked = exp.select(
            exp.Count(this=exp.Star()).as_("rows_"), number.subquery().as_("apart")
        ).from_(_table(table))
        found = self._ask(table, asked)
        if found is None:
            return Evidence(False)
        rows, distinct = (column[0].as_py() for column in found.columns)
        return Evidence(rows == distinct and rows > 0, rows)

    def result_type(self, query: exp.Expr) -> str | None:
        """The type of the one column of a query; `None` where nobody can tell."""
        if self._engine is None:
            return None
        scans = tuple(Scan(name, None) for name in sorted(tables_of(query)))
        try:
            found = self._engine.query(Statement(query.sql(self._engine.dialect), (), scans))
        except EngineError:
            return None
        return in_words(found.schema[0].type)

    def _ask(self, table: str, query: exp.Select) -> pa.Table | None:
        if self._engine is None:
            return None
        try:
            return self._engine.query(
                Statement(query.sql(self._engine.dialect), (), (Scan(table, None),))
            )
        except EngineError:
            return None


def _table(name: str) -> exp.Table:
    return exp.to_table(name, dialect="trino")


# --- what is compared -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Where two results are not the same: rows of one side alone, or another order."""

    only_sql: tuple[tuple[Any, ...], ...] = ()
    only_input: tuple[tuple[Any, ...], ...] = ()
    words: str = ""

    def __str__(self) -> str:
        if self.words:
            return self.words
        return f"{len(self.only_sql):,} rows of the SQL alone, {len(self.only_input):,} of the input alone"


@dataclass
class Proof:
    """What comparing a report with its input has shown."""

    rows: int = 0
    columns: tuple[str, ...] = ()
    on_data: Difference | None = None
    on_variants: list[tuple[str, Difference]] = field(default_factory=list)
    tried: int = 0
    most_rows: int = 0
    failed: str = ""

    @property
    def holds(self) -> bool:
        """Whether all was equal, and there was something to compare."""
        return not (self.failed or self.on_data or self.on_variants) and bool(self.most_rows)

    def __str__(self) -> str:
        size = f"{self.rows:,} rows x {len(self.columns)} columns"
        if self.failed:
            return self.failed
        if self.on_data:
            return f"differs on the data: {self.on_data}"
        if self.on_variants:
            what, difference = self.on_variants[0]
            more = (
                f", and {len(self.on_variants) - 1} more variants"
                if len(self.on_variants) > 1
                else ""
            )
            return f"equal on the data ({size}), differs with {what}: {difference}{more}"
        if not self.most_rows:
            return (
                f"equal, but nothing was there to compare: no rows, also in {self.tried} variants"
            )
        return f"{size}, equal; also in {self.tried} hostile variants of the tables"


@dataclass
class Prover:
    """Compares reports with their inputs on one engine. `copies` makes an engine of tables."""

    project: Project
    engine: Engine
    copies: Callable[[Mapping[str, pa.Table]], AbstractContextManager[Changeable]]
    facts: EngineFacts
    drafts: Mapping[str, Draft]
    moment: datetime
    parameters: Mapping[str, str]
    most_copied: int = MOST_COPIED
    tables: dict[str, pa.Table] = field(default_factory=dict)

    def prove(self, lifted: Lifted, statement: exp.Expr, dialect: str, run: Run) -> Proof:
        """What comparing shows; raises nothing that engines say."""
        proof = Proof(columns=tuple(str(column.label) for column in lifted.shown))
        try:
            report = _Report(lifted, statement, dialect, self)
            proof.on_data, proof.rows = report.differs(self.engine, run, whole=False)
            if proof.on_data is None and lifted.limit:
                proof.on_data, _ = report.differs(self.engine, run, whole=True)
            proof.most_rows = proof.rows
            if proof.on_data is None:
                self._try_variants(report, run, proof)
        except GenesisError as error:
            proof.failed = f"cannot be compared: {error.problems[0].message}"
        return proof

    def _try_variants(self, report: _Report, run: Run, proof: Proof) -> None:
        run = replace(run, staged=False)
        compiled = report.compiled(run, "duckdb", whole=True)
        names = sorted({scan.table for scan in compiled.scans} | report.tables)
        copied = [self._copied(name, compiled.scans) for name in names]
        asked = report.original("duckdb", whole=True)
        with self.copies({name: self._rows(name) for name in names}) as engine:
            for variant in variants(
                [one for one in copied if one is not None], constants_of(report.statement)
            ):
                with engine.changed(variant.statements):
                    try:
                        expected = engine.query(asked)
                    except EngineError:
                        continue  # such data breaks the SQL itself
                    found = report.difference(expected, engine.query(compiled), whole=True)
                proof.tried += 1
                proof.most_rows = max(proof.most_rows, expected.num_rows)
                if found is not None:
                    proof.on_variants.append((variant.what, found))

    def _rows(self, table: str) -> pa.Table:
        if table not in self.tables:
            query = exp.select("*").from_(_table(table)).limit(self.most_copied)
            asked = Statement(query.sql(self.engine.dialect), (), (Scan(table, None),))
            self.tables[table] = self.engine.query(asked)
        return self.tables[table]

    def _copied(self, table: str, scans: Sequence[Scan]) -> Copied | None:
        """A table with what its data sources say of it."""
        types = dict(self.facts.columns(table))
        named = {name.lower(): name for name in types}
        drafts = [one for one in self.drafts.values() if _same(one.table, table)]
        known = [s for s in self.project.data_sources.values() if s.table and _same(s.table, table)]
        keys: list[tuple[str, ...]] = []
        required: set[str] = set()
        order: tuple[str, ...] = ()
        fixed: set[str] = set()
        for draft in drafts:
            own = [draft.primary_key, *draft.unique_keys]
            own += [list(key) for key in draft.known.unique_keys] if draft.known else []
            columns = [tuple(named.get(draft.column_of(n).lower(), n) for n in key) for key in own]
            required.update(column for key in columns for column in key)
            latest = draft.latest or (
                draft.known.latest.order_by if draft.known and draft.known.latest else None
            )
            if latest:
                order = tuple(named.get(column.lower(), column) for column in latest)
                required.update(order)
            else:
                keys += columns
        for source in known:
            if source.latest and source.latest.deleted:  # of a log, no event lacks what it did
                told = sqlglot.parse_one(source.latest.deleted, dialect="trino")
                required.update(
                    named.get(c.name.lower(), c.name) for c in told.find_all(exp.Column)
                )
            for name, one in source.fields.items():
                column = named.get((one.column or name).lower(), name)
                if not one.nullable or one.values:
                    required.add(column)
                if one.values:
                    fixed.add(column)
        read = {
            c.lower() for scan in scans if _same(scan.table, table) for c in scan.columns or types
        }
        used = {n: t for n, t in types.items() if n.lower() in read or n in required}
        required |= set(types) - set(used)
        if not types:
            return None
        newest = order if not keys else ()
        return Copied(table, types, tuple(keys), frozenset(required), newest, frozenset(fixed))


def _same(table: str, other: str) -> bool:
    return table.replace('"', "").lower() == other.replace('"', "").lower()


@dataclass
class _Report:
    lifted: Lifted
    statement: exp.Expr
    dialect: str
    prover: Prover

    @property
    def tables(self) -> set[str]:
        """The tables that the SQL reads."""
        return tables_of(self.statement)

    def differs(self, engine: Engine, run: Run, *, whole: bool) -> tuple[Difference | None, int]:
        """Where the results are not the same, and how many rows the SQL has."""
        expected = engine.query(self.original(engine.dialect, whole=whole))
        found = engine.query(self.compiled(run, engine.dialect, whole=whole))
        return self.difference(expected, found, whole=whole), expected.num_rows

    def difference(self, expected: pa.Table, found: pa.Table, *, whole: bool) -> Difference | None:
        """Where two results are not the same; columns that the SQL does not have count for nothing."""
        places = [n for n, column in enumerate(self.lifted.columns) if column.label is not None]
        if len(places) != expected.num_columns:
            return Difference(words=f"{expected.num_columns} columns against {len(places)}")
        left, right = _rows_of(expected), _rows_of(found.select(places))
        if self.lifted.limit and not whole:
            difference = _difference_of_size(left, right)
        else:
            difference = compare_rows(left, right)
        return difference or self._other_order(left, right)

    def _other_order(self, left: Sequence[Row], right: Sequence[Row]) -> Difference | None:
        """Whether the keys that SQL sorts by stand in another order; rows of equal keys may."""
        places = [place for place, _ in self.lifted.order]
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            if not all(is_equal(one[place], other[place]) for place in places):
                return Difference((one,), (other,), f"row {number + 1} is another one in the order")
        return None

    def compiled(self, run: Run, dialect: str, *, whole: bool) -> Statement:
        """The input's statement, without its limit where the whole is wanted."""
        name = f"{self.lifted.name}"
        project = self.prover.project
        if whole and self.lifted.limit:
            unlimited = project.inputs[name].model_copy(update={"limit": None})
            unlimited._document = project.inputs[name]._document
            project = replace(project, inputs={**project.inputs, name: unlimited})
        return compile_input(project, name, dialect, run)

    def original(self, dialect: str, *, whole: bool) -> Statement:
        """The SQL as it was written, as far as the engine's dialect lets it."""
        tree = self.statement.copy()
        if whole:
            tree.set("limit", None)
        prover = self.prover
        if dialect != self.dialect:
            tree = self._typed(tree)
        return original(self.lifted, tree, dialect, prover.moment, prover.parameters)

    def _typed(self, tree: exp.Expr) -> exp.Expr:
        """The tree with the types that another dialect's `/` depends on."""
        if tree.find(exp.Div) is None:
            return tree
        from sqlglot.optimizer.annotate_types import annotate_types
        from sqlglot.optimizer.qualify import qualify

        schema: dict[str, Any] = {}
        for table in self.tables:
            *above, last = table.split(".")
            level = schema
            for part in above:
                level = level.setdefault(part, {})
            level[last] = {c: _sql_type(t) for c, t in self.prover.facts.columns(table).items()}
        try:
            qualified = qualify(
                tree.copy(), schema=schema, dialect=self.dialect, quote_identifiers=False
            )
            return annotate_types(qualified, schema=schema, dialect=self.dialect)
        except sqlglot.errors.SqlglotError:
            return tree


def tables_of(statement: exp.Expr) -> set[str]:
    """The tables that a query reads, by their names."""
    ctes = {cte.alias.lower() for cte in statement.find_all(exp.CTE)}
    return {
        ".".join(part.name for part in table.parts)
        for table in statement.find_all(exp.Table)
        if table.db or table.name.lower() not in ctes
    }


def original(
    lifted: Lifted,
    statement: exp.Expr,
    wanted: str,
    moment: datetime,
    parameters: Mapping[str, str],
) -> Statement:
    """A report's SQL for an engine, with its parameters and at a moment."""
    tree = statement.copy()
    for mark in list(tree.find_all(exp.Placeholder)):
        type_ = parse_type(lifted.parameters.get(mark.name, "string"))
        value = parameters.get(mark.name)
        mark.replace(typed_literal(value, type_) if value is not None and type_ else exp.null())
    for clock in list(tree.find_all(exp.CurrentDate)):
        clock.replace(exp.cast(exp.Literal.string(moment.date().isoformat()), "date"))
    for moment_ in list(tree.find_all(exp.CurrentTimestamp)):
        moment_.replace(exp.cast(exp.Literal.string(moment.isoformat()), "timestamptz"))
    scans = tuple(Scan(name, None) for name in sorted(tables_of(tree)))
    return Statement(tree.sql(wanted), (), scans)


def _sql_type(type_: str) -> str:
    return {"integer": "bigint", "string": "varchar", "float": "double"}.get(type_, type_)


# --- values ---------------------------------------------------------------------------------------

Row = tuple[Any, ...]


def _rows_of(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _difference_of_size(left: Sequence[Row], right: Sequence[Row]) -> Difference | None:
    """Of rows that a LIMIT chose among equals nothing but their number is fixed."""
    if len(left) == len(right):
        return None
    return Difference(words=f"{len(left):,} rows against {len(right):,}")


def compare_rows(left: Sequence[Row], right: Sequence[Row]) -> Difference | None:
    """The rows that only one side has, as often as it has them; `None` where there are none."""
    has_floats = [
        any(isinstance(value, float) for value in column) for column in _columns(left, right)
    ]

    def key(row: Row) -> Row:
        return tuple(_key(value, is_loose) for value, is_loose in zip(row, has_floats, strict=True))

    here, there = Counter(map(key, left)), Counter(map(key, right))
    if here == there:
        return None
    only_left, only_right = _without(left, there, key), _without(right, here, key)
    # Floats that are equal but for their last digit may stand on two sides of a rounding.
    for row in only_left[:MOST_PAIRED] if len(only_right) <= MOST_PAIRED else ():
        twin = next((other for other in only_right if all(map(is_equal, row, other))), None)
        if twin is not None:
            only_left.remove(row)
            only_right.remove(twin)
    return Difference(tuple(only_left), tuple(only_right)) if only_left or only_right else None


def _columns(left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    return list(zip(*(*left, *right), strict=True))


def _without(rows: Sequence[Row], others: Counter[Row], key: Callable[[Row], Row]) -> list[Row]:
    left = Counter(others)
    only = []
    for row in rows:
        if left[key(row)] > 0:
            left[key(row)] -= 1
        else:
            only.append(row)
    return only


def _key(value: Any, is_loose: bool) -> Any:
    """What equal values have in common; beside floats, numbers by ten digits."""
    match value:
        case bool() | None:
            return (type(value), value)
        case int() | Decimal() if not is_loose:
            return ("number", value)  # equal ones have one hash, whatever their kind
        case int() | float() | Decimal():
            number = float(value)
            return ("number", f"{number + 0.0:.9e}" if math.isfinite(number) else str(number))
        case list():
            return ("list", tuple(_key(one, is_loose) for one in value))
        case dict():
            return ("struct", tuple((name, _key(of, is_loose)) for name, of in value.items()))
    return (type(value).__name__, value)


def is_equal(value: Any, other: Any) -> bool:
    """Equal of their kind; of floats to the digits that do not depend on the order of adding."""
    numbers = (int, float, Decimal)
    if isinstance(value, bool) or isinstance(other, bool):
        return value is other
    if isinstance(value, numbers) and isinstance(other, numbers):
        if isinstance(value, float) or isinstance(other, float):
            return math.isclose(float(value), float(other), rel_tol=1e-9, abs_tol=1e-12) or (
                value != value and other != other
            )
        return value == other
    return type(value) is type(other) and bool(value == other)
