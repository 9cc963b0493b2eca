"""The rows of a data source that count, each as one relation of the report.

Newest records first (`latest`), then what its `where` and its required joins let through, then,
behind a `pick`, one row of many. No filter of a report ever gets below the choice of newest records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.expression import Fragment, paths_in
from genesis.compile.identifiers import Names, table_parts
from genesis.compile.joins import key_pairs
from genesis.compile.query import Block, Node, Relation, ordered, with_ties
from genesis.compile.scope import Scope, is_broken, split_direction
from genesis.compile.structure import read_query
from genesis.errors import Problems
from genesis.spec.data_source import DataSource, Pick
from genesis.spec.project import Project

if TYPE_CHECKING:
    from genesis.compile.bind import Binder


class Relations:
    """The relations of one report, each made once."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._made: dict[str, Relation] = {}
        self._picked: dict[tuple[str, str], Relation | None] = {}
        self._making: list[str] = []
        # A CTE must not hide a table that is read by its bare name; engines compare without case.
        self.names = Names(frozenset(_bare_tables(binder.project)))

    def of(self, source: DataSource) -> Relation:
        """The rows of a data source."""
        if source.name not in self._made:
            self._made[source.name] = self._make(source)
        return self._made[source.name]

    def through(self, source: DataSource, join_name: str) -> Relation | None:
        """The rows that a join may lead to."""
        target = self._binder.target(source, join_name)
        if target is None:
            return None
        join = source.joins[join_name]
        if join.as_of is not None:
            message = "this version does not compile `as_of` joins yet"
            at = source.locate_key("joins", join_name, "as_of")
            self._binder.problems.add("not-supported", message, at)
            return None
        if join.pick is None:
            return self.of(target)
        key = (source.name, join_name)
        if key not in self._picked:
            self._picked[key] = self._pick(source, join_name, target, join.pick)
        return self._picked[key]

    def _make(self, source: DataSource) -> Relation:
        required = [name for name, join in source.joins.items() if join.required]
        if source.where is None and not required:
            return self._base(source, source.name)
        base = self._base(
            source, f"{source.name}_newest" if source.latest else f"{source.name}_all"
        )
        if source.name in self._making:
            self._tell_circle(source)
            return base
        self._making.append(source.name)
        block = Block()
        root = block.start(source.name, base)
        relation = Relation(source, self.names.take(source.name), over=base, block=block)
        for name in required:
            node = self._binder.join_to_one(root, name)
            if node is not None:
                node.inner, node.optional = True, False
        if source.where is not None:
            fragment = Fragment(source.where, source, ("where",))
            scope = Scope(fragment, {(): root}, source, is_condition=True)
            block.where.append(self._binder.bind(scope))
        self._making.pop()
        return relation

    def _base(self, source: DataSource, name: str) -> Relation:
        if source.sql is not None:
            query = read_query(self._binder.project, source, self._binder.problems)
            return Relation(source, self.names.take(name), query=query or exp.Select())
        if source.latest is not None:
            return Relation(source, self.names.take(name), latest=source.latest)
        return Relation(source, source.table or "")

    def _tell_circle(self, source: DataSource) -> None:
        ring = self._making[self._making.index(source.name) :]
        start = ring.index(min(ring))
        ring = [*ring[start:], *ring[:start]]
        around = " -> ".join(f"`{name}`" for name in (*ring, ring[0]))
        at = self._binder.project.data_sources[ring[0]].locate_name()
        message = f"which rows a data source has depends on itself: {around}"
        self._binder.problems.add("cycle", message, at)

    def _pick(
        self, source: DataSource, join_name: str, target: DataSource, pick: Pick
    ) -> Relation | None:
        over = self.of(target)
        block = Block()
        root = block.start(target.name, over)
        if not self._filter_choice(source, join_name, root):
            return None
        order = [
            self._sort_key(source, join_name, position, root) for position in range(len(pick.sort))
        ]
        if any(map(is_broken, order)):
            return None
        name = self.names.take(f"{source.name}_{join_name}")
        relation = Relation(target, name, over=over, block=block)
        keys = [self._binder.field(root, name) for name in target.primary_key]
        there = [self._binder.field(root, there) for _, there in key_pairs(source.joins[join_name])]
        relation.ranked_by = exp.Window(
            this=exp.RowNumber(),
            partition_by=there,
            order=exp.Order(expressions=with_ties(order, keys)),
        )
        return relation

    def _sort_key(
        self, source: DataSource, join_name: str, position: int, root: Node
    ) -> exp.Ordered:
        pick = source.joins[join_name].pick
        text, descending = split_direction(pick.sort[position] if pick else "")
        fragment = Fragment(text, source, ("joins", join_name, "pick", "sort", position))
        return ordered(
            self._binder.bind(Scope(fragment, {(): root}, root.source)), descending=descending
        )

    def _filter_choice(self, source: DataSource, join_name: str, root: Node) -> bool:
        """Let only rows be chosen that the join's `where` lets through; whether that can be done."""
        where = source.joins[join_name].where
        if where is None:
            return True
        fragment = Fragment(where, source, ("joins", join_name, "where"))
        tree = self._binder.parse(fragment)
        if tree is None:
            return False
        if any(steps[0].name != join_name for _, steps in paths_in(tree)):
            message = f"the `where` of a `pick` speaks of the joined row only: `{join_name}.field`"
            self._binder.problems.add("not-supported", message, fragment.at())
            return False
        scope = Scope(fragment, {(join_name,): root}, source, is_condition=True)
        root.block.where.append(self._binder.bind(scope))
        return True


def _bare_tables(project: Project) -> Iterator[str]:
    for source in project.data_sources.values():
        if source.table is not None and len(parts := table_parts(source.table)) == 1:
            yield parts[0].lower()
        elif source.sql is not None:
            query = read_query(project, source, Problems())
            yield from (
                ()
                if query is None
                else (table.name.lower() for table in query.find_all(exp.Table) if not table.db)
            )
