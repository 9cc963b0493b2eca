"""What a change does, as text: a line per tracker, gravest first; in detail, what it means and its SQL."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from genesis.review.changed import Change, Diff, Reason, Touched, Version
from genesis.review.comment import row_lines
from genesis.review.reviewed import Review
from genesis.review.risks import Mark
from genesis.review.words import shown

Paint = Callable[[str], str]
_VERBS = {
    "removed": ("is removed", "are removed"),
    "unknown": ("cannot be compared", "cannot be compared"),
    "renamed": ("has another name", "have another name"),
    "changed": ("changes", "change"),
    "added": ("is new", "are new"),
}


def diff_text(review: Review, against: str, *, detailed: bool = False, paint: Paint = str) -> str:
    """All of it: what it comes to, each change, and what was edited without effect."""
    told = review.diff
    lines = [f"{headline(told)}, against {against}"]
    lines += (shown(f"compiler: {one}") for one in review.of_compiler())
    for change in told.changes:
        marks = review.marks(change)
        lines.append(line_of(change, marks))
        lines += (f"  {line}" for line in _rows(review, change))
        if detailed:
            lines += (f"  {line}" for line in details(change))
        lines += (shown(f"  ! {mark.said}") for mark in marks if detailed or mark.is_held)
        if detailed:
            lines += (f"  {line}" for line in _problems(change))
            lines += (f"    {paint(shown(line))}" for line in sql_diff(change))
    lines += map(touched_text, told.touched)
    return "\n".join(map(shown, lines[:1])) + "".join(f"\n{line}" for line in lines[1:])


def _rows(review: Review, change: Change) -> Iterator[str]:
    """What the engine said of a change's rows, where it was asked."""
    looked = review.looked.get(change.name)
    if looked is None:
        return
    if looked.rows is None:
        yield shown(f"rows: {looked.refused}")
        return
    yield f"rows: {looked.rows.before:,} before, {looked.rows.after:,} now"
    yield from (shown(f"rows: {line}") for line in row_lines(looked.rows))


def headline(told: Diff) -> str:
    """How many of what: `1 of 15 trackers changes, 1 is new`."""
    counts = Counter((change.subject, change.kind) for change in told.changes)
    total = told.unchanged + sum(change.kind != "removed" for change in told.changes)
    if not counts:
        return f"nothing changes in {_counted(total, 'tracker or report', 'trackers and reports')}"
    said = []
    for (subject, kind), number in counts.items():
        verb = _VERBS[kind][number > 1]
        said.append(f"{_counted(number, subject)} {verb}")
    return f"{', '.join(said)}; {told.unchanged} as before"


def line_of(change: Change, marks: Iterable[Mark]) -> str:
    """One change in one line: what it is, why, whom to ask."""
    parts = [f"{change.kind:<7} {change.name}"]
    if change.kind == "unknown":
        parts.append("cannot be compared")
    if change.old_name:
        parts.append(f"was `{change.old_name}`")
    if change.aspects:
        parts.append(", ".join(change.aspects))
    if change.reasons:
        parts.append(f"by {reasons_text(change.reasons)}")
    line = ": ".join((parts[0], "; ".join(parts[1:]))) if parts[1:] else parts[0]
    about = filter(None, (change.now.sink, change.owner))
    held = "; HELD until it is approved" if any(mark.is_held for mark in marks) else ""
    return shown(f"{line}{held} [{'; '.join(about)}]".removesuffix(" []"))


def details(change: Change) -> Iterator[str]:
    """What a change comes to mean, and every reason for it."""
    for reason in change.reasons:
        yield shown(f"since {reason_text(reason)}")
    yield from _moved("sink", change, lambda one: one.sink)
    yield from _moved("schedule", change, lambda one: one.schedule)
    for difference in change.differences:
        yield shown(f"* {difference.said}")


def _problems(change: Change) -> Iterator[str]:
    for when, version in (("before", change.before), ("now", change.after)):
        for problem in version.problems if version is not None else ():
            place = f" ({problem.at})" if problem.at else ""
            yield shown(f"{when}: {problem.message}{place}")


def _moved(what: str, change: Change, part: Callable[[Version], str | None]) -> Iterator[str]:
    if change.before is None or change.after is None or what not in change.aspects:
        return
    before, after = part(change.before), part(change.after)
    if before != after:
        yield shown(f"{what}: {after}, it was {before}")


def sql_diff(change: Change) -> list[str]:
    """The lines of SQL that come and go, with a few round them; nothing where one side has none."""
    if change.before is None or change.after is None:
        return []
    old, new = change.before.sql, change.after.sql
    if old is None or new is None or old == new:
        return []
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return list(lines)[2:]  # behind the names of the files


def reasons_text(reasons: tuple[Reason, ...]) -> str:
    """The first reason, and how many more there are."""
    more = len(reasons) - 1
    return reason_text(reasons[0]) + (f" and {more} more" if more else "")


def reason_text(reason: Reason) -> str:
    """`field production.is_late (sql, definitions/production.yaml:40)`."""
    said = ", ".join(reason.keys) if reason.edit == "edited" else reason.edit
    place = f"{reason.at.file}:{reason.at.line}" if reason.at else ""
    about = ", ".join(filter(None, (said, place)))
    return f"{reason.kind} {reason.name}" + (f" ({about})" if about else "")


def touched_text(one: Touched) -> str:
    """What was edited without effect, how many use it, and why they stay as they are."""
    number = len(one.users)
    verb = "stays" if number == 1 else "stay"
    uses = "uses" if number == 1 else "use"
    parts = _listed(one.parts)
    it = "it does" if number == 1 else "they do"
    why = {
        "comments": "only comments or formatting differ",
        "descriptions": f"only words for people differ ({parts})",
        "unused": f"edited in what {it} not use ({parts})",
        "no effect": f"the edit changes nothing there ({parts})",
    }[one.why]
    return shown(f"same    {number} that {uses} {one.kind} {one.name} {verb} as before: {why}")


def _listed(names: Iterable[str], most: int = 5) -> str:
    names = tuple(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
