"""The questions in sidemantic; run by a Python that has it, through `compare.py`."""

from __future__ import annotations

from measuring import answer
from questions import ENTITIES, key_of
from sidemantic import Dimension, Metric, Model, Relationship, SemanticLayer

GROUPS = {
    "status": "orders.status",
    "priority": "orders.priority",
    "segment": "customer.segment",
    "nation": "nation.name",
    "clerk": "clerk.name",
}
METRICS = {
    "orders": [
        Metric(name="order_count", agg="count"),
        Metric(name="revenue", agg="sum", sql="total"),
        Metric(name="mean_total", agg="avg", sql="total"),
        Metric(name="customers", agg="count_distinct", sql="customer_id"),
        Metric(name="late_revenue", agg="sum", sql="total", filters=["is_late"]),
    ],
    "line": [
        Metric(name="lines", agg="count"),
        Metric(name="line_price", agg="sum", sql="price"),
    ],
}
KINDS = {"string": "categorical", "int64": "numeric", "float64": "numeric", "boolean": "boolean"}


def start() -> SemanticLayer:
    layer = SemanticLayer(dialect="duckdb")
    for entity, (columns, joins) in ENTITIES.items():
        model = Model(
            name=entity,
            table=f"shop.{entity}",
            primary_key=key_of(entity),
            dimensions=[
                Dimension(name=name, type=KINDS[kind], sql=name) for name, kind in columns.items()
            ],
            metrics=METRICS.get(entity, []),
            relationships=[
                Relationship(
                    name=other, type="many_to_one", foreign_key=column, primary_key=key_of(other)
                )
                for column, other in joins
            ],
        )
        if model.name not in layer.graph.models:
            layer.add_model(model)
    return layer


def ask(layer: SemanticLayer, groups: list[str], numbers: list[str]) -> str:
    owner = {metric.name: entity for entity, metrics in METRICS.items() for metric in metrics}
    return layer.compile(
        metrics=[f"{owner[name]}.{name}" for name in numbers],
        dimensions=[GROUPS[name] for name in groups],
    )


if __name__ == "__main__":
    answer("sidemantic", start, ask)
