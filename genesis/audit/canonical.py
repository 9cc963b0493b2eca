"""Values as text that two engines write alike, and hashes of it that they agree on. PURE.

Texts are equal where values are: no scale, zone, precision of a session or order of a collation is in
them. Refused are types that have no such text (`json`, arrays). The surprise: times are counted in
microseconds, dates in days, and a float is the number that its 64 bits make, since every engine writes its own
calendar's edges and its own digits.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import sqlglot
from sqlglot import exp

from genesis.spec.types import Type

_DAYS_DUCKDB = "CAST(DATE_DIFF('day', DATE '1970-01-01', CAST(x AS DATE)) AS VARCHAR)"
_EPOCH_TRINO = "TIMESTAMP '1970-01-01 00:00:00'"


def _micros_trino(x: str, start: str) -> str:
    """Microseconds since `start`. Trino counts no part of a second that is smaller than a thousandth."""
    seconds = f"DATE_DIFF('second', {start}, DATE_TRUNC('second', {x}))"
    rest = f"CAST(SPLIT_PART(CAST({x} AS VARCHAR), '.', 2) AS BIGINT)"
    return f"CAST({seconds} * 1000000 + {rest} AS VARCHAR)"


_FINITE = "CASE WHEN ISFINITE({x}) THEN CAST({of} AS TEXT) ELSE CAST({x} AS TEXT) END"

# What writes a value `x` of a type as text; NULL stays NULL.
_TEXTS: dict[str, dict[str, str]] = {
    "duckdb": {
        "integer": "CAST(x AS VARCHAR)",
        "decimal": (
            "CASE WHEN CONTAINS(CAST(x AS VARCHAR), '.')"
            " THEN RTRIM(RTRIM(CAST(x AS VARCHAR), '0'), '.') ELSE CAST(x AS VARCHAR) END"
        ),
        # `+ 0` takes the sign from a zero; of what is no number there are many kinds, and one word.
        "float": (
            "CASE WHEN ISNAN(x) THEN 'nan'"
            " ELSE CAST(CAST(CAST(CAST(x AS DOUBLE) + 0 AS BIT) AS BIGINT) AS VARCHAR) END"
        ),
        "boolean": "CAST(x AS VARCHAR)",
        "string": "CAST(x AS VARCHAR)",
        "date": _DAYS_DUCKDB,
        "time": "CAST(EPOCH_US(x) AS VARCHAR)",
        "timestamp": "CAST(EPOCH_US(x) AS VARCHAR)",
        "timestamptz": "CAST(EPOCH_US(x) AS VARCHAR)",
    },
    "postgres": {
        "integer": "CAST(TRIM_SCALE(CAST(x AS NUMERIC)) AS TEXT)",
        "decimal": "CAST(TRIM_SCALE(CAST(x AS NUMERIC)) AS TEXT)",
        "float": (
            "CASE WHEN CAST(x AS TEXT) = 'NaN' THEN 'nan' ELSE CAST(CAST(CAST('x' ||"
            " ENCODE(FLOAT8SEND(CAST(x AS DOUBLE PRECISION) + 0), 'hex') AS BIT(64)) AS BIGINT) AS TEXT) END"
        ),
        "boolean": "CAST(CAST(x AS BOOLEAN) AS TEXT)",
        "string": "CAST(x AS TEXT)",
        "date": _FINITE.format(x="CAST(x AS DATE)", of="CAST(x AS DATE) - DATE '1970-01-01'"),
        "time": "CAST(CAST(EXTRACT(EPOCH FROM CAST(x AS TIME)) * 1000000 AS BIGINT) AS TEXT)",
        "timestamp": _FINITE.format(x="x", of="CAST(EXTRACT(EPOCH FROM x) * 1000000 AS BIGINT)"),
        "timestamptz": _FINITE.format(x="x", of="CAST(EXTRACT(EPOCH FROM x) * 1000000 AS BIGINT)"),
    },
    "trino": {
        "integer": "CAST(x AS VARCHAR)",
        "decimal": (
            "CASE WHEN STRPOS(CAST(x AS VARCHAR), '.') > 0"
            " THEN REGEXP_REPLACE(CAST(x AS VARCHAR), '\\.?0+$') ELSE CAST(x AS VARCHAR) END"
        ),
        "float": (
            "CASE WHEN IS_NAN(x) THEN 'nan'"
            " ELSE CAST(FROM_BIG_ENDIAN_64(TO_IEEE754_64(CAST(x AS DOUBLE) + 0)) AS VARCHAR) END"
        ),
        "boolean": "CAST(x AS VARCHAR)",
        "string": "CAST(x AS VARCHAR)",
        "date": "CAST(DATE_DIFF('day', DATE '1970-01-01', CAST(x AS DATE)) AS VARCHAR)",
        "time": _micros_trino("CAST(x AS TIME(6))", "TIME '00:00:00'"),
        "timestamp": _micros_trino("CAST(x AS TIMESTAMP(6))", _EPOCH_TRINO),
        "timestamptz": _micros_trino("CAST(AT_TIMEZONE(x, 'UTC') AS TIMESTAMP(6))", _EPOCH_TRINO),
    },
}

# What makes of a text `x` a number of 60 bits.
_HASHES = {
    "duckdb": "CAST('0x' || SUBSTR(MD5(x), 1, 15) AS BIGINT)",
    "postgres": "CAST(CAST('x' || SUBSTR(MD5(CONVERT_TO(x, 'UTF8')), 1, 15) AS BIT(60)) AS BIGINT)",
    "trino": "FROM_BASE(SUBSTR(TO_HEX(MD5(TO_UTF8(x))), 1, 15), 16)",
}


def has_text(type_: Type, dialect: str) -> bool:
    """Whether values of a type can be compared as text in a dialect."""
    return type_.name in _TEXTS.get(dialect, {})


def text_of(value: exp.Expr, type_: Type, dialect: str) -> exp.Expr:
    """A value as text."""
    return _filled(_TEXTS[dialect][type_.name], dialect, value)


def one_text(texts: Sequence[exp.Expr]) -> exp.Expr:
    """Several texts as one, which is equal only where all of them are, NULLs too."""
    first, *others = map(_escaped, texts)
    for other in others:
        first = exp.DPipe(this=first, expression=exp.Literal.string("|"), safe=False)
        first = exp.DPipe(this=first, expression=other, safe=False)
    return first


def hash_of(text: exp.Expr, dialect: str) -> exp.Expr:
    """A number of 60 bits that tells texts apart."""
    return _filled(_HASHES[dialect], dialect, text)


def _escaped(text: exp.Expr) -> exp.Expr:
    """A text without `|`, and with `~` only before a digit; NULL is a bare `~`."""
    for mark, written in (("~", "~0"), ("|", "~1")):
        pair = [exp.Literal.string(mark), exp.Literal.string(written)]
        text = exp.Anonymous(this="REPLACE", expressions=[text, *pair])
    return exp.Coalesce(this=text, expressions=[exp.Literal.string("~")])


def _filled(template: str, dialect: str, value: exp.Expr) -> exp.Expr:
    def fill(node: exp.Expr) -> exp.Expr:
        return value.copy() if isinstance(node, exp.Column) and node.name == "x" else node

    return _parsed(template, dialect).copy().transform(fill, copy=False)


@functools.lru_cache(maxsize=64)
def _parsed(template: str, dialect: str) -> exp.Expr:
    # Bracketed, so that what is found in it can be replaced as a whole too.
    return exp.Paren(this=sqlglot.parse_one(template, dialect=dialect))
