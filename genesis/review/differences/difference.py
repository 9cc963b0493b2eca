"""One thing that is not as it was, and the words that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "column added", "column removed", "column renamed", "column moved", "column retyped",
    "column relabelled", "column reformatted", "column changed", "sensitivity changed",
    "filter added", "filter removed", "filter tightened", "filter loosened", "filter changed",
    "join added", "join dropped", "join changed", "records changed", "grain changed", "key changed",
    "sort changed", "limit changed", "parameter changed", "time zone changed", "rewritten",
]  # fmt: skip
Risk = Literal[
    "grain changed", "key changed", "column removed", "column retyped", "header changed", "sensitivity raised", "sensitivity lowered",
    "more rows scanned", "rows may leave", "values change",
]  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was; `about` names it, `said` is a sentence in which code is in back-ticks."""

    kind: Kind
    about: str
    said: str
    before: str | None = None
    after: str | None = None
    risks: tuple[Risk, ...] = ()


def code(text: object) -> str:
    """Text as code in a sentence: whatever it holds, back-ticks stand in pairs."""
    plain = " ".join(str(text).split()).replace("`", "'")
    return f"`{plain}`"


def it_was(new: object, old: object) -> str:
    """What something is, and what it was."""
    return f"{code(new)}, it was {code(old)}"


def is_same_text(one: str, other: str) -> bool:
    """Whether two texts differ in spaces at most."""
    return "".join(one.split()) == "".join(other.split())
