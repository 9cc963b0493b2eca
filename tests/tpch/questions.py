"""The questions: inputs by name, and the specification's SQL for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genesis.compile.compiler import compile_input
from genesis.compile.statement import Statement
from genesis.errors import Problems
from genesis.load import load_files
from genesis.spec.project import Project

FOLDER = Path(__file__).parent
NAMES = sorted(file.stem for file in (FOLDER / "answers").iterdir())
TABLES = ("region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem")


def project() -> Project:
    """The eight tables and all questions, without a mistake."""
    problems = Problems()
    found = load_files(FOLDER, [FOLDER / "definitions", FOLDER / "inputs"], problems)
    problems.raise_errors()
    return found


def question(name: str, dialect: str) -> Statement:
    """What an input compiles to."""
    return compile_input(project(), name, dialect)


def answer(name: str) -> str:
    """The specification's SQL."""
    return (FOLDER / "answers" / f"{name}.sql").read_text(encoding="utf-8")


Rows = Sequence[Sequence[Any]]


def differences(asked: Statement, rows: Rows, expected: Rows) -> list[tuple[Any, Any]]:
    """Rows that are not as expected, beside those; of the columns that the answer has."""
    shown = [n for n, column in enumerate(asked.columns) if not column.hidden]
    width = len(expected[0]) if expected else 0
    found = [tuple(row[n] for n in shown)[:width] for row in rows]
    if len(found) != len(expected):
        return [(f"{len(found)} rows", f"{len(expected)} rows")]
    return [
        (row, other)
        for row, other in zip(found, expected, strict=True)
        if not all(map(_is_equal, row, other))
    ]


def _is_equal(value: Any, other: Any) -> bool:
    """Exactly equal; of real numbers, to the digits that do not depend on the order of adding."""
    if isinstance(value, float):
        return math.isclose(value, other, rel_tol=1e-12)
    return bool(value == other)
