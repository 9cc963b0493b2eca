"""In which order rows stand, and how many there are at most."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from genesis.review.differences.difference import Difference, Risk, code, is_same_text, it_was
from genesis.review.report import Report


def of_order(before: Report, after: Report) -> Iterator[Difference]:
    """The sort keys that somebody asked for."""
    keys = [_sort_keys(report) for report in (before, after)]
    old, new = (", ".join(report.definition.sort) or "the key" for report in (before, after))
    if keys[0] != keys[1]:
        said = f"rows are sorted by {it_was(new, old)}"
        if is_same_text(old, new):
            said = f"rows are sorted by {code(new)}, which means something else now"
        yield Difference("sort changed", "sort", said, old, new)


def of_limit(before: Report, after: Report) -> Iterator[Difference]:
    """How many of the rows are shown."""
    one, other = before.query.limit, after.query.limit
    if one != other:
        was, now = ("all" if n is None else f"the first {n:,}" for n in (one, other))
        said = f"of the rows, {code(now)} are shown, it was {code(was)}"
        is_less = other is not None and (one is None or other < one)
        risks: tuple[Risk, ...] = ("rows may leave",) if is_less else ("more rows scanned",)
        yield Difference("limit changed", "limit", said, was, now, risks)


def _sort_keys(report: Report) -> list[tuple[exp.Expr, bool]]:
    """The sort keys that somebody asked for; those behind them make the order one."""
    keys = report.query.order[: len(report.definition.sort)]
    return [(report.expanded(key.this), bool(key.args.get("desc"))) for key in keys]
