"""What a statement reads against what there is: shared by the engines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from genesis.compile.statement import Scan
from genesis.errors import EngineError, Problem, Problems, did_you_mean


def merged(scans: Iterable[Scan]) -> list[Scan]:
    """One scan per table: two data sources may share one."""
    found: dict[str, Scan] = {}
    for scan in scans:
        other = found.setdefault(scan.table, scan)
        columns = None
        if other.columns is not None and scan.columns is not None:
            columns = tuple(sorted({*other.columns, *scan.columns}))
        found[scan.table] = replace(
            other,
            columns=columns,
            newest=other.newest | scan.newest,
            as_of=other.as_of or scan.as_of,
        )
    return list(found.values())


def refuse_missing(
    scans: Iterable[Scan], columns: Mapping[str, Sequence[str]], known: Callable[[], Iterable[str]]
) -> None:
    """Raise `EngineError` with every table and column that a statement reads and nobody has.

    `columns` are those of the tables that were found; `known` names all tables.
    """
    problems = Problems()
    for scan in scans:
        if scan.table in columns:
            problems.extend(_missing_columns(scan, columns[scan.table]))
        else:
            hint = did_you_mean(scan.table, known()) or _way_out(scan.table)
            problems.add("unknown-table", f"unknown table `{scan.table}`", hint=hint)
    if problems.errors:
        raise EngineError(problems.errors)


def _way_out(table: str) -> str:
    if table.startswith("annotations."):
        return "the first `genesis run` of the tracker that it names makes it"
    return "`genesis ingest DATA_SOURCE FILE...` makes the table of a data source"


def _missing_columns(scan: Scan, columns: Sequence[str]) -> Iterator[Problem]:
    """What a scan names and its table lacks. Engines compare names without their case."""
    present = {name.lower() for name in columns}
    for name in scan.columns or ():
        if name.lower() not in present:
            message = f"the table `{scan.table}` has no column `{name}`"
            yield Problem("unknown-column", message, hint=did_you_mean(name, columns))
