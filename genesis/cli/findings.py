"""What was found in a project's definitions, kept for the next `check`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genesis.cli.kept import Answer, code_hash
from genesis.errors import Fix, Location, Problem

if TYPE_CHECKING:
    from genesis.compile.known import Found


class KeptFindings:
    """What the same code found in a project's definitions, by the hash of what each rests on."""

    def __init__(self, root: Path) -> None:
        self._file = Answer(root, f"findings-{code_hash()}")

    def read(self) -> dict[str, Found]:
        """All that was kept; nothing where it cannot be read."""
        from genesis.compile.known import Found
        from genesis.compile.trackers import Heading

        def found(problems: list[Any], headings: list[Any] | None) -> Found:
            columns = None if headings is None else tuple(Heading(*one) for one in headings)
            return Found(tuple(map(problem_of, problems)), columns)

        try:
            return {key: found(*one) for key, one in json.loads(self._file.read() or "{}").items()}
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def write(self, findings: Mapping[str, Found]) -> None:
        """Keep all of this, and nothing that was kept before."""
        told = {key: (parts_of(one.problems), one.headings) for key, one in findings.items()}
        self._file.write(json.dumps(told))


def parts_of(problems: Iterable[Problem]) -> list[tuple[Any, ...]]:
    """Problems as JSON can hold them."""
    return [astuple(problem) for problem in problems]


def problem_of(parts: list[Any]) -> Problem:
    """The problem of such parts."""
    code, message, at, hint, severity, fix = parts
    place = Location(*at) if at else None
    mend = Fix(Location(*fix[0]), *fix[1:]) if fix else None
    return Problem(code, message, place, hint, severity, mend)
