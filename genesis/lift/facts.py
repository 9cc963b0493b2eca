"""What lifting has to know of tables, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whether columns tell the rows of a table apart, and what was counted; `rows` is `None` where nothing was."""

    holds: bool
    rows: int | None = None

    def __str__(self) -> str:
        return "guessed by its name" if self.rows is None else f"unique in all {self.rows:,} rows"


class Facts(Protocol):
    """What the tables of a report are like."""

    def columns(self, table: str) -> Mapping[str, str]:
        """The types of a table's columns by name, in words of the language; empty where nothing is known."""

    def key(self, table: str, columns: Sequence[str]) -> Evidence:
        """Whether columns are never NULL and tell all rows apart."""

    def result_type(self, query: exp.Expr) -> str | None:
        """The type of the one column of a query; `None` where nobody can tell."""


T = TypeVar("T")


def seen(value: T | None) -> T:
    """A value that is there: its caller has looked."""
    if value is None:
        raise TypeError("nothing is there")
    return value


class ByHand(Exception):
    """A report that is not lifted: why, where in its text (from 1), and what to do."""

    def __init__(self, reason: str, node: exp.Expr | str | None = None, *, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node
        self.hint = hint
