"""A query -> a plan: the SELECTs it needs, each a frozen value, in the order in which SQL names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlglot import exp

from genesis.compile.joins import raw_column
from genesis.compile.query import Block, Branch, Node, Query, Relation
from genesis.compile.statement import Column
from genesis.spec.data_source import Latest


@dataclass(frozen=True)
class From:
    """A relation in a FROM clause: a table, or the name of a CTE.

    `use` is what the report has it for; it changes no SQL.
    """

    name: str
    alias: str
    is_table: bool = False
    use: Node | Branch | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class JoinTo:
    """A relation that is joined, LEFT or INNER; what is `inside` is joined to it before."""

    kind: Literal["LEFT", "INNER"]
    to: From
    on: exp.Expr
    inside: tuple[JoinTo, ...] = ()

    def __iter__(self) -> Iterator[JoinTo]:
        """It and all that is inside."""
        yield self
        for join in self.inside:
            yield from join


class Select(NamedTuple):
    """One SELECT. `rank_by` numbers its rows; only the first of each partition is kept."""

    columns: tuple[tuple[str, exp.Expr], ...]
    start: From
    joins: tuple[JoinTo, ...] = ()
    where: tuple[exp.Expr, ...] = ()
    group_by: tuple[exp.Expr, ...] = ()
    having: tuple[exp.Expr, ...] = ()
    order: tuple[exp.Ordered, ...] = ()
    limit: int | None = None
    rank_by: exp.Window | None = None

    @property
    def sources(self) -> tuple[From, ...]:
        """All relations that it reads."""
        return (self.start, *(part.to for join in self.joins for part in join))

    @property
    def expressions(self) -> tuple[exp.Expr, ...]:
        """All expressions in it."""
        return (
            *(value for _, value in self.columns),
            *(part.on for join in self.joins for part in join),
            *self.where,
            *self.group_by,
            *self.having,
            *self.order,
            *([self.rank_by] if self.rank_by is not None else ()),
        )


class Newest(NamedTuple):
    """The newest record of each key of a change log."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    latest: Latest


class Written(NamedTuple):
    """The query that a data source is by definition."""

    query: exp.Query


class Cte(NamedTuple):
    """A named SELECT. A branch says by what its rows know their record: `here` equals `there`."""

    name: str
    body: Select | Newest | Written
    here: tuple[exp.Expr, ...] = ()
    there: tuple[exp.Expr, ...] = ()


class Plan(NamedTuple):
    """What a statement does, before SQL.

    `filters` are the root's own, one condition each; `spare` is a name that no CTE or table has.
    """

    ctes: tuple[Cte, ...]
    root: Select
    columns: tuple[Column, ...]
    filters: tuple[exp.Expr, ...]
    spare: str


def plan_query(query: Query) -> Plan:
    """The plan of a resolved query."""
    planner = _Planner()
    planner.visit(query.root)
    root = Select(
        columns=tuple((output.column.name, output.shown) for output in query.outputs),
        start=_from(query.root.root),
        joins=_joins(query.root),
        where=tuple(query.root.where),
        group_by=tuple(query.root.group_by),
        having=tuple(query.root.having),
        order=query.order,
        limit=query.limit,
    )
    columns = tuple(output.column for output in query.outputs)
    return Plan(tuple(planner.ctes), root, columns, query.filters, query.names.take("filtered"))


@dataclass
class _Planner:
    """Puts each CTE behind those it reads."""

    ctes: list[Cte] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def visit(self, block: Block) -> None:
        self._relation(block.root.relation)
        self._parts(block.joined)

    def _parts(self, parts: Iterable[Node | Branch]) -> None:
        for part in parts:
            if isinstance(part, Node):
                self._relation(part.relation)
                self._parts(part.inside)
            else:
                self.visit(part.block)
                self.ctes.append(Cte(part.name, _select(part.block), part.key_here, part.key_there))

    def _relation(self, relation: Relation) -> None:
        if id(relation) in self.seen or relation.is_table:
            return
        self.seen.add(id(relation))
        if not (relation.columns or (relation.block and relation.block.outputs)):
            # Its rows are but counted, and SQL has no rows without columns.
            relation.need(raw_column(relation.source, relation.source.primary_key[0]))
        if relation.block is not None:
            self.visit(relation.block)
            body: Select | Newest | Written = _select(relation.block, relation.ranked_by)
        elif relation.latest is not None:
            body = _newest(relation, relation.latest)
        else:
            body = Written(relation.query or exp.Select())
        self.ctes.append(Cte(relation.name, body))


def _newest(relation: Relation, latest: Latest) -> Newest:
    key = tuple(raw_column(relation.source, name) for name in relation.source.primary_key)
    return Newest(relation.source.table or "", tuple(sorted(relation.columns)), key, latest)


def _select(block: Block, rank_by: exp.Window | None = None) -> Select:
    return Select(
        columns=tuple(_sorted_raw(block)),
        start=_from(block.root),
        joins=_joins(block),
        where=tuple(block.where),
        group_by=tuple(block.group_by),
        rank_by=rank_by,
    )


def _sorted_raw(block: Block) -> Iterator[tuple[str, exp.Expr]]:
    """Columns of a branch as they were asked for; of a relation, which has no order, by name."""
    yield from block.outputs.items() if block.group_by else sorted(block.outputs.items())


def _from(node: Node) -> From:
    return From(node.relation.name, node.alias, node.relation.is_table, use=node)


def _joins(block: Block) -> tuple[JoinTo, ...]:
    return tuple(map(_join, block.joined))


def _join(part: Node | Branch) -> JoinTo:
    if isinstance(part, Branch):
        return JoinTo("LEFT", From(part.name, part.alias, use=part), part.on)
    inside = tuple(map(_join, part.inside))
    return JoinTo("INNER" if part.inner else "LEFT", _from(part), part.on or exp.true(), inside)
