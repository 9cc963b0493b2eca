"""What analysts call all day, from a standing start, against a floor in the same run.

    python benchmarks/cold_compile.py [ROUNDS]

The floor is a process that imports PyYAML and sqlglot and writes one SELECT: what any compiler on
these libraries pays. `compile` is measured without its kept answer and with it. The commands take
turns, since other work on the machine comes and goes; figures are medians of CPU time. A first
round is not counted: it leaves the bytecode that an installed package has.
Then reports of the loaded project, each against sqlglot reading its SQL and writing it again.
"""

from __future__ import annotations

import os
import shutil
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
ANSWERS = ROOT / ".genesis" / "answers"
INPUT = "open_tasks"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
FLOOR_CODE = """
import yaml, sqlglot
print(sqlglot.parse_one("select a from b", dialect="trino").sql("duckdb", pretty=True))
"""
FLOOR = "the floor: PyYAML, sqlglot, one SELECT"


def main(rounds: int) -> None:
    work: dict[str, Callable[[], float]] = {
        FLOOR: lambda: _child_seconds("-c", FLOOR_CODE),
        f"compile {INPUT}": _without_answer,
        f"compile {INPUT}, its answer kept": lambda: _genesis("compile", INPUT),
        "check": lambda: _genesis("check"),
        "--help": lambda: _genesis("--help"),
        "python -c pass": lambda: _child_seconds("-c", "pass"),
    }
    found: dict[str, list[float]] = {what: [] for what in work}
    for _ in range(rounds + 1):
        for what, take in work.items():
            found[what].append(take())
    found = {what: times[1:] for what, times in found.items()}
    print(f"{ROOT.name}, {rounds} rounds: median and least CPU, and the median of a round's ratios")
    for what, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, found[FLOOR], strict=True))
        median, least = statistics.median(times) * 1e3, min(times) * 1e3
        print(f"  {what:38} {median:6.0f} ms {least:6.0f} ms {ratio:6.2f} x")
    _compare_reports(rounds)


def _without_answer() -> float:
    shutil.rmtree(ANSWERS, ignore_errors=True)
    return _genesis("compile", INPUT)


def _genesis(*words: str) -> float:
    return _child_seconds("-m", "genesis", "-C", str(ROOT), *words)


def _child_seconds(*words: str) -> float:
    """The CPU time of a Python process, start to end."""
    child = subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"python {' '.join(words)} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def _compare_reports(rounds: int) -> None:
    project = load_project(ROOT, Problems())
    pairs = []
    for name in project.inputs:
        sql = compile_input(project, name, "duckdb").sql
        for _ in range(rounds):
            ours = _seconds(lambda name=name: compile_input(project, name, "duckdb"))
            pairs.append((ours, _seconds(lambda sql=sql: _read_and_write(sql))))
    ours, floor = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"a report of {len(project.inputs)}, loaded: {ours:.1f} ms, ", end="")
    print(f"its SQL read and written {floor:.1f} ms: {ratio:.2f} x")


def _read_and_write(sql: str) -> str:
    return sqlglot.parse_one(sql, dialect="duckdb").sql("duckdb", pretty=True)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
