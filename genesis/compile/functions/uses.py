"""Why a use of a listed function is not portable after all: a pattern, format, unit or path that is
not written as a literal, or one that engines read otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from genesis.compile.dialects.writing import whole_number
from genesis.compile.functions.patterns import is_replacement, pattern_of_trino
from genesis.compile.functions.portable import BY_NAME, takes
from genesis.compile.infer import from_sql, type_of
from genesis.spec.types import (
    BOOLEAN,
    DATE,
    FLOAT,
    INTEGER,
    STRING,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
)


def why_not(name: str, node: exp.Expr) -> str | None:
    """What keeps a bound call of a listed function from agreeing on the engines, or `None`."""
    check = _CHECKS.get(name)
    if isinstance(node, exp.Anonymous):
        least, most = takes(name)
        if not least <= len(node.expressions) <= most:
            return f"it is written `{BY_NAME[name].signature}`"
    return check(node) if check else None


def _literal(node: object) -> str | None:
    return str(node.name) if isinstance(node, exp.Literal) and node.is_string else None


def _pattern(node: exp.Expr) -> str | None:
    pattern = _literal(node.expression)
    if pattern is None:
        return "its pattern is no literal"
    if pattern_of_trino(pattern) is None:
        return f"the engines do not read the pattern `{pattern}` alike"
    group = node.args.get("group")
    if group is not None and (whole_number(group) is None or whole_number(group) < 0):  # type: ignore[operator]
        return "its group is no number that is written out"
    instead = node.args.get("replacement")
    if instead is not None and not is_replacement(_literal(instead) or ""):
        return "of `\\` and `$`, a replacement may hold `$1`, `\\$` and `\\\\`"
    if instead is not None and _literal(instead) is None:
        return "its replacement is no literal"
    return None


_UNITS = frozenset(["year", "quarter", "month", "week", "day", "hour", "minute", "second"])


def _unit(node: exp.Expr) -> str | None:
    unit = node.text("unit").lower()
    if unit in _UNITS:
        return None
    return f"it takes no unit `{unit}`" if unit else "its unit is no literal"


_PARTS = _UNITS | {
    "day_of_month", "day_of_week", "dow", "dayofweek", "dayofweekiso", "day_of_year", "doy", "dayofyear",
    "year_of_week", "yow", "yearofweek", "weekofyear",
}  # fmt: skip


def _part(node: exp.Expr) -> str | None:
    return None if node.name.lower() in _PARTS else f"it takes no `{node.name.lower()}`"


_DIRECTIVE = re.compile(r"%(-?.)")
_WRITTEN = frozenset(
    [
        "Y",
        "y",
        "m",
        "-m",
        "d",
        "-d",
        "H",
        "-H",
        "I",
        "-I",
        "M",
        "S",
        "p",
        "B",
        "b",
        "A",
        "a",
        "j",
        "%",
    ]
)
_WRITTEN_FORMS = frozenset(["T"])
_READ = _WRITTEN - {"y", "A", "a", "j"} | {"f"}


def _written_format(node: exp.Expr) -> str | None:
    return _format(node, _WRITTEN | _WRITTEN_FORMS)


def _read_format(node: exp.Expr) -> str | None:
    reason = _format(node, _READ | _WRITTEN_FORMS)
    if reason is None:
        found = set(_DIRECTIVE.findall(node.args["format"].name))
        if "Y" not in found or not found & {"m", "-m", "B", "b"} or not found & {"d", "-d"}:
            return "its format lacks the year with four digits, the month or the day"
    return reason


def _format(node: exp.Expr, known: frozenset[str]) -> str | None:
    text = _literal(node.args.get("format"))
    if text is None:
        return "its format is no literal"
    for directive in _DIRECTIVE.findall(text):
        if directive not in known:
            return f"the engines do not agree on `%{directive.lstrip('-')}` in its format"
    return None


def _number(key: str, *, least: int | None = None) -> Callable[[exp.Expr], str | None]:
    def check(node: exp.Expr) -> str | None:
        value = node.args.get(key)
        number = whole_number(value)
        if value is None or (number is not None and (least is None or number >= least)):
            return None
        return "one of its arguments is a number that is written out, " + (
            f"from {least}" if least is not None else "such as 2 or -1"
        )

    return check


def _padding(node: exp.Expr) -> str | None:
    if (whole_number(node.expression) or 0) < 0 or whole_number(node.expression) is None:
        return "its length is no number that is written out, from 0"
    return None if _literal(node.args.get("fill_pattern")) else "its filling is no literal"


def _path(node: exp.Expr) -> str | None:
    path = node.expression
    if not isinstance(path, exp.JSONPath | exp.Literal) or node.expressions:
        return "its path is no literal"
    plain = all(
        isinstance(part, exp.JSONPathRoot)
        or (isinstance(part, exp.JSONPathKey) and isinstance(part.this, str))
        or (isinstance(part, exp.JSONPathSubscript) and str(part.this).isdigit())
        for part in path.expressions
    )
    return None if plain else "its path holds more than names and positions"


def _zone(node: exp.Expr) -> str | None:
    zone = node.args["zone"] if isinstance(node, exp.AtTimeZone) else node.expressions[-1]
    name = _literal(zone)
    if name is None:
        return "its zone is no literal"
    return None if _is_zone(name) else f"the engines do not all know a zone `{name}`"


def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError):
        return False


def _only(*keys: str) -> Callable[[exp.Expr], str | None]:
    """A call that has no more arguments than the list says."""

    def check(node: exp.Expr) -> str | None:
        more = [key for key in keys if node.args.get(key)]
        return "it takes fewer arguments" if more else None

    return check


def _base(node: exp.Expr) -> str | None:
    return None if node.args.get("expression") else "it takes a base and a number"


_CASTS: dict[Type, frozenset[Type]] = {
    STRING: frozenset([INTEGER, FLOAT, BOOLEAN, DATE, TIMESTAMP, TIME, STRING]),
    INTEGER: frozenset([INTEGER, FLOAT, BOOLEAN, STRING]),
    FLOAT: frozenset([INTEGER, FLOAT, BOOLEAN]),
    BOOLEAN: frozenset([INTEGER, BOOLEAN, STRING, FLOAT]),
    DATE: frozenset([DATE, TIMESTAMP, STRING, TIMESTAMPTZ]),
    TIMESTAMP: frozenset([DATE, TIMESTAMP, TIMESTAMPTZ]),
    TIMESTAMPTZ: frozenset([DATE, TIMESTAMP, TIMESTAMPTZ]),
    TIME: frozenset([TIME]),
}


def _cast(node: exp.Expr) -> str | None:
    given, wanted = type_of(node.this), from_sql(node.args["to"])
    if wanted is None:
        return f"engines differ in the type `{node.args['to'].sql('trino').lower()}`"
    if given is None or given == wanted or isinstance(node.this, exp.Literal | exp.Null):
        return None
    if wanted == STRING and given not in (INTEGER, BOOLEAN, DATE) and given.name != "decimal":
        return None  # what is written differently is told where operands are checked
    from_ = INTEGER if given.name == "decimal" else given
    to = INTEGER if wanted.name == "decimal" else wanted
    return None if to in _CASTS.get(from_, ()) else f"engines differ in casting {given} to {wanted}"


_CHECKS: dict[str, Callable[[exp.Expr], str | None]] = {
    **dict.fromkeys(("regexp_like", "regexp_extract", "regexp_replace", "regexp_count"), _pattern),
    **dict.fromkeys(("date_trunc", "date_add", "date_diff"), _unit),
    **dict.fromkeys(("lpad", "rpad"), _padding),
    **dict.fromkeys(("cast", "try_cast"), _cast),
    "extract": _part,
    "date_format": _written_format,
    "date_parse": _read_format,
    "split_part": _number("part_index", least=1),
    "round": _number("decimals"),
    "truncate": _only("decimals"),
    "strpos": _only("position", "occurrence"),
    "from_unixtime": _only("zone", "scale", "hours", "minutes"),
    "date": _only("zone", "expressions"),
    "log": _base,
    "json_extract_scalar": _path,
    "with_timezone": _zone,
    "at time zone": _zone,
}
