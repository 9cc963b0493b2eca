"""Other relations in the place of the tables that a text of SQL reads. PURE.

The text stays as it is otherwise, so that what a person finds in an engine's list of queries is what
`genesis compile` shows. The surprise: it is read all the same, since only a tree tells a table from
a column or a common table expression of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp

from genesis.compile.identifiers import identifier

Parts = tuple[str, ...]


def replace_tables(sql: str, relations: Mapping[Parts, exp.Expr], *, dialect: str) -> str:
    """The text with the relation of each table that has one; a table is known by its parts in lower case.

    A relation is a table, or a subquery, which takes the table's name where it is given none.
    """
    tree = sqlglot.parse_one(sql, dialect=dialect)
    written = sql
    for table in sorted(_tables(tree), key=_start, reverse=True):
        relation = relations.get(tuple(part.name.lower() for part in table.parts))
        if relation is not None:
            text = relation.sql(dialect)
            if isinstance(relation, exp.Subquery) and not table.alias:
                text += f" AS {identifier(table.name).sql(dialect)}"
            written = written[: _start(table)] + text + written[_end(table) :]
    return written


def _tables(tree: exp.Expr) -> Iterator[exp.Table]:
    for table in tree.find_all(exp.Table):
        if all(isinstance(part, exp.Identifier) for part in table.parts) and not _is_cte(table):
            yield table


def _start(table: exp.Table) -> int:
    start: int = table.parts[0].meta["start"]
    return start


def _end(table: exp.Table) -> int:
    end: int = table.parts[-1].meta["end"]
    return end + 1


def _is_cte(table: exp.Table) -> bool:
    """Whether a name that stands as a table is that of a common table expression in sight."""
    if table.db:
        return False
    inside: exp.Expr = table
    while (outer := inside.parent) is not None:
        seen: list[exp.Expr] = []
        if isinstance(outer, exp.With):
            last = outer.expressions.index(inside) + bool(outer.recursive)
            seen = outer.expressions[:last]
        elif isinstance(with_ := outer.args.get("with_"), exp.With) and with_ is not inside:
            seen = with_.expressions
        if any(cte.alias.lower() == table.name.lower() for cte in seen):
            return True
        inside = outer
    return False
