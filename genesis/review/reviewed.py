"""A change with all that a reviewer wants to know of it: what differs, what is at risk, how rows change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from genesis.errors import Problem
from genesis.review.changed import Change, Diff
from genesis.review.compilers import SEE_IT, Repin, said
from genesis.review.differences.difference import code
from genesis.review.risks import Mark, beside_rows
from genesis.review.row_changes import RowChange


@dataclass(frozen=True)
class Looked:
    """What the engine said of the rows of one change: how they change, or why nobody can tell.

    `risks` are those that only the rows show.
    """

    rows: RowChange | None = None
    refused: str | None = None
    risks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Review:
    """A whole change, told. `base` and `head` say what is compared, `looked` what was seen of rows, by change.

    `compiler` is what compiled both sides, `repins` where another one is pinned now.
    """

    base: str
    head: str
    diff: Diff
    looked: Mapping[str, Looked] = field(default_factory=dict)
    compiler: str = "this genesis"
    repins: tuple[Repin, ...] = ()

    def of_compiler(self) -> Iterator[str]:
        """What another compiler may do to all trackers, and how to see it; nothing where it is the same."""
        yield from (said(one, self.compiler) for one in self.repins)
        if self.repins:
            yield f"what it does to them: {SEE_IT}"

    def titled(self, change: Change) -> tuple[str, ...]:
        """What people call a tracker: its title, and its name too where another one has the same title."""
        title = change.now.title
        same = sum(one.now.title == title for one in self.diff.changes)
        return tuple(filter(None, (title, change.name if same > 1 or not title else None)))

    def rows(self, change: Change) -> RowChange | None:
        """How the rows of a change differ, where somebody looked."""
        return self.looked.get(change.name, Looked()).rows

    def marks(self, change: Change) -> tuple[Mark, ...]:
        """The risks of a change, what is held first."""
        looked = self.looked.get(change.name, Looked())
        told = [*looked.risks, *change.risks, *_moved(change)]
        if looked.rows is not None:
            told = [beside_rows(mark, looked.rows) for mark in told]
        return tuple(sorted(told, key=lambda mark: not mark.is_held))

    def risks(self) -> dict[Mark, list[Change]]:
        """What is at risk and for whom, what is held first; what threatens several alike is said once."""
        found: dict[Mark, list[Change]] = {}
        for change in self.diff.changes:
            for mark in self.marks(change):
                found.setdefault(mark, []).append(change)
        return dict(sorted(found.items(), key=lambda each: not each[0].is_held))


def summary(change: Change) -> str:
    """What happens to a tracker, in a few words."""
    if change.kind in ("added", "removed", "unknown"):
        return {"added": "is new", "removed": "goes", "unknown": "cannot be told"}[change.kind]
    found = Counter(one.kind for one in change.differences)
    parts = [
        _KINDS.get(kind) or (kind if n == 1 else f"{n} times {kind}") for kind, n in found.items()
    ]
    parts += [_ASPECTS.get(aspect, aspect) for aspect in change.aspects if aspect not in _SHOWN]
    if change.old_name is not None:
        parts.insert(0, "renamed")
    return ", ".join(parts) or "written otherwise"


_SHOWN = ("SQL", "columns")  # differences tell what those mean
_KINDS = {"records changed": "other records count"}
_ASPECTS = {"sink": "moves elsewhere", "schedule": "runs at other times"}


def sentences(change: Change) -> Iterator[str]:
    """What happens to a tracker, one thing at a time."""
    before, after = change.before, change.after
    yield from (one.said for one in change.differences)
    if before is None or after is None:
        return
    if change.old_name is not None:
        yield f"it is called {code(change.name)}, it was {code(change.old_name)}"
    if "sink" in change.aspects:
        yield f"it is kept in {code(after.sink)}, it was in {code(before.sink)}"
    if "schedule" in change.aspects:
        yield f"it runs {code(after.schedule)}, it ran {code(before.schedule)}"


def causes(change: Change) -> Iterator[str]:
    """Which edits make the difference, each with its place."""
    for reason in change.reasons:
        keys = f" ({', '.join(map(code, reason.keys))})" if reason.keys else ""
        at = f" in {code(f'{reason.at.file}:{reason.at.line}')}" if reason.at else ""
        yield f"{reason.kind} {code(reason.name)} was {reason.edit}{keys}{at}"


def _told(problem: Problem) -> str:
    return f"{problem.message} ({code(problem.at)})" if problem.at else problem.message


def _moved(change: Change) -> Iterator[Mark]:
    """The risks of a tracker that comes, goes or is kept elsewhere, and of one that cannot be compared."""
    before, after = change.before, change.after
    if change.kind == "unknown":
        problems = [*(after.problems if after else ()), *(before.problems if before else ())]
        why = f": {_told(problems[0])}" if problems else ""
        yield Mark("cannot be told", f"what happens to it cannot be told{why}")
    elif after is None and before is not None and before.sink:
        yield Mark(
            "not refreshed", f"{code(before.sink)} stays as it is, and is not refreshed any more"
        )
    elif before is None and after is not None:
        for column in after.columns:
            if column.sensitivity and not column.hidden:
                said = f"its column {code(column.label)} is {code(column.sensitivity)}"
                yield Mark(
                    "sensitivity raised", f"{said}; everybody who may open the tracker sees it"
                )
    elif before is not None and after is not None and "sink" in change.aspects:
        said = f"it starts anew in {code(after.sink)}; {code(before.sink)} stays as it is"
        yield Mark(
            "place changed", f"{said}, with what people put there, and is not refreshed any more"
        )
