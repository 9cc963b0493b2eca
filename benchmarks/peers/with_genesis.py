"""The questions in genesis, as summaries of a project of YAML files in the folder `GENESIS_PROJECT`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from measuring import answer
from questions import ENTITIES, key_of, questions

from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.project import Project

TYPES = {"string": "string", "int64": "integer", "float64": "float", "boolean": "boolean"}
GROUPS = {
    "status": "status",
    "priority": "priority",
    "segment": "customer.segment",
    "nation": "customer.nation.name",
    "clerk": "clerk.name",
}
NUMBERS = {
    "order_count": "order_count",
    "revenue": "revenue",
    "mean_total": "{field: avg(total), name: mean_total}",
    "customers": "{field: count_distinct(customer_id), name: customers}",
    "late_revenue": "{field: sum(total), where: is_late, name: late_revenue}",
    "lines": "count(lines)",
    "line_price": "sum(lines.price)",
}


def write_project(root: Path) -> None:
    """The 8 entities and an input for each question."""
    for folder in ("definitions", "inputs"):
        (root / folder).mkdir(parents=True)
    (root / "genesis.yaml").write_text("project: shop\n")
    for entity in ENTITIES:
        (root / "definitions" / f"{entity}.yaml").write_text(_data_source(entity))
    for number, (groups, numbers) in enumerate(questions()):
        fields = [*(GROUPS[name] for name in groups), *(NUMBERS[name] for name in numbers)]
        items = "".join(f"  - {field}\n" for field in fields)
        head = f"input: report_{number}\nsource: orders\nshape: summary\n"
        (root / "inputs" / f"report_{number}.yaml").write_text(f"{head}fields:\n{items}")


def _data_source(entity: str) -> str:
    columns, joins = ENTITIES[entity]
    found = [f"  {other}: {{by: {column}}}" for column, other in joins]
    if entity == "orders":
        found.append("  lines: {data_source: line, by: order_id}")
    measures = "measures: {order_count: {sql: count(*)}, revenue: {sql: sum(total)}}\n"
    return "\n".join(
        [
            f"data_source: {entity}\ntable: shop.{entity}\nprimary_key: {key_of(entity)}",
            "fields:",
            *(f"  {name}: {TYPES[kind]}" for name, kind in columns.items()),
            *(["joins:", *found] if found else []),
            measures if entity == "orders" else "",
        ]
    )


NUMBER_OF = {repr(question): number for number, question in enumerate(questions())}


def start() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(os.environ.get("GENESIS_PROJECT", folder))
        if not (root / "inputs").exists():
            write_project(root)
        return load_project(root, Problems())


def ask(project: Project, groups: list[str], numbers: list[str]) -> str:
    number = NUMBER_OF[repr((groups, numbers))]
    return compile_input(project, f"report_{number}", "duckdb").sql


if __name__ == "__main__":
    answer("genesis-trackers", start, ask)
