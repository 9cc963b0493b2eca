"""A plan -> SQL text of one dialect.

Expressions are syntax trees, and sqlglot writes them. The surprise: the frame round them (SELECT, FROM,
JOIN) is written here, to the byte as sqlglot would write its tree. Most nodes of a report are names
in that frame; making and writing them was two thirds of rendering.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot import exp

from genesis.compile.dialects.rewrite import to_dialect
from genesis.compile.dialects.unnest import written_for
from genesis.compile.identifiers import Names, identifier, table
from genesis.compile.latest import (
    has_positions,
    log_columns,
    newest_by_rank,
    newest_in_phases,
    rules_text,
    view_of,
    with_base,
)
from genesis.compile.plan import Cte, From, JoinTo, Newest, Plan, Select, Written
from genesis.compile.run import Run
from genesis.compile.statement import Scan, Statement
from genesis.compile.trees import copied


def render(
    plan: Plan, dialect: str, run: Run, source_dialect: str, *, is_kept: bool = False
) -> Statement:
    """The statement of a plan.

    Staged, newest records are found by statements that run before (DuckDB, tables with positions);
    else everything is one readable text. Unless it `is_kept`, the plan is used up by it.
    """
    as_of = run.moment if run.as_of else None
    text = _Text(
        dialect, source_dialect, as_of, is_kept=is_kept, views=run.views, repeats=run.repeats
    )
    setup: list[exp.Expr] = []
    unstaged = None
    is_staged = run.staged and not run.views and dialect == "duckdb"
    if is_staged and any(map(_is_staged, plan.ctes)):
        unstaged = replace(text, is_kept=True).whole(plan)
        text = replace(text, setup=setup)
    return Statement(
        sql=text.whole(plan),
        columns=plan.columns,
        scans=tuple(_scans(plan, source_dialect, text.as_of, views=run.views)),
        setup=tuple(_writer(dialect).generate(statement, copy=False) for statement in setup),
        unstaged=unstaged,
    )


def _is_staged(cte: Cte) -> bool:
    return isinstance(cte.body, Newest) and has_positions(cte.body.latest)


# --- what sqlglot writes --------------------------------------------------------------------------


def _writer(dialect: str, *, is_ours: bool = True) -> sqlglot.Generator:
    writer = sqlglot.Dialect.get_or_raise(dialect).generator(pretty=True, comments=False)
    # The generators are compiled and leave out what is a dialect's default; this is the one way in.
    writer._dispatch = {**writer._dispatch, **(_OF_OUR_TREES if is_ours else _OF_ALL_TREES)}
    return writer


def _pass_on_warnings(writer: sqlglot.Generator) -> None:
    """What sqlglot warns of when it writes a whole tree: a dialect lacks something."""
    for message in writer.unsupported_messages:
        logging.getLogger("sqlglot").warning(message)


def _sort_key(writer: sqlglot.Generator, node: exp.Expr) -> str:
    """A sort key with its NULLs' place always written: a server's default can be changed."""
    return f"{writer.sql(node, 'this')} {_direction(node)}"


def _direction(node: exp.Expr) -> str:
    direction = "DESC" if node.args.get("desc") else "ASC"
    nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
    return f"{direction} NULLS {nulls}"


def _plain_select(writer: sqlglot.Generator, node: exp.Select) -> str:
    """A SELECT as it stands: to look for QUALIFY, DISTINCT ON and such is a fifth of writing Trino's."""
    return writer.select_sql(node)


Writers = Mapping[type[exp.Expr], Callable[[sqlglot.Generator, Any], str]]
_OF_ALL_TREES: Writers = {exp.Ordered: _sort_key}
_OF_OUR_TREES: Writers = {**_OF_ALL_TREES, exp.Select: _plain_select}


# The reports of a project share names, tables and newest records.


@functools.lru_cache(maxsize=4096)
def _name(name: str, dialect: str) -> str:
    return _writer(dialect).sql(identifier(name))


@functools.lru_cache(maxsize=1024)
def _table(dotted: str, dialect: str) -> str:
    return _writer(dialect).sql(table(dotted))


@functools.lru_cache(maxsize=1024)
def _ranked(newest: Newest, as_of: datetime | None, dialect: str, source_dialect: str) -> str:
    name, columns, key, latest = newest.table, newest.columns, newest.key, newest.latest
    select = newest_by_rank(table(name), columns, key, latest, as_of, dialect=source_dialect)
    return _writer(dialect).sql(to_dialect(select, dialect))


def _is_column(value: object) -> bool:
    return isinstance(value, exp.Column)


# --- what is written here -------------------------------------------------------------------------


def _indented(text: str) -> str:
    return "  " + _hanging(text)


def _hanging(text: str) -> str:
    """A text whose lines are indented, but for the first."""
    return text.replace("\n", "\n  ")


def _list(words: str, items: Iterable[str]) -> str:
    return f"{words}\n" + ",\n".join(map(_indented, items))


@dataclass(frozen=True)
class _Text:
    """Writes a plan, as sqlglot would write its tree; unless it `is_kept`, the plan is used up by it.

    What is to run before goes to `setup`, where there is one.
    """

    dialect: str
    source_dialect: str
    as_of: datetime | None
    setup: list[exp.Expr] | None = None
    is_kept: bool = False
    views: bool = False
    repeats: bool = False

    def whole(self, plan: Plan) -> str:
        ctes = [
            f"{self._name(cte.name)} AS (\n{_indented(self._body(cte))}\n)" for cte in plan.ctes
        ]
        root = self._select(plan.root)
        text = f"WITH {', '.join(ctes)}\n{root}" if ctes else root
        _pass_on_warnings(self._writer)
        return text.replace(self._writer.SENTINEL_LINE_BREAK, "\n")  # it stands in literals

    def _body(self, cte: Cte) -> str:
        match cte.body:
            case Select():
                return self._select(cte.body)
            case Written(query):
                written = written_for(query, self.dialect, self.source_dialect)
                writer = _writer(self.dialect, is_ours=False)
                text = writer.sql(to_dialect(written, self.dialect))
                _pass_on_warnings(writer)
                return text
            case Newest():
                return self._newest(cte.name, cte.body)

    def _newest(self, name: str, newest: Newest) -> str:
        if self.views:
            columns = _list("SELECT", map(self._name, newest.columns))
            return f"{columns}\nFROM {_table(view_of(newest.table), self.dialect)}"
        if self.setup is None or not has_positions(newest.latest):
            return _ranked(newest, self.as_of, self.dialect, self.source_dialect)
        log = table(newest.table)
        log.set("this", identifier(with_base(log.name)))
        statements, select = newest_in_phases(
            log,
            newest.columns,
            newest.key,
            newest.latest,
            self.as_of,
            winners=f"{name}_winners",
            repeats=self.repeats,
            dialect=self.source_dialect,
        )
        self.setup.extend(to_dialect(statement, self.dialect) for statement in statements)
        return self._value(select)

    def _select(self, plan: Select) -> str:
        columns = [f"{self._value(value)} AS {self._name(name)}" for name, value in plan.columns]
        if plan.rank_by is not None:
            rank = Names(frozenset(name for name, _ in plan.columns)).take("_rank")
            columns.append(f"{self._value(plan.rank_by)} AS {self._name(rank)}")
        parts = [_list("SELECT", columns), f"FROM {self._from(plan.start)}"]
        parts += map(self._join, plan.joins)
        if plan.where:
            parts.append(f"WHERE\n{_indented(self._all_of(plan.where))}")
        if plan.group_by:
            parts.append(_list("GROUP BY", map(self._value, plan.group_by)))
        if plan.having:
            parts.append(f"HAVING\n{_indented(self._all_of(plan.having))}")
        if plan.order:
            parts.append(_list("ORDER BY", map(self._value, plan.order)))
        if plan.limit is not None:
            parts.append(f"LIMIT {plan.limit}")
        text = "\n".join(parts)
        return text if plan.rank_by is None else self._first_of_each(text, plan, rank)

    def _first_of_each(self, text: str, plan: Select, rank: str) -> str:
        columns = _list("SELECT", (self._name(name) for name, _ in plan.columns))
        return f"{columns}\nFROM (\n{_indented(text)}\n) AS ranked\nWHERE\n  {self._name(rank)} = 1"

    def _from(self, source: From) -> str:
        name, alias = source.name, self._name(source.alias)
        if source.is_table:
            return f"{_table(name, self.dialect)} AS {alias}"
        return alias if source.alias == name else f"{self._name(name)} AS {alias}"

    def _join(self, join: JoinTo) -> str:
        to = self._from(join.to)
        if join.inside:
            inside = "\n".join([to, *map(_indented, map(self._join, join.inside))])
            to = f"(\n{_indented(inside)}\n)"
        return f"{join.kind} JOIN {to}\n  ON {_hanging(self._value(join.on))}"

    def _all_of(self, conditions: Iterable[exp.Expr]) -> str:
        return self._value(exp.and_(*conditions, copy=False))

    def _value(self, value: exp.Expr) -> str:
        if isinstance(value, exp.Column):
            return f"{self._name(value.table)}.{self._name(value.name)}"
        kind = type(value)
        if kind is exp.EQ and _is_column(value.this) and _is_column(value.expression):
            return f"{self._value(value.this)} = {self._value(value.expression)}"
        if kind is exp.Ordered and _is_column(value.this):
            return f"{self._value(value.this)} {_direction(value)}"
        written = to_dialect(copied(value) if self.is_kept else value, self.dialect)
        return self._writer.sql(written)

    @cached_property
    def _writer(self) -> sqlglot.Generator:
        return _writer(self.dialect)

    def _name(self, name: str) -> str:
        return _name(name, self.dialect)


def _scans(
    plan: Plan, source_dialect: str, as_of: datetime | None, *, views: bool
) -> Iterator[Scan]:
    """The tables a plan reads, each once, by name."""
    columns: dict[str, set[str] | None] = {}
    rules: dict[str, set[str]] = {}
    viewed: dict[str, set[str]] = {}
    for cte in plan.ctes:
        match cte.body:
            case Newest() as newest if views:
                viewed.setdefault(view_of(newest.table), set()).update(newest.columns)
            case Newest() as newest:
                rules.setdefault(newest.table, set()).add(rules_text(newest.key, newest.latest))
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
        read = None if needed is None else tuple(sorted(needed))
        known_by = frozenset(rules.get(name, ()))
        yield Scan(name, read, known_by, as_of=as_of if known_by else None)
    for name, shown in sorted(viewed.items()):
        yield Scan(name, tuple(sorted(shown)), is_view=True)


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
