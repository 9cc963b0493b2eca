"""Expressions of SQL in the language: columns as paths, subqueries as quantifiers and aggregates.

What an expression cannot say is refused by name. `/` of whole numbers, which cuts in Trino and does not in
DuckDB, becomes what the report's dialect means. The surprise: an aggregate of fewer rows is a `where`
of its item where the item is that aggregate alone, and a CASE in its argument elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from genesis.lift.block import (
    KEY,
    RANK,
    Block,
    conjuncts,
    has_aggregate,
    inner_number,
    is_constant,
    is_there,
)
from genesis.lift.facts import ByHand, seen
from genesis.lift.sources import Sources
from genesis.lift.tree import Node, Planner, Tree, rejects_null

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Median: "median",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
}
_WHOLE = {"integer"}


@dataclass
class Item:
    """What an expression becomes: its text, and the keys beside it."""

    text: str
    more: dict[str, Any] = field(default_factory=dict)
    is_path: bool = False


@dataclass
class Language:
    """Writes the expressions of one block."""

    sources: Sources
    block: Block
    tree: Tree
    dialect: str
    source_dialect: str
    todos: list[str]
    # In an aggregate over a subquery's rows, the conditions that choose them.
    rows: list[exp.Expr] = field(default_factory=list)
    base: Node | None = None
    is_grouped: bool = False

    # --- whole expressions ------------------------------------------------------------------------

    def item(self, value: exp.Expr) -> Item:
        """A column of the input."""
        value = value.unnest()
        if isinstance(value, exp.Column) and value.name != KEY:
            return Item(self.path(value), is_path=True)
        default = _default(value)
        if default is not None:
            inside = self._lone(value.this)
            if inside is not None:
                return Item(inside.text, {**inside.more, "default": default})
        lone = self._lone(value)
        return lone or Item(self.text(value))

    def text(self, value: exp.Expr) -> str:
        """An expression."""
        return self.write(self.translate(value))

    def write(self, tree: exp.Expr) -> str:
        """The text of an expression that is the language's already."""
        return str(tree.sql(dialect=self.dialect, normalize_functions="lower"))

    def conditions(self, conditions: Sequence[exp.Expr]) -> str:
        """Conditions that all have to hold, as one."""
        parts = [self.translate(one) for one in conditions]
        return self.write(_all(parts))

    def path(self, column: exp.Column) -> str:
        """The path of a column's field."""
        node = self._node(column)
        if column.name == RANK:
            raise ByHand(
                "a rank is shown or compared",
                column,
                hint="only `= 1` of a rank has a meaning here",
            )
        if column.name == KEY:
            name = node.source.primary_key[0]
        else:
            name = self.sources.field(node.source, column.name)
        return ".".join([*node.path, name])

    def _node(self, column: exp.Column) -> Node:
        node = self.tree.nodes.get(column.table)
        if node is None:
            raise ByHand(f"`{column.name}` is out of reach here", column)
        return node

    # --- parts ------------------------------------------------------------------------------------

    def translate(self, value: exp.Expr) -> exp.Expr:
        """The expression as a tree of the language."""

        def said(node: exp.Expr) -> exp.Expr:
            match node:
                case exp.Column():
                    return exp.var(self.path(node))
                case exp.Filter() | exp.AggFunc() | exp.ArrayToString() | exp.WithinGroup():
                    return self._aggregate(node)
                case exp.Not() if (call := _call(node.this, "__any", "__in")) is not None:
                    return self._quantifier(call, negated=True)
                case exp.Anonymous() if inner_number(node) is not None:
                    if node.name == "__value":
                        return self._value(node)
                    return self._quantifier(node, negated=False)
                case exp.CurrentDate():
                    return exp.Anonymous(this="today")
                case exp.CurrentTimestamp() | exp.CurrentDatetime():
                    return exp.Anonymous(this="now")
                case exp.Anonymous() if node.name.lower() == "now":
                    return exp.Anonymous(this="now")
                case exp.Div():
                    return self._division(node)
                case exp.IntDiv():
                    return self._call("int_div", node.this, node.expression)
                case exp.DateDiff() if _unit(node) == "day":
                    day = exp.Literal.string("day")
                    return self._call("date_diff", day, node.expression, node.this)
                case exp.DPipe():
                    return exp.DPipe(
                        this=self.translate(node.this), expression=self.translate(node.expression)
                    )
                case exp.TimeToStr() if isinstance(node.args.get("format"), exp.Literal):
                    return self._call("date_format", node.this, _mysql(node))
                case exp.Extract():
                    return self._call(node.name.lower(), node.expression)
                case exp.Placeholder() if node.name:
                    return exp.var(f":{node.name}")
                case exp.Placeholder() | exp.Parameter():
                    raise ByHand("a parameter without a name", node, hint="write it `:name`")
                case exp.TimestampTrunc() | exp.DateTrunc():
                    return self._call("date_trunc", exp.Literal.string(_unit(node)), node.this)
            return node

        return value.transform(said)

    def _call(self, name: str, *arguments: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this=name, expressions=[self.translate(one) for one in arguments])

    def _division(self, node: exp.Div) -> exp.Expr:
        if self.source_dialect == "trino":
            types = {self._type(node.this), self._type(node.expression)}
            if types <= _WHOLE:
                return self._call("int_div", node.this, node.expression)
            if None in types and not types & {"float", "decimal"}:
                self.todos.append(
                    f"`{node.sql(normalize_functions='lower')}`: Trino cuts the fraction where both are whole numbers; "
                    "here it is real division, write `int_div(a, b)` if that was meant"
                )
        return exp.Div(this=self.translate(node.this), expression=self.translate(node.expression))

    def _type(self, value: exp.Expr) -> str | None:
        """Whether a number is whole, as far as can be told."""
        value = value.unnest()
        match value:
            case exp.Literal():
                return (
                    "string"
                    if value.is_string
                    else "integer"
                    if value.this.isdigit()
                    else "decimal"
                )
            case exp.Count() | exp.CountIf():
                return "integer"
            case exp.Avg():
                return "float"
            case exp.Cast():
                to = value.to.sql("duckdb").lower()
                return "integer" if "int" in to else "decimal" if "decimal" in to else "float"
            case exp.Column() if value.name != KEY:
                type_ = self.sources.type_of(self._node(value).source, value.name)
                return type_.partition("(")[0] if type_ else None
            case (
                exp.Sum()
                | exp.Min()
                | exp.Max()
                | exp.Neg()
                | exp.Nullif()
                | exp.Coalesce()
                | exp.Filter()
            ):
                return self._type(value.this)
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
                types = {self._type(value.this), self._type(value.expression)}
                return (
                    "integer"
                    if types == {"integer"}
                    else next((t for t in ("float", "decimal") if t in types), None)
                )
            case exp.Case():
                return self._type(value.args["ifs"][0].args["true"])
        return None

    # --- subqueries -------------------------------------------------------------------------------

    def _within(self, number: int, *, extra: Sequence[exp.Expr] = ()) -> tuple[Block, Language]:
        """A subquery's block and what writes its expressions."""
        inner = self.block.inner[number]
        inner.where += [one.copy() for one in extra]
        planner = Planner(self.sources, self._words)
        tree = planner.inside(inner, self.tree.nodes)
        inside = Language(
            self.sources,
            inner,
            tree,
            self.dialect,
            self.source_dialect,
            self.todos,
            rows=tree.conditions,
        )
        own = [tree.nodes[use] for use in inner.uses]
        steps = max((node.steps for node in own), key=len)
        if any(step not in steps for node in own for step in node.steps):
            raise ByHand(
                "a subquery multiplies the rows of two tables", next(iter(inner.uses.values())).node
            )
        inside.base = steps[-1] if steps and steps[-1] in own else None
        return inner, inside

    def _words(self, conditions: list[exp.Expr], node: Node) -> str:
        tree = Tree({node.use.id: node}, [])
        inside = Language(
            self.sources, self.block, tree, self.dialect, self.source_dialect, self.todos
        )
        return inside.conditions(conditions)

    def _quantifier(self, call: exp.Expr, *, negated: bool) -> exp.Expr:
        number = seen(inner_number(call))
        block = self.block.inner[number]
        if block.limit and not block.order:
            block.limit = None
        if block.distinct:
            block.distinct = False
        if block.limit:
            raise ByHand("LIMIT in a subquery", next(iter(block.uses.values())).node)
        extra = []
        if call.name == "__in":
            if len(block.outputs) != 1:
                raise ByHand("IN of several columns", call)
            extra = [
                exp.EQ(this=call.expressions[1].copy(), expression=block.outputs[0].value.copy())
            ]
        if block.aggregates:
            return self._group_quantifier(number, extra, negated)
        _, inside = self._within(number, extra=extra)
        condition = inside._chosen()
        if inside.base is None:
            if not negated:
                return exp.paren(condition, copy=False)
            known = exp.Anonymous(this="coalesce", expressions=[condition, exp.false()])
            return self._not_in(call, exp.Not(this=known), negated)
        word = "none" if negated else "any"
        return self._not_in(call, exp.Anonymous(this=word, expressions=[condition]), negated)

    def _chosen(self) -> exp.Expr:
        """What has to hold of a row of the subquery."""
        conditions = [self.translate(one) for one in self.rows]
        if not conditions:
            node = self.base or next(self.tree.nodes[use] for use in self.block.uses)
            conditions = [self.translate(is_there(node.use.id))]
        elif self.base is None:
            use = next(iter(self.block.uses))
            if not any(rejects_null(one, use) for one in self.rows):
                conditions.insert(0, self.translate(is_there(use)))
        return _all(conditions)

    def _not_in(self, call: exp.Expr, said: exp.Expr, negated: bool) -> exp.Expr:
        """`NOT IN` is not true of a NULL, which `none` would let through."""
        if not negated or call.name != "__in":
            return said
        tested = call.expressions[1].unnest()
        if isinstance(tested, exp.Column):
            node = self._node(tested)
            if self.sources.is_required(node.source, self.sources.field(node.source, tested.name)):
                return said
        there = exp.Not(this=exp.Is(this=self.translate(tested), expression=exp.null()))
        return exp.paren(exp.and_(said, there, copy=False), copy=False)

    def _group_quantifier(self, number: int, extra: Sequence[exp.Expr], negated: bool) -> exp.Expr:
        """`x IN (SELECT key ... GROUP BY key HAVING ...)`: the groups of one key are its related rows."""
        block = self.block.inner[number]
        tied = [one.expression for one in extra] + [
            part
            for one in block.where
            if isinstance(one, exp.EQ)
            for part in (one.this, one.expression)
        ]
        group = block.group or []
        if negated or not group or not all(one in tied for one in group):
            raise ByHand(
                "a subquery that groups",
                next(iter(block.uses.values())).node,
                hint="make it a data source with `sql`",
            )
        having, block.group, block.having = block.having, None, []
        outputs, block.outputs = block.outputs, []
        _, inside = self._within(number, extra=extra)
        block.outputs = outputs
        conditions = [inside.translate(one) for one in having]
        if not having or any(one.find(exp.Count) for one in having):
            conditions.insert(0, exp.Anonymous(this="any", expressions=[inside._chosen()]))
        return _all(conditions)

    def _value(self, call: exp.Expr) -> exp.Expr:
        """A scalar subquery: an aggregate of related rows, or a column of the one."""
        number = seen(inner_number(call))
        block = self.block.inner[number]
        if is_constant(block) and (
            has_aggregate(block.outputs[0].value) or block.group is not None
        ):
            return exp.var(self.constant(block))
        if len(block.outputs) != 1 or block.group is not None or block.having:
            raise ByHand("a subquery that groups", call, hint="make it a data source with `sql`")
        value = block.outputs[0].value
        if not has_aggregate(value):
            return self._looked_up(number, block)
        block.limit = None
        _, inside = self._within(number)
        if inside.base is None:
            raise ByHand(
                "an aggregate over the one row that a key leads to",
                next(iter(block.uses.values())).node,
                hint="write the row's own column",
            )
        return (
            exp.paren(inside.translate(value), copy=False)
            if isinstance(value, exp.Binary)
            else inside.translate(value)
        )

    def constant(self, block: Block) -> str:
        """The path of a value that is the same for every row."""
        query = seen(block.query)
        moving = query.find(exp.Placeholder, exp.CurrentDate, exp.CurrentTimestamp)
        if moving is not None:
            raise ByHand(
                "a value of a whole table that depends on a parameter or the clock", moving
            )
        here = self.tree.root or next(iter(self.tree.nodes.values()))
        kind = type(block.outputs[0].value.unnest()).__name__.lower()
        name = f"{kind if kind in ('avg', 'sum', 'max', 'min', 'count') else 'value'}_of_{here.source.name}"
        return ".".join([*here.path, self.sources.constant(here.source, query, name), "value"])

    def _looked_up(self, number: int, block: Block) -> exp.Expr:
        """A subquery that finds one row: by its key, or the first in an order."""
        value = block.outputs[0].value
        if block.limit and block.order:
            raise ByHand(
                "the first row of a subquery in an order",
                block.order[0].node,
                hint="a join with `pick: {sort: ...}` has that row's columns",
            )
        _, inside = self._within(number)
        if inside.base is not None:
            raise ByHand(
                "a subquery that may find several rows",
                next(iter(block.uses.values())).node,
                hint="say which with an aggregate, or a join with `pick`",
            )
        found = inside.translate(value)
        if not inside.rows:
            return found
        use = next(iter(block.uses))
        rows = [one for one in inside.rows if one != is_there(use)]
        if not rows:
            return found
        return exp.Case(ifs=[exp.If(this=_all([*map(inside.translate, rows)]), true=found)])

    # --- aggregates -------------------------------------------------------------------------------

    def _lone(self, value: exp.Expr) -> Item | None:
        """An item that is one aggregate: its conditions are the item's `where`."""
        value = value.unnest()
        if isinstance(value, exp.Anonymous) and value.name == "__value":
            number = seen(inner_number(value))
            block = self.block.inner[number]
            if is_constant(block):
                return None
            if block.group is not None or len(block.outputs) != 1 or block.having:
                return None
            inside_value = block.outputs[0].value.unnest()
            default = _default(inside_value)
            if default is not None:
                inside_value = inside_value.this
            if not _is_lone_aggregate(inside_value):
                return None
            block.limit = None
            _, inside = self._within(number)
            if inside.base is None:
                return None
            item = inside._lone(inside_value)
            if item is not None and default is not None:
                item.more["default"] = default
            return item
        if not _is_lone_aggregate(value):
            return None
        where = list(self.rows)
        if isinstance(value, exp.Filter):
            where += conjuncts(value.expression.this)
            value = value.this
        if isinstance(value, exp.CountIf):
            where += conjuncts(value.this)
            value = exp.Count(this=exp.Star())
        text, more = self._plain_aggregate(value, [])
        if where:
            more = {**more, "where": self.conditions(where)}
        return Item(text, more)

    def _aggregate(self, node: exp.Expr) -> exp.Expr:
        """An aggregate within an expression."""
        where = list(self.rows)
        if isinstance(node, exp.Filter):
            where += conjuncts(node.expression.this)
            node = node.this
        if isinstance(node, exp.CountIf):
            where += conjuncts(node.this)
            node = exp.Count(this=exp.Star())
        text, more = self._plain_aggregate(node, where)
        if more:
            raise ByHand(
                f"`{node.sql(normalize_functions='lower')}` within an expression",
                node,
                hint="a `list`, `first` or `last` is a column of its own",
            )
        return exp.var(text)

    def _plain_aggregate(self, node: exp.Expr, where: list[exp.Expr]) -> tuple[str, dict[str, Any]]:
        """The text of an aggregate, and the keys that its item needs."""
        if isinstance(node, exp.Count):
            return self._count(node, where), {}
        for kind, name in _AGGREGATES.items():
            if isinstance(node, kind):
                argument = node.this
                if isinstance(argument, exp.Distinct):
                    if name not in ("min", "max"):
                        raise ByHand(
                            f"{name}(DISTINCT ...)",
                            node,
                            hint="each row counts once in the language",
                        )
                    argument = argument.expressions[0]
                return f"{name}({self._narrowed(argument, where)})", {}
        if isinstance(node, exp.WithinGroup | exp.GroupConcat | exp.ArrayToString):
            return self._list(node, where)
        if isinstance(node, exp.ArgMax | exp.ArgMin) and not where:
            word = " desc" if isinstance(node, exp.ArgMax) else ""
            return f"first({self.text(node.this)})", {"sort": [self.text(node.expression) + word]}
        name = node.sql(normalize_functions="upper").partition("(")[0]
        hints = {
            "ANY_VALUE": "take `min` or `max` of it, or group by it",
            "ARRAY_AGG": "`list` makes text of many values",
        }
        raise ByHand(
            f"the aggregate {name}",
            node,
            hint=hints.get(name, "keep it in a data source with `sql`"),
        )

    def _narrowed(self, argument: exp.Expr, where: list[exp.Expr]) -> str:
        if self.base is not None and not self._reaches_base(argument):
            argument = exp.Case(ifs=[exp.If(this=is_there(self.base.use.id), true=argument)])
        if not where:
            return self.text(argument)
        condition = _all([self.translate(one) for one in where])
        return self.write(exp.Case(ifs=[exp.If(this=condition, true=self.translate(argument))]))

    def _reaches_base(self, argument: exp.Expr) -> bool:
        columns = argument.find_all(exp.Column)
        return any(self.base in self._node(column).steps for column in columns)

    def _count(self, node: exp.Count, where: list[exp.Expr]) -> str:
        argument = node.this
        if isinstance(argument, exp.Distinct):
            if len(argument.expressions) > 1:
                raise ByHand("COUNT(DISTINCT a, b)", node, hint="count one column, such as a key")
            return f"count_distinct({self._narrowed(argument.expressions[0], where)})"
        counts_rows = argument is None or isinstance(argument, exp.Star | exp.Literal)
        if counts_rows and where:
            return f"count({self._narrowed(exp.Literal.number(1), where) if self.base is None else self._counted(where)})"
        if counts_rows:
            return f"count({'.'.join(self.base.path)})" if self.base else "count(*)"
        return f"count({self._narrowed(argument, where)})"

    def _counted(self, where: list[exp.Expr]) -> str:
        return self._narrowed(exp.column(KEY, seen(self.base).use.id), where)

    def _list(self, node: exp.Expr, where: list[exp.Expr]) -> tuple[str, dict[str, Any]]:
        """`list(...)` and its keys, of any of SQL's ways to write it."""
        order: list[exp.Expr] = []
        if isinstance(node, exp.WithinGroup):
            order, node = node.expression.expressions, node.this
        separator = node.args.get("separator") or node.args.get("expression")
        inside = node.this
        if isinstance(inside, exp.ArrayAgg):
            inside = inside.this
        if isinstance(inside, exp.Order):
            order, inside = inside.expressions, inside.this
        more: dict[str, Any] = {}
        if isinstance(inside, exp.Distinct):
            more["distinct"] = True
            inside = inside.expressions[0]
        if isinstance(inside, exp.Order):
            order, inside = inside.expressions, inside.this
        if order:
            more["sort"] = [
                self.text(one.this) + (" desc" if one.args.get("desc") else "") for one in order
            ]
        else:
            self.todos.append("the list has no order in SQL; here its values stand in order")
            more["sort"] = [self.text(inside)]
        if not isinstance(separator, exp.Literal):
            raise ByHand("a list without a separator", node)
        more["separator"] = separator.this
        return f"list({self._narrowed(inside, where)})", more


def _all(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """Conditions that all have to hold, as one."""
    return exp.and_(*conditions, copy=False) if len(conditions) > 1 else conditions[0]


def _call(node: exp.Expr, *names: str) -> exp.Expr | None:
    node = node.unnest()
    return node if isinstance(node, exp.Anonymous) and node.name in names else None


def _is_lone_aggregate(value: exp.Expr) -> bool:
    inside = value.this if isinstance(value, exp.Filter | exp.WithinGroup) else value
    return isinstance(inside, exp.AggFunc | exp.ArrayToString)


def _default(value: exp.Expr) -> Any:
    """The literal that stands instead of NULL in `coalesce(x, 0)`."""
    if not isinstance(value, exp.Coalesce) or len(value.expressions) != 1:
        return None
    other = value.expressions[0]
    if not isinstance(other, exp.Literal):
        return None
    return other.this if other.is_string else int(other.this) if other.this.isdigit() else None


def _unit(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return str(unit.name).lower() if unit is not None else ""


def _mysql(node: exp.TimeToStr) -> exp.Expr:
    """The format of a date as Trino writes it."""
    text = exp.TimeToStr(this=exp.column("x"), format=node.args["format"]).sql("trino")
    return exp.Literal.string(text.partition("'")[2].rpartition("'")[0])
