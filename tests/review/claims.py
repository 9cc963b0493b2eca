"""What holds of every report that is explained, whoever thought of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage

from genesis.compile.compiler import compile_input, resolve_input
from genesis.compile.identifiers import table_parts
from genesis.compile.plan import Written, plan_query
from genesis.review.explain import Explanation, JoinReason, explain
from genesis.review.facts import facts
from genesis.review.graph import TableColumn
from genesis.review.lineage import lineages
from genesis.review.words import explanation_text, lineage_text, shown
from tests.review.reports import Report


def text_and_json_hold_the_same_facts(report: Report) -> None:
    """Every value of the data, each with its place, stands in the text."""
    told = explain(report)
    _assert_told(facts(told), explanation_text(told))
    for one in lineages(report.project, report.name, report.run):
        _assert_told(facts(one), lineage_text(one))


def _assert_told(data: dict[str, Any], text: str) -> None:
    assert data.pop("schema") == "genesis/explain@1"
    plain = " ".join(text.split())
    missing = [value for value in _values(data) if value not in plain]
    assert missing == []


def _values(data: object) -> Iterator[str]:
    match data:
        case {"file": str(file), "line": int(line), "column": int()}:
            yield f"{file}:{line}"
        case dict():
            for value in data.values():
                yield from _values(value)
        case list():
            for value in data:
                yield from _values(value)
        case str() | int() if not isinstance(data, bool):
            yield shown(" ".join(str(data).split()))


def every_join_was_asked_for(report: Report) -> None:
    """By something with a place in a file that exists."""
    told = explain(report)
    for join in _joins_of(told):
        assert join.asked_by, join.path
        assert all(asker.at.line > 0 for asker in join.asked_by)


def every_join_of_the_sql_is_told(report: Report) -> None:
    """As many as the statement joins, those of definitions and branches; not again where it is narrowed."""
    told = explain(report)
    made = [join for join in _joins_of(told) if join.kind != "GROUP"]
    sql = compile_input(report.project, report.name, "duckdb", report.run).sql
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    written = _written(report)
    for cte in list(tree.find_all(exp.CTE)):
        if cte.alias in written or cte.alias.startswith("filtered"):  # narrows to what filters keep
            cte.pop()
    assert len(made) + len(told.branches) == len(list(tree.find_all(exp.Join)))


def _written(report: Report) -> set[str]:
    """The CTEs that are queries of definitions, whose joins are their own."""
    plan = plan_query(resolve_input(report.project, report.name, report.run))
    return {cte.name for cte in plan.ctes if isinstance(cte.body, Written)}


def _joins_of(told: Explanation) -> Iterator[JoinReason]:
    yield from told.joins
    for part in (*told.branches, *told.rows):
        yield from part.joins


def values_are_what_sqlglot_finds_in_the_sql(report: Report) -> None:
    """Two ways to the leaves of each column: through the definitions, and through the text of the SQL.

    They must differ in two things. For sqlglot the FILTER of an aggregate and the order of its rows are part of
    the value; here they choose rows, and are taken out of the SQL first. And it does not tell where a bare column
    is from: of one relation that is said to it; of a definition's own query over many, all their columns are told here.
    """
    statement = compile_input(report.project, report.name, "duckdb", report.run)
    for found in lineages(report.project, report.name, report.run):
        told, read = _parts(found.values), _leaves(statement.sql, found.column)
        whole = {one[:-1] for one in told if one[-1] == "*"}
        assert _outside(whole, told) == _outside(whole, read), found.column


def _outside(tables: set[tuple[str, ...]], columns: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {one for one in columns if one[:-1] not in tables}


def _parts(columns: tuple[TableColumn, ...]) -> set[tuple[str, ...]]:
    """Table columns as they are compared: sqlglot's names have no case."""
    return {tuple(map(str.lower, (*table_parts(one.table), one.column))) for one in columns}


def _leaves(sql: str, column: str) -> set[tuple[str, ...]]:
    """The table columns behind a column of a query, what only chooses rows left out."""
    tree = sqlglot.parse_one(sql, dialect="duckdb").transform(_without_choices)
    for select in tree.find_all(exp.Select):
        _qualify(select)
    nodes = lineage(column, tree, {}, dialect="duckdb").walk()
    return {
        (*(part.name.lower() for part in node.expression.parts), _last(node.name))
        for node in nodes
        if not node.downstream and isinstance(node.expression, exp.Table)
    }


def _last(name: str) -> str:
    """The column of a leaf's name; `*` where sqlglot cannot tell, as in a data source's own query."""
    return "*" if name == "*" else exp.to_column(name, dialect="duckdb").name.lower()


def _qualify(select: exp.Select) -> None:
    """Say of each bare column of a SELECT over one relation where it is from: sqlglot finds it by that."""
    if "from_" not in select.args or select.args.get("joins"):
        return
    source = select.args["from_"].this
    for part in (*select.expressions, *filter(None, [select.args.get("where")])):
        for found in part.find_all(exp.Column):
            if not found.table and found.parent_select is select:
                found.set("table", exp.to_identifier(source.alias_or_name, quoted=True))


def _without_choices(node: exp.Expr) -> exp.Expr:
    """A node without the conditions and the order of its aggregate."""
    if isinstance(node, exp.Filter):
        return node.this.transform(_without_choices)
    if isinstance(node, exp.Order) and not isinstance(node.parent, exp.Query | exp.Window):
        return node.this.transform(_without_choices)
    return node


Claim = Callable[[Report], None]
CLAIMS: tuple[Claim, ...] = (
    text_and_json_hold_the_same_facts,
    every_join_was_asked_for,
    every_join_of_the_sql_is_told,
    values_are_what_sqlglot_finds_in_the_sql,
)
