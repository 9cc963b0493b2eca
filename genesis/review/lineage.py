"""Of the columns of a report: the table columns that a value is made of, and what chooses rows.

Kept apart are the values (the tree of steps), the rows that a value is taken from (joins' keys,
`where`s, orders), the records that the report has at all, and the order they are in. The surprise: a related
row that is not there shows as NULL or zero, so a join's keys and the `where` of its data source are among the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.errors import SqlglotError

from genesis.compile.compiler import resolve_input
from genesis.compile.expression import Fragment, fragments_of
from genesis.compile.joins import raw_column
from genesis.compile.latest import log_columns
from genesis.compile.plan import Cte, From, JoinTo, Newest, Select, Written, plan_query
from genesis.compile.query import Branch, Node, Output, Query, Relation
from genesis.compile.run import Run
from genesis.errors import Location
from genesis.review.graph import Graph, Origin, TableColumn, is_aggregate, joins_of, spelled
from genesis.spec.formatter import KINDS, Formatter
from genesis.spec.input import Input
from genesis.spec.project import Project


@dataclass(frozen=True)
class Step:
    """One step of a value's way: what it is made of are its `parts`; the last ones read a table."""

    kind: str
    name: str
    sql: str
    at: Location
    parts: tuple[Step, ...] = ()
    reads: TableColumn | None = None

    def walk(self) -> Iterator[Step]:
        """It and all steps below."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def leaves(self) -> frozenset[TableColumn]:
        """The table columns that it comes down to."""
        return frozenset(step.reads for step in self.walk() if step.reads is not None)


@dataclass(frozen=True)
class RowReason:
    """One thing that chooses or orders rows, and the table columns it looks at, by which steps."""

    kind: str
    name: str
    sql: str
    at: Location
    columns: tuple[TableColumn, ...]
    steps: tuple[Step, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Lineage:
    """Where a column comes from: its value, the rows it is taken from, the records there are."""

    input: str
    column: str
    value: Step
    rows: tuple[RowReason, ...]
    records: tuple[RowReason, ...]
    all_rows: tuple[RowReason, ...] = field(default=(), compare=False, repr=False)
    """`rows`, and with them those that choose the report's records too."""
    is_key: bool = field(default=False, compare=False, repr=False)

    @property
    def values(self) -> tuple[TableColumn, ...]:
        """The table columns that the value is made of."""
        return tuple(sorted(self.value.leaves))

    @property
    def all_columns(self) -> tuple[TableColumn, ...]:
        """Every table column that can change the column, by its value or by its rows."""
        chosen = {column for reason in (*self.rows, *self.records) for column in reason.columns}
        return tuple(sorted({*self.values, *chosen}))


@dataclass(frozen=True)
class ReportLineage:
    """Where all of a report comes from: its columns, the records there are, the order they are in."""

    input: str
    at: Location
    columns: tuple[Lineage, ...]
    records: tuple[RowReason, ...]
    order: tuple[RowReason, ...]

    def only(self, column: str) -> ReportLineage:
        """The same of one column alone."""
        return replace(self, columns=tuple(one for one in self.columns if one.column == column))


def lineages(project: Project, name: str, run: Run) -> tuple[Lineage, ...]:
    """The lineage of every column of an input. Raises `DefinitionError` with its problems."""
    return report_lineage(project, name, run).columns


def report_lineage(project: Project, name: str, run: Run) -> ReportLineage:
    """The lineage of an input, whole. Raises `DefinitionError` with its problems."""
    query, definition = resolve_input(project, name, run), project.inputs[name]
    graph, groups = Graph(plan_query(query), project), _groups(definition, query)
    records = _Tracer(graph, groups).records(definition)
    found = []
    for output in query.outputs:
        tracer = _Tracer(graph, groups)
        value = _value(output, tracer)
        every = tuple(tracer.rows)
        rows = tuple(reason for reason in every if reason not in records)
        found.append(
            Lineage(name, output.column.name, value, rows, records, every, output.column.key)
        )
    ordered = _Tracer(graph, groups).order(definition)
    order = tuple(reason for reason in ordered if reason not in records)
    return ReportLineage(name, definition.locate_name(), tuple(found), records, order)


def _groups(definition: Input, query: Query) -> Origin:
    """What the records of a summary are grouped by: its key columns."""
    keys = [one.column.name.removeprefix("_key_") for one in query.outputs if one.column.key]
    return Origin("group", definition.name, ", ".join(keys), definition.locate("fields"))


def _value(output: Output, tracer: _Tracer) -> Step:
    """The tree of a column's value."""
    graph = tracer.graph
    parts = tracer.parts(output.shown, graph.plan.root, output.at)
    if output.formatter is not None and output.format_at is not None:
        name, text = _formatter(output.formatter, graph)
        parts = (Step("formatter", name, text, output.format_at, parts),)
    return Step("column", output.column.name, output.asked, output.at, parts)


def _formatter(formatter: Formatter, graph: Graph) -> tuple[str, str]:
    """A formatter's name and what it says."""
    known = graph.project.formatters.items()
    name = next((name for name, one in known if one is formatter), "labels")
    kind = next(kind for kind in KINDS if getattr(formatter, kind) is not None)
    said = getattr(formatter, kind)
    if isinstance(said, dict):
        said = ", ".join(f"{key}: {label}" for key, label in said.items())
        if formatter.otherwise is not None:
            said += f", otherwise: {formatter.otherwise}"
    return name, f"{kind}: {said}" if name != "labels" else said


@dataclass
class _Tracer:
    """Follows expressions down to tables; `rows` are the reasons for rows that it came by."""

    graph: Graph
    groups: Origin
    rows: dict[RowReason, None] = field(default_factory=dict)
    _joined: set[tuple[int, str]] = field(default_factory=set)
    _chosen: set[str] = field(default_factory=set)

    def records(self, definition: Input) -> tuple[RowReason, ...]:
        """What chooses the report's own records."""
        root = self.graph.plan.root
        self._rows_of_select(root, definition.locate_name())
        if root.limit is not None:
            self._order_of("order of limit", definition)
        return tuple(self.rows)

    def order(self, definition: Input) -> tuple[RowReason, ...]:
        """What the records are sorted by: what is asked for, then the keys that make it one order."""
        self._order_of("order", definition)
        return tuple(self.rows)

    def _order_of(self, kind: str, definition: Input) -> None:
        root = self.graph.plan.root
        for position, key in enumerate(root.order):
            is_written = position < len(definition.sort)
            at = definition.locate("sort", position) if is_written else definition.locate_name()
            self._reason(kind, definition.name, key.this, root, at)

    # --- values ---------------------------------------------------------------------------------

    def parts(self, tree: exp.Expr, select: Select, at: Location) -> tuple[Step, ...]:
        """The steps that an expression of a SELECT is made of; `at` is the place of what it is in."""
        return tuple(dict.fromkeys(self._written(tuple(fragments_of(tree)), tree, select, at)))

    def _written(
        self, fragments: tuple[Fragment, ...], tree: exp.Expr, select: Select, at: Location
    ) -> Iterable[Step]:
        if not fragments:
            return self._read(tree, select, at)
        *inner, outermost = fragments
        origin = self.graph.origin(outermost)
        steps = self._written(tuple(inner), tree, select, origin.at)
        if origin.kind == "column":
            return steps
        parts = tuple(dict.fromkeys(steps))
        return [Step(origin.kind, origin.name, origin.sql, origin.at, parts)]

    def _read(self, tree: exp.Expr, select: Select, at: Location) -> Iterable[Step]:
        match tree:
            case exp.Column():
                return self._column(tree, select, at)
            case exp.Filter():
                self._reason("where", "", tree.expression.this, select, at)
                return self.parts(tree.this, select, at)
            case exp.Ordered() if not isinstance(tree.parent, exp.Order):
                self._reason("order of ties", "", tree.this, select, at)
                return ()
        steps = [
            step for child in tree.iter_expressions() for step in self.parts(child, select, at)
        ]
        if not is_aggregate(tree):
            return steps
        parts = tuple(dict.fromkeys(steps))
        return [Step("aggregate", self.graph.rows_of(select), self._spelled(tree), at, parts)]

    def _column(self, node: exp.Column, select: Select, at: Location) -> Iterable[Step]:
        source = self.graph.source_of(select, node)
        if source is None:
            return ()
        self._rows_of_join(select, source, at)
        use = source.use
        if source.is_table:
            return [self._leaf(_relation(use), source.name, node.name, at)]
        self._rows_of(source.name, at)
        cte = self.graph.ctes[source.name]
        match cte.body:
            case Newest(table):
                return [self._leaf(self.graph.relations.get(cte.name), table, node.name, at)]
            case Written(query):
                found = _columns_of_query(query, node.name)
                return [self._of_query(self.graph.relations.get(cte.name), node.name, found, at)]
            case body:
                return self.parts(dict(body.columns)[node.name], body, at)

    def _of_query(
        self, relation: Relation | None, column: str, read: list[TableColumn], at: Location
    ) -> Step:
        """A column of a data source's own query, and what that reads for it."""
        name, place = self.graph.field_at(relation.source, column) if relation else (column, at)
        source = relation.source.name if relation else name
        leaves = (Step("table column", source, str(one), place, reads=one) for one in read)
        return Step("query field", name, column, place, tuple(leaves))

    def _leaf(self, relation: Relation | None, table: str, raw: str, at: Location) -> Step:
        name, place = self.graph.field_at(relation.source, raw) if relation else (table, at)
        read = TableColumn(table, raw)
        return Step("table column", name, str(read), place, reads=read)

    def _spelled(self, tree: exp.Expr) -> str:
        return spelled(tree, self.graph.project.settings.dialect)

    # --- rows -----------------------------------------------------------------------------------

    def _reason(self, kind: str, name: str, tree: exp.Expr, select: Select, at: Location) -> None:
        """Note that an expression chooses rows, by the fragment it was written in, if it was."""
        steps = self.parts(tree, select, at)
        written = fragments_of(tree)
        origin = self.graph.origin(written[-1]) if written else None
        self._add(origin or Origin(kind, name, self._spelled(tree), at), steps)

    def _rows_of_join(self, select: Select, source: From, at: Location) -> None:
        """What lets a joined row be found: the join's condition, and those it is inside of."""
        if source is select.start or (id(select), source.alias) in self._joined:
            return
        self._joined.add((id(select), source.alias))
        for join in joins_of(select):
            if any(part.to is source for part in join):
                self._rows_of_on(select, join, at)

    def _rows_of_on(self, select: Select, join: JoinTo, at: Location) -> None:
        self._joined.add((id(select), join.to.alias))
        use = self.graph.join_at(join.to)
        if isinstance(join.to.use, Branch):
            branch = join.to.use
            chain = self.graph.chain(branch)
            name = ".".join(one.name for one in chain)
            pairs = zip(branch.key_here, branch.key_there, strict=True)
            sql = " and ".join(f"{self._spelled(h)} = {self._spelled(t)}" for h, t in pairs)
            sql = sql or self._spelled(join.on)
            reason = Origin("related rows", f"{chain[0].source.name}.{name}", sql, chain[0].at)
        elif use is not None:
            is_required = join.kind == "INNER" and use.join.required
            kind = "required join" if is_required else "join"
            reason = Origin(kind, str(use), self._spelled(join.on), use.at)
        else:
            reason = Origin("join", join.to.alias, self._spelled(join.on), at)
        self._note(reason, [join.on], select)

    def _note(self, origin: Origin, trees: Iterable[exp.Expr], select: Select) -> None:
        self._add(
            origin, tuple(step for tree in trees for step in self.parts(tree, select, origin.at))
        )

    def _add(self, origin: Origin, steps: tuple[Step, ...]) -> None:
        columns = tuple(sorted({leaf for step in steps for leaf in step.leaves}))
        reason = RowReason(origin.kind, origin.name, origin.sql, origin.at, columns, steps)
        self.rows[reason] = None

    def _rows_of(self, name: str, at: Location) -> None:
        """What chooses the rows of a CTE, noted once."""
        if name in self._chosen:
            return
        self._chosen.add(name)
        cte, relation = self.graph.ctes[name], self.graph.relations.get(name)
        match cte.body:
            case Newest(table, _, key, latest):
                if relation is not None:
                    dialect = self.graph.project.settings.dialect
                    read = log_columns((), key, latest, dialect=dialect)
                    columns = tuple(sorted(TableColumn(table, column) for column in read))
                    self.rows[_newest_reason(relation, columns)] = None
            case Written(query):
                if relation is not None:
                    columns = tuple(TableColumn(table, "*") for table in sorted(tables_of(query)))
                    at = relation.source.locate("sql")
                    said = RowReason("query", relation.source.name, _text(relation), at, columns)
                    self.rows[said] = None
            case body:
                self._rows_of_select(body, at)
                if body.rank_by is not None:
                    self._choice(cte, body, body.rank_by, at)

    def _rows_of_select(self, select: Select, at: Location) -> None:
        if not select.start.is_table:
            self._rows_of(select.start.name, at)
        for join in joins_of(select):
            if join.kind == "INNER":
                self._rows_of_on(select, join, at)
        for condition in (*select.where, *select.having):
            self._reason("where", "", condition, select, at)
        if select.group_by and not self.graph.is_branch(select):
            self._note(self.groups, select.group_by, select)

    def _choice(self, cte: Cte, body: Select, window: exp.Window, at: Location) -> None:
        """The choice of one row of many, of a `pick`."""
        use = self.graph.chosen_by(cte.name)
        keys = [key.this for key in window.args["order"].expressions]
        trees = [*window.args.get("partition_by", []), *keys]
        sql = ", ".join(self._spelled(key) for key in window.args["order"].expressions)
        name, place = (str(use), use.at) if use is not None else (cte.name, at)
        self._note(Origin("choice of join", name, sql, place), trees, body)


def _relation(use: Node | Branch | None) -> Relation | None:
    return use.relation if isinstance(use, Node) else None


def _text(relation: Relation) -> str:
    return " ".join((relation.source.sql or "").split())


def _newest_reason(relation: Relation, columns: tuple[TableColumn, ...]) -> RowReason:
    source, latest = relation.source, relation.latest
    order = ", ".join(latest.order_by) if latest else ""
    gone = f", not {latest.deleted}" if latest and latest.deleted else ""
    key = ", ".join(raw_column(source, name) for name in source.primary_key)
    sql = f"newest by {order} of each {key}{gone}"
    return RowReason("newest record", source.name, sql, source.locate_key("latest"), columns)


def tables_of(query: exp.Query) -> set[str]:
    """The tables that a data source's own query reads, as it names them."""
    names = {cte.alias for cte in query.find_all(exp.CTE)}
    return {
        ".".join(part.sql() for part in table.parts)
        for table in query.find_all(exp.Table)
        if table.db or table.name not in names
    }


def _columns_of_query(query: exp.Query, name: str) -> list[TableColumn]:
    """The table columns behind a column of a data source's own query; of all tables, where it does not tell."""
    from sqlglot.lineage import lineage  # slow to import, and few data sources are queries

    try:
        nodes = list(lineage(name, query, {}).walk())
    except (SqlglotError, ValueError):
        nodes = []
    found = {
        TableColumn(
            ".".join(part.sql() for part in node.expression.parts), node.name.rpartition(".")[2]
        )
        for node in nodes
        if not node.downstream and isinstance(node.expression, exp.Table)
    }
    return sorted(found) or [TableColumn(table, "*") for table in sorted(tables_of(query))]
