"""A report while it is being resolved: its tree of joins, its branches, its relations.

A *relation* is the rows of a data source that count. A *node* is one use of a relation, reached by
a path of joins. A *block* becomes one SELECT: a root node, what is joined to it, what it returns.
A *branch* is a block behind a to-many join, grouped to its anchor's grain, so that a join with it
never repeats a row. These grow while names are resolved; `plan` freezes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sqlglot import exp

from genesis.compile.expression import Fragment
from genesis.compile.identifiers import Names, column
from genesis.compile.infer import to_sql, type_of, typed
from genesis.compile.statement import Column
from genesis.errors import Location
from genesis.spec.data_source import DataSource, Latest
from genesis.spec.formatter import Formatter


@dataclass(eq=False)
class Relation:
    """The rows of one data source, under the name that SQL knows them by.

    It is a table; or the newest records of one (`latest`); or a `query` of the definition; or, where
    `block` is set, what remains of another relation (`over`) after a filter or a choice. Where one row
    is chosen for each record of another data source, `chosen` is its node in the block, and
    `record_key` are the columns that name the record.
    """

    source: DataSource
    name: str
    latest: Latest | None = None
    query: exp.Query | None = None
    over: Relation | None = None
    block: Block | None = None
    ranked_by: exp.Window | None = None
    chosen: Node | None = None
    record_key: tuple[str, ...] = ()
    columns: set[str] = field(default_factory=set)

    @property
    def is_table(self) -> bool:
        """Whether SQL names the table itself, without a CTE."""
        return not (self.latest or self.block or self.query)

    def need(self, name: str) -> None:
        """Make a raw column available."""
        if name not in self.columns:
            self.columns.add(name)
            if self.block:
                self.block.outputs[name] = (self.chosen or self.block.root).column(name)


@dataclass(eq=False)
class Node:
    """One use of a relation in a block: `optional` where a row may lack it, `inner` where rows without it go.

    `via` is the node whose join leads here, and the join's name; nothing leads to a block's root.
    `inside` are joins that `on` itself needs: they are made before the node is joined, in
    parentheses with it. Later ones follow the node in its block.
    """

    alias: str
    relation: Relation
    block: Block
    via: tuple[Node, str] | None = None
    optional: bool = False
    inner: bool = False
    on: exp.Expr | None = None
    children: dict[str, Node] = field(default_factory=dict)
    inside: list[Node | Branch] = field(default_factory=list)
    below: list[Node | Branch] = field(default_factory=list)

    @property
    def source(self) -> DataSource:
        return self.relation.source

    def column(self, name: str) -> exp.Column:
        """A raw column of this use."""
        self.relation.need(name)
        return column(name, self.alias)

    def may_be_missing(self) -> None:
        """A row may lack it, and with it what its own join's condition had joined already."""
        self.optional = True
        for child in self.children.values():
            child.may_be_missing()

    def start_join(self, name: str, relation: Relation) -> Node:
        """The node that a join of this one leads to; it is joined once `on` is known."""
        is_root = self.block.root is self
        alias = self.block.aliases.take(name if is_root else f"{self.alias}_{name}")
        child = Node(alias, relation, self.block, via=(self, name))
        child.below = child.inside
        return child

    def finish_join(self, name: str, child: Node, on: exp.Expr) -> None:
        """Join a node that was started, after all that its condition needs of this one."""
        child.on = on
        self.below.append(child)
        self.children[name] = child
        child.below = self.below


BranchKey = tuple[int, tuple[str, ...], Literal["record", "related"]]


@dataclass(eq=False)
class Block:
    """One SELECT in the making; `joined` is in the order in which each part may use those before."""

    joined: list[Node | Branch] = field(default_factory=list)
    where: list[exp.Expr] = field(default_factory=list)
    group_by: list[exp.Expr] = field(default_factory=list)
    having: list[exp.Expr] = field(default_factory=list)
    outputs: dict[str, exp.Expr] = field(default_factory=dict)
    branches: dict[BranchKey, Branch] = field(default_factory=dict)
    aliases: Names = field(default_factory=Names)
    _root: Node | None = None

    @property
    def root(self) -> Node:
        """The node whose rows are the block's rows, or are grouped."""
        if self._root is None:
            raise LookupError("a block starts with its root")
        return self._root

    def start(self, alias: str, relation: Relation) -> Node:
        """Begin the block with the rows of a relation."""
        self._root = Node(self.aliases.take(alias), relation, self, below=self.joined)
        return self._root


@dataclass(eq=False)
class Branch:
    """Related rows grouped to the grain of their anchor, joined to it by `on`.

    `places` are the nodes at the steps of its chain, by their path from the anchor. Where every row of
    the anchor has its group, `is_complete`.
    """

    name: str
    alias: str
    anchor: Node
    block: Block
    places: Mapping[tuple[str, ...], Node]
    on: exp.Expr
    key_here: tuple[exp.Expr, ...]
    key_there: tuple[exp.Expr, ...]
    names: Names
    is_complete: bool = False

    @property
    def end(self) -> Node:
        """The node whose rows are aggregated."""
        return self.places[max(self.places, key=len)]

    def output(self, wish: str, expression: exp.Expr) -> exp.Column:
        """A column of the branch with that expression; the same expression is written once."""
        for name, existing in self.block.outputs.items():
            if existing == expression:
                return column(name, self.alias)
        name = self.names.take(wish)
        self.block.outputs[name] = expression
        return column(name, self.alias)


class Output(NamedTuple):
    """One column of the report: its value as it is shown, and raw, as it is sorted.

    `place` is where it is asked for, `asked` its text there; of a hidden key there is none. `format_at` is
    where its formatter is asked for, if it has one.
    """

    column: Column
    shown: exp.Expr
    raw: exp.Expr
    place: Fragment
    asked: str = ""
    formatter: Formatter | None = None
    format_at: Location | None = None

    @property
    def at(self) -> Location:
        return self.place.at()


class Query(NamedTuple):
    """A resolved input; `names` are those that its relations and branches have taken."""

    root: Block
    outputs: tuple[Output, ...]
    order: tuple[exp.Ordered, ...]
    limit: int | None
    filters: tuple[exp.Expr, ...]
    names: Names


def no_position(value: exp.Expr) -> exp.Expr:
    """The value, where an engine would read a literal as the number of a column: ORDER BY, GROUP BY."""
    if not isinstance(value, exp.Literal | exp.Null):
        return value
    type_ = type_of(value)
    return value if type_ is None else typed(exp.Cast(this=value, to=to_sql(type_)), type_)


def ordered(expression: exp.Expr, *, descending: bool = False) -> exp.Ordered:
    """A sort key; NULLs come last, written out since engines differ."""
    return exp.Ordered(this=expression, desc=descending, nulls_first=False)


def with_ties(order: Iterable[exp.Ordered], keys: Iterable[exp.Expr]) -> list[exp.Ordered]:
    """Sort keys, and after them those of `keys` that are not sorted by yet: one order for equal data."""
    found = list(order)
    for key in keys:
        if key not in [part.this for part in found]:
            found.append(ordered(key))
    return found
