"""What is told of a function that is not listed, or not in this use: engines may differ, or have none."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from genesis.compile.functions.calls import is_portable
from genesis.compile.functions.engines import TITLES, engines_with, functions_of
from genesis.compile.functions.portable import NAMES
from genesis.compile.functions.uses import why_not
from genesis.errors import did_you_mean

_BOTH = "it is not known to agree on DuckDB and Trino"


class Refusal(NamedTuple):
    """What is told of a call."""

    message: str
    hint: str | None = None
    is_error: bool = False

    @property
    def code(self) -> str:
        return "unknown-function" if self.is_error else "unportable-function"


def refusal_of(name: str, node: exp.Expr, dialect: str | None) -> Refusal | None:
    """What is to be told of a bound call, or `None` where it gives the same on every engine.

    `dialect` is the engine's that is compiled for, `None` where it is open.
    """
    if isinstance(node, exp.AtTimeZone):
        name = "at time zone"
    elif not is_portable(name, node):
        return _unlisted(name, node, dialect)
    reason = why_not(name, node)
    return Refusal(f"`{name}` is passed on as it is, since {reason}") if reason else None


def _unlisted(name: str, node: exp.Expr, dialect: str | None) -> Refusal | None:
    if not isinstance(node, exp.Func):
        return None
    engines = engines_with(node)
    if not engines:
        hint = _near(name) or did_you_mean(
            name, functions_of("trino") | functions_of("duckdb"), cutoff=_NEAR
        )
        return Refusal(f"unknown function `{name}`: no engine has it", hint, is_error=True)
    near = _near(name)
    if dialect is not None and dialect not in engines:
        message = f"unknown function `{name}`: {TITLES[dialect]} has none, only {_titles(engines)}"
        return Refusal(message, near, is_error=True)
    if len(engines) < len(TITLES):
        return Refusal(f"`{name}` is a function of {_titles(engines)} alone", near)
    return Refusal(f"`{name}` is passed on as it is: {_BOTH}", near)


def _near(name: str) -> str | None:
    if name in _CALLED_OTHERWISE:
        return f"`{_CALLED_OTHERWISE[name]}` gives the same on every engine"
    return did_you_mean(name, NAMES, cutoff=_NEAR)


_NEAR = 0.7
_CALLED_OTHERWISE = {
    "contains": "strpos",
    "date_part": "extract",
    "dateadd": "date_add",
    "datediff": "date_diff",
    "ifnull": "coalesce",
    "instr": "strpos",
    "isodow": "day_of_week",
    "isoyear": "year_of_week",
    "json_extract_string": "json_extract_scalar",
    "json_value": "json_extract_scalar",
    "len": "length",
    "nvl": "coalesce",
    "parse_datetime": "date_parse",
    "regexp_matches": "regexp_like",
    "strftime": "date_format",
    "strptime": "date_parse",
    "to_char": "date_format",
    "to_date": "date_parse",
    "to_timestamp": "from_unixtime",
    "weekday": "day_of_week",
    "weekofyear": "week",
}


def _titles(engines: tuple[str, ...]) -> str:
    return " and ".join(TITLES[engine] for engine in engines)
