"""A difference -> a case folder: definitions, tables, the rows that are meant."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import yaml

from tests.oracle.language import Report, Source, as_yaml
from tests.oracle.running import Difference
from tests.tables import as_text


def keep(folder: Path, difference: Difference) -> Path:
    """The folder, written as `tests/test_cases.py` reads it, but for what a person must add."""
    world, (report,) = difference.world, difference.world.reports
    (folder / "definitions").mkdir(parents=True, exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    *definitions, asked = as_yaml(world.schema, world.formatters, report).split("---\n")
    (folder / "definitions" / "studio.yaml").write_text("---\n".join(definitions), "utf-8")
    (folder / "input.yaml").write_text(asked, "utf-8")
    for source in world.schema.values():
        if source.extends is None:
            (folder / "tables" / f"data.{source.name}.csv").write_text(_table(source), "utf-8")
    (folder / "run.yaml").write_text(yaml.safe_dump(_run(report)), "utf-8")
    if difference.meant is not None:
        names, rows = difference.meant
        (folder / "rows.csv").write_text(_csv([names, *rows]), "utf-8")
    (folder / "found.txt").write_text(str(difference), "utf-8")
    return folder


def _run(report: Report) -> dict[str, Any]:
    said: dict[str, Any] = {"as_of" if report.as_of else "moment": str(report.moment)}
    return {**said, "parameters": report.handed_in} if report.handed_in else said


def _table(source: Source) -> str:
    header = [f"{source.column(name)}:{type_}" for name, type_ in source.columns.items()]
    return _csv([header, *([row[name] for name in source.columns] for row in source.rows)])


def _csv(rows: list[list[Any]]) -> str:
    """As `tests.tables` reads it: an empty cell is NULL, `""` an empty text."""
    lines = []
    for row in rows:
        buffer = io.StringIO()
        mark = "\0empty"
        cells = [mark if value == "" else as_text(value) for value in row]
        csv.writer(buffer, lineterminator="\n").writerow(cells)
        lines.append(buffer.getvalue().replace(mark, '""'))
    return "".join(lines)
