"""A column's lineage: the same leaves as sqlglot finds in the SQL, and nothing moves that it lacks."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.lineage import lineage

from genesis.compile.compiler import compile_input
from genesis.compile.identifiers import table_parts
from genesis.review.graph import TableColumn
from genesis.review.lineage import lineages
from tests.review.reports import CASES, Report, of_case, of_studio, studio

STUDIO = studio()
REPORTS = {
    **{folder.name: of_case(folder) for folder in CASES},
    **{name: of_studio(name, STUDIO) for name in STUDIO.inputs},
}
report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


@report
def test_values_are_what_sqlglot_finds_in_the_sql(report: Report) -> None:
    """Two ways to the leaves of each column: through the definitions, and through the text of the SQL."""
    statement = compile_input(report.project, report.name, "duckdb", report.run)
    for found in lineages(report.project, report.name, report.run):
        assert _parts(found.values) == _leaves(statement.sql, found.column), found.column


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
    if "from_" not in select.args:
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
