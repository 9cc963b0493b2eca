"""The joins that a report makes, and how: read off its plan, told as analysts write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from genesis.compile.joins import fans_out, key_pairs
from genesis.compile.plan import JoinTo, Select
from genesis.review.differences.difference import Difference, Risk, code, is_same_text, it_was
from genesis.review.graph import JoinUse
from genesis.review.report import Report


class _Joined(NamedTuple):
    """A join that a SELECT of a report makes; without `to` its rows are grouped to those of a record.

    Where it `is_required`, records without a match are none.
    """

    select: str
    use: JoinUse
    to: JoinTo | None
    to_many: bool
    is_required: bool = False

    @property
    def facts(self) -> dict[str, str]:
        """What its definition says, by key."""
        join = self.use.join
        as_of = (join.as_of.at, join.as_of.from_, join.as_of.to) if join.as_of else ()
        return {
            "data_source": self.use.target,
            "by": ", ".join(f"{here} = {there}" for here, there in key_pairs(join)),
            "sql": join.sql or "",
            "where": join.where or "",
            "pick": ", ".join(join.pick.sort if join.pick else ()),
            "as_of": ", ".join(filter(None, as_of)),
            "required": "true" if self.is_required else "",
        }


def of_joins(before: Report, after: Report) -> Iterator[Difference]:
    """Joins that are dropped, made anew, or made in another way."""
    old, new = _made(before), _made(after)
    for path, join in old.items():
        if path not in new:
            yield _dropped(path, join)
    for path, join in new.items():
        if path not in old:
            yield _joined_anew(path, join, after)
        else:
            yield from _rejoined(path, old[path], join)


def _dropped(path: str, join: _Joined) -> Difference:
    said = f"{_to(path, join)} is not needed any more"
    if not join.is_required:
        return Difference("join dropped", path, said, join.use.target, None)
    said += ": records without a match count again"
    return Difference("join dropped", path, said, join.use.target, None, ("more rows scanned",))


def _joined_anew(path: str, join: _Joined, report: Report) -> Difference:
    said = f"{_to(path, join)} is new{_for(join, report)}"
    said += ": records without a match go" if join.is_required else ""
    risks: list[Risk] = ["more rows scanned"] if join.to_many else []
    risks += ["rows may leave"] if join.is_required else []
    return Difference("join added", path, said, None, join.use.target, tuple(risks))


def _to(path: str, join: _Joined) -> str:
    many = "many rows" if join.to_many else "one row"
    return f"join {code(path)}, to {many} of {code(join.use.target)},"


def _rejoined(path: str, old: _Joined, new: _Joined) -> Iterator[Difference]:
    facts = new.facts
    for fact, was in old.facts.items():
        now = facts[fact]
        if is_same_text(was, now):
            continue
        said = f"join {code(path)}: {code(fact)} is {it_was(now or 'none', was or 'none')}"
        risks: tuple[Risk, ...] = ("values change",)
        if fact == "required":
            risks = ("rows may leave",) if now else ("more rows scanned",)
        yield Difference("join changed", path, said, was or None, now or None, risks)


def _for(join: _Joined, report: Report) -> str:
    """Whom a join is there for, the first of them."""
    askers = report.askers
    asked_by = askers.of_join(join.select, join.to) if join.to else askers.of_select(join.select)
    found = dict.fromkeys(f"{one.kind} {code(one.name)}" for one in asked_by)
    if not found:
        return ""
    first, *more = found
    return f", asked for by {first}" + (f" and {len(more)} more" if more else "")


# --- which are made ---------------------------------------------------------------------------------


def _made(report: Report) -> dict[str, _Joined]:
    """The joins of a report by their path; those to related rows are to many."""
    graph, found = report.graph, {}
    for select in graph.report_selects:
        for path, use, to in graph.made_in(select):
            is_many, is_required = _leads_to_many(use, report), to.kind == "INNER"
            found[".".join(path)] = _Joined(select, use, to, is_many, is_required)
    for branch in graph.branches:
        found |= _in_branch(branch, report)
    for name in graph.choices:
        found |= _choosing(name, report)
    return found


def _in_branch(name: str, report: Report) -> dict[str, _Joined]:
    """The joins behind a branch. It tells them from the record that it starts at; here the report's own are told."""
    graph = report.graph
    _, branch = graph.branches[name]
    whole, first = graph.path_of(branch), graph.chain(branch)[0]
    before = () if () in branch.places else (first.name,)
    joins = [(before, _Joined(name, first, None, to_many=True))] if before else []
    for path, use, to in graph.made_in(name):
        joins.append(((*before, *path), _Joined(name, use, to, to_many=True)))
    found = {}
    for path, join in joins:
        path = whole if path == whole[-len(path) :] else path
        path = path if path[0] == whole[0] else (*whole, *path)
        found[".".join(path)] = join
    return found


def _choosing(name: str, report: Report) -> dict[str, _Joined]:
    """The joins by which rows of a data source count, or by which one of many is chosen."""
    graph = report.graph
    relation, select = graph.relations.get(name), graph.selects.get(name)
    if relation is None or not isinstance(select, Select):
        return {}
    return {
        ".".join((relation.source.name, *path)): _Joined(
            name, use, to, _leads_to_many(use, report),
            is_required=to.kind == "INNER" and select.rank_by is None,
        )
        for path, use, to in graph.made_in(name)
    }  # fmt: skip


def _leads_to_many(use: JoinUse, report: Report) -> bool:
    return fans_out(use.source, use.name, report.project.data_sources[use.target])
