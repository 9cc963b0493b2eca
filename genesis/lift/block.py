"""A query as relations, conditions and outputs: derived tables are merged, names are bound.

What SQL nests and names, a `Block` holds flat: each column is one of a table's use, known by that
use's number. Refused by name is what has no meaning as one tree of joins: set operations, window functions
other than a rank whose first row is kept, cross joins and the like. The surprise: subqueries in expressions become
calls of `__any`, `__in` and `__value` with a number, whose blocks `Block.inner` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

from genesis.lift.facts import ByHand, Facts, seen

RANK = "__rank"
KEY = "__key"  # of a use: the field that is NULL where the use has no row
Kind = Literal["inner", "left", "cross"]


@dataclass
class Ranked:
    """A relation of which one row for each value of `keys` is kept: the first in an order."""

    keys: list[str]
    order: list[tuple[str, bool]]
    where: list[exp.Expr]


@dataclass
class Use:
    """One use of a table. `on` are the conditions of a left join, bound."""

    id: str
    alias: str
    table: str
    kind: Kind
    node: exp.Expr
    on: list[exp.Expr] = field(default_factory=list)
    ranked: Ranked | None = None
    is_picked: bool = False
    grouped: Block | None = None


@dataclass
class Output:
    """A column of a query's result: its name as people see it, and what it is."""

    label: str
    value: exp.Expr
    is_named: bool


@dataclass
class Order:
    """A key of `ORDER BY`: an output by its place, or an expression."""

    value: exp.Expr | int
    descending: bool
    nulls_first: bool
    node: exp.Expr


@dataclass
class Block:
    """One SELECT, flat."""

    uses: dict[str, Use] = field(default_factory=dict)
    where: list[exp.Expr] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    group: list[exp.Expr] | None = None
    having: list[exp.Expr] = field(default_factory=list)
    distinct: bool = False
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    inner: dict[int, Block] = field(default_factory=dict)
    query: exp.Expr | None = None

    @property
    def aggregates(self) -> bool:
        """Whether its rows are groups."""
        values = [output.value for output in self.outputs] + self.having
        return self.group is not None or any(map(has_aggregate, values))

    @property
    def is_plain(self) -> bool:
        """Whether it can be merged into the query that reads it."""
        return not (self.aggregates or self.distinct or self.limit)


def has_aggregate(value: exp.Expr) -> bool:
    """Whether an expression aggregates rows of its own query."""
    return value.find(exp.AggFunc) is not None


def conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """The conditions that all have to hold, without the parentheses round them."""
    if condition is None:
        return []
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return [*conjuncts(condition.this), *conjuncts(condition.expression)]
    if isinstance(condition, exp.Or):
        return _factored(condition)
    return [condition]


def _factored(condition: exp.Or) -> list[exp.Expr]:
    """`(a and b) or (a and c)` as `a`, `b or c`: so a join that stands in each branch is seen."""
    branches = [conjuncts(branch) for branch in condition.flatten()]
    shared = [one for one in branches[0] if all(one in branch for branch in branches[1:])]
    rests = [[one for one in branch if one not in shared] for branch in branches]
    if not shared or not all(rests):
        return shared or [condition]
    return [*shared, exp.or_(*(exp.and_(*rest, copy=False) for rest in rests), copy=False)]


def uses_of(value: exp.Expr, block: Block) -> set[str]:
    """The uses whose columns an expression reads, within its subqueries too."""
    found = {column.table for column in value.find_all(exp.Column)}
    for call in value.find_all(exp.Anonymous):
        if (number := inner_number(call)) is not None:
            sub = block.inner[number]
            parts = [*sub.where, *(o.value for o in sub.outputs), *sub.having]
            parts += [one for use in sub.uses.values() for one in use.on]
            for part in parts:
                found |= uses_of(part, sub) - sub.uses.keys()
    return found


def is_constant(block: Block) -> bool:
    """Whether a subquery gives the same for every row of the query that it stands in."""
    parts = [*block.where, *(o.value for o in block.outputs), *block.having]
    parts += [one for use in block.uses.values() for one in use.on]
    return all(uses_of(part, block) <= block.uses.keys() for part in parts)


def inner_number(call: exp.Expr) -> int | None:
    """The number of the block that a call stands for."""
    if isinstance(call, exp.Anonymous) and call.name in ("__any", "__in", "__value"):
        return int(call.expressions[0].this)
    return None


def is_there(use: str) -> exp.Expr:
    """Whether a row of a use was found."""
    return exp.Not(this=exp.Is(this=exp.column(KEY, use), expression=exp.null()))


def _or_null(value: exp.Expr, use: Use) -> exp.Expr:
    """What a derived table's column is where a left join finds no row of it."""
    if isinstance(value, exp.Column):
        return value
    return exp.Case(ifs=[exp.If(this=is_there(use.id), true=value)])


_Outputs = dict[str, exp.Expr]


@dataclass
class _Item:
    """What a name in FROM stands for; a table whose columns are not known has any."""

    alias: str
    outputs: _Outputs
    labels: dict[str, str]
    use: Use | None = None

    def find(self, name: str) -> exp.Expr | None:
        if name.lower() in self.outputs:
            return self.outputs[name.lower()].copy()
        if self.use is not None and not self.outputs:
            return exp.column(name.lower(), self.use.id)
        return None


def read_block(query: exp.Expr, facts: Facts) -> Block:
    """A query, flat. Raises `ByHand`."""
    return _Reader(facts).read(query, {}, [])


class _Reader:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._uses = 0
        self._inner = 0

    def read(self, query: exp.Expr, ctes: Mapping[str, exp.Expr], outer: list[_Item]) -> Block:
        query = query.unnest()
        if isinstance(query, exp.SetOperation):
            word = type(query).__name__.upper()
            raise ByHand(
                f"{word} puts queries below one another",
                word,
                hint="lift each branch by itself into an input of its own, or make the union a data source with `sql`",
            )
        if not isinstance(query, exp.Select):
            raise ByHand("it is no SELECT", query, hint="keep the query of the report alone")
        return _SelectReader(self, self._facts, query, ctes, outer).read()

    def next_use(self) -> str:
        self._uses += 1
        return f"u{self._uses}"

    def next_inner(self) -> int:
        self._inner += 1
        return self._inner


class _SelectReader:
    """Reads one SELECT; what it finds is in `block`."""

    def __init__(
        self,
        reader: _Reader,
        facts: Facts,
        select: exp.Select,
        ctes: Mapping[str, exp.Expr],
        outer: list[_Item],
    ) -> None:
        self._reader = reader
        self._facts = facts
        self._select = select
        self._outer = outer
        self._ctes = dict(ctes)
        self._items: list[_Item] = []
        self._merged: dict[str, tuple[exp.Expr, int]] = {}
        self.block = Block()

    def read(self) -> Block:
        select, block = self._select, self.block
        self._refuse_parts()
        with_ = select.args.get("with_") or exp.With(expressions=[])
        for cte in with_.expressions:
            if with_.args.get("recursive"):
                raise ByHand("a recursive WITH", cte, hint="make it a data source with `sql`")
            self._ctes[cte.alias.lower()] = cte.this
        from_ = select.args.get("from_")
        if from_ is None:
            raise ByHand("it reads no table", select)
        self._add(from_.this, "inner")
        for join in select.args.get("joins") or ():
            self._join(join)
        for one in conjuncts(self._condition("where")):
            block.where.append(self._bind(one))
        self._read_outputs()
        self._read_groups()
        block.having = [self._bind(one, own=True) for one in conjuncts(self._condition("having"))]
        qualify = [self._bind(one, own=True) for one in conjuncts(self._condition("qualify"))]
        block.where = [one for one in (*block.where, *qualify) if not self._takes_rank(one)]
        block.distinct = select.args.get("distinct") is not None
        if block.distinct and select.args["distinct"].args.get("on"):
            raise ByHand(
                "DISTINCT ON", "DISTINCT", hint="use ROW_NUMBER() ... = 1, or a join's `pick`"
            )
        self._read_order()
        return block

    # --- clauses ----------------------------------------------------------------------------------

    def _refuse_parts(self) -> None:
        for key, what in _UNSAID.items():
            if self._select.args.get(key):
                raise ByHand(what, self._select.args[key] if key != "laterals" else "LATERAL")

    def _condition(self, clause: str) -> exp.Expr | None:
        found = self._select.args.get(clause)
        return found.this if found is not None else None

    def _read_outputs(self) -> None:
        for node in self._select.expressions:
            if isinstance(node, exp.Star) or (
                isinstance(node, exp.Column) and isinstance(node.this, exp.Star)
            ):
                self._read_star(node)
                continue
            value = self._bind(node.unalias())
            label = node.alias or node.output_name or node.sql(normalize_functions="lower")
            self.block.outputs.append(Output(label, value, bool(node.alias or node.output_name)))

    def _read_star(self, node: exp.Expr) -> None:
        star = node.this if isinstance(node, exp.Column) else node
        if star.args.get("except_") or star.args.get("replace") or star.args.get("rename"):
            raise ByHand("`*` with exceptions", node, hint="list the columns")
        wanted = node.table.lower() if isinstance(node, exp.Column) else None
        for item in self._items:
            if wanted not in (None, item.alias):
                continue
            if not item.outputs:
                message = f"`*` of `{item.alias}`, whose columns nobody knows here"
                raise ByHand(message, node, hint="list the columns, or lift where the tables are")
            for name, value in item.outputs.items():
                if name != RANK:
                    self.block.outputs.append(
                        Output(item.labels.get(name, name), value.copy(), True)
                    )

    def _read_groups(self) -> None:
        group = self._select.args.get("group")
        if group is None:
            return
        for node in group.expressions:
            if word := _GROUPINGS.get(type(node)):
                raise ByHand(
                    f"{word} makes several groupings", word, hint="one input for each grouping"
                )
        if group.args.get("all"):
            self.block.group = [
                o.value.copy() for o in self.block.outputs if not has_aggregate(o.value)
            ]
            return
        self.block.group = [self._by_place(node, grouped=True) for node in group.expressions]

    def _by_place(self, node: exp.Expr, *, grouped: bool) -> exp.Expr:
        """An expression of GROUP BY: `2` is the second output, a name that no table has one's alias."""
        if isinstance(node, exp.Literal) and not node.is_string:
            return self._output(int(node.this), node).value.copy()
        try:
            return self._bind(node)
        except ByHand:
            place = self._aliased(node)
            if place is None or not grouped:
                raise
            return self.block.outputs[place].value.copy()

    def _output(self, place: int, node: exp.Expr) -> Output:
        if not 1 <= place <= len(self.block.outputs):
            raise ByHand(f"there is no column {place}", node)
        return self.block.outputs[place - 1]

    def _aliased(self, node: exp.Expr) -> int | None:
        """The place of the output that a bare name is the alias of."""
        if not isinstance(node, exp.Column) or node.table:
            return None
        names = [output.label.lower() for output in self.block.outputs]
        return names.index(node.name.lower()) if node.name.lower() in names else None

    def _read_order(self) -> None:
        order = self._select.args.get("order")
        for node in order.expressions if order else ():
            self.block.order.append(
                Order(
                    self._order_key(node.this),
                    bool(node.args.get("desc")),
                    bool(node.args.get("nulls_first")),
                    node,
                )
            )
        limit = self._select.args.get("limit")
        if self._select.args.get("offset"):
            raise ByHand("OFFSET leaves rows out", "OFFSET", hint="a tracker shows all pages")
        if limit is not None:
            count = limit.args.get("expression") or limit.args.get("count")
            if not isinstance(count, exp.Literal):
                raise ByHand("a LIMIT that is no number", limit)
            self.block.limit = int(count.this)

    def _order_key(self, node: exp.Expr) -> exp.Expr | int:
        if isinstance(node, exp.Literal) and not node.is_string:
            self._output(int(node.this), node)
            return int(node.this) - 1
        place = self._aliased(node)
        if place is not None:
            return place
        value = self._bind(node, own=True)
        for number, output in enumerate(self.block.outputs):
            if output.value == value:
                return number
        return value

    # --- FROM -------------------------------------------------------------------------------------

    def _join(self, join: exp.Join) -> None:
        side, kind, method = (join.args.get(key) or "" for key in ("side", "kind", "method"))
        word = " ".join(filter(None, [method, side, kind])).upper()
        if method or side not in ("", "LEFT") or kind not in ("", "INNER", "OUTER", "CROSS"):
            hint = (
                "write it as a LEFT JOIN from the table that stays whole"
                if side in ("RIGHT", "FULL")
                else ""
            )
            raise ByHand(f"{word} JOIN", word.split()[0], hint=hint)
        if isinstance(join.this, exp.Lateral | exp.Unnest):
            raise ByHand(
                "a table that is computed for each row (UNNEST, LATERAL)",
                join.this,
                hint="make the unnested rows a data source with `sql`",
            )
        how: Kind = "left" if side == "LEFT" else "inner"
        before = len(self._items)
        self._add(join.this, how)
        using = join.args.get("using") or ()
        conditions = [self._use_column(name, before) for name in using]
        conditions += [self._bind(one) for one in conjuncts(join.args.get("on"))]
        self._place(conditions, how, before)

    def _place(self, conditions: list[exp.Expr], how: Kind, before: int) -> None:
        """The conditions of a join: those of an inner one choose rows as WHERE does."""
        if how == "inner":
            self.block.where += conditions
            return
        added = self._items[before]
        seen(added.use).on += [one for one in conditions if not self._takes_rank(one)]

    def _use_column(self, name: exp.Expr, before: int) -> exp.Expr:
        """The equality that `USING (name)` means."""
        right = self._items[before].find(name.name)
        known = self._merged.get(name.name.lower())
        left = [
            found for item in self._items[:before] if (found := item.find(name.name)) is not None
        ]
        if right is None or not left:
            raise ByHand(f"`USING ({name.name})`: not both sides have that column", name)
        if known is None and len(left) > 1:
            tables = " and ".join(
                f"`{i.alias}`" for i in self._items[:before] if i.find(name.name) is not None
            )
            raise ByHand(
                f"`USING ({name.name})` may mean the column of {tables}",
                name,
                hint=f"write `ON` with the table that is meant, such as `ON {self._items[0].alias}.{name.name} = ...`",
            )
        first = known[0].copy() if known else left[0]
        self._merged[name.name.lower()] = (first.copy(), before)
        return exp.EQ(this=first, expression=right)

    def _add(self, node: exp.Expr, kind: Kind) -> None:
        alias = node.alias_or_name.lower()
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            raise ByHand("a table function", node, hint="make it a data source with `sql`")
        if any(item.alias == alias for item in self._items):
            raise ByHand(f"two tables are called `{alias}`", node)
        if isinstance(node, exp.Table) and not (not node.db and node.name.lower() in self._ctes):
            self._items.append(self._table(node, alias, kind))
        elif isinstance(node, exp.Table):
            name = node.name.lower()
            seen = dict(list(self._ctes.items())[: list(self._ctes).index(name)])
            self._derived(self._ctes[name], seen, alias, kind, node)
        elif isinstance(node, exp.Subquery):
            if node.args.get("joins"):
                raise ByHand("joins in parentheses", node, hint="write them one after another")
            self._derived(node.this, self._ctes, alias, kind, node)
        else:
            raise ByHand(
                f"{type(node).__name__.upper()} in FROM",
                node,
                hint="make it a data source with `sql`",
            )

    def _table(self, node: exp.Table, alias: str, kind: Kind) -> _Item:
        name = ".".join(_part(part) for part in node.parts)
        use = Use(self._reader.next_use(), alias, name, kind, node)
        self.block.uses[use.id] = use
        columns = self._facts.columns(name)
        labels = {column.lower(): column for column in columns}
        return _Item(alias, {c: exp.column(c, use.id) for c in labels}, labels, use)

    def _derived(
        self, query: exp.Expr, ctes: Mapping[str, exp.Expr], alias: str, kind: Kind, node: exp.Expr
    ) -> None:
        inner = self._reader.read(query, ctes, [])
        outputs = {output.label.lower(): output.value for output in inner.outputs}
        labels = {output.label.lower(): output.label for output in inner.outputs}
        if not inner.is_plain:
            use = Use(self._reader.next_use(), alias, "", kind, node, grouped=inner)
            self.block.uses[use.id] = use
            outputs = {name: exp.column(name, use.id) for name in outputs}
            self._items.append(_Item(alias, outputs, labels, use))
            return
        uses = list(inner.uses.values())
        if kind == "left":
            if len(uses) > 1:
                inside = [one for one in uses[1:] if one.kind != "left"]
                if inside or inner.where:
                    raise ByHand(
                        f"the derived table `{alias}` joins tables and is itself joined from the left",
                        node,
                        hint="join its tables one after another",
                    )
            uses[0].kind = "left"
            uses[0].on += inner.where
            outputs = {name: _or_null(value, uses[0]) for name, value in outputs.items()}
        else:
            self.block.where += inner.where
        self.block.uses.update(inner.uses)
        self.block.inner.update(inner.inner)
        self._items.append(_Item(alias, outputs, labels, uses[0]))

    # --- ranks ------------------------------------------------------------------------------------

    def _window(self, window: exp.Window) -> exp.Expr:
        """The column that stands for a rank."""
        ranks = isinstance(window.this, exp.RowNumber)
        partition = window.args.get("partition_by") or []
        uses = list(self.block.uses.values())
        order = window.args.get("order")
        if not ranks or not partition or order is None or len(uses) != 1 or uses[0].grouped:
            name = window.this.sql(normalize_functions="upper").split("(")[0]
            why = (
                "a window function"
                if not ranks
                else "a rank that is not one table's newest row for a key"
            )
            raise ByHand(
                f"{name}() OVER: {why}",
                window,
                hint="keep it in a data source with `sql`; a newest row is ROW_NUMBER() OVER (PARTITION BY key ORDER BY ...) = 1 of one table",
            )
        use = uses[0]
        keys = [self._bind(node) for node in partition]
        by = [(self._bind(node.this), bool(node.args.get("desc"))) for node in order.expressions]
        if not all(isinstance(one, exp.Column) for one in [*keys, *(one for one, _ in by)]):
            raise ByHand("a rank by an expression", window, hint="rank by plain columns")
        if use.ranked is None:
            order_by = [(one.name, descending) for one, descending in by]
            use.ranked = Ranked([one.name for one in keys], order_by, self.block.where)
            self.block.where = []
        return exp.column(RANK, use.id)

    def _takes_rank(self, condition: exp.Expr) -> bool:
        """Whether it is `rank = 1`, which the use then knows of."""
        column = condition.find(exp.Column) if isinstance(condition, exp.EQ | exp.LTE) else None
        if column is None or column.name != RANK:
            return False
        one = condition.expression if condition.this is column else condition.this
        if not (isinstance(one, exp.Literal) and one.this == "1"):
            raise ByHand(
                "a rank other than the first", condition, hint="keep it in a data source with `sql`"
            )
        self.block.uses[column.table].is_picked = True
        return True

    # --- names ------------------------------------------------------------------------------------

    def _bind(self, node: exp.Expr, *, own: bool = False) -> exp.Expr:
        """The expression with each column bound; `own`: names of outputs may stand in it."""

        def bound(one: exp.Expr) -> exp.Expr:
            match one:
                case exp.Window():
                    return self._window(one)
                case exp.In() if one.args.get("query") is None:
                    return one
                case exp.Exists() | exp.In() | exp.Subquery():
                    return self._inner_call(one)
                case exp.Column():
                    return self._column(one, own)
            return one

        return node.transform(bound)

    def _column(self, column: exp.Column, own: bool) -> exp.Expr:
        table, name = column.table.lower(), column.name
        for items in (self._items, self._outer):
            found = [
                (item, value)
                for item in items
                if table in ("", item.alias) and (value := item.find(name)) is not None
            ]
            if not table and name.lower() in self._merged and items is self._items:
                return self._merged[name.lower()][0].copy()
            if len(found) > 1:
                tables = ", ".join(f"`{item.alias}`" for item, _ in found)
                hint = f"write the table before it, as in `{found[0][0].alias}.{name}`"
                raise ByHand(f"`{name}` may be a column of {tables}", column, hint=hint)
            if found:
                value = found[0][1]
                return exp.Paren(this=value) if isinstance(value, exp.Binary | exp.Not) else value
        if own and (place := self._aliased(column)) is not None:
            return self.block.outputs[place].value.copy()
        shown = f"{column.table}.{name}" if table else name
        raise ByHand(f"no table of the query has a column `{shown}`", column)

    def _whole(self, query: exp.Expr) -> exp.Expr:
        """A subquery with the common table expressions that it may read."""
        whole = query.unnest().copy()
        if self._ctes and not whole.args.get("with_"):
            ctes = [
                exp.CTE(this=one.copy(), alias=exp.TableAlias(this=exp.to_identifier(name)))
                for name, one in self._ctes.items()
            ]
            whole.set("with_", exp.With(expressions=ctes))
        return whole

    def _inner_call(self, node: exp.Expr) -> exp.Expr:
        query = node.this if isinstance(node, exp.Exists) else node
        tested = None
        if isinstance(node, exp.In):
            query, tested = node.args["query"], self._bind(node.this)
        inner = self._reader.read(query, self._ctes, [*self._items, *self._outer])
        inner.query = self._whole(query)
        number = self._reader.next_inner()
        self.block.inner[number] = inner
        calls: dict[type, str] = {exp.Exists: "__any", exp.In: "__in"}
        arguments: list[exp.Expr] = [exp.Literal.number(number)]
        if tested is not None:
            arguments.append(tested)
        return exp.Anonymous(this=calls.get(type(node), "__value"), expressions=arguments)


def _part(part: exp.Expr) -> str:
    name: str = part.name
    return name if name.replace("_", "a").isalnum() and name[:1].isalpha() else f'"{name}"'


_GROUPINGS: Mapping[type[exp.Expr], str] = {
    exp.Rollup: "ROLLUP",
    exp.Cube: "CUBE",
    exp.GroupingSets: "GROUPING SETS",
}
_UNSAID: Mapping[str, str] = {
    "laterals": "LATERAL",
    "windows": "a named WINDOW",
    "pivots": "PIVOT",
    "sample": "TABLESAMPLE",
    "into": "SELECT INTO",
    "connect": "CONNECT BY",
    "match": "MATCH_RECOGNIZE",
}
