"""Guards: reasons not to make changes, each with the way to say that they are meant.

A report goes empty or shrinks when a join, a filter or a load upstream breaks far more often than
because the rows are really gone, and a deleted row takes its notes along. What is held back can be
approved: then just that may be done, or less of it. The surprise: what was held is kept as hashes,
which tell rows again and say nothing of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from genesis.errors import Problem, Problems, SinkError
from genesis.spec.workflow import EXPORTS, allowed_deletes
from genesis.sync.changes import Changes, HumanEdit, PresentColumn
from genesis.sync.encode import REMOVED
from genesis.sync.keys import a_few
from genesis.sync.stamps import fingerprint

if TYPE_CHECKING:
    from genesis.spec.workflow import JobOptions

# Cells that a place can hold and still be refreshed in seconds.
CELL_BUDGET: Mapping[str, int] = {"xlsx": 200_000, "google_sheets": 10_000_000}


@dataclass(frozen=True, slots=True)
class Guards:
    """What a refresh may do unasked. `max_deletes` is a whole number of rows, or a share of them.

    `keeps_columns` is for places in which people work: a column takes what they put there along.
    """

    max_deletes: int | float = 0.2
    min_rows: int = 0
    allow_empty: bool = False
    max_cells: int | None = None
    keeps_columns: bool = False

    @classmethod
    def of(cls, options: JobOptions) -> Self:
        """The guards that a job asks for, and those of its place."""
        budget = CELL_BUDGET.get(options.to.sink) if options.to else None
        keeps = options.to is not None and options.to.sink not in EXPORTS
        return cls(options.max_deletes, options.min_rows, options.allow_empty, budget, keeps)


def check_guards(changes: Changes, guards: Guards, approved: Held | None = None) -> None:
    """Raise `SinkError` with every reason not to make the changes, but for what was approved."""
    problems = Problems()
    _check_rows(changes, guards, problems)
    _check_cells(changes, guards, problems)
    _check_edits(changes, problems)
    if guards.keeps_columns and changes.present.rows:
        _check_columns(changes, problems)
    left = [p for p in problems if approved is None or not approved.covers(p.code, changes)]
    if not left:
        return
    if approved is not None:
        name = changes.tracker
        message = f"what would be done to tracker `{name}` is not what was approved"
        left.append(Problem("held-change", message, hint=f"look at it: `genesis approve {name}`"))
    raise SinkError(tuple(left))


def retyped(changes: Changes) -> Iterator[str]:
    """What people should hear of columns that hold values of another type than before.

    It is told and not held back: types stand in the definitions, and those were reviewed.
    """
    types = changes.before.types if changes.before else {}
    for column in changes.retyped:
        yield f"column `{column.label}` holds {column.type} now, it held {types[column.name]}"


# What a person can approve. That a place is too small for its rows, nobody can.
APPROVABLE = ("empty-result", "too-few-rows", "too-many-deletes", "held-change")


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is held back: why, of how many rows, and hashes of what it deletes or overwrites.

    `sample` are a few of the rows it is about, `columns` those that leave, `key` what rows are known by
    from then on.
    """

    reasons: tuple[str, ...]
    rows: int
    deletes: frozenset[str]
    edits: frozenset[str]
    sample: tuple[str, ...]
    columns: frozenset[str] = frozenset()
    key: tuple[str, ...] | None = None

    @classmethod
    def of(cls, changes: Changes, problems: Iterable[Problem]) -> Self | None:
        """What waits for a person, or `None` where approval would be no help."""
        problems = list(problems)
        if any(problem.code not in APPROVABLE for problem in problems):
            return None
        keys = [*changes.deletes, *dict.fromkeys(edit.key for edit in changes.human_edits)]
        return cls(
            tuple(problem.message for problem in problems),
            changes.wanted_rows,
            frozenset(map(_hash, changes.deletes)),
            frozenset(map(_edit_hash, changes.human_edits)),
            tuple(keys[:_SAMPLE]),
            frozenset(column.name for column in _leaving(changes)),
            changes.shape.key if changes.shape else None,
        )

    def covers(self, code: str, changes: Changes) -> bool:
        """Whether a reason that is there now was approved, or less than it."""
        deletes = {_hash(key) for key in changes.deletes}
        match code:
            case "empty-result" | "too-many-deletes":
                return deletes <= self.deletes
            case "too-few-rows":
                return changes.wanted_rows >= self.rows and deletes <= self.deletes
            case "held-change":
                return self._covers_edits(changes) and self._covers_columns(changes)
            case _:
                return False

    def _covers_edits(self, changes: Changes) -> bool:
        edits = changes.human_edits if changes.policy.on_human_edit == "fail" else ()
        return set(map(_edit_hash, edits)) <= self.edits

    def _covers_columns(self, changes: Changes) -> bool:
        is_known = not changes.is_rekeyed or (changes.shape and changes.shape.key == self.key)
        return bool(is_known) and {column.name for column in _leaving(changes)} <= self.columns

    def to_json(self) -> dict[str, Any]:
        return {
            "reasons": list(self.reasons),
            "rows": self.rows,
            "deletes": sorted(self.deletes),
            "edits": sorted(self.edits),
            "sample": list(self.sample),
            "columns": sorted(self.columns),
            "key": None if self.key is None else list(self.key),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(
            tuple(data["reasons"]),
            data["rows"],
            frozenset(data["deletes"]),
            frozenset(data["edits"]),
            tuple(data["sample"]),
            frozenset(data.get("columns") or ()),
            None if data.get("key") is None else tuple(data["key"]),
        )


_SAMPLE = 10


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _edit_hash(edit: HumanEdit) -> str:
    return _hash(f"{edit.key}\n{edit.column}\n{fingerprint(edit.found)}")


def _check_rows(changes: Changes, guards: Guards, problems: Problems) -> None:
    present, wanted, deletes = len(changes.present.rows), changes.wanted_rows, len(changes.deletes)
    removes = changes.policy.mode in ("mirror", "replace") and changes.policy.on_delete != "keep"
    if wanted == 0 and present and removes and not guards.allow_empty:
        problems.add(
            "empty-result",
            f"the report has no rows, tracker `{changes.tracker}` has {present:,}",
            hint=f"if that can be right, {_once(changes)}, `allow_empty: true` always",
        )
        return
    if wanted < guards.min_rows:
        problems.add(
            "too-few-rows",
            f"the report for tracker `{changes.tracker}` has {wanted:,} rows,"
            f" `min_rows` asks for {guards.min_rows:,}",
            hint=f"look at the report with `genesis preview`; {_once(changes)}, a lower `min_rows`"
            " always",
        )
    allowed = allowed_deletes(guards.max_deletes, present)
    verb = "archived" if changes.archived else "deleted"
    if deletes > allowed:
        problems.add(
            "too-many-deletes",
            f"{deletes:,} of {present:,} rows of tracker `{changes.tracker}` would be {verb},"
            f" {allowed:,} may be",
            hint=f"if they are really gone, {_once(changes)}, or say `max_deletes:"
            f" {math.ceil(100 * deletes / present)}%`; `on_delete: keep` or `mark` keep them",
        )


def _once(changes: Changes) -> str:
    return f"`genesis approve {changes.tracker}` lets it through once"


def _check_cells(changes: Changes, guards: Guards, problems: Problems) -> None:
    cells = (changes.rows_after + 1) * len(changes.columns)
    if guards.max_cells is not None and cells > guards.max_cells:
        problems.add(
            "tracker-too-large",
            f"tracker `{changes.tracker}` would have {cells:,} cells, {guards.max_cells:,} fit",
            hint="filter the report or select fewer columns; `csv`, `parquet` and `duckdb` have no"
            " such limit",
        )


def _check_columns(changes: Changes, problems: Problems) -> None:
    """A report whose columns or key changed under a tracker that people use."""
    if leaving := _leaving(changes):
        named = a_few([column.header or column.label for column in leaving])
        what, them = ("column", "it") if len(leaving) == 1 else ("columns", "them")
        problems.add(
            "held-change",
            f"{what} {named} of tracker `{changes.tracker}` left the report, and would be deleted with"
            f" people's notes, colours and formulas on {them}",
            hint=f"if nobody wants {them} any more, {_once(changes)}; or put {them} back into the report",
        )
    if changes.is_rekeyed:
        was, now = (
            " and ".join(f"`{name}`" for name in (shape and shape.key) or ()) or "nothing"
            for shape in (changes.before, changes.shape)
        )
        problems.add(
            "held-change",
            f"rows of tracker `{changes.tracker}` were known by {was} and would be by {now}: what"
            " people put beside them would be lost, or stand beside others",
            hint=f"if that is meant, {_once(changes)}; or give the report another tab or table, and"
            " what is here stays",
        )


def _leaving(changes: Changes) -> list[PresentColumn]:
    """Columns of people's reports that go; genesis's own is nobody's loss."""
    return [column for column in changes.dropped if column.name != REMOVED.name]


def _check_edits(changes: Changes, problems: Problems) -> None:
    edits = changes.human_edits
    if changes.policy.on_human_edit == "fail" and edits:
        rows = list(dict.fromkeys(edit.key for edit in edits))
        problems.add(
            "held-change",
            f"people changed managed cells of tracker `{changes.tracker}`, in rows {a_few(rows)}",
            hint=f"put them back, {_once(changes)}, or say `on_human_edit: overwrite` or `keep`",
        )
