"""What one row of a report is, and by what its rows are known.

What is at risk is told once: rows that are known by another key are the graver thing.
"""

from __future__ import annotations

from collections.abc import Iterator

from genesis.compile.query import Output
from genesis.review.differences.difference import Difference, Risk, code, it_was
from genesis.review.report import Report
from genesis.spec.input import Input

_HIDDEN = "_key_"


def of_grain(before: Report, after: Report) -> Iterator[Difference]:
    """Another data source, another shape, another key; the same key in values of another type."""
    old, new = before.definition, after.definition
    keys = [_meanings(report) for report in (before, after)]
    is_other_key = list(keys[0].values()) != list(
        keys[1].values()
    )  # by another name it is the same
    risks: tuple[Risk, ...] = () if is_other_key else ("grain changed",)
    if old.source != new.source:
        said = f"rows are of data source {it_was(new.source, old.source)}"
        yield Difference("grain changed", "source", said, old.source, new.source, risks)
    if old.shape != new.shape:
        said = f"one row is now {_of_shape(new)}, it was {_of_shape(old)}"
        yield Difference("grain changed", "shape", said, old.shape, new.shape, risks)
    if is_other_key:
        yield _rekeyed(tuple(keys[0]), tuple(keys[1]), new)
    else:
        yield from _retyped(before, after)


def _rekeyed(old: tuple[str, ...], new: tuple[str, ...], definition: Input) -> Difference:
    was, now = (", ".join(key) or "nothing" for key in (old, new))
    said = f"rows are known by {it_was(now, was)}"
    if was == now:
        said = f"rows are known by {code(now)} as before, which means something else now"
    elif definition.shape == "summary" and old and new:
        said = f"there is one row for each {it_was(now, was)}"
    return Difference("key changed", "key", said, was, now, ("key changed",))


def _retyped(before: Report, after: Report) -> Iterator[Difference]:
    """Keys that nobody sees; a visible one is told as the column that it is."""
    for old, new in zip(_keys(before), _keys(after), strict=True):
        was, now = str(old.column.type), str(new.column.type)
        if was != now and (old.column.hidden or new.column.hidden):
            name = _name(new)
            said = f"rows are known by {code(name)} as before, which holds {now}, it held {was}"
            yield Difference("column retyped", name, said, was, now)


def _of_shape(definition: Input) -> str:
    source = code(definition.source)
    if definition.shape == "summary":
        return f"a group of records of {source}"
    return f"a record of {source}"


def _keys(report: Report) -> list[Output]:
    """The columns by which rows are known, in the order of a key's parts."""
    return sorted((output for output in report.query.outputs if output.column.key), key=_name)


def _name(output: Output) -> str:
    return output.column.name.removeprefix(_HIDDEN)


def _meanings(report: Report) -> dict[str, str]:
    return {_name(one): report.expanded(one.raw).sql() for one in _keys(report)}
