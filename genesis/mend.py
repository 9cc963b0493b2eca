"""Texts of YAML with the fixes of their problems written in, every other character untouched.

Pure: reading, checking and writing are handed in or done by others. A fix is taken only where it
takes its problem away and brings no other with it. The surprise: problems may appear that a mended
one had hidden (of a file that was no YAML, nothing else is known), so not every new one is refused.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from genesis.errors import Fix, Location, Problem

LINE_END = re.compile(r"\r\n|\r|\n")  # of YAML: `splitlines` knows seven more
ROUNDS = 20  # a mended definition may show what was hidden, a few times over

Texts = Mapping[str, str]
Check = Callable[[Texts], Iterable[Problem]]

# Told at the second of two things, of which a fix may have written the first.
_CONTRADICTIONS = frozenset(
    {"column-clash", "conflicting-keys", "cycle", "duplicate-key", "duplicate-name", "name-clash"}
)

# A definition with one of these is not read any further.
_HIDING = frozenset(
    {
        "duplicate-key",
        "invalid-yaml",
        "unknown-document",
        "unknown-key",
        "unknown-timezone",
        "unknown-type",
        "wrong-choice",
        "wrong-type",
    }
)


@dataclass(frozen=True)
class Mended:
    """The texts that changed, the problems that this mended, and those that remain."""

    texts: Texts
    fixed: tuple[Problem, ...]
    remaining: tuple[Problem, ...]


def mend(check: Check, read: Callable[[str], str], is_wanted: Callable[[str], bool]) -> Mended:
    """All that can be mended in the files that are wanted.

    `check` tells the problems there are with some texts in place of the files', `read` a file's text.
    """
    state = _State(check, read)
    for _ in range(ROUNDS):
        found = [p for p in state.problems if p.fix is not None and is_wanted(p.fix.at.file)]
        if not state.take(_apart(exact(p, state.text(_fix(p).at.file)) for p in found)):
            break
    return Mended(state.texts, tuple(state.fixed), tuple(state.problems))


class _State:
    """The texts as far as they are mended, and what is wrong with them."""

    def __init__(self, check: Check, read: Callable[[str], str]) -> None:
        self._check, self._read = check, read
        self._refused: set[tuple[str, Fix]] = set()
        self.texts: dict[str, str] = {}
        self.fixed: list[Problem] = []
        self.problems = list(check({}))

    def text(self, file: str) -> str:
        return self.texts[file] if file in self.texts else self._read(file)

    def take(self, candidates: Sequence[Problem]) -> bool:
        """Write all fixes that are only to the good; whether there is one."""
        new = [problem for problem in candidates if _identity(problem) not in self._refused]
        good = self._good(new)
        return self._write(good) or self._write(good[:1])

    def _good(self, new: Sequence[Problem]) -> list[Problem]:
        """Those whose fixes are taken: found by halves, since a check of all files is slow."""
        if not new or self._after(new) is not None:
            return list(new)
        if len(new) == 1:
            self._refused.add(_identity(new[0]))
            return []
        half = len(new) // 2
        return [*self._good(new[:half]), *self._good(new[half:])]

    def _write(self, mended: Sequence[Problem]) -> bool:
        after = self._after(mended)
        if after is None:
            return False
        self.texts, self.problems = after
        self.fixed += mended
        return True

    def _after(self, mended: Sequence[Problem]) -> tuple[dict[str, str], list[Problem]] | None:
        """The texts with some fixes written, and their problems; nothing where that is no better."""
        if not mended:
            return None
        texts = dict(self.texts)
        for file in {_fix(problem).at.file for problem in mended}:
            fixes = [_fix(problem) for problem in mended if _fix(problem).at.file == file]
            texts[file] = written(self.text(file), fixes)
        problems = list(self._check(texts))
        return (texts, problems) if _is_better(self.problems, problems, mended) else None


def _identity(problem: Problem) -> tuple[str, Fix]:
    return problem.code, _fix(problem)


def _fix(problem: Problem) -> Fix:
    if problem.fix is None:
        raise ValueError(problem)
    return problem.fix


def _apart(problems: Iterable[Problem]) -> list[Problem]:
    """Those whose fixes do not overlap: the first of each, the others another time."""
    apart: dict[str, list[Problem]] = {}
    seen: set[Fix] = set()
    for problem in problems:
        if problem.fix is None or problem.fix in seen:  # an alias is told wherever it is used
            continue
        seen.add(problem.fix)
        others = apart.setdefault(problem.fix.at.file, [])
        if not any(_overlap(problem.fix.at, _fix(other).at) for other in others):
            others.append(problem)
    return [problem for found in apart.values() for problem in found]


def _overlap(one: Location, other: Location) -> bool:
    return _start(one) < _end(other) and _start(other) < _end(one)


def _start(at: Location) -> tuple[int, int]:
    return at.line, at.column


def _end(at: Location) -> tuple[int, int]:
    return at.end_line, at.end_column


def _is_better(
    before: Sequence[Problem], after: Sequence[Problem], mended: Sequence[Problem]
) -> bool:
    """Whether the mended problems are gone, and nothing came that the fixes may have brought."""
    had, has = Counter(map(_told, before)), Counter(map(_told, after))
    gone = Counter(map(_told, mended))
    if any(has[told] > had[told] - number for told, number in gone.items()):
        return False
    came = has - had
    # A warning was there all along: of what is wrong, nothing else is told.
    new = [p for p in after if _told(p) in came and p.severity == "error"]
    return not any(_may_bring(one, problem) for problem in new for one in mended)


def _may_bring(mended: Problem, problem: Problem) -> bool:
    """Whether a problem that is new could be a fix's: it stands there, or speaks of what was written."""
    fix = _fix(mended)
    if not fix.new:  # what is removed stands no more
        return False
    if problem.code in _CONTRADICTIONS:
        return fix.new in problem.message
    if problem.at is None or not _touches(problem.at, fix.at):
        return False
    if mended.code in _HIDING:
        return problem.code == mended.code
    return not problem.code.startswith("unknown-")  # the next step of a path was not looked up yet


def _told(problem: Problem) -> tuple[str, str, str]:
    return problem.at.file if problem.at else "", problem.code, problem.message


def _touches(at: Location, fixed: Location) -> bool:
    is_same_file = at.file == fixed.file
    return is_same_file and at.line <= fixed.end_line and fixed.line <= at.end_line


# --- places ---------------------------------------------------------------------------------------


def exact(problem: Problem, text: str) -> Problem:
    """The problem with its fix at just the characters it replaces; without it where these are not certain."""
    fix = problem.fix
    if fix is None:
        return problem
    starts = _line_starts(text)
    start, end = (_index(place, starts, text) for place in (_start(fix.at), _end(fix.at)))
    found = [match.start() for match in _whole(fix.old).finditer(text, start, end)]
    if len(found) != 1 or not fix.old:
        return replace(problem, fix=None)
    return replace(problem, fix=replace(fix, at=_location(fix, found[0], starts)))


def _whole(old: str) -> re.Pattern[str]:
    """The text, where it is no part of a longer word."""
    before = r"(?<!\w)" if re.match(r"\w", old) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", old) else ""
    return re.compile(before + re.escape(old) + after)


def written(text: str, fixes: Iterable[Fix]) -> str:
    """The text with fixes at exact places, which do not overlap, written in."""
    starts = _line_starts(text)
    for fix in sorted(fixes, key=lambda fix: _start(fix.at), reverse=True):
        start = _index(_start(fix.at), starts, text)
        text = text[:start] + fix.new + text[start + len(fix.old) :]
    return text


@functools.lru_cache(maxsize=64)  # a broken file has many problems
def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(match.end() for match in LINE_END.finditer(text)))


def _index(place: tuple[int, int], starts: Sequence[int], text: str) -> int:
    line, column = place
    return starts[line - 1] + column - 1 if line <= len(starts) else len(text)


def _location(fix: Fix, start: int, starts: Sequence[int]) -> Location:
    def place(index: int) -> tuple[int, int]:
        line = bisect(starts, index)
        return line, index - starts[line - 1] + 1

    return Location(fix.at.file, *place(start), *place(start + len(fix.old)))
