"""The tree of joins that a query's tables make: a root, and a path to each.

Inner and comma joins have no direction in SQL: the root is the table from which keys lead to all
others, so that its rows are the query's rows. Where there is none, what repeats rows is reached by a
to-many join, which a query that groups can aggregate over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from sqlglot import exp

from genesis.lift.block import Block, Use, is_there, uses_of
from genesis.lift.facts import ByHand, seen
from genesis.lift.sources import Draft, Sources, is_named_for

Column = tuple[str, str]


@dataclass
class Node:
    """One use of a table, by the path of joins that leads to it."""

    use: Use
    source: Draft
    path: tuple[str, ...] = ()
    parent: Node | None = None
    to_many: bool = False

    @property
    def steps(self) -> list[Node]:
        """The to-many steps on the way here."""
        above = self.parent.steps if self.parent else []
        return [*above, self] if self.to_many else above


@dataclass
class Tree:
    """Where the tables of a block stand, and the conditions that its joins do not say."""

    nodes: dict[str, Node]
    conditions: list[exp.Expr]
    root: Node | None = None

    def many(self) -> list[Node]:
        """The nodes that are reached by a to-many join."""
        return [node for node in self.nodes.values() if node.to_many]


Words = Callable[[list[exp.Expr], Node], str]


def equality(condition: exp.Expr) -> tuple[Column, Column] | None:
    """The two columns that a condition says are equal."""
    if isinstance(condition, exp.EQ):
        here, there = condition.this.unnest(), condition.expression.unnest()
        if (
            isinstance(here, exp.Column)
            and isinstance(there, exp.Column)
            and here.table != there.table
        ):
            return (here.table, here.name.lower()), (there.table, there.name.lower())
    return None


def strengthen(block: Block) -> None:
    """Make inner joins of left ones whose missing rows a condition leaves out."""
    changed = True
    while changed:
        changed = False
        for use in block.uses.values():
            if use.kind == "left" and any(rejects_null(one, use.id) for one in block.where):
                use.kind, changed = "inner", True
                block.where += use.on
                use.on = []


_STRICT = (exp.Column, exp.Paren, exp.Cast, exp.Upper, exp.Lower, exp.Trim, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg,
           exp.Year, exp.Month, exp.Extract, exp.Substring, exp.Length)  # fmt: skip
_COMPARES = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.Between)


def rejects_null(condition: exp.Expr, use: str) -> bool:
    """Whether a condition is never true where a use has no row."""
    condition = condition.unnest()
    if isinstance(condition, exp.Not):
        inside = condition.this.unnest()
        if isinstance(inside, exp.Is):
            return isinstance(inside.expression, exp.Null) and _is_strict(inside.this, use)
        is_column = isinstance(inside, exp.Column) and inside.table == use
        return is_column or _compares(inside, use)
    if isinstance(condition, exp.Or):
        return all(rejects_null(branch, use) for branch in condition.flatten())
    if isinstance(condition, exp.And):
        return any(rejects_null(branch, use) for branch in condition.flatten())
    if isinstance(condition, exp.Column):
        return condition.table == use
    return _compares(condition, use)


def _compares(condition: exp.Expr, use: str) -> bool:
    if isinstance(condition, exp.In):
        return condition.args.get("query") is None and _is_strict(condition.this, use)
    if not isinstance(condition, _COMPARES):
        return False
    return any(
        _is_strict(part, use) for part in condition.args.values() if isinstance(part, exp.Expr)
    )


def _is_strict(value: exp.Expr, use: str) -> bool:
    """Whether a value is NULL where a use has no row."""
    if isinstance(value, exp.Column):
        return bool(value.table == use)
    if not isinstance(value, _STRICT):
        return False
    return any(_is_strict(part, use) for part in value.iter_expressions())


@dataclass
class Planner:
    """Places the uses of blocks; `words` writes the conditions of a join's own."""

    sources: Sources
    words: Words

    def whole(self, block: Block) -> Tree:
        """The tree of a query that stands by itself. Raises `ByHand`."""
        strengthen(block)
        conditions = list(block.where)
        drafts = self._drafts(block, conditions)
        roots = [use for use in block.uses.values() if use.kind != "left"]
        many: dict[str, int] = {}
        for root in roots:
            with self.sources.tried():
                placing = self._placed(block, root, drafts, conditions)
            if not placing.waiting:
                many[root.id] = placing.many
        if not many:
            self._refuse_unjoined(self._placed(block, roots[0], drafts, conditions))
        best = min(many, key=lambda number: many[number])
        return self._placed(block, block.uses[best], drafts, conditions).finish()

    def _placed(
        self, block: Block, root: Use, drafts: Mapping[str, Draft], conditions: Sequence[exp.Expr]
    ) -> _Placing:
        placing = _Placing(self, block, dict(drafts), list(conditions))
        placing.nodes[root.id] = Node(root, drafts[root.id])
        placing.walk()
        return placing

    def inside(self, block: Block, outer: Mapping[str, Node]) -> Tree:
        """The tree of a subquery, which hangs on the query that it stands in. Raises `ByHand`."""
        strengthen(block)
        conditions = list(block.where)
        placing = _Placing(self, block, self._drafts(block, conditions), conditions)
        placing.nodes = dict(outer)
        placing.walk()
        if placing.waiting:
            use = block.uses[placing.waiting[0]]
            raise ByHand(
                f"the subquery over `{use.table or use.alias}` is not tied to a row of the query by a key",
                use.node,
                hint="a value of a whole table is a data source with `sql`, joined by a constant",
            )
        return placing.finish(len(outer))

    def _drafts(self, block: Block, conditions: list[exp.Expr]) -> dict[str, Draft]:
        drafts = {}
        for use in block.uses.values():
            if use.grouped is not None:
                raise ByHand(
                    f"the derived table `{use.alias}` groups rows before it is joined",
                    use.node,
                    hint="make it a field that aggregates over a to-many join, or a data source with `sql`",
                )
            if use.ranked is not None and not use.is_picked:
                raise ByHand(f"`{use.alias}` ranks rows, and keeps more than the first", use.node)
            asked = _as_table(use) if self._is_pick(use, block) else use
            where = use.on if use.kind == "left" else conditions
            drafts[use.id] = self.sources.source_of(asked, where)
        return drafts

    def _is_pick(self, use: Use, block: Block) -> bool:
        """Whether the rank chooses one of many related rows, and no newest record of a log."""
        if use.ranked is None:
            return False
        keys = {key.lower() for key in use.ranked.keys}
        probe = use.on if use.kind == "left" else block.where
        tied = {column for one in probe for table, column in equality(one) or () if table == use.id}
        if not keys <= tied or self.sources.is_known(use, probe):
            return False
        with self.sources.tried():
            table = self.sources.source_of(_as_table(use), [])
            own = {table.column_of(name).lower() for name in table.primary_key}
        return table.is_sure and not own <= keys and not is_named_for(keys, use.table)

    def _refuse_unjoined(self, placing: _Placing) -> NoReturn:
        use = placing.block.uses[placing.waiting[0]]
        raise ByHand(
            f"no equality of columns joins `{use.alias}` to the other tables",
            use.node,
            hint="a cross join has no meaning in the language; join by a key, or make it a data source with `sql`",
        )


def _as_table(use: Use) -> Use:
    """A use as if it did not rank: the rank is the join's `pick`."""
    return replace(use, ranked=None, is_picked=False)


@dataclass
class _Placing:
    planner: Planner
    block: Block
    drafts: dict[str, Draft]
    conditions: list[exp.Expr]
    nodes: dict[str, Node] = field(default_factory=dict)
    same: dict[Column, Column] = field(default_factory=dict)
    tested: list[Node] = field(default_factory=list)
    many: int = 0

    @property
    def waiting(self) -> list[str]:
        return [number for number in self.block.uses if number not in self.nodes]

    def walk(self) -> None:
        while self.waiting and any(
            self._place(number, to_many) for to_many in (False, True) for number in self.waiting
        ):
            pass

    def _place(self, number: str, to_many: bool) -> bool:
        use = self.block.uses[number]
        conditions = use.on if use.kind == "left" else self.conditions
        for parent in list(self.nodes.values()):
            pairs = self._pairs(parent.use.id, number, conditions)
            if not pairs:
                continue
            if not to_many and self._attach_one(use, parent, pairs):
                return True
            if to_many and self._attach_many(use, parent, pairs):
                return True
        return False

    def _pairs(self, here: str, there: str, conditions: Sequence[exp.Expr]) -> dict[str, str]:
        """The columns here that equal each column there, by equalities and what follows from them."""
        classes = _classes([*self.conditions, *conditions])
        direct: dict[str, str] = {}
        for one in conditions:
            pair = equality(one)
            if pair is None:
                continue
            for (a, column), other in (pair, pair[::-1]):
                if a != there:
                    continue
                if other[0] == here:
                    direct[column] = other[1]
                elif column not in direct:
                    found = [c for t, c in classes.get(other, ()) if t == here]
                    if found:
                        direct[column] = min(found)
        return direct

    def _attach_one(self, use: Use, parent: Node, pairs: Mapping[str, str]) -> bool:
        source = self.drafts[use.id]
        if use.ranked is not None and not _is_newest(source):
            if not {key.lower() for key in use.ranked.keys} <= pairs.keys():
                return False
            return self._attach_pick(use, parent, pairs)
        key = self.planner.sources.key_within(source, list(pairs))
        if key is None:
            return False
        used = {there: pairs[there] for there in key}
        self._attach(use, parent, used, to_many=False, more=self._own(use, used, parent))
        return True

    def _attach_pick(self, use: Use, parent: Node, pairs: Mapping[str, str]) -> bool:
        ranked = seen(use.ranked)
        source = self.drafts[use.id]
        words = [
            self.planner.sources.field(source, column) + (" desc" if descending else "")
            for column, descending in ranked.order
        ]
        more: dict[str, object] = {"pick": {"sort": words}}
        if ranked.where:
            more["where"] = self.planner.words(ranked.where, Node(use, source, ("{join}",)))
        used = {key.lower(): pairs[key.lower()] for key in ranked.keys}
        rest = [one for one in use.on if not self._is_pair(one, use, parent, used)]
        if rest:
            raise ByHand(
                f"the newest row of `{use.alias}` is chosen, and then joined on a condition",
                use.node,
                hint="put the condition into CASE, where its columns are used",
            )
        self._attach(use, parent, used, to_many=False, more=more)
        return True

    def _attach_many(self, use: Use, parent: Node, pairs: Mapping[str, str]) -> bool:
        if use.ranked is not None and not _is_newest(self.drafts[use.id]):
            return False
        self._attach(use, parent, pairs, to_many=True, more=self._own(use, pairs, parent))
        self.many += 1
        return True

    def _own(self, use: Use, used: Mapping[str, str], parent: Node) -> dict[str, object]:
        """What a left join says of its own besides the key."""
        rest = [one for one in use.on if not self._is_pair(one, use, parent, used)]
        if not rest:
            return {}
        if any(uses_of(one, self.block) - {use.id} for one in rest):
            raise ByHand(
                f"the left join of `{use.alias}` compares more than keys with other tables",
                rest[0],
                hint="a join by `sql` says it; write it into the data source by hand",
            )
        node = Node(use, self.drafts[use.id], ("{join}",))
        return {"where": self.planner.words(rest, node)}

    def _is_pair(self, one: exp.Expr, use: Use, parent: Node, used: Mapping[str, str]) -> bool:
        pair = equality(one)
        if pair is None:
            return False
        mine, other = pair if pair[0][0] == use.id else pair[::-1]
        wanted = (parent.use.id, used.get(mine[1], ""))
        return mine[0] == use.id and (
            other == wanted or wanted in _classes(self.conditions).get(other, ())
        )

    def _attach(
        self,
        use: Use,
        parent: Node,
        used: Mapping[str, str],
        *,
        to_many: bool,
        more: Mapping[str, object],
    ) -> None:
        source = self.drafts[use.id]
        pairs = [(here, there) for there, here in used.items()]
        name = self.planner.sources.join(
            parent.source, source, pairs, to_many=to_many, more=more, like=use.alias
        )
        node = Node(use, source, (*parent.path, name), parent, to_many)
        self.nodes[use.id] = node
        for there, here in used.items():
            self._unite((use.id, there), (parent.use.id, here))
        if use.kind != "left":
            self.tested.append(node)

    def _unite(self, one: Column, other: Column) -> None:
        self.same[self._find(one)] = self._find(other)

    def _find(self, column: Column) -> Column:
        while column in self.same and self.same[column] != column:
            column = self.same[column]
        return column

    def finish(self, outer: int = 0) -> Tree:
        """The tree, with the conditions that are left, and those that inner joins are."""
        rest = []
        for one in self.conditions:
            pair = equality(one)
            if pair is None or self._find(pair[0]) != self._find(pair[1]):
                rest.append(one)
        for node in self.tested:
            needed = not node.to_many or outer == 0
            implied = any(rejects_null(one, node.use.id) for one in rest)
            leads_on = any(other.parent is node for other in self.tested)
            if needed and not implied and not leads_on:
                rest.append(is_there(node.use.id))
        root = next((node for node in self.nodes.values() if not node.path), None)
        return Tree(self.nodes, rest, root)


def _is_newest(source: Draft) -> bool:
    return source.latest is not None or (
        source.known is not None and source.known.latest is not None
    )


def _classes(conditions: Sequence[exp.Expr]) -> dict[Column, set[Column]]:
    """The columns that equal each column."""
    classes: dict[Column, set[Column]] = {}
    for one in conditions:
        pair = equality(one)
        if pair is not None:
            joined = classes.get(pair[0], {pair[0]}) | classes.get(pair[1], {pair[1]})
            for column in joined:
                classes[column] = joined
    return classes
