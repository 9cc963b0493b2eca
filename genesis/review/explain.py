"""Of an input: what one row is, each join and who asked for it, what chooses rows, what was pruned.

All of it is read off the compiled plan, never guessed from YAML: what is told is what the SQL does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from genesis.compile.expression import Fragment, fragments_of
from genesis.compile.joins import fans_out, key_pairs, raw_column
from genesis.compile.latest import log_columns
from genesis.compile.plan import JoinTo, Newest, Select, Written
from genesis.compile.query import Node
from genesis.compile.scope import split_direction
from genesis.compile.statement import Scan
from genesis.errors import Location
from genesis.review.askers import Asker
from genesis.review.graph import (
    JoinUse,
    Origin,
    spelled,
)
from genesis.review.report import Report
from genesis.spec.data_source import DataSource


@dataclass(frozen=True)
class JoinReason:
    """A join as the report has it, why it keeps or takes rows, and who asked for it."""

    path: str
    source: str
    name: str
    target: str
    leads_to: str
    by: tuple[tuple[str, str], ...]
    sql: Origin | None
    kind: str
    effect: str
    where: Origin | None
    pick: tuple[Origin, ...]
    as_of: tuple[Origin, ...]
    at: Location
    asked_by: tuple[Asker, ...]


@dataclass(frozen=True)
class BranchColumn:
    """What a branch aggregates, and who asked for it."""

    sql: str
    where: tuple[str, ...]
    asked_by: tuple[Asker, ...]


@dataclass(frozen=True)
class BranchReason:
    """Related rows, grouped to the grain of the record that they belong to."""

    path: str
    name: str
    of: str
    target: str
    by: tuple[str, ...]
    at: Location
    where: tuple[Origin, ...]
    joins: tuple[JoinReason, ...]
    columns: tuple[BranchColumn, ...]


@dataclass(frozen=True)
class RowChoice:
    """Which rows of a data source count: its newest records, a query, what a condition or a choice leaves."""

    name: str
    data_source: str
    kind: str
    sql: str
    at: Location
    where: tuple[Origin, ...]
    joins: tuple[JoinReason, ...]


@dataclass(frozen=True)
class Grain:
    """What one row of the report is."""

    sentence: str
    shape: str
    source: str
    key: tuple[str, ...]
    at: Location


@dataclass(frozen=True)
class ReportColumn:
    """A column of the report; hidden ones are keys that nobody selected."""

    name: str
    label: str
    type: str
    asked: str
    is_key: bool
    is_hidden: bool
    at: Location


@dataclass(frozen=True)
class SortKey:
    """One sort key; those that nobody asked for are the keys that make the order one."""

    sql: str
    direction: str
    at: Location


@dataclass(frozen=True)
class ReadColumns:
    """How many of a data source's declared columns are read, and which are not."""

    data_source: str
    read: int
    declared: int
    unread: tuple[str, ...]
    at: Location


@dataclass(frozen=True)
class Unused:
    """What is declared and was not needed: a join, or a member of a set."""

    name: str
    at: Location


@dataclass(frozen=True)
class Pruned:
    """What the SQL does not touch."""

    columns: tuple[ReadColumns, ...]
    joins: tuple[Unused, ...]
    excepted: tuple[Unused, ...]


@dataclass(frozen=True)
class Explanation:
    """All that one may ask of a compiled input."""

    input: str
    title: str | None
    at: Location
    grain: Grain
    columns: tuple[ReportColumn, ...]
    filters: tuple[Origin, ...]
    having: tuple[Origin, ...]
    joins: tuple[JoinReason, ...]
    branches: tuple[BranchReason, ...]
    rows: tuple[RowChoice, ...]
    order: tuple[SortKey, ...]
    limit: int | None
    pruned: Pruned
    scans: tuple[Scan, ...]


def explain(report: Report) -> Explanation:
    """What an input means and why. Raises `DefinitionError` with its problems."""
    return _Explainer(report).explanation()


@dataclass
class _Explainer:
    report: Report

    def __post_init__(self) -> None:
        report = self.report
        self.project, self.definition, self.query = report.project, report.definition, report.query
        self.graph, self.askers = report.graph, report.askers
        self.source = self.project.data_sources[self.definition.source]

    def explanation(self) -> Explanation:
        definition = self.definition
        return Explanation(
            input=definition.name,
            title=definition.title,
            at=definition.locate_name(),
            grain=self._grain(),
            columns=tuple(self._columns()),
            filters=tuple(self._written("filters", definition.filters)),
            having=tuple(self._written("having", definition.having)),
            joins=tuple(join for name in self.graph.report_selects for join in self._joins(name)),
            branches=tuple(map(self._branch, self.graph.branches)),
            rows=tuple(filter(None, map(self._choice, self.graph.choices))),
            order=tuple(self._order()),
            limit=self.graph.plan.root.limit,
            pruned=self._pruned(),
            scans=self.report.statement.scans,
        )

    # --- what one row is ------------------------------------------------------------------------

    def _grain(self) -> Grain:
        source, shape = self.source, self.definition.shape
        key = tuple(output.column.name for output in self.query.outputs if output.column.key)
        if shape == "detail":
            names = ", ".join(f"`{name}`" for name in source.primary_key)
            said = f"One row per {_words(source.name)} ({names})"
        elif key:
            names = " and ".join(f"`{name.removeprefix('_key_')}`" for name in key)
            said = f"One row per {names}, over the records of {_words(source.name)}"
        else:
            said = f"One row for all records of {_words(source.name)}"
        rules = list(self._rules(source))
        sentence = f"{said}{', '.join(['', *rules])}"
        if self.definition.filters:
            sentence += "; of those, the records that the filters keep"
        grain = source.primary_key if shape == "detail" else key
        return Grain(f"{sentence}.", shape, source.name, grain, source.locate_name())

    def _rules(self, source: DataSource) -> Iterator[str]:
        if source.latest is not None:
            yield "newest record of each key" + (
                " (deleted ones are gone)" if source.latest.deleted else ""
            )
        for name, join in source.joins.items():
            if join.required:
                yield f"only with a match of its required join `{name}`"
        if source.where is not None:
            yield f"where `{source.where}`"

    def _columns(self) -> Iterator[ReportColumn]:
        for output in self.query.outputs:
            column = output.column
            yield ReportColumn(
                column.name, column.label, str(column.type), output.asked, column.key, column.hidden,
                output.at,
            )  # fmt: skip

    def _written(self, key: str, texts: tuple[str, ...]) -> Iterator[Origin]:
        for position, text in enumerate(texts):
            yield self.graph.origin(Fragment(text, self.definition, (key, position)))

    def _order(self) -> Iterator[SortKey]:
        definition = self.definition
        for position, key in enumerate(self.graph.plan.root.order):
            descending = "descending" if key.args.get("desc") else "ascending"
            if position < len(definition.sort):
                text, _ = split_direction(definition.sort[position])
                yield SortKey(text, descending, definition.locate("sort", position))
            else:
                at = self.source.locate("primary_key")
                at = at if definition.shape == "detail" else definition.locate("fields")
                yield SortKey(self._spelled(key.this), f"{descending}, as key", at)

    def _spelled(self, tree: exp.Expr) -> str:
        return spelled(tree, self.project.settings.dialect)

    # --- joins and branches ---------------------------------------------------------------------

    def _joins(
        self, name: str, before: tuple[str, ...] = (), matched: str = ""
    ) -> Iterator[JoinReason]:
        """The joins of a SELECT that are of definitions; `before` are the steps to its root.

        `matched` says what becomes of rows that an INNER join finds.
        """
        for path, use, to in self.graph.made_in(name):
            effect, asked_by = _effect(use, to, matched), self.askers.of_join(name, to)
            yield self._join(".".join((*before, *path)), use, to.kind, effect, asked_by)

    def _join(
        self, path: str, use: JoinUse, kind: str, effect: str, asked_by: tuple[Asker, ...]
    ) -> JoinReason:
        join = use.join
        many = fans_out(use.source, use.name, self.project.data_sources[use.target])
        return JoinReason(
            path=path,
            source=use.source.name,
            name=use.name,
            target=use.target,
            leads_to="many" if many else "one",
            by=key_pairs(join),
            sql=self._of_join(use, join.sql, "sql"),
            kind=kind,
            effect=effect,
            where=self._of_join(use, join.where, "where"),
            pick=self._pick(use),
            as_of=self._interval(use),
            at=use.at,
            asked_by=asked_by,
        )

    def _of_join(self, use: JoinUse, text: str | None, *path: str | int) -> Origin | None:
        """A piece of SQL of a join's definition."""
        if text is None:
            return None
        return self.graph.origin(Fragment(text, use.source, ("joins", use.name, *path)))

    def _pick(self, use: JoinUse) -> tuple[Origin, ...]:
        keys = use.join.pick.sort if use.join.pick is not None else ()
        found = (self._of_join(use, key, "pick", "sort", n) for n, key in enumerate(keys))
        return tuple(filter(None, found))

    def _interval(self, use: JoinUse) -> tuple[Origin, ...]:
        """The row in force: at what moment, from when, to when."""
        as_of = use.join.as_of
        if as_of is None:
            return ()
        ends = (("at", as_of.at), ("from", as_of.from_), ("to", as_of.to))
        return tuple(filter(None, (self._of_join(use, text, "as_of", key) for key, text in ends)))

    def _branch(self, name: str) -> BranchReason:
        _, branch = self.graph.branches[name]
        select = self.graph.selects[name]
        chain = self.graph.chain(branch)
        before = () if () in branch.places else (chain[0].name,)
        asked = self.askers.of_select(name)
        effect = "its rows are grouped to one for each record, so none is repeated"
        first = [self._join(chain[0].name, chain[0], "GROUP", effect, asked)] if before else []
        by = [
            f"{self._spelled(here)} = {self._spelled(there)}"
            for here, there in zip(branch.key_here, branch.key_there, strict=True)
        ]
        is_of_groups = branch.anchor.relation.block is not None and not branch.key_here
        anchor = branch.anchor.source.name
        return BranchReason(
            path=".".join(self.graph.path_of(branch)),
            name=name,
            of=f"group of {anchor}" if is_of_groups else anchor,
            target=chain[-1].target,
            by=tuple(by or [self._spelled(branch.on)]),
            at=chain[0].at,
            where=tuple(self._conditions(select)),
            joins=(*first, *self._joins(name, before, "are aggregated")),
            columns=tuple(self._aggregated(name, select)),
        )

    def _aggregated(self, name: str, select: Select) -> Iterator[BranchColumn]:
        for column, value in select.columns:
            if value in select.group_by:
                continue
            conditions = [part.expression.this for part in value.find_all(exp.Filter)]
            texts = tuple(text for one in conditions for text in self._texts(one))
            yield BranchColumn(self._spelled(value), texts, self.askers.of_column(name, column))

    def _texts(self, condition: exp.Expr) -> Iterator[str]:
        """A condition as it was written, or as it is bound where it was put together."""
        written = fragments_of(condition)
        yield written[-1].text if written else self._spelled(condition)

    # --- rows -----------------------------------------------------------------------------------

    def _conditions(self, select: Select) -> Iterator[Origin]:
        for condition in select.where:
            if written := fragments_of(condition):
                yield self.graph.origin(written[-1])

    def _choice(self, name: str) -> RowChoice | None:
        relation, body = self.graph.relations.get(name), self.graph.ctes[name].body
        if relation is None:
            return None
        source = relation.source
        match body:
            case Newest(_, _, key, latest):
                sql = f"newest by {', '.join(latest.order_by)} of each {', '.join(key)}"
                gone = f", gone where {latest.deleted}" if latest.deleted else ""
                at = source.locate_key("latest")
                return RowChoice(name, source.name, "newest records", sql + gone, at, (), ())
            case Written():
                text = " ".join((source.sql or "").split())
                return RowChoice(name, source.name, "query", text, source.locate("sql"), (), ())
        where = tuple(self._conditions(body))
        matched = "" if body.rank_by is None else "can be chosen"
        joins = tuple(self._joins(name, matched=matched))
        use = self.graph.chosen_by(name) if body.rank_by is not None else None
        if body.rank_by is None or use is None:
            at = where[0].at if where else source.locate_name()
            return RowChoice(name, source.name, "filtered records", "", at, where, joins)
        keys = body.rank_by.args["order"].expressions
        sql = ", ".join(self._spelled(key) for key in keys)
        return RowChoice(name, source.name, f"one row for {use}", sql, use.at, where, joins)

    # --- what was pruned ------------------------------------------------------------------------

    def _pruned(self) -> Pruned:
        used = {relation.source.name: relation.source for relation in self.graph.relations.values()}
        taken = {(one.source.name, one.name) for one in self._uses()}
        joins = [
            Unused(f"{source.name}.{join}", source.locate_key("joins", join))
            for _, source in sorted(used.items())
            for join in source.joins
            if (source.name, join) not in taken
        ]
        return Pruned(tuple(self._read_columns()), tuple(joins), tuple(self._excepted()))

    def _uses(self) -> Iterator[JoinUse]:
        """Every join of a definition that the plan makes."""
        for select in self.graph.selects.values():
            for source in select.sources:
                if (use := self.graph.join_at(source)) is not None:
                    yield use
        for _, branch in self.graph.branches.values():
            yield from self.graph.chain(branch)

    def _read_columns(self) -> Iterator[ReadColumns]:
        for source, columns in sorted(self._columns_read().items()):
            spec = self.project.data_sources[source]
            declared = dict.fromkeys(
                raw_column(spec, name)
                for name, one in spec.fields.items()
                if one.sql is None or raw_column(spec, name) in columns
            )
            unread = tuple(name for name in declared if name not in columns)
            read = len(declared) - len(unread)
            yield ReadColumns(source, read, len(declared), unread, spec.locate_key("fields"))

    def _columns_read(self) -> dict[str, set[str]]:
        """The raw columns that are read of each data source."""
        found: dict[str, set[str]] = {}
        dialect = self.project.settings.dialect
        for name, relation in self.graph.relations.items():
            cte = self.graph.ctes.get(name)
            match cte.body if cte is not None else None:
                case Newest(_, columns, key, latest):
                    read = log_columns(columns, key, latest, dialect=dialect)
                    found.setdefault(relation.source.name, set()).update(read)
                case Written():
                    found.setdefault(relation.source.name, set()).update(relation.columns)
        for select in self.graph.selects.values():
            for source in select.sources:
                if source.is_table and isinstance(source.use, Node):
                    named = found.setdefault(source.use.source.name, set())
                    named.update(self.graph.read_of(select, source))
        return found

    def _excepted(self) -> Iterator[Unused]:
        for position, item in enumerate(self.definition.fields):
            for index, member in enumerate(item.except_):
                at = self.definition.locate("fields", position, "except", index)
                yield Unused(f"{item.set}: {member}", at)


def _effect(use: JoinUse, to: JoinTo, matched: str) -> str:
    """Why a join keeps rows, or takes them away."""
    if to.kind == "LEFT":
        stays = "a row without a match stays, with NULLs"
        return f"{stays} (`required` acts below)" if use.join.required else stays
    if matched:
        return f"only rows that have a match {matched}"
    return f"`required`: without a match it is no record of {use.source.name}"


def _words(name: str) -> str:
    return name.replace("_", " ")
