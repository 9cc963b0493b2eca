"""Changes to tables that bring out what one data set hides: an inner join looks like a left one without orphans.

They keep what data sources declare (keys, fields that are never NULL), since SQL that rests on these is right.
Statements are DuckDB's, over copies of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

_FAR = 1_000_000_000


@dataclass(frozen=True)
class Copied:
    """A table to change: `keys` tell its rows apart; `order` says which record of a key is newest.

    `fixed` are columns that have certain values alone.
    """

    name: str
    types: dict[str, str]
    keys: tuple[tuple[str, ...], ...]
    required: frozenset[str]
    order: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return str(exp.to_table(self.name, dialect="duckdb").sql("duckdb"))


@dataclass(frozen=True)
class Variant:
    """A change of the data, in words and as statements."""

    what: str
    statements: tuple[str, ...]


def variants(
    tables: Sequence[Copied], constants: Mapping[str, Sequence[str]] | None = None
) -> list[Variant]:
    """The changes to try, one after another, each on the data as it was.

    `constants` are what the report compares columns with, by their names: rows at such an edge tell `>` from `>=`.
    """
    return [
        *_thinned(tables),
        *_nulls(tables),
        *_doubled(tables),
        *_namesakes(tables),
        *_at_edges(tables, constants or {}),
        *_empty(tables),
    ]


def _thinned(tables: Sequence[Copied]) -> Iterator[Variant]:
    for one in tables:
        for rest in (0, 1):
            statement = f"DELETE FROM {one.sql} WHERE rowid % 3 = {rest}"  # noqa: S608
            yield Variant(f"a third of `{one.name}` gone", (statement,))


def _nulls(tables: Sequence[Copied]) -> Iterator[Variant]:
    for turn in (0, 1, 2):
        statements = tuple(
            f"UPDATE {one.sql} SET {_quoted(column)} = NULL WHERE rowid % 3 = {(number // 2) % 3}"  # noqa: S608
            for one in tables
            for number, column in enumerate(_free(one))
            if number % 2 == turn or turn == 2
        )
        if statements:
            yield Variant("NULLs in every column that may hold them", statements)


def _free(one: Copied) -> list[str]:
    return [column for column in one.types if column not in one.required]


def _doubled(tables: Sequence[Copied]) -> Iterator[Variant]:
    for one in tables:
        changes = dict(_older(one) if one.order else _fresh(one))
        if not changes:
            continue
        columns = ", ".join(f"{changes.get(c, _quoted(c))} AS {_quoted(c)}" for c in one.types)
        what = (
            f"an older record of each in `{one.name}`"
            if one.order
            else f"each row of `{one.name}` twice, under a key of its own"
        )
        yield Variant(what, (f"INSERT INTO {one.sql} BY NAME SELECT {columns} FROM {one.sql}",))  # noqa: S608


def _fresh(one: Copied) -> Iterator[tuple[str, str]]:
    """For each key a column that gets another value."""
    for key in one.keys:
        shifted = next(
            (
                c
                for c in (key if len(key) == 1 else key[::-1])
                if one.types.get(c) in ("integer", "string")
            ),
            None,
        )
        if shifted is not None:
            yield shifted, _moved(shifted, one.types[shifted])


def _older(one: Copied) -> Iterator[tuple[str, str]]:
    first = one.order[0]
    type_ = one.types.get(first, "")
    if type_ in ("date", "timestamp", "timestamptz"):
        yield first, f"{_quoted(first)} - INTERVAL 400 DAY"
    elif type_ == "integer":
        yield first, f"{_quoted(first)} - {_FAR}"
    else:
        return
    for column, of in one.types.items():
        if column not in one.required and of == "string":
            yield column, f"{_quoted(column)} || '~'"


def _moved(column: str, type_: str) -> str:
    return f"{_quoted(column)} + {_FAR}" if type_ == "integer" else f"{_quoted(column)} || '~'"


def _namesakes(tables: Sequence[Copied]) -> Iterator[Variant]:
    statements = []
    for one in tables:
        keys = {column for key in one.keys for column in key} | set(one.order)
        for column, type_ in one.types.items():
            if type_ == "string" and column not in keys | one.fixed:
                name = _quoted(column)
                statements.append(
                    f"UPDATE {one.sql} SET {name} = (SELECT min({name}) FROM {one.sql}) WHERE rowid % 2 = 0"  # noqa: S608
                )
    if statements:
        yield Variant("the same text in every other row", tuple(statements))


def _at_edges(
    tables: Sequence[Copied], constants: Mapping[str, Sequence[str]]
) -> Iterator[Variant]:
    statements = []
    for one in tables:
        keys = {column for key in one.keys for column in key} | set(one.order) | one.fixed
        for column in one.types:
            values = [] if column in keys else list(constants.get(column.lower(), ()))
            for number, value in enumerate(values):
                name = _quoted(column)
                text = exp.Literal.string(value).sql("duckdb")
                # A constant that is none of the column's type leaves the row as it is.
                cast = f"coalesce(TRY_CAST({text} AS {_sql_type(one.types[column])}), {name})"
                statements.append(
                    f"UPDATE {one.sql} SET {name} = {cast} WHERE rowid % {2 * len(values)} = {2 * number}"  # noqa: S608
                )
    if statements:
        yield Variant("what the SQL compares with in the rows", tuple(statements))


_TYPES = {
    "integer": "DECIMAL(18,0)",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}


def _sql_type(type_: str) -> str:
    return type_ if type_.startswith("decimal") else _TYPES.get(type_, "VARCHAR")


def constants_of(query: exp.Expr) -> dict[str, list[str]]:
    """What a query compares columns with, by the names of the columns."""
    found: dict[str, list[str]] = {}
    for condition in query.find_all(
        exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Like
    ):
        columns = {column.name.lower() for column in condition.find_all(exp.Column)}
        for literal in condition.find_all(exp.Literal):
            for column in columns:
                values = found.setdefault(column, [])
                if literal.this not in values:
                    values.append(literal.this)
    return found


def _empty(tables: Sequence[Copied]) -> Iterator[Variant]:
    for one in tables:
        yield Variant(f"`{one.name}` empty", (f"DELETE FROM {one.sql}",))  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
