"""What a sink relies on, asked of the service itself: facts that are as expected, or differ.

Sinks are built and tested against emulators, which rest on documentation. Put to a real account, the
same questions tell where the two part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import requests

from genesis.errors import SinkBusy, SinkError

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a sink relies on, and what was found; any of `expected` will do."""

    claim: str
    expected: tuple[Any, ...]
    found: Any

    @property
    def agrees(self) -> bool:
        """Whether reality is as expected."""
        return self.found in self.expected

    @property
    def verdict(self) -> str:
        """The answer for a person."""
        if self.agrees:
            return "as expected"
        return f"DIFFERS: expected {' or '.join(map(str, self.expected))}, found {self.found}"

    def to_json(self) -> dict[str, Any]:
        """The entry of `genesis sinks probe --format json`."""
        found = {"expected": list(self.expected), "found": self.found}
        return {"claim": self.claim, "agrees": self.agrees, **found}


@dataclass(frozen=True, slots=True)
class Question(Generic[S]):
    """How a claim is put to a service, on a scratch place there."""

    claim: str
    expected: tuple[Any, ...]
    ask: Callable[[S], Any]

    def put(self, scratch: S) -> Fact:
        """What is found. A refusal is an answer, too, but for one that lets nobody in.

        Raises what says that the service cannot be asked at all.
        """
        try:
            found = self.ask(scratch)
        except SinkError as error:
            if isinstance(error, SinkBusy) or error.problems[0].code == "access-refused":
                raise
            found = f"a refusal: {error.problems[0].message}"
        except requests.HTTPError as error:
            if error.response.status_code in (401, 403):
                raise
            found = f"a refusal: {error}"
        except (LookupError, TypeError, ValueError) as error:
            found = f"an answer of another shape: {error!r}"
        return Fact(self.claim, self.expected, found)


def expects(claim: str, *expected: Any) -> Callable[[Callable[[S], Any]], Question[S]]:
    """Make a question of what finds something; any of `expected` will do."""
    return lambda ask: Question(claim, expected, ask)


def put_all(questions: Iterable[Question[S]], scratch: S) -> Iterator[Fact]:
    """The facts, one after another."""
    for question in questions:
        yield question.put(scratch)
