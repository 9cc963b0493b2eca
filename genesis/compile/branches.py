"""Related rows, grouped to the grain of their record: one branch for each chain of to-many joins.

Aggregates over one chain share its branch, whatever their `where`s; branches are never stacked
into each other's rows. The surprise: where a condition speaks of the record's own fields, the branch
starts from the record itself; else from the first related row, which knows its record by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.expression import Fragment, paths_in
from genesis.compile.identifiers import Names, column
from genesis.compile.joins import fans_out, key_pairs
from genesis.compile.paths import Shape, at
from genesis.compile.query import Block, Branch, Node
from genesis.compile.scope import Scope, split_direction
from genesis.spec.data_source import DataSource

if TYPE_CHECKING:
    from genesis.compile.bind import Binder


class Branches:
    """The branches of a report, each made once in its block."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._problems = binder.problems

    def over(self, what: str, argument: exp.Expr, scope: Scope) -> Branch | None:
        """The branch whose rows an aggregate or quantifier sees, or `None` with the problem told."""
        shapes = self.shapes(argument, scope)
        if shapes is None:
            return None
        chain: tuple[str, ...] = max((shape.chain for shape in shapes), key=len, default=())
        if not chain:
            through = " over a to-one path" if any(len(shape.steps) > 1 for shape in shapes) else ""
            place = scope.fragment.place(argument.parent or argument)
            self._binder.paths.tell_own_aggregate(f"{what}{through} has no to-many path", place)
            return None
        for shape in shapes:
            if chain[: shape.fans_after] != shape.chain:
                self.tell_mixture(what, chain, shape, scope)
                return None
        return self.along(chain, scope, [argument])

    def shapes(self, tree: exp.Expr, scope: Scope) -> list[Shape] | None:
        """The shapes of all paths in a tree, or `None` with the first wrong one told."""
        shapes = [self._binder.paths.shape(steps, scope) for _, steps in paths_in(tree)]
        known = [shape for shape in shapes if shape is not None]
        return known if len(known) == len(shapes) else None

    def tell_mixture(self, what: str, chain: tuple[str, ...], shape: Shape, scope: Scope) -> None:
        """Tell that one thing reaches over two to-many joins."""
        message = f"{what} reaches over two to-many joins, `{'.'.join(chain)}` and `{'.'.join(shape.chain)}`"
        place = at(shape.fans_at or shape.steps[0], scope)
        self._problems.add("mixed-branches", message, place, hint="aggregate each by itself")

    def along(
        self, chain: tuple[str, ...], scope: Scope, seen: Iterable[exp.Expr] = ()
    ) -> Branch | None:
        """The branch along a chain of joins, made where it was not yet.

        `seen` are expressions that are bound among its rows, as are the options beside the fragment.
        """
        start = scope.longest_place(chain)
        anchor = self._binder.paths.place(chain[:start], scope)
        first = start  # the position of the first step to many rows
        source = anchor.source if anchor else scope.source
        while (fans := self._fans(source, chain[first])) is False:
            source = self._binder.target(source, chain[first]) or source
            first += 1
        if fans is None or anchor is None:
            return None
        by_record = self._needs_record(source, chain[first]) or any(
            names[: first + 1] != chain[: first + 1]
            for tree in (*seen, *self._options(scope))
            for names in _names_in(tree)
        )
        if not by_record:
            anchor = self._binder.walk(chain[:first], scope)
            start = first
        return self._seen_from(chain[:start], self._make(anchor, chain[start:], by_record))

    def _fans(self, source: DataSource, name: str) -> bool | None:
        target = self._binder.target(source, name)
        return None if target is None else fans_out(source, name, target)

    def _needs_record(self, source: DataSource, name: str) -> bool:
        """Whether the join's own condition speaks of the record."""
        join = source.joins[name]
        if join.sql is not None or join.where is None:
            return join.sql is not None
        tree = self._binder.parse(Fragment(join.where, source, ("joins", name, "where")))
        return tree is not None and any(names[0] != name for names in _names_in(tree))

    def _options(self, scope: Scope) -> Iterator[exp.Expr]:
        """The conditions and sort keys that stand beside an aggregate."""
        options = scope.options
        beside = [scope.beside(options.where, "where")] if options.where else []
        for position, text in enumerate(options.sort):
            beside.append(scope.beside(split_direction(text)[0], "sort", position))
        yield from filter(None, map(self._binder.parse, beside))

    def _seen_from(self, before: tuple[str, ...], branch: Branch | None) -> Branch | None:
        """The same branch, seen from a record that is some steps before its anchor."""
        if branch is None or not before:
            return branch
        places = {(*before, *path): node for path, node in branch.places.items()}
        return replace(branch, places=places)

    def _make(self, anchor: Node | None, chain: tuple[str, ...], by_record: bool) -> Branch | None:
        if anchor is None:
            return None
        key = (id(anchor), chain, by_record)
        if key not in anchor.block.branches:
            made = self._by_record(anchor, chain) if by_record else self._by_key(anchor, chain)
            if made is None:
                return None
            anchor.block.branches[key] = made
            anchor.below.append(made)
        return anchor.block.branches[key]

    def _by_record(self, anchor: Node, chain: tuple[str, ...]) -> Branch | None:
        """A branch that starts from the record and is grouped by its key."""
        block = Block()
        record = block.start(anchor.source.name, self._binder.relations.of(anchor.source))
        pairs = [(name, name) for name in anchor.source.primary_key]
        return self._grouped(anchor, record, pairs, chain, {(): record}, chain)

    def _by_key(self, anchor: Node, chain: tuple[str, ...]) -> Branch | None:
        """A branch that starts from the first related row and is grouped by its key to the record."""
        relation = self._binder.relations.through(anchor.source, chain[0])
        if relation is None:
            return None
        block = Block()
        first = block.start(chain[0], relation)
        block.where += self._binder.join_where(anchor, chain[0], first)
        pairs = key_pairs(anchor.source.joins[chain[0]])
        return self._grouped(anchor, first, pairs, chain, {chain[:1]: first}, chain[1:])

    def _grouped(
        self,
        anchor: Node,
        root: Node,
        pairs: Iterable[tuple[str, str]],
        chain: tuple[str, ...],
        places: dict[tuple[str, ...], Node],
        rest: tuple[str, ...],
    ) -> Branch | None:
        """The branch of a block that starts at `root`: joined along `rest`, grouped by pairs of fields here and there."""
        node = root
        for position, name in enumerate(rest, start=len(chain) - len(rest) + 1):
            child = self._binder.join(node, name)
            if child is None:
                return None
            child.inner = True
            places[chain[:position]] = node = child
        name_in_sql = self._binder.relations.names.take(
            "_".join((*chain, "per", anchor.source.name))
        )
        alias = anchor.block.aliases.take(name_in_sql)
        names = Names()
        here, there, on = [], [], []
        for mine, theirs in pairs:
            here.append(self._binder.field(anchor, mine))
            there.append(self._binder.field(root, theirs))
            taken = names.take(theirs)
            root.block.outputs[taken] = there[-1]
            on.append(exp.EQ(this=here[-1], expression=column(taken, alias)))
        root.block.group_by += [expression.copy() for expression in there]
        key = exp.and_(*on, copy=False)
        return Branch(
            name_in_sql, alias, anchor, root.block, places, key, tuple(here), tuple(there), names
        )


def _names_in(tree: exp.Expr) -> Iterator[tuple[str, ...]]:
    for _, steps in paths_in(tree):
        yield tuple(step.name for step in steps)
