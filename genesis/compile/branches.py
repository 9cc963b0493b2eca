"""Related rows, grouped to the grain of their record: one branch for each chain of to-many joins.

Aggregates over one chain share its branch, whatever their `where`s; branches are never stacked
into each other's rows. The surprise: where a condition speaks of the record's own fields, the branch
starts from the record itself; else from the first related row, which knows its record by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.expression import Fragment, Step, path_of, paths_in
from genesis.compile.functions.calls import QUANTIFIERS, aggregate_name, quantifier_name
from genesis.compile.identifiers import Names, column
from genesis.compile.joins import fans_out, key_pairs, target_name
from genesis.compile.paths import Shape, at
from genesis.compile.query import Block, Branch, BranchKey, Node
from genesis.compile.scope import Scope, split_direction
from genesis.compile.summary import Summary
from genesis.compile.trees import copied
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
        if not chain and scope.summary is not None:
            return scope.summary.own
        if not chain:
            through = " over a to-one path" if any(len(shape.steps) > 1 for shape in shapes) else ""
            place = scope.fragment.place(argument.parent or argument)
            what = f"{what}{through} has no to-many path"
            self._binder.paths.tell_own_aggregate(what, place, scope)
            return None
        for shape in shapes:
            # Within a quantifier, a path may speak of the row that the quantifier is about.
            taken = shape.names[: scope.longest_place(shape.names)]
            other = max((shape.chain, taken), key=len)
            if chain[: len(other)] != other:
                self.tell_mixture(what, (chain, other), shape, scope)
                return None
        return self.along(chain, scope, [argument])

    def shapes(self, tree: exp.Expr, scope: Scope) -> list[Shape] | None:
        """The shapes of a tree's paths, or `None` with the first wrong one told.

        Those within an aggregate or a quantifier in it are of other rows.
        """
        shapes = [self._binder.paths.shape(steps, scope) for steps in _own_paths(tree)]
        known = [shape for shape in shapes if shape is not None]
        return known if len(known) == len(shapes) else None

    def tell_mixture(
        self, what: str, chains: tuple[tuple[str, ...], ...], shape: Shape, scope: Scope
    ) -> None:
        """Tell that one thing reaches over two to-many joins."""
        over = " and ".join(
            f"`{'.'.join(one)}`" if one else "the report's own rows" for one in chains
        )
        many = "two to-many joins, " if all(chains) else ""
        message = f"{what} reaches over {many}{over}"
        place = at(shape.fans_at or shape.steps[0], scope)
        asks = what.strip("`") in QUANTIFIERS
        hint = "give each a quantifier of its own" if asks else "aggregate each by itself"
        self._problems.add("mixed-branches", message, place, hint=hint)

    def along(
        self, chain: tuple[str, ...], scope: Scope, seen: Iterable[exp.Expr] = ()
    ) -> Branch | None:
        """The branch along a chain of joins, made where it was not yet.

        `seen` are expressions that are bound among its rows, as are the options beside the fragment.
        """
        if scope.summary is not None:
            return self._of_groups(chain, scope.summary)
        anchor = self._binder.paths.place(chain[: scope.longest_place(chain)], scope)
        if anchor is None:
            return None
        start = first = scope.longest_place(chain)  # `first` becomes the first step to many rows
        source = anchor.source
        while not fans_out(source, chain[first], target := self._target(source, chain[first])):
            source, first = target, first + 1
        beyond = [
            _common_place(names, chain, scope)
            for tree in (*seen, *self._options(scope))
            for names in _names_in(tree)
            if names[: first + 1] != chain[: first + 1]
        ]
        if self._needs_record(source, chain[first]):
            beyond.append(start)
        if beyond:
            return self._from_record(min(beyond), start, chain, scope)
        nearest = self._binder.walk(chain[:first], scope)
        return None if nearest is None else self._from_related(nearest, first, chain)

    def _of_groups(self, chain: tuple[str, ...], summary: Summary) -> Branch | None:
        """The branch of a summary's records, each paired with the rows that a chain leads to."""
        if chain not in summary.branches:
            branch = summary.branch(chain)
            places = self._joined(branch.block.root, (), chain)
            if places is None:
                return None
            summary.branches[chain] = replace(branch, places=places)
        return summary.branches[chain]

    def _target(self, source: DataSource, name: str) -> DataSource:
        return self._binder.project.data_sources[target_name(source, name)]

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

    def _from_record(
        self, base: int, start: int, chain: tuple[str, ...], scope: Scope
    ) -> Branch | None:
        """A branch that goes again from a record that conditions speak of, `base` steps along the chain.

        It is grouped by the keys of all rows from there to its anchor, which is `start` steps along.
        """
        record = self._binder.paths.place(chain[:base], scope)
        if record is None:
            return None
        anchor = scope.places[chain[:start]]
        key: BranchKey = (id(anchor), chain[base:], "record")
        if key not in anchor.block.branches:
            root = Block().start(record.source.name, self._binder.relations.of(record.source))
            places = self._joined(root, (), chain[base:])
            if places is None:
                return None
            taken = [n for n in range(base, start + 1) if chain[:n] in scope.places]
            pairs = [
                (self._binder.field(scope.places[chain[:n]], name), places[chain[base:n]], name)
                for n in taken
                for name in scope.places[chain[:n]].source.primary_key
            ]
            self._keep(key, anchor, root, chain[base:], places, pairs)
        return _seen_from(chain[:base], anchor.block.branches[key])

    def _from_related(self, anchor: Node, first: int, chain: tuple[str, ...]) -> Branch | None:
        """A branch that starts from the first related row and is grouped by its key to the anchor."""
        rest = chain[first:]
        key: BranchKey = (id(anchor), rest, "related")
        if key not in anchor.block.branches:
            relation = self._binder.relations.through(anchor.source, rest[0])
            if relation is None:
                return None
            root = Block().start(rest[0], relation)
            root.block.where += self._binder.join_where(anchor, rest[0], root)
            places = self._joined(root, rest[:1], rest[1:])
            if places is None:
                return None
            pairs = [
                (self._binder.field(anchor, here), root, there)
                for here, there in key_pairs(anchor.source.joins[rest[0]])
            ]
            self._keep(key, anchor, root, rest, places, pairs)
        return _seen_from(chain[:first], anchor.block.branches[key])

    def _joined(
        self, root: Node, at_root: tuple[str, ...], rest: tuple[str, ...]
    ) -> dict[tuple[str, ...], Node] | None:
        """The nodes along the rest of a chain, each joined to the one before; `at_root` leads to the first."""
        places = {at_root: root}
        for name in rest:
            child = self._binder.join(places[at_root], name)
            if child is None:
                return None
            child.inner = True
            at_root = (*at_root, name)
            places[at_root] = child
        return places

    def _keep(
        self,
        key: BranchKey,
        anchor: Node,
        root: Node,
        chain: tuple[str, ...],
        places: Mapping[tuple[str, ...], Node],
        pairs: Iterable[tuple[exp.Expr, Node, str]],
    ) -> None:
        """Group the block of a root by fields of its nodes, and join it where they equal what the anchor has."""
        words = "_".join((*chain, "per", anchor.source.name))
        name_in_sql = self._binder.relations.names.take(words)
        alias = anchor.block.aliases.take(name_in_sql)
        names = Names()
        here, there, on = [], [], []
        for mine, node, name in pairs:
            here.append(mine)
            there.append(self._binder.field(node, name))
            taken = names.take(name)
            root.block.outputs[taken] = there[-1]
            on.append(exp.EQ(this=mine, expression=column(taken, alias)))
        root.block.group_by += [copied(expression) for expression in there]
        branch = Branch(
            name_in_sql, alias, anchor, root.block, places, exp.and_(*on, copy=False),
            tuple(here), tuple(there), names,
        )  # fmt: skip
        anchor.block.branches[key] = branch
        anchor.below.append(branch)


def _own_paths(tree: exp.Expr) -> Iterator[tuple[Step, ...]]:
    steps = path_of(tree)
    if steps is not None:
        yield steps
        return
    for part in tree.iter_expressions():
        if aggregate_name(part) is None and quantifier_name(part) is None:
            yield from _own_paths(part)


def _seen_from(before: tuple[str, ...], branch: Branch) -> Branch:
    """The same branch, seen from a record that is some steps before the one it starts at."""
    if not before:
        return branch
    places = {(*before, *path): node for path, node in branch.places.items()}
    return replace(branch, places=places)


def _common_place(names: tuple[str, ...], chain: tuple[str, ...], scope: Scope) -> int:
    """How many steps of a chain a path goes along that are taken already."""
    return next(
        (
            n
            for n in range(len(names), 0, -1)
            if names[:n] == chain[:n] and names[:n] in scope.places
        ),
        0,
    )


def _names_in(tree: exp.Expr) -> Iterator[tuple[str, ...]]:
    for _, steps in paths_in(tree):
        yield tuple(step.name for step in steps)
