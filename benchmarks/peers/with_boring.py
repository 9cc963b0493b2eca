"""The questions in boring-semantic-layer; run by a Python that has it, through `compare.py`."""

from __future__ import annotations

from typing import Any

import ibis
from boring_semantic_layer import to_semantic_table
from measuring import answer
from questions import ENTITIES

GROUPS = {
    "status": "orders.status",
    "priority": "orders.priority",
    "segment": "customer.segment",
    "nation": "nation.name",
    "clerk": "clerk.name",
}
LINES = {"lines", "line_price"}


def start() -> Any:
    tables = {
        name: to_semantic_table(ibis.table(columns, name=name), name=name).with_dimensions(
            **{column: _column(column) for column in columns}
        )
        for name, (columns, _) in ENTITIES.items()
    }
    orders = tables["orders"].with_measures(
        order_count=lambda t: t.count(),
        revenue=lambda t: t.total.sum(),
        mean_total=lambda t: t.total.mean(),
        customers=lambda t: t.customer_id.nunique(),
        late_revenue=lambda t: t.total.sum(where=t.is_late),
    )
    lines = tables["line"].with_measures(
        lines=lambda t: t.count(), line_price=lambda t: t.price.sum()
    )
    customer = _to_one(tables["customer"], tables["nation"], "nation_id")
    orders = _to_one(_to_one(orders, customer, "customer_id"), tables["clerk"], "clerk_id")
    return orders.join_many(lines, on=lambda a, b: a.order_id == b.order_id)


def _column(name: str) -> Any:
    return lambda t: t[name]


def _to_one(left: Any, right: Any, key: str) -> Any:
    return left.join_one(right, on=lambda a, b: a[key] == b[key])


def ask(table: Any, groups: list[str], numbers: list[str]) -> str:
    wanted = [f"{'line' if name in LINES else 'orders'}.{name}" for name in numbers]
    query = table.group_by(*(GROUPS[name] for name in groups)).aggregate(*wanted)
    return str(ibis.to_sql(query.to_untagged(), dialect="duckdb"))


if __name__ == "__main__":
    answer("boring-semantic-layer", start, ask)
