"""A data source's own query, written for one dialect, with what another unnests differently.

sqlglot writes `unnest` alike for both. But Trino makes a column of each field of a row, DuckDB one
column of the whole; and DuckDB unnests one array at a time. The surprise: which arrays hold rows is
told by how many columns are named, or by what is asked of them, since tables are not looked at.
"""

from __future__ import annotations

from functools import partial

from sqlglot import exp

from genesis.compile.dialects.writing import call
from genesis.compile.trees import copied, rebuilt


def written_for(query: exp.Query, dialect: str, source_dialect: str) -> exp.Expr:
    """The query in a dialect; a tree of its own, since sqlglot changes what it writes."""
    match source_dialect, dialect:
        case "trino", "duckdb":
            return rebuilt(query, _as_duckdb_unnests)
        case "duckdb", "trino":
            return rebuilt(query, partial(_as_trino_unnests, asked=_asked_of(query)))
    return copied(query)


def _as_duckdb_unnests(node: exp.Expr) -> exp.Expr | None:
    """Several arrays, or arrays of rows, as a query that is joined to each record."""
    if not isinstance(node, exp.Unnest):
        return None
    arrays, alias, position = node.expressions, node.args.get("alias"), node.args.get("offset")
    columns = alias.columns if alias else []
    if len(arrays) == 1 and len(columns) <= 1:
        return None
    depth = [_two_levels()] if len(columns) > len(arrays) else []
    values = [call("UNNEST", copied(array), *depth) for array in arrays]
    if isinstance(position, exp.Identifier):
        longest = call("GREATEST", *(call("LEN", copied(array)) for array in arrays))
        past = exp.Add(this=longest, expression=exp.Literal.number(1))
        values.append(call("UNNEST", call("RANGE", 1, past)))
        columns = [*columns, position]
    names = exp.TableAlias(this=alias and alias.this, columns=[copied(name) for name in columns])
    return exp.Lateral(this=exp.Subquery(this=exp.Select(expressions=values)), alias=names)


def _as_trino_unnests(node: exp.Expr, *, asked: frozenset[str]) -> exp.Expr | None:
    """Arrays of rows with each row in a row of its own, so that it stays one column."""
    if not isinstance(node, exp.Unnest):
        return None
    alias = node.args.get("alias")
    columns = alias.columns if alias else []
    if asked.isdisjoint(column.name.lower() for column in columns):
        return None
    whole = copied(node)
    arrays = [
        exp.Transform(this=array, expression=_row_of_row())
        if column.name.lower() in asked
        else array
        for array, column in zip(whole.expressions, columns, strict=False)
    ]
    whole.set("expressions", [*arrays, *whole.expressions[len(arrays) :]])
    return whole


def _two_levels() -> exp.Expr:
    return exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))


def _row_of_row() -> exp.Expr:
    element = exp.to_identifier("element")
    row = call("ROW", exp.Column(this=copied(element)))
    return exp.Lambda(this=row, expressions=[element])


def _asked_of(query: exp.Query) -> frozenset[str]:
    """The names of which a part is asked: `item` of `item.sku` and of `t.item.sku`."""
    columns = query.find_all(exp.Column)
    return frozenset(part.name.lower() for column in columns for part in column.parts[:-1])
