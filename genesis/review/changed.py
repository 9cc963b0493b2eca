"""What a change does to trackers, as values: what everything that shows a change is written from.

A change is told of a tracker, and of an input that no tracker shows (a report). It has both sides: what
the SQL, the columns, the sink and the schedule were, and what they will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genesis.compile.statement import Column
from genesis.errors import Location, Problem
from genesis.review.differences.difference import Difference
from genesis.review.risks import Mark

Subject = Literal["tracker", "report"]
Kind = Literal["added", "removed", "renamed", "changed", "unknown"]
Aspect = Literal["SQL", "columns", "sink", "options", "schedule"]
Edit = Literal["added", "removed", "edited"]
Why = Literal["comments", "descriptions", "unused", "no effect"]


@dataclass(frozen=True)
class Reason:
    """A definition, or a part of one, that was edited and that made a difference.

    `kind` says what it is (`field`, `join`, `formatter`, `input`, `job`, `setting`), `name` which one
    (`movie.title`), `keys` what of it was edited. `at` is its place as it is now, or was if it is gone.
    """

    kind: str
    name: str
    edit: Edit
    keys: tuple[str, ...] = ()
    at: Location | None = None


@dataclass(frozen=True)
class Version:
    """A tracker or a report as one of the two projects has it; `problems` are why it has no SQL.

    `sink` and `schedule` are in words; a report has neither. `at` is the job's place, or the input's.
    """

    input: str
    title: str | None
    owner: str | None
    sink: str | None
    schedule: str | None
    at: Location
    sql: str | None = None
    columns: tuple[Column, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Change:
    """What happens to one tracker or report; of one that cannot be compared, the kind is `unknown`.

    `differences` are what its rows and columns come to mean, `risks` what that puts at stake where it lives. A
    renamed one is found under `name` now, and was under `old_name`; it may have changed too.
    """

    subject: Subject
    name: str
    kind: Kind
    before: Version | None
    after: Version | None
    aspects: tuple[Aspect, ...] = ()
    reasons: tuple[Reason, ...] = ()
    differences: tuple[Difference, ...] = ()
    risks: tuple[Mark, ...] = ()
    old_name: str | None = None

    @property
    def now(self) -> Version:
        """What it is now, or was if it is gone."""
        found = self.after or self.before
        if found is None:
            raise LookupError("a change has a side")
        return found

    @property
    def owner(self) -> str | None:
        """Whom to ask."""
        return self.now.owner


@dataclass(frozen=True)
class Touched:
    """A definition that was edited without effect on those who use it, and why it has none.

    `why` is one of: only comments or formatting differ; only words for people; only parts (`parts`)
    that they do not use; parts that they use, and their reports stay the same.
    """

    kind: str
    name: str
    why: Why
    users: tuple[str, ...]
    parts: tuple[str, ...] = ()
    at: Location | None = None


@dataclass(frozen=True)
class Diff:
    """All that a change does; `unchanged` counts the trackers and reports that stay as they are."""

    dialect: str
    changes: tuple[Change, ...]
    touched: tuple[Touched, ...]
    unchanged: int
