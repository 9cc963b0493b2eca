"""SQL that finds where the data is not as a data source says. PURE.

All that concerns single records and keys is counted in one pass; what does not hold is listed by a
statement of its own, a few with their total. Rows are those that a report sees: newest records,
after the data source's `where` and required joins. The surprise: nothing is told here, since what
cannot be bound was told when the definitions were checked; such a claim has no proof.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from genesis.compile.bind import Binder
from genesis.compile.claims import (
    Among,
    Apart,
    Claim,
    Counted,
    NotNull,
    ToOne,
    Unique,
    named_fields,
)
from genesis.compile.compare import typed_literal
from genesis.compile.dialects.rewrite import to_dialect
from genesis.compile.dialects.unnest import written_for
from genesis.compile.expression import Fragment, paths_in
from genesis.compile.identifiers import column, identifier, table
from genesis.compile.infer import typed
from genesis.compile.joins import key_pairs, raw_column
from genesis.compile.latest import log_columns
from genesis.compile.moment import Moment
from genesis.compile.plan import Cte, From, Select, plan_query
from genesis.compile.query import Block, Node, Output, Query, ordered
from genesis.compile.render import render, tables_of
from genesis.compile.run import Run
from genesis.compile.scope import Scope
from genesis.compile.statement import Column, Scan, Statement
from genesis.compile.structure import read_query
from genesis.errors import Problems
from genesis.spec.data_source import DataSource
from genesis.spec.project import Project
from genesis.spec.types import INTEGER, Type

FEW = 3  # offenders that are named

Reads = Mapping[str, frozenset[str]]  # raw columns by data source


@dataclass(frozen=True)
class RawColumn:
    """A column that a table should have: for a field, of its type where that is plain."""

    name: str
    field: str | None = None
    type: Type | None = None


@dataclass(frozen=True)
class Writer:
    """Writes the statements of a project's proofs for one dialect."""

    project: Project
    dialect: str
    run: Run

    def repeating(self) -> Writer:
        """One whose records may come several times, where they are asked for their keys alone."""
        return replace(self, run=replace(self.run, repeats=True))

    def is_sound(self, source: DataSource) -> bool:
        """Whether a data source can be used at all."""
        return self._binder().is_sound(source)

    def columns(self, source: DataSource) -> Statement | None:
        """A statement without rows, with all columns of the table or query."""
        if source.sql is not None:
            query = read_query(self.project, source, Problems())
            if query is None:
                return None
            written = written_for(query, self.dialect, self.project.settings.dialect)
            alias = exp.TableAlias(this=identifier("records"))
            start: exp.Expr = exp.Subquery(this=written, alias=alias)
            scans = tuple(Scan(name, None) for name in sorted(set(tables_of(query))))
        else:
            start, scans = table(source.table or ""), (Scan(source.table or "", None),)
        select = exp.Select(expressions=[exp.Star()])
        select.set("from_", exp.From(this=start))
        select.set("where", exp.Where(this=exp.false()))
        return Statement(to_dialect(select, self.dialect).sql(self.dialect), (), scans)

    def raw_columns(self, source: DataSource) -> tuple[RawColumn, ...]:
        """The raw columns that reports may read of a data source."""
        records = self._records(source)
        for name in source.fields:
            records.take(name)
        read = records.binder.relations.reads()[source.name]
        of_fields = [
            RawColumn(raw_column(source, name), name, spec.type if spec.sql is None else None)
            for name, spec in source.fields.items()
            if spec.sql is None or raw_column(source, name) in read
        ]
        known = {one.name for one in of_fields}
        return (*of_fields, *(RawColumn(name) for name in sorted(self.log_columns(source) - known)))

    def log_columns(self, source: DataSource) -> frozenset[str]:
        """The raw columns without which the newest records cannot be told."""
        if source.latest is None:
            return frozenset()
        key = [raw_column(source, name) for name in source.primary_key]
        return log_columns((), key, source.latest, dialect=self.project.settings.dialect)

    def reads(self, claim: Claim) -> Reads:
        """The raw columns that the proof of a claim reads, by data source; none where it has no proof."""
        offences = self._offences(claim)
        return {} if offences is None else offences.records.binder.relations.reads()

    def count(self, claims: Sequence[Counted]) -> Statement:
        """One row with a number for each claim: 0 where it holds. The claims are of one data source."""
        records = self._records(claims[0].source)
        counts = {f"claim_{n}": _count(claim, records) for n, claim in enumerate(claims)}
        return self._statement(records, (), Select(tuple(counts.items()), records.start))

    def offenders(self, claim: Claim) -> Statement:
        """A few for which a claim does not hold: their `named_fields`, their rows, how many there are."""
        offences = self._offences(claim)
        if offences is None:
            raise LookupError(f"{claim} has no proof")
        records = offences.records
        rows = exp.Count(this=exp.Star())
        grouped = Select(
            (*((key.name, key) for key in offences.keys), ("_records", rows)),
            offences.start or records.start,
            where=offences.where,
            group_by=tuple(key.copy() for key in offences.keys),
        )
        found = From(records.binder.relations.names.take("offenders"), "offenders")
        keys = [column(key.name, found.alias) for key in offences.keys]
        number = column("_records", found.alias)
        few = Select(
            (
                *((key.name, key) for key in keys),
                ("_records", number),
                ("_total", exp.Window(this=rows.copy())),
            ),
            found,
            where=(exp.GT(this=number.copy(), expression=exp.Literal.number(offences.allowed)),),
            order=tuple(ordered(key.copy()) for key in keys),
            limit=FEW,
        )
        return self._statement(records, (*offences.ctes, Cte(found.name, grouped)), few)

    def records(self, source: DataSource, names: Sequence[str]) -> Statement:
        """The values of some fields, of every record. Raises `DefinitionError` where one cannot be bound."""
        records = self._records(source)
        values = [(name, records.take(name)) for name in names]
        records.binder.problems.raise_errors()
        columns = tuple((name, column(value.name, value.table)) for name, value in values)
        statement = self._statement(records, (), Select(columns, records.start))
        types = tuple(Column(name, name, source.fields[name].type) for name in names)
        return replace(statement, columns=types)

    def dropped(self, source: DataSource, join: str) -> tuple[Statement, Reads] | None:
        """One row: how many records a required join leaves out, and of how many; with what it reads."""
        joins = {
            name: one.model_copy(update={"required": False}) for name, one in source.joins.items()
        }
        lenient = source.model_copy(update={"joins": joins})
        sources = {**self.project.data_sources, source.name: lenient}
        records = replace(self, project=replace(self.project, data_sources=sources))._records(
            lenient
        )
        child = records.binder.join_to_one(records.root, join)
        if child is None or records.binder.problems.errors:
            return None
        key = records.take(child.source.primary_key[0], child)
        counts = (
            ("dropped", _count_if(_is_null(key))),
            ("all_records", exp.Count(this=exp.Star())),
        )
        statement = self._statement(records, (), Select(counts, records.start))
        return statement, records.binder.relations.reads()

    def is_sensitive(self, source: DataSource, name: str) -> bool:
        """Whether a field's value, or what it is made of, is nobody's business."""
        records = self._records(source)
        records.binder.touched.clear()  # what its `where` speaks of is no part of the value
        records.take(name)
        touched = [(source, name), *records.binder.touched]
        found = [owner.fields.get(part) or owner.measures.get(part) for owner, part in touched]
        return any(one.sensitivity is not None for one in found if one is not None)

    def _binder(self) -> Binder:
        moment = Moment(self.project.settings.timezone, self.run.moment, self.run.as_of)
        return Binder(self.project, Problems(), moment=moment, parameters={}, values=None)

    def _records(self, source: DataSource) -> _Records:
        return _Records(self._binder(), source)

    def _statement(self, records: _Records, ctes: Sequence[Cte], root: Select) -> Statement:
        names = records.binder.relations.names
        plan = plan_query(
            Query(records.block, tuple(records.outputs.values()), (), None, (), names)
        )
        rows = Cte(records.start.name, plan.root)
        columns = tuple(Column(name, name, INTEGER) for name, _ in root.columns)
        plan = plan._replace(ctes=(*plan.ctes, rows, *ctes), root=root, columns=columns)
        return render(plan, self.dialect, self.run, self.project.settings.dialect)

    def _offences(self, claim: Claim) -> _Offences | None:
        """Where a claim does not hold, or `None` where it cannot be bound."""
        records = self._records(claim.target if isinstance(claim, Apart) else claim.source)
        found = _offences(claim, records)
        return None if records.binder.problems.errors else found


class _Records:
    """The records of a data source as reports see them, with the fields that a proof looks at."""

    def __init__(self, binder: Binder, source: DataSource) -> None:
        self.binder = binder
        self.block = Block()
        self.root = self.block.start(source.name, binder.relations.of(source))
        self.outputs: dict[str, Output] = {}
        self.start = From(binder.relations.names.take("records"), "records")

    def take(self, name: str, node: Node | None = None) -> exp.Column:
        """A field of the record, or of one that it is joined to, as a column of `records`."""
        node = node or self.root
        taken = name if node is self.root else f"_{node.alias}_{name}"
        type_ = node.source.fields[name].type
        if taken not in self.outputs:
            value = self.binder.field(node, name)
            place = Fragment(name, node.source, ("fields", name))
            self.outputs[taken] = Output(Column(taken, taken, type_), value, value, place)
        found = column(taken, self.start.alias)
        typed(found, type_)
        return found

    def take_all(self, names: Sequence[str], node: Node | None = None) -> list[exp.Column]:
        return [self.take(name, node) for name in names]


@dataclass(frozen=True)
class _Offences:
    """Rows of `start` that speak against a claim, and the `keys` to tell them by.

    A key with no more rows than `allowed` is no offence.
    """

    records: _Records
    keys: Sequence[exp.Column]
    where: tuple[exp.Expr, ...] = ()
    allowed: int = 0
    start: From | None = None
    ctes: tuple[Cte, ...] = ()


def _count(claim: Counted, records: _Records) -> exp.Expr:
    """For how many records a claim does not hold; of a key, how many are too many."""
    if not isinstance(claim, Unique):
        return _count_if(*_broken_in(claim, records))
    key = records.take_all(claim.key)
    one = key[0].copy() if len(key) == 1 else exp.Tuple(expressions=[part.copy() for part in key])
    different = exp.Filter(
        this=exp.Count(this=exp.Distinct(expressions=[one])),
        expression=exp.Where(this=exp.and_(*map(_is_known, key), copy=False)),
    )
    return exp.Sub(this=_count_if(*map(_is_known, key)), expression=different)


def _count_if(*conditions: exp.Expr) -> exp.Filter:
    condition = exp.Where(this=exp.and_(*conditions, copy=False))
    return exp.Filter(this=exp.Count(this=exp.Star()), expression=condition)


def _broken_in(claim: NotNull | Among, records: _Records) -> tuple[exp.Expr, ...]:
    """The conditions of the records for which a claim does not hold."""
    value = records.take(claim.field)
    if isinstance(claim, NotNull):
        return (_is_null(value),)
    spec = claim.source.fields[claim.field]
    declared = [typed_literal(one, spec.type) for one in spec.values or () if one is not None]
    return (_is_known(value), exp.Not(this=exp.In(this=value.copy(), expressions=declared)))


def _offences(claim: Claim, records: _Records) -> _Offences | None:
    match claim:
        case Unique(key=key):
            keys = records.take_all(key)
            return _Offences(records, keys, tuple(map(_is_known, keys)), allowed=1)
        case NotNull() | Among():
            keys = records.take_all([name for _, name in named_fields(claim)])
            return _Offences(records, keys, _broken_in(claim, records))
        case ToOne():
            return _matches(claim, records)
        case Apart():
            return _overlaps(claim, records)


def _matches(claim: ToOne, records: _Records) -> _Offences | None:
    """Pairs of a record and its related rows, by one of both."""
    child = records.binder.join(records.root, claim.join)
    if child is None:
        return None
    child.inner = True
    one = child if claim.backward else records.root
    return _Offences(records, records.take_all(one.source.primary_key, one), allowed=1)


def _overlaps(claim: Apart, records: _Records) -> _Offences | None:
    """Intervals that have not ended where the next one of their key starts.

    They are sorted by their start, so an interval that overlaps any later one overlaps the next.
    Where they have no ends at all, each ends where the next one starts, and only equal starts are told.
    """
    join = claim.source.joins[claim.join]
    if join.as_of is None or not _narrow(claim, records):
        return None
    keys = records.take_all([there for _, there in key_pairs(join)])
    start = records.take(join.as_of.from_)
    end = records.take(join.as_of.to) if join.as_of.to else start
    columns = [
        *((key.name, key) for key in keys),
        ("_end", end.copy()),
        ("_next_start", _of_next(start.copy(), keys, start)),
        ("_next", _of_next(exp.Literal.number(1), keys, start)),
    ]
    where = [_is_known(key) for key in keys]
    if end is not start:  # what ends before it starts holds nothing
        holds = exp.LT(this=start.copy(), expression=end.copy())
        where.append(exp.Paren(this=exp.or_(_is_null(start), _is_null(end), holds, copy=False)))
    intervals = From(records.binder.relations.names.take("intervals"), "intervals")
    body = Select(tuple(columns), records.start, where=tuple(where))
    next_start, ends = column("_next_start", "intervals"), column("_end", "intervals")
    compare = exp.LT if end is not start else exp.LTE
    overlaps = [_is_null(next_start), compare(this=next_start.copy(), expression=ends.copy())]
    if end is not start:
        overlaps.append(_is_null(ends))
    found = (
        _is_known(column("_next", "intervals")),
        exp.Paren(this=exp.or_(*overlaps, copy=False)),
    )
    named = [column(key.name, "intervals") for key in keys]
    return _Offences(records, named, found, start=intervals, ctes=(Cte(intervals.name, body),))


def _narrow(claim: Apart, records: _Records) -> bool:
    """Leave out what the join's `where` leaves out; whether that speaks of nothing but the joined row."""
    where, binder = claim.source.joins[claim.join].where, records.binder
    if where is None:
        return True
    fragment = Fragment(where, claim.source, ("joins", claim.join, "where"))
    tree = binder.parse(fragment)
    if tree is None or any(steps[0].name != claim.join for _, steps in paths_in(tree)):
        return False
    scope = Scope(fragment, {(claim.join,): records.root}, claim.source, is_condition=True)
    records.block.where.append(binder.bind(scope))
    return True


def _of_next(value: exp.Expr, keys: Sequence[exp.Column], start: exp.Column) -> exp.Window:
    """A value of the next interval of the same key; no start comes first."""
    order = exp.Ordered(this=start.copy(), desc=False, nulls_first=True)
    return exp.Window(
        this=exp.Anonymous(this="LEAD", expressions=[value]),
        partition_by=[key.copy() for key in keys],
        order=exp.Order(expressions=[order]),
    )


def _is_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value.copy(), expression=exp.Null())


def _is_known(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=_is_null(value))
