"""Guards: reasons not to make changes, each with the way to say that they are meant.

A report goes empty or shrinks when a join, a filter or a load upstream breaks far more often than
because the rows are really gone, and a deleted row takes its notes along.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from genesis.errors import Problems, SinkError
from genesis.sync.changes import Changes
from genesis.sync.keys import a_few

if TYPE_CHECKING:
    from genesis.spec.workflow import JobOptions

# Cells that a place can hold and still be refreshed in seconds.
CELL_BUDGET: Mapping[str, int] = {"xlsx": 200_000, "google_sheets": 10_000_000}

# A share of a small tracker is less than a row; this many may always go.
_FEW = 5


@dataclass(frozen=True, slots=True)
class Guards:
    """What a refresh may do unasked. `max_deletes` is a whole number of rows, or a share of them."""

    max_deletes: int | float = 0.2
    min_rows: int = 0
    allow_empty: bool = False
    max_cells: int | None = None

    @classmethod
    def of(cls, options: JobOptions) -> Self:
        """The guards that a job asks for, and those of its place."""
        budget = CELL_BUDGET.get(options.to.sink) if options.to else None
        return cls(options.max_deletes, options.min_rows, options.allow_empty, budget)


def check_guards(changes: Changes, guards: Guards) -> None:
    """Raise `SinkError` with every reason not to make the changes."""
    problems = Problems()
    _check_rows(changes, guards, problems)
    _check_cells(changes, guards, problems)
    _check_edits(changes, problems)
    if problems:
        raise SinkError(tuple(problems))


def _check_rows(changes: Changes, guards: Guards, problems: Problems) -> None:
    present, wanted, deletes = len(changes.present.rows), changes.wanted_rows, len(changes.deletes)
    removes = changes.policy.mode in ("mirror", "replace") and changes.policy.on_delete != "keep"
    if wanted == 0 and present and removes and not guards.allow_empty:
        problems.add(
            "empty-result",
            f"the report has no rows, tracker `{changes.tracker}` has {present:,}",
            hint="`allow_empty: true` if that can be right",
        )
        return
    if wanted < guards.min_rows:
        problems.add(
            "too-few-rows",
            f"the report for tracker `{changes.tracker}` has {wanted:,} rows,"
            f" `min_rows` asks for {guards.min_rows:,}",
            hint="look at the report with `genesis preview`, or lower `min_rows`",
        )
    allowed = _allowed(guards.max_deletes, present)
    if deletes > allowed:
        problems.add(
            "too-many-deletes",
            f"{deletes:,} of {present:,} rows of tracker `{changes.tracker}` would be deleted,"
            f" {allowed:,} may be",
            hint=f"`max_deletes: {math.ceil(100 * deletes / present)}%` or `max_deletes: {deletes}`"
            " if they are really gone, `on_delete: keep` or `mark` to keep them",
        )


def _allowed(max_deletes: int | float, present: int) -> int:
    if isinstance(max_deletes, int) or max_deletes == 0:
        return int(max_deletes)
    return max(_FEW, math.floor(max_deletes * present))


def _check_cells(changes: Changes, guards: Guards, problems: Problems) -> None:
    cells = (changes.rows_after + 1) * len(changes.columns)
    if guards.max_cells is not None and cells > guards.max_cells:
        problems.add(
            "tracker-too-large",
            f"tracker `{changes.tracker}` would have {cells:,} cells, {guards.max_cells:,} fit",
            hint="filter the report or select fewer columns; `csv`, `parquet` and `duckdb` have no"
            " such limit",
        )


def _check_edits(changes: Changes, problems: Problems) -> None:
    edits = changes.human_edits
    if changes.policy.on_human_edit == "fail" and edits:
        rows = list(dict.fromkeys(edit.key for edit in edits))
        problems.add(
            "held-change",
            f"people changed managed cells of tracker `{changes.tracker}`, in rows {a_few(rows)}",
            hint="put them back, or `on_human_edit: overwrite` or `keep`",
        )
