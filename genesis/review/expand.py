"""An expression of a plan without the plan: branches and groups put in, columns named by their path.

Two reports mean the same by an expression where it expands to the same tree, whatever aliases, CTEs
and order of joins their plans have. What a path itself leads to is not part of it: that is told of
the join. The surprise: the data source's own columns have no path before them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from genesis.compile.expression import fragments_of, written_in
from genesis.compile.plan import From, Select
from genesis.compile.query import Branch, Node
from genesis.compile.trees import rebuilt
from genesis.review.graph import Graph, Origin, path_to, spelled

_FIELD = "genesis_field"

Path = tuple[str, ...]


def expanded(tree: exp.Expr, graph: Graph, select: Select, at: Path = ()) -> exp.Expr:
    """The expression; `at` is the path that leads to the rows of the SELECT that it is of."""

    def replacement(node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Column):
            return None
        found = _value(node, graph, select, at)
        for fragment in fragments_of(node):
            written_in(found, fragment)
        return found

    return rebuilt(tree, replacement)


def conjuncts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that must all be true for one to be."""
    plain = tree.unnest()
    if isinstance(plain, exp.And):
        yield from conjuncts(plain.this)
        yield from conjuncts(plain.expression)
    else:
        yield plain


def origins(tree: exp.Expr, graph: Graph) -> tuple[Origin, ...]:
    """Every piece of a definition that an expanded expression was written in, the outermost first."""
    found = (graph.origin(one) for node in tree.dfs() for one in reversed(fragments_of(node)))
    return tuple(dict.fromkeys(found))


def in_words(tree: exp.Expr, dialect: str) -> str:
    """An expanded expression as an analyst would write it."""
    return spelled(rebuilt(tree, _with_field), dialect)


def _with_field(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Column) and _FIELD in node.meta:
        return _column(node.table, node.meta[_FIELD])
    return None


def _value(node: exp.Column, graph: Graph, select: Select, at: Path) -> exp.Expr:
    source = graph.source_of(select, node)
    use = source.use if source is not None else None
    if source is None or use is None:
        return node.copy()
    inner = graph.selects.get(source.name) if not source.is_table else None
    if inner is not None and (isinstance(use, Branch) or source.name in graph.report_selects):
        value = dict(inner.columns)[node.name]
        if isinstance(value, exp.AnyValue):
            value = value.this  # the records of a group have one
        return expanded(value, graph, inner, _place(source, at, graph))
    found = _column(".".join(_place(source, at, graph)), node.name)
    if isinstance(use, Node):
        name, _ = graph.field_at(use.source, node.name)
        found.meta[_FIELD] = name.removeprefix(f"{use.source.name}.") if "." in name else node.name
    return found


def _place(source: From, at: Path, graph: Graph) -> Path:
    """The path to the rows of what a SELECT reads."""
    match source.use:
        case Node() as node:
            return (*at, *path_to(node))
        case Branch() as branch:
            here = (*at, *path_to(branch.anchor))
            # One that starts at the record again ends at the rows that its chain leads to.
            return here if () in branch.places else (*here, graph.chain(branch)[0].name)
    return (*at, source.alias)


def _column(table: str, name: str) -> exp.Column:
    parts = {"table": exp.to_identifier(table, quoted=False)} if table else {}
    return exp.Column(this=exp.to_identifier(name, quoted=False), **parts)
