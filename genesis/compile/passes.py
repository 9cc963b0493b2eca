"""Rewrites of a plan that keep its rows and spare the engine work."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlglot import exp

from genesis.compile.identifiers import Names, column, identifier
from genesis.compile.plan import Cte, JoinTo, Plan, Select


def narrow_branches(plan: Plan) -> Plan:
    """Let a filtered report aggregate only the related rows of the records it keeps.

    Measured on DuckDB at a 1 % filter: 103 -> 30 ms for one branch, 1025 -> 86 ms for a nested one.
    Without a filter it would cost (73 -> 205 ms), and a composite key is left alone.
    """
    branches = {cte.name for cte in plan.ctes if cte.there}
    joined = {join.to.name: join.to.alias for join in plan.root.joins if join.to.name in branches}
    by_branch = set(joined.values())
    conditions = [part for part in plan.filters if not _aliases(part) & by_branch]
    narrowed = [
        cte
        for cte in plan.ctes
        if cte.name in joined and len(cte.there) == 1 and not _aliases(cte.here[0]) & by_branch
    ]
    if not conditions or not narrowed:
        return plan
    names = Names()
    keys: dict[exp.Expr, str] = {}
    for cte in narrowed:
        keys.setdefault(cte.here[0], names.take(cte.here[0].name or "key"))
    filtered = Cte(plan.spare, _filtered_keys(plan.root, conditions, keys))
    narrower = {cte.name: _among(cte, filtered.name, keys[cte.here[0]]) for cte in narrowed}
    first = _all_read_by(filtered, plan.ctes)
    return plan._replace(
        ctes=(
            *(cte for cte in plan.ctes if cte.name in first),
            filtered,
            *(narrower.get(cte.name, cte) for cte in plan.ctes if cte.name not in first),
        ),
    )


def _filtered_keys(
    root: Select, conditions: Iterable[exp.Expr], keys: dict[exp.Expr, str]
) -> Select:
    """The keys of the records that the report's own conditions keep."""
    conditions = tuple(conditions)
    needed = {alias for part in (*conditions, *keys) for alias in _aliases(part)}
    joins: list[JoinTo] = []
    for join in reversed(root.joins):
        if any(part.to.alias in needed for part in join):
            joins.insert(0, join)
            needed.update(alias for part in join for alias in _aliases(part.on))
    columns = tuple((name, key) for key, name in keys.items())
    return Select(columns=columns, start=root.start, joins=tuple(joins), where=conditions)


def _among(cte: Cte, filtered: str, key: str) -> Cte:
    """The branch, over the related rows of the filtered records only."""
    body = cte.body
    if not isinstance(body, Select):
        return cte
    keys = exp.Select(expressions=[column(key, filtered)])
    keys.set("from_", exp.From(this=exp.Table(this=identifier(filtered))))
    among = exp.In(this=cte.there[0].copy(), query=exp.Subquery(this=keys))
    return cte._replace(body=body._replace(where=(*body.where, among)))


def _all_read_by(cte: Cte, ctes: Iterable[Cte]) -> set[str]:
    """The names of the CTEs that one reads, and that those read."""
    by_name = {other.name: other for other in ctes}
    found: set[str] = set()
    waiting = [cte]
    while waiting:
        body = waiting.pop().body
        if isinstance(body, Select):
            for source in body.sources:
                if source.name in by_name and not source.is_table and source.name not in found:
                    found.add(source.name)
                    waiting.append(by_name[source.name])
    return found


def _aliases(expression: exp.Expr) -> set[str]:
    return {found.table for found in expression.find_all(exp.Column)}


PASSES: tuple[Callable[[Plan], Plan], ...] = (narrow_branches,)
