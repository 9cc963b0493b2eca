"""Problems and where they are; the exceptions that carry them.

A problem is a value: it is collected, so that a person mends a file in one go, and raised once.
Nothing here states a place it does not know: a made-up line is worse than none.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from genesis.redaction import redact_values

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True, slots=True)
class Location:
    """A stretch of a file: lines and columns from 1, in characters, the end exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends a problem by itself: where `old` stands in `at`, and just once, `new` is written.

    It never changes the rows of a report that is right already.
    """

    at: Location
    old: str
    new: str

    @property
    def does(self) -> str:
        """What `genesis check --fix` does, in words."""
        if not self.new:
            return "removes it"
        return "indents with spaces" if "\t" in self.old else f"writes `{self.new}`"


class Meant(str):
    """A hint that names what was meant; where that is certain, it can be written instead."""

    old: str
    new: str

    def __new__(cls, old: str, new: str) -> Meant:
        hint = super().__new__(cls, f"did you mean `{new}`?")
        hint.old, hint.new = old, new
        return hint

    def fix(self, at: Location) -> Fix | None:
        """What writes it in the place of a problem; nothing where it would have to be escaped there."""
        return Fix(at, self.old, self.new) if re.fullmatch(r"[\w./-]+", self.new) else None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: a code of `genesis.errors.CODES`, a sentence, its place, the way out."""

    code: str
    message: str
    at: Location | None = None
    hint: str | None = None
    severity: Severity = "error"
    fix: Fix | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise KeyError(f"undeclared problem code {self.code!r}")
        object.__setattr__(self, "message", _one_line(self.message))
        object.__setattr__(self, "hint", _one_line(self.hint) if self.hint else None)

    def __str__(self) -> str:
        place = f"{self.at}: " if self.at else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.message} [{self.code}]{hint}"


_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_WIDEST = 400  # characters of a message: a value in it may be as long as a file


def _one_line(text: str) -> str:
    """The text without secrets, and without what would break a log's line or speak to a terminal."""
    line = _BREAKS.sub(" ", redact_values(text)).strip()
    return line if len(line) <= _WIDEST else f"{line[:_WIDEST]}…"


MAX_MISTAKES = (
    1_000  # that are told of a file or a definition; a flow list has room for ten thousand
)


class Enough(Exception):
    """So much is told already that nobody reads on."""


class Problems:
    """A collector: what is wrong so far, each thing once, in the order of the files.

    One that takes so many at `most` ends the search for more with `Enough`.
    """

    def __init__(self, problems: Iterable[Problem] = (), *, most: float = math.inf) -> None:
        self._problems: dict[Problem, None] = dict.fromkeys(problems)
        self._most = most
        self.told = 0
        """How many were told, those that were known already counted again."""
        self.passes_over = False
        """Whether something is wrong that is told elsewhere, so that nothing may rest on it."""

    def add(
        self,
        code: str,
        message: str,
        at: Location | None = None,
        *,
        hint: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Tell an error. A hint from `did_you_mean` brings its fix with it."""
        if fix is None and isinstance(hint, Meant) and at is not None:
            fix = hint.fix(at)
        self.extend([Problem(code, message, at, hint, fix=fix)])
        if len(self._problems) >= self._most:
            raise Enough

    def warn(
        self, code: str, message: str, at: Location | None = None, *, hint: str | None = None
    ) -> None:
        self.extend([Problem(code, message, at, hint, "warning")])

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._problems[problem] = None
            self.told += 1

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._problems, key=_reading_order))

    def __len__(self) -> int:
        return len(self._problems)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self if problem.severity == "error")

    def raise_errors(self) -> None:
        """Raise `DefinitionError` with everything found, if any of it is an error."""
        if self.errors:
            raise DefinitionError(tuple(self))


def _reading_order(problem: Problem) -> tuple[str, int, int, str, str]:
    at = problem.at
    place = (at.file, at.line, at.column) if at else ("", 0, 0)
    return (*place, problem.code, problem.message)


# Below it, difflib finds `age` in `tagline`.
_LIKE = 0.65


def nearest(name: str, known: Iterable[str], *, cutoff: float = _LIKE) -> str | None:
    """The known name that is most like this one, or nothing where none is near."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = _LIKE) -> str | None:
    """The hint that names the nearest known name, or nothing where none is near.

    It is a `Meant` where the name can only be that one, misspelt.
    """
    known = tuple(known)
    close = nearest(name, known, cutoff=cutoff)
    if close is None:
        return None
    return Meant(name, close) if misspelt(name, known) == close else f"did you mean `{close}`?"


_FEW = 6  # names in a hint


def suggest(name: str, known: Iterable[str]) -> str | None:
    """The hint of `did_you_mean`; where no name is near, a few of those that there are."""
    known = tuple(known)
    more = f" and {len(known) - _FEW} more" if len(known) > _FEW else ""
    few = ", ".join(f"`{other}`" for other in known[:_FEW])
    return did_you_mean(name, known) or (f"there is {few}{more}" if known else None)


def misspelt(name: str, known: Iterable[str]) -> str | None:
    """The one known name that this is with a slip of the finger, or two in a long one; or nothing.

    `end_date` is like `start_date`, and no misspelling of it; nor is `date` of `rate`, `q1` of `q2`.
    """
    slips = 2 if len(name) > 7 else 1
    found: dict[str, int] = {}
    for other in set(known) - {name}:
        is_like = _digits(other) == _digits(name) and (len(name) > 4 or _is_shuffled(name, other))
        distance = _slips(name.lower(), other.lower(), slips) if is_like else slips + 1
        if distance <= slips:
            found[other] = distance
    least = [other for other in found if found[other] == min(found.values())]
    return least[0] if len(least) == 1 else None


def _is_shuffled(name: str, other: str) -> bool:
    return sorted(name.lower()) == sorted(other.lower())


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name)


def _slips(one: str, other: str, most: int) -> int:
    """How many letters are missing, wrong, too many or swapped; above `most`, just more than that."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    above: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, above, row = above, row, [i]
        for j, with_ in enumerate(other, 1):
            cost = min(row[-1] + 1, above[j] + 1, above[j - 1] + (letter != with_))
            if i > 1 and j > 1 and one[i - 2] == with_ and letter == other[j - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
    return row[-1]


class GenesisError(Exception):
    """Anything genesis refuses; `exit_code` is the command's.

    GenesisError            1
      UsageError           64   a bad command line
      DefinitionError       2   the YAML is wrong; holds problems
      EngineError           3   the data could not be read
        EngineBusy         75   ... for a reason that passes by itself
      SinkError             4   the tracker could not be written
        SinkBusy           75   ... for a reason that passes by itself
          RateLimited      75   ... which is that it was written too often
      AuditFailed           5   source and lake differ
      NotSent              75   a message did not arrive
    """

    exit_code = 1

    def __init__(self, problems: Problem | tuple[Problem, ...]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else problems
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(GenesisError):
    exit_code = 64


class DefinitionError(GenesisError):
    exit_code = 2


class EngineError(GenesisError):
    exit_code = 3


class EngineBusy(EngineError):
    exit_code = 75


class SinkError(GenesisError):
    exit_code = 4


class SinkBusy(SinkError):
    exit_code = 75


class RateLimited(SinkBusy):
    """A service asks for patience longer than a refresh may take."""


class AuditFailed(GenesisError):
    exit_code = 5


class NotSent(GenesisError):
    exit_code = 75


# Every code, with its meaning in one sentence. A folder `tests/fixtures/errors/<code>` shows each,
# a page `genesis/pages/<code>.md` explains it.
CODES: dict[str, str] = {
    # reading YAML
    "invalid-yaml": "the text is not YAML",
    "not-utf8": "the file is not UTF-8 text",
    "yaml-limit": "the YAML is larger, deeper or more repetitive than is read",
    "yaml-tag": "tags are not read",
    "merge-key": "merge keys are not read",
    "duplicate-key": "a key is written twice in one mapping",
    "wrong-key": "a key is not a plain name",
    "empty-file": "a file holds nothing",
    "unreadable-file": "a file cannot be read",
    # the shape of documents
    "unknown-document": "a document's first key is none that is known",
    "unknown-key": "a mapping has a key that is not known",
    "missing-key": "a mapping lacks a key that is required",
    "wrong-type": "a value is of another kind than its place wants",
    "wrong-choice": "a value is none of those that the key knows",
    "wrong-name": "a name is not lower case letters, digits and underscores",
    "conflicting-keys": "two keys of one mapping exclude one another",
    "duplicate-name": "two definitions of one kind share a name",
    "clear-secret": "a secret is written in clear",
    "wrong-reference": "a reference to a secret or file is not allowed",
    # names that lead nowhere
    "unknown-field": "a name is no field of its data source",
    "unknown-join": "a step of a path is no join of its data source",
    "unknown-data-source": "a name is no data source of the project",
    "unknown-formatter": "a name is no formatter",
    "unknown-input": "a name is no input of the project",
    "unknown-workflow": "a name is no workflow or job of the project",
    "unknown-audit": "a name is no audit of the project",
    "unknown-set": "a name is no set of its data source",
    "unknown-parameter": "a name is no parameter of its input",
    "unknown-target": "a name is no target of the project",
    "unknown-template": "a name is no template of the project",
    "unknown-alert": "a name is no alert receiver of the project",
    "unknown-source": "a name is no source system of the project",
    "unknown-job": "a name is no job of its workflow",
    "run-busy": "another run works on the same place",
    "skipped-job": "a job was skipped, since one that it needs did not succeed",
    "unknown-type": "a name is no type",
    "unknown-timezone": "a name is no time zone",
    "unused-data-source": "nothing uses a data source",
    # definitions that contradict
    "wrong-join": "a join's keys or relationship do not fit its two sides",
    "name-clash": "two things in one place share a name",
    "cycle": "definitions build on one another in a circle",
    # expressions
    "invalid-sql": "a fragment is not an SQL expression",
    "not-an-expression": "a fragment is a statement or holds a subquery",
    "nondeterministic": "a function gives another result every time",
    "unknown-function": "no engine has a function, or not the one that is compiled for",
    "unportable-function": "a function is not known to agree on all engines",
    "wrong-literal": "a literal does not fit what it is compared with",
    "untyped": "a column's type cannot be told",
    "fans-out": "a field behind a to-many join has many values for one row",
    "quantifier-needed": "a filter on a to-many path does not say any, none or all",
    "own-aggregate": "a detail report aggregates its own rows",
    "mixed-branches": "one aggregate reaches over two to-many joins",
    "wrong-aggregate": "an aggregate is written in a way it does not understand",
    "name-needed": "a column that is no plain path has no name",
    "column-clash": "two columns of an input share a name or a label",
    "wrong-sort": "a sort key is not in the report",
    "wrong-having": "a `having` stands where nothing is grouped",
    "wrong-format": "a formatter does not fit its column",
    "nullable-comparison": "a comparison silently drops NULLs",
    "limit-without-sort": "a limit without a sort keeps rows that mean nothing",
    "deprecated-field": "a deprecated field is used",
    "wrong-parameter": "a parameter's value is missing, of another type or not allowed",
    "wrong-test": "the rows of a test do not fit its report",
    "not-supported": "the language has this, this version does not compile it yet",
    # the command line and the world
    "wrong-usage": "a command line does not make sense",
    "no-project": "no `genesis.yaml` is near",
    "folder-not-empty": "a folder already holds files",
    "unknown-table": "a table is not in the catalog or the database",
    "unknown-column": "a column is not in its table",
    "query-failed": "the engine refused or lost a query",
    "catalog-failed": "the catalog or the warehouse cannot be used",
    "state-failed": "the run ledger cannot be used",
    "unknown-plugin": "no plug-in of that kind has the name",
    "wrong-batch": "a batch of events cannot be taken",
    "ingest-paused": "the ingest of a table waits for a person, since its source has changed",
    "not-followed": "the changes of a source system's table cannot be followed",
    "not-compacted": "a change log cannot be rewritten to its newest records",
    "audit-failed": "the lake and its system of record differ, and that was to be told",
    "not-sent": "an alert could not be sent",
    "heartbeat-late": "a heartbeat has not arrived in time",
    # the data, against what is declared
    "data-not-unique": "records share a key that is declared unique",
    "data-not-to-one": "a join that is declared to-one leads to many rows",
    "data-null": "a key, or a field that is never NULL, is NULL",
    "data-wrong-value": "a field has values that are not declared",
    "data-wrong-type": "a column is of another type than its field",
    "data-overlap": "intervals of one key overlap",
    # trackers
    "empty-result": "the report has no rows and the tracker has",
    "too-many-deletes": "a refresh would delete more rows than allowed",
    "too-few-rows": "the report has fewer rows than its job asks for",
    "wrong-keys": "the report's keys are missing or repeat",
    "tracker-not-ours": "the place has content that genesis did not write",
    "tracker-locked": "the tracker is open elsewhere",
    "tracker-unreadable": "the tracker cannot be read",
    "tracker-unwritable": "the tracker cannot be written",
    "tracker-changed": "the tracker changed while it was being refreshed",
    "tracker-too-large": "the tracker does not fit its place",
    "held-change": "a change waits for a person",
    "nothing-held": "there is no change to approve",
    "access-refused": "a service does not let us in",
    "open-to-anyone": "anyone who has its link may read the tracker",
    "too-many-calls": "a refresh would call a service more often than it may",
    "service-busy": "a service does not answer, or not yet",
}
