"""The rows of a data source that count, each as one relation of the report.

Newest records first (`latest`), then what its `where` and its required joins let through, then,
behind a `pick`, one row of many. No filter of a report ever gets below the choice of newest records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.expression import Fragment, paths_in
from genesis.compile.identifiers import Names, table_parts
from genesis.compile.joins import find_join, key_pairs
from genesis.compile.query import Block, Node, Relation, ordered
from genesis.spec.data_source import DataSource

if TYPE_CHECKING:
    from genesis.compile.bind import Binder


class Relations:
    """The relations of one report, each made once."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._made: dict[str, Relation] = {}
        self._picked: dict[tuple[str, str], Relation | None] = {}
        self._making: list[str] = []
        # A CTE must not hide the table it reads.
        bare = {
            source.table
            for source in binder.project.data_sources.values()
            if source.table and len(table_parts(source.table)) == 1
        }
        self.names = Names(frozenset(bare))

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield from self._made.values()
        yield from (relation for relation in self._picked.values() if relation)

    def of(self, source: DataSource) -> Relation:
        """The rows of a data source."""
        if source.name not in self._made:
            self._made[source.name] = self._make(source)
        return self._made[source.name]

    def through(self, source: DataSource, join_name: str) -> Relation | None:
        """The rows that a join may lead to."""
        target = find_join(self._binder.project, source, join_name, self._binder.problems)
        if target is None:
            return None
        join = source.joins[join_name]
        if join.as_of is not None:
            message = "this version does not compile `as_of` joins yet"
            self._binder.problems.add(
                "not-supported", message, source.locate_key("joins", join_name, "as_of")
            )
            return None
        if join.pick is None:
            return self.of(target)
        key = (source.name, join_name)
        if key not in self._picked:
            self._picked[key] = self._pick(source, join_name, target)
        return self._picked[key]

    def _make(self, source: DataSource) -> Relation:
        if source.extends is not None:
            message = "this version does not compile `extends` yet"
            self._binder.problems.add("not-supported", message, source.locate_key("extends"))
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
        relation = Relation(source, self.names.take(source.name), over=base, block=Block())
        self._filter(relation, base, required)
        self._making.pop()
        return relation

    def _base(self, source: DataSource, name: str) -> Relation:
        is_table = source.latest is None and source.sql is None
        return Relation(
            source, source.table or "" if is_table else self.names.take(name), latest=source.latest
        )

    def _filter(self, relation: Relation, base: Relation, required: list[str]) -> None:
        from genesis.compile.bind import Scope, is_broken

        source, block = relation.source, relation.block
        if block is None:
            return
        root = block.start(source.name, base)
        for name in required:
            node = self._binder.join_to_one(root, name)
            if node is not None:
                node.inner, node.optional = True, False
        if source.where is not None:
            fragment = Fragment(source.where, source, ("where",))
            condition = self._binder.bind(Scope(fragment, {(): root}, source, is_condition=True))
            if not is_broken(condition):
                block.where.append(condition)

    def _tell_circle(self, source: DataSource) -> None:
        ring = self._making[self._making.index(source.name) :]
        first = min(ring)
        around = " -> ".join(f"`{name}`" for name in (*ring, ring[0]))
        at = self._binder.project.data_sources[first].locate_name()
        message = f"which rows a data source has depends on itself: {around}"
        self._binder.problems.add("cycle", message, at)

    def _pick(self, source: DataSource, join_name: str, target: DataSource) -> Relation | None:
        from genesis.compile.bind import Scope, is_broken, split_direction

        join, binder = source.joins[join_name], self._binder
        over = self.of(target)
        block = Block()
        relation = Relation(
            target, self.names.take(f"{source.name}_{join_name}"), over=over, block=block
        )
        root = block.start(target.name, over)
        if join.where is not None and not self._filter_choice(source, join_name, root, block):
            return None
        order = []
        for position, text in enumerate(join.pick.sort if join.pick else ()):
            asked, descending = split_direction(text)
            fragment = Fragment(asked, source, ("joins", join_name, "pick", "sort", position))
            bound = binder.bind(Scope(fragment, {(): root}, target))
            if is_broken(bound):
                return None
            order.append(ordered(bound, descending=descending))
        order += [
            ordered(binder.field(root, name))
            for name in target.primary_key
            if name in target.fields
        ]
        relation.ranked_by = exp.Window(
            this=exp.RowNumber(),
            partition_by=[binder.field(root, there) for _, there in key_pairs(join)],
            order=exp.Order(expressions=order),
        )
        return relation

    def _filter_choice(self, source: DataSource, join_name: str, root: Node, block: Block) -> bool:
        from genesis.compile.bind import Scope, is_broken

        fragment = Fragment(
            source.joins[join_name].where or "", source, ("joins", join_name, "where")
        )
        tree = self._binder.parse(fragment)
        if tree is None:
            return False
        if any(steps[0].name != join_name for _, steps in paths_in(tree)):
            message = f"the `where` of a `pick` speaks of the joined row only: `{join_name}.field`"
            self._binder.problems.add("not-supported", message, fragment.at())
            return False
        condition = self._binder.bind(
            Scope(fragment, {(join_name,): root}, source, is_condition=True)
        )
        if is_broken(condition):
            return False
        block.where.append(condition)
        return True
