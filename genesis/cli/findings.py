"""What was read and found in a project's definitions, kept for the next `check`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import astuple
from hashlib import blake2b
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


class KeptValues:
    """What the same code read from a project's texts, by their hashes: a line each, taken as it is while it holds."""

    def __init__(self, root: Path) -> None:
        self._file = Answer(root, f"values-{code_hash()}")
        lines = (self._file.read() or "").split("\n")
        self._before = {key: values for key, _, values in (line.partition(" ") for line in lines)}
        self._now: dict[str, str] = {}

    def of(self, text: str, read: Callable[[str], list[Any]]) -> list[Any]:
        """The values of a text's documents; `read` finds them, if they are not known."""
        key = blake2b(text.encode(), digest_size=16).hexdigest()
        with suppress(KeyError, ValueError):
            values: list[Any] = json.loads(self._before[key])
            self._now[key] = self._before[key]
            return values
        values = read(text)
        if values:
            self._now[key] = json.dumps(values)
        return values

    def write(self) -> None:
        """Keep all that was asked for, and nothing else."""
        if self._now.keys() != self._before.keys():
            self._file.write("\n".join(f"{key} {values}" for key, values in self._now.items()))


def parts_of(problems: Iterable[Problem]) -> list[tuple[Any, ...]]:
    """Problems as JSON can hold them."""
    return [astuple(problem) for problem in problems]


def problem_of(parts: list[Any]) -> Problem:
    """The problem of such parts."""
    code, message, at, hint, severity, fix = parts
    place = Location(*at) if at else None
    mend = Fix(Location(*fix[0]), *fix[1:]) if fix else None
    return Problem(code, message, place, hint, severity, mend)
