"""Derived tables that group: each of their columns is an aggregate over the rows of one key.

`LEFT JOIN (SELECT k, sum(x) FROM t GROUP BY k)` on `k` is a scalar subquery for each row, and a query over one such table
alone is that table with more conditions. What joins on part of the key, or groups twice, is left as it is, and refused later.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from sqlglot import exp

from genesis.lift.block import Block, Output, Use, conjuncts, has_aggregate
from genesis.lift.facts import seen


def merge_groups(block: Block) -> None:
    """Put subqueries in the place of derived tables that group, as far as that means the same."""
    for inner in block.inner.values():
        merge_groups(inner)
    for use in [one for one in block.uses.values() if one.grouped is not None]:
        merge_groups(seen(use.grouped))
        if len(block.uses) == 1:
            _put_in_its_place(block, use)
        else:
            _as_subqueries(block, use)


def _put_in_its_place(block: Block, use: Use) -> None:
    """A query over one table that groups, and which does not group itself: that table, with more conditions."""
    inner = seen(use.grouped)
    if block.aggregates or block.distinct or inner.limit:
        return
    columns = {output.label.lower(): output.value for output in inner.outputs}

    def inside(value: exp.Expr) -> exp.Expr:
        return value.transform(lambda node: _column(node, use, columns))

    outer_where = [part for one in block.where for part in conjuncts(inside(one))]
    _rewrite(block, inside)
    block.uses, block.inner = inner.uses, {**block.inner, **inner.inner}
    block.group, block.distinct = inner.group, inner.distinct
    plain = [one for one in outer_where if not has_aggregate(one) and inner.group is not None]
    block.where = [*inner.where, *(one for one in plain if _is_of(one, inner))]
    block.having = [*inner.having, *(one for one in outer_where if one not in block.where)]


def _is_of(condition: exp.Expr, inner: Block) -> bool:
    """Whether it says something of groups that each of their rows says."""
    return all(column in (inner.group or ()) for column in condition.find_all(exp.Column))


def _column(node: exp.Expr, use: Use, columns: dict[str, exp.Expr]) -> exp.Expr:
    if isinstance(node, exp.Column) and node.table == use.id:
        value = columns[node.name.lower()].copy()
        return exp.Paren(this=value) if isinstance(value, exp.Binary) else value
    return node


def _as_subqueries(block: Block, use: Use) -> None:
    inner = seen(use.grouped)
    keys = [output.value for output in inner.outputs if not has_aggregate(output.value)]
    group = inner.group if inner.group is not None else keys if inner.distinct else None
    if group is None or inner.limit or (inner.having and use.kind == "left"):
        return
    places = {
        output.label.lower(): place
        for output in inner.outputs
        for place, one in enumerate(group)
        if output.value == one
    }
    conditions = use.on if use.kind == "left" else block.where
    ties = {
        place: tie for one in conditions if (tie := _tie(one, use, places)) for place in [tie[0]]
    }
    others = [one for one in conditions if _tie(one, use, places) is None]
    if len(ties) < len(group) or (use.kind == "left" and others):
        return
    inner.group, inner.distinct, having, inner.having = None, False, inner.having, []
    inner.where += [
        exp.EQ(this=group[place].copy(), expression=tie[1]) for place, tie in ties.items()
    ]
    base, columns = Block(uses=inner.uses, where=inner.where, inner=inner.inner), {}
    for output in inner.outputs:
        name = output.label.lower()
        if name in places:
            columns[name] = ties[places[name]][1]
        else:
            columns[name] = _value(block, base, output.value, is_left=use.kind == "left")
    del block.uses[use.id]
    if use.kind != "left":
        block.where = [
            *others,
            _call(block, base, "__any"),
            *(_valued(block, base, one) for one in having),
        ]
    _rewrite(
        block, lambda value: _counted(value.transform(lambda node: _column(node, use, columns)))
    )


def _tie(condition: exp.Expr, use: Use, places: dict[str, int]) -> tuple[int, exp.Expr] | None:
    """Which part of the key an equality fixes, and to what."""
    if isinstance(condition, exp.EQ):
        for mine, other in (
            (condition.this, condition.expression),
            (condition.expression, condition.this),
        ):
            is_mine = isinstance(mine, exp.Column) and mine.table == use.id
            if is_mine and mine.name.lower() in places and isinstance(other, exp.Column):
                return places[mine.name.lower()], other.copy()
    return None


def _call(block: Block, base: Block, name: str, value: exp.Expr | None = None) -> exp.Expr:
    number = max(block.inner, default=5000) + 1
    made = deepcopy(base)
    made.outputs = [Output("value", value.copy(), True)] if value is not None else []
    block.inner[number] = made
    return exp.Anonymous(this=name, expressions=[exp.Literal.number(number)])


def _valued(block: Block, base: Block, condition: exp.Expr) -> exp.Expr:
    """A condition of HAVING for the group that is joined."""
    return condition.transform(
        lambda node: (
            _call(block, base, "__value", node)
            if isinstance(node, exp.AggFunc | exp.Filter)
            else node
        )
    )


def _value(block: Block, base: Block, value: exp.Expr, *, is_left: bool) -> exp.Expr:
    """An aggregate of the group, NULL where a left join finds none."""
    found = _valued(block, base, value)
    counts = [*value.find_all(exp.Count, exp.CountIf, exp.Coalesce, exp.Case)]
    if not is_left or not counts:
        return found
    if isinstance(value, exp.Count) and isinstance(value.this, exp.Star | exp.Literal):
        return exp.Nullif(this=found, expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=_call(block, base, "__any"), true=found)])


def _counted(value: exp.Expr) -> exp.Expr:
    """`coalesce(nullif(x, 0), 0)` as `x`, which is what a count is."""

    def plain(node: exp.Expr) -> exp.Expr:
        zero = exp.Literal.number(0)
        if isinstance(node, exp.Coalesce) and node.expressions == [zero]:
            inside = node.this.unnest()
            if isinstance(inside, exp.Nullif) and inside.expression == zero:
                count: exp.Expr = inside.this
                return count
        return node

    return value.transform(plain)


def _rewrite(block: Block, change: Callable[[exp.Expr], exp.Expr]) -> None:
    """Every expression of a block as `change` makes it."""
    for output in block.outputs:
        output.value = change(output.value)
    block.where = [change(one) for one in block.where]
    block.having = [change(one) for one in block.having]
    block.group = [change(one) for one in block.group] if block.group is not None else None
    for order in block.order:
        order.value = order.value if isinstance(order.value, int) else change(order.value)
    for use in block.uses.values():
        use.on = [change(one) for one in use.on]
    for inner in block.inner.values():
        _rewrite(inner, change)
