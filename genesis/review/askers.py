"""Who asked for a part of a plan: whose expressions use it, followed through the SELECTs between.

A column of the report that reads a branch asks for the joins in that branch; a join whose condition
names another asks for that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sqlglot import exp

from genesis.compile.expression import Fragment, fragments_of
from genesis.compile.plan import From, JoinTo, Select
from genesis.compile.query import Branch, Query
from genesis.errors import Location
from genesis.review.graph import ROOT, Graph, Origin, columns_in, joins_of
from genesis.spec.input import Input


@dataclass(frozen=True)
class Asker:
    """Who needs something: a column, a filter, another join; `through` which fields and formatters."""

    kind: str
    name: str
    at: Location
    through: tuple[Origin, ...] = ()


@dataclass
class Askers:
    """Who needs an alias, or a column, of a SELECT of the plan."""

    graph: Graph
    definition: Input
    query: Query
    _known: dict[tuple[str, str, str], tuple[Asker, ...]] = field(default_factory=dict)

    def of_join(self, name: str, join: JoinTo) -> tuple[Asker, ...]:
        """Who asked for a join of a SELECT."""
        use = self.graph.join_at(join.to)
        found = list(self._of(name, join.to.alias))
        if join.kind == "INNER" and use is not None:
            if use.join.required and name not in self.graph.branches:
                at = use.source.locate_key("joins", use.name, "required")
                found.insert(0, Asker("required join", str(use), at))
            else:
                found += self.of_select(name)
        return tuple(dict.fromkeys(found))

    def of_select(self, name: str) -> tuple[Asker, ...]:
        """Who reads anything of a SELECT but its keys."""
        select = self.graph.selects[name]
        wanted = [one for one, value in select.columns if value not in select.group_by]
        return tuple(dict.fromkeys(asker for one in wanted for asker in self.of_column(name, one)))

    def of_column(self, name: str, column: str) -> tuple[Asker, ...]:
        """Who reads a column of a named SELECT."""
        found: dict[Asker, None] = {}
        for reader, select in self.graph.selects.items():
            for source in select.sources:
                if source.name == name and not source.is_table:
                    found |= dict.fromkeys(self._of(reader, source.alias, column))
        return tuple(found)

    def _of(self, name: str, alias: str, column: str = "") -> tuple[Asker, ...]:
        """Who uses an alias of a SELECT, or one column of it."""
        key = (name, alias, column)
        if key not in self._known:
            self._known[key] = ()  # nothing asks for itself
            self._known[key] = tuple(dict.fromkeys(self._found(name, alias, column)))
        return self._known[key]

    def _found(self, name: str, alias: str, column: str) -> Iterator[Asker]:
        select = self.graph.selects[name]
        for asker, output, tree in self._trees(name, select, alias):
            for node, fragments in columns_in(tree):
                if node.table != alias or (column and node.name != column):
                    continue
                through = tuple(self._between(fragments))
                askers = [asker] if asker is not None else self.of_column(name, output)
                for one in askers:
                    yield replace(one, through=(*one.through, *through))

    def _between(self, fragments: Iterable[Fragment]) -> Iterator[Origin]:
        """The fields, measures, formatters and conditions that lead to a column."""
        for fragment in fragments:
            origin = self.graph.origin(fragment)
            if origin.kind not in _OUTERMOST:
                yield origin

    def _trees(
        self, name: str, select: Select, alias: str
    ) -> Iterator[tuple[Asker | None, str, exp.Expr]]:
        """The expressions of a SELECT, each with who asks, or with the column that it is of the SELECT."""
        for position, (column, value) in enumerate(select.columns):
            if name == ROOT:
                output = self.query.outputs[position]
                yield Asker("column", output.column.name, output.at), "", value
            elif value not in select.group_by:
                yield None, column, value
        for condition in (*select.where, *select.having):
            yield self._of_condition(condition), "", condition
        for position, key in enumerate(select.order):
            if position < len(self.definition.sort):
                text = self.definition.sort[position]
                at = self.definition.locate("sort", position)
                yield Asker("sort key", text, at), "", key.this
        if select.rank_by is not None and (use := self.graph.chosen_by(name)) is not None:
            yield Asker("choice of join", str(use), use.at), "", select.rank_by
        if not select.start.is_table and name in self.graph.branches:
            asker = self._of_branch(self.graph.branches[name][1])
            yield from ((asker, "", key) for key in select.group_by)
        for join in joins_of(select):
            if join.to.alias != alias and join.on is not None:
                yield self._of_to(join.to), "", join.on

    def _of_condition(self, condition: exp.Expr) -> Asker:
        written = fragments_of(condition)
        if not written:
            return Asker("condition", "", self.definition.locate_name())
        origin = self.graph.origin(written[-1])
        return Asker(origin.kind, origin.name or origin.sql, origin.at)

    def _of_to(self, to: From) -> Asker:
        use = self.graph.join_at(to)
        if use is not None:
            return Asker("join", str(use), use.at)
        if isinstance(to.use, Branch):
            return self._of_branch(to.use)
        return Asker("join", to.alias, self.definition.locate_name())

    def _of_branch(self, branch: Branch) -> Asker:
        chain = self.graph.chain(branch)
        path = ".".join([chain[0].source.name, *(use.name for use in chain)])
        return Asker("branch", path, chain[0].at)


_OUTERMOST = ("column", "set", "filter", "having", "sort key", "where of data source")
