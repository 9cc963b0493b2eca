"""A plan -> SQL text of one dialect, from syntax trees built node by node."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import exp

from genesis.compile.dialects.rewrite import to_dialect
from genesis.compile.dialects.unnest import written_for
from genesis.compile.identifiers import Names, identifier, table
from genesis.compile.latest import has_positions, log_columns, newest_by_rank, newest_in_two_phases
from genesis.compile.plan import Cte, From, JoinTo, Newest, Plan, Select, Written
from genesis.compile.query import select_alias
from genesis.compile.run import Run
from genesis.compile.statement import Scan, Statement
from genesis.compile.trees import copied


def render(plan: Plan, dialect: str, run: Run, source_dialect: str) -> Statement:
    """The statement of a plan.

    Staged, newest records are found by statements that run before (DuckDB, tables with positions);
    else everything is one readable text.
    """
    is_ours = not any(isinstance(cte.body, Written) for cte in plan.ctes)
    writers = _OF_OUR_TREES if is_ours else _OF_ALL_TREES
    tree = _Tree(dialect, source_dialect, run.moment if run.as_of else None)
    setup: list[exp.Expr] = []
    unstaged = None
    if run.staged and dialect == "duckdb" and any(map(_is_staged, plan.ctes)):
        unstaged = _text(replace(tree, is_kept=True).whole(plan), dialect, writers)
        tree = replace(tree, setup=setup)
    return Statement(
        sql=_text(tree.whole(plan), dialect, writers),
        columns=plan.columns,
        scans=tuple(_scans(plan, source_dialect)),
        setup=tuple(_text(statement, dialect, _OF_OUR_TREES) for statement in setup),
        unstaged=unstaged,
    )


def _is_staged(cte: Cte) -> bool:
    return isinstance(cte.body, Newest) and has_positions(cte.body.latest)


Writers = Mapping[type[exp.Expr], Callable[[sqlglot.Generator, Any], str]]


def _text(tree: exp.Expr, dialect: str, writers: Writers) -> str:
    text: str = _writer(dialect, writers).generate(tree, copy=False)
    return text


def _writer(dialect: str, writers: Writers) -> sqlglot.Generator:
    writer = sqlglot.Dialect.get_or_raise(dialect).generator(pretty=True, comments=False)
    # The generators are compiled and leave out what is a dialect's default; this is the one way in.
    writer._dispatch = {**writer._dispatch, **writers}
    return writer


def _sort_key(writer: sqlglot.Generator, node: exp.Expr) -> str:
    """A sort key with its NULLs' place always written: a server's default can be changed."""
    direction = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{writer.sql(node, 'this')} {direction} NULLS {nulls}"


def _plain_select(writer: sqlglot.Generator, node: exp.Select) -> str:
    """A SELECT as it stands: to look for QUALIFY, DISTINCT ON and such is a fifth of writing Trino's."""
    return writer.select_sql(node)


_OF_ALL_TREES: Writers = {exp.Ordered: _sort_key}
_OF_OUR_TREES: Writers = {**_OF_ALL_TREES, exp.Select: _plain_select}


@functools.lru_cache(maxsize=1024)
def _ranked(newest: Newest, as_of: datetime | None, dialect: str, source_dialect: str) -> str:
    """The text of newest records, as part of a larger one: the reports of a project share many."""
    name, columns, key, latest = newest.table, newest.columns, newest.key, newest.latest
    select = newest_by_rank(table(name), columns, key, latest, as_of, dialect=source_dialect)
    return _writer(dialect, _OF_OUR_TREES).sql(to_dialect(select, dialect))


@dataclass(frozen=True)
class _Tree:
    """Makes the tree of a plan, in a dialect's words; unless it `is_kept`, the plan is used up by it.

    What is to run before goes to `setup`, where there is one.
    """

    dialect: str
    source_dialect: str
    as_of: datetime | None
    setup: list[exp.Expr] | None = None
    is_kept: bool = False

    def whole(self, plan: Plan) -> exp.Select:
        ctes = [
            exp.CTE(this=self._body(cte), alias=exp.TableAlias(this=identifier(cte.name)))
            for cte in plan.ctes
        ]
        root = self._select(plan.root)
        if ctes:
            root.set("with_", exp.With(expressions=ctes))
        return root

    def _body(self, cte: Cte) -> exp.Expr:
        match cte.body:
            case Select():
                return self._select(cte.body)
            case Written(query):
                written = written_for(query, self.dialect, self.source_dialect)
                return to_dialect(written, self.dialect)
            case Newest():
                return self._newest(cte.name, cte.body)

    def _newest(self, name: str, newest: Newest) -> exp.Expr:
        if self.setup is None or not has_positions(newest.latest):
            return exp.Var(this=_ranked(newest, self.as_of, self.dialect, self.source_dialect))
        statements, select = newest_in_two_phases(
            table(newest.table),
            newest.columns,
            newest.key,
            newest.latest,
            self.as_of,
            winners=f"{name}_winners",
            dialect=self.source_dialect,
        )
        self.setup.extend(to_dialect(statement, self.dialect) for statement in statements)
        return to_dialect(select, self.dialect)

    def _written(self, value: exp.Expr) -> exp.Expr:
        return to_dialect(copied(value) if self.is_kept else value, self.dialect)

    def _all(self, values: Iterable[exp.Expr]) -> list[exp.Expr]:
        return list(map(self._written, values))

    def _select(self, plan: Select) -> exp.Select:
        columns = [select_alias(self._written(value), name) for name, value in plan.columns]
        select = exp.Select(expressions=columns)
        select.set("from_", exp.From(this=_from(plan.start)))
        select.set("joins", [self._join(join) for join in plan.joins])
        if plan.where:
            select.set("where", exp.Where(this=exp.and_(*self._all(plan.where), copy=False)))
        if plan.group_by:
            select.set("group", exp.Group(expressions=self._all(plan.group_by)))
        if plan.having:
            select.set("having", exp.Having(this=exp.and_(*self._all(plan.having), copy=False)))
        if plan.order:
            select.set("order", exp.Order(expressions=self._all(plan.order)))
        if plan.limit is not None:
            select.set("limit", exp.Limit(expression=exp.Literal.number(plan.limit)))
        if plan.rank_by is None:
            return select
        return _first_of_each(select, plan, self._written(plan.rank_by))

    def _join(self, join: JoinTo) -> exp.Join:
        side = {"side": "LEFT"} if join.kind == "LEFT" else {"kind": "INNER"}
        to: exp.Expr = _from(join.to)
        if join.inside:
            to.set("joins", [self._join(part) for part in join.inside])
            to = exp.Subquery(this=to)
        return exp.Join(this=to, on=self._written(join.on), **side)


def _first_of_each(select: exp.Select, plan: Select, rank_by: exp.Expr) -> exp.Select:
    rank = Names(frozenset(name for name, _ in plan.columns)).take("_rank")
    select.append("expressions", select_alias(rank_by, rank))
    ranked = exp.Subquery(this=select, alias=exp.TableAlias(this=identifier("ranked")))
    outer = exp.Select(expressions=[exp.Column(this=identifier(name)) for name, _ in plan.columns])
    outer.set("from_", exp.From(this=ranked))
    is_first = exp.EQ(this=exp.Column(this=identifier(rank)), expression=exp.Literal.number(1))
    outer.set("where", exp.Where(this=is_first))
    return outer


def _from(source: From) -> exp.Table:
    found = table(source.name) if source.is_table else exp.Table(this=identifier(source.name))
    if source.is_table or source.alias != source.name:
        found.set("alias", exp.TableAlias(this=identifier(source.alias)))
    return found


def _scans(plan: Plan, source_dialect: str) -> Iterator[Scan]:
    """The tables a plan reads, each once, by name."""
    columns: dict[str, set[str] | None] = {}
    for cte in plan.ctes:
        match cte.body:
            case Newest() as newest:
                columns.setdefault(newest.table, set())
                known = columns[newest.table]
                if known is not None:
                    known.update(
                        log_columns(
                            newest.columns, newest.key, newest.latest, dialect=source_dialect
                        )
                    )
            case Written(query):
                columns.update(dict.fromkeys(tables_of(query)))
    for select in _selects(plan):
        aliases = {source.alias: source.name for source in select.sources if source.is_table}
        for name in aliases.values():
            columns.setdefault(name, set())
        for found in _columns_in(select) if aliases else ():
            known = columns[aliases[found.table]] if found.table in aliases else None
            if known is not None:
                known.add(found.name)
    for name, needed in sorted(columns.items()):
        yield Scan(name, None if needed is None else tuple(sorted(needed)))


def _columns_in(select: Select) -> Iterator[exp.Column]:
    for expression in select.expressions:
        if isinstance(expression, exp.Column):
            yield expression
        else:
            yield from expression.find_all(exp.Column)


def _selects(plan: Plan) -> Iterator[Select]:
    yield plan.root
    yield from (cte.body for cte in plan.ctes if isinstance(cte.body, Select))


def tables_of(query: exp.Query) -> Iterator[str]:
    """The tables that a data source's own query reads, as it names them."""
    names = {cte.alias for cte in query.find_all(exp.CTE)}
    for reference in query.find_all(exp.Table):
        if not (reference.name in names and not reference.db):
            yield ".".join(part.sql() for part in reference.parts)
