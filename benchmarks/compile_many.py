"""Hundreds of reports of one project: loading, checking and compiling them, beside what PyYAML and sqlglot take.

A generated project of 8 data sources (an order system: composite keys, to-one chains, four to-many
joins, derived fields, measures) and as many inputs as asked, of both shapes. The floors run in the
same process, interleaved: composing the YAML of the same files, and for each report copying and
rendering a tree equal to the one its SQL is. Medians of CPU time.

    python benchmarks/compile_many.py [INPUTS ...]
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlglot
import yaml
from sqlglot import exp

from genesis.compile.check import check_project
from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.project import Project

SOURCES = """
data_source: customer
table: shop.customer
primary_key: customer_id
latest: true
fields: {customer_id: integer, name: string, segment: string, nation_id: integer, balance: "decimal(18,2)", joined: date}
joins: {nation: {by: nation_id}, orders: {data_source: orders, by: customer_id}}
measures: {customer_count: {sql: count(*)}}
---
data_source: nation
table: shop.nation
primary_key: nation_id
fields: {nation_id: integer, name: string, region_id: integer}
joins: {region: {by: region_id}}
---
data_source: region
table: shop.region
primary_key: region_id
fields: {region_id: integer, name: string}
---
data_source: orders
table: shop.orders
primary_key: order_id
latest: true
where: not is_test
fields:
  order_id: integer
  customer_id: integer
  clerk_id: integer
  status: {type: string, labels: {O: Open, F: Filled, P: Pending}}
  ordered_on: date
  priority: string
  total: {type: "decimal(18,2)", format: usd}
  is_test: boolean
  age: {type: integer, sql: "date_diff('day', ordered_on, today())"}
  is_late: {type: boolean, sql: "age > 30 and status <> 'F'"}
  open_lines: {type: integer, sql: count(lines), where: not lines.returned}
joins:
  customer: {by: customer_id}
  clerk: {by: clerk_id}
  lines: {data_source: line, by: order_id}
  notes: {data_source: note, by: order_id}
  last_note: {data_source: note, by: order_id, pick: {sort: [written desc]}}
measures: {order_count: {sql: count(*)}, revenue: {sql: sum(total), format: usd}}
---
data_source: clerk
table: shop.clerk
primary_key: clerk_id
fields: {clerk_id: integer, name: string, boss_id: integer}
joins: {boss: {data_source: clerk, by: {boss_id: clerk_id}}}
---
data_source: line
table: shop.line
primary_key: [order_id, number]
latest: true
fields: {order_id: integer, number: integer, part_id: integer, quantity: integer, price: "decimal(18,2)", returned: boolean, shipped: date}
joins: {order: {data_source: orders, by: order_id}, part: {by: part_id}}
measures: {line_count: {sql: count(*)}}
---
data_source: part
table: shop.part
primary_key: part_id
fields: {part_id: integer, name: string, brand: string, size: integer}
joins: {lines: {data_source: line, by: part_id}}
---
data_source: note
table: shop.note
primary_key: note_id
fields: {note_id: integer, order_id: integer, written: timestamp, text: string, author: string}
"""
COLUMNS = [
    "status", "ordered_on", "priority", "total", "age", "is_late", "open_lines", "customer.name", "customer.segment",
    "customer.nation.name", "customer.nation.region.name", "clerk.name", "clerk.boss.name", "last_note.text",
    "count(lines)", "sum(lines.price)", "max(lines.shipped)", "lines.line_count",
    '{field: "list(lines.part.name)", distinct: true, name: parts}',
    '{field: "sum(lines.price * lines.quantity)", where: lines.returned, default: 0, name: lost}',
    '{field: "count(notes)", name: remarks}', '{field: "first(notes.text)", sort: [notes.written], name: first_remark}',
    '{field: "sum(lines.price) / nullif(total, 0)", name: share, type: float, format: percent}',
]  # fmt: skip
FILTERS = [
    "status in ('O', 'P')", "ordered_on >= today() - interval '90' day", "total > 100.5", "any(lines.part.brand = 'X')",
    "count(notes) > 1", "customer.nation.region.name = 'EMEA'", "none(lines.returned)",
]  # fmt: skip
GROUPS = ["status", "priority", "customer.segment", "customer.nation.name", "clerk.name"]
MEASURES = [
    "order_count", "revenue", "count(lines)", "sum(lines.price)", '{field: "avg(total)", name: mean}',
    '{field: "count_distinct(customer)", name: customers}', '{field: "sum(total)", where: is_late, name: late}',
]  # fmt: skip


def write_project(root: Path, inputs: int) -> None:
    """A project of so many inputs, the same each time."""
    chance = random.Random(7)
    for folder in ("definitions", "inputs"):
        (root / folder).mkdir(parents=True)
    (root / "genesis.yaml").write_text("project: shop\n")
    for text in SOURCES.strip().split("\n---\n"):
        (root / "definitions" / f"{text.split()[1]}.yaml").write_text(text + "\n")
    for number in range(inputs):
        (root / "inputs" / f"report_{number}.yaml").write_text(_input(number, chance))


def _input(number: int, chance: random.Random) -> str:
    is_summary = number % 4 == 3
    columns = (
        [*chance.sample(GROUPS, 2), *chance.sample(MEASURES, 3)]
        if is_summary
        else ["order_id", *chance.sample(COLUMNS, chance.randint(5, 9))]
    )
    lines = [
        f"input: report_{number}",
        "source: orders",
        *(["shape: summary"] if is_summary else []),
        "fields:",
    ]
    lines += [f"  - {column}" for column in columns]
    filters = [f"  - {chosen}" for chosen in chance.sample(FILTERS, chance.randint(0, 3))]
    lines += ["filters:", *filters] if filters else []
    return "\n".join(lines) + "\n"


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(inputs: int) -> None:
    """Print what a project of so many inputs takes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, inputs)
        files = sorted(root.rglob("*.yaml"))
        work = {
            "composing their YAML": lambda: _compose(files),
            "load": lambda: load_project(root, Problems()),
            "load and check": lambda: check(root),
        }
        rounds = 3 if inputs < 1000 else 1
        seconds = {
            what: statistics.median(cpu(do) for _ in range(rounds)) for what, do in work.items()
        }
        print(f"{inputs} inputs, {len(files)} files")
        floor = seconds["composing their YAML"]
        for what, found in seconds.items():
            print(f"  {what:24s} {found:7.2f} s  {found / floor:5.2f} x")
        project = load_project(root, Problems())
        names = list(project.inputs)
        cold = cpu(lambda: [compile_input(project, name, "trino") for name in names])
        print(f"  compile all, first time  {cold:7.2f} s  {cold / inputs * 1e3:5.2f} ms a report")
        for dialect in ("trino", "duckdb"):
            _compare_reports(project, names[:300], dialect)


def _compose(files: list[Path]) -> None:
    for file in files:
        list(yaml.compose_all(file.read_text(), Loader=yaml.CSafeLoader))


def check(root: Path) -> None:
    """What `genesis check` does."""
    problems = Problems()
    check_project(load_project(root, problems), problems)
    problems.raise_errors()


def _compare_reports(project: Project, names: list[str], dialect: str) -> None:
    pairs = []
    for name in names:
        compile_ = partial(compile_input, project, name, dialect)
        tree = sqlglot.parse_one(compile_().sql, dialect=dialect)
        pairs.append((_best(compile_), _best(partial(_copy_and_render, tree, dialect))))
    ours, floor = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(
        f"  {dialect:6s} a report {ours:5.2f} ms, an equal tree copied and rendered {floor:5.2f} ms, "
        f"median ratio {ratio:4.2f}"
    )


def _copy_and_render(tree: exp.Expr, dialect: str) -> str:
    return tree.copy().sql(dialect, pretty=True, copy=False)


def _best(work: Callable[[], object]) -> float:
    return min(cpu(work) for _ in range(3))


if __name__ == "__main__":
    for count in map(int, sys.argv[1:] or ["300", "3000"]):
        measure(count)
