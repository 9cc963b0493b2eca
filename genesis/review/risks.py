"""What a difference puts at risk in the place where people meet it, and what would be held there.

The same edit is harmless in a CSV file, loses notes in a sheet and stops at an Airtable field. What is
told here of guards is what `sync.guards` does; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from genesis.review.differences.difference import Difference, Risk
from genesis.review.row_changes import RowChange
from genesis.spec.workflow import EXPORTS, Job, allowed_deletes


@dataclass(frozen=True)
class Mark:
    """A risk of one tracker, as a sentence; `is_held` where the next refresh waits for a person."""

    risk: Risk | Literal["place changed", "not refreshed", "cannot be told", "many rows leave"]
    said: str
    is_held: bool = False


def marks(found: Iterable[Difference], tracker: str, job: Job) -> tuple[Mark, ...]:
    """The risks of differences for a tracker, `workflow.job`: those that are held come first."""
    all_of_them = [
        mark for one in found for risk in one.risks for mark in _of(one, risk, tracker, job)
    ]
    return tuple(sorted(dict.fromkeys(all_of_them), key=lambda mark: not mark.is_held))


def row_marks(rows: RowChange, tracker: str, job: Job) -> tuple[Mark, ...]:
    """What the guards of a refresh would say of the rows that were seen, if the tracker has those of before."""
    if rows.before and not rows.after and not job.allow_empty:
        return (
            Mark(
                "many rows leave",
                f"the report has no rows any more: {_until(tracker)}",
                is_held=True,
            ),
        )
    takes = job.mode in ("mirror", "replace") and job.on_delete in ("delete", "archive")
    allowed = allowed_deletes(job.max_deletes, rows.before)
    if not takes or rows.is_sampled or not rows.key or rows.removed <= allowed:
        return ()
    said = (
        f"{rows.removed:,} of {rows.before:,} rows go, {allowed:,} may at once: {_until(tracker)}"
    )
    return (Mark("many rows leave", said, is_held=True),)


def beside_rows(mark: Mark, rows: RowChange) -> Mark:
    """A mark with what the rows say of it: another key may be known by the same values, or by none of them."""
    if mark.risk != "key changed" or rows.is_sampled or not rows.before:
        return mark
    kept = rows.before - rows.removed
    said = f"{kept:,} of {rows.before:,} rows have a row of the same key now"
    if not rows.key:
        said = f"{kept:,} of {rows.before:,} rows are just as they were, their keys left aside"
    return replace(mark, said=f"{mark.said}; {said}")


def _of(one: Difference, risk: Risk, tracker: str, job: Job) -> Iterator[Mark]:
    sink = job.to.sink if job.to else ""
    match risk:
        case "column removed":
            yield _without_column(one, tracker, sink)
        case "key changed":
            yield _rekeyed(one, tracker, sink, job)
        case "rows may leave":
            yield Mark(risk, f"{one.said}; {_leaving(sink, job)}")
        case "more rows scanned":
            yield Mark(risk, f"{one.said}; the engine may read more, and the tracker grow")
        case "header changed":
            if sink not in EXPORTS:
                yield Mark(
                    risk, f"{one.said}; formulas and people that look for the old header miss it"
                )
        case "column retyped":
            if sink == "airtable":
                said = f"{one.said}; a field of Airtable has one type, and a refresh stops until it is renamed"
                yield Mark(risk, said)
        case "sensitivity raised" | "sensitivity lowered":
            yield Mark(risk, f"{one.said}; everybody who may open the tracker sees it")
        case "grain changed" | "values change":
            if risk == "grain changed":
                yield Mark(risk, one.said)
        case _:
            assert_never(risk)


def _until(tracker: str) -> str:
    return f"the next refresh will be held until `genesis approve {tracker}`"


def _without_column(one: Difference, tracker: str, sink: str) -> Mark:
    if sink in EXPORTS:
        return Mark("column removed", f"{one.said}; what reads the file by it fails")
    if sink == "airtable":
        return Mark(
            "column removed",
            f"{one.said}; its field stays with its values, and is not kept any more",
        )
    lost = "people's notes, colours and formulas on it would go with it"
    return Mark("column removed", f"{one.said}; {lost}: {_until(tracker)}", is_held=True)


def _rekeyed(one: Difference, tracker: str, sink: str, job: Job) -> Mark:
    if sink in EXPORTS:
        return Mark("key changed", one.said)
    beside = "what people put beside rows would be lost, or stand beside others"
    if one.before == one.after:
        share = _share(job)
        return Mark(
            "key changed", f"{one.said}; {beside}: it is held where more than {share} rows go"
        )
    unless = "unless most rows are just as they were"
    return Mark("key changed", f"{one.said}; {beside}: {_until(tracker)}, {unless}", is_held=True)


def _leaving(sink: str, job: Job) -> str:
    """What becomes of rows that leave a report."""
    if sink in EXPORTS or job.mode == "replace":
        return "they leave the tracker"
    if job.mode in ("upsert", "append") or job.on_delete == "keep":
        return "rows that are in the tracker stay there"
    held = f"more than {_share(job)} at once are held"
    match job.on_delete:
        case "archive":
            return f"their rows move to the archive; {held}"
        case "mark":
            return "their rows stay, marked as removed"
    return f"their rows are deleted, with what people put beside them; {held}"


def _share(job: Job) -> str:
    allowed = job.max_deletes
    return f"{allowed:,}" if isinstance(allowed, int) else f"{allowed:.0%} of all"
