"""What a change does to one report, in words: its grain, columns, records, joins, order.

Two resolved reports are compared by what they mean, never by their text: what gives the same SQL and
the same columns has no differences. A filter is called tighter or looser only where that is proven.
The surprise: what no words are found for is told all the same, as SQL that is written otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

from sqlglot import exp

from genesis.compile.compiler import compile_input, resolve_input
from genesis.compile.expression import fragments_of
from genesis.compile.plan import Select, plan_query
from genesis.compile.query import Node, Output, Query
from genesis.compile.run import Run
from genesis.compile.statement import Statement
from genesis.review.askers import Asker
from genesis.review.conditions import implies, subject
from genesis.review.expand import conjuncts, expanded, in_words, origins
from genesis.review.explain import BranchReason, Explanation, JoinReason, explain
from genesis.review.graph import ROOT, Graph
from genesis.spec.formatter import KINDS, Formatter
from genesis.spec.input import Input
from genesis.spec.project import Project

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


@dataclass(frozen=True)
class Report:
    """One reading of an input of a project, for the dialect of the engine that it is read on."""

    project: Project
    name: str
    run: Run = field(default_factory=Run)
    dialect: str = "duckdb"
    made: Statement | None = None
    """Its statement, where that is known already."""

    @property
    def definition(self) -> Input:
        return self.project.inputs[self.name]

    @cached_property
    def query(self) -> Query:
        return resolve_input(self.project, self.name, self.run_there)

    @cached_property
    def statement(self) -> Statement:
        return self.made or compile_input(self.project, self.name, self.dialect, self.run)

    @cached_property
    def graph(self) -> Graph:
        return Graph(plan_query(self.query), self.project)

    @cached_property
    def told(self) -> Explanation:
        return explain(self.project, self.name, self.run_there)

    @property
    def run_there(self) -> Run:
        return replace(self.run, dialect=self.dialect)

    def expanded(self, tree: exp.Expr, select: str = ROOT) -> exp.Expr:
        return expanded(tree, self.graph, self.graph.selects[select])

    def words(self, tree: exp.Expr) -> str:
        return in_words(tree, self.project.settings.dialect)


def differences(before: Report, after: Report) -> tuple[Difference, ...]:
    """What is not as it was, the gravest first. Raises `DefinitionError` where a report has problems."""
    old, new = before.statement, after.statement
    if (old.sql, old.setup, old.columns) == (new.sql, new.setup, new.columns):
        return ()
    parts = (_grain, _columns, _filters, _having, _joins, _records, _order, _settings)
    found = tuple(one for part in parts for one in part(before, after))
    if found:
        return found
    return (Difference("rewritten", after.name, "the same is asked in other SQL"),)


def code(text: object) -> str:
    """Text as code in a sentence: whatever it holds, back-ticks stand in pairs."""
    plain = " ".join(str(text).split()).replace("`", "'")
    return f"`{plain}`"


def _was(new: object, old: object) -> str:
    return f"{code(new)}, it was {code(old)}"


# --- what one row is ----------------------------------------------------------------------------


def _grain(before: Report, after: Report) -> Iterator[Difference]:
    old, new = before.definition, after.definition
    if old.source != new.source:
        said = f"rows are of data source {_was(new.source, old.source)}"
        yield Difference(
            "grain changed", "source", said, old.source, new.source, ("grain changed",)
        )
    if old.shape != new.shape:
        said = f"one row is now {_of_shape(new)}, it was {_of_shape(old)}"
        yield Difference("grain changed", "shape", said, old.shape, new.shape, ("grain changed",))
    keys = [_key(report) for report in (before, after)]
    if list(keys[0].values()) == list(keys[1].values()):
        return  # by another name it is the same
    names = [", ".join(key) or "nothing" for key in keys]
    risks: tuple[Risk, ...] = ("key changed",)
    if new.shape == "summary":
        risks = ("grain changed", "key changed")
    if names[0] != names[1]:
        said = f"rows are known by {_was(names[1], names[0])}"
    else:
        said = f"rows are known by {code(names[1])} as before, which means something else now"
    yield Difference("key changed", "key", said, names[0], names[1], risks)


def _of_shape(definition: Input) -> str:
    source = code(definition.source)
    return (
        f"a group of records of {source}"
        if definition.shape == "summary"
        else f"a record of {source}"
    )


def _key(report: Report) -> dict[str, str]:
    """The columns by which rows are known, each with what it means, in the order of a key's parts."""
    keys = (output for output in report.query.outputs if output.column.key)
    meant = {one.column.name.removeprefix("_key_"): report.expanded(one.raw).sql() for one in keys}
    return dict(sorted(meant.items()))


# --- columns ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Column:
    """A column as it is compared: what it means, and what is shown of that."""

    output: Output
    report: Report

    @property
    def name(self) -> str:
        return self.output.column.name

    @property
    def label(self) -> str:
        return self.output.column.label

    @property
    def meaning(self) -> exp.Expr:
        return self.report.expanded(self.output.raw)

    @property
    def shown(self) -> exp.Expr:
        return self.report.expanded(self.output.shown)

    @property
    def format(self) -> str:
        return _format(self.output.formatter)


def _columns(before: Report, after: Report) -> Iterator[Difference]:
    old, new = _visible(before), _visible(after)
    pairs = [(old[name], column) for name, column in new.items() if name in old]
    went = [column for name, column in old.items() if name not in new]
    came = [column for name, column in new.items() if name not in old]
    renamed = _renamed(went, came)
    pairs += renamed
    # A sheet knows a column by its header too: what stands below it now is the same column.
    pairs += [(one, other) for one in went for other in came if one.label == other.label]
    paired = {column.name for pair in pairs for column in pair}
    yield from (_removed(column) for column in went if column.name not in paired)
    yield from (difference for pair in renamed for difference in _renaming(*pair))
    yield from (_added(column) for column in came if column.name not in paired)
    for one, other in dict.fromkeys(pairs):
        yield from _changes(one, other)
    yield from _moves(old, new, {other.name: one.name for one, other in pairs})


def _visible(report: Report) -> dict[str, _Column]:
    columns = (_Column(output, report) for output in report.query.outputs)
    return {one.name: one for one in columns if not one.output.column.hidden}


def _renamed(old: list[_Column], new: list[_Column]) -> list[tuple[_Column, _Column]]:
    """Columns that mean the same under another name, where there is one of each."""
    found = []
    for column in old:
        alike = [one for one in new if one.meaning == column.meaning and one.shown == column.shown]
        others = [one for one in old if one.meaning == column.meaning]
        if len(alike) == len(others) == 1:
            found.append((column, alike[0]))
    return found


def _removed(column: _Column) -> Difference:
    said = f"column {code(column.label)} goes"
    return Difference(
        "column removed", column.name, said, _asked(column), None, ("column removed",)
    )


def _added(column: _Column) -> Difference:
    sensitivity = column.output.column.sensitivity
    said = f"column {code(column.label)} comes: {code(_asked(column))}"
    said += f", which is {code(sensitivity)}" if sensitivity else ""
    risks: tuple[Risk, ...] = ("sensitivity raised",) if sensitivity else ()
    return Difference("column added", column.name, said, None, _asked(column), risks)


def _renaming(old: _Column, new: _Column) -> Iterator[Difference]:
    said = f"column {code(old.label)} is called {code(new.label)} now"
    if old.label == new.label:
        said = f"column {code(new.label)} is {code(new.name)} in SQL, it was {code(old.name)}"
    risk: Risk = "column removed" if old.label != new.label else "values change"
    yield Difference("column renamed", new.name, said, old.name, new.name, (risk,))


def _changes(old: _Column, new: _Column) -> Iterator[Difference]:
    """What differs between two columns that are one."""
    name, one, other, label = new.name, old.output.column, new.output.column, code(new.label)
    is_other = old.meaning != new.meaning
    if is_other:
        yield _changed(old, new)
    if one.type != other.type:
        said = f"column {label} holds {other.type}, it held {one.type}"
        yield Difference(
            "column retyped", name, said, str(one.type), str(other.type), ("column retyped",)
        )
    if old.name == new.name and one.label != other.label:
        said = f"column {code(one.label)} has the header {label} now"
        yield Difference(
            "column relabelled", name, said, one.label, other.label, ("header changed",)
        )
    if old.format != new.format or (not is_other and old.shown != new.shown):
        said = f"column {label} is shown {_as(new.format)}, it was shown {_as(old.format)}"
        yield Difference("column reformatted", name, said, old.format, new.format)
    if one.sensitivity != other.sensitivity:
        yield _sensitivity(name, label, one.sensitivity, other.sensitivity)


def _changed(old: _Column, new: _Column) -> Difference:
    """Another meaning, by the outermost piece of a definition that reads otherwise."""
    before, after = _asked(old), _asked(new)
    said = f"column {code(new.label)} is {_was(after, before)}"
    if _plain(before) == _plain(after):
        trees = [one.output.raw for one in (old, new)]
        reports = [old.report, new.report]
        was, now = (
            {(o.kind, o.name): o.sql for o in origins(one.expanded(tree), one.graph)}
            for one, tree in zip(reports, trees, strict=True)
        )
        other = [key for key in now if key in was and _plain(was[key]) != _plain(now[key])]
        before, after = (
            one.words(one.expanded(tree)) for one, tree in zip(reports, trees, strict=True)
        )
        said = f"column {code(new.label)} means {_was(after, before)}"
        if other:
            kind, name = other[0]
            before, after = was[other[0]], now[other[0]]
            what = f"{kind} {code(name)}" if name else kind
            said = f"column {code(new.label)} changes, since {what} is {_was(after, before)}"
        elif before == after:
            before, after = (
                one.expanded(tree).sql() for one, tree in zip(reports, trees, strict=True)
            )
            said = f"column {code(new.label)} is computed otherwise, as {_was(after, before)}"
    return Difference("column changed", new.name, said, before, after, ("values change",))


def _asked(column: _Column) -> str:
    """What the input says of a column, with what stands beside it."""
    output = column.output
    path = output.place.path
    said = [output.asked]
    if len(path) == 3 and path[0] == "fields" and isinstance(path[1], int):
        item = column.report.definition.fields[path[1]]
        said += [f"where {item.where}"] if item.where else []
        said += ["distinct"] if item.distinct else []
        said += [f"sort {', '.join(item.sort)}"] if item.sort else []
        said += [f"default {item.default}"] if item.default is not None else []
        said += [f"separator {item.separator!r}"] if "separator" in item.model_fields_set else []
    return " ".join(said)


def _plain(text: str) -> str:
    return "".join(text.split())


def _sensitivity(name: str, label: str, old: str | None, new: str | None) -> Difference:
    kind: Kind = "sensitivity changed"
    if new is None:
        said = f"column {label} was {code(old)}, and its values may be shown everywhere now"
        return Difference(kind, name, said, old, new, ("sensitivity lowered",))
    said = f"column {label} is {code(new)} now" + (f", it was {code(old)}" if old else "")
    return Difference(kind, name, said, old, new, ("sensitivity raised",))


def _format(formatter: Formatter | None) -> str:
    """What a formatter does."""
    if formatter is None:
        return ""
    kind = next(kind for kind in KINDS if getattr(formatter, kind) is not None)
    made = getattr(formatter, kind)
    if isinstance(made, dict):
        made = ", ".join(f"{value}: {label}" for value, label in made.items())
        made += f", otherwise: {formatter.otherwise}" if formatter.otherwise is not None else ""
    return f"{kind} {made}"


def _as(format_: str) -> str:
    return f"as {code(format_)}" if format_ else "as it is"


def _moves(
    old: dict[str, _Column], new: dict[str, _Column], was: dict[str, str]
) -> Iterator[Difference]:
    """The fewest columns that must have moved, for the others to be in the order that they were in.

    `was` has the name that a column had.
    """
    order = [name for name in old if name in was.values()]
    staying = _longest_common(order, [was[name] for name in new if name in was])
    names = list(new)
    for name, column in new.items():
        if name in was and was[name] not in staying:
            at = names.index(name)
            where = f"behind {code(new[names[at - 1]].label)}" if at else "to the front"
            yield Difference("column moved", name, f"column {code(column.label)} moves {where}")


def _longest_common(one: Sequence[str], other: Sequence[str]) -> set[str]:
    """The longest sequence of names that stands in both, in this order."""
    rank = {name: at for at, name in enumerate(one)}
    best: list[tuple[str, ...]] = [()]
    for name in other:
        before = (chain for chain in best if not chain or rank[chain[-1]] < rank[name])
        best.append((*_longest(before), name))
    return set(_longest(best))


def _longest(chains: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return max(chains, key=lambda chain: len(chain))


# --- records ------------------------------------------------------------------------------------


_HAVING = "`having`"


class _Condition(NamedTuple):
    tree: exp.Expr
    words: str


def _filters(before: Report, after: Report) -> Iterator[Difference]:
    yield from _conditions("filter", _kept(before, "filter"), _kept(after, "filter"))
    if before.definition.source == after.definition.source:
        kind = "where of data source"
        about = f"the `where` of data source {code(after.definition.source)}"
        yield from _conditions(about, _kept(before, kind), _kept(after, kind))


def _having(before: Report, after: Report) -> Iterator[Difference]:
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
    is_now = f"{about} is {_was(new.words, old.words)}"
    if _plain(old.words) == _plain(new.words):
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


# --- joins --------------------------------------------------------------------------------------


class _Joined(NamedTuple):
    """A join that a report makes: each of its facts by name, as an analyst writes it."""

    target: str
    to_many: bool
    facts: dict[str, str]
    asked_by: tuple[Asker, ...]

    @property
    def is_required(self) -> bool:
        return bool(self.facts["required"])


def _joins(before: Report, after: Report) -> Iterator[Difference]:
    old, new = _made(before.told), _made(after.told)
    for path, join in old.items():
        if path not in new:
            yield _dropped(path, join)
    for path, join in new.items():
        if path not in old:
            yield _joined_anew(path, join)
        else:
            yield from _rejoined(path, old[path], join)


def _dropped(path: str, join: _Joined) -> Difference:
    said = f"{_to(path, join)} is not needed any more"
    if not join.is_required:
        return Difference("join dropped", path, said, join.target, None)
    said += ": records without a match count again"
    return Difference("join dropped", path, said, join.target, None, ("more rows scanned",))


def _joined_anew(path: str, join: _Joined) -> Difference:
    said = f"{_to(path, join)} is new{_for(join.asked_by)}"
    said += ": records without a match go" if join.is_required else ""
    risks: list[Risk] = ["more rows scanned"] if join.to_many else []
    risks += ["rows may leave"] if join.is_required else []
    return Difference("join added", path, said, None, join.target, tuple(risks))


def _to(path: str, join: _Joined) -> str:
    many = "many rows" if join.to_many else "one row"
    return f"join {code(path)}, to {many} of {code(join.target)},"


def _rejoined(path: str, old: _Joined, new: _Joined) -> Iterator[Difference]:
    for fact in dict.fromkeys((*old.facts, *new.facts)):
        was, now = old.facts.get(fact, ""), new.facts.get(fact, "")
        if _plain(was) == _plain(now):
            continue
        said = f"join {code(path)}: {code(fact)} is {_was(now or 'none', was or 'none')}"
        risks: tuple[Risk, ...] = ("values change",)
        if fact == "required":
            risks = ("rows may leave",) if now else ("more rows scanned",)
        yield Difference("join changed", path, said, was or None, now or None, risks)


def _for(askers: Iterable[Asker]) -> str:
    """Whom a join is there for, the first of them."""
    found = dict.fromkeys(f"{one.kind} {code(one.name)}" for one in askers)
    if not found:
        return ""
    first, *more = found
    return f", asked for by {first}" + (f" and {len(more)} more" if more else "")


def _made(told: Explanation) -> dict[str, _Joined]:
    """The joins of a report by their path; those to related rows are to many."""
    found = {join.path: _joined(join, False) for join in told.joins}
    for branch in told.branches:
        found |= _of_branch(branch)
    for choice in told.rows:
        for join in choice.joins:
            found[f"{choice.data_source}.{join.path}"] = _joined(join, join.leads_to == "many")
    return found


def _of_branch(branch: BranchReason) -> dict[str, _Joined]:
    first, _, _ = branch.path.partition(".")
    before = branch.path.split(".")
    found = {}
    for join in branch.joins:
        steps = join.path.split(".")
        # A branch tells its joins from the record that it starts at.
        path = branch.path if steps == before[-len(steps) :] else join.path
        found[path if path.startswith(first) else f"{branch.path}.{join.path}"] = _joined(
            join, True
        )
    return found


def _joined(join: JoinReason, to_many: bool) -> _Joined:
    by = ", ".join(f"{here} = {there}" for here, there in join.by)
    facts = {
        "data_source": join.target,
        "by": by,
        "sql": join.sql.sql if join.sql else "",
        "where": join.where.sql if join.where else "",
        "pick": ", ".join(one.sql for one in join.pick),
        "as_of": ", ".join(one.sql for one in join.as_of),
        "required": "true" if "`required`: " in join.effect else "",
    }
    return _Joined(join.target, to_many or join.leads_to == "many", facts, join.asked_by)


# --- which records there are --------------------------------------------------------------------


def _records(before: Report, after: Report) -> Iterator[Difference]:
    """Which rows of the data sources count: the newest ones, those of another table or query."""
    old, new = _sources(before), _sources(after)
    for source in new:
        if source not in old:
            continue
        for what in old[source]:
            was, now = old[source][what], new[source][what]
            if _plain(was) != _plain(now):
                about = f"{code(what)} of data source {code(source)}"
                said = f"{about} is {_was(now or 'none', was or 'none')}"
                risks: tuple[Risk, ...] = ("values change",)
                if what == "latest":
                    risks = ("grain changed",) if not (was and now) else risks
                yield Difference("records changed", source, said, was or None, now or None, risks)


def _sources(report: Report) -> dict[str, dict[str, str]]:
    """Of each data source that a report reads, what says which records it has."""
    own = report.definition.source
    found = {}
    for relation in report.graph.relations.values():
        source, latest = relation.source, relation.source.latest
        newest = ""
        if latest is not None:
            gone = f", gone where {latest.deleted}" if latest.deleted else ""
            newest = f"newest by {', '.join(latest.order_by)} of each {', '.join(source.primary_key)}{gone}"
        found[source.name] = {
            "table": source.table or "",
            "sql": source.sql or "",
            "latest": newest,
        }
        if source.name != own:  # that of the report's own is a filter
            found[source.name]["where"] = source.where or ""
    return dict(sorted(found.items()))


# --- the rest -----------------------------------------------------------------------------------


def _order(before: Report, after: Report) -> Iterator[Difference]:
    keys = [_sort_keys(report) for report in (before, after)]
    old, new = (", ".join(report.definition.sort) or "the key" for report in (before, after))
    if keys[0] != keys[1]:
        said = f"rows are sorted by {_was(new, old)}"
        if _plain(old) == _plain(new):
            said = f"rows are sorted by {code(new)}, which means something else now"
        yield Difference("sort changed", "sort", said, old, new)
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


def _settings(before: Report, after: Report) -> Iterator[Difference]:
    zones = [report.project.timezone_of(report.definition) for report in (before, after)]
    if zones[0] != zones[1]:
        said = f"days are those of {_was(zones[1], zones[0])}"
        yield Difference(
            "time zone changed", "timezone", said, zones[0], zones[1], ("values change",)
        )
    old, new = before.definition.parameters, after.definition.parameters
    for name in dict.fromkeys((*old, *new)):
        was, now = (_parameter(each.get(name)) for each in (old, new))
        if was != now:
            said = f"parameter {code(name)} is {_was(now or 'gone', was or 'not there')}"
            yield Difference("parameter changed", name, said, was, now)


def _parameter(asked: object) -> str | None:
    if asked is None:
        return None
    type_, default, values = (getattr(asked, name) for name in ("type", "default", "values"))
    said = f"{type_}" if default is None else f"{type_}, {default} by default"
    return said if values is None else f"{said}, one of {', '.join(map(str, values))}"
