"""A plan as a graph: which SELECT a column comes from, and which definitions it was written in.

Nothing is guessed from YAML: every name is followed through the aliases of the compiled plan, and
every expression remembers the fragments it was bound from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.expression import Fragment, fragments_of
from genesis.compile.functions.calls import own_name
from genesis.compile.joins import raw_column
from genesis.compile.plan import Cte, From, JoinTo, Plan, Select
from genesis.compile.query import Branch, Node, Relation
from genesis.errors import Location
from genesis.spec.data_source import DataSource, Join
from genesis.spec.formatter import Formatter
from genesis.spec.input import Input
from genesis.spec.project import Project

ROOT = ""  # the name of the report's own SELECT


@dataclass(frozen=True, order=True)
class TableColumn:
    """A column of a table; `*` where a data source's own query does not let one tell."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Origin:
    """A piece of SQL in a definition: what it is (`field`), which one (`production.is_late`), its text."""

    kind: str
    name: str
    sql: str
    at: Location


@dataclass(frozen=True)
class JoinUse:
    """A join of a data source, where it is used."""

    source: DataSource
    name: str
    target: str

    @property
    def join(self) -> Join:
        return self.source.joins[self.name]

    @property
    def at(self) -> Location:
        return self.source.locate_key("joins", self.name)

    def __str__(self) -> str:
        return f"{self.source.name}.{self.name}"


class MadeJoin(NamedTuple):
    """A join of a definition that a SELECT makes; `path` are the steps that lead to it from the SELECT's root."""

    path: tuple[str, ...]
    use: JoinUse
    to: JoinTo


@dataclass(frozen=True)
class Graph:
    """The SELECTs of a plan by name, and where their names lead."""

    plan: Plan
    project: Project

    @cached_property
    def selects(self) -> dict[str, Select]:
        """Every SELECT with columns and joins, the report's own first."""
        named = {cte.name: cte.body for cte in self.plan.ctes if isinstance(cte.body, Select)}
        return {ROOT: self.plan.root, **named}

    @cached_property
    def ctes(self) -> dict[str, Cte]:
        return {cte.name: cte for cte in self.plan.ctes}

    @cached_property
    def relations(self) -> dict[str, Relation]:
        """The relations that SELECTs read, by name, with those they are made of."""
        found: dict[str, Relation] = {}
        for select in self.selects.values():
            for source in select.sources:
                relation = source.use.relation if isinstance(source.use, Node) else None
                while relation is not None:
                    found.setdefault(relation.name, relation)
                    relation = relation.over
        return found

    @cached_property
    def branches(self) -> dict[str, tuple[str, Branch]]:
        """The branches by name, each with the SELECT that it is joined in."""
        return {
            source.name: (name, source.use)
            for name, select in self.selects.items()
            for source in select.sources
            if isinstance(source.use, Branch)
        }

    @cached_property
    def report_selects(self) -> tuple[str, ...]:
        """The report's own SELECT; in a summary also those of its groups and its records."""
        start = self.plan.root.start
        groups = start.use.relation if isinstance(start.use, Node) else None
        if groups is None or groups.block is None or groups.over is not None:
            return (ROOT,)
        return (ROOT, groups.name, groups.block.root.relation.name)

    @cached_property
    def _names(self) -> dict[int, str]:
        return {id(select): name for name, select in self.selects.items()}

    def is_branch(self, select: Select) -> bool:
        """Whether a SELECT aggregates related rows to the grain of what it is joined to."""
        return self._names[id(select)] in self.branches

    def rows_of(self, select: Select) -> str:
        """What the rows of a SELECT are: the path of a branch from its anchor, or a data source."""
        name = self._names[id(select)]
        if name in self.branches:
            return ".".join(join.name for join in self.chain(self.branches[name][1]))
        use = select.start.use
        return use.source.name if isinstance(use, Node) else select.start.name

    def origin(self, fragment: Fragment) -> Origin:
        """What a fragment is in its definition."""
        owner, path = fragment.owner, fragment.path
        kind, name = str(path[0]), ""
        match owner, path:
            case Input(), (("filters" | "sort" | "having") as key, _):
                kind, name = {"filters": "filter", "sort": "sort key", "having": "having"}[key], ""
            case Input(), ("fields", int(position), *rest):
                kind, name = _beside(rest, "column"), owner.fields[position].name or ""
            case DataSource(), (("fields" | "measures") as key, str(field), *rest):
                kind = _beside(rest, "field" if key == "fields" else "measure")
                name = f"{owner.name}.{field}"
            case DataSource(), ("joins", str(join), "where"):
                kind, name = "where of join", f"{owner.name}.{join}"
            case DataSource(), ("joins", str(join), "sql"):
                kind, name = "condition of join", f"{owner.name}.{join}"
            case DataSource(), ("joins", str(join), str(key), *_):
                kind, name = f"{key} of join", f"{owner.name}.{join}"
            case DataSource(), ("where",):
                kind, name = "where of data source", owner.name
            case DataSource(), ("sets", str(set_), _):
                kind, name = "set", f"{owner.name}.{set_}"
            case Formatter(), _:
                kind, name = "formatter", self._formatter_name(owner)
        return Origin(kind, name, fragment.text, fragment.at())

    def _formatter_name(self, formatter: Formatter) -> str:
        known = self.project.formatters.items()
        return next((name for name, one in known if one is formatter), "")

    def source_of(self, select: Select, node: exp.Column) -> From | None:
        """What a column of a SELECT is read from."""
        return next((one for one in select.sources if one.alias == node.table), None)

    def read_of(self, select: Select, source: From) -> set[str]:
        """The columns that a SELECT reads of one of its sources."""
        found = (node for tree in select.expressions for node in tree.find_all(exp.Column))
        return {node.name for node in found if node.table == source.alias}

    def join_at(self, source: From) -> JoinUse | None:
        """The definition's join that a node of a SELECT is joined by."""
        if not isinstance(source.use, Node) or source.use.via is None:
            return None
        before, name = source.use.via
        return JoinUse(before.source, name, source.use.source.name)

    def made_in(self, name: str) -> Iterator[MadeJoin]:
        """The joins of definitions that a SELECT makes."""
        for join in joins_of(self.selects[name]):
            use = self.join_at(join.to)
            if use is not None and isinstance(join.to.use, Node):
                yield MadeJoin(path_to(join.to.use), use, join)

    def chosen_by(self, name: str) -> JoinUse | None:
        """The join whose choice of one row of many a relation is."""
        for select in self.selects.values():
            for source in select.sources:
                if source.name == name and (use := self.join_at(source)) is not None:
                    return use
        return None

    def chain(self, branch: Branch) -> tuple[JoinUse, ...]:
        """The joins from a branch's anchor, or from the record it starts at, to the rows it aggregates."""
        starts_at_record = () in branch.places
        uses, source = [], (branch.block.root if starts_at_record else branch.anchor).source
        for name in max((*branch.places, *_inner_paths(branch)), key=len):
            target = source.joins[name].data_source or name
            uses.append(JoinUse(source, name, target))
            source = self.project.data_sources[target]
        return tuple(uses)

    def path_of(self, branch: Branch) -> tuple[str, ...]:
        """The steps from the root of the SELECT that a branch is joined in to the rows it aggregates."""
        before, steps = path_to(branch.anchor), tuple(use.name for use in self.chain(branch))
        if () not in branch.places or branch.block.root.source is branch.anchor.source:
            return (*before, *steps)
        # The branch goes again from a record before its anchor: what they have in common is said once.
        shared = (n for n in range(min(len(before), len(steps)), 0, -1) if before[-n:] == steps[:n])
        return (*before, *steps[next(shared, 0) :])

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The CTEs that are neither the report's own nor branches: they choose rows of a data source."""
        others = {*self.report_selects, *self.branches}
        return tuple(name for name in self.ctes if name not in others)

    def field_at(self, source: DataSource, raw: str) -> tuple[str, Location]:
        """The declared field of a raw column with its place; the data source's own, where none is."""
        for name, spec in source.fields.items():
            if spec.sql is None and raw_column(source, name) == raw:
                return f"{source.name}.{name}", source.locate_key("fields", name)
        for name in source.fields:
            if raw_column(source, name) == raw:
                return f"{source.name}.{name}", source.locate_key("fields", name)
        return source.name, source.locate_name()


def _beside(rest: Sequence[object], of: str) -> str:
    """The kind of a fragment that may stand beside the expression of a column, field or measure."""
    key = rest[0] if rest else ""
    return of if key in ("sql", "field", "") else f"{key} of {of}"


def _inner_paths(branch: Branch) -> Iterator[tuple[str, ...]]:
    """The ways along which a branch that starts at records goes to its rows."""
    if () in branch.places:
        parts = branch.block.joined
        yield from (path_to(part) for part in parts if isinstance(part, Node) and part.inner)


def path_to(node: Node) -> tuple[str, ...]:
    """The names of the joins that lead from a block's root to a node."""
    return () if node.via is None else (*path_to(node.via[0]), node.via[1])


def joins_of(select: Select) -> Iterator[JoinTo]:
    """All joins of a SELECT, those inside others too."""
    for join in select.joins:
        yield from join


def columns_in(
    tree: exp.Expr, within: tuple[Fragment, ...] = ()
) -> Iterator[tuple[exp.Column, tuple[Fragment, ...]]]:
    """Every column of an expression with the fragments round it, outermost first."""
    within = (*within, *reversed(fragments_of(tree)))
    if isinstance(tree, exp.Column):
        yield tree, within
        return
    for child in tree.iter_expressions():
        yield from columns_in(child, within)


def is_aggregate(tree: exp.Expr) -> bool:
    """Whether a node of a plan makes one value of many rows'."""
    if isinstance(tree, exp.AnyValue):
        return False  # the rows of a group have one
    return isinstance(tree, exp.AggFunc) or own_name(tree) in _OWN_AGGREGATES


_OWN_AGGREGATES = ("list", "list_distinct", "first", "last", "sorted_values")


def spelled(tree: exp.Expr, dialect: str) -> str:
    """An expression of a plan as an analyst would write it."""
    return _spelled(tree).sql(dialect=dialect, normalize_functions="lower", comments=False)


def _spelled_node(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Filter):
        return _spelled(node.this)
    if isinstance(node, exp.CurrentTimestamp):
        return exp.Anonymous(this="now")
    name = own_name(node)
    if name is None:
        return node
    values = [_spelled(one) for one in node.expressions if not isinstance(one, exp.Ordered)]
    match name:
        case "today":
            return exp.Anonymous(this=name)
        case "local_date":
            return exp.Anonymous(this=name, expressions=values[:1])
        case (
            "instant" | "float_text" | "median"
        ):  # the median is of values that a branch sorted: they are spelled so
            return values[0]
        case "wall":
            return exp.AtTimeZone(this=values[0], zone=values[1])
        case "sorted_values":
            return exp.Anonymous(this="median", expressions=values)
    return exp.Anonymous(this=name, expressions=values[:1] if name.startswith("list") else values)


def _spelled(tree: exp.Expr) -> exp.Expr:
    plain: exp.Expr = tree.transform(_spelled_node)
    return plain
