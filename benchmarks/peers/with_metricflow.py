"""The questions in MetricFlow; run by a Python that has it, through `compare.py`.

Its manifest is made of plain values and its engine asked for the SQL, which spares it dbt's reading
of a project. It takes no dimension more than two joins away, and wants a day for each measure.
"""

from __future__ import annotations

from typing import Any

from measuring import answer
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow_semantic_interfaces.implementations.semantic_manifest import (
    PydanticSemanticManifest,
)
from metricflow_semantic_interfaces.transformations.semantic_manifest_transformer import (
    PydanticSemanticManifestTransformer,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
from questions import ENTITIES, key_of

GROUPS = {
    "status": "orders__status",
    "priority": "orders__priority",
    "segment": "customer__segment",
    "nation": "nation__name",
    "clerk": "clerk__name",
}
MEASURES = {
    "orders": [
        {"name": "order_count", "agg": "count", "expr": "order_id"},
        {"name": "revenue", "agg": "sum", "expr": "total"},
        {"name": "mean_total", "agg": "average", "expr": "total"},
        {"name": "customers", "agg": "count_distinct", "expr": "customer_id"},
    ],
    "line": [
        {"name": "lines", "agg": "count", "expr": "line_id"},
        {"name": "line_price", "agg": "sum", "expr": "price"},
    ],
}
LATE = {"where_filters": [{"where_sql_template": "{{ Dimension('orders__is_late') }}"}]}
DAY = {"type": "time", "type_params": {"time_granularity": "day"}}


class DuckDb:
    """What the engine asks its connection for, without one: nothing is run here."""

    sql_engine_type = SqlEngine.DUCKDB
    sql_plan_renderer = DuckDbSqlPlanRenderer()


def start() -> MetricFlowEngine:
    names = [measure["name"] for measures in MEASURES.values() for measure in measures]
    spine = {
        "node_relation": {"schema_name": "shop", "alias": "days"},
        "primary_column": {"name": "day", "time_granularity": "day"},
    }
    manifest = PydanticSemanticManifest.parse_obj(
        {
            "semantic_models": [_semantic_model(entity) for entity in ENTITIES],
            "metrics": [
                *(_metric(name, of=name) for name in names),
                {**_metric("late_revenue", of="revenue"), "filter": LATE},
            ],
            "project_configuration": {"time_spines": [spine]},
        }
    )
    whole = PydanticSemanticManifestTransformer.transform(manifest)
    return MetricFlowEngine(SemanticManifestLookup(whole), DuckDb())


def _semantic_model(entity: str) -> dict[str, Any]:
    columns, joins = ENTITIES[entity]
    keys = {key_of(entity), *(column for column, _ in joins)}
    plain = [{"name": name, "type": "categorical"} for name in columns if name not in keys]
    return {
        "name": entity,
        "node_relation": {"schema_name": "shop", "alias": entity},
        "defaults": {"agg_time_dimension": "day"},
        "entities": [
            {"name": entity, "type": "primary", "expr": key_of(entity)},
            *({"name": other, "type": "foreign", "expr": column} for column, other in joins),
        ],
        "dimensions": [*plain, {"name": "day", "expr": "DATE '2026-01-01'", **DAY}],
        "measures": MEASURES.get(entity, []),
    }


def _metric(name: str, *, of: str) -> dict[str, Any]:
    return {"name": name, "type": "simple", "type_params": {"measure": {"name": of}}}


def ask(engine: MetricFlowEngine, groups: list[str], numbers: list[str]) -> str:
    request = MetricFlowQueryRequest.create(
        metric_names=numbers,
        group_by_names=[GROUPS[name] for name in groups],
        order_output_columns_by_input_order=True,
    )
    return str(engine.explain(request).sql_statement.sql)


if __name__ == "__main__":
    answer("metricflow", start, ask)
