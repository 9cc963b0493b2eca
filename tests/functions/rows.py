"""The rows that show the list of portable functions: calls, and the values that a person wrote beside.

A file of `rows/` has a heading `# name` per function and lines `call -> value`; where an aggregate
needs more, `[sort: few.id; distinct]` follows the call. A value is NULL, a text in quotes, a number
(`2` is an integer or decimal, `2.0` is a float where the column is), a date, a timestamp, one that
ends in `Z` for a moment, or `error`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from genesis.compile.functions.portable import BY_NAME, Portable
from genesis.compile.run import Run
from genesis.errors import Problems
from genesis.load import load_project
from genesis.spec.project import Project

FOLDER = Path(__file__).parent
RUN = Run(moment=datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=UTC))


@dataclass(frozen=True)
class Row:
    """A call of a listed function and the value it has."""

    name: str
    call: str
    value: str
    options: str = ""

    @property
    def fails(self) -> bool:
        return self.value == "error"


def all_rows() -> tuple[Row, ...]:
    """Every row, in the order of the files."""
    return tuple(row for file in sorted((FOLDER / "rows").glob("*.txt")) for row in _rows_of(file))


def _rows_of(file: Path) -> Iterator[Row]:
    name, waiting = "", ""
    for line in file.read_text("utf-8").split("\n"):
        if line.startswith("# ") and not waiting:
            name = line[2:]
        elif " -> " in line:
            call, _, value = (waiting + line).rpartition(" -> ")
            call, _, options = (
                call.removesuffix("]").partition(" [") if call.endswith("]") else (call, "", "")
            )
            yield Row(name, call, value, options)
            waiting = ""
        elif line:
            waiting += line + "\n"


def project_of(rows: tuple[Row, ...], folder: Path, *, dialect: str = "trino") -> Project:
    """A project whose one input, `shown`, has a column for each row."""
    items = [_item(number, row) for number, row in enumerate(rows)]
    shown = "\n".join(["input: shown", "source: one", "fields:", *items, ""])
    settings = f"timezone: America/Los_Angeles\ndialect: {dialect}\n"
    one = (FOLDER / "one.yaml").read_text("utf-8")
    for name, text in (
        ("genesis.yaml", settings),
        ("definitions/one.yaml", one),
        ("inputs/shown.yaml", shown),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    problems = Problems()
    project = load_project(folder, problems)
    problems.raise_errors()
    return project


def _item(number: int, row: Row) -> str:
    quoted = '"' + row.call.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    item = f"name: r{number}, field: {quoted}"
    for option in filter(None, row.options.split("; ")):
        key, _, value = option.partition(": ")
        value = f"[{value}]" if key == "sort" else value or "true"
        item += f", {key}: {value}"
    return f"  - {{{item}}}"


def as_written(value: Any) -> str:
    """A value as the rows write it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'"
        case Decimal():
            return f"{value:f}"
        case float():
            return repr(value)
        case datetime():
            zone = "" if value.tzinfo is None else "Z"
            moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
            text = moment.isoformat(sep=" ")
            return (text.rstrip("0") if "." in text else text) + zone
        case date():
            return value.isoformat()
    return str(value)


def is_same(value: Any, written: str) -> bool:
    """Whether a value of an engine is the one that is written."""
    if isinstance(value, Decimal):  # engines differ in the zeros that they show
        return written.lstrip("-").replace(".", "").isdigit() and value == Decimal(written)
    if isinstance(value, float) and written in ("nan", "inf", "-inf"):
        return math.isnan(value) if written == "nan" else value == float(written)
    return as_written(value) == written


def heading(listed: Portable) -> str:
    """The heading of a listed function's rows: its name, or an operator as it is written."""
    return listed.name if listed.name in BY_NAME else listed.signature.partition(" when ")[0]


def different(rows: tuple[Row, ...], given: Sequence[object]) -> list[str]:
    """The calls whose value is not the one that is written, with both."""
    return [
        f"{row.call} -> {as_written(value)}, not {row.value}"
        for row, value in zip(rows, given, strict=True)
        if not is_same(value, row.value)
    ]
