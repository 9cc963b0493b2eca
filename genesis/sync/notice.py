"""What a tracker's note says of runs that did not refresh it, below what the last good one said.

Held changes name the command that lets them through. What an engine said is left out: it may quote
values that the tracker's readers should not see. The surprise: the same reason is told once, with the
time at which it first held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from genesis.errors import GenesisError, SinkError
from genesis.sync.changes import Tracker
from genesis.sync.guards import APPROVABLE

_TIME = "%Y-%m-%d %H:%M UTC"
_NOTICE = re.compile(
    r"\n\n(?P<what>Held|Not refreshed) since \d{4}-\d\d-\d\d \d\d:\d\d UTC: (?P<reason>.*)\Z",
    re.DOTALL,
)
_LAST_CHANGE = "Last change: "


@dataclass(frozen=True, slots=True)
class Notice:
    """Why a run did not refresh a tracker."""

    what: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, error: GenesisError, tracker: str, *, at: datetime) -> Self:
        """What people should hear of a failure."""
        if not isinstance(error, SinkError):
            reason = f"its report could not be made; `genesis status {tracker}` says why"
            return cls("Not refreshed", reason, at)
        reasons = "; ".join(problem.message for problem in error.problems)
        if all(problem.code in APPROVABLE for problem in error.problems):
            return cls("Held", f"{reasons}; `genesis approve {tracker}` lets it through once", at)
        return cls("Not refreshed", reasons, at)

    def below(self, note: str) -> str:
        """A note that says it; where it does already, as it is."""
        said = _NOTICE.search(note)
        if said and (said["what"], said["reason"]) == (self.what, self.reason):
            return note
        return (
            f"{without_notice(note)}\n\n{self.what} since {self.at.strftime(_TIME)}: {self.reason}"
        )


def has_notice(note: str) -> bool:
    """Whether a note says why a tracker was not refreshed."""
    return _NOTICE.search(note) is not None


def without_notice(note: str) -> str:
    """A note as the last good refresh left it."""
    return _NOTICE.sub("", note)


def provenance(title: str, source: str, *, at: datetime) -> str:
    """The note of a tracker that changes now."""
    return f"{title}\nKept by genesis from {source}\n{_LAST_CHANGE}{at.strftime(_TIME)}"


def timeless(note: str) -> str:
    """A note that says nothing of when its tracker changed."""
    lines = note.split("\n")
    return "\n".join(line for line in lines if not line.startswith(_LAST_CHANGE))


def find_note(notes: Sequence[str], tracker: Tracker) -> int | None:
    """Which of some notes is the tracker's: it starts alike, or says that genesis keeps it."""
    first_line = tracker.note.split("\n")[0]
    for number, note in enumerate(notes):
        lines = [*note.split("\n"), ""]
        if lines[0] == first_line or lines[1].startswith("Kept by genesis"):
            return number
    return None
