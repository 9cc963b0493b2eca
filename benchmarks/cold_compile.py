"""Compiling one input from nothing, and reports of a project that is loaded, against a floor in the same run.

    python benchmarks/cold_compile.py [ROUNDS]

The floor of a cold start is a process that imports PyYAML and sqlglot and writes one SELECT: what any
compiler on these libraries pays. The floor of a report is sqlglot reading its SQL and writing it again.
Medians of CPU time, since a busy machine stretches the clock; the ratio is what travels.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlglot

from genesis.compile.compiler import compile_input
from genesis.errors import Problems
from genesis.load import load_project

ROOT = Path(__file__).parents[1]
INPUT = "open_tasks"
GENESIS = [sys.executable, "-m", "genesis", "-C", str(ROOT), "compile", INPUT]
FLOOR_CODE = """
import yaml, sqlglot
print(sqlglot.parse_one("select a from b", dialect="trino").sql("duckdb", pretty=True))
"""
FLOOR = [sys.executable, "-c", FLOOR_CODE]


def main(rounds: int) -> None:
    cold = [(_child_seconds(GENESIS), _child_seconds(FLOOR)) for _ in range(rounds)]
    _tell(f"cold: genesis compile {INPUT}", cold, "s")

    project = load_project(ROOT, Problems())
    warm = []
    for name in project.inputs:
        sql = compile_input(project, name, "duckdb").sql
        report = _seconds(lambda name=name: compile_input(project, name, "duckdb"), rounds)
        floor = _seconds(lambda sql=sql: _read_and_write(sql), rounds)
        warm.append((report * 1000, floor * 1000))
    _tell(f"warm: a report, median of {len(warm)} inputs", warm, "ms")


def _read_and_write(sql: str) -> str:
    return sqlglot.parse_one(sql, dialect="duckdb").sql("duckdb", pretty=True)


def _child_seconds(command: list[str]) -> float:
    """The CPU time of a process, start to end."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def _seconds(work: Callable[[], object], rounds: int) -> float:
    """The median CPU time of some work."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def _tell(what: str, pairs: list[tuple[float, float]], unit: str) -> None:
    ours, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{what:45} {ours:8.2f} {unit:2}   floor {floor:6.2f} {unit:2}   {ours / floor:5.1f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
