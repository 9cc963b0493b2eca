"""Hundreds and thousands of reports: loading, checking and compiling them, beside what PyYAML and sqlglot take.

A generated project of 8 data sources (an order system: composite keys, to-one chains, four to-many
joins, derived fields, measures) and as many inputs as asked, of both shapes. Then one of 2,000 files as
people write them, some 60 lines each: data sources, inputs and workflows with descriptions. The floors
run in the same process, in turns: composing the YAML of the same files, and for each report building
a tree equal to its SQL's, node by node, and rendering it. CPU time.

    python benchmarks/compile_many.py [INPUTS ...]
"""

from __future__ import annotations

import gc
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

from genesis.compile.check import check_project
from genesis.compile.compiler import compile_input
from genesis.compile.trees import copied
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


DEPARTMENTS = 25  # of them, each with the 8 data sources
WORKFLOWS = 300


def write_large_project(root: Path, files: int) -> None:
    """A project of so many files of some 60 lines: data sources, workflows, and the rest inputs."""
    chance = random.Random(11)
    for folder in ("definitions", "inputs", "workflows"):
        (root / folder).mkdir(parents=True)
    (root / "genesis.yaml").write_text("project: shop\n")
    sources = list(yaml.safe_load_all(SOURCES))
    for department in range(DEPARTMENTS):
        for source in sources:
            found = _described(source, department)
            _write(root / "definitions" / f"{found['data_source']}.yaml", found)
    inputs = files - len(sources) * DEPARTMENTS - WORKFLOWS
    for number in range(inputs):
        _write(root / "inputs" / f"report_{number}.yaml", _described_input(number, chance))
    for number in range(WORKFLOWS):
        _write(root / "workflows" / f"workflow_{number}.yaml", _workflow(number, inputs))


def _write(file: Path, definition: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(definition, sort_keys=False, width=120))


def _described(source: dict[str, Any], department: int) -> dict[str, Any]:
    """A data source of one department, with everything written out."""
    fields = {
        name: {
            **(field if isinstance(field, dict) else {"type": field}),
            "description": f"The {name.replace('_', ' ')}, as the department's own system has it.",
        }
        for name, field in source["fields"].items()
    }
    joins = {
        name: {**join, "data_source": f"{join.get('data_source', name)}_{department}"}
        for name, join in source.get("joins", {}).items()
    }
    name = f"{source['data_source']}_{department}"
    head = {"data_source": name, "description": "One row of the system.", "owner": OWNER}
    return {**head, **source, "data_source": name, "fields": fields, "joins": joins}


def _described_input(number: int, chance: random.Random) -> dict[str, Any]:
    columns = ["order_id", *chance.sample(COLUMNS, 13)]
    items = [yaml.safe_load(column) for column in columns]
    fields = [
        {
            **(item if isinstance(item, dict) else {"field": item}),
            "label": f"Column {position} of it",
        }
        for position, item in enumerate(items)
    ]
    regions = {"type": "string", "default": "EMEA", "description": "Where the customer is."}
    return {
        "input": f"report_{number}",
        "title": f"Orders, seen for the {number}th time",
        "description": "Every order that somebody has to look at, with its customer and clerk.",
        "owner": OWNER,
        "source": f"orders_{number % DEPARTMENTS}",
        "parameters": {"region": regions},
        "fields": fields,
        "filters": [*chance.sample(FILTERS, 3), "customer.nation.region.name = :region"],
        "sort": ["order_id"],
    }


def _workflow(number: int, inputs: int) -> dict[str, Any]:
    jobs = [
        {
            "refresh": f"report_{(number * 7 + job) % inputs}",
            "parameters": {"region": "EMEA"},
            "to": {"xlsx": {"file": f"trackers/{number}.xlsx", "tab": f"Orders {job}"}},
            "max_deletes": "20%",
        }
        for job in range(6)
    ]
    return {
        "workflow": f"workflow_{number}",
        "description": "Keeps the department's trackers.",
        "owner": OWNER,
        "schedule": {"every": "15m"},
        "jobs": jobs,
    }


OWNER = "orders@shop.example.com"


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU that some work takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compile_all(inputs: int) -> None:
    """Print what a project of so many inputs takes, from nothing to SQL."""
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), inputs)
        loading = cpu(lambda: load_project(Path(folder), Problems()))
        project = load_project(Path(folder), Problems())
        first = _compile_each(project, "trino")
        compiling = sum(first)
        print(
            f"{inputs:6,} inputs: load {loading / inputs * 1e3:4.2f} ms, compile {compiling / inputs * 1e3:4.2f} ms "
            f"a report, both {loading + compiling:5.2f} s, at most {peak_megabytes():.0f} MB"
        )
        if inputs <= COMPARED:
            _compare_reports(project, "trino", first)
            _compare_reports(project, "duckdb", _compile_each(project, "duckdb"))


def _compile_each(project: Project, dialect: str) -> list[float]:
    """The seconds of each report, compiled once; what is known of the others helps it."""
    return [cpu(partial(compile_input, project, name, dialect)) for name in project.inputs]


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


COMPARED = 300  # reports


def _compare_reports(project: Project, dialect: str, seconds: list[float]) -> None:
    """Print what a report took the first time, and what it takes again, beside an equal tree."""
    first, again = [], []
    for name, once in zip(project.inputs, seconds, strict=True):
        compile_ = partial(compile_input, project, name, dialect)
        tree = sqlglot.parse_one(compile_().sql, dialect=dialect)
        build = partial(_build_and_render, tree, dialect)
        rounds = [(cpu(compile_), cpu(build)) for _ in range(3)]
        again.append(tuple(map(min, zip(*rounds, strict=True))))
        first.append((once, rounds[0][1]))
    for what, pairs in (("the first time", first), ("again", again)):
        ours, floor = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
        ratio = statistics.median(mine / other for mine, other in pairs)
        print(
            f"  {dialect:6} {what:14} {ours:5.2f} ms a report, an equal tree built and rendered "
            f"{floor:5.2f} ms, median ratio {ratio:4.2f}"
        )


def _build_and_render(tree: exp.Expr, dialect: str) -> str:
    return copied(tree).sql(dialect, pretty=True, copy=False)


def check_many(files: int) -> None:
    """Print what `check` takes for so many files, cold and after an edit, beside composing their YAML."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_large_project(root, files)
        found = sorted(root.rglob("*.yaml"))
        lines = sum(file.read_text().count("\n") for file in found)
        work = {
            "composing their YAML": lambda: _compose(found),
            "load": lambda: load_project(root, Problems()),
            "load and check": lambda: _check(root),
        }
        rounds = [[cpu(do) for do in work.values()] for _ in range(3)]
        floor, *_ = least = [min(column) for column in zip(*rounds, strict=True)]
        print(f"{len(found):,} files, {lines / len(found):.0f} lines each, best of 3")
        for what, seconds in [*zip(work, least, strict=True), *_commands(root)]:
            print(f"  {what:44} {seconds:6.2f} s  {seconds / floor:5.2f} x")


def _commands(root: Path) -> Iterator[tuple[str, float]]:
    """What `genesis check` takes as a process of its own, start and imports and all."""
    yield "`genesis check`, the first time", _command(root)
    yield "... with nothing changed", min(_command(root) for _ in range(3))
    kinds = {
        "an input": "inputs/report_{}.yaml",
        "a data source": "definitions/line_{}.yaml",
        "a workflow": "workflows/workflow_{}.yaml",
    }
    for what, name in kinds.items():
        rounds = []
        for number in range(3):
            with (root / name.format(number)).open("a") as file:
                file.write("# changed\n")
            rounds.append(_command(root))
        yield f"... with {what} changed", min(rounds)


def _command(root: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "genesis", "-C", str(root), "check"]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _compose(files: list[Path]) -> None:
    for file in files:
        list(yaml.compose_all(file.read_text(), Loader=yaml.CSafeLoader))


def _check(root: Path) -> None:
    """What `genesis check` does."""
    problems = Problems()
    check_project(load_project(root, problems), problems)
    problems.raise_errors()


if __name__ == "__main__":
    gc.set_threshold(200_000)  # as the command does
    for count in map(int, sys.argv[1:] or ["300", "3000", "10000"]):
        compile_all(count)
    check_many(2_000)
