"""The conditions that choose the records of a report, or its rows: tighter or looser only where that is proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.expression import fragments_of
from genesis.compile.plan import Select
from genesis.compile.query import Node
from genesis.review.conditions import implies, subject
from genesis.review.differences.difference import Difference, code, is_same_text, it_was
from genesis.review.expand import conjuncts
from genesis.review.report import Report

_HAVING = "`having`"


class _Condition(NamedTuple):
    tree: exp.Expr
    words: str


def of_filters(before: Report, after: Report) -> Iterator[Difference]:
    """The conditions on records: the report's own, and those of its data source."""
    yield from _conditions("filter", _kept(before, "filter"), _kept(after, "filter"))
    if before.definition.source == after.definition.source:
        kind = "where of data source"
        about = f"the `where` of data source {code(after.definition.source)}"
        yield from _conditions(about, _kept(before, kind), _kept(after, kind))


def of_having(before: Report, after: Report) -> Iterator[Difference]:
    """The conditions on groups."""
    yield from _conditions(_HAVING, _kept(before, "having"), _kept(after, "having"))


def _kept(report: Report, kind: str) -> list[_Condition]:
    """The conditions of a kind that choose the report's records, or its rows."""
    found = []
    for name, select in _choosing(report):
        for condition in (*select.where, *select.having):
            written = fragments_of(condition)
            if not written or report.graph.origin(written[-1]).kind != kind:
                continue
            parts = list(conjuncts(report.expanded(condition, name)))
            text = " ".join(written[-1].text.split())
            found += [
                _Condition(one, text if len(parts) == 1 else report.words(one)) for one in parts
            ]
    return found


def _choosing(report: Report) -> Iterator[tuple[str, Select]]:
    """The SELECTs of the report's own records, those of its data source among them."""
    names = list(report.graph.report_selects)
    use = report.graph.selects[names[-1]].start.use
    if isinstance(use, Node) and use.relation.name in report.graph.selects:
        names.append(use.relation.name)
    yield from ((name, report.graph.selects[name]) for name in names)


def _conditions(about: str, old: list[_Condition], new: list[_Condition]) -> Iterator[Difference]:
    """How conditions changed, as far as it can be proven: `about` is what they are."""
    went = [one for one in old if one.tree not in [other.tree for other in new]]
    came = [one for one in new if one.tree not in [other.tree for other in old]]
    for one in list(went):
        other = next((each for each in came if _are_one(one.tree, each.tree)), None)
        if other is None:
            continue
        went.remove(one)
        came.remove(other)
        yield from _turned(about, one, other)
    if len(went) == len(came) == 1:
        yield from _turned(about, went.pop(), came.pop())
    for one in went:
        said = f"{about} {code(one.words)} is gone: {_come(about)}"
        yield Difference("filter removed", one.words, said, one.words, None, ("more rows scanned",))
    for one in came:
        said = f"{about} {code(one.words)} is new: {_go(about)}"
        yield Difference("filter added", one.words, said, None, one.words, ("rows may leave",))


def _are_one(old: exp.Expr, new: exp.Expr) -> bool:
    """Whether a condition became another one."""
    limits = subject(old), subject(new)
    return (None not in limits and limits[0] == limits[1]) or implies(old, new) or implies(new, old)


def _turned(about: str, old: _Condition, new: _Condition) -> Iterator[Difference]:
    tighter, looser = implies(new.tree, old.tree), implies(old.tree, new.tree)
    if tighter and looser:
        return
    texts = old.words, new.words
    is_now = f"{about} is {it_was(new.words, old.words)}"
    if is_same_text(old.words, new.words):
        is_now = f"{about} {code(new.words)} means something else than before"
    if tighter:
        said = f"{is_now}: tighter, {_go(about)}"
        yield Difference("filter tightened", new.words, said, *texts, ("rows may leave",))
    elif looser:
        said = f"{is_now}: looser, {_come(about)}"
        yield Difference("filter loosened", new.words, said, *texts, ("more rows scanned",))
    else:
        said = f"{is_now}: {_of(about)} may come and go"
        yield Difference(
            "filter changed", new.words, said, *texts, ("rows may leave", "more rows scanned")
        )


def _of(about: str) -> str:
    """What conditions choose: `having` looks at groups."""
    return "rows" if about == _HAVING else "records"


def _come(about: str) -> str:
    return f"{_of(about)} may come, none goes"


def _go(about: str) -> str:
    return f"{_of(about)} may go, none comes"
