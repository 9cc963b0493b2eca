"""Where in its text a part of a query stands."""

from __future__ import annotations

import sqlglot
from sqlglot import exp


def place_of(node: exp.Expr | str | None, text: str, dialect: str) -> tuple[int, int]:
    """Line and column, from 1, of a node, or of the first word of that name."""
    if isinstance(node, str) and node.startswith("\0"):
        line, _, column = node[1:].partition(":")
        return int(line), int(column)
    start = _start(node, text, dialect)
    before = text[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1


def _start(node: exp.Expr | str | None, text: str, dialect: str) -> int:
    if node is None:
        return 0
    if isinstance(node, str):
        for token in sqlglot.Dialect.get_or_raise(dialect).tokenize(text):
            if token.text.upper().partition(" ")[0] == node.upper().partition(" ")[0]:
                return int(token.start)
        return 0
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    return min(starts, default=0)
