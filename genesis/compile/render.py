"""A plan -> SQL text of one dialect, from syntax trees built node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    as_of = run.moment if run.as_of else None
    setup: list[exp.Expr] = []
    unstaged = None
    if run.staged and dialect == "duckdb" and any(map(_is_staged, plan.ctes)):
        # The tree of a text is used up by it.
        by_rank = copied(_whole(plan, dialect, source_dialect, as_of, None))
        unstaged = _text(by_rank, dialect, writers)
        root = _whole(plan, dialect, source_dialect, as_of, setup)
    else:
        root = _whole(plan, dialect, source_dialect, as_of, None)
    return Statement(
        sql=_text(root, dialect, writers),
        columns=plan.columns,
        scans=tuple(_scans(plan, source_dialect)),
        setup=tuple(_text(statement, dialect, _OF_OUR_TREES) for statement in setup),
        unstaged=unstaged,
    )


def _is_staged(cte: Cte) -> bool:
    return isinstance(cte.body, Newest) and has_positions(cte.body.latest)


def _whole(
    plan: Plan,
    dialect: str,
    source_dialect: str,
    as_of: datetime | None,
    setup: list[exp.Expr] | None,
) -> exp.Select:
    ctes = [
        exp.CTE(
            this=_body(cte, dialect, source_dialect, as_of, setup),
            alias=exp.TableAlias(this=identifier(cte.name)),
        )
        for cte in plan.ctes
    ]
    root = _select(plan.root)
    if ctes:
        root.set("with_", exp.With(expressions=ctes))
    return root


Writers = Mapping[type[exp.Expr], Callable[[sqlglot.Generator, Any], str]]


def _text(tree: exp.Expr, dialect: str, writers: Writers) -> str:
    writer = sqlglot.Dialect.get_or_raise(dialect).generator(pretty=True, comments=False)
    # The generators are compiled and leave out what is a dialect's default; this is the one way in.
    writer._dispatch = {**writer._dispatch, **writers}
    text: str = writer.generate(to_dialect(tree, dialect), copy=False)
    return text


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


def _body(
    cte: Cte,
    dialect: str,
    source_dialect: str,
    as_of: datetime | None,
    setup: list[exp.Expr] | None,
) -> exp.Expr:
    match cte.body:
        case Select():
            return _select(cte.body)
        case Written(query):
            return written_for(query, dialect, source_dialect)
        case Newest(name, columns, key, latest):
            if setup is None or not has_positions(latest):
                return newest_by_rank(
                    table(name), columns, key, latest, as_of, dialect=source_dialect
                )
            statements, select = newest_in_two_phases(
                table(name),
                columns,
                key,
                latest,
                as_of,
                winners=f"{cte.name}_winners",
                dialect=source_dialect,
            )
            setup.extend(statements)
            return select


def _select(plan: Select) -> exp.Select:
    select = exp.Select(expressions=[select_alias(value, name) for name, value in plan.columns])
    select.set("from_", exp.From(this=_from(plan.start)))
    select.set("joins", [_join(join) for join in plan.joins])
    if plan.where:
        select.set("where", exp.Where(this=exp.and_(*plan.where, copy=False)))
    if plan.group_by:
        select.set("group", exp.Group(expressions=list(plan.group_by)))
    if plan.having:
        select.set("having", exp.Having(this=exp.and_(*plan.having, copy=False)))
    if plan.order:
        select.set("order", exp.Order(expressions=list(plan.order)))
    if plan.limit is not None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(plan.limit)))
    return _first_of_each(select, plan, plan.rank_by) if plan.rank_by is not None else select


def _first_of_each(select: exp.Select, plan: Select, rank_by: exp.Window) -> exp.Select:
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


def _join(join: JoinTo) -> exp.Join:
    side = {"side": "LEFT"} if join.kind == "LEFT" else {"kind": "INNER"}
    to: exp.Expr = _from(join.to)
    if join.inside:
        to.set("joins", [_join(part) for part in join.inside])
        to = exp.Subquery(this=to)
    return exp.Join(this=to, on=join.on, **side)


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
        for expression in select.expressions:
            for found in expression.find_all(exp.Column):
                known = columns[aliases[found.table]] if found.table in aliases else None
                if known is not None:
                    known.add(found.name)
    for name, needed in sorted(columns.items()):
        yield Scan(name, None if needed is None else tuple(sorted(needed)))


def _selects(plan: Plan) -> Iterator[Select]:
    yield plan.root
    yield from (cte.body for cte in plan.ctes if isinstance(cte.body, Select))


def tables_of(query: exp.Query) -> Iterator[str]:
    """The tables that a data source's own query reads, as it names them."""
    names = {cte.alias for cte in query.find_all(exp.CTE)}
    for reference in query.find_all(exp.Table):
        if not (reference.name in names and not reference.db):
            yield ".".join(part.sql() for part in reference.parts)
