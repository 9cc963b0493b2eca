"""The small values of definitions: names, types, lengths of time, zones, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from genesis.errors import did_you_mean
from genesis.spec.types import PLAIN, Type, parse_type

T = TypeVar("T")


def mistake(
    code: str, message: str, hint: str | None = None, *, key: str | None = None
) -> PydanticCustomError:
    """An error for a validator to raise: it becomes a problem at the validated value's place.

    `key` is the one that is missing, where that is what is wrong.
    """
    # The message travels beside the template, since braces in it would be read as placeholders.
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "key": key})


def describe(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return f"`{value}`"


def listed(names: Iterable[str]) -> str:
    return "one of " + ", ".join(f"`{name}`" for name in sorted(names))


def _name(value: Any) -> Any:
    if not isinstance(value, str):
        raise mistake(
            "wrong-type", f"a name should be text, not {describe(value)}", "put it in quotes"
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", value):
        message = f"`{value}` is no name: lower case letters, digits and `_`, a letter first"
        suggestion = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")
        raise mistake(
            "wrong-name",
            message,
            f"for example `{suggestion}`" if suggestion[:1].isalpha() else None,
        )
    return value


def _type(value: Any) -> Any:
    if not isinstance(value, str):
        raise mistake("wrong-type", f"a type should be text, not {describe(value)}")
    parsed = parse_type(value)
    if parsed is None:
        known = [*PLAIN, "decimal(p,s)", "array(T)"]
        raise mistake(
            "unknown-type", f"unknown type `{value}`", did_you_mean(value, known) or listed(known)
        )
    return parsed


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"(\d{1,6})([smhdw])", value) if isinstance(value, str) else None
    if match is None:
        message = f"{describe(value)} is no length of time"
        raise mistake("wrong-type", message, "a number and a unit: `30s`, `15m`, `2h`, `7d`")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _timezone(value: Any) -> Any:
    if not isinstance(value, str):
        raise mistake("wrong-type", f"a time zone should be text, not {describe(value)}")
    if value not in available_timezones():
        hint = did_you_mean(value, available_timezones()) or "an IANA name, such as `Europe/Oslo`"
        raise mistake("unknown-timezone", f"unknown time zone `{value}`", hint)
    return value


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise mistake("wrong-type", f"should be one value, not {describe(value)}")
    return value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")


def _reference(value: Any) -> Any:
    """A text that may hold references to secrets, each of an allowed form."""
    if not isinstance(value, str):
        raise mistake("wrong-type", f"should be text, not {describe(value)}", "put it in quotes")
    for match in re.finditer(r"\$\{[^}]*\}?", value):
        reference = _REFERENCE.fullmatch(match.group())
        if reference is None or not reference[2]:
            raise mistake(
                "wrong-reference",
                f"`{match.group()}` is no reference",
                "`${env:NAME}` or `${file:PATH}`",
            )
        if reference[1] == "file" and ".." in reference[2].split("/"):
            raise mistake(
                "wrong-reference",
                f"`{match.group()}` leads out of the project",
                "an absolute path, or one below the project's root",
            )
    return value


def _secret(value: Any) -> Any:
    if not _REFERENCE.fullmatch(_reference(value)):
        raise mistake(
            "clear-secret",
            "a secret is written in clear",
            "refer to it: `${env:NAME}` or `${file:PATH}`",
        )
    return value


Scalar = Annotated[str | int | float | bool | None, BeforeValidator(_scalar)]
Name = Annotated[str, BeforeValidator(_name)]
TypeName = Annotated[Type, BeforeValidator(_type)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Timezone = Annotated[str, BeforeValidator(_timezone)]
Items = Annotated[tuple[T, ...], Field(strict=False)]
OneOrMany = Annotated[tuple[T, ...], Field(strict=False), BeforeValidator(_one_or_many)]
Reference = Annotated[str, BeforeValidator(_reference)]
Secret = Annotated[str, BeforeValidator(_secret)]
