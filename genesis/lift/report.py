"""One report: its SQL in, an input out, with what could not be said.

A query without groups is a `detail` input over the table whose rows it has; one with groups a
`summary`, unless it groups by a key and aggregates related rows: that is a `detail` again. What has no
meaning in the language raises `ByHand`; what was decided without knowing is a TODO beside the input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from genesis.lift.block import (
    Block,
    Order,
    Output,
    Use,
    inner_number,
    is_constant,
    read_block,
    uses_of,
)
from genesis.lift.facts import ByHand, Facts, seen
from genesis.lift.groups import merge_groups
from genesis.lift.language import Item, Language
from genesis.lift.sources import Sources, slug
from genesis.lift.tree import Node, Planner, Tree, equality
from genesis.lift.yaml_text import flow, scalar


@dataclass
class Column:
    """A column of the input; `label` is what the SQL calls it, `None` for one that it does not have."""

    name: str
    label: str | None
    item: Item
    shows_raw: bool = False

    def line(self, type_: str | None) -> str:
        """The column as YAML."""
        keys: dict[str, Any] = {"field": self.item.text}
        if self.name != self.item.text.replace(".", "_") or not self.item.is_path:
            keys["name"] = self.name
        if self.label is not None:
            keys["label"] = self.label
        if type_ is not None:
            keys["type"] = type_
        if self.shows_raw:
            keys["format"] = "raw"
        return flow({**keys, **self.item.more})


@dataclass
class Lifted:
    """An input that a report became."""

    name: str
    file: str
    source: str
    shape: str
    columns: list[Column]
    filters: list[str]
    having: list[str]
    sort: list[str]
    limit: int | None
    parameters: dict[str, str]
    timezone: str | None
    todos: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # By their places: the columns that SQL sorts by, each descending or not, and whether all its keys are among them.
    order: list[tuple[int, bool]] = field(default_factory=list)
    statement: exp.Expr | None = None

    @property
    def shown(self) -> list[Column]:
        """The columns that the SQL has."""
        return [column for column in self.columns if column.label is not None]

    def text(self, types: Mapping[int, str] | None = None) -> str:
        """The input as YAML; `types` are of columns by their places, where they have to be said."""
        lines = [f"# Lifted from {self.file} by `genesis import sql`."]
        lines += [f"# TODO(genesis import): {todo}" for todo in self.todos]
        lines += [f"# Note: {note}" for note in self.notes]
        lines += [f"input: {self.name}", f"source: {self.source}"]
        if self.shape == "summary":
            lines.append("shape: summary")
        if self.timezone:
            lines.append(f"timezone: {self.timezone}")
        if self.parameters:
            lines.append("parameters:")
            lines += [f"  {name}: {type_}" for name, type_ in self.parameters.items()]
        lines.append("fields:")
        lines += [f"  - {one.line((types or {}).get(n))}" for n, one in enumerate(self.columns)]
        for key, values in (("filters", self.filters), ("having", self.having)):
            if values:
                lines += [f"{key}:", *(f"  - {scalar(value)}" for value in values)]
        if self.sort:
            lines.append(f"sort: [{', '.join(map(scalar, self.sort))}]")
        if self.limit:
            lines.append(f"limit: {self.limit}")
        return "\n".join(lines) + "\n"


def read_statement(text: str, dialect: str) -> exp.Expr:
    """The one query of a file. Raises `ByHand`."""
    try:
        found = [one for one in sqlglot.parse(text, dialect=dialect) if one is not None]
    except (SqlglotError, RecursionError) as error:
        errors = getattr(error, "errors", None) or [{}]
        said = errors[0].get("description") or str(error).splitlines()[0]
        said = said.partition(" but got")[0]  # what follows is sqlglot's own
        reason = f"it is no {dialect} SQL that can be read: {said}".rstrip(".")
        place = (errors[0].get("line"), errors[0].get("col"))
        raise ByHand(
            reason, f"\0{place[0] or 1}:{place[1] or 1}", hint="`--dialect` says whose SQL it is"
        ) from None
    if len(found) != 1:
        raise ByHand(f"the file holds {len(found)} statements", hint="one file is one report")
    return found[0]


def lift(
    text: str, *, name: str, file: str, dialect: str, sources: Sources, facts: Facts
) -> Lifted:
    """The input that a report's SQL means. Raises `ByHand`."""
    statement = read_statement(text, dialect)
    block = read_block(statement.copy(), facts)
    if not block.uses:
        raise ByHand("it reads no table", statement)
    return _Report(block, name, file, dialect, sources, statement).lift()


@dataclass
class _Report:
    block: Block
    name: str
    file: str
    dialect: str
    sources: Sources
    statement: exp.Expr
    todos: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    having: list[str] = field(default_factory=list)

    def lift(self) -> Lifted:
        block = self.block
        merge_groups(block)
        _turn_anti_joins(block, self.sources)
        planner = Planner(self.sources, self._words)
        tree = planner.whole(block)
        self.language = self._language(tree)
        self.tree = tree
        self._check_rows()
        self.shape = self._shape()
        for output in block.outputs:
            self._add(output)
        if self.shape == "summary":
            self._add_groups()
        self._read_conditions()
        sort = [self._sort_key(one) for one in block.order]
        self._tell_order()
        return Lifted(
            self.name,
            self.file,
            self._root.source.name,
            self.shape,
            self.columns,
            self.filters,
            self.having,
            sort,
            block.limit,
            self._parameters(),
            self._timezone(),
            list(dict.fromkeys(self.todos)),
            list(dict.fromkeys(self.notes)),
            order=self._order_places(),
            statement=self.statement,
        )

    @property
    def _root(self) -> Node:
        return seen(self.tree.root)

    def _language(self, tree: Tree) -> Language:
        dialect = self.sources.project.settings.dialect
        return Language(self.sources, self.block, tree, dialect, self.dialect, self.todos)

    def _words(self, conditions: list[exp.Expr], node: Node) -> str:
        return self._language(Tree({node.use.id: node}, [])).conditions(conditions)

    # --- rows -------------------------------------------------------------------------------------

    def _check_rows(self) -> None:
        """Refuse rows that no tree has: those that a to-many join repeats."""
        many = self.tree.many()
        if not many:
            return
        if not self.block.aggregates:
            node = many[0]
            keeps = ", and keeps those without any" if node.use.kind == "left" else ""
            raise ByHand(
                f"`{node.use.alias}` repeats the rows of `{self._root.use.alias}`{keeps}",
                node.use.node,
                hint=f"aggregate its columns (`list`, `count`, `max`), pick one row, or make `{node.use.alias}` the first table",
            )
        for node in many:
            if node.use.kind != "left":
                raise ByHand(
                    f"`{node.use.alias}` multiplies the rows of another table that is joined to many",
                    node.use.node,
                    hint="an aggregate over each of the two joins is a column of its own",
                )
        for condition in self.tree.conditions:
            if any(self._steps(condition)):
                raise ByHand(
                    "a condition on a table that repeats rows",
                    condition,
                    hint="`any(...)` or `none(...)` says which rows are meant",
                )

    def _steps(self, value: exp.Expr) -> list[Node]:
        nodes = [
            self.tree.nodes[use] for use in uses_of(value, self.block) if use in self.tree.nodes
        ]
        return max((node.steps for node in nodes), key=len, default=[])

    def _shape(self) -> str:
        block = self.block
        if not block.aggregates and not block.distinct:
            return "detail"
        columns = block.group if block.group is not None else [o.value for o in block.outputs]
        if (
            block.aggregates
            and block.distinct
            and not all(any(one == output.value for output in block.outputs) for one in columns)
        ):
            raise ByHand("DISTINCT over groups that are not all shown", "DISTINCT")
        names = {
            one.name.lower()
            for one in columns
            if isinstance(one, exp.Column) and one.table == self._root.use.id
        }
        key = [self._root.source.column_of(name).lower() for name in self._root.source.primary_key]
        has_key = set(key) <= names
        if not block.aggregates:
            return "detail" if has_key else "summary"
        is_sound = has_key and bool(self.tree.many())
        for value in [*(output.value for output in block.outputs), *block.having]:
            for aggregate in _aggregates(value):
                self._check_aggregate(aggregate, is_detail=is_sound)
        return "detail" if is_sound else "summary"

    def _check_aggregate(self, aggregate: exp.Expr, *, is_detail: bool) -> None:
        """Refuse an aggregate that sees rows more than once, since other joins repeat them."""
        many = self.tree.many()
        if not many:
            return
        steps = self._steps(aggregate)
        inside = aggregate.this if not isinstance(aggregate, exp.Filter) else aggregate.this.this
        is_once = isinstance(inside, exp.Distinct) or isinstance(aggregate, exp.Min | exp.Max)
        if is_once and (steps or not is_detail):
            return
        others = [node for node in many if node not in steps]
        if not steps or any(True for node in others if node not in steps):
            repeated = others[0].use.alias
            said = aggregate.sql(normalize_functions="lower")
            for column in aggregate.find_all(exp.Column):
                said = said.replace(f"{column.table}.", f"{self.block.uses[column.table].alias}.")
            raise ByHand(
                f"`{said}` counts rows once for each row of `{repeated}`",
                others[0].use.node,
                hint="most likely a mistake; an aggregate over each join is a column of its own in the language",
            )

    # --- columns ----------------------------------------------------------------------------------

    def _add(self, output: Output, *, is_extra: bool = False) -> Column:
        item = self.language.item(output.value)
        taken = {column.name for column in self.columns}
        name = slug(output.label)
        number = 2
        while name in taken:
            name, number = f"{slug(output.label)}_{number}", number + 1
        if name != slug(output.label) and not is_extra:
            self.todos.append(
                f"two columns are called `{output.label}`; their headers have to differ"
            )
        column = Column(name, None if is_extra else output.label, item)
        if item.is_path and isinstance(output.value.unnest(), exp.Column):
            node = self.tree.nodes[output.value.unnest().text("table")]
            column.shows_raw = self.sources.is_shown_otherwise(
                node.source, item.text.rpartition(".")[2]
            )
        self.columns.append(column)
        return column

    def _add_groups(self) -> None:
        """What SQL groups by without showing it is a column all the same."""
        for one in self.block.group or ():
            if any(output.value == one for output in self.block.outputs):
                continue
            label = one.name if isinstance(one, exp.Column) else f"group_{len(self.columns) + 1}"
            column = self._add(Output(label, one, True), is_extra=True)
            self.notes.append(
                f"`{column.name}` is a new column: the SQL groups by it, and does not show it"
            )

    def _place_of(self, value: exp.Expr) -> int | None:
        values = [output.value.unnest() for output in self.block.outputs]
        return values.index(value.unnest()) if value.unnest() in values else None

    # --- conditions -------------------------------------------------------------------------------

    def _read_conditions(self) -> None:
        for condition in self.tree.conditions:
            self.filters.append(self.language.text(condition))
        for condition in self.block.having:
            if self.shape == "detail":
                self.filters.append(self.language.text(condition))
            else:
                self.having.append(self._over_columns(condition))

    def _over_columns(self, condition: exp.Expr) -> str:
        """A condition of HAVING, over the columns of the summary."""

        def named(node: exp.Expr) -> exp.Expr:
            place = (
                self._place_of(node)
                if isinstance(node, exp.Expr) and not isinstance(node, exp.Literal)
                else None
            )
            if place is not None:
                return exp.var(self.columns[place].name)
            number = inner_number(node)
            if number is not None and is_constant(self.block.inner[number]):
                return exp.var(self._total(number).name)
            if isinstance(node, exp.AggFunc | exp.Filter):
                return exp.var(self._extra(node, "HAVING compares").name)
            return node

        replaced = condition.copy().transform(named)
        return self.language.text(replaced)

    def _total(self, number: int) -> Column:
        """A column with a value of a whole table, which HAVING compares."""
        path = self.language.constant(self.block.inner[number])
        name = slug(path.removesuffix(".value"))
        if all(column.name != name for column in self.columns):
            self.columns.append(Column(name, None, Item(f"max({path})")))
            self.notes.append(f"`{name}` is a new column: HAVING compares it, and does not show it")
        return next(column for column in self.columns if column.name == name)

    def _extra(self, value: exp.Expr, why: str) -> Column:
        made = self._extras.get(value)
        if made is None:
            label = value.sql(normalize_functions="lower").split(".")[-1]
            prefix = type(value.this if isinstance(value, exp.Filter) else value).__name__.lower()
            made = self._add(Output(f"{prefix}_{label}"[:40], value, True), is_extra=True)
            self._extras[value] = made
            self.notes.append(f"`{made.name}` is a new column: {why} it, and does not show it")
        return made

    @property
    def _extras(self) -> dict[exp.Expr, Column]:
        found: dict[exp.Expr, Column] = self.__dict__.setdefault("_made_extras", {})
        return found

    # --- order ------------------------------------------------------------------------------------

    def _sort_key(self, order: Order) -> str:
        word = " desc" if order.descending else ""
        place = order.value if isinstance(order.value, int) else self._place_of(order.value)
        if place is not None:
            return self.columns[place].name + word
        value = exp.Paren(this=order.value).unnest()
        if isinstance(value, exp.Column) and self.shape == "detail":
            return self.language.path(value) + word
        return self._extra(value, "ORDER BY sorts by").name + word

    def _order_places(self) -> list[tuple[int, bool]]:
        """The keys that are shown columns, up to the first that is not."""
        places: list[tuple[int, bool]] = []
        for one in self.block.order:
            place = one.value if isinstance(one.value, int) else self._place_of(one.value)
            if place is None:
                break
            places.append((place, one.descending))
        return places

    def _tell_order(self) -> None:
        if any(one.nulls_first for one in self.block.order):
            self.todos.append("ORDER BY puts NULLs first; the language puts them last")
        if self.block.limit and not self.block.order:
            self.todos.append("LIMIT without ORDER BY takes any rows; say the order in `sort`")

    # --- the rest ---------------------------------------------------------------------------------

    def _parameters(self) -> dict[str, str]:
        """The parameters by name, each of the type of a column that it is compared with."""
        found: dict[str, str] = {}
        for condition in _all_conditions(self.block):
            for mark in condition.find_all(exp.Placeholder):
                if mark.name:
                    found.setdefault(mark.name, self._type_beside(mark))
        for output in self.block.outputs:
            for mark in output.value.find_all(exp.Placeholder):
                found.setdefault(mark.name, "string")
        return found

    def _type_beside(self, mark: exp.Expr) -> str:
        parent = mark.parent
        while parent is not None and not isinstance(parent, exp.Condition):
            parent = parent.parent
        if isinstance(parent, exp.Cast):
            return (
                str(parent.to.sql("duckdb").lower())
                .replace("bigint", "integer")
                .replace("text", "string")
            )
        columns = list(parent.find_all(exp.Column)) if parent is not None else []
        if columns and columns[0].table in self.tree.nodes:
            return (
                self.sources.type_of(self.tree.nodes[columns[0].table].source, columns[0].name)
                or "string"
            )
        return "string"

    def _timezone(self) -> str | None:
        """SQL's days are those of its session: most run in UTC."""
        if not any(self.statement.find_all(exp.CurrentDate)):
            return None
        if self.sources.project.settings.timezone == "UTC":
            return None
        self.notes.append(
            "`today()` is UTC's day, as in a session in UTC; leave `timezone` out for the project's"
        )
        return "UTC"


def _aggregates(value: exp.Expr) -> list[exp.Expr]:
    """The aggregates of an expression."""
    return list(value.find_all(exp.AggFunc))


def _all_conditions(block: Block) -> list[exp.Expr]:
    found = [*block.where, *block.having, *(one for use in block.uses.values() for one in use.on)]
    for inner in block.inner.values():
        found += _all_conditions(inner)
    return found


def _turn_anti_joins(block: Block, sources: Sources) -> None:
    """`LEFT JOIN t ... WHERE t.id IS NULL` as `NOT EXISTS`, where nothing else reads `t`."""
    for use in [one for one in block.uses.values() if one.kind == "left" and one.ranked is None]:
        tests = [one for one in block.where if _tests_missing(one, use, sources)]
        if not tests or _is_read(block, use, tests):
            continue
        number = max(block.inner, default=0) + 1000
        block.where = [one for one in block.where if one not in tests]
        block.where.append(
            exp.Not(this=exp.Anonymous(this="__any", expressions=[exp.Literal.number(number)]))
        )
        use.kind = "inner"
        block.inner[number] = Block(uses={use.id: use}, where=use.on, outputs=[])
        use.on = []
        del block.uses[use.id]


def _tests_missing(condition: exp.Expr, use: Use, sources: Sources) -> bool:
    """Whether it says that a column is NULL that no row of the use has NULL in."""
    if not isinstance(condition, exp.Is) or not isinstance(condition.expression, exp.Null):
        return False
    column = condition.this
    keys = {name for one in use.on for table, name in equality(one) or () if table == use.id}
    if not isinstance(column, exp.Column) or column.table != use.id:
        return False
    return column.name.lower() in keys or sources.is_key(use.table, column.name)


def _is_read(block: Block, use: Use, but: Sequence[exp.Expr]) -> bool:
    values = [o.value for o in block.outputs] + [
        c for c in _all_conditions(block) if c not in but and c not in use.on
    ]
    values += [
        *(block.group or ()),
        *(o.value for o in block.order if not isinstance(o.value, int)),
    ]
    return any(use.id in uses_of(value, block) for value in values)
