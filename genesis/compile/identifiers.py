"""Names in SQL: quoted wherever any supported dialect would need it, plain where none does."""

from __future__ import annotations

import functools
import re

from sqlglot import exp

# Reserved, or read as something else than a name, in Trino 476 or DuckDB 2.0 (`duckdb_keywords()`).
_RESERVED = frozenset(
    [
        "all",
        "alter",
        "analyse",
        "analyze",
        "and",
        "anti",
        "any",
        "array",
        "as",
        "asc",
        "asof",
        "asymmetric",
        "at",
        "authorization",
        "between",
        "bigint",
        "binary",
        "bit",
        "boolean",
        "both",
        "by",
        "case",
        "cast",
        "char",
        "character",
        "check",
        "coalesce",
        "collate",
        "collation",
        "column",
        "columns",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "cube",
        "current_catalog",
        "current_date",
        "current_path",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "date",
        "deallocate",
        "dec",
        "decimal",
        "default",
        "deferrable",
        "delete",
        "desc",
        "describe",
        "distinct",
        "do",
        "drop",
        "else",
        "end",
        "escape",
        "except",
        "execute",
        "exists",
        "extract",
        "false",
        "fetch",
        "float",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "generated",
        "glob",
        "group",
        "grouping",
        "grouping_id",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "inout",
        "insert",
        "int",
        "integer",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "json_array",
        "json_exists",
        "json_object",
        "json_query",
        "json_table",
        "json_value",
        "lambda",
        "lateral",
        "leading",
        "left",
        "like",
        "limit",
        "listagg",
        "localtime",
        "localtimestamp",
        "map",
        "national",
        "natural",
        "nchar",
        "none",
        "normalize",
        "not",
        "notnull",
        "null",
        "nullif",
        "numeric",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "out",
        "outer",
        "overlaps",
        "overlay",
        "pivot",
        "pivot_longer",
        "pivot_wider",
        "placing",
        "position",
        "positional",
        "precision",
        "prepare",
        "primary",
        "qualify",
        "real",
        "recursive",
        "references",
        "returning",
        "right",
        "rollup",
        "row",
        "select",
        "semi",
        "session_user",
        "set",
        "setof",
        "show",
        "similar",
        "skip",
        "smallint",
        "some",
        "struct",
        "substring",
        "summarize",
        "symmetric",
        "table",
        "tablesample",
        "then",
        "time",
        "timestamp",
        "to",
        "trailing",
        "treat",
        "trim",
        "true",
        "try_cast",
        "tuple",
        "uescape",
        "union",
        "unique",
        "unnest",
        "unpack",
        "unpivot",
        "user",
        "using",
        "values",
        "varchar",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
    ]
)


_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def identifier(name: str) -> exp.Identifier:
    """A name as SQL writes it."""
    return exp.Identifier(this=name, quoted=not _is_plain(name))


@functools.lru_cache(maxsize=4096)
def _is_plain(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and name not in _RESERVED


def column(name: str, table: str) -> exp.Column:
    """A column of an alias."""
    return exp.Column(this=identifier(name), table=identifier(table))


_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_TABLE = re.compile(r'(?:"(?:[^"]|"")+"|[^".\s;()]+)(?:\.(?:"(?:[^"]|"")+"|[^".\s;()]+)){0,2}')


def is_table(dotted: str) -> bool:
    """Whether this is a table name: one to three parts, odd ones in double quotes."""
    return _TABLE.fullmatch(dotted) is not None


def table_parts(dotted: str) -> tuple[str, ...]:
    """The names in a dotted table name; odd ones stand in double quotes."""
    return tuple(
        (quoted.replace('""', '"') if quoted else plain.strip())
        for quoted, plain in _PART.findall(dotted)
    )


def table(dotted: str) -> exp.Table:
    """A table as SQL names it."""
    parts = [identifier(part) for part in table_parts(dotted)]
    return exp.Table(**dict(zip(("this", "db", "catalog"), reversed(parts), strict=False)))


def words(name: str) -> str:
    """A column's name in words: `movie_title` is "Movie title"."""
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


class Names:
    """Names given out once each: the one asked for, or it with the first free number."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def take(self, wish: str) -> str:
        name, number = wish, 1
        while name in self._taken:
            number += 1
            name = f"{wish}_{number}"
        self._taken.add(name)
        return name
