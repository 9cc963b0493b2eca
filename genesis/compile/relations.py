"""The rows of a data source that count, each as one relation of the report.

Newest records first (`latest`), then what its `where` and its required joins let through, then,
behind a `pick`, one row of many. No filter of a report ever gets below the choice of newest records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlglot import exp

from genesis.compile.compare import comparable
from genesis.compile.expression import Fragment, paths_in
from genesis.compile.functions.calls import operand
from genesis.compile.identifiers import Names
from genesis.compile.infer import is_nullable
from genesis.compile.joins import key_pairs, raw_column
from genesis.compile.query import Block, Node, Relation, ordered, with_ties
from genesis.compile.scope import Scope, is_broken, split_direction
from genesis.compile.structure import read_query
from genesis.compile.survey import survey
from genesis.compile.trees import copied
from genesis.document import Path
from genesis.spec.data_source import DataSource

if TYPE_CHECKING:
    from genesis.compile.bind import Binder


class Relations:
    """The relations of one report, each made once."""

    def __init__(self, binder: Binder) -> None:
        self._binder = binder
        self._made: dict[str, Relation] = {}
        self._bases: dict[str, Relation] = {}
        self._chosen: dict[tuple[str, str], Relation | None] = {}
        self._making: list[str] = []
        self._choosing: list[tuple[str, str]] = []
        # A CTE must not hide a table that is read by its bare name.
        self.names = Names(survey(binder.project).bare_tables)

    def of(self, source: DataSource) -> Relation:
        """The rows of a data source."""
        if source.name not in self._made:
            self._made[source.name] = self._make(source)
        return self._made[source.name]

    def through(self, source: DataSource, join_name: str) -> Relation | None:
        """The rows that a join may lead to."""
        target = self._binder.target(source, join_name)
        if target is None:
            return None
        join = source.joins[join_name]
        if join.pick is None and join.as_of is None:
            return self.of(target)
        key = (source.name, join_name)
        if key in self._choosing:
            self._tell_self(source, join_name)
            return None
        if key not in self._chosen:
            self._choosing.append(key)
            choose = self._by_key if self._is_by_key(source, join_name) else self._by_record
            self._chosen[key] = choose(source, join_name, target)
            self._choosing.pop()
        return self._chosen[key]

    def _is_by_key(self, source: DataSource, join_name: str) -> bool:
        """Whether all records with one key have the same row: nothing in the choice is the record's own."""
        join = source.joins[join_name]
        if join.as_of is not None or join.sql is not None:
            return False
        if join.where is None:
            return True
        tree = self._binder.parse(Fragment(join.where, source, ("joins", join_name, "where")))
        return tree is None or all(steps[0].name == join_name for _, steps in paths_in(tree))

    def reads(self) -> dict[str, frozenset[str]]:
        """The raw columns that are read so far, by data source."""
        found: dict[str, frozenset[str]] = {}
        for relation in (*self._made.values(), *self._bases.values()):
            known = found.setdefault(relation.source.name, frozenset())
            if relation.block is None:
                found[relation.source.name] = known | relation.columns
        return found

    def _make(self, source: DataSource) -> Relation:
        required = [name for name, join in source.joins.items() if join.required]
        if source.where is None and not required:
            return self._base(source, source.name)
        base = self._unfiltered(source)
        if source.name in self._making:
            self._tell_circle(source)
            return base
        self._making.append(source.name)
        block = Block()
        root = block.start(source.name, base)
        relation = Relation(source, self.names.take(source.name), over=base, block=block)
        for name in required:
            node = self._binder.join_to_one(root, name)
            if node is not None:
                node.inner, node.optional = True, False
        if source.where is not None:
            fragment = Fragment(source.where, source, ("where",))
            scope = Scope(fragment, {(): root}, source, is_condition=True)
            block.where.append(self._binder.bind(scope))
        self._making.pop()
        return relation

    def _unfiltered(self, source: DataSource) -> Relation:
        """The rows of a data source before its `where` and what it requires."""
        if source.name not in self._bases:
            name = f"{source.name}_newest" if source.latest else f"{source.name}_all"
            self._bases[source.name] = self._base(source, name)
        return self._bases[source.name]

    def _base(self, source: DataSource, name: str) -> Relation:
        if source.sql is not None:
            query = read_query(self._binder.project, source, self._binder.problems)
            return Relation(source, self.names.take(name), query=query or exp.Select())
        if source.latest is not None:
            return Relation(source, self.names.take(name), latest=source.latest)
        return Relation(source, source.table or "")

    def _tell_circle(self, source: DataSource) -> None:
        ring = self._making[self._making.index(source.name) :]
        start = ring.index(min(ring))
        ring = [*ring[start:], *ring[:start]]
        around = " -> ".join(f"`{name}`" for name in (*ring, ring[0]))
        at = self._binder.project.data_sources[ring[0]].locate_name()
        message = f"which rows a data source has depends on itself: {around}"
        self._binder.problems.add("cycle", message, at)

    def _tell_self(self, source: DataSource, join_name: str) -> None:
        at = source.locate_key("joins", join_name)
        message = f"which row `{source.name}.{join_name}` leads to depends on itself"
        self._binder.problems.add("cycle", message, at)

    # --- one of many ----------------------------------------------------------------------------

    def _by_key(self, source: DataSource, join_name: str, target: DataSource) -> Relation | None:
        """Of the rows of each key, the one that a `pick` sorts first."""
        over = self.of(target)
        block = Block()
        root = block.start(target.name, over)
        where = source.joins[join_name].where
        if where is not None:
            fragment = Fragment(where, source, ("joins", join_name, "where"))
            scope = Scope(fragment, {(join_name,): root}, source, is_condition=True)
            block.where.append(self._binder.bind(scope))
        there = [self._binder.field(root, there) for _, there in key_pairs(source.joins[join_name])]
        name = self.names.take(f"{source.name}_{join_name}")
        return self._first(
            Relation(target, name, over=over, block=block), root, source, join_name, there
        )

    def _by_record(self, source: DataSource, join_name: str, target: DataSource) -> Relation | None:
        """For each record the row that is valid at its moment, or that sorts first among those it joins.

        The records are taken unfiltered: what is chosen for one may decide whether it counts.
        """
        block = Block()
        root = block.start(source.name, self._unfiltered(source))
        row = root.start_join(join_name, self.of(target))
        on = self._binder.key_condition(root, join_name, row)
        on += self._binder.join_where(root, join_name, row)
        on += self._interval(source, join_name, root, row)
        root.finish_join(join_name, row, exp.and_(*on, copy=False))
        row.inner = True
        name = self.names.take(f"{source.name}_{join_name}")
        columns = Names(frozenset(raw_column(target, field) for field in target.fields))
        record = {
            columns.take(f"{source.name}_{key}"): self._binder.field(root, key)
            for key in source.primary_key
        }
        block.outputs.update(record)
        relation = Relation(target, name, block=block, chosen=row, record_key=tuple(record))
        keys = [copied(key) for key in record.values()]
        return self._first(relation, row, source, join_name, keys)

    def _first(
        self,
        relation: Relation,
        row: Node,
        source: DataSource,
        join_name: str,
        among: list[exp.Expr],
    ) -> Relation | None:
        """The relation, of whose rows only the first among equal values is kept."""
        join = source.joins[join_name]
        if join.as_of is not None:  # of overlapping rows the latest `from` wins
            start = self._of_row(source, join_name, ("as_of", "from"), join.as_of.from_, row)
            order = [ordered(start, descending=True)]
        else:
            sort = join.pick.sort if join.pick else ()
            order = [self._sort_key(source, join_name, n, text, row) for n, text in enumerate(sort)]
        if any(map(is_broken, order)):
            return None
        keys = [self._binder.field(row, name) for name in row.source.primary_key]
        relation.ranked_by = exp.Window(
            this=exp.RowNumber(),
            partition_by=among,
            order=exp.Order(expressions=with_ties(order, keys)),
        )
        return relation

    def _sort_key(
        self, source: DataSource, join_name: str, position: int, written: str, row: Node
    ) -> exp.Ordered:
        text, descending = split_direction(written)
        bound = self._of_row(source, join_name, ("pick", "sort", position), text, row)
        return ordered(bound, descending=descending)

    def _of_row(
        self, source: DataSource, join_name: str, path: Path, text: str, row: Node
    ) -> exp.Expr:
        """A fragment of a join that speaks of the joined row alone."""
        fragment = Fragment(text, source, ("joins", join_name, *path))
        return self._binder.bind(Scope(fragment, {(): row}, row.source))

    def _interval(
        self, source: DataSource, join_name: str, root: Node, row: Node
    ) -> Iterator[exp.Expr]:
        """That a record's moment is in a row's half-open interval; a NULL end is open."""
        as_of = source.joins[join_name].as_of
        if as_of is None:
            return
        fragment = Fragment(as_of.at, source, ("joins", join_name, "as_of", "at"))
        at = self._binder.bind(Scope(fragment, {(): root}, source))
        start = self._of_row(source, join_name, ("as_of", "from"), as_of.from_, row)
        # A key that starts with the interval is NULL in the data where it has no start.
        declared = row.source.fields.get(as_of.from_)
        may_be_open = is_nullable(start) or (declared is not None and declared.nullable)
        ends: list[tuple[exp.Expr, type[exp.Binary], str, bool]] = [
            (start, exp.LTE, "from", may_be_open)
        ]
        if as_of.to is not None:
            end = self._of_row(source, join_name, ("as_of", "to"), as_of.to, row)
            ends.append((end, exp.GT, "to", is_nullable(end)))
        if is_nullable(at):
            yield exp.Not(this=exp.Is(this=copied(at), expression=exp.Null()))
        for end, compare, key, may_be_open in ends:
            place = source.locate("joins", join_name, "as_of", key)
            sides = comparable(copied(end), copied(at), place, self._binder.problems)
            is_within = compare(this=operand(sides[0]), expression=operand(sides[1]))
            is_open = exp.Is(this=operand(end), expression=exp.Null())
            yield exp.or_(is_open, is_within, copy=False) if may_be_open else is_within
