"""A summary: one row for each combination of the columns that are values of one record.

Two shapes of SQL. Where only the source's own rows are aggregated, their block groups itself. Where
related rows are too, the records get the number of their group (`gid`), and both the records and
each branch of pairs (record, related row) are aggregated by it: right for every aggregate and for
NULL groups, where re-aggregating what each record has is not. The surprise: which of the two it is
shows only at the end. Until then an own aggregate is a column of groups that do not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from sqlglot import exp

from genesis.compile.identifiers import Names, column
from genesis.compile.infer import is_nullable, type_of, typed
from genesis.compile.joins import raw_column
from genesis.compile.query import Block, Branch, Relation, ordered
from genesis.compile.trees import copied, rebuilt

GROUPS = "groups"


class Grouped(NamedTuple):
    """A finished summary: the block whose rows it is, and what a bound value is among them.

    `kept` are the conditions that choose among the rows.
    """

    block: Block
    seen: Callable[[exp.Expr], exp.Expr]
    kept: list[exp.Expr]


class Summary:
    """The groups of a report in the making.

    `records` are the rows that are grouped, `groups` the values they are grouped by, by column name,
    `own` the aggregates over them, `branches` those over what chains of joins pair them with.
    """

    def __init__(
        self, records: Block, groups: Mapping[str, exp.Expr], names: Names, aliases: Names
    ) -> None:
        self.records, self.groups, self._names = records, groups, names
        root = records.root
        raw = frozenset(raw_column(root.source, name) for name in root.source.fields)
        self._exported = Names(raw)
        self._exports: dict[exp.Expr, str] = {}
        self.branches: dict[tuple[str, ...], Branch] = {}
        self._gid = self._exported.take("gid")
        self._numbered = Relation(
            root.source,
            names.take(f"{root.source.name}_records"),
            over=root.relation,
            block=records,
        )
        own = Block()
        taken = Names(frozenset((self._gid, *groups)))
        grouped = Relation(root.source, names.take(f"{root.source.name}_{GROUPS}"), block=own)
        self._block = Block(aliases=aliases)
        self._groups = self._block.start(GROUPS, grouped)
        self.own = Branch(
            grouped.name, self._groups.alias, root, own, {(): root}, exp.true(), (), (), taken,
            is_complete=True,
        )  # fmt: skip

    def branch(self, chain: Iterable[str]) -> Branch:
        """A branch that starts at the grouped records: what is joined to them is paired with them."""
        block = Block()
        root = block.start(self._numbered.source.name, self._numbered)
        name = self._names.take("_".join((*chain, "per_group")))
        alias = self._block.aliases.take(name)
        on: exp.Expr = exp.true()
        if self.groups:
            number = column(self._gid, root.alias)
            block.outputs[self._gid] = number
            block.group_by.append(copied(number))
            on = exp.EQ(
                this=column(self._gid, self._groups.alias), expression=column(self._gid, alias)
            )
        taken = Names(frozenset(block.outputs))
        branch = Branch(name, alias, self._groups, block, {(): root}, on, (), (), taken)
        self._groups.below.append(branch)
        return branch

    def ungrouped(self, value: exp.Expr) -> exp.Column | None:
        """A column in a value that may differ between the records of a group, or `None`."""
        if value in self.groups.values():
            return None
        if isinstance(value, exp.Column):
            is_of_groups = value.table == self._groups.alias
            return None if is_of_groups or self._is_of_branch(value) else value
        found = map(self.ungrouped, value.iter_expressions())
        return next((one for one in found if one is not None), None)

    def _is_of_branch(self, value: exp.Column) -> bool:
        return any(isinstance(part, Branch) and part.alias == value.table for part in self._groups.below)  # fmt: skip

    def finish(self) -> Grouped:
        """The summary, once all that is asked of it is known."""
        return self._by_number() if self._groups.below else self._by_itself()

    def _by_itself(self) -> Grouped:
        """The records, grouped where they are selected."""
        calls = self.own.block.outputs

        def call(part: exp.Expr) -> exp.Expr | None:
            is_own = isinstance(part, exp.Column) and part.table == self._groups.alias
            return copied(calls[part.name]) if is_own else None

        self.records.group_by += [copied(value) for value in self.groups.values()]
        return Grouped(self.records, lambda value: _replaced(value, call), self.records.having)

    def _by_number(self) -> Grouped:
        """The records with the number of their group, and all that is aggregated by it."""
        own = self.own.block
        alias = own.start(self._numbered.source.name, self._numbered).alias

        def of_record(part: exp.Expr) -> exp.Expr | None:
            return self._export(part, part.name, alias) if isinstance(part, exp.Column) else None

        calls = {name: _replaced(call, of_record) for name, call in own.outputs.items()}
        own.outputs.clear()
        if self.groups:
            order = exp.Order(
                expressions=[ordered(copied(value)) for value in self.groups.values()]
            )
            rank = exp.Window(this=exp.Anonymous(this="DENSE_RANK"), order=order)
            self.records.outputs[self._gid] = rank
            own.outputs[self._gid] = column(self._gid, alias)
            own.group_by.append(column(self._gid, alias))
        for name, value in self.groups.items():
            own.outputs[name] = exp.AnyValue(this=self._export(value, name, alias))
        own.outputs.update(calls or {"records": exp.Count(this=exp.Star())})
        names = {value: name for name, value in self.groups.items()}

        def group(part: exp.Expr) -> exp.Expr | None:
            return column(names[part], self._groups.alias) if part in names else None

        return Grouped(self._block, lambda value: _replaced(value, group), self._block.where)

    def _export(self, value: exp.Expr, wish: str, alias: str) -> exp.Column:
        """A value of a record as a column of the numbered records."""
        if isinstance(value, exp.Column) and value.table == self.records.root.alias:
            self._numbered.need(value.name)
            return column(value.name, alias)
        if value not in self._exports:
            self._exports[value] = self._exported.take(wish)
            self.records.outputs[self._exports[value]] = copied(value)
        return column(self._exports[value], alias)


def _replaced(tree: exp.Expr, replacement: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    """A copy of a tree in which parts are replaced, the outermost first; types stay."""

    def replaced(part: exp.Expr) -> exp.Expr | None:
        found = replacement(part)
        return found and typed(found, type_of(part), nullable=is_nullable(part))

    return rebuilt(tree, replaced)
